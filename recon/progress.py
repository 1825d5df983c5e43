"""How a long training tells how it is doing: a bar on a terminal, JSON lines everywhere."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from recon.train import Progress

LOG_SECONDS = 5.0
"""Time between lines of the log [s]."""


@contextmanager
def reporting(log: Path, title: str) -> Iterator[Callable[[Progress], None]]:
    """A function to call after every step; appends to `log`, draws on the terminal.

    Where standard error is not a terminal, the lines of the log are printed there instead.
    """
    with log.open("a", encoding="utf-8") as file:
        last = 0.0

        def write(progress: Progress) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last < LOG_SECONDS and progress.step < progress.steps:
                return
            last = now
            line = json.dumps({"event": "train", **_numbers(progress)})
            file.write(line + "\n")
            file.flush()
            if not sys.stderr.isatty():
                print(line, file=sys.stderr, flush=True)

        if not sys.stderr.isatty():
            yield write
            return
        with _bar(title) as draw:

            def both(progress: Progress) -> None:
                write(progress)
                draw(progress)

            yield both


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


@contextmanager
def _bar(title: str) -> Iterator[Callable[[Progress], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f} steps"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[psnr]:.1f} dB"),
    )
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=None, psnr=0.0)

        def draw(progress: Progress) -> None:
            bar.update(task, total=progress.steps, completed=progress.step, psnr=progress.psnr_db)

        yield draw


def last_seconds(log: Path) -> float | None:
    """Seconds of training according to a log, or None where it has no such line."""
    if not log.is_file():
        return None
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    trained = [line["seconds"] for line in lines if line.get("event") == "train"]
    return trained[-1] if trained else None
