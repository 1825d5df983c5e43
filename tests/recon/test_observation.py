"""What training pictures showed, on scenes so simple that the answer is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from recon.training.observation import Eye, Observation, Surfaces
from scenes.motion.geometry import rigid
from scenes.sensors.camera import camera_rays
from tests.native_maker import needs_native
from tests.scene_maker import EGO_FROM_CAMERA, make_drive, tiny_config

WALL_M = 20.0
"""A wall stands across the road here (world x); the sky is over it."""
TOP_M = 3.0


def wall_range_m(origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Distance to the wall, as seen from before it; inf over its top."""
    with np.errstate(divide="ignore", invalid="ignore"):
        along = (WALL_M - origins[:, 0]) / directions[:, 0]
    height = origins[:, 2] + along * directions[:, 2]
    return np.where((along > 0) & (height < TOP_M), along, np.inf)


@pytest.fixture
def seen(tmp_path):
    """A drive towards the wall, and what its pictures showed of it."""
    clip = make_drive(tmp_path / "drive")
    observation = Observation(clip, tiny_config())
    camera, poses = observation.cameras[0], []
    for place, frame in enumerate(observation.frames[0]):
        pose = clip.world_from_camera(0, int(clip.cameras[0].time_us[frame]))
        rays = camera_rays(camera, camera.pixel_centres().reshape(-1, 2), pose)
        range_m = torch.from_numpy(wall_range_m(*rays)).view(camera.height, camera.width)
        observation.keep(0, place, range_m)
        poses.append(Eye(stream=0, place=place, world_from_camera=pose))
    return clip, observation, poses


def ask(seen, pose, range_of=wall_range_m):
    clip, observation, eyes = seen
    camera = clip.cameras[0].camera
    origins, directions = camera_rays(camera, camera.pixel_centres().reshape(-1, 2), pose)
    ends = Surfaces(origins_m=origins, directions=directions, range_m=range_of(origins, directions))
    found = observation.observed(eyes, ends, pose[:3, 2])
    return found.reshape(camera.height, camera.width), ends


def at(x_m: float, y_m: float = 0.0, yaw_deg: float = 0.0) -> np.ndarray:
    yaw = np.deg2rad(yaw_deg)
    turn = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    return rigid(turn, np.array([x_m, y_m, 0.0])) @ EGO_FROM_CAMERA


def test_what_was_recorded_was_observed(seen) -> None:
    found, _ = ask(seen, at(1.0))
    assert found.mean() > 0.9  # but for the line where wall and sky meet


def test_from_a_lane_beside_the_same_wall_and_sky_are_observed(seen) -> None:
    found, ends = ask(seen, at(1.0, 1.5))
    assert found[np.isinf(ends.range_m).reshape(found.shape)].mean() > 0.7
    assert found.mean() > 0.7


def test_a_surface_in_the_air_was_not_observed_though_it_was_looked_through(seen) -> None:
    found, _ = ask(seen, at(1.0), lambda o, _: np.full(len(o), 6.0))
    assert not found.any()


def test_what_is_behind_the_wall_was_not_observed(seen) -> None:
    found, ends = ask(seen, at(1.0), lambda o, d: wall_range_m(o, d) + 4.0)
    assert not found[np.isfinite(ends.range_m).reshape(found.shape)].any()


def test_the_other_side_was_not_observed(seen) -> None:
    """From behind the wall, looking back: the same places, from the opposite direction."""
    found, _ = ask(seen, at(30.0, 0.0, 180.0), lambda o, d: (WALL_M - o[:, 0]) / d[:, 0])
    assert not found.any()


def test_where_no_camera_looked_nothing_was_observed(seen) -> None:
    found, _ = ask(seen, at(5.0, 0.0, 180.0), lambda o, _: np.full(len(o), np.inf))
    assert not found.any()


def test_from_far_nearer_than_anybody_was_a_surface_is_not_comparable(seen) -> None:
    """Pictures were taken from 13 m at the nearest: from 2 m one sees what none showed."""
    found, _ = ask(seen, at(17.5))
    assert not found.any()


def test_a_picture_that_says_nothing_shows_nothing(seen) -> None:
    _, observation, _ = seen
    for place in range(len(observation.frames[0])):
        camera = observation.cameras[0]
        observation.keep(0, place, torch.full((camera.height, camera.width), torch.nan))
    found, _ = ask(seen, at(1.0))
    assert not found.any()


@needs_native
def test_the_engine_does_what_the_reference_does(seen, monkeypatch) -> None:
    _, observation, _ = seen
    random = torch.Generator().manual_seed(0)
    for place in range(len(observation.frames[0])):
        camera = observation.cameras[0]
        range_m = 5.0 + 30.0 * torch.rand(camera.height, camera.width, generator=random)
        range_m[torch.rand(range_m.shape, generator=random) < 0.2] = torch.inf
        range_m[torch.rand(range_m.shape, generator=random) < 0.1] = torch.nan
        observation.keep(0, place, range_m)
    ranges = np.random.default_rng(0).choice([6.0, 12.0, 18.0, 24.0, np.inf], 1 << 16)
    places = [at(1.0), at(4.0, 2.0, 20.0), at(9.0, -1.0, -50.0)]
    found = [ask(seen, pose, lambda o, _: ranges[: len(o)])[0] for pose in places]
    monkeypatch.setattr("recon.training.observation.native_problem", lambda: "not now")
    for pose, each in zip(places, found, strict=True):
        expected, _ = ask(seen, pose, lambda o, _: ranges[: len(o)])
        assert_array_equal(each, expected)
        assert 0.02 < expected.mean() < 0.98


def test_long_drives_keep_every_second_or_third_picture(monkeypatch, tmp_path) -> None:
    clip, config = make_drive(tmp_path / "drive"), replace(tiny_config(), holdout=0)
    monkeypatch.setattr("recon.training.observation.MOST_PIXELS", 2 * 12 * 8)
    assert Observation(clip, config).frames[0].tolist() == [0, 3]
