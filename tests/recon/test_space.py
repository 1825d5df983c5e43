import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from recon.field.space import Block
from tests.strategies import arrays

BLOCK = Block(centre_m=(10.0, -5.0, 2.0), half_size_m=40.0)
CENTRE = torch.tensor(BLOCK.centre_m, dtype=torch.float64)


def anywhere(count: int) -> st.SearchStrategy[torch.Tensor]:
    """Points up to 30 blocks away."""
    return arrays((count, 3), -1200.0, 1200.0).map(lambda points: torch.from_numpy(points))


def within(count: int) -> st.SearchStrategy[torch.Tensor]:
    """Points of the core."""
    return arrays((count, 3), -40.0, 40.0).map(lambda local: torch.from_numpy(local) + CENTRE)


@given(within(4))
def test_the_core_is_metric(points: torch.Tensor) -> None:
    assert_close(BLOCK.unit(points), 0.5 + (points - CENTRE) / 160.0)


def test_the_core_fills_the_middle_half() -> None:
    corners = torch.stack([CENTRE - 40.0, CENTRE + 40.0])
    assert_close(BLOCK.unit(corners), torch.tensor([[0.25] * 3, [0.75] * 3], dtype=torch.float64))


@given(anywhere(4))
def test_the_world_fits_the_unit_cube(points: torch.Tensor) -> None:
    unit = BLOCK.unit(points)
    assert bool(((unit > 0.0) & (unit < 1.0)).all())


def test_the_horizon_is_inside_in_float32() -> None:
    far = torch.tensor([[1e9, -3.0, 1e9], [0.0, -1e30, 0.0]])
    unit = BLOCK.unit(far)
    assert bool(((unit >= 0.0) & (unit <= 1.0)).all())


@given(anywhere(4))
def test_world_undoes_unit(points: torch.Tensor) -> None:
    assert_close(BLOCK.world(BLOCK.unit(points)), points, rtol=1e-8, atol=1e-8)


@given(anywhere(1), arrays((1, 3), -1.0, 1.0))
def test_it_is_continuous(point: torch.Tensor, step: np.ndarray) -> None:
    moved = BLOCK.unit(point + 1e-6 * torch.from_numpy(step)) - BLOCK.unit(point)
    # nowhere does a metre grow to more than it is in the core, across or along
    assert moved.abs().max() <= 2.0 * 1e-6 / 160.0 + 1e-13


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_it_is_continuous_at_the_faces_of_the_core(axis: int) -> None:
    face = CENTRE + 20.0
    face[axis] = CENTRE[axis] + 40.0
    step = torch.zeros(3, dtype=torch.float64)
    step[axis] = 1e-7
    assert_close(BLOCK.unit(face - step), BLOCK.unit(face + step), rtol=0.0, atol=1e-8)


@given(anywhere(1))
def test_unit_per_metre_is_the_cube_root_of_the_jacobian(point: torch.Tensor) -> None:
    reach = (point[0] - CENTRE).abs() / 40.0
    # on an edge the largest axis changes, on a face the core ends: no derivative there
    first, second = reach.sort(descending=True).values[:2]
    if first - second < 1e-3 or abs(first - 1.0) < 1e-3:
        return
    shrink = torch.autograd.functional.jacobian(lambda p: BLOCK.unit(p[None])[0], point[0])
    assert isinstance(shrink, torch.Tensor)
    numerical = torch.stack(
        [
            (BLOCK.unit(point + step) - BLOCK.unit(point - step))[0] / 2e-4
            for step in 1e-4 * torch.eye(3, dtype=torch.float64)
        ],
        dim=1,
    )
    assert_close(shrink, numerical, rtol=1e-4, atol=1e-9)
    expected = torch.linalg.det(numerical).abs() ** (1.0 / 3.0)
    assert_close(BLOCK.unit_per_metre(BLOCK.unit(point))[0], expected, rtol=1e-3, atol=1e-12)


def test_a_block_has_a_size() -> None:
    with pytest.raises(ValueError, match="half_size_m"):
        Block(centre_m=(0.0, 0.0, 0.0), half_size_m=0.0)
