"""Laws of `scenes.safety`: closed forms, symmetry, what never happens."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from scenes.edits.edited_scene import EditedScene
from scenes.motion.limits import limits_of
from scenes.safety.definitions import (
    Moving,
    contact_point_m,
    distance_m,
    headway_s,
    moving,
    post_encroachment_s,
    required_deceleration_mps2,
    separation_m,
)
from scenes.safety.encounters import Ego, encounter_at
from scenes.safety.time_to_collision import least_time_to_collision_s, time_to_collision_s
from scenes.scenario.report import resolved
from scenes.semantics import Semantic
from tests.brute_force import ahead, corners, overlapping
from tests.clip_maker import make_clip, parked_car, ride

CAR, SMALL = np.array([4.5, 1.8, 1.5]), np.array([0.6, 0.7, 1.7])


def box(x_m: float, y_m: float, yaw: float, vx: float, vy: float, rate: float = 0.0) -> Moving:
    return Moving(
        place_m=np.array([[x_m, y_m]]), yaw=np.array([yaw]),
        velocity_mps=np.array([[vx, vy]]), yaw_rate=np.array([rate]),
    )  # fmt: skip


boxes = st.builds(
    box, st.floats(-30, 30), st.floats(-30, 30), st.floats(-4, 4), st.floats(-15, 15),
    st.floats(-15, 15), st.floats(-0.4, 0.4),
)  # fmt: skip
straight = st.builds(
    box, st.floats(-30, 30), st.floats(-30, 30), st.floats(-4, 4), st.floats(-15, 15),
    st.floats(-15, 15),
)  # fmt: skip


def straight_ttc_s(a: Moving, size_a: np.ndarray, b: Moving, size_b: np.ndarray) -> float:
    """In closed form: on every side's normal, boxes overlap from one time to another."""
    pa, pb = (
        corners(np.append(x.place_m[0], x.yaw[0]), s[:2]) for x, s in ((a, size_a), (b, size_b))
    )
    speed = (b.velocity_mps - a.velocity_mps)[0]
    enters, leaves = 0.0, np.inf
    for polygon in (pa, pb):
        for k in (0, 1):
            side = polygon[k + 1] - polygon[k]
            normal = np.array([-side[1], side[0]]) / np.hypot(*side)
            rate, low = speed @ normal, (pa @ normal).min() - (pb @ normal).max()
            high = (pa @ normal).max() - (pb @ normal).min()
            if rate == 0.0:
                if low > 0 or high < 0:
                    return np.inf
                continue
            times = sorted((low / rate, high / rate))
            enters, leaves = max(enters, times[0]), min(leaves, times[1])
    return enters if enters < leaves else np.inf


@given(straight, straight, st.sampled_from([CAR, SMALL]))
def test_uniform_straight_motion_agrees_with_the_closed_form(
    a: Moving, b: Moving, size: np.ndarray
) -> None:
    known = straight_ttc_s(a, CAR, b, size)
    got = time_to_collision_s(a, CAR, b, size)[0]
    if np.isfinite(got) and np.isfinite(known):
        assert_allclose(got, known, atol=1e-6)
    elif known < 9.999 or np.isfinite(got):  # a graze may be called either
        grown = straight_ttc_s(a, CAR + 1e-6, b, size + 1e-6)
        shrunk = straight_ttc_s(a, CAR - 1e-6, b, size - 1e-6)
        assert np.isfinite(grown)
        assert not np.isfinite(shrunk)


@pytest.mark.parametrize("radius_m", [8.0, 30.0, 200.0])
@pytest.mark.parametrize(("fast", "slow"), [(10.0, 0.0), (12.0, 7.0), (5.0, -5.0)])
def test_motion_round_a_circle_agrees_with_the_closed_form(
    radius_m: float, fast: float, slow: float
) -> None:
    # Two equal boxes on one circle: their inner corners meet when the angle between them is twice
    # the angle under which half a box is seen from the centre.
    apart = 1.2 if radius_m < 100 else 0.3
    cars = [
        box(radius_m * np.cos(at), radius_m * np.sin(at), at + np.pi / 2,
            -speed * np.sin(at), speed * np.cos(at), speed / radius_m)
        for at, speed in ((0.0, fast), (apart, slow))
    ]  # fmt: skip
    half = np.arctan2(CAR[0] / 2, radius_m - CAR[1] / 2)
    known = (apart - 2 * half) / ((fast - slow) / radius_m)
    assert_allclose(time_to_collision_s(cars[0], CAR, cars[1], CAR, 60.0), known, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(boxes, boxes, st.sampled_from([CAR, SMALL]))
def test_turning_motion_agrees_with_walking_through_time(
    a: Moving, b: Moving, size: np.ndarray
) -> None:
    after = np.arange(0.0, 4.0, 0.002)
    walked = []
    for x, size_m in ((a, CAR), (b, size)):
        state, rate = np.append(x.place_m[0], x.yaw), np.append(x.velocity_mps[0], x.yaw_rate)
        walked.append(corners(ahead(state[None], rate[None], after)[0], size_m[:2]))
    meet = overlapping(walked[0], walked[1])
    got = time_to_collision_s(a, CAR, b, size, 4.0)[0]
    if meet.any():
        assert after[np.argmax(meet)] - 0.002 - 1e-9 <= got <= after[np.argmax(meet)] + 1e-9
    elif np.isfinite(got):  # a touch too short for the walk: there is one all the same
        assert separation_m(*_at(a, b, got, size)) < 1e-6


def _at(a: Moving, b: Moving, after_s: float, size: np.ndarray) -> tuple:
    def gone(x: Moving) -> Moving:
        state = np.append(x.place_m[0], x.yaw)[None]
        there = ahead(state, np.append(x.velocity_mps[0], x.yaw_rate)[None], np.array([after_s]))
        return Moving(
            place_m=there[0, :, :2], yaw=there[0, :, 2], velocity_mps=x.velocity_mps,
            yaw_rate=x.yaw_rate,
        )  # fmt: skip

    return gone(a), CAR, gone(b), size


@given(boxes, boxes)
def test_distance_separation_contact_and_collision_agree(a: Moving, b: Moving) -> None:
    apart = separation_m(a, CAR, b, SMALL)[0]
    distance = distance_m(a, CAR, b, SMALL)[0]
    assert_allclose(distance, distance_m(b, SMALL, a, CAR)[0], atol=1e-9)
    if apart > 0:
        assert apart - 1e-9 <= distance <= 1.5 * apart + 1e-9
        assert contact_point_m(a, CAR, b, SMALL) is None
    elif apart == 0.0:
        assert contact_point_m(a, CAR, b, SMALL) is None
    elif apart < -1e-6:
        assert distance == 0.0
        assert time_to_collision_s(a, CAR, b, SMALL)[0] == 0.0
        point = contact_point_m(a, CAR, b, SMALL)
        assert point is not None
        dot = box(point[0], point[1], 0.0, 0.0, 0.0)
        tiny = np.full(3, 1e-9)
        assert separation_m(dot, tiny, a, CAR)[0] < 1e-6
        assert separation_m(dot, tiny, b, SMALL)[0] < 1e-6


@pytest.mark.parametrize(
    ("wall_x_m", "cut_m2"),
    [(0.0, 0.0), (-4.5, 0.125)],
)
def test_the_point_of_contact_is_the_middle_of_the_shared_area(
    wall_x_m: float, cut_m2: float
) -> None:
    # A square on its corner reaches 1 m into a wall: a triangle of 1 m². Where the wall ends at
    # x = 0.5, a small triangle is missing.
    wall, square = np.array([10.0, 2.0, 1.0]), np.array([2.0, 2.0, 1.0])
    tip = box(0.0, np.sqrt(2.0), np.pi / 4, 0.0, 0.0)
    point = contact_point_m(box(wall_x_m, 0.0, 0.0, 0.0, 0.0), wall, tip, square)
    x_m = -cut_m2 * (0.5 + 0.5 / 3) / (1.0 - cut_m2)
    y_m = (2 / 3 - cut_m2 * (1.0 - 0.5 / 3)) / (1.0 - cut_m2)
    assert point is not None
    assert_allclose(point, [x_m, y_m], atol=1e-9)


@given(boxes, st.floats(-1e-9, 1e-9))
def test_who_barely_overlaps_has_a_point_of_contact_at_the_touch(a: Moving, by_m: float) -> None:
    way = a.forward[0] * (0.5 * (CAR[0] + SMALL[0]) - by_m)
    b = replace(a, place_m=a.place_m + way)
    overlap = separation_m(a, CAR, b, SMALL)[0] < 0.0
    point = contact_point_m(a, CAR, b, SMALL)
    assert (point is not None) == overlap
    if point is not None:
        touch = a.place_m[0] + a.forward[0] * 0.5 * CAR[0]
        assert_allclose(point, touch, atol=0.5 * SMALL[1] + 1e-6)


def test_following_has_the_values_of_the_textbook() -> None:
    ego, lead = box(0.0, 0.0, 0.0, 15.0, 0.0), box(24.5, 0.3, 0.0, 10.0, 0.0)
    ttc = time_to_collision_s(ego, CAR, lead, CAR)
    assert_allclose(ttc, 20.0 / 5.0)
    assert_allclose(headway_s(ego, CAR, lead, CAR), 20.0 / 15.0)
    assert_allclose(required_deceleration_mps2(ego, lead, ttc), 5.0**2 / (2 * 20.0))
    beside = box(24.5, 3.5, 0.0, 10.0, 0.0)
    assert not np.isfinite(headway_s(ego, CAR, beside, CAR)[0])
    assert not np.isfinite(time_to_collision_s(ego, CAR, beside, CAR)[0])


def test_post_encroachment_time_of_a_right_angle() -> None:
    # The first leaves the crossing when its rear does; the other arrives with its front.
    time_us = np.arange(0, 6_000_001, 10_000)
    first, later = (moving(ride(speed_mps=10.0), time_us) for _ in range(2))
    crossing = Moving(
        place_m=np.stack([np.full(601, 30.0), first.place_m[:, 0] - 55.0], axis=-1),
        yaw=np.full(601, np.pi / 2), velocity_mps=later.velocity_mps, yaw_rate=later.yaw_rate,
    )  # fmt: skip
    got = post_encroachment_s(first, CAR, time_us, crossing, CAR, time_us)
    rear_leaves = (30.0 + CAR[1] / 2 + CAR[0] / 2) / 10.0
    front_arrives = (55.0 - CAR[1] / 2 - CAR[0] / 2) / 10.0
    assert_allclose(got, front_arrives - rear_leaves, atol=0.021)


places = st.tuples(st.floats(5, 60), st.floats(-4, 4))


@settings(max_examples=8, deadline=None)
@given(places, st.lists(places, min_size=1, max_size=3))
def test_adding_an_actor_never_removes_a_collision(
    first_m: tuple[float, float], more_m: list[tuple[float, float]]
) -> None:
    one = parked_car(*first_m)
    more = tuple(parked_car(*at, number=number) for number, at in enumerate(more_m, start=2))
    told, overlaps = [], []
    for actors in ((one,), (one, *more)):
        clip = make_clip(actors=actors)
        edited = EditedScene(ego=clip.ego, actors=actors, start_us=0, end_us=6_000_000)
        ego = Ego.of(edited, clip)
        told.append([encounter_at(ego, one, at) for at in range(0, 6_000_001, 1_500_000)])
        overlaps.append(json.loads(resolved({}, edited, clip))["overlaps"])
    assert told[0] == told[1]
    assert all(overlap in overlaps[1] for overlap in overlaps[0])


@given(boxes, st.lists(boxes, min_size=2, max_size=6), st.sampled_from([CAR, SMALL]))
def test_the_least_time_of_many_is_the_least_and_never_grows(
    ego: Moving, others: list[Moving], size: np.ndarray
) -> None:
    many = Moving(
        place_m=np.concatenate([one.place_m for one in others]),
        yaw=np.concatenate([one.yaw for one in others]),
        velocity_mps=np.concatenate([one.velocity_mps for one in others]),
        yaw_rate=np.concatenate([one.yaw_rate for one in others]),
    )
    each = time_to_collision_s(ego, CAR, many, size)
    least_s, at = least_time_to_collision_s(ego, CAR, many, size)
    assert least_s == each.min()
    assert each[at] == least_s
    fewer = Moving(
        place_m=many.place_m[1:], yaw=many.yaw[1:], velocity_mps=many.velocity_mps[1:],
        yaw_rate=many.yaw_rate[1:],
    )  # fmt: skip
    assert least_s <= least_time_to_collision_s(ego, CAR, fewer, size)[0]


def test_every_kind_has_limits_and_people_turn_tighter_than_trucks() -> None:
    person, truck = limits_of(Semantic.PERSON), limits_of(Semantic.TRUCK)
    assert person.curvature_per_m > truck.curvature_per_m
    assert truck.braking_mps2 < limits_of(Semantic.CAR).braking_mps2
