"""Processes that work, and that never outlive the one that wants the work."""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from threading import Thread

from scenes.errors import OtherlaneError


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
    with (
        ended,
        ProcessPoolExecutor(count, spawn, initializer=_begin, initargs=(ended, begin)) as executor,
    ):
        try:
            yield executor
        except BrokenProcessPool as error:
            fix = "run it again, with fewer workers if memory was short"
            raise OtherlaneError("workers", "a worker process died", fix) from error
        except BaseException:
            alive.close()  # else the executor would wait for all that is under way
            raise
    alive.close()


def _begin(ended: Connection, begin: Callable[[], None]) -> None:
    """What a worker does first; Ctrl-C, which all processes of a terminal get, is not its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with, args=(ended,), daemon=True).start()
    begin()


def _end_with(ended: Connection) -> None:
    """Wait for the other end of a pipe, on which nothing is ever sent, to be closed."""
    try:
        ended.recv_bytes()
    except (EOFError, OSError):
        os._exit(1)  # whatever it is doing: files are written aside and renamed
