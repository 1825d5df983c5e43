import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recon.kernels.compositing import render_weights_reference
from recon.kernels.primitives import triton_primitives
from tests.triton_maker import assert_parity, assert_same_gradients, triton_device

DEVICE = triton_device()
render_weights = triton_primitives().render_weights


def example(
    shape: tuple[int, ...], seed: int = 0, density: float = 3.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Densities, a third of them 0, and lengths."""
    generator = torch.Generator().manual_seed(seed)
    sigma = density * (1.5 * torch.rand(shape, generator=generator) - 0.5).clamp_min(0.0)
    delta = torch.rand(shape, generator=generator)
    return sigma.to(DEVICE).requires_grad_(), delta.to(DEVICE).requires_grad_()


@given(
    st.lists(st.integers(0, 5), min_size=0, max_size=2),
    st.integers(1, 70),
    st.integers(0, 2**31),
    st.sampled_from((1e-4, 0.1, 3.0, 50.0)),
)
def test_values_and_gradients_agree_with_the_definition(
    rays: list[int], samples: int, seed: int, density: float
) -> None:
    inputs = example((*rays, samples), seed, density)
    got = render_weights(*inputs)
    # in float64: the reference multiplies up what is left, and loses digits in float32 itself
    double = tuple(x.detach().double().requires_grad_() for x in inputs)
    expected = render_weights_reference(*double)
    assert_parity(got, expected)
    cotangent = torch.randn(got.shape, generator=torch.Generator().manual_seed(1)).to(DEVICE)
    for ours, theirs in zip(
        torch.autograd.grad(got, inputs, cotangent),
        torch.autograd.grad(expected, double, cotangent.double()),
        strict=True,
    ):
        assert_parity(ours, theirs)


def test_rays_are_worked_off_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recon.kernels.triton_compositing.TILE", 64)
    inputs = example((23, 20))
    got, expected = render_weights(*inputs), render_weights_reference(*inputs)
    assert_parity(got, expected)
    assert_same_gradients(got, expected, inputs)


def test_what_lies_behind_something_dense_keeps_its_digits() -> None:
    sigma = torch.tensor([[1.0, 80000.0, 1.0]], device=DEVICE)
    delta = torch.tensor([[0.5, 1e-5, 0.5]], device=DEVICE)
    assert_parity(
        render_weights(sigma, delta),
        render_weights_reference(sigma.double(), delta.double()),
        1e-6,
    )


def test_double_precision_is_refused() -> None:
    sigma, delta = example((2, 5))
    with pytest.raises(ValueError, match="delta must be float32"):
        render_weights(sigma, delta.double())
