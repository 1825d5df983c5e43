"""Whole paths of the ego: what they do, and that a car can drive them."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from scenes.edits.ego import LaneChange
from scenes.edits.ego_paths import EgoDetour, EgoPath, EgoSpeed
from scenes.edits.ego_u_turn import EgoUTurn
from scenes.errors import InfeasibleError
from scenes.motion.geometry import rigid, rotation_exp
from scenes.motion.kinematics import exact_motion
from scenes.motion.limits import check_limits
from scenes.motion.smoothing import steady
from scenes.motion.trajectory import Trajectory
from tests.clip_maker import noisy, ride


def yaw(path: Trajectory) -> np.ndarray:
    ahead = path.world_from_body[:, :2, 0]
    return np.unwrap(np.arctan2(ahead[:, 1], ahead[:, 0]))


def knots_of(path: Trajectory, start_us: int, step_us: int, *, headings: bool = False) -> EgoPath:
    """A path as a solver would hand it over."""
    time_us = np.arange(start_us, int(path.time_us[-1]) + 1, step_us)
    poses = path.at(time_us)
    turn = yaw(Trajectory(time_us=time_us, world_from_body=poses))
    return EgoPath(
        time_us=tuple(time_us.tolist()),
        x_m=tuple(poses[:, 0, 3].tolist()),
        y_m=tuple(poses[:, 1, 3].tolist()),
        yaw_rad=tuple(turn.tolist()) if headings else (),
    )


@pytest.mark.parametrize("noise_m", [0.0, 0.01])
@pytest.mark.parametrize("bend_per_m", [0.0, 0.02])
def test_a_car_that_brakes_on_its_way_stops_where_it_must(
    noise_m: float, bend_per_m: float
) -> None:
    ego = noisy(ride(speed_mps=10.0, bend_per_m=bend_per_m), noise_m)
    edit = EgoSpeed(start_us=1_000_000, speed_mps=0.0, change_mps2=4.0)
    check_limits(ego, [edit])
    way_m = 10.0 + 12.5
    turned = bend_per_m * way_m
    wanted = np.array([np.sin(turned), 1.0 - np.cos(turned)]) / (bend_per_m or 1.0)
    end = edit.apply(ego).world_from_body[-1, :2, 3]
    assert_allclose(end, wanted if bend_per_m else [way_m, 0.0], atol=0.01 + 10.0 * noise_m)


@pytest.mark.parametrize("bend_per_m", [0.0, 0.02, -0.03])
@pytest.mark.parametrize("noise_m", [0.0, 0.01])
def test_a_car_that_accelerates_goes_on_straight_and_stays_within_limits(
    noise_m: float, bend_per_m: float
) -> None:
    ego = noisy(ride(speed_mps=8.0, bend_per_m=bend_per_m), noise_m)
    edit = EgoSpeed(start_us=2_000_000, speed_mps=11.0, change_mps2=3.0)
    check_limits(ego, [edit])
    fast = edit.apply(ego)
    way_m = 16.0 + 9.5 + 33.0
    assert fast.travelled_m()[-1] == pytest.approx(way_m, rel=2e-3 + noise_m)
    assert np.array_equal(fast.time_us, ego.time_us)


def test_too_hard_a_stop_is_refused() -> None:
    with pytest.raises(InfeasibleError, match="braking"):
        check_limits(ride(), [EgoSpeed(start_us=0, speed_mps=0.0, change_mps2=11.0)])


def test_a_detour_comes_back() -> None:
    ego = noisy(ride(bend_per_m=0.004), 0.01)
    edit = EgoDetour(offset_m=2.0, start_us=500_000, duration_us=2_400_000, hold_us=300_000)
    check_limits(ego, [edit])
    apart = edit.apply(ego).world_from_body[:, :3, 3] - ego.world_from_body[:, :3, 3]
    left_m = np.sum(apart * ego.world_from_body[:, :3, 1], axis=1)
    held = (ego.time_us >= 2_900_000) & (ego.time_us <= 3_200_000)
    assert_allclose(left_m[held], 2.0, atol=1e-9)
    assert_allclose(left_m[ego.time_us >= 5_700_000], 0.0, atol=5e-3)
    assert left_m.max() < 2.001
    unfinished = replace(edit, hold_us=60_000_000).apply(ego)
    assert np.array_equal(unfinished.world_from_body[30], edit.apply(ego).world_from_body[30])


@pytest.mark.parametrize("across_m", [13.0, -13.0])
@pytest.mark.parametrize("bend_per_m", [0.0, 0.01, -0.01])
def test_a_u_turn_goes_back_beside_its_way(across_m: float, bend_per_m: float) -> None:
    ego = noisy(ride(speed_mps=9.0, bend_per_m=bend_per_m, seconds=11.5), 0.01)
    edit = EgoUTurn(across_m=across_m, start_us=2_000_000)
    check_limits(ego, [edit])
    turned = edit.apply(ego)
    back = turned.world_from_body[-1]
    place = np.linalg.norm(ego.world_from_body[:, :2, 3] - back[:2, 3], axis=1)
    nearest = int(np.argmin(place))
    assert place[nearest] == pytest.approx(abs(across_m), abs=0.4)
    assert nearest < 40
    assert back[:2, 0] @ ego.world_from_body[nearest, :2, 0] < -0.99
    assert turned.speed_mps()[-1] == pytest.approx(9.0, rel=0.2)
    left_m = (back[:3, 3] - ego.world_from_body[nearest, :3, 3]) @ ego.world_from_body[
        nearest, :3, 1
    ]
    assert np.sign(left_m) == np.sign(across_m)


def test_the_narrowest_u_turn_is_that_of_the_car(capsys: pytest.CaptureFixture[str]) -> None:
    ego = ride(speed_mps=9.0, seconds=16.0)

    def refused(across_m: float) -> str | None:
        try:
            check_limits(ego, [EgoUTurn(across_m=across_m, start_us=2_000_000)], suggest=False)
        except InfeasibleError as error:
            return error.reason
        return None

    tried = np.arange(11.0, 15.0, 0.25).tolist()
    answers = [refused(across_m) for across_m in tried]
    assert set(answers) == {None, "curvature"}
    narrowest = tried[answers.index(None)]
    with capsys.disabled():
        print(f"\nnarrowest U-turn: {narrowest:.2f} m; a circle at the limit: {2 / 0.18:.2f} m")
    assert 2.0 / 0.18 <= narrowest < 1.25 * 2.0 / 0.18


@pytest.mark.parametrize("off_us", [1, 1_250, 2_500, 4_999])
def test_leaving_the_drive_between_two_poses_is_no_jolt(off_us: int) -> None:
    ego = steady(ride(speed_mps=12.0, bend_per_m=0.005, seconds=7.0))
    turn = EgoUTurn(across_m=15.0, start_us=2_000_000 + off_us, speed_mps=3.4, change_mps2=5.0)
    moved = exact_motion(turn.apply(ego))
    assert abs(moved.lateral_jerk_mps3).max() < 2.5
    assert moved.forward_mps2.max() < 0.1


def test_a_u_turn_past_the_centre_of_a_bend_is_refused() -> None:
    ego = ride(speed_mps=6.0, bend_per_m=0.08, seconds=12.0)
    with pytest.raises(InfeasibleError, match="centre of the bend"):
        EgoUTurn(across_m=13.0, start_us=3_000_000).apply(ego)
    EgoUTurn(across_m=-13.0, start_us=3_000_000).apply(ego)


@pytest.mark.parametrize("noise_m", [0.0, 0.01])
@pytest.mark.parametrize("step_us", [100_000, 500_000])
@pytest.mark.parametrize("bend_per_m", [0.0, 0.01])
def test_a_path_of_knots_is_driven_as_it_was_solved(
    noise_m: float, step_us: int, bend_per_m: float
) -> None:
    ego = noisy(ride(bend_per_m=bend_per_m), noise_m)
    change = LaneChange(offset_m=3.0, start_us=1_000_000, duration_us=3_500_000)
    solved = change.apply(steady(ego))
    edit = knots_of(solved, 1_000_000, step_us)
    check_limits(ego, [edit])
    driven = edit.apply(ego)
    late = driven.time_us >= 2_000_000
    met = np.isin(driven.time_us, edit.time_us) & late
    assert met.sum() >= 9
    knots = np.isin(edit.time_us, driven.time_us[met])
    assert np.array_equal(driven.world_from_body[met, 0, 3], np.array(edit.x_m)[knots])
    assert np.array_equal(driven.world_from_body[met, 1, 3], np.array(edit.y_m)[knots])
    off = driven.world_from_body[:, :2, 3] - solved.at(driven.time_us)[:, :2, 3]
    assert np.linalg.norm(off, axis=1).max() < 0.02 + 4.0 * noise_m
    assert_allclose(yaw(driven)[late], yaw(change.apply(ego))[late], atol=0.02)


def test_headings_that_are_given_are_kept() -> None:
    ego = ride()
    edit = knots_of(ego, 1_000_000, 500_000, headings=True)
    spun = replace(edit, yaw_rad=tuple(0.1 * i for i in range(len(edit.time_us))))
    assert_allclose(yaw(spun.apply(ego))[25::5], np.arange(3, 11) * 0.1, atol=1e-9)


def test_past_its_last_knot_the_car_goes_straight_on() -> None:
    ego = ride()
    edit = knots_of(ego, 1_000_000, 500_000)
    short = replace(edit, time_us=edit.time_us[:5], x_m=edit.x_m[:5], y_m=edit.y_m[:5])
    assert_allclose(short.apply(ego).world_from_body, ego.world_from_body, atol=1e-6)


@pytest.mark.parametrize("seconds", [1.5, 2.5])
def test_a_path_that_ends_in_a_bend_or_braking_can_be_driven(seconds: float) -> None:
    ego = ride(bend_per_m=0.01)
    change = LaneChange(offset_m=3.0, start_us=500_000, duration_us=3_500_000)
    slower = EgoSpeed(start_us=500_000, speed_mps=4.0, change_mps2=3.0)
    edit = knots_of(slower.apply(change.apply(steady(ego))), 500_000, 100_000)
    count = 1 + round(seconds / 0.1)
    short = replace(edit, time_us=edit.time_us[:count], x_m=edit.x_m[:count], y_m=edit.y_m[:count])
    check_limits(ego, [short])
    driven = short.apply(ego)
    ahead = np.einsum(
        "ni,ni->n",
        np.diff(driven.world_from_body[:, :3, 3], axis=0),
        driven.world_from_body[1:, :3, 0],
    )
    assert np.all(ahead > 0.0)


@pytest.mark.parametrize("change", ["place", "speed"])
def test_a_path_that_is_not_the_cars_is_refused(change: str) -> None:
    ego = ride()
    edit = knots_of(ego, 1_000_000, 500_000)
    x_m = np.array(edit.x_m)
    elsewhere = x_m + 2.0 if change == "place" else x_m[0] + 0.7 * (x_m - x_m[0])
    with pytest.raises(InfeasibleError, match="does not begin as the car drives") as refused:
        replace(edit, x_m=tuple(elsewhere.tolist())).apply(ego)
    assert refused.value.reason == "a jump"
    assert "x_m = [14.20, ...]" in refused.value.fix


def test_slope_and_bank_are_those_of_the_road() -> None:
    tilt = rigid(rotation_exp(np.array([0.05, -0.08, 0.0])), np.array([0.0, 0.0, 7.0]))
    level = ride()
    ego = replace(level, world_from_body=tilt @ level.world_from_body)
    up = tilt[:3, 2]
    edits = (
        knots_of(
            LaneChange(offset_m=3.0, start_us=0, duration_us=4_000_000).apply(ego), 0, 500_000
        ),
        EgoSpeed(start_us=0, speed_mps=3.0, change_mps2=4.0),
        EgoUTurn(across_m=13.0, start_us=0, change_mps2=8.0),
    )
    for edit in edits:
        edited = edit.apply(ego)
        assert_allclose(edited.world_from_body[:, :3, 2], np.tile(up, (len(ego), 1)), atol=2e-3)
        above = (edited.world_from_body[:, :3, 3] - tilt[:3, 3]) @ up
        assert_allclose(above, 0.0, atol=1e-2)
