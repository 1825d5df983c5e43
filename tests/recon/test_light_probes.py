"""What comes from around."""

import pytest
import torch
from torch.testing import assert_close

from recon.lighting.light_probes import NEARBY_M, around
from recon.scene import Scene
from tests.light_maker import plain

SKY, GROUND = torch.tensor([0.3, 0.4, 0.8]), torch.tensor([0.1, 0.1, 0.1])
WALL = torch.tensor([0.7, 0.2, 0.2])
AHEAD = ([60.0, -50.0, 0.0], [61.0, 50.0, 30.0])
"""A wall across the way, ahead."""
BACK_UP = torch.tensor([[-0.96, 0.0, 0.28]])


def looked_at(scene: Scene, up_to_m: float) -> None:
    """Say that pictures showed only what is ahead of the start, and further away than here."""
    support, block = scene.model.support, scene.model.field.block
    support.hits.zero_()
    x = torch.linspace(-1.0, up_to_m, 400)
    grid = torch.cartesian_prod(x, torch.linspace(-3.0, 3.0, 9), torch.linspace(0.0, 30.0, 61))
    support.hits[support.voxels(block.unit(grid))] = 1.0


def test_what_is_behind_the_start_is_taken_to_be_as_it_is_ahead() -> None:
    scene = plain(GROUND, SKY, walls=(AHEAD,), wall=WALL)
    looked_at(scene, 70.0)
    eye = torch.tensor([[1.0, 0.0, 1.5]])
    linear, stands, range_m = around(scene, eye, BACK_UP)
    assert stands.tolist() == [True]
    assert_close(linear[0], WALL)
    assert float(range_m) == pytest.approx(59.0 / 0.96, rel=1e-3)


def test_what_was_seen_to_be_sky_stays_sky() -> None:
    scene = plain(GROUND, SKY, walls=(AHEAD,), wall=WALL)
    looked_at(scene, 70.0)
    support, block = scene.model.support, scene.model.field.block
    eye = torch.tensor([[1.0, 0.0, 1.5]])
    beyond = eye + NEARBY_M * BACK_UP
    support.seen_through[support.voxels(block.unit(beyond))] = 1.0
    _, stands, _ = around(scene, eye, BACK_UP)
    assert stands.tolist() == [False]


def test_what_is_ahead_is_never_taken_from_behind() -> None:
    behind = ([-60.0, -50.0, 0.0], [-59.0, 50.0, 30.0])
    scene = plain(GROUND, SKY, walls=(behind,), wall=WALL)
    scene.model.support.hits.zero_()
    x = torch.linspace(-70.0, 0.0, 400)  # only what is behind was ever looked into
    grid = torch.cartesian_prod(x, torch.linspace(-3.0, 3.0, 9), torch.linspace(0.0, 30.0, 61))
    scene.model.support.hits[scene.model.support.voxels(scene.model.field.block.unit(grid))] = 1.0
    eye = torch.tensor([[1.0, 0.0, 1.5]])
    _, stands, _ = around(scene, eye, -BACK_UP * torch.tensor([1.0, 1.0, -1.0]))
    assert stands.tolist() == [False]
    _, stands, _ = around(scene, eye, BACK_UP)
    assert stands.tolist() == [True]


def test_down_is_always_ground() -> None:
    scene = plain(GROUND, SKY)
    scene.model.support.hits.zero_()
    linear, stands, _ = around(scene, torch.tensor([[1.0, 0.0, 1.5]]), torch.tensor([[0.0, 0, -1]]))
    assert stands.tolist() == [True]
    assert_close(linear[0], GROUND)
