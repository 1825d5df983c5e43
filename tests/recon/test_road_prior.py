"""The road, seen from beside the path: true, and never through road users or held-out sweeps."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recon.data.depth_rays import DepthEvidence, load_depth
from recon.data.road_prior import REACH_M, RISE_M, only_trained, road_evidence
from scenes.actor import Actor
from scenes.clip import Clip
from scenes.motion.geometry import translation
from scenes.motion.trajectory import Trajectory
from scenes.semantics import Semantic
from tests.scene_maker import CAMERA_HEIGHT_M, FRAMES, make_drive

ALL = np.ones(FRAMES, dtype=bool)


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return make_drive(tmp_path_factory.mktemp("drive"))


def seen_from_beside(clip: Clip, seed: int = 0) -> DepthEvidence:
    return road_evidence(clip, ALL, load_depth(clip, ALL), seed)


def parked_car() -> Actor:
    """On the road ahead, 1.2 m to the left."""
    place = translation(np.array([[10.0, 1.2, 0.75]]))
    return Actor(
        id=3,
        kind=Semantic.CAR,
        size_m=np.array([4.0, 1.8, 1.5]),
        trajectory=Trajectory(time_us=np.array([0]), world_from_body=place),
    )


def test_every_ray_ends_on_the_plain(drive: Clip) -> None:
    evidence = seen_from_beside(drive)
    assert len(evidence) > 10_000
    assert np.abs(evidence.ends_m().numpy()[:, 2]).max() < 0.02


def test_rays_start_beside_the_path_and_as_high_as_a_camera(drive: Clip) -> None:
    start = seen_from_beside(drive).origins_m.numpy()
    assert np.abs(start[:, 1]).max() <= REACH_M + 1e-4
    assert np.abs(start[:, 1]).max() > 0.5 * REACH_M
    assert np.abs(start[:, 2] - CAMERA_HEIGHT_M).max() <= RISE_M + 0.02


def test_the_same_seed_gives_the_same_rays(drive: Clip) -> None:
    first, again, other = (seen_from_beside(drive, seed) for seed in (0, 0, 1))
    assert first.range_m.equal(again.range_m)
    assert not first.origins_m[:100].equal(other.origins_m[:100])


def test_a_parked_car_hides_the_road_behind_it(tmp_path: Path) -> None:
    evidence = seen_from_beside(make_drive(tmp_path, actors=(parked_car(),)))
    start, end = evidence.origins_m.numpy(), evidence.ends_m().numpy()
    share = np.linspace(0.0, 1.0, 200)[:, None, None]
    along = start + share * (end - start)
    inside = np.all(np.abs(along - [10.0, 1.2, 0.75]) < [2.0, 0.9, 0.74], axis=-1)
    assert not inside.any()


def test_nothing_is_said_where_nothing_was_measured(tmp_path: Path) -> None:
    assert len(seen_from_beside(make_drive(tmp_path, points=False))) == 0


def test_a_rough_plain_is_not_taken_for_a_road(drive: Clip) -> None:
    points = drive.points
    assert points is not None
    noise = np.random.default_rng(0).normal(0.0, 0.5, len(points.position_m))
    rough = points.position_m + noise[:, None] * [0.0, 0.0, 1.0]
    clip = replace(drive, points=replace(points, position_m=rough))
    assert len(seen_from_beside(clip)) == 0


def test_sweeps_of_held_out_pictures_are_not_looked_at(tmp_path: Path) -> None:
    clip = make_drive(tmp_path, lidar=True)
    trained = np.array([False, True, True, True, False, True])
    assert len(only_trained(clip, trained).lidars[0]) == 4
    assert only_trained(clip, np.zeros(FRAMES, dtype=bool)).lidars == ()
