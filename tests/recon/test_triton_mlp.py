from types import ModuleType

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recon.kernels.backend import Precision
from recon.kernels.mlp import mlp_reference, mlp_shapes
from recon.kernels.primitives import triton_primitives
from tests.triton_maker import assert_parity, assert_same_gradients, triton_device

DEVICE = triton_device()
mlp = triton_primitives().mlp


def kernels() -> ModuleType:
    import recon.kernels.triton_mlp as module

    return module


def example(
    shapes: tuple[tuple[int, int], ...], rows: int, seed: int = 0
) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
    """Inputs and weights that keep their size from layer to layer, with gradients."""
    generator = torch.Generator().manual_seed(seed)
    weights = tuple(torch.randn(s, generator=generator) / s[1] ** 0.5 for s in shapes)
    x = torch.randn(rows, shapes[0][1], generator=generator)
    return x.to(DEVICE).requires_grad_(), tuple(w.to(DEVICE).requires_grad_() for w in weights)


@given(
    st.integers(0, 2**31),
    st.integers(0, 40),
    st.integers(1, 40),
    st.sampled_from((16, 32, 48, 64, 128)),
    st.integers(1, 3),
    st.integers(1, 20),
)
def test_values_and_gradients_agree_with_the_definition(
    seed: int, rows: int, inputs: int, width: int, hidden_layers: int, outputs: int
) -> None:
    x, weights = example(mlp_shapes(inputs, width, hidden_layers, outputs), rows, seed)
    got, expected = mlp(x, weights), mlp_reference(x, weights)
    assert_parity(got, expected)
    assert_same_gradients(got, expected, (x, *weights))


def test_a_single_layer_is_a_matrix() -> None:
    x, weights = example(((3, 5),), rows=7)
    got = mlp(x, weights)
    assert_parity(got, x @ weights[0].T)
    assert_same_gradients(got, x @ weights[0].T, (x, *weights))


def test_rows_are_worked_off_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels(), "_tile", lambda _: {"block": 16, "num_warps": 4})
    monkeypatch.setattr(kernels(), "SLICES", 3)  # fewer copies than blocks: they take turns
    x, weights = example(mlp_shapes(32, 32, 2, 3), rows=83)
    got, expected = mlp(x, weights), mlp_reference(x, weights)
    assert_parity(got, expected)
    assert_same_gradients(got, expected, (x, *weights))


@pytest.mark.parametrize("precision", [Precision.EXACT, Precision.IEEE])
def test_exact_precisions_are_exact(precision: Precision) -> None:
    x, weights = example(mlp_shapes(32, 32, 1, 16), rows=64)
    got, expected = triton_primitives(precision).mlp(x, weights), mlp_reference(x, weights)
    assert_parity(got, expected)
    assert_same_gradients(got, expected, (x, *weights))


@pytest.mark.parametrize("precision", [Precision.TF32, Precision.HALF])
def test_fast_precisions_are_near(precision: Precision) -> None:
    x, weights = example(mlp_shapes(32, 32, 1, 16), rows=256)
    got, expected = triton_primitives(precision).mlp(x, weights), mlp_reference(x, weights)
    assert_parity(got, expected, 3e-3)
    ours = torch.autograd.grad(got.square().sum(), (x, *weights))
    theirs = torch.autograd.grad(expected.square().sum(), (x, *weights))
    for mine, true in zip(ours, theirs, strict=True):
        # as a whole: where rounding turns a neuron off, the gradient of its row jumps
        assert float((mine - true).norm() / true.norm()) < 3e-2


def test_only_what_is_asked_for_is_differentiated() -> None:
    x, weights = example(mlp_shapes(16, 16, 1, 3), rows=5)
    (of_x,) = torch.autograd.grad(mlp(x, tuple(w.detach() for w in weights)).sum(), x)
    (true,) = torch.autograd.grad(mlp_reference(x, weights).sum(), x)
    assert_parity(of_x, true)
    fixed = x.detach()
    ours = torch.autograd.grad(mlp(fixed, weights).sum(), weights)
    theirs = torch.autograd.grad(mlp_reference(fixed, weights).sum(), weights)
    for mine, other in zip(ours, theirs, strict=True):
        assert_parity(mine, other)


def test_what_does_not_fit_is_refused() -> None:
    x, weights = example(mlp_shapes(16, 16, 2, 3), rows=5)
    with pytest.raises(ValueError, match="they must be"):
        mlp(x[:, 1:], weights)
    with pytest.raises(ValueError, match="x must be float32"):
        mlp(x.double(), weights)
