"""How a batch tells how it is doing: a bar with an ETA on a terminal, log lines everywhere else."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LOG = logging.getLogger("otherlane.render")


@contextmanager
def counting(total: int) -> Iterator[Callable[[str], None]]:
    """A function to call with the key of each frame when it is done."""
    if total == 0:
        yield lambda _: None
    elif sys.stderr.isatty():
        with _bar(total) as step:
            yield step
    else:
        yield _lines(total)


def _lines(total: int) -> Callable[[str], None]:
    started, count = time.monotonic(), 0

    def step(key: str) -> None:
        nonlocal count
        count += 1
        left_s = (time.monotonic() - started) / count * (total - count)
        numbers = {"event": "render", "frame": key, "frames": count, "of": total}
        extra = {"otherlane": numbers | {"eta_seconds": round(left_s, 1)}}
        LOG.info("frame %s, %d of %d, %.0f s left", key, count, total, left_s, extra=extra)

    return step


@contextmanager
def _bar(total: int) -> Iterator[Callable[[str], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Left

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Left())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("frames", total=total)
        yield lambda _: bar.advance(task)
