"""Light on the faces of a box: what comes from an environment of which the answer is known."""

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor
from torch.testing import assert_close

from recon.lighting.daylight import Daylight
from recon.lighting.irradiance import (
    PER_FACE,
    ambient_cube,
    cube_on,
    face_rays,
    irradiance_of_faces,
    shade,
)
from recon.lighting.light_estimation import ROAD_ALBEDO
from tests.light_maker import TO_SUN, Plain, box, dim, lit_by, plain

GREY = torch.tensor([0.30, 0.25, 0.20])
CUBE = torch.arange(18.0).view(6, 3)
SUN = torch.tensor([6.0, 5.0, 4.0])
CLOUDY = dim(sky=GREY)
CLEAR = dim(sky=GREY, to_sun=torch.from_numpy(TO_SUN).float(), sun=SUN)
SUNNY = ROAD_ALBEDO * (GREY + 0.8 * SUN / torch.pi)
"""Radiance of road in `CLEAR`."""
SHARE = GREY / (GREY + 0.8 * SUN / torch.pi)
"""Of the sky in its light."""
FRONT, BACK, LEFT, RIGHT, TOP, UNDER = range(6)


def test_along_an_axis_a_surface_has_the_light_of_its_face() -> None:
    axes = torch.stack([torch.eye(3), -torch.eye(3)], dim=1).flatten(0, 1)
    assert_close(cube_on(CUBE, axes), CUBE)


def test_in_between_faces_share_by_the_squares_of_the_normal() -> None:
    half = 0.5**0.5
    normals = torch.tensor([[half, half, 0.0], [-half, 0.0, half], [0.0, -0.6, -0.8]])
    wanted = torch.stack(
        [
            0.5 * (CUBE[FRONT] + CUBE[LEFT]),
            0.5 * (CUBE[BACK] + CUBE[TOP]),
            0.36 * CUBE[RIGHT] + 0.64 * CUBE[UNDER],
        ]
    )
    assert_close(cube_on(CUBE, normals), wanted)


def test_even_light_is_the_same_for_every_normal() -> None:
    normals = torch.randn(100, 3, generator=torch.Generator().manual_seed(0))
    normals = torch.nn.functional.normalize(normals, dim=1)
    assert_close(cube_on(GREY.expand(6, 3), normals), GREY.expand(100, 3))


def test_rays_look_out_of_every_face() -> None:
    pose, size_m = box(5.0, 2.0, yaw=0.5 * np.pi)
    starts, along = (x.view(6, PER_FACE, 3) for x in face_rays(pose, size_m))
    outward = torch.tensor(
        [[0, 1, 0], [0, -1, 0], [-1, 0, 0], [1, 0, 0], [0, 0, 1], [0, 0, -1]]
    ).float()  # a box that faces along y
    half_m = torch.tensor([2.0, 2.0, 1.0, 1.0, 0.75, 0.75])
    wanted = pose[:3, 3] + half_m[:, None] * outward
    assert_close(starts, wanted[:, None].expand_as(starts), atol=1e-5, rtol=0.0)
    assert bool((torch.einsum("fnk,fk->fn", along, outward) > 0.0).all())
    assert_close(
        torch.einsum("fnk,fk->f", along, outward) / PER_FACE, torch.full((6,), 2 / 3), rtol=5e-3,
        atol=0.0,
    )  # fmt: skip


def test_even_radiance_gives_pi_times_itself() -> None:
    assert_close(irradiance_of_faces(GREY.expand(6 * PER_FACE, 3)), torch.pi * GREY.expand(6, 3))


def test_a_box_that_stands_alone_has_all_light_but_what_it_hides(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lit_by(monkeypatch, dim(sky=GREY))
    high, size_m = box(10.0, 0.0)
    high[2, 3] = 5.0  # its foot is not near the ground
    scene = plain(GREY, GREY)
    assert_close(ambient_cube(scene, high, size_m), torch.pi * GREY.expand(6, 3))
    cube = ambient_cube(scene, *box(10.0, 0.0)) / (torch.pi * GREY)
    assert_close(cube[TOP], torch.ones(3))
    assert bool((cube[FRONT:TOP] < 0.98).all())  # the ground beside it is darker
    assert bool((cube[FRONT:TOP] > 0.5).all())  # half of what a wall faces is the sky
    assert bool((cube[UNDER] < 0.1).all())


def test_the_sky_comes_from_above_and_the_ground_from_below(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    red, blue = torch.tensor([0.4, 0.0, 0.0]), torch.tensor([0.0, 0.0, 0.6])
    lit_by(monkeypatch, dim(sky=blue))
    high, size_m = box(10.0, 0.0)
    high[2, 3] = 5.0
    cube = ambient_cube(plain(red, blue), high, size_m) / torch.pi
    assert_close(cube[TOP], blue)
    assert_close(cube[UNDER], red)
    sides = (0.5 * (red + blue)).expand(4, 3)
    assert_close(cube[FRONT:TOP], sides, rtol=0.06, atol=1e-6)


def test_where_no_picture_looked_the_sky_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lid of the field overhead counts only where it was seen."""
    lit_by(monkeypatch, dim(sky=GREY))
    lid = ([-100.0, -100.0, 8.0], [100.0, 100.0, 9.0])
    scene = plain(GREY, GREY, walls=(lid,), wall=torch.full((3,), 7.0))
    seen = ambient_cube(scene, *box(10.0, 0.0))[TOP]
    assert bool((seen > 5.0 * torch.pi * GREY).all())
    scene.model.support.hits.zero_()
    assert_close(ambient_cube(scene, *box(10.0, 0.0))[TOP], torch.pi * GREY)


def test_who_turns_shows_other_faces_to_the_light(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bright wall on the left of who looks along x is on the right of who looks along -x."""
    lit_by(monkeypatch, dim(sky=GREY))
    wall = ([-200.0, 3.0, 0.0], [220.0, 4.0, 30.0])
    scene = plain(GREY, GREY, walls=(wall,), wall=torch.full((3,), 5.0))
    side = (2.0, 2.0, 1.5)
    cubes = [ambient_cube(scene, *box(10.0, 0.0, side, turn * np.pi)) for turn in (0.0, 0.5, 1.0)]
    bright = [(cube[:4, 0] > 2.0 * cube[:4, 0].min()).nonzero()[:, 0].tolist() for cube in cubes]
    # both neighbours of the face see some of the wall, the face across none
    assert [int(cube[:4, 0].argmax()) for cube in cubes] == [LEFT, FRONT, RIGHT]
    assert [int(cube[:4, 0].argmin()) for cube in cubes] == [RIGHT, BACK, LEFT]
    assert all(len(each) == 3 for each in bright)
    order = [RIGHT, LEFT, FRONT, BACK, TOP, UNDER]  # the same sides of the world
    assert_close(cubes[1][order], cubes[0], rtol=0.1, atol=0.0)


def darkened(
    scene: Plain, place: tuple[float, float], light: Daylight, patch: pytest.MonkeyPatch
) -> Float[Tensor, "3"]:
    """What is left of the light of the plain at a place, with a box at (10, 0)."""
    lit_by(patch, light)
    origins, down = torch.tensor([[*place, 10.0]]), torch.tensor([[0.0, 0.0, -1.0]])
    linear = scene.render_rays(origins, down, torch.full((1,), 0.1)).linear
    shown = shade(scene, (origins, down), origins[:, 2], linear, [box(10.0, 0.0)])
    return (shown / linear)[0]


IN_SHADOW, IN_THE_SUN, FAR = (10.0, -1.6), (10.0, 1.2), (10.0, 60.0)
"""Places around a box at (10, 0)."""


def test_in_the_shadow_of_the_sun_its_share_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = plain(SUNNY, GREY)
    cloudy = darkened(scene, IN_SHADOW, CLOUDY, monkeypatch)
    assert bool((cloudy < 0.9).all())
    assert_close(darkened(scene, IN_SHADOW, CLEAR, monkeypatch), cloudy * SHARE)
    assert torch.equal(darkened(scene, FAR, CLEAR, monkeypatch), torch.ones(3))


def test_ground_in_the_sun_beside_a_box_loses_a_share_of_the_sky_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = plain(SUNNY, GREY)
    cloudy = darkened(scene, IN_THE_SUN, CLOUDY, monkeypatch)
    found = darkened(scene, IN_THE_SUN, CLEAR, monkeypatch)
    assert_close(found, 1.0 - SHARE * (1.0 - cloudy))


def test_ground_that_has_no_sun_loses_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something that stands hides it, or it is as dark as if something did."""
    wall = ([-50.0, 4.0, 0.0], [60.0, 5.0, 40.0])
    for scene in (plain(SUNNY, GREY, walls=(wall,)), plain(0.3 * SUNNY, GREY)):
        cloudy = darkened(scene, IN_SHADOW, CLOUDY, monkeypatch)
        assert_close(darkened(scene, IN_SHADOW, CLEAR, monkeypatch), cloudy)


def test_ground_is_darker_beside_a_box_on_the_side_of_its_shadow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lit_by(monkeypatch, CLEAR)
    cube = ambient_cube(plain(SUNNY, GREY), *box(10.0, 0.0, (4.0, 2.0, 4.0)))
    assert bool((cube[RIGHT] < 0.9 * cube[LEFT]).all())
