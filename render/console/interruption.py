"""Ctrl-C: one line, no traceback, and nothing that goes on behind the user's back.

The first one unwinds the work as an exception, so that what was written aside is tidied up and
worker processes end (`scenes.work.workers`). Some code swallows every exception, torch's import
among
it: another Ctrl-C, an exception that Python would have to swallow, or `GRACE_S` without an end,
ends the process at once. Work is written aside and renamed, so nothing is half done.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from functools import partial
from types import FrameType

from scenes.work.phases import stopping, write

CODE = 130
"""Exit code: 128 and the number of the signal, as shells have it."""
GRACE_S = 5.0
"""So long the work may take to unwind [s]."""
LINE = "otherlane: interrupted; run the same command again to go on"


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C meanwhile raises KeyboardInterrupt, once; as before afterwards.

    Does nothing in other threads than the main one, which alone may handle signals, and where
    Ctrl-C is ignored or handled by a host.
    """
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    before = sys.unraisablehook
    sys.unraisablehook = _unraisable
    ending = threading.Timer(GRACE_S, _end_now)
    ending.daemon = True
    signal.signal(signal.SIGINT, partial(_first, ending))
    try:
        yield
        if ending.ident is not None:  # it was swallowed
            raise KeyboardInterrupt
    finally:
        ending.cancel()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.unraisablehook = before


def say_interrupted() -> None:
    """The one line."""
    stopping(lambda: write(LINE + "\n"))


def _first(ending: threading.Timer, number: int, frame: FrameType | None) -> None:
    del number, frame
    signal.signal(signal.SIGINT, _second)
    ending.start()
    raise KeyboardInterrupt


def _second(number: int, frame: FrameType | None) -> None:
    del number, frame
    _end_now()


def _unraisable(problem: "sys.UnraisableHookArgs") -> None:
    """An interruption in a finalizer would be printed and forgotten."""
    if problem.exc_type is KeyboardInterrupt:
        _end_now()
    sys.__unraisablehook__(problem)


def _end_now() -> None:
    say_interrupted()
    os._exit(CODE)  # workers end when they see that we did (scenes.work.workers)
