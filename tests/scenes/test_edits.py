import pickle
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from scenes.edits import EDIT_KINDS, Edit, EgoEdit, apply_edit
from scenes.edits.edited_scene import EditedScene
from scenes.edits.ego import LaneChange, LateralOffset
from scenes.errors import InfeasibleError
from scenes.motion.geometry import invert, rigid, rotation_exp
from scenes.motion.trajectory import Trajectory
from scenes.sensors.camera_look import CameraLook
from tests.clip_maker import make_clip, noisy, parked_car, ride

LEFT = LaneChange(offset_m=3.0, start_us=500_000, duration_us=3_000_000)

rides = st.builds(
    lambda speed, bend, braking, noise, seed: noisy(
        ride(speed_mps=speed, bend_per_m=bend, braking_mps2=braking), noise, seed
    ),
    st.floats(10.0, 40.0),
    st.floats(-0.05, 0.05),
    st.floats(0.0, 1.5),  # never to a stop
    st.floats(0.0, 0.03),
    st.integers(0, 10**6),
)


def ego_edits(offsets: st.SearchStrategy[float]) -> st.SearchStrategy[EgoEdit]:
    fields = {
        "offset_m": offsets,
        "start_us": st.integers(-1_000_000, 1_500_000),
        "duration_us": st.integers(1_000_000, 4_000_000),
    }
    return st.builds(LaneChange, **fields) | st.builds(LateralOffset, **fields)


edits = ego_edits(st.floats(-5.0, 5.0))


def direction(path: Trajectory) -> np.ndarray:
    """Direction of travel in plan view, by differences [rad]."""
    step = np.gradient(path.world_from_body[:, :2, 3], path.time_us * 1e-6, axis=0)
    return np.unwrap(np.arctan2(step[:, 1], step[:, 0]))


def heading(path: Trajectory) -> np.ndarray:
    ahead = path.world_from_body[:, :2, 0]
    return np.unwrap(np.arctan2(ahead[:, 1], ahead[:, 0]))


def offset_left_m(edited: Trajectory, recorded: Trajectory) -> np.ndarray:
    apart = edited.world_from_body[:, :3, 3] - recorded.world_from_body[:, :3, 3]
    return np.sum(apart * recorded.world_from_body[:, :3, 1], axis=1)


@given(rides, ego_edits(st.just(0.0)))
def test_the_identity_edit_changes_no_bit(ego: Trajectory, edit: EgoEdit) -> None:
    edited = edit.apply(ego)
    assert edited.time_us.tobytes() == ego.time_us.tobytes()
    assert edited.world_from_body.tobytes() == ego.world_from_body.tobytes()


@given(rides, edits)
def test_the_past_is_untouched_to_the_bit(ego: Trajectory, edit: EgoEdit) -> None:
    past = ego.time_us <= edit.start_us
    edited = edit.apply(ego)
    assert edited.world_from_body[past].tobytes() == ego.world_from_body[past].tobytes()
    assert edited.time_us.tobytes() == ego.time_us.tobytes()


@given(rides, edits)
def test_ends_exactly_at_the_offset_with_the_recorded_rotation(
    ego: Trajectory, edit: LateralOffset | LaneChange
) -> None:
    after = ego.time_us >= edit.start_us + edit.duration_us
    edited = edit.apply(ego)
    assert_allclose(offset_left_m(edited, ego)[after], edit.offset_m, rtol=0.0, atol=1e-9)
    assert np.array_equal(edited.world_from_body[after, :3, :3], ego.world_from_body[after, :3, :3])


@given(rides, edits)
def test_is_a_function_of_its_arguments_alone(ego: Trajectory, edit: EgoEdit) -> None:
    before = ego.world_from_body.tobytes()
    assert edit.apply(ego) == edit.apply(ego)
    assert ego.world_from_body.tobytes() == before


@given(rides, st.floats(-3.0, 3.0), st.floats(-3.0, 3.0))
def test_two_successive_edits_compose(ego: Trajectory, first_m: float, then_m: float) -> None:
    first = LaneChange(offset_m=first_m, start_us=0, duration_us=2_000_000)
    then = LaneChange(offset_m=then_m, start_us=2_500_000, duration_us=2_000_000)
    both = then.apply(first.apply(ego))
    assert_allclose(offset_left_m(both, ego)[ego.time_us >= 4_500_000], first_m + then_m, atol=1e-9)
    back = replace(then, offset_m=-first_m).apply(first.apply(ego))
    late = ego.time_us >= 4_500_000
    assert_allclose(back.world_from_body[late], ego.world_from_body[late], atol=1e-9)


@pytest.mark.parametrize("bend_per_m", [0.0, 0.02, -0.05])
@pytest.mark.parametrize("braking_mps2", [0.0, 2.0])
def test_headings_follow_the_new_path(bend_per_m: float, braking_mps2: float) -> None:
    ego = ride(speed_mps=13.0, bend_per_m=bend_per_m, braking_mps2=braking_mps2, step_us=10_000)
    edited = LEFT.apply(ego)
    assert abs(heading(edited) - heading(ego)).max() > 0.05
    inner = slice(5, -5)
    assert_allclose(heading(edited)[inner], direction(edited)[inner], atol=2e-3)


def test_headings_of_noisy_poses_follow_the_same_path() -> None:
    clean = ride(bend_per_m=0.01)
    turned = heading(LEFT.apply(clean)) - heading(clean)
    for seed in range(10):
        ego = noisy(clean, 0.01, seed)
        assert_allclose(heading(LEFT.apply(ego)) - heading(ego), turned, atol=2e-3)


def test_sideslip_stays_as_recorded() -> None:
    straight = ride(step_us=10_000)
    slip = rigid(rotation_exp(np.array([0.0, 0.0, 0.05])), np.zeros(3))
    ego = straight.mounted(slip)
    edited = LEFT.apply(ego)
    assert_allclose((heading(edited) - direction(edited))[5:-5], 0.05, atol=1e-4)


def test_slope_and_bank_of_the_road_stay_as_recorded() -> None:
    tilt = rigid(rotation_exp(np.array([0.05, -0.08, 0.0])), np.array([0.0, 0.0, 7.0]))
    level = ride()
    ego = replace(level, world_from_body=tilt @ level.world_from_body)
    edited = LEFT.apply(ego)
    assert_allclose(edited.world_from_body[:, :3, 2], ego.world_from_body[:, :3, 2], atol=1e-12)
    apart = edited.world_from_body[:, :3, 3] - ego.world_from_body[:, :3, 3]
    assert_allclose(np.sum(apart * ego.world_from_body[:, :3, 2], axis=1), 0.0, atol=1e-12)


def test_a_car_that_brakes_drives_the_same_shape() -> None:
    steady_ride = ride(speed_mps=10.0, step_us=10_000)
    braked = ride(speed_mps=10.0, braking_mps2=2.0, step_us=10_000)
    way_m = braked.at(np.array([500_000, 3_500_000]))[:, 0, 3]
    same = LaneChange(
        offset_m=3.0, start_us=round(way_m[0] * 1e5), duration_us=round((way_m[1] - way_m[0]) * 1e5)
    )
    x_m, y_m = same.apply(steady_ride).world_from_body[:, :2, 3].T
    braked_x_m, braked_y_m = LEFT.apply(braked).world_from_body[:, :2, 3].T
    assert_allclose(braked_y_m, np.interp(braked_x_m, x_m, y_m), atol=1e-4)


def test_past_the_end_of_the_drive_the_car_goes_on_as_it_did() -> None:
    long, short = ride(seconds=6.0), ride(seconds=2.0)
    whole, cut = LEFT.apply(long).world_from_body, LEFT.apply(short).world_from_body
    assert_allclose(cut, whole[: len(cut)], atol=1e-9)


def test_sensors_move_rigidly_with_the_ego() -> None:
    clip = make_clip()
    edited = replace(clip, ego=LEFT.apply(clip.ego))
    for time_us in (0, 1_700_000, 6_000_000):
        mount = invert(edited.ego.at(np.array([time_us])))[0] @ edited.world_from_camera(0, time_us)
        assert_allclose(mount, clip.cameras[0].ego_from_camera, atol=1e-12)


def test_a_lateral_offset_keeps_headings_and_is_halfway_at_half_time() -> None:
    ego = ride(bend_per_m=0.01)
    edited = LateralOffset(offset_m=2.0, start_us=1_000_000, duration_us=2_000_000).apply(ego)
    assert np.array_equal(edited.world_from_body[:, :3, :3], ego.world_from_body[:, :3, :3])
    assert_allclose(offset_left_m(edited, ego)[20], 1.0, atol=1e-12)


def test_a_lateral_offset_before_the_drive_runs_beside_it_from_the_start() -> None:
    ego = ride()
    edited = LateralOffset(offset_m=-1.0, start_us=-1, duration_us=1).apply(ego)
    assert_allclose(offset_left_m(edited, ego), -1.0, atol=1e-12)


def test_a_car_that_stands_cannot_change_lanes() -> None:
    with pytest.raises(InfeasibleError, match="stands still") as refused:
        LEFT.apply(ride(speed_mps=0.0))
    assert refused.value.reason == "standing still"
    assert pickle.loads(pickle.dumps(refused.value)).reason == "standing still"  # noqa: S301


@pytest.mark.parametrize("edit", [LaneChange, LateralOffset])
def test_no_offset_reaches_the_centre_of_a_bend(edit: Any) -> None:
    inside = edit(offset_m=12.0, start_us=0, duration_us=3_000_000)
    with pytest.raises(InfeasibleError, match="centre of the bend"):
        inside.apply(ride(speed_mps=5.0, bend_per_m=0.1))
    replace(inside, offset_m=-12.0).apply(ride(speed_mps=5.0, bend_per_m=0.1))


@pytest.mark.parametrize(
    "wrong",
    [
        {"offset_m": float("nan")},
        {"offset_m": 51.0},
        {"duration_us": 0},
        {"start_us": 2**60},
    ],
)
@pytest.mark.parametrize("edit", [LEFT, LateralOffset(offset_m=1.0, start_us=0, duration_us=1)])
def test_an_impossible_edit_cannot_be_made(edit: EgoEdit, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        replace(edit, **wrong)


def test_the_union_is_closed_and_its_tags_differ() -> None:
    assert set(EDIT_KINDS.values()) == set(get_args(Edit))
    assert {"lateral-offset", "lane-change"} <= EDIT_KINDS.keys()


def test_an_ego_edit_of_a_scene_leaves_the_rest() -> None:
    clip = make_clip(actors=(parked_car(30.0, 4.0),))
    edited = EditedScene(
        ego=clip.ego, actors=clip.actors, camera=CameraLook(exposure_ev=1.0), start_us=0, end_us=1
    )
    assert apply_edit(LEFT, edited) == replace(edited, ego=LEFT.apply(clip.ego))
