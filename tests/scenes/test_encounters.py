"""What `scenes.safety.encounters` tells of a window agrees with closed forms, however short a
meeting is, and invents no motion that nobody knows.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from scenes.actor import Actor
from scenes.criticality.drive import ego_boxes, windowed
from scenes.edits.edited_scene import EditedScene
from scenes.motion.geometry import rigid, yaw_rotation
from scenes.motion.trajectory import Trajectory
from scenes.safety.definitions import distance_m, moving, post_encroachment_s
from scenes.safety.encounters import Ego, Encounter, encounter_at
from scenes.safety.min_distance import (
    TOLERANCE_M,
    TOLERANCE_US,
    least_distance_m,
    least_encroachment_s,
    plan_path,
)
from scenes.semantics import Semantic
from tests.clip_maker import make_clip, noisy, parked_car, ride

BOX = np.array([4.0, 2.0, 1.5])
CAR = np.array([4.0, 1.8, 1.5])


def straight(x_m: float, y_m: float, yaw: float, speed_mps: float, seconds: float) -> Trajectory:
    """A box that goes straight, known at 10 Hz."""
    time_us = np.arange(0, round(seconds * 1e6) + 1, 100_000)
    gone = speed_mps * time_us * 1e-6
    place = np.stack([x_m + gone * np.cos(yaw), y_m + gone * np.sin(yaw), 0.0 * gone], axis=-1)
    return Trajectory(
        time_us=time_us, world_from_body=rigid(yaw_rotation(np.full(len(time_us), yaw)), place)
    )


def meeting(
    ego: Trajectory,
    actor: Actor,
    time_us: int,
    window_us: tuple[int, int],
    *,
    recorded: bool = True,
) -> Encounter | None:
    """How an ego, whose origin has this path, and another meet at a time."""
    clip = make_clip(ego, (actor,) if recorded else ())
    edited = EditedScene(ego=ego, actors=(actor,), start_us=window_us[0], end_us=window_us[1])
    return encounter_at(Ego.of(edited, clip), actor, time_us)


def oncoming(time_us: np.ndarray, at_0_m: float = 60.0, speed_mps: float = 15.0) -> Actor:
    """A car that comes towards an ego on the x axis."""
    place = np.stack([at_0_m - speed_mps * time_us * 1e-6, 0.0 * time_us, 0.0 * time_us], axis=-1)
    poses = rigid(yaw_rotation(np.full(len(time_us), np.pi)), place)
    path = Trajectory(time_us=time_us, world_from_body=poses)
    return Actor(id=5, kind=Semantic.CAR, size_m=CAR, trajectory=path)


def test_a_crash_between_two_samples_is_a_crash() -> None:
    # Corners meet for a few milliseconds, far from every multiple of 50 ms.
    own = plan_path(straight(-26.4, 0.0, 0.0, 24.0, 3.0), BOX, 0, 3_000_000)
    for early_m in (0.02, 0.05, 0.1):
        # The rear of the first leaves the other's way as the other's front arrives.
        leaves_s = (26.4 + 1.0 + 2.0) / 24.0
        from_m = -(17.8 * leaves_s + 1.0 + 2.0) + early_m
        path = straight(0.0, from_m, np.pi / 2, 17.8, 3.0)
        other = plan_path(path, BOX, 0, 3_000_000)
        assert least_distance_m(own, other) == 0.0
        assert least_encroachment_s(own, other) == 0.0


@given(st.floats(3.0, 30.0), st.floats(3.0, 30.0), st.floats(-40.0, 40.0))
def test_right_angles_agree_with_the_closed_form(own: float, other: float, late_m: float) -> None:
    # Both would be in the middle at 1.5 s, but for how late the other is.
    first = plan_path(straight(-1.5 * own, 0.0, 0.0, own, 9.0), BOX, 0, 9_000_000)
    from_m = -1.5 * other - late_m
    then = plan_path(straight(0.0, from_m, np.pi / 2, other, 9.0), BOX, 0, 9_000_000)
    times = [1.5 + way / own for way in (-3.0, 3.0)] + [
        (way - from_m) / other for way in (-3.0, 3.0)
    ]
    gap_s = max(times[2] - times[1], times[0] - times[3])
    if times[0] < 0.0 or times[2] < 0.0 or times[1] > 9.0 or times[3] > 9.0:
        return
    got = least_encroachment_s(first, then)
    assert max(gap_s, 0.0) - 1e-9 <= got <= max(gap_s, 0.0) + 1e-6 * TOLERANCE_US
    # Rectangles are in each other's way, in time, if and only if they touch.
    apart_m = least_distance_m(first, then)
    if gap_s <= -1e-6:
        assert apart_m <= TOLERANCE_M
    elif gap_s > 1e-6:
        assert apart_m > 0.0
        after = np.linspace(0.0, 9.0, 90_001)
        x = np.maximum(np.abs(own * (after - 1.5)) - 3.0, 0.0)
        y = np.maximum(np.abs(from_m + other * after) - 3.0, 0.0)
        assert apart_m <= np.hypot(x, y).min() + TOLERANCE_M


@settings(max_examples=15, deadline=None)
@given(st.floats(2.0, 20.0), st.floats(-0.05, 0.05), st.floats(-8, 8), st.integers(0, 99))
def test_bends_and_noise_agree_with_dense_samples(
    speed: float, bend_per_m: float, aside_m: float, seed: int
) -> None:
    a = noisy(ride(speed_mps=speed, bend_per_m=bend_per_m, seconds=3.0), 0.02, seed)
    b = straight(15.0, aside_m - 6.0, 1.2, 5.0, 2.0)
    ways = [plan_path(path, BOX, 200_000, 2_800_000) for path in (a, b)]
    common = np.arange(200_000, 2_000_001, 200)
    dense = distance_m(moving(a, common), BOX, moving(b, common), BOX).min()
    got = least_distance_m(ways[0], ways[1])
    assert dense - 0.01 <= got <= dense + TOLERANCE_M
    times = [np.arange(200_000, end + 1, 2_000) for end in (2_800_000, 2_000_000)]
    known = post_encroachment_s(
        moving(a, times[0]), BOX, times[0], moving(b, times[1]), BOX, times[1]
    )
    found = least_encroachment_s(ways[0], ways[1])
    if np.isfinite(known):
        assert known - 0.005 <= found <= known + 1e-6 * TOLERANCE_US


def test_a_follower_keeps_its_gap_in_time() -> None:
    lead = plan_path(straight(20.0, 0.0, 0.0, 10.0, 5.0), BOX, 0, 5_000_000)
    own = plan_path(straight(0.0, 0.0, 0.0, 10.0, 5.0), BOX, 0, 5_000_000)
    assert_allclose(least_encroachment_s(own, lead), 1.6, atol=1e-6 * TOLERANCE_US)
    assert_allclose(least_distance_m(own, lead), 16.0, atol=1e-9)


@pytest.mark.parametrize("stands", [True, False])
def test_one_pose_says_nothing_about_motion(*, stands: bool) -> None:
    one = oncoming(np.array([1_000_000]), speed_mps=0.0 if stands else 15.0)
    met = meeting(ride(speed_mps=15.0), one, 1_000_000, (0, 6_000_000))
    assert met is not None
    assert met.distance_m > 0.0
    assert (met.ttc_s, met.headway_s, met.required_deceleration_mps2) == (None, None, None)
    assert meeting(ride(speed_mps=15.0), one, 1_100_000, (0, 6_000_000)) is None


def test_an_ego_of_one_pose_has_no_known_motion() -> None:
    once = windowed(ride(), 1_000_000, 1_000_000)
    met = meeting(once, oncoming(np.arange(0, 3_000_001, 100_000)), 1_000_000, (0, 6_000_000))
    assert met is not None
    assert (met.ttc_s, met.headway_s, met.required_deceleration_mps2) == (None, None, None)


@pytest.mark.parametrize("window_us", [(0, 6_000_000), (0, 1_000_000), (1_000_000, 1_000_000)])
@pytest.mark.parametrize("first_us", [0, 1_000_000])
def test_velocities_are_those_of_the_whole_track(first_us: int, window_us: tuple[int, int]) -> None:
    ego = ride(speed_mps=15.0)
    other = oncoming(np.arange(first_us, 6_000_001, 100_000), at_0_m=90.0)
    met = meeting(ego, other, 1_000_000, window_us)
    assert met is not None
    assert met.ttc_s is not None
    assert met.headway_s is not None
    front_m = ego_boxes(ego, make_clip(ego)).world_from_body[0, 0, 3] + 15.0 + 4.5 / 2
    assert_allclose(met.ttc_s, (75.0 - 2.0 - front_m) / 30.0, atol=1e-9)
    assert_allclose(met.headway_s, (75.0 - 2.0 - front_m) / 15.0, atol=1e-9)


def jittering(seed: int = 1) -> Actor:
    """A parked car whose tracked box jitters by some centimetres at 10 Hz."""
    known = parked_car(60.0, 0.0)
    places = np.random.default_rng(seed).normal(0.0, 0.06, (31, 3))
    poses = np.repeat(known.trajectory.world_from_body[:1], 31, axis=0)
    poses[:, :3, 3] += places
    path = Trajectory(time_us=np.arange(31) * 100_000, world_from_body=poses)
    return replace(known, trajectory=path)


def test_who_stands_stands_however_its_box_jitters() -> None:
    car = jittering()
    assert not car.is_moving
    told = [meeting(ride(speed_mps=12.0), car, at, (0, 6_000_000)) for at in (0, 100_000, 500_000)]
    times = [one.ttc_s for one in told if one is not None and one.ttc_s is not None]
    assert_allclose(times, times[0] - np.array([0.0, 0.1, 0.5]), atol=1e-9)
    # It is in its place after its track too, as it is in the pictures.
    later = meeting(ride(speed_mps=12.0), car, 3_500_000, (0, 6_000_000))
    assert later is not None
    assert later.ttc_s is not None
    assert_allclose(later.ttc_s, times[0] - 3.5, atol=1e-9)


def test_who_was_put_there_stands_only_while_it_is_there() -> None:
    car, ego = jittering(), ride(speed_mps=12.0)
    assert meeting(ego, car, 3_500_000, (0, 6_000_000), recorded=False) is None
    put = meeting(ego, car, 1_000_000, (0, 6_000_000), recorded=False)
    recorded = meeting(ego, car, 1_000_000, (0, 6_000_000))
    assert put is not None
    assert recorded is not None
    assert put.ttc_s == recorded.ttc_s
    # The ego gets there after the last of its poses only.
    assert put.min_distance_m > 0.0
    assert recorded.min_distance_m == 0.0


def test_touching_is_no_collision() -> None:
    # An ego whose front touches the rear of a car; nothing is rounded here.
    ego = straight(0.0, 0.0, 0.0, 8.0, 1.0)
    clip = make_clip(ego)
    front_m = float(ego_boxes(ego, clip).world_from_body[0, 0, 3]) + 0.5 * clip.ego_size_m[0]
    for shift_m, collides in ((0.0, False), (-1e-6, True), (1e-6, False)):
        car = parked_car(front_m + 2.0 + shift_m, 0.0, seconds=1.0)
        met = meeting(ego, car, 0, (0, 1_000_000))
        assert met is not None
        assert met.collision is collides
        assert (met.contact_point_m is not None) is collides
        assert (met.distance_m == 0.0) is (shift_m <= 0.0)
        assert met.ttc_s is not None
        assert (met.ttc_s == 0.0) is (shift_m <= 0.0)


def test_a_crash_between_two_samples_is_told_of_an_encounter() -> None:
    ego = ride(speed_mps=24.0, seconds=4.0)
    from_m = float(ego_boxes(ego, make_clip(ego)).world_from_body[0, 0, 3])
    # The ego's rear is about to leave the other's way.
    leaves_s = (40.0 - from_m + 0.5 * CAR[1] + 0.5 * 4.5) / 24.0
    path = straight(40.0, 0.1 - 17.8 * leaves_s - 2.0 - 0.9, np.pi / 2, 17.8, 4.0)
    met = meeting(
        ego, Actor(id=5, kind=Semantic.CAR, size_m=CAR, trajectory=path), 0, (0, 4_000_000)
    )
    assert met is not None
    assert (met.min_distance_m, met.pet_s) == (0.0, 0.0)
