import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from recon.config import SamplingConfig
from recon.field.field import GridField, RadianceField
from recon.field.occupancy import OccupancyGrid
from recon.field.space import Block
from recon.rendering.march import march
from recon.rendering.rays import Rays
from recon.training.observation_grid import ObservationGrid
from tests.scene_maker import tiny_field_config

BLOCK = Block(centre_m=(0.0, 0.0, 0.0), half_size_m=16.0)
SAMPLING = SamplingConfig(min_step_m=0.25, far_m=200.0)
WALL_M = 10.0


def gathered(*directions: list[float]) -> ObservationGrid:
    """What rays from the origin leave behind, where a wall stands from x = `WALL_M` on."""
    field = RadianceField(BLOCK, tiny_field_config(), seed=0)
    # the sampler knows that only the wall is dense
    grid = field.occupancy
    assert isinstance(grid, OccupancyGrid)
    places = grid.random_points(torch.arange(16**3), torch.Generator().manual_seed(0))
    grid.density[:] = (BLOCK.world(places)[:, 0] > WALL_M - 4.0).float()
    grid.settle()
    along = torch.nn.functional.normalize(torch.tensor(directions), dim=1)
    angle = torch.full((len(along),), 0.01)
    rays = Rays(origins_m=torch.zeros_like(along), directions=along, pixel_angle=angle)
    _, samples = march(field, rays, sampling=SAMPLING, growth=0.05)
    support = ObservationGrid(32)
    support.gather(rays, samples, field.block)
    return support


@pytest.fixture(autouse=True)
def wall(monkeypatch: pytest.MonkeyPatch) -> None:
    def density(part: GridField, unit: Tensor, footprint: Tensor | None) -> tuple[Tensor, Tensor]:
        del part, footprint
        return 30.0 * (BLOCK.world(unit)[:, 0] > WALL_M).float(), torch.zeros(len(unit), 4)

    monkeypatch.setattr(GridField, "density", density)


def points(*places_m: tuple[float, float, float]) -> Tensor:
    return torch.tensor(places_m)


def test_observed_is_what_was_hit_or_seen_through() -> None:
    support = gathered([1.0, 0.0, 0.0])
    where = points(
        (WALL_M + 0.1, 0.1, 0.1),  # the wall
        (5.0, 0.1, 0.1),  # the air before it, which the sampler skips
        (14.0, 0.1, 0.1),  # inside the wall
        (5.0, 6.0, 0.1),  # beside the ray
        (-5.0, 0.1, 0.1),  # behind the camera
    )
    assert support.observed(BLOCK, where).tolist() == [True, True, False, False, False]


def test_a_ray_to_the_sky_sees_through_the_world_to_the_horizon() -> None:
    support = gathered([-1.0, 0.02, 0.02])
    assert not support.hits.any()
    assert bool(support.observed(BLOCK, -points((4.0, 0.0, 0.0), (100.0, -2.0, -2.0))).all())


def test_statistics_add_up() -> None:
    left, right = [1.0, 0.3, 0.1], [1.0, -0.3, 0.1]
    both = gathered(left, right)
    parts = [gathered(left), gathered(right)]
    for name in ("hits", "seen_through"):
        assert_close(getattr(both, name), sum(getattr(part, name) for part in parts))
