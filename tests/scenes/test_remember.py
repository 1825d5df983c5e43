import numpy as np

from scenes.edits.ego import LaneChange
from scenes.motion.trajectory import Trajectory
from scenes.work.memoize import memoized
from tests.clip_maker import ride


def test_arrays_are_told_apart_by_identity_and_edits_by_value() -> None:
    asked: list[float] = []

    @memoized(2)
    def length_m(path: Trajectory, edit: LaneChange) -> float:
        asked.append(edit.offset_m)
        return float(edit.apply(path).travelled_m()[-1])

    path, same = ride(), ride()
    left, right = (
        LaneChange(offset_m=side, start_us=0, duration_us=3_000_000) for side in (3.0, -3.0)
    )
    again = LaneChange(offset_m=3.0, start_us=0, duration_us=3_000_000)
    assert length_m(path, left) == length_m(path, again)
    assert asked == [3.0]
    assert length_m(same, left) == length_m(path, left)
    assert asked == [3.0, 3.0]
    length_m(path, right)  # the third: the oldest is forgotten
    length_m(path, left)
    assert asked == [3.0, 3.0, -3.0, 3.0]


def test_what_is_remembered_outlives_its_argument() -> None:
    @memoized(8)
    def first_x_m(path: Trajectory) -> float:
        return float(path.world_from_body[0, 0, 3])

    for number in range(40):  # a new path may be where a forgotten one was
        moved = ride().shifted_left(np.zeros(61))
        moved.world_from_body[0, 0, 3] = number
        assert first_x_m(moved) == number
