"""How long work tells how far it is: a line that grows on a terminal, JSON lines elsewhere."""

import json
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

LOG_SECONDS = 5.0
"""Time between JSON lines [s]."""
_BAR = 30

Item = TypeVar("Item")


def reported(items: Iterable[Item], total: int, event: str) -> Iterator[Item]:
    """The same items, while standard error is told how many have come."""
    terminal, start = sys.stderr.isatty(), time.monotonic()
    last = start
    for done, item in enumerate(items, start=1):
        now = time.monotonic()
        left = (now - start) / done * (total - done)
        if terminal:
            bar = "#" * (_BAR * done // total)
            end = "\n" if done == total else ""
            line = f"\r{event} [{bar:<{_BAR}}] {done}/{total}, {left:.0f} s left "
            print(line, end=end, file=sys.stderr, flush=True)
        elif now - last >= LOG_SECONDS or done == total:
            last = now
            seconds = {"seconds": round(now - start, 2), "eta_seconds": round(left, 1)}
            line = {"event": event, "done": done, "total": total, **seconds}
            print(json.dumps(line), file=sys.stderr, flush=True)
        yield item
