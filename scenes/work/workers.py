"""Processes that work, and that never outlive the one that wants the work."""

import os
import signal
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.resource_tracker import ensure_running
from threading import Thread
from typing import Any

from scenes.errors import OtherlaneError
from scenes.work.phases import quiet


@contextmanager
def working(count: int, begin: Callable[[], None]) -> Iterator[ProcessPoolExecutor]:
    """So many processes, each of which calls `begin` first.

    They end with the block; at once when an error or Ctrl-C ends it, or when this process dies,
    be it killed. `begin` is pickled; errors in it break the pool without a word.

    Raises:
        OtherlaneError: One of them died.
    """
    spawn = get_context("spawn")  # forking after threads have run may hang
    ended, alive = spawn.Pipe(duplex=False)  # only we hold `alive`: it ends when we do
    with ended, _Deaf(count, spawn, initializer=_begin, initargs=(ended, begin)) as executor:
        try:
            yield executor
        except BrokenProcessPool as error:
            fix = "run it again, with fewer workers if memory was short"
            raise OtherlaneError("workers", "a worker process died", fix) from error
        except BaseException:
            alive.close()  # else the executor would wait for all that is under way
            raise
    alive.close()


class _Deaf(ProcessPoolExecutor):
    """Its processes never hear Ctrl-C, which a terminal sends to all: not even before `_begin`.

    And what it was still to do is not cancelled when the wait for it ends: the processes end
    anyway, and the executor of Python 3.11 trips over work that was cancelled before they do.
    """

    def map(
        self, fn: Callable[..., Any], *iterables: Any, timeout: Any = None, chunksize: int = 1
    ) -> Iterator[Any]:
        """As `ProcessPoolExecutor.map`; nothing waits with a `timeout`."""
        assert timeout is None
        arguments = zip(*iterables, strict=False)
        chunks = iter(lambda: list(islice(arguments, chunksize)), [])
        futures = deque(self.submit(_each, fn, chunk) for chunk in chunks)
        return _unpacked(futures)

    def submit(self, *args: Any, **kwargs: Any) -> "Future[Any]":
        """As `ProcessPoolExecutor.submit`, which starts a process where one is missing."""
        ensure_running()  # multiprocessing's own helper, whose start would unblock the signal
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return super().submit(*args, **kwargs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _each(function: Callable[..., Any], chunk: list[tuple[Any, ...]]) -> list[Any]:
    return [function(*arguments) for arguments in chunk]


def _unpacked(futures: "deque[Future[list[Any]]]") -> Iterator[Any]:
    while futures:
        yield from futures.popleft().result()


def _begin(ended: Connection, begin: Callable[[], None]) -> None:
    """What a worker does first; neither Ctrl-C nor the terminal is its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    quiet()
    Thread(target=_end_with, args=(ended,), daemon=True).start()
    begin()


def _end_with(ended: Connection) -> None:
    """Wait for the other end of a pipe, on which nothing is ever sent, to be closed."""
    try:
        ended.recv_bytes()
    except (EOFError, OSError):
        os._exit(1)  # whatever it is doing: files are written aside and renamed
