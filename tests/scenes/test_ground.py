"""The fitted road against roads of known shape, clutter and all; and on a real drive."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from scenes.actor import Actor
from scenes.clip import Clip, LidarStream, SparsePoints
from scenes.importers import import_clip
from scenes.motion.geometry import invert, translation
from scenes.motion.trajectory import Trajectory
from scenes.road.ground import Ground, _nearest_of_many, fit_ground
from scenes.road.static_points import measured_points
from scenes.semantics import Semantic
from scenes.sensors.lidar import Lidar
from tests.clip_maker import make_clip, ride

Lift = Callable[[np.ndarray, np.ndarray], np.ndarray]


def height(x: np.ndarray, y: np.ndarray, crossfall: float, hill_m: float) -> np.ndarray:
    """A road with crossfall, along which the ground rises and falls by `hill_m`."""
    return crossfall * y + hill_m * np.sin(x / 15.0)


def with_points(clip: Clip, points: np.ndarray) -> Clip:
    sparse = SparsePoints(
        position_m=points,
        error_px=np.full(len(points), 0.5, dtype=np.float32),
        point_index=np.zeros(0, dtype=np.int32),
        frame_index=np.zeros(0, dtype=np.int32),
    )
    return replace(clip, points=sparse)


def scattered(seed: int, count: int, crossfall: float, hill_m: float) -> np.ndarray:
    """Noisy points on the road, three in ten on kerbs, cars and bushes above it."""
    random = np.random.default_rng(seed)
    x, y = random.uniform(0, 110, count), random.uniform(-6, 6, count)
    z = height(x, y, crossfall, hill_m) + random.normal(0, 0.02, count)
    clutter = (random.random(count) < 0.3) & (np.abs(y) > 2.0)
    z[clutter] += random.uniform(0.12, 2.0, clutter.sum())
    return np.stack([x, y, z], axis=-1)


@given(st.integers(0, 1000), st.floats(-0.03, 0.03), st.floats(-0.4, 0.4))
def test_the_road_is_found_under_clutter(seed: int, crossfall: float, hill_m: float) -> None:
    clip = with_points(make_clip(ride()), scattered(seed, 3000, crossfall, hill_m))
    ground = fit_ground(clip)
    x, y = np.meshgrid(np.linspace(5, 100, 40), np.linspace(-4, 4, 9))
    error = ground.height_m(x, y) - height(x, y, crossfall, hill_m)
    assert np.isfinite(error).all()
    assert np.abs(error).max() < 0.08
    assert np.sqrt(np.mean(error**2)) < 0.025
    assert 0.01 < ground.residual_m < 0.05


def test_a_pavement_does_not_tilt_the_road() -> None:
    random = np.random.default_rng(1)
    x, y = random.uniform(0, 110, 30_000), random.uniform(-9, 9, 30_000)
    z = np.where(y < -4.5, 0.12, 0.0) + random.normal(0, 0.004, len(x))
    ground = fit_ground(with_points(make_clip(ride()), np.stack([x, y, z], axis=-1)))
    x, y = np.meshgrid(np.linspace(5, 100, 40), np.linspace(-4, 4, 9))
    assert np.abs(ground.height_m(x, y)).max() < 0.015


def test_road_under_the_wheels_is_road_before_the_first_point() -> None:
    clip = make_clip(ride())
    points = scattered(3, 3000, 0.0, 0.0)
    ground = fit_ground(with_points(clip, points[points[:, 0] > 12.0]))
    place = clip.ego.world_from_body[:, :3, 3]
    assert np.abs(ground.height_m(place[:, 0], place[:, 1]) - place[:, 2]).max() < 0.05


def test_a_bend_is_followed() -> None:
    path = ride(bend_per_m=1 / 60.0)
    clip = make_clip(path)
    random = np.random.default_rng(0)
    angle, radius = random.uniform(0, 1.4, 4000), 60.0 + random.uniform(-5, 5, 4000)
    x, y = radius * np.sin(angle), 60.0 - radius * np.cos(angle)
    points = np.stack([x, y, 0.02 * (60.0 - radius)], axis=-1)  # banked inwards
    ground = fit_ground(with_points(clip, points))
    error = ground.height_m(x, y) - points[:, 2]
    assert np.nanmax(np.abs(error)) < 0.03
    assert np.isfinite(error).mean() > 0.95


def with_lidar(clip: Clip, folder: Path, lift_m: Lift, crossfall: float, hill_m: float) -> Clip:
    """Four sweeps of the road ahead, of which each return lies `lift_m(points, times)` higher."""
    ego_from_lidar = translation(np.array([1.0, 0.0, 1.8]))
    random = np.random.default_rng(0)
    files = []
    times = clip.ego.time_us[:40:10]
    for number, time_us in enumerate(times):
        offset_us = np.sort(random.integers(0, 100_000, 2000)).astype(np.int32)
        when_us = time_us + offset_us.astype(np.int64)
        poses = clip.ego.at(when_us)
        there = poses[:, :3, 3] + np.stack(
            [random.uniform(4, 30, 2000), random.uniform(-6, 6, 2000), np.zeros(2000)], axis=-1
        )
        there[:, 2] = height(there[:, 0], there[:, 1], crossfall, hill_m)
        there[:, 2] += lift_m(there, when_us)
        in_lidar = np.einsum("nij,nj->ni", invert(poses @ ego_from_lidar)[:, :3, :3], there)
        in_lidar += invert(poses @ ego_from_lidar)[:, :3, 3]
        files.append(folder / f"{number}.npz")
        np.savez(
            files[-1],
            xyz_m=in_lidar.astype(np.float32),
            offset_us=offset_us,
            intensity=np.zeros(2000, dtype=np.float32),
        )
    beams = Lidar(elevation_rad=(0.0,), azimuth_steps=8, period_us=100_000, max_range_m=100.0)
    stream = LidarStream(
        name="lidar",
        lidar=beams,
        ego_from_lidar=ego_from_lidar,
        time_us=times,
        files=tuple(files),
    )
    return replace(clip, lidars=(stream,))


def test_lidar_returns_are_placed_where_the_car_was(tmp_path: Path) -> None:
    clip = make_clip(ride())
    ground = fit_ground(with_lidar(clip, tmp_path, lambda there, _: 0.0 * there[:, 0], 0.02, 0.2))
    x, y = np.meshgrid(np.linspace(8, 60, 20), np.linspace(-4, 4, 5))
    assert np.abs(ground.height_m(x, y) - height(x, y, 0.02, 0.2)).max() < 0.03
    assert ground.residual_m < 0.02


def driver_ahead(ego: Trajectory) -> Actor:
    """Somebody as wide as the road, 6 m to 18 m ahead of the car all the time."""
    poses = ego.world_from_body @ translation(np.array([12.0, 0.0, 0.8]))
    size_m = np.array([12.0, 8.0, 1.6])
    track = Trajectory(time_us=ego.time_us, world_from_body=poses)
    return Actor(id=1, kind=Semantic.TRUCK, size_m=size_m, trajectory=track)


def test_who_drives_ahead_does_not_lift_the_road(tmp_path: Path) -> None:
    truck = driver_ahead(ride())

    def bumper_m(there: np.ndarray, when_us: np.ndarray) -> np.ndarray:
        local = there - truck.trajectory.at(when_us)[:, :3, 3]
        return np.where(np.all(np.abs(local[:, :2]) < 0.5 * truck.size_m[:2], axis=1), 0.35, 0.0)

    x, y = np.meshgrid(np.linspace(5, 40, 20), np.linspace(-2, 2, 5))
    unknown, known = (
        fit_ground(with_lidar(make_clip(ride(), actors), tmp_path, bumper_m, 0.0, 0.0))
        for actors in ((), (truck,))
    )
    assert np.nanmax(np.abs(unknown.height_m(x, y))) > 0.1
    assert np.nanmax(np.abs(known.height_m(x, y))) < 0.03


def test_bodies_are_not_measured_and_the_road_under_them_is() -> None:
    truck = driver_ahead(ride())
    middle = truck.trajectory.world_from_body[3, :3, 3]
    beside, under, on = middle + [0.0, 6.0, 0.0], middle - [0.0, 0.0, 0.8], middle + [5.9, 0, 0]
    clip = with_points(make_clip(ride(), (truck,)), np.stack([beside, under, on]))
    assert_array_equal(measured_points(clip), np.stack([beside, under]))


def test_without_evidence_the_road_is_under_the_wheels_and_says_so() -> None:
    ground = fit_ground(make_clip(ride()))
    assert np.isnan(ground.residual_m)
    assert "no depth evidence" in ground.note
    assert ground.height_m(np.array([0.0, 50.0]), np.array([0.0, 3.0])).tolist() == [0.0, 0.0]
    assert np.isnan(ground.height_m(np.array([10.0, -30.0, 500.0]), np.array([20.0, 0, 0]))).all()


def test_a_few_points_are_not_evidence() -> None:
    clip = with_points(make_clip(ride()), scattered(0, 20, 0.0, 0.3))
    assert np.isnan(fit_ground(clip).residual_m)


def test_nothing_is_said_where_nothing_was_seen() -> None:
    points = scattered(0, 3000, 0.0, 0.0)
    points = points[(points[:, 0] < 40) & (points[:, 1] > -2)]
    ground = fit_ground(with_points(make_clip(ride()), points))
    known = np.isfinite(
        ground.height_m(np.array([20.0, 20.0, 110.0, 60.0]), np.array([4.0, -5.0, 0, 0]))
    )
    assert known.tolist() == [True, False, False, True]  # the last was driven on


def test_a_car_that_waits_still_has_a_road() -> None:
    ground = fit_ground(make_clip(ride(speed_mps=5.0, braking_mps2=2.0)))
    assert np.isfinite(ground.height_m(np.array([3.0]), np.array([0.0]))).all()


def test_many_points_have_the_stations_that_each_has_alone() -> None:
    turn = np.linspace(0.0, 4.0, 90)  # round more than half a circle, so that stations face others
    stations = np.stack([40.0 * np.sin(turn), -40.0 * np.cos(turn)], axis=-1)
    points = np.random.default_rng(0).uniform(-90.0, 90.0, (60_000, 2))
    squared = np.sum((points[:, None] - stations) ** 2, axis=-1)
    found = _nearest_of_many(points, stations)
    off = squared[np.arange(len(points)), found] - squared.min(axis=1)
    assert off.max() < 1e-9  # equally far from two, either will do
    assert (found == squared.argmin(axis=1)).mean() > 0.9999


def test_no_road_is_higher_than_the_highest() -> None:
    ground = fit_ground(with_points(make_clip(ride()), scattered(0, 3000, 0.03, 0.4)))
    x, y = np.meshgrid(np.linspace(-20.0, 120.0, 300), np.linspace(-20.0, 20.0, 100))
    height_m = ground.height_m(x, y)
    assert np.nanmax(height_m) <= ground.highest_m <= np.nanmax(height_m) + 2.0


def test_shapes_are_kept() -> None:
    ground = fit_ground(make_clip(ride()))
    assert ground.height_m(np.zeros((3, 4)), np.zeros((3, 4))).shape == (3, 4)
    assert ground.height_m(np.zeros(0), np.zeros(0)).shape == (0,)


@pytest.mark.drives
def test_a_real_street_is_smooth_and_close_to_its_points(drives: Path) -> None:
    clip = import_clip("kitti-tracking", drives / "kitti_tracking_0002")
    ground = fit_ground(clip)
    assert isinstance(ground, Ground)
    assert ground.residual_m < 0.08
    assert clip.points is not None
    ahead = ground.height_m(np.linspace(5, 60, 56), np.zeros(56))
    assert np.isfinite(ahead).all()
    assert np.abs(np.diff(ahead)).max() < 0.05
