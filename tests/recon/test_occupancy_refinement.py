"""The finer occupancy of a finished field: it may only leave out what absorbs nothing."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from recon.config import SamplingConfig
from recon.field.model import new_model
from recon.field.occupancy import FineOccupancy, OccupancyGrid, is_occupied
from recon.field.space import Block, cell_index
from recon.training.checkpoint import load_model, save_model
from recon.training.occupancy_refinement import ABSORBED, refine_occupancy
from tests.scene_maker import make_drive, tiny_config

SIDE = 16
BLOCK = Block(centre_m=(0.0, 0.0, 0.0), half_size_m=16.0)
CAMERAS_M = torch.zeros(1, 3)
WALL_M, WALL_DENSITY, FOG_DENSITY = 6.0, 20.0, 1e-4


def density(unit: Tensor) -> Tensor:
    """A wall from x = 6 m on, and hardly anything before it."""
    wall = BLOCK.world(unit)[:, 0] > WALL_M
    return torch.where(wall, WALL_DENSITY, FOG_DENSITY)


def refined(looked_at: bool = True) -> tuple[OccupancyGrid, FineOccupancy]:
    coarse = OccupancyGrid(SIDE, 0.0)
    coarse.occupied.fill_(int(looked_at))
    return coarse, refine_occupancy(coarse, density, BLOCK, SamplingConfig(), CAMERAS_M, seed=0)


def test_empties_what_absorbs_nothing_and_keeps_the_wall() -> None:
    fine = refined()[1]
    points = torch.rand(20000, 3, generator=torch.Generator().manual_seed(1)) * 30.0 - 15.0
    x, found = points[:, 0], is_occupied(fine, BLOCK.unit(points))
    cell_m = 4.0 * BLOCK.half_size_m / (2 * SIDE)
    assert bool(found[x > WALL_M].all())
    assert not bool(found[x < WALL_M - cell_m].any())


def test_leaves_the_horizon_as_it_was() -> None:
    fine = refined()[1]
    far = torch.tensor([[400.0, 3.0, 1.0], [-400.0, 3.0, 1.0], [0.0, 0.0, 90.0]])
    assert bool(is_occupied(fine, BLOCK.unit(far)).all())


def test_never_adds_a_cell() -> None:
    assert not bool(refined(looked_at=False)[1].occupied.any())


def test_dense_enough_to_notice_means_occupied() -> None:
    # from 10 m a step is 10/48 m: twice the density that absorbs ABSORBED there must stay
    step = SamplingConfig().render_growth * 10.0
    for factor, stays in ((2.0, True), (0.5, False)):
        thin = factor * ABSORBED / step
        fine = refine_occupancy(
            OccupancyGrid(SIDE, 1.0), lambda unit, thin=thin: torch.full((len(unit),), thin),
            BLOCK, SamplingConfig(), CAMERAS_M, seed=0,
        )  # fmt: skip
        # the middle of a cell, which is where the step is measured
        at = cell_index(BLOCK.unit(torch.tensor([[10.0, 0.5, 0.5]])), 2 * SIDE)
        assert bool(fine.occupied[at]) == stays


def test_a_finished_model_keeps_it_on_disk(tmp_path: Path) -> None:
    clip, config = make_drive(tmp_path / "drive"), tiny_config()
    model = new_model(clip, config)
    coarse = model.field.occupancy
    assert isinstance(coarse, OccupancyGrid)
    coarse.occupied[::3] = 0
    model.field.occupancy = refine_occupancy(
        coarse, lambda unit: torch.ones(len(unit)), model.field.block, config.sampling,
        CAMERAS_M, seed=0,
    )  # fmt: skip
    save_model(tmp_path / "a.safetensors", model)
    other = new_model(clip, replace(config, seed=3))
    load_model(path := tmp_path / "a.safetensors", path.read_bytes(), other)
    assert torch.equal(other.field.occupancy.occupied, model.field.occupancy.occupied)
