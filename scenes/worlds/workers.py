"""Processes that work on a world, and that never outlive the one that wants the work."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from threading import Thread

from scenes.worlds.mitsuba_door import limit_threads


@contextmanager
def working(count: int) -> Iterator[ProcessPoolExecutor]:
    """So many processes of one thread each.

    They end with the block; at once when an error or Ctrl-C ends it, or when this process dies,
    be it killed.
    """
    spawn = get_context("spawn")
    ended, alive = spawn.Pipe(duplex=False)  # only we hold `alive`: it ends when we do
    with (
        ended,
        ProcessPoolExecutor(count, spawn, initializer=_begin, initargs=(ended,)) as executor,
    ):
        try:
            yield executor
        except BaseException:
            alive.close()  # else the executor would wait for all that is under way
            raise
    alive.close()


def _begin(ended: Connection) -> None:
    """What a worker does first; Ctrl-C, which all processes of a terminal get, is not its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with, args=(ended,), daemon=True).start()
    limit_threads(1)


def _end_with(ended: Connection) -> None:
    """Wait for the other end of a pipe, on which nothing is ever sent, to be closed."""
    try:
        ended.recv_bytes()
    except (EOFError, OSError):
        os._exit(1)  # whatever it is doing: files are written aside and renamed
