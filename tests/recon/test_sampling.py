import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from recon.config import SamplingConfig
from recon.field.occupancy import OccupancyGrid, is_occupied
from recon.field.space import Block
from recon.rendering.rays import Rays
from recon.rendering.sampling import choose_steps, step_edges

BLOCK = Block(centre_m=(0.0, 0.0, 0.0), half_size_m=20.0)
SAMPLING = SamplingConfig(far_m=500.0)
GROWTH = 1.0 / 16.0


def bundle(count: int = 7) -> Rays:
    """Rays from near the centre of the block, all over the place."""
    random = torch.Generator().manual_seed(0)
    return Rays(
        origins_m=torch.rand(count, 3, generator=random),
        directions=torch.nn.functional.normalize(torch.randn(count, 3, generator=random), dim=1),
        pixel_angle=torch.full((count,), 1e-3),
    )


def occupied(*cells: int) -> OccupancyGrid:
    """A grid of 8^3 whose cells are empty but for these."""
    grid = OccupancyGrid(8, 0.0)
    grid.density[list(cells)] = 1.0
    grid.settle()
    return grid


@given(
    st.floats(0.1, 2.0),
    st.floats(50.0, 2000.0),
    st.floats(0.05, 0.5),
    st.floats(0.02, 0.3),
    st.floats(20.0, 3000.0),
)
def test_steps_follow_their_law(
    near: float, far: float, shortest: float, growth: float, bend: float
) -> None:
    config = SamplingConfig(near_m=near, far_m=far, min_step_m=shortest, bend_m=bend)
    edges = step_edges(config, growth).double()
    length = edges.diff()
    assert edges[0].item() == pytest.approx(near)
    assert edges[-1] >= far * (1.0 - 1e-5)
    # no step is wasted beyond the end
    assert edges[-2] <= far * (1.0 + 1e-5)
    law = (growth * edges[:-1] * (edges[:-1] / bend).clamp_min(1.0)).clamp_min(shortest)
    assert_close(length, law, rtol=1e-3, atol=1e-3)


def test_training_shifts_all_steps_of_a_ray_by_less_than_a_step() -> None:
    rays, shift = bundle(200), torch.linspace(0.0, 1.0, 200)
    steps = choose_steps(rays, BLOCK, occupied(0), SAMPLING, GROWTH, shift)
    ends = step_edges(SAMPLING, GROWTH)
    assert bool(((steps.edges_m >= ends[:-1]) & (steps.edges_m <= ends[1:])).all())
    share = (steps.edges_m - ends[:-1]) / ends.diff()
    assert_close(share, shift[:, None].expand_as(share), rtol=0.0, atol=1e-3)


def test_rendering_takes_the_same_steps_each_time() -> None:
    rays = bundle()
    first, second = (
        choose_steps(rays, BLOCK, occupied(0), SAMPLING, GROWTH, None) for _ in range(2)
    )
    assert torch.equal(first.edges_m, second.edges_m)
    ends = step_edges(SAMPLING, GROWTH)
    assert_close(first.edges_m[0], 0.5 * (ends[:-1] + ends[1:]))


def test_steps_adjoin() -> None:
    steps = choose_steps(bundle(), BLOCK, occupied(0), SAMPLING, GROWTH, None)
    assert torch.equal(steps.far_m[:, :-1], steps.near_m[:, 1:])
    assert bool(((steps.near_m < steps.middle_m) & (steps.middle_m < steps.far_m)).all())


def test_nothing_is_looked_at_in_empty_cells() -> None:
    rays, grid = bundle(), occupied(*range(0, 512, 3))
    steps = choose_steps(rays, BLOCK, grid, SAMPLING, GROWTH, None)
    unit = BLOCK.unit(rays.at(steps.middle_m))
    assert torch.equal(steps.looked_at, grid.density[grid.cells(unit)] > 0.0)
    assert torch.equal(steps.unit, unit[steps.looked_at])
    assert 0 < len(steps.unit) < steps.looked_at.numel()


def test_nothing_at_all_is_looked_at_in_an_empty_world() -> None:
    assert len(choose_steps(bundle(), BLOCK, occupied(), SAMPLING, GROWTH, None).unit) == 0


def test_an_untrained_field_is_empty_nowhere() -> None:
    grid = OccupancyGrid(8, 0.018)
    assert bool(choose_steps(bundle(), BLOCK, grid, SAMPLING, GROWTH, None).looked_at.all())


def test_what_was_seen_is_remembered_and_fog_is_forgotten() -> None:
    grid = OccupancyGrid(8, 0.018)
    point = torch.full((1, 3), 0.3)
    grid.observe(point, torch.tensor([8.0]))
    assert grid.density[grid.cells(point)].item() == 8.0
    grid.observe(point, torch.tensor([2.0]))
    assert grid.density[grid.cells(point)].item() == 8.0
    for _ in range(20):
        grid.refresh(grid.cells(point), torch.zeros(1))
    grid.settle()
    assert not is_occupied(grid, point)
    grid.keep(grid.cells(point))
    grid.settle()
    assert bool(is_occupied(grid, point))


def test_random_points_lie_in_their_cells() -> None:
    grid, cells = occupied(), torch.arange(512)
    points = grid.random_points(cells, torch.Generator().manual_seed(0))
    assert torch.equal(grid.cells(points), cells)
