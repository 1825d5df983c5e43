"""Processes that work: what happens when one of them does not come back."""

import os
import signal
import threading
import time

import pytest

from scenes.errors import OtherlaneError
from scenes.work.workers import working


def nothing() -> None:
    pass


def test_a_worker_that_dies_is_said_with_what_to_try() -> None:
    with (
        pytest.raises(OtherlaneError, match="a worker process died") as told,
        working(2, nothing) as pool,
    ):
        pool.submit(os._exit, 3).result()
    assert "fewer workers" in str(told.value)


def test_they_never_hear_ctrl_c() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with working(2, nothing) as pool:
        deaf = [pool.submit(hears_ctrl_c).result() for _ in range(4)]
    assert not any(deaf)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before, "only they are deaf"


def hears_ctrl_c() -> bool:
    return signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_they_end_quietly_when_the_wait_for_them_is_interrupted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    troubles: list[object] = []
    monkeypatch.setattr(threading, "excepthook", troubles.append)
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not troubles


def interrupted() -> None:
    with working(2, nothing) as pool:
        for _ in pool.map(slowly, range(40)):
            raise KeyboardInterrupt


def slowly(number: int) -> int:
    time.sleep(0.1)
    return number


def test_what_goes_wrong_in_one_is_raised_here() -> None:
    with pytest.raises(ZeroDivisionError), working(2, nothing) as pool:
        list(pool.map(divmod, [1, 1], [1, 0]))


def test_results_come_in_order() -> None:
    with working(2, nothing) as pool:
        assert list(pool.map(abs, range(-9, 0), chunksize=2)) == list(range(9, 0, -1))
