"""Where Triton's kernels can be tested, and how close to the reference is close enough."""

import pytest
import torch

HOW = "run: make test-triton"


def triton_device() -> torch.device:
    """The CPU where Triton interprets, else the GPU; the test module is skipped without either."""
    pytest.importorskip("triton", reason=f"triton is not installed; {HOW}")
    from recon.kernels.triton_door import INTERPRETED

    if not INTERPRETED and not torch.cuda.is_available():
        pytest.skip(f"neither TRITON_INTERPRET=1 nor a GPU; {HOW}", allow_module_level=True)
    return torch.device("cpu" if INTERPRETED else "cuda")


def assert_parity(got: torch.Tensor, expected: torch.Tensor, limit: float = 1e-4) -> None:
    """Largest error over largest value."""
    assert got.shape == expected.shape
    assert got.dtype == torch.float32
    if expected.numel():
        error = (got.detach().double() - expected.detach().double()).abs().max()
        assert float(error) <= limit * float(expected.detach().abs().max()) + 1e-30


def assert_same_gradients(
    got: torch.Tensor,
    expected: torch.Tensor,
    inputs: tuple[torch.Tensor, ...],
    limit: float = 1e-4,
) -> None:
    """Of a random weighted sum of the outputs, for every input."""
    random = torch.Generator().manual_seed(1)
    cotangent = torch.randn(got.shape, generator=random).to(got)
    for ours, theirs in zip(
        torch.autograd.grad(got, inputs, cotangent),
        torch.autograd.grad(expected, inputs, cotangent.to(expected)),
        strict=True,
    ):
        assert_parity(ours, theirs, limit)
