"""Ctrl-C inside one process; on a terminal, with workers: tests/end_to_end/test_terminal.py."""

import contextlib
import os
import signal
import subprocess
import sys

import pytest

from render.console.interruption import CODE, LINE, interruptible


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_it_is_an_exception_and_afterwards_all_is_as_before() -> None:
    before = signal.getsignal(signal.SIGINT), sys.unraisablehook

    def interrupted() -> None:
        with interruptible():
            press()

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (signal.getsignal(signal.SIGINT), sys.unraisablehook) == before


def test_who_swallows_it_does_not_get_away_with_it() -> None:
    went_on = []

    def interrupted() -> None:
        with interruptible():
            with contextlib.suppress(KeyboardInterrupt):
                press()
            went_on.append(True)

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert went_on


def ended(code: str) -> subprocess.CompletedProcess[str]:
    start = "import contextlib, os, signal, sys, time\nimport render.console.interruption as i\n"
    press = "def press(): os.kill(os.getpid(), signal.SIGINT)\n"
    return subprocess.run(
        [sys.executable, "-c", start + press + code], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "code",
    [
        # swallowed, and then it takes for ever
        "i.GRACE_S = 0.2\nwith i.interruptible():\n    with contextlib.suppress(BaseException):\n"
        "        press()\n    time.sleep(60)",
        # pressed again while it unwinds
        "with i.interruptible():\n    try:\n        press()\n    finally:\n        press()\n"
        "        time.sleep(60)",
        # in a finalizer, whose exceptions Python prints and forgets
        "class A:\n    def __del__(self): press()\nwith i.interruptible():\n    a = A()\n"
        "    del a\n    time.sleep(60)",
    ],
    ids=["swallowed", "twice", "finalizer"],
)
def test_the_process_ends_in_any_case(code: str) -> None:
    done = ended(code)
    assert done.returncode == CODE
    assert done.stderr == f"{LINE}\n"
