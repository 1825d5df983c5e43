"""How fast actors go, whom they follow, and which other ways they take."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from scenes.actor import Actor
from scenes.edits import apply_edit
from scenes.edits.actor_looks import ScaleActor
from scenes.edits.actor_motion import RerouteActor, SpeedProfile
from scenes.edits.actors import MoveActor
from scenes.edits.edited_scene import EditedScene
from scenes.edits.following import FollowActor
from scenes.edits.routes import RUN_OUT_M
from scenes.motion.trajectory import Trajectory
from tests.clip_maker import noisy, parked_car
from tests.edit_maker import (
    DRIVING,
    PARKED,
    WALKING,
    actor_of,
    driving_car,
    make_edited_scene,
    speeds,
)

SCENE = make_edited_scene()


@pytest.mark.parametrize("noise_m", [0.0, 0.03])
@pytest.mark.parametrize("bend_per_m", [0.0, 0.02])
@pytest.mark.parametrize(("target", "stops_m"), [(0.0, 10.0**2 / 8.0), (5.0, None)])
def test_a_car_that_brakes_stops_where_it_must(
    noise_m: float, bend_per_m: float, target: float, stops_m: float | None
) -> None:
    car = driving_car(speed_mps=10.0, bend_per_m=bend_per_m)
    car = replace(car, trajectory=noisy(car.trajectory, noise_m, 1))
    edit = SpeedProfile(actor=DRIVING, start_us=2_000_000, speed_mps=target, change_mps2=4.0)
    braked = actor_of(apply_edit(edit, make_edited_scene(car=car)))
    seconds = 4.0
    way_m = stops_m or 5.0 * seconds + 0.5 * (10.0 - 5.0) ** 2 / 4.0
    way = braked.trajectory.time_us >= 2_000_000
    turned = bend_per_m * (20.0 + way_m)
    end = braked.trajectory.world_from_body[-1, :2, 3] - [20.0, 0.0]
    wanted = [np.sin(turned), 1.0 - np.cos(turned)] if bend_per_m else [20.0 + way_m, 0.0]
    wanted = np.array(wanted) / (bend_per_m or 1.0)
    assert_allclose(end, wanted, atol=0.01 + 10.0 * noise_m)
    assert speeds(braked)[way[1:]][-1] == pytest.approx(target, abs=0.02 + 8.0 * noise_m)


def test_a_car_that_accelerates_goes_straight_on_where_its_track_ends() -> None:
    car = driving_car(bend_per_m=0.02)
    edit = SpeedProfile(actor=DRIVING, start_us=3_000_000, speed_mps=20.0, change_mps2=5.0)
    fast = actor_of(apply_edit(edit, make_edited_scene(car=car))).trajectory
    way_m = 30.0 + 10.0 * 2.0 + 0.5 * 5.0 * 4.0 + 20.0 * 1.0
    assert fast.travelled_m()[-1] == pytest.approx(way_m, rel=1e-3)
    late = np.diff(fast.world_from_body[-3:, :2, 3], axis=0)
    bearing = np.arctan2(late[:, 1], late[:, 0])
    assert_allclose(bearing, 0.02 * (60.0 + 0.5 * RUN_OUT_M), atol=5e-3)  # out of the bend


@pytest.mark.parametrize("lead_mps", [6.0, 9.0])
def test_a_follower_settles_at_the_gap_of_its_model(lead_mps: float) -> None:
    time_us = np.arange(0, 60_000_001, 100_000)
    poses = np.tile(np.eye(4), (len(time_us), 1, 1))
    poses[:, 0, 3] = 10.0 * time_us * 1e-6
    poses[:, 2, 3] = 0.75
    path = Trajectory(time_us=time_us, world_from_body=poses)
    car = replace(driving_car(), trajectory=path)
    ahead = poses.copy()
    ahead[:, 0, 3] = 60.0 + lead_mps * time_us * 1e-6
    leader = replace(car, id=9, trajectory=replace(path, world_from_body=ahead))
    edited = replace(SCENE, actors=(car, leader), ground=None)
    edit = FollowActor(actor=DRIVING, leader=9, start_us=0, headway_s=1.5, speed_mps=14.0)
    follower = actor_of(apply_edit(edit, edited))
    gap_m = (ahead - follower.trajectory.world_from_body)[:, 0, 3] - 4.0
    settled_m = (2.0 + 1.5 * lead_mps) / np.sqrt(1.0 - (lead_mps / 14.0) ** 4)
    assert gap_m.min() > 0.0
    assert gap_m[-1] == pytest.approx(settled_m, rel=0.02)
    assert speeds(follower)[-1] == pytest.approx(lead_mps, rel=0.01)


def test_a_follower_stops_behind_who_stands_and_heeds_nobody_beside_its_way() -> None:
    def follows(edited: EditedScene) -> Actor:
        edit = FollowActor(actor=DRIVING, leader=PARKED, start_us=0, headway_s=1.0, speed_mps=10.0)
        return actor_of(apply_edit(edit, edited))

    def with_parked(y_m: float) -> EditedScene:
        return replace(SCENE, actors=(parked_car(55.0, y_m, PARKED), *SCENE.actors[1:]))

    stopped = follows(with_parked(0.0))
    gap_m = 55.0 - stopped.trajectory.world_from_body[-1, 0, 3] - 4.0
    assert 0.5 < gap_m < 6.0
    assert speeds(stopped)[-1] < 1.5
    beside = follows(with_parked(4.0))
    assert speeds(beside)[-1] == pytest.approx(10.0, abs=0.2)


def test_another_way_is_gone_as_fast_as_the_own_one() -> None:
    edit = RerouteActor(
        actor=DRIVING, start_us=2_000_000, x_m=(50.0, 56.0, 58.0), y_m=(0.5, 4.0, 12.0)
    )
    edited = actor_of(apply_edit(edit, SCENE))
    assert_allclose(speeds(edited), 10.0, rtol=0.02)
    near = Trajectory(
        time_us=edited.trajectory.time_us, world_from_body=edited.trajectory.world_from_body
    )
    for x_m, y_m in zip(edit.x_m, edit.y_m, strict=True):
        assert near.distance_m(np.array([x_m, y_m, 0.75])) < 0.1
    forward = edited.trajectory.world_from_body[-1, :2, 0]
    assert forward[1] > 0.9


@pytest.mark.parametrize("points", [1, 2, 3])
def test_beyond_the_last_point_another_way_goes_straight_on(points: int) -> None:
    car = driving_car(speed_mps=9.0, x_m=15.0, y_m=3.2)
    edit = RerouteActor(
        actor=DRIVING, start_us=1_000_000,
        x_m=(30.0, 45.0, 60.0)[:points], y_m=(3.0, 1.0, 0.5)[:points],
    )  # fmt: skip
    path = actor_of(apply_edit(edit, make_edited_scene(car=car))).trajectory
    start = path.at(np.array([1_000_000]))[0, :2, 3]
    passed = np.stack([np.append(start[0], edit.x_m), np.append(start[1], edit.y_m)], axis=1)
    chord = passed[-1] - passed[-2]
    beyond = (path.world_from_body[:, :2, 3] - passed[-1]) @ chord / np.hypot(*chord)
    yaw = np.arctan2(path.world_from_body[:, 1, 0], path.world_from_body[:, 0, 0])
    assert np.any(beyond > 0.0)
    assert_allclose(yaw[beyond > 0.0], np.arctan2(chord[1], chord[0]), atol=np.deg2rad(0.1))
    off = path.world_from_body[beyond > 0.0, :2, 3] - passed[-1]
    assert_allclose(off[:, 0] * chord[1] - off[:, 1] * chord[0], 0.0, atol=0.02 * np.hypot(*chord))


def test_a_follower_gives_way_to_who_comes_towards_it() -> None:
    incoming = driving_car(speed_mps=-8.0, x_m=120.0)
    leading = driving_car(speed_mps=8.0, x_m=120.0)
    edit = FollowActor(actor=DRIVING, leader=9, start_us=0, headway_s=1.2, speed_mps=10.0)
    late_mps = []
    for other in (incoming, leading):
        edited = replace(SCENE, actors=(driving_car(), replace(other, id=9)), ground=None)
        late_mps.append(speeds(actor_of(apply_edit(edit, edited)))[49])
    assert late_mps[0] < 6.0  # after 5 s, unbraked, the two would be 6 m apart
    assert late_mps[1] > 9.5


def test_edits_of_others_leave_everybody_else() -> None:
    for edit in (MoveActor(actor=WALKING, left_m=1.0), ScaleActor(actor=WALKING, factor=2.0)):
        edited: Any = apply_edit(edit, SCENE)
        assert actor_of(edited) is actor_of(SCENE)
        assert edited.ego is SCENE.ego
