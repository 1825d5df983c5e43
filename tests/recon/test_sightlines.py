"""What comes from around, and how much of the sun gets through."""

from dataclasses import replace

import pytest
import torch
from jaxtyping import Float
from torch import Tensor
from torch.testing import assert_close

from recon.scene import Scene
from recon.sightlines import NEARBY_M, around, soft_sun_share, sun_share
from tests.light_maker import TO_SUN, plain

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


def edge() -> tuple[Scene, Float[Tensor, "n 3"], Float[Tensor, "n 3"], Float[Tensor, "3"]]:
    """Points on the ground across the edge of a wall's shadow."""
    scene = plain(GROUND, SKY, TO_SUN, walls=(([-50.0, 6.0, 0.0], [50.0, 6.5, 8.0]),))
    y = torch.linspace(-6.0, 5.0, 111)
    points = torch.stack([torch.zeros(111), y, torch.zeros(111)], dim=1)
    up = torch.tensor([0.0, 0.0, 1.0]).expand(111, 3)
    return scene, points, up, torch.from_numpy(TO_SUN).float()


def test_a_soft_edge_lies_where_the_sharp_one_does() -> None:
    scene, points, up, to_sun = edge()
    sharp, soft = (share(scene, points, up, to_sun) for share in (sun_share, soft_sun_share))
    assert set(sharp.tolist()) == {0.0, 1.0}
    assert bool(((soft > 0.0) & (soft < 1.0)).any())
    assert float(soft.sum()) == pytest.approx(float(sharp.sum()), rel=0.05)
    away = (points[:, 1] - points[sharp == 1.0][:, 1].max()).abs() > 1.2
    assert_close(soft[away], sharp[away])


def test_far_from_edges_and_for_nobody_it_is_the_same() -> None:
    scene, points, up, to_sun = edge()
    assert_close(soft_sun_share(scene, points[:5], up[:5], to_sun), torch.ones(5))
    assert soft_sun_share(scene, points[:0], up[:0], to_sun).tolist() == []
    open_sky = replace(scene, walls=())  # pyright: ignore[reportCallIssue]
    assert_close(soft_sun_share(open_sky, points, up, to_sun), torch.ones(111))


@pytest.mark.parametrize("height", [0.001, 0.02, 0.3])
def test_a_low_sun_is_not_looked_for_in_the_ground(height: float) -> None:
    to_sun = torch.tensor([(1.0 - height**2) ** 0.5, 0.0, height])
    scene = plain(GROUND, SKY, to_sun.double().numpy())
    points, normals = torch.tensor([[0.0, 0.0, 0.6]]), torch.tensor([[1.0, 0.0, 0.0]])
    assert soft_sun_share(scene, points, normals, to_sun).tolist() == [1.0]
