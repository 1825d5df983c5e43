"""Processes that work on a world."""

from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager
from functools import partial

from scenes.work import workers
from scenes.worlds.trace.mitsuba_door import limit_threads


def working(count: int) -> AbstractContextManager[ProcessPoolExecutor]:
    """So many processes of one thread each (see `scenes.work.workers.working`)."""
    return workers.working(count, partial(limit_threads, 1))
