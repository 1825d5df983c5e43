import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from scenes.edits.ego import LaneChange, LateralOffset
from scenes.errors import InfeasibleError
from scenes.motion.geometry import rigid, yaw_rotation
from scenes.motion.kinematics import Motion, exact_motion, motion
from scenes.motion.limits import PASSENGER_CAR, VehicleLimits, breach, check_limits
from scenes.motion.smoothing import steady
from scenes.motion.trajectory import Trajectory
from scenes.safety.definitions import boxes_overlap
from tests.clip_maker import noisy, ride

LEFT = LaneChange(offset_m=3.0, start_us=500_000, duration_us=3_000_000)
HASTY = replace(LEFT, duration_us=1_000_000)


def refusal(ego: Trajectory, *edits: LaneChange | LateralOffset) -> InfeasibleError:
    with pytest.raises(InfeasibleError) as refused:
        check_limits(ego, edits)
    return refused.value


def suggested(error: InfeasibleError, key: str) -> float | None:
    found = re.search(rf"{key} = (-?[\d.]+)", error.fix)
    return float(found.group(1)) if found else None


def passes(ego: Trajectory, *edits: LaneChange | LateralOffset) -> bool:
    try:
        check_limits(ego, edits, suggest=False)
    except InfeasibleError:
        return False
    return True


# --- motion ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [1.5, 2.31, 4.0])
def test_a_lane_change_demands_what_the_closed_form_says(seconds: float) -> None:
    # On a straight at constant speed the offset is d (10u³ - 15u⁴ + 6u⁵), u = t / T, whose second
    # derivative peaks at 10/sqrt(3) d/T² and whose third at 60 d/T³, at both ends.
    edit = replace(LEFT, duration_us=round(seconds * 1e6))
    demanded = exact_motion(edit.apply(steady(ride(speed_mps=25.0))))
    lateral = 10.0 / np.sqrt(3.0) * 3.0 / seconds**2
    assert_allclose(abs(demanded.lateral_mps2).max(), lateral, rtol=0.01)
    assert_allclose(abs(demanded.lateral_jerk_mps3).max(), 60.0 * 3.0 / seconds**3, rtol=0.03)
    assert_allclose(abs(demanded.curvature_per_m).max(), lateral / 25.0**2, rtol=0.02)
    assert_allclose(abs(demanded.forward_mps2).max(), 0.0, atol=1.0)


@given(st.floats(2.0, 40.0), st.floats(-0.08, 0.08), st.integers(0, 10**6))
def test_noise_hides_no_circle(speed_mps: float, bend_per_m: float, seed: int) -> None:
    bend_per_m *= min(1.0, 9.0 / speed_mps**2 / 0.08)  # as cars do: at most 9 m/s²
    driven = motion(noisy(ride(speed_mps=speed_mps, bend_per_m=bend_per_m), 0.01, seed))
    inner = slice(100, -100)  # half a second from the ends, where the past or the future is missing
    assert_allclose(driven.speed_mps[inner], speed_mps, atol=0.1)
    assert_allclose(driven.lateral_mps2[inner], speed_mps**2 * bend_per_m, atol=0.35)
    assert_allclose(driven.curvature_per_m[inner], bend_per_m, atol=0.01 + 0.2 / speed_mps**2)


def test_braking_without_noise_is_exact() -> None:
    driven = motion(ride(speed_mps=20.0, braking_mps2=3.0))
    assert_allclose(driven.forward_mps2, -3.0, atol=1e-5)
    assert_allclose(driven.speed_mps[1:-1], 20.0 - 3.0 * driven.time_us[1:-1] * 1e-6, atol=1e-6)


def test_a_car_that_stands_does_not_move_however_noisy_its_poses() -> None:
    driven = motion(noisy(ride(speed_mps=0.0, seconds=30.0), 0.02))
    assert driven.speed_mps.max() < 0.2
    assert not driven.curvature_per_m.any()
    assert abs(driven.lateral_jerk_mps3).max() < 1.0


@pytest.mark.parametrize("poses", [1, 2, 3, 4])
def test_the_shortest_drives_have_a_motion(poses: int) -> None:
    ego = ride()
    short = Trajectory(time_us=ego.time_us[:poses], world_from_body=ego.world_from_body[:poses])
    assert_allclose(motion(short).speed_mps, 14.2 if poses > 1 else 0.0, atol=1e-6)


# --- limits ---------------------------------------------------------------------------------------


@given(
    st.floats(0.0, 40.0),
    st.floats(-0.3, 0.3),
    st.floats(0.0, 12.0),
    st.floats(0.0, 0.05),
    st.integers(0, 10**6),
)
def test_a_recorded_drive_is_never_refused(
    speed_mps: float, bend_per_m: float, braking_mps2: float, noise_m: float, seed: int
) -> None:
    ego = ride(speed_mps=speed_mps, bend_per_m=bend_per_m, braking_mps2=braking_mps2)
    ego = noisy(ego, noise_m, seed)
    check_limits(ego, [])
    check_limits(ego, [replace(HASTY, offset_m=0.0)])
    check_limits(ego, [LateralOffset(offset_m=0.0, start_us=0, duration_us=1)])


@given(st.integers(0, 10**6))
def test_noise_does_not_decide(seed: int) -> None:
    assert passes(noisy(ride(), 0.02, seed), LEFT)
    assert not passes(noisy(ride(), 0.02, seed), replace(LEFT, duration_us=2_400_000))


@settings(max_examples=10)
@given(
    st.floats(4.0, 35.0),
    st.floats(-1.5, 1.5),
    st.floats(0.5, 4.0),
    st.sampled_from([-1, 1]),
    st.integers(300_000, 1_200_000),
)
def test_what_a_refusal_suggests_works_and_is_the_nearest(
    speed_mps: float, bend_mps2: float, offset_m: float, side: int, duration_us: int
) -> None:
    ego = noisy(ride(speed_mps=speed_mps, bend_per_m=bend_mps2 / speed_mps**2), 0.01)
    edit = LaneChange(offset_m=side * offset_m, start_us=500_000, duration_us=duration_us)
    if passes(ego, edit):
        return
    error = refusal(ego, edit)
    least_us, most_m = suggested(error, "duration_us"), suggested(error, "offset_m")
    assert least_us is not None
    assert passes(ego, replace(edit, duration_us=int(least_us)))
    assert not passes(ego, replace(edit, duration_us=int(least_us) - 10_000))
    if most_m is not None:
        assert passes(ego, replace(edit, offset_m=most_m))
        assert not passes(ego, replace(edit, offset_m=most_m + side * 0.01))


def test_a_refusal_names_the_edit_the_limit_its_value_and_its_bound() -> None:
    error = refusal(ride(), LEFT, replace(HASTY, start_us=4_000_000))
    assert error.reason == "lateral jerk"
    assert error.where == "scenario: edits[1]"
    assert "3 m to the left over 1 s at 14.2 m/s" in error.wrong
    assert re.search(r"17\d\.\d\d m/s³ of lateral jerk .* 10.00 m/s³", error.wrong)
    assert "duration_us = 26" in error.fix
    assert "offset_m = 0.17" in error.fix


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (VehicleLimits(lateral_jerk_mps3=1e3), "lateral acceleration"),
        (VehicleLimits(lateral_jerk_mps3=1e3, lateral_mps2=1e3, curvature_per_m=0.05), "curvature"),
    ],
)
def test_every_limit_can_be_the_one_that_breaks(limits: VehicleLimits, reason: str) -> None:
    with pytest.raises(InfeasibleError) as refused:
        check_limits(ride(), [HASTY], limits)
    assert refused.value.reason == reason


@pytest.mark.parametrize("speed_mps", [0.1, 0.5, 2.0])
def test_a_slow_car_turns_no_tighter_than_its_wheels_allow(speed_mps: float) -> None:
    # 10/sqrt(3) d / way² <= 0.18 1/m: 3 m aside need some 10 m ahead, whatever the time.
    ego = ride(speed_mps=speed_mps, seconds=20.0)
    short = LaneChange(offset_m=3.0, start_us=0, duration_us=round(6.0 / speed_mps * 1e6))
    error = refusal(ego, replace(short, duration_us=min(short.duration_us, 18_000_000)))
    assert error.reason == "curvature"


def test_a_bend_takes_its_share_of_the_grip() -> None:
    ego = ride(speed_mps=12.0, bend_per_m=0.022)  # 3.2 m/s² already
    to_the_left = replace(LEFT, duration_us=3_500_000)
    assert passes(ride(speed_mps=12.0), to_the_left)
    assert refusal(ego, to_the_left).reason == "lateral acceleration"


def test_a_bend_driven_harder_than_the_limit_still_allows_a_gentle_edit_inwards() -> None:
    ego = ride(speed_mps=12.0, bend_per_m=0.035)  # 5 m/s²: recorded, so it can be done
    check_limits(ego, [])
    # Further out the same bend is wider, but the car goes round it in the same time: faster.
    beside = LateralOffset(offset_m=1.0, start_us=-1, duration_us=1)
    assert passes(ego, beside)
    assert not passes(ego, replace(beside, offset_m=-1.0))


def test_a_slide_is_held_to_the_same_limits_but_a_parallel_drive_is_not_a_manoeuvre() -> None:
    slide = LateralOffset(offset_m=3.0, start_us=1_000_000, duration_us=1_000_000)
    assert refusal(ride(), slide).reason == "lateral jerk"
    assert passes(ride(), replace(slide, start_us=-1, duration_us=1))


def test_a_car_that_stands_is_told_so() -> None:
    error = refusal(ride(speed_mps=0.0), LEFT)
    assert (error.where, error.reason) == ("scenario: edits[0]", "standing still")


def test_the_worst_breach_is_the_one_reported() -> None:
    calm = exact_motion(steady(ride(bend_per_m=0.0)))
    wild: Motion = replace(
        calm,
        lateral_mps2=calm.lateral_mps2 + 8.0,
        forward_mps2=calm.forward_mps2 - 27.0,
    )
    broken = breach(wild, calm, PASSENGER_CAR)
    assert broken is not None
    assert (broken.limit, broken.bound) == ("braking", 9.0)
    assert_allclose(broken.value, 27.0, atol=1e-6)
    assert breach(wild, wild, PASSENGER_CAR) is None


# --- overlap --------------------------------------------------------------------------------------


def box(x_m: float, y_m: float, yaw: float) -> np.ndarray:
    return rigid(yaw_rotation(np.array([float(yaw)])), np.array([[x_m, y_m, 0.0]]))


def overlap(a: np.ndarray, size_a: np.ndarray, b: np.ndarray, size_b: np.ndarray) -> bool:
    return bool(boxes_overlap(a, size_a, b, size_b)[0])


def overlap_area_m2(a: np.ndarray, size_a: np.ndarray, b: np.ndarray, size_b: np.ndarray) -> float:
    """By cutting one rectangle with the other's sides (Sutherland-Hodgman): the slow reference."""
    signs = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * 0.5
    polygon = signs * size_a[:2] @ a[0, :2, :2].T + a[0, :2, 3]
    polygon = (polygon - b[0, :2, 3]) @ b[0, :2, :2]
    for axis, sign in ((0, 1), (0, -1), (1, 1), (1, -1)):
        inside = 0.5 * size_b[axis] - sign * polygon[:, axis]
        kept = []
        for i in range(len(polygon)):
            j = (i + 1) % len(polygon)
            if inside[i] >= 0:
                kept.append(polygon[i])
            if inside[i] * inside[j] < 0:
                share = inside[i] / (inside[i] - inside[j])
                kept.append(polygon[i] + share * (polygon[j] - polygon[i]))
        if len(kept) < 3:
            return 0.0
        polygon = np.array(kept)
    x, y = polygon.T
    return float(0.5 * abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)))


boxes = st.builds(box, st.floats(-4, 4), st.floats(-4, 4), st.floats(-4, 4))
sizes = st.builds(lambda x, y: np.array([x, y, 1.5]), st.floats(0.3, 6.0), st.floats(0.3, 6.0))


@given(boxes, sizes, boxes, sizes)
def test_overlap_agrees_with_cutting_polygons(
    a: np.ndarray, size_a: np.ndarray, b: np.ndarray, size_b: np.ndarray
) -> None:
    area_m2 = overlap_area_m2(a, size_a, b, size_b)
    if area_m2 > 1e-9:
        assert overlap(a, size_a, b, size_b)
    else:  # what touches within a millionth of a metre may be called either
        assert not overlap(a, size_a * (1 - 1e-6), b, size_b * (1 - 1e-6))
    assert overlap(a, size_a, b, size_b) == overlap(b, size_b, a, size_a)


def test_boxes_that_cross_overlap_though_no_corner_is_inside() -> None:
    long = np.array([6.0, 0.5, 1.0])
    assert overlap(box(0, 0, 0), long, box(0, 0, np.pi / 2), long)


def test_boxes_that_touch_or_meet_corner_to_side_do_not_overlap() -> None:
    cube = np.ones(3)
    assert not overlap(box(0, 0, 0), cube, box(1, 0, 0), cube)
    reach = 0.5 + np.sqrt(0.5)
    assert not overlap(box(0, 0, 0), cube, box(reach + 1e-9, 0, np.pi / 4), cube)
    assert overlap(box(0, 0, 0), cube, box(reach - 1e-9, 0, np.pi / 4), cube)
