from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from scenes.motion.geometry import (
    box_corners,
    inside_box,
    interpolate_rigid,
    invert,
    rigid,
    rigid_problem,
    rotation_exp,
    rotation_log,
    transform_points,
    translation,
    yaw_rotation,
)
from tests.strategies import arrays, points, rotvecs, times, transforms

assert_near = partial(assert_allclose, rtol=0.0, atol=1e-9)


@given(transforms(3))
def test_an_inverse_undoes_on_both_sides(a_from_b: np.ndarray) -> None:
    identity = np.broadcast_to(np.eye(4), (3, 4, 4))
    assert_near(invert(a_from_b) @ a_from_b, identity)
    assert_near(a_from_b @ invert(a_from_b), identity)
    assert_near(invert(invert(a_from_b)), a_from_b)


@given(transforms(2), points(5))
def test_transforms_compose_as_their_names_cancel(pair: np.ndarray, points_c: np.ndarray) -> None:
    a_from_b, b_from_c = pair
    assert rigid_problem(pair[:1] @ pair[1:]) is None
    points_b = transform_points(b_from_c, points_c)
    composed = transform_points(a_from_b @ b_from_c, points_c)
    assert_near(transform_points(a_from_b, points_b), composed)


@given(transforms(), points(2))
def test_distances_are_kept(a_from_b: np.ndarray, points_b: np.ndarray) -> None:
    moved = transform_points(a_from_b, points_b)
    assert np.linalg.norm(moved[0] - moved[1]) == pytest.approx(
        np.linalg.norm(points_b[0] - points_b[1]), abs=1e-9
    )


@given(arrays((2, 3), -100.0, 100.0))
def test_translations_add(offset_m: np.ndarray) -> None:
    both = translation(offset_m[0]) @ translation(offset_m[1])
    assert_near(both, translation(offset_m.sum(axis=0)))


@given(rotvecs(4))
def test_exp_makes_rotations(rotvec: np.ndarray) -> None:
    assert rigid_problem(rigid(rotation_exp(rotvec), np.zeros((4, 3)))) is None


@given(rotvecs(4))
def test_log_undoes_exp(rotvec: np.ndarray) -> None:
    assert_near(rotation_log(rotation_exp(rotvec)), rotvec)


@given(arrays((4, 3), -50.0, 50.0))
def test_exp_undoes_log_however_often_it_turned(rotvec: np.ndarray) -> None:
    rotation = rotation_exp(rotvec)
    log = rotation_log(rotation)
    assert np.all(np.linalg.norm(log, axis=-1) <= np.pi + 1e-12)
    assert_near(rotation_exp(log), rotation)


@given(arrays((3,), -1.0, 1.0), st.sampled_from([np.pi, np.pi - 1e-9, 1e-9, 1e-15]))
def test_log_is_exact_at_half_a_turn_and_at_none(axis: np.ndarray, angle: float) -> None:
    length = np.linalg.norm(axis)
    rotvec = (axis / length if length > 1e-3 else np.array([0.0, 0.0, 1.0])) * angle
    assert np.linalg.norm(rotation_log(rotation_exp(rotvec))) == pytest.approx(angle, rel=1e-6)


def test_a_quarter_turn_about_up_takes_forward_to_left() -> None:
    assert_near(yaw_rotation(np.array(0.5 * np.pi)) @ [1.0, 0.0, 0.0], [0, 1, 0])


@given(st.data(), st.integers(1, 5))
def test_interpolation_hits_its_knots_exactly(data: st.DataObject, count: int) -> None:
    time_us, a_from_b = data.draw(times(count)), data.draw(transforms(count))
    assert_array_equal(interpolate_rigid(time_us, a_from_b, time_us), a_from_b)


@given(transforms(2), st.integers(1, 10**9))
def test_before_and_after_it_holds_the_ends(a_from_b: np.ndarray, early_us: int) -> None:
    time_us = np.array([0, 100])
    outside = interpolate_rigid(time_us, a_from_b, np.array([-early_us, 100 + early_us]))
    assert_array_equal(outside, a_from_b)


@given(arrays((3,), -100.0, 100.0), arrays((3,), -1.0, 1.0), st.integers(0, 1000))
def test_it_moves_and_turns_evenly(end_m: np.ndarray, turn: np.ndarray, at_us: int) -> None:
    a_from_b = rigid(rotation_exp(np.stack([np.zeros(3), turn])), np.stack([np.zeros(3), end_m]))
    (found,) = interpolate_rigid(np.array([0, 1000]), a_from_b, np.array([at_us]))
    share = at_us / 1000
    assert_near(found, rigid(rotation_exp(share * turn), share * end_m))


@given(transforms(), transforms(2), st.integers(0, 1000))
def test_it_does_not_depend_on_the_world(moved: np.ndarray, knots: np.ndarray, at_us: int) -> None:
    time_us, at = np.array([0, 1000]), np.array([at_us])
    turn = np.linalg.norm(rotation_log(knots[0, :3, :3].T @ knots[1, :3, :3]))
    if turn > np.pi - 1e-3:
        return  # half a turn can be made either way
    there = interpolate_rigid(time_us, moved @ knots, at)
    assert_allclose(there, moved @ interpolate_rigid(time_us, knots, at), rtol=0, atol=1e-6)


@given(transforms(), arrays((3,), 0.1, 10.0))
def test_a_box_ends_at_its_corners(world_from_box: np.ndarray, size_m: np.ndarray) -> None:
    corners = box_corners(size_m)
    assert_near(corners.max(axis=0) - corners.min(axis=0), size_m)
    for scale, inside in ((0.999, True), (1.001, False)):
        world = transform_points(world_from_box, scale * corners)
        assert np.all(inside_box(world_from_box, size_m, world) == inside)
    grown = inside_box(world_from_box, size_m, transform_points(world_from_box, corners), 1e-3)
    assert grown.all()


def test_corners_come_bottom_first() -> None:
    corners = box_corners(np.array([4.0, 2.0, 1.0]))
    assert_array_equal(corners[0], [2.0, 1.0, -0.5])
    assert_array_equal(corners[4], [2.0, 1.0, 0.5])
    assert len({tuple(corner) for corner in corners}) == 8


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda pose: pose * np.nan, "pose 1 is not finite"),
        (lambda pose: pose * 1.01, "pose 1 is not a rotation"),
        (lambda pose: np.diag([1.0, 1.0, -1.0, 1.0]) @ pose, "pose 1 is a mirror image"),
        (lambda pose: pose + np.eye(4)[[3]].T @ np.ones((1, 4)) * 1e-9, "the last row"),
    ],
)
def test_what_is_no_rigid_transform_is_named(change, problem: str) -> None:
    poses = rigid(rotation_exp(np.full((3, 3), 0.3)), np.ones((3, 3)))
    assert rigid_problem(poses) is None
    poses[1] = change(poses[1])
    assert problem in (rigid_problem(poses) or "")
