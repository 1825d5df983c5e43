"""Where the packaged truck is solid, and where there is open space beside it."""

import numpy as np
import pytest
import torch
from jaxtyping import Float64

from recon.actors.actor_fields import unit_from_box
from recon.assets import multiview_capture as shots
from recon.assets.thickness import in_view, open_places, thickness_m
from scenes.worlds.light.light import Light
from scenes.worlds.trace.tracer import Tracer

pytest.importorskip("mitsuba", reason="the extra `worlds` is not installed")

MOST_M = 0.5
REAR_M = 0.02
"""Lamps are so far behind the bumper, which is 12 cm deep, from 0.42 to 0.54 m over the road."""


@pytest.fixture(scope="module")
def studio() -> tuple[Tracer, Float64[np.ndarray, "3"], Float64[np.ndarray, "eyes 3"]]:
    """The truck, the middle of its rear end on the road, and eyes around."""
    world, actor, _ = shots.stage("truck")
    there = actor.trajectory.world_from_body[0]
    rear = there[:3, 3] - [0.5 * actor.size_m[0] - REAR_M, 0.0, 0.5 * actor.size_m[2]]
    return Tracer(world), rear, shots.eyes_around(actor)


def behind(
    studio: tuple,
    left_m: float,
    up_m: float,
    down_deg: float = 0.0,
    most_m: float = MOST_M,
    ahead_m: float = 0.0,
    narrow_m: float = 0.03,
) -> float:
    """Thickness on a ray, level or down, that meets the truck about there."""
    tracer, rear, eyes_m = studio
    tilt = np.radians(down_deg)
    direction = np.array([[np.cos(tilt), 0.0, -np.sin(tilt)]])
    origin = rear + [ahead_m, left_m, up_m] - 5.0 * direction
    rays = origin, direction, np.zeros(1, dtype=np.int64)
    met = tracer.cast(*rays).range_m
    assert met[0] == pytest.approx(5.0, abs=0.15)
    return float(thickness_m(tracer, 1, rays, met, eyes_m, most_m, narrow_m)[0])


def test_a_bumper_is_as_thick_as_it_was_made(studio: tuple) -> None:
    assert behind(studio, 0.6, 0.48) == pytest.approx(0.12, abs=1e-3)


def test_a_ray_leaves_through_the_underside(studio: tuple) -> None:
    # 2 cm above it, 60 degrees down
    assert behind(studio, 0.6, 0.44, 60.0) == pytest.approx(0.02 / np.sin(np.pi / 3), abs=1e-3)


def test_what_is_inside_something_else_does_not_end_it(studio: tuple) -> None:
    # the block that is the stripe on its sides begins 24 cm behind the doors
    assert behind(studio, 0.5, 2.0) == MOST_M


@pytest.mark.parametrize(("up_m", "down_deg"), [(0.1, 10.0), (0.08, 10.0)])
def test_a_wheel_ends_where_it_touches_the_road(
    studio: tuple, up_m: float, down_deg: float
) -> None:
    """Wheels of 0.5 m, 1.5 m before the rear end; nobody sees what is between them and the road."""
    before_m = np.sqrt(0.5**2 - (0.5 - up_m) ** 2)
    tilt = np.radians(down_deg)
    chord_m = 2.0 * (before_m * np.cos(tilt) - (0.5 - up_m) * np.sin(tilt))
    thick_m = behind(studio, 1.1, up_m, down_deg, ahead_m=1.5 - before_m)
    assert thick_m == pytest.approx(chord_m, abs=0.03)  # they have 24 corners


def test_a_narrow_gap_is_none(studio: tuple) -> None:
    # the rod before the doors is 5 mm before them
    assert behind(studio, 0.0, 2.0) == MOST_M
    assert behind(studio, 0.0, 2.0, narrow_m=0.004) == pytest.approx(0.025, abs=1e-3)


def test_nobody_asks_about_more(studio: tuple) -> None:
    assert behind(studio, 0.6, 0.48, most_m=0.1) == 0.1


def test_of_no_rays_there_is_nothing(studio: tuple) -> None:
    tracer, _, eyes_m = studio
    none = np.zeros((0, 3))
    rays = none, none, np.zeros(0, dtype=np.int64)
    assert thickness_m(tracer, 1, rays, np.zeros(0), eyes_m, MOST_M, 0.03).shape == (0,)


def test_a_place_that_one_sees_is_in_the_open(studio: tuple) -> None:
    tracer, rear, eyes_m = studio
    # in the bumper, 2 cm under it, behind it, above it; in the body, 3 cm under it, in the road
    places = [[0.06, 0.48], [0.06, 0.4], [-0.03, 0.48], [0.06, 0.56], [1.0, 2.0], [0.2, 1.02]]
    points = np.array([rear + [ahead, 0.6, up] for ahead, up in [*places, [0.06, -0.02]]])
    found = in_view(tracer, points, np.zeros(len(points), dtype=np.int64), eyes_m)
    assert found.tolist() == [False, True, True, True, False, True, False]


def test_pictures_say_where_it_ends(studio: tuple) -> None:
    """Places beside surfaces are near to them, and in none of the blocks that it is made of."""
    tracer, _, eyes_m = studio
    actor = shots.stage("truck")[1]
    cube = torch.ones(6, 3)
    here = shots.Studio(
        light=Light(tracer), actor=actor, cube=cube, eyes_m=eyes_m, random=np.random.default_rng(0)
    )
    camera, box_from_camera = shots.cameras(actor.size_m, shots.RINGS)[8]  # behind it
    seen = shots._picture(here, camera.scaled(64, 64), box_from_camera)
    diagonal_m = float(np.linalg.norm(actor.size_m))
    known, shown = torch.isfinite(seen.beside).all(dim=1), torch.isfinite(seen.range_m)
    assert not bool((known & ~shown).any())
    assert 0.3 < float(known.sum() / shown.sum()) < 0.9  # half of them are inside
    scale = unit_from_box(torch.from_numpy(actor.size_m).float())
    surface = seen.origins + seen.along * seen.range_m[:, None]
    off_m = ((seen.beside - surface) / scale[:, :3].diagonal())[known].norm(dim=1)
    assert float(off_m.max()) < 6.0 * shots.BESIDE * diagonal_m
    assert float(off_m.mean()) > shots.BESIDE * diagonal_m
    box = (seen.beside[known] - 0.5) / scale[:, :3].diagonal()
    from_rear = box + 0.5 * torch.from_numpy(actor.size_m).float() * torch.tensor([1.0, 0.0, 1.0])
    ahead, left, up = (from_rear - torch.tensor([REAR_M, 0.0, 0.0])).unbind(1)
    inside = (ahead > 0.06) & (ahead < 7.0) & (left.abs() < 1.24) & (up > 1.05) & (up < 3.4)
    bumper = (ahead > 0.0) & (ahead < 0.12) & (left.abs() < 1.24) & (up > 0.42) & (up < 0.54)
    assert not bool((inside | bumper).any())
    assert bool((seen.thick_m[shown] <= shots.DEEPEST * diagonal_m + 1e-6).all())


def test_places_in_the_open_are_beside_and_under_it_never_inside(studio: tuple) -> None:
    world, actor, _ = shots.stage("truck")
    tracer, _, eyes_m = studio
    there = actor.trajectory.world_from_body[0]
    random = np.random.default_rng(0)
    places = open_places(tracer, there, 1.08 * actor.size_m, eyes_m, 4000, random)
    length, width, height = actor.size_m
    over_m = places[:, 2] + 0.5 * height
    inside = (np.abs(places[:, 0]) < 0.2 * length) & (np.abs(places[:, 1]) < 0.4 * width)
    assert not np.any(inside & (over_m > 1.1) & (over_m < 3.3))
    assert np.sum(inside & (over_m > 0.0) & (over_m < 0.4)) > 50  # between its wheels
    assert np.sum(over_m < 0.0) > 200  # in the road
    assert np.all(np.abs(places) <= 0.54 * actor.size_m)
    assert len(world.bodies) == 1
