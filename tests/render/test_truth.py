"""Scores off the path compare like with like: a perfect scene has perfect scores."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from render.labels.cuboids import instance_numbers
from render.prove.objects import overlaps
from render.prove.target import grown, target_of
from scenes.actor import Actor
from scenes.motion.trajectory import Trajectory
from scenes.sensors.camera import Camera
from scenes.worlds.truth.truth_files import TruthView
from tests.scene_maker import driving_car

CAMERA = Camera(width=64, height=32, fx=40.0, fy=40.0, cx=32.0, cy=8.0)
HEIGHT_M = 1.65


def road_range_m(camera: Camera) -> np.ndarray:
    """Exact range of a flat road below a level camera; infinite above the horizon."""
    rays = camera.unproject(camera.pixel_centres())
    with np.errstate(divide="ignore"):
        z_m = np.where(rays[..., 1] > 0, HEIGHT_M / rays[..., 1], np.inf)
    return z_m * np.linalg.norm(rays, axis=-1)


def view_of(camera: Camera) -> TruthView:
    shape = camera.height, camera.width
    return TruthView(
        time_us=0,
        shift_m=0.0,
        world_from_camera=np.eye(4),
        rgb=np.zeros((*shape, 3), dtype=np.uint8),
        range_m=road_range_m(camera).astype(np.float32),
        semantic=np.zeros(shape, dtype=np.uint8),
        instance=np.full(shape, -1, dtype=np.int32),
    )


def test_truth_at_half_the_size_is_that_of_the_smaller_pixels() -> None:
    small = CAMERA.scaled(32, 16)
    range_m = target_of(view_of(CAMERA), small).range_m
    exact = road_range_m(small)
    assert np.array_equal(np.isfinite(range_m), np.isfinite(exact))
    near = exact < 10.0  # further away, neighbouring rows are too different to interpolate
    assert near.sum() > 200
    np.testing.assert_allclose(range_m[near], exact[near], rtol=2e-3)


def test_truth_at_its_own_size_and_at_a_third_is_untouched() -> None:
    view = view_of(CAMERA.scaled(66, 33))
    for step, first in ((1, 0), (3, 1)):
        range_m = target_of(view, CAMERA.scaled(66 // step, 33 // step)).range_m
        np.testing.assert_allclose(range_m, view.range_m[first::step, first::step], rtol=1e-9)


def standing(number: int) -> Actor:
    car = driving_car(number)
    pose = car.trajectory.world_from_body[:1]
    return replace(car, trajectory=Trajectory(time_us=np.array([0]), world_from_body=pose))


def box_ious(actors: Sequence[Actor], *of: Any) -> list[float]:
    numbers = instance_numbers(actors, actors)
    return [overlap.box_iou for overlap in overlaps(actors, numbers, *of)]


def test_what_a_moving_car_hides_does_not_spoil_the_box_behind_it() -> None:
    actors = standing(3), driving_car(7)
    shown = np.zeros((20, 40), dtype=np.uint16)
    shown[5:15, 5:30] = 1  # the first of the actors, and nothing that moves
    truth = np.where(shown == 1, np.int32(3), np.int32(-1))
    counts = np.ones(truth.shape, dtype=bool)
    assert box_ious(actors, truth, shown, counts) == [1.0]
    truth[:, 18:], counts[:, 18:] = 7, False
    assert box_ious(actors, truth, shown, counts) == [1.0]
    shown[:, 5:10] = 0
    assert box_ious(actors, truth, shown, counts) == [8 / 13]


def test_a_mask_grows_by_whole_pixels_and_not_around_the_picture() -> None:
    mask = np.zeros((9, 12), dtype=bool)
    mask[0, 0] = mask[5, 6] = True
    found = grown(mask, 2)
    wanted = np.zeros_like(mask)
    wanted[:3, :3] = wanted[3:8, 4:9] = True
    assert np.array_equal(found, wanted)
