"""Standard output and standard error that take whatever is said to them.

A name that is not UTF-8, or a terminal that knows ASCII only, costs a letter and not the work: what
a stream cannot show is written as an escape. One that was closed before we began takes nothing and
complains of nothing. Where nobody reads on (`otherlane ... | head -1`), the process ends with 141,
as one that the signal SIGPIPE ends, and without a word.
"""

import contextlib
import os
import sys

from scenes.work.phases import say

CLOSED = 141
"""Exit code: 128 and the number of SIGPIPE, as shells have it."""


class Unwritten(SystemExit):
    """Standard output takes nothing any more."""


def ready() -> None:
    """Make standard streams that take everything; to be called before anything is written."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            _nowhere(number)
            mode = "w" if number else "r"
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # a host's stream may have none
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def out(text: str) -> None:
    """Write to standard output.

    Raises:
        Unwritten: Nobody reads it any more (141), or it cannot be written (2).
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _nowhere(sys.stdout.fileno())
        raise Unwritten(CLOSED) from None
    except OSError as error:
        _nowhere(sys.stdout.fileno())
        say(f"otherlane: standard output: {error.strerror}\n  try: another place to write it to")
        raise Unwritten(2) from error


def _nowhere(number: int) -> None:
    """Let a file descriptor lead nowhere: Python flushes what is left when it ends."""
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_RDWR)
        if nowhere != number:
            os.dup2(nowhere, number)
            os.close(nowhere)
