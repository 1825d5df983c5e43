import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import TypeCheckError
from numpy.testing import assert_allclose, assert_array_equal

from scenes.motion.geometry import invert, rigid, rigid_problem, yaw_rotation
from scenes.motion.trajectory import Trajectory
from tests.strategies import arrays, trajectories, transforms


def straight(count: int = 5, speed_mps: float = 10.0) -> Trajectory:
    time_us = np.arange(count, dtype=np.int64) * 100_000
    place_m = np.outer(time_us * 1e-6, [speed_mps, 0.0, 0.0])
    return Trajectory(
        time_us=time_us, world_from_body=rigid(np.tile(np.eye(3), (count, 1, 1)), place_m)
    )


@given(trajectories())
def test_interpolation_hits_its_knots(path: Trajectory) -> None:
    assert_array_equal(path.at(path.time_us), path.world_from_body)


@given(trajectories(), st.lists(st.integers(-(2**50), 2**50), min_size=1, max_size=5))
def test_at_any_time_it_is_a_rigid_transform(path: Trajectory, at_us: list[int]) -> None:
    assert rigid_problem(path.at(np.array(at_us))) is None


@given(st.lists(st.integers(-100, 100), max_size=5))
def test_times_must_increase(times_us: list[int]) -> None:
    poses = np.tile(np.eye(4), (len(times_us), 1, 1))
    if times_us and all(a < b for a, b in zip(times_us[:-1], times_us[1:], strict=True)):
        assert len(Trajectory(time_us=np.array(times_us), world_from_body=poses)) == len(times_us)
        return
    with pytest.raises(ValueError, match="increasing"):
        Trajectory(time_us=np.array(times_us, dtype=np.int64), world_from_body=poses)


def test_one_pose_a_time_and_every_one_rigid() -> None:
    time_us, poses = np.array([0, 1]), np.tile(np.eye(4), (3, 1, 1))
    # Shape annotations, which only the tests enforce, speak before the type's own check.
    with pytest.raises((ValueError, TypeCheckError), match=r"2 times but 3 poses|world_from_body"):
        Trajectory(time_us=time_us, world_from_body=poses)
    with pytest.raises(ValueError, match="pose 1 is not a rotation"):
        Trajectory(time_us=time_us, world_from_body=poses[:2] * [[[1.0]], [[1.5]]])


@given(trajectories(), arrays((2,), -5.0, 5.0))
def test_shifts_add_and_zero_is_none(path: Trajectory, offset_m: np.ndarray) -> None:
    size = len(path)
    assert path.shifted_left(np.zeros(size)) == path
    twice = path.shifted_left(np.full(size, offset_m[0])).shifted_left(np.full(size, offset_m[1]))
    once = path.shifted_left(np.full(size, offset_m.sum()))
    assert_allclose(twice.world_from_body, once.world_from_body, atol=1e-9)
    assert_array_equal(once.world_from_body[:, :3, :3], path.world_from_body[:, :3, :3])


def test_left_of_a_car_that_drives_along_y_is_minus_x() -> None:
    turned = rigid(yaw_rotation(np.array([0.5 * np.pi])), np.zeros((1, 3)))
    path = Trajectory(time_us=np.array([0]), world_from_body=turned).shifted_left(np.array([3.0]))
    assert_allclose(path.world_from_body[0, :3, 3], [-3.0, 0.0, 0.0], atol=1e-12)


@given(trajectories(), transforms())
def test_mounting_and_unmounting_is_nothing(path: Trajectory, body_from_sensor: np.ndarray) -> None:
    back = path.mounted(body_from_sensor).mounted(invert(body_from_sensor))
    assert_allclose(back.world_from_body, path.world_from_body, atol=1e-9)


@given(trajectories(), transforms())
def test_speed_and_distance_do_not_depend_on_the_world(path: Trajectory, moved: np.ndarray) -> None:
    other = Trajectory(time_us=path.time_us, world_from_body=moved @ path.world_from_body)
    assert_allclose(other.travelled_m(), path.travelled_m(), atol=1e-6)
    assert_allclose(other.speed_mps(), path.speed_mps(), rtol=1e-6, atol=1e-6)


def test_speed_and_distance_of_a_straight_drive() -> None:
    assert_allclose(straight().speed_mps(), 10.0)
    assert_allclose(straight().travelled_m(), [0.0, 1.0, 2.0, 3.0, 4.0])
    assert_array_equal(straight(count=1).speed_mps(), [0.0])


@given(trajectories())
def test_it_can_be_sent_to_a_worker(path: Trajectory) -> None:
    assert pickle.loads(pickle.dumps(path)) == path  # noqa: S301


def test_distance_is_to_the_nearest_point_of_the_path() -> None:
    path = straight(count=2, speed_mps=100.0)  # from 0 to 10 m along x
    for place, wanted in (([5.0, 3.0, 0.0], 3.0), ([-3.0, 4.0, 0.0], 5.0), ([4.3, 0.0, 0.0], 0.0)):
        assert path.distance_m(np.array(place)) == pytest.approx(wanted)
    assert straight(count=1).distance_m(np.array([3.0, 4.0, 0.0])) == pytest.approx(5.0)


@given(trajectories(), st.lists(st.integers(-(2**50), 2**50), min_size=1, max_size=5))
def test_a_place_is_that_of_the_pose(path: Trajectory, at_us: list[int]) -> None:
    for time_us in at_us:
        wanted = path.at(np.array([time_us]))[0, :3, 3]
        assert_allclose(path.place_m(time_us), wanted, rtol=1e-9, atol=1e-6)
