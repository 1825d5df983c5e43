"""Where actors are put, how fast they go, and that they stand on the ground."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from scenes.actor import Actor
from scenes.edits import Edit, apply_edit
from scenes.edits.actor_looks import InsertActor, ScaleActor, SwapActor
from scenes.edits.actor_motion import FollowPath, RerouteActor, SpeedProfile
from scenes.edits.actors import MoveActor, RemoveActor, RemoveTraffic
from scenes.edits.assets import library
from scenes.edits.edited_scene import EditedScene
from scenes.edits.following import FollowActor
from scenes.edits.routes import Route
from scenes.errors import InfeasibleError
from scenes.motion.geometry import rigid, rotation_exp
from scenes.motion.trajectory import Trajectory
from scenes.road.ground import Ground, fit_ground
from tests.clip_maker import make_clip, ride
from tests.edit_maker import DRIVING, PARKED, WALKING, actor_of, make_edited_scene, speeds

SCENE = make_edited_scene()
SLOPE = 0.06


def on_a_hill() -> EditedScene:
    """The same, all on a road that climbs along x."""
    level = make_edited_scene()
    hill = rigid(rotation_exp(np.array([0.0, -np.arctan(SLOPE), 0.0])), np.zeros(3))

    def up(path: Trajectory) -> Trajectory:
        return replace(path, world_from_body=hill @ path.world_from_body)

    ego = up(level.ego)
    actors = tuple(replace(actor, trajectory=up(actor.trajectory)) for actor in level.actors)
    return replace(level, ego=ego, actors=actors, ground=fit_ground(make_clip(ego)))


def above_m(actor: Actor, ground: Ground) -> np.ndarray:
    """Height of a box's lowest point under its middle over the ground."""
    x, y, z = actor.trajectory.world_from_body[:, :3, 3].T
    return z - 0.5 * float(actor.size_m[2]) - ground.height_m(x, y)


@pytest.mark.parametrize(
    "edit",
    [
        RemoveActor(actor=8),
        RemoveTraffic(keep=(8,)),
        MoveActor(actor=8),
        ScaleActor(actor=8, factor=1.0),
        SwapActor(actor=8, asset="car"),
        SpeedProfile(actor=8, start_us=0, speed_mps=1.0, change_mps2=1.0),
        FollowActor(actor=DRIVING, leader=8, start_us=0, headway_s=1.0, speed_mps=9.0),
    ],
    ids=lambda edit: edit.kind,
)
def test_an_unknown_actor_is_refused_with_the_nearest_known(edit: Edit) -> None:
    with pytest.raises(InfeasibleError, match="no actor 8") as refused:
        apply_edit(edit, SCENE)
    assert refused.value.reason == "no such actor"
    assert "3, 7, 12" in refused.value.fix
    with pytest.raises(InfeasibleError, match="a drive with road users"):
        apply_edit(edit, replace(SCENE, actors=()))


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (InsertActor(actor=PARKED, asset="car", start_us=0), "actor id taken"),
        (InsertActor(actor=50, asset="tank", start_us=0), "no such asset"),
        (SwapActor(actor=DRIVING, asset="tank"), "no such asset"),
        (SpeedProfile(actor=WALKING, start_us=0, speed_mps=0.0, change_mps2=1.0), "not known then"),
        (RerouteActor(actor=WALKING, start_us=5_000_000, x_m=(0.0,), y_m=(0.0,)), "not known then"),
        (
            FollowPath(actor=DRIVING, time_us=(10**6, 2 * 10**6), x_m=(0.0, 9.0), y_m=(0.0, 0.0)),
            "a jump",
        ),
        (
            FollowPath(
                actor=WALKING, time_us=(5 * 10**6, 6 * 10**6), x_m=(0.0, 9.0), y_m=(0.0, 0.0)
            ),
            "not known then",
        ),
        (
            FollowActor(actor=DRIVING, leader=DRIVING, start_us=0, headway_s=1.0, speed_mps=1.0),
            "no leader",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_a_way_out(edit: Edit, reason: str) -> None:
    with pytest.raises(InfeasibleError) as refused:
        apply_edit(edit, SCENE)
    assert refused.value.reason == reason
    assert len(refused.value.fix) > 10


def test_who_is_moved_keeps_height_and_slope_over_the_ground() -> None:
    hill = on_a_hill()
    assert hill.ground is not None
    moved = apply_edit(MoveActor(actor=DRIVING, forward_m=12.0, left_m=2.0, yaw_deg=30.0), hill)
    assert_allclose(above_m(actor_of(moved), hill.ground), 0.0, atol=0.01)
    up = actor_of(moved).trajectory.world_from_body[:, :3, 2]
    assert_allclose(up, actor_of(hill).trajectory.world_from_body[:, :3, 2], atol=1e-3)
    level = apply_edit(
        MoveActor(actor=DRIVING, forward_m=-5.0, left_m=2.0), replace(hill, ground=None)
    )
    was, now = (actor_of(s).trajectory.world_from_body for s in (hill, level))
    assert_allclose(np.linalg.norm((now - was)[:, :3, 3], axis=1), np.hypot(5.0, 2.0), atol=1e-9)
    assert np.array_equal(now[:, :3, :3], was[:, :3, :3])


def test_what_is_put_on_a_hill_stands_on_it() -> None:
    hill = on_a_hill()
    assert hill.ground is not None
    put = apply_edit(InsertActor(actor=50, asset="truck", start_us=0, ahead_m=30.0), hill)
    path = FollowPath(
        actor=50, time_us=(0, 2_000_000, 4_000_000), x_m=(30.0, 40.0, 60.0), y_m=(0.0, 1.0, 2.0)
    )
    for edited in (put, apply_edit(path, put)):
        truck = actor_of(edited, 50)
        assert_allclose(above_m(truck, hill.ground), 0.0, atol=0.01)
        forward = truck.trajectory.world_from_body[:, :3, 0]
        assert_allclose(forward[:, 2] / np.hypot(*forward[:, :2].T), SLOPE, rtol=0.05)
    given_z = replace(path, z_m=(5.0, 5.0, 6.0))
    z_m = actor_of(apply_edit(given_z, put), 50).trajectory.world_from_body[:, 2, 3]
    assert (z_m[0], z_m[-1]) == (5.0, 6.0)


@pytest.mark.parametrize("asset", ["car", "van", "truck", "bus", "cyclist", "person"])
def test_an_asset_has_its_size_and_stands_where_the_other_stood(asset: str) -> None:
    swapped = apply_edit(SwapActor(actor=DRIVING, asset=asset), SCENE)
    new, old = actor_of(swapped), actor_of(SCENE)
    assert swapped.assets == {DRIVING: asset}
    assert new.kind == library()[asset].kind
    assert_allclose(new.size_m, library()[asset].size_m)
    assert SCENE.ground is not None
    assert_allclose(above_m(new, SCENE.ground), above_m(old, SCENE.ground), atol=1e-9)
    assert apply_edit(RemoveActor(actor=DRIVING), swapped).assets == {}


@given(st.floats(-0.02, 0.02), st.floats(-6.0, 6.0), st.sampled_from([0.0, 180.0]))
def test_an_inserted_actor_keeps_to_the_road_beside_the_ego(
    bend_per_m: float, left_m: float, yaw_deg: float
) -> None:
    ego = ride(bend_per_m=bend_per_m)
    edit = InsertActor(
        actor=50, asset="car", start_us=1_000_000, ahead_m=20.0, left_m=left_m,
        yaw_deg=yaw_deg, speed_mps=6.0,
    )  # fmt: skip
    car = actor_of(apply_edit(edit, make_edited_scene(ego)), 50)
    assert car.trajectory.time_us[[0, -1]].tolist() == [1_000_000, 6_000_000]
    assert_allclose(speeds(car), 6.0, rtol=2e-3)
    centre = np.array([0.0, 1.0 / bend_per_m if bend_per_m else np.inf])
    if abs(bend_per_m) > 1e-3:
        radius = np.linalg.norm(car.trajectory.world_from_body[:, :2, 3] - centre, axis=1)
        assert_allclose(radius, abs(1.0 / bend_per_m - left_m), atol=0.02)
    ahead = car.trajectory.world_from_body[0, :2, 3] - ego.at(np.array([1_000_000]))[0, :2, 3]
    assert np.linalg.norm(ahead) == pytest.approx(np.hypot(20.0, left_m), rel=0.15)


@pytest.mark.parametrize("left_m", [-8.0, 0.0, 8.0])
@pytest.mark.parametrize("ahead_m", [0.0, 20.0, 80.0])
def test_ahead_is_gone_along_the_egos_way_and_left_is_beside_it(
    ahead_m: float, left_m: float
) -> None:
    ego = ride(speed_mps=8.0, bend_per_m=1.0 / 40.0)
    edit = InsertActor(
        actor=50, asset="car", start_us=0, ahead_m=ahead_m, left_m=left_m, speed_mps=6.0
    )
    path = actor_of(apply_edit(edit, make_edited_scene(ego)), 50).trajectory
    own = Route.of(ego, 0)  # it is known for 48 m: 80 m ahead lies beyond the drive
    foot, yaw = own.at(np.array([ahead_m]))[0, :2, 3], own.yaw_at(np.array([ahead_m]))[0]
    beside = foot + left_m * np.array([-np.sin(yaw), np.cos(yaw)])
    assert_allclose(path.world_from_body[0, :2, 3], beside, atol=2e-3)
    forth_m = np.linspace(ahead_m, ahead_m + 60.0, 6001)
    feet = own.at(forth_m)[:, :2, 3]
    apart = np.linalg.norm(path.world_from_body[:, None, :2, 3] - feet, axis=2).min(axis=1)
    assert_allclose(apart, abs(left_m), atol=0.02)


def test_who_faces_across_the_road_crosses_it() -> None:
    edit = InsertActor(
        actor=50, asset="person", start_us=0, ahead_m=20.0, left_m=-4.0, yaw_deg=90.0, speed_mps=2.0
    )
    person = actor_of(apply_edit(edit, SCENE), 50).trajectory
    assert_allclose(person.world_from_body[[0, -1], :2, 3], [[20.0, -4.0], [20.0, 8.0]], atol=1e-6)


def test_a_path_is_met_knot_by_knot_and_ends_with_the_last() -> None:
    times = (2_000_000, 2_500_000, 3_700_001, 5_000_000)
    x_m, y_m, yaw_rad = (40.0, 45.0, 55.5, 60.0), (0.0, 0.5, 3.25, 9.0), (0.0, 0.2, 0.8, 1.5)
    edit = FollowPath(actor=DRIVING, time_us=times, x_m=x_m, y_m=y_m, yaw_rad=yaw_rad)
    path = actor_of(apply_edit(edit, SCENE)).trajectory
    there = path.at(np.array(times))
    assert np.array_equal(there[:, 0, 3], x_m)
    assert np.array_equal(there[:, 1, 3], y_m)
    assert_allclose(np.arctan2(there[:, 1, 0], there[:, 0, 0]), yaw_rad, atol=1e-12)
    assert path.time_us[-1] == times[-1]
    along = actor_of(apply_edit(replace(edit, yaw_rad=()), SCENE)).trajectory
    moved = np.diff(along.world_from_body[-3:, :2, 3], axis=0)[-1]
    assert np.arctan2(*along.world_from_body[-1, [1, 0], 0]) == pytest.approx(
        np.arctan2(*moved[::-1]), abs=0.05
    )


def test_who_stands_keeps_its_heading() -> None:
    edit = FollowPath(
        actor=WALKING, time_us=(1_000_000, 3_000_000), x_m=(40.0,) * 2, y_m=(-4.6,) * 2
    )
    poses = actor_of(apply_edit(edit, SCENE), WALKING).trajectory.world_from_body
    assert_allclose(poses[:, :2, 0], [[0.0, 1.0]] * len(poses), atol=1e-12)
