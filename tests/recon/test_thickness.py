"""How thick the packaged truck is behind what one sees of it."""

from typing import TYPE_CHECKING

import numpy as np
import pytest
from jaxtyping import Float64

from recon.thickness import thickness_m

if TYPE_CHECKING:
    from scenes.worlds.tracer import Tracer

pytest.importorskip("mitsuba", reason="the extra `worlds` is not installed")

MOST_M = 0.5
REAR_M = 0.02
"""Lamps are so far behind the bumper, which is 12 cm deep, from 0.42 to 0.54 m over the road."""


@pytest.fixture(scope="module")
def studio() -> "tuple[Tracer, Float64[np.ndarray, '3'], Float64[np.ndarray, 'eyes 3']]":
    """The truck, the middle of its rear end on the road, and eyes around."""
    from recon import shots
    from scenes.worlds.tracer import Tracer

    world, actor, _ = shots.stage("truck")
    there = actor.trajectory.world_from_body[0]
    views = shots.cameras(actor.size_m, shots.RINGS)[:: shots.EYES]
    eyes_m = np.array([(there @ box_from_camera)[:3, 3] for _, box_from_camera in views])
    rear = there[:3, 3] - [0.5 * actor.size_m[0] - REAR_M, 0.0, 0.5 * actor.size_m[2]]
    return Tracer(world), rear, eyes_m


def behind(
    studio: tuple,
    left_m: float,
    up_m: float,
    down_deg: float = 0.0,
    most_m: float = MOST_M,
    ahead_m: float = 0.0,
) -> float:
    """Thickness on a ray, level or down, that meets the truck about there."""
    tracer, rear, eyes_m = studio
    tilt = np.radians(down_deg)
    direction = np.array([[np.cos(tilt), 0.0, -np.sin(tilt)]])
    origin = rear + [ahead_m, left_m, up_m] - 5.0 * direction
    rays = origin, direction, np.zeros(1, dtype=np.int64)
    met = tracer.cast(*rays).range_m
    assert met[0] == pytest.approx(5.0, abs=0.15)
    return float(thickness_m(tracer, 1, rays, met, eyes_m, most_m)[0])


def test_a_bumper_is_as_thick_as_it_was_made(studio: tuple) -> None:
    assert behind(studio, 0.6, 0.48) == pytest.approx(0.12, abs=1e-3)


def test_a_ray_leaves_through_the_underside(studio: tuple) -> None:
    # 2 cm above it, 60 degrees down
    assert behind(studio, 0.6, 0.44, 60.0) == pytest.approx(0.02 / np.sin(np.pi / 3), abs=1e-3)


def test_what_is_inside_something_else_does_not_end_it(studio: tuple) -> None:
    # the block that is the stripe on its sides begins 24 cm behind the doors
    assert behind(studio, 0.5, 2.0) == MOST_M
    # the rod before the doors does not touch them
    assert behind(studio, 0.0, 2.0) == pytest.approx(0.025, abs=1e-3)


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


def test_nobody_asks_about_more(studio: tuple) -> None:
    assert behind(studio, 0.6, 0.48, most_m=0.1) == 0.1


def test_of_no_rays_there_is_nothing(studio: tuple) -> None:
    tracer, _, eyes_m = studio
    none = np.zeros((0, 3))
    rays = none, none, np.zeros(0, dtype=np.int64)
    assert thickness_m(tracer, 1, rays, np.zeros(0), eyes_m, MOST_M).shape == (0,)
