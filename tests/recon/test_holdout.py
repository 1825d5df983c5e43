import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recon.data.holdout import SHARES, training_frames
from scenes.errors import OtherlaneError


def held(count: int, holdout: int, train_share: float | None = None) -> list[int]:
    return np.flatnonzero(~training_frames(count, holdout, train_share)).tolist()


def test_every_eighth_picture_is_kept_out_from_the_first_on() -> None:
    assert held(20, 8) == [0, 8, 16]


def test_none_is_kept_out() -> None:
    assert held(5, 0) == []


@pytest.mark.parametrize(
    ("share", "kept"), [(0.75, [3, 7]), (0.5, [1, 3, 5, 7]), (0.25, [1, 2, 3, 5, 6, 7])]
)
def test_the_kitti_protocol(share: float, kept: list[int]) -> None:
    assert held(8, 8, share) == kept


@given(st.sampled_from(SHARES), st.integers(1, 100))
def test_the_share_is_what_it_says(share: float, groups: int) -> None:
    assert training_frames(4 * groups, 8, share).mean() == share


@given(st.integers(2, 20), st.integers(2, 100))
def test_each_picture_is_kept_out_of_one_fold(folds: int, count: int) -> None:
    out = sum(~training_frames(count, folds, None, first) for first in range(folds))
    assert np.all(out == 1)


@pytest.mark.parametrize("first", [-1, 4])
def test_a_fold_that_there_is_not_is_refused(first: int) -> None:
    with pytest.raises(OtherlaneError, match=r"holdout_first.*\n.*0 to 3"):
        training_frames(10, 4, None, first)


@given(st.integers(2, 20), st.integers(2, 100))
def test_neighbours_of_a_kept_picture_train(holdout: int, count: int) -> None:
    trains = training_frames(count, holdout, None)
    assert len(trains) == count
    kept = np.flatnonzero(~trains)
    assert trains[kept[kept + 1 < count] + 1].all()


@pytest.mark.parametrize("holdout", [1, -3])
def test_a_holdout_that_makes_no_sense(holdout: int) -> None:
    with pytest.raises(OtherlaneError, match="holdout"):
        training_frames(10, holdout, None)


def test_an_unknown_share() -> None:
    with pytest.raises(OtherlaneError, match=r"train_share: is 0\.6"):
        training_frames(10, 8, 0.6)


def test_nothing_left_to_train_on() -> None:
    with pytest.raises(OtherlaneError, match=r"none of 1 pictures(.|\n)*try: 0"):
        training_frames(1, 8, None)
