from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose

from scenes.sensors.lidar import Lidar, Sweep
from tests.strategies import lidars

FOUR = Lidar(elevation_rad=(0.0, 0.5), azimuth_steps=4, period_us=100_000, max_range_m=100.0)


@given(lidars())
def test_every_firing_has_a_direction_of_length_one(lidar: Lidar) -> None:
    directions = lidar.directions()
    assert directions.shape == (lidar.azimuth_steps, len(lidar.elevation_rad), 3)
    assert_allclose(np.linalg.norm(directions, axis=-1), 1.0, atol=1e-12)
    elevation = np.broadcast_to(lidar.elevation_rad, directions.shape[:2])
    assert_allclose(np.arcsin(directions[..., 2]), elevation, atol=1e-6)


@given(lidars())
def test_firings_follow_each_other_within_a_turn(lidar: Lidar) -> None:
    offsets = lidar.offsets_us()
    assert offsets[0] == 0
    assert np.all(np.diff(offsets) >= 0)
    assert np.all(offsets <= lidar.period_us)


def test_it_turns_clockwise_from_behind() -> None:
    level = FOUR.directions()[:, 0]
    behind, left, ahead, right = [-1, 0, 0], [0, 1, 0], [1, 0, 0], [0, -1, 0]
    assert_allclose(level, [behind, left, ahead, right], atol=1e-12)
    assert FOUR.offsets_us().tolist() == [0, 25_000, 50_000, 75_000]


@pytest.mark.parametrize(
    "change",
    [{"elevation_rad": ()}, {"azimuth_steps": 0}, {"period_us": -1}, {"max_range_m": 0.0}],
)
def test_impossible_lidars_are_refused(change: dict) -> None:
    with pytest.raises(ValueError, match=r"needs at least|impossible"):
        replace(FOUR, **change)


def test_impossible_sweeps_are_refused() -> None:
    good = Sweep(
        xyz_m=np.ones((2, 3), np.float32),
        offset_us=np.zeros(2, np.int32),
        intensity=np.zeros(2, np.float32),
    )
    with pytest.raises(ValueError, match="not finite"):
        replace(good, xyz_m=np.full((2, 3), np.inf, np.float32))
