"""How a long training tells how it is doing: a phase to look at, and JSON lines in a log."""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from recon.training.loop import Progress
from scenes.errors import OtherlaneError
from scenes.storage.files import is_plain
from scenes.work.phases import phase

LOG_SECONDS = 5.0
"""Time between lines of the log [s]."""


def check_log(log: Path) -> None:
    """Whether a log can be gone on with: through a link it would end elsewhere, in a pipe nowhere.

    Raises:
        OtherlaneError: There is something else in its place.
    """
    if os.path.lexists(log) and not is_plain(log):
        raise OtherlaneError(log, "is not a plain file", "remove it")


@contextmanager
def reporting(log: Path) -> Iterator[Callable[[Progress], None]]:
    """A function to call after every step; appends to `log` and shows the phase "training".

    The phase is over with the last step, whatever follows in the block.
    """
    last = 0.0
    with log.open("a", encoding="utf-8") as file, ExitStack() as until_trained:
        now = until_trained.enter_context(phase("training", 0, "steps"))

        def report(progress: Progress) -> None:
            nonlocal last
            now.at(progress.step, f"{progress.psnr_db:.1f} dB", progress.steps)
            if time.monotonic() - last < LOG_SECONDS and progress.step < progress.steps:
                return
            last = time.monotonic()
            file.write(json.dumps({"event": "train", **_numbers(progress)}) + "\n")
            file.flush()
            if progress.step == progress.steps:
                until_trained.close()

        yield report


def write_event(log: Path, event: str, numbers: Mapping[str, int | float]) -> None:
    """Append one line to a log."""
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"event": event, **numbers}) + "\n")


def _numbers(progress: Progress) -> dict[str, int | float]:
    left = progress.seconds / progress.step * (progress.steps - progress.step)
    return {
        "step": progress.step,
        "steps": progress.steps,
        "seconds": round(progress.seconds, 2),
        "eta_seconds": round(left, 1),
        "psnr_db": round(progress.psnr_db, 3),
        **{name: round(value, 6) for name, value in progress.losses.items()},
    }


def last_seconds(log: Path) -> float | None:
    """Seconds of training according to a log, or None where it has no such line."""
    if not is_plain(log):
        return None
    trained = [line for text in log.read_bytes().splitlines() if (line := _trained(text))]
    return trained[-1].seconds if trained else None


class _Trained(msgspec.Struct):
    event: Literal["train"]
    seconds: float


def _trained(line: bytes) -> _Trained | None:
    """A line of the log; a kill may have cut it short, and others say other things."""
    try:
        return msgspec.json.decode(line, type=_Trained)
    except msgspec.MsgspecError:
        return None
