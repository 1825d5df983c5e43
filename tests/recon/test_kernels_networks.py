import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from recon.kernels.footprint import level_weights, level_weights_reference
from recon.kernels.hash_grid import HashGridSpec
from recon.kernels.mlp import mlp, mlp_reference, mlp_shapes
from recon.kernels.spherical_harmonics import (
    spherical_harmonics,
    spherical_harmonics_reference,
)

GRID = HashGridSpec(levels=4, base_resolution=16, per_level_scale=2.0)
seeds = st.integers(0, 2**31)


def directions(seed: int, count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    vectors = torch.randn(count, 3, generator=generator, dtype=torch.float64)
    return torch.nn.functional.normalize(vectors, dim=1)


@given(st.lists(st.floats(0.0, 10.0), max_size=8))
def test_footprint_agrees_with_the_definition(footprint: list[float]) -> None:
    spread = torch.tensor(footprint, dtype=torch.float64)
    assert_close(level_weights(spread, GRID), level_weights_reference(spread, GRID))


def test_a_point_sees_every_level_whole() -> None:
    assert torch.equal(level_weights(torch.zeros(1), GRID), torch.ones(1, 4))


def test_a_footprint_of_one_cell_keeps_a_third_of_the_level() -> None:
    # within half a standard deviation to either side: erf(0.5 / sqrt(2)) = 0.3829
    weights = level_weights(torch.tensor([1.0 / GRID.scales[1]]), GRID)
    assert weights[0, 1].item() == pytest.approx(0.38292492)
    assert weights[0].diff().max() < 0  # finer levels keep less


def test_gradient_of_footprint_is_the_derivative() -> None:
    footprint = torch.tensor([1e-3, 0.02, 0.3], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda s: level_weights(s, GRID), footprint)
    at_zero = torch.zeros(1, requires_grad=True)
    level_weights(at_zero, GRID).sum().backward()
    assert at_zero.grad is not None
    assert torch.equal(at_zero.grad, torch.zeros(1))


@given(seeds)
def test_harmonics_agree_with_the_definition(seed: int) -> None:
    towards = directions(seed, 16)
    assert_close(spherical_harmonics(towards), spherical_harmonics_reference(towards))


def test_harmonics_along_the_axes() -> None:
    along = spherical_harmonics(torch.eye(3, dtype=torch.float64))
    band_1 = math.sqrt(3 / (4 * math.pi))
    assert_close(along[:, 0], torch.full((3,), 1 / math.sqrt(4 * math.pi), dtype=torch.float64))
    # order y, z, x; signs -, +, - as tiny-cuda-nn has them
    expected = band_1 * torch.tensor([[0, 0, -1], [-1, 0, 0], [0, 1, 0]], dtype=torch.float64)
    assert_close(along[:, 1:4], expected)
    assert along[2, 6].item() == pytest.approx(math.sqrt(5 / (4 * math.pi)))
    assert along[2, 12].item() == pytest.approx(math.sqrt(7 / (4 * math.pi)))


def test_harmonics_are_orthonormal() -> None:
    towards = directions(0, 200_000)
    values = spherical_harmonics(towards)
    products = 4 * math.pi * values.T @ values / len(towards)
    assert_close(products, torch.eye(16, dtype=torch.float64), atol=0.03, rtol=0)


def test_gradient_of_harmonics_is_the_derivative() -> None:
    assert torch.autograd.gradcheck(spherical_harmonics, directions(1, 4).requires_grad_())


@given(
    seeds, st.integers(1, 8), st.sampled_from((16, 32, 128)), st.integers(1, 3), st.integers(1, 5)
)
def test_network_agrees_with_the_definition(
    seed: int, inputs: int, width: int, hidden_layers: int, outputs: int
) -> None:
    shapes = mlp_shapes(inputs, width, hidden_layers, outputs)
    generator = torch.Generator().manual_seed(seed)
    weights = tuple(torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes)
    x = torch.randn(3, inputs, generator=generator, dtype=torch.float64)
    assert_close(mlp(x, weights), mlp_reference(x, weights))


def test_network_by_hand() -> None:
    weights = (torch.tensor([[1.0, 0.0], [-1.0, 1.0]]), torch.tensor([[2.0, 3.0]]))
    # (1, 5): neurons 1 and 4, 2 * 1 + 3 * 4; (5, 1): neurons 5 and -4, which is cut to 0
    assert_close(
        mlp(torch.tensor([[1.0, 5.0], [5.0, 1.0]]), weights), torch.tensor([[14.0], [10.0]])
    )


def test_gradient_of_network_is_the_derivative() -> None:
    generator = torch.Generator().manual_seed(0)
    shapes = [(4, 5), *mlp_shapes(5, 16, 2, 3)]
    inputs = [
        torch.randn(s, generator=generator, dtype=torch.float64, requires_grad=True) for s in shapes
    ]
    assert torch.autograd.gradcheck(lambda x, *weights: mlp(x, weights), inputs)


def test_shapes_run_from_inputs_to_outputs() -> None:
    assert mlp_shapes(32, 64, 2, 3) == ((64, 32), (64, 64), (3, 64))


@pytest.mark.parametrize("wrong", [(32, 8, 1, 1), (32, 129, 1, 1), (32, 64, 0, 1), (0, 64, 1, 1)])
def test_networks_that_no_kernel_takes_are_refused(wrong: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"width|hidden_layers"):
        mlp_shapes(*wrong)
