"""`otherlane prove` that is ended in whatever way leaves nobody at work behind it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT

PROC = Path("/proc")
PATIENCE_S = 240.0
START = (
    "import signal, sys; from render.cli import main; "
    "signal.signal(signal.SIGINT, signal.default_int_handler); sys.exit(main(sys.argv[1:]))"
)
"""Ctrl-C counts, even where tests run in the background of a shell, which has it ignored."""
pytest.importorskip("mitsuba", reason="the extra `worlds` is not installed")
pytestmark = pytest.mark.skipif(
    not (PROC / "self" / "stat").is_file(), reason="processes are looked up in /proc"
)


def workers(of: int) -> set[int]:
    """The processes that it has started for work."""
    found = set()
    for folder in PROC.glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            words = (folder / "cmdline").read_text()
        except OSError:  # it has just ended
            continue
        if parent == of and "spawn_main" in words:
            found.add(int(folder.name))
    return found


def lives(process: int) -> bool:
    """Whether it is there, and not one that has ended and that nobody has asked about."""
    try:
        return (PROC / str(process) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(ready: Callable[[], bool], process: subprocess.Popen[bytes] | None = None) -> None:
    patience = time.monotonic() + PATIENCE_S
    while not ready():
        assert process is None or process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < patience
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("how", "deep"), [(signal.SIGKILL, True), (signal.SIGTERM, False), (signal.SIGINT, True)]
)
def test_nobody_goes_on_working(tmp_path: Path, how: signal.Signals, deep: bool) -> None:
    words = ["prove", "--out", str(tmp_path), "--quick", "--worlds", "street", "--size", "64x20"]
    with subprocess.Popen(
        [sys.executable, "-c", START, *words],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        wait_for(lambda: len(workers(process.pid)) == 2, process)
        if deep:  # in the midst of the pictures
            wait_for(lambda: any(tmp_path.glob("worlds/*/.clip.partial/front/*.jpg")), process)
        mine = workers(process.pid)
        process.send_signal(how)
        process.wait(PATIENCE_S)
        assert process.returncode != 0
    wait_for(lambda: not any(map(lives, mine)))
    assert not (tmp_path / "worlds" / "street-101" / "clip").exists()
