"""Processes that work: what happens when one of them does not come back."""

import os

import pytest

from scenes.errors import OtherlaneError
from scenes.workers import working


def nothing() -> None:
    pass


def test_a_worker_that_dies_is_said_with_what_to_try() -> None:
    with (
        pytest.raises(OtherlaneError, match="a worker process died") as told,
        working(2, nothing) as pool,
    ):
        pool.submit(os._exit, 3).result()
    assert "fewer workers" in str(told.value)


def test_results_come_in_order() -> None:
    with working(2, nothing) as pool:
        assert list(pool.map(abs, range(-9, 0), chunksize=2)) == list(range(9, 0, -1))
