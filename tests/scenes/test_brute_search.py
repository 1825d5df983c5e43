"""The search that judges refusals finds what there is, and nothing where there is nothing."""

import numpy as np
import pytest

from benchmarks.requested_criticality import plain_drive
from tests.brute_search import find
from tests.clip_maker import make_clip, ride


@pytest.mark.parametrize("family", ["stationary", "crossing"])
def test_finds_a_motion_on_an_empty_road(family: str) -> None:
    assert find(plain_drive(make_clip(ride(speed_mps=12.0, seconds=8.0))), family, 1.2, 12)


def test_finds_nothing_where_nobody_can_drive_or_the_window_does_not_fit() -> None:
    drive = plain_drive(make_clip(ride(speed_mps=12.0, seconds=8.0)))
    nowhere = drive | {"off_road": lambda xy_m: np.ones(len(xy_m), dtype=bool)}
    assert not find(nowhere, "cut-in", 1.2, 2)
    assert not find(plain_drive(make_clip(ride(seconds=2.0))), "cut-in", 1.2, 2)
