"""What long work says about itself while it lasts: one line drawn again and again, or log lines.

Work is divided into phases: `with phase("reading pictures", total=40) as now`, `now.at(3)`. On a
terminal the innermost phase shows itself with the time it has taken, drawn again by a thread of
its own, so that nothing that takes long is silent; what took a second or more leaves a line. Where
standard error is no terminal, records of the logger `otherlane.phases` say the same. Nothing is
coloured, so that there is nothing to turn off.

Times are seconds of the clock on the wall; they never decide a result.
"""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, RLock, Thread
from typing import TypeVar

from scenes.work.phase_lines import finished_line, left_s, live_line, wrapped

LOG = logging.getLogger("otherlane.phases")
SHOWN_S = 1.0
"""A phase that took so long leaves a line [s]."""
SILENCE_S, AGAIN_S = 1.5, 10.0
"""So long nothing is logged of a phase that has just begun, and of one already told [s]."""
REDRAW_S = 0.2
"""Between two drawings of the line on a terminal [s]."""

Item = TypeVar("Item")


@dataclass(kw_only=True, slots=True, eq=False)
class Phase:
    """One part of the work, while it lasts."""

    name: str
    total: int | None = None
    """How many there are to do; None where they are not counted."""
    unit: str = ""
    """Of what is counted."""
    lasting: bool = True
    """Whether it leaves a line when it is over."""
    done: int = 0
    note: str = ""
    """What else to show, such as how well it goes."""
    began: float = field(default_factory=time.monotonic)
    first: tuple[int, float] | None = None
    """How many were done when the first news came, and how long after the beginning [s]: a resumed
    work has some already."""
    told: bool = False
    news: float = field(default_factory=time.monotonic)
    """When the log last heard of it."""
    within_s: float = 0.0
    """Of its time, what phases inside it have accounted for."""

    def at(self, done: int, note: str = "", total: int | None = None) -> None:
        """So many are done now."""
        if self.first is None:
            self.first = (done, self.seconds())
        self.done, self.note = done, note
        self.total = self.total if total is None else total

    def seconds(self) -> float:
        """Since it began, without what phases inside it have accounted for."""
        return time.monotonic() - self.began - self.within_s


@contextmanager
def phase(
    name: str, total: int | None = None, unit: str = "", *, lasting: bool = True
) -> Iterator[Phase]:
    """Show that something is being done, until the block ends.

    Args:
        name: In plain words, such as "reading pictures".
        total: How many there are to do, where they can be counted; told by `Phase.at`.
        unit: Of what is counted, plural.
        lasting: Whether a line stays when it is over.
    """
    now = Phase(name=name, total=total, unit=unit, lasting=lasting)
    _state.begin(now)
    try:
        yield now
    except BaseException:
        _state.end(now, whole=False)
        raise
    _state.end(now, whole=True)


def counted(
    items: Iterable[Item], name: str, total: int, unit: str = "", done: int = 0
) -> Iterator[Item]:
    """The same items, shown as a phase that counts them; `done` of them were done before."""
    with phase(name, total, unit) as now:
        for number, item in enumerate(items, start=done + 1):
            yield item
            now.at(number)


def heading(text: str) -> None:
    """Say what comes now, in a line of its own."""
    if _state.silent:
        return
    if on_terminal():
        _state.say(text)
    else:
        LOG.info("%s", text, extra={"otherlane": {"event": "heading"}})


def say(text: str) -> None:
    """Write lines to standard error, above the line that is drawn again."""
    _state.say(text)


def write(text: str) -> None:
    """Write to standard error; where it takes nothing any more, what is said is lost, and no more.

    What is worked on does not depend on somebody reading how it goes.
    """
    with suppress(OSError, ValueError):  # nobody reads on, the disk is full; a host closed it
        if sys.stderr is not None:
            sys.stderr.write(text)
            sys.stderr.flush()


def quiet() -> None:
    """From now on this process shows nothing of itself: it works for another one."""
    _state.silent = True


def on_terminal() -> bool:
    """Whether standard error is a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()


def width() -> int:
    """Columns of the terminal that standard error is, or 80."""
    try:
        columns = os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError, AttributeError):
        columns = 0
    return columns or 80


@dataclass(kw_only=True, slots=True, eq=False)
class _State:
    """The phases that are open, outermost first, and the line that is on the terminal."""

    lock: RLock = field(default_factory=RLock)
    phases: list[Phase] = field(default_factory=list)
    silent: bool = False
    drawn: int = 0
    """Columns that the line on the terminal takes; 0 where there is none."""
    stop: Event | None = None

    def begin(self, now: Phase) -> None:
        if self.silent:
            return
        with self.lock:
            self.phases.append(now)
            if self.stop is None:
                self.stop = Event()
                Thread(target=self.keep_telling, args=(self.stop,), daemon=True).start()

    def end(self, now: Phase, *, whole: bool) -> None:
        if self.silent:
            return
        with self.lock:
            self.phases = [phase for phase in self.phases if phase is not now]
            seconds = now.seconds()
            lasted = whole and now.lasting and seconds >= SHOWN_S
            if self.phases:
                outer = self.phases[-1]
                outer.within_s += now.within_s + (seconds if lasted else 0.0)
                outer.told, outer.news = False, time.monotonic()
            elif self.stop is not None:
                self.stop.set()
                self.stop = None
            self.erase()
            if lasted:
                self.tell_end(now, seconds)

    def tell_end(self, now: Phase, seconds: float) -> None:
        if on_terminal():
            self.say(finished_line(now.name, seconds, now.total, now.unit, width()))
            return
        numbers = {"event": "phase", "phase": now.name, "state": "done"}
        extra = numbers | {"seconds": round(seconds, 2)}
        LOG.info("%s took %.1f s", now.name, seconds, extra={"otherlane": extra})

    def say(self, text: str) -> None:
        with self.lock:
            self.erase()
            text = wrapped(text, width()) if on_terminal() else text
            write(text + "\n")

    def erase(self) -> None:
        """Take the line off the terminal."""
        if self.drawn:
            write("\r" + " " * self.drawn + "\r")
            self.drawn = 0

    def draw(self) -> None:
        now = self.phases[-1]
        line = live_line(
            now.name, now.seconds(), width(), sys.stderr.encoding,
            done=now.done, total=now.total, unit=now.unit, note=now.note, first=now.first,
        )  # fmt: skip
        write("\r" + line.ljust(self.drawn))
        self.drawn = len(line)

    def log(self) -> None:
        now = self.phases[-1]
        if time.monotonic() - now.news < (AGAIN_S if now.told else SILENCE_S):
            return
        now.told, now.news = True, time.monotonic()
        numbers: dict[str, object] = {"event": "phase", "phase": now.name, "state": "running"}
        numbers["seconds"] = round(now.seconds(), 2)
        words = f"{now.name}, {now.seconds():.0f} s so far"
        if now.total is not None:
            left = left_s(now.done, now.total, now.first, now.seconds())
            numbers |= {"done": now.done, "total": now.total, "note": now.note}
            numbers["eta_seconds"] = None if left is None else round(left, 1)
            words += f", {now.done} of {now.total} {now.unit}".rstrip()
            words += "" if left is None else f", about {left:.0f} s left"
        LOG.info("%s", words, extra={"otherlane": numbers})

    def keep_telling(self, stop: Event) -> None:
        """What the thread does until the last phase is over."""
        while not stop.wait(REDRAW_S):
            with self.lock:
                if stop.is_set() or not self.phases:
                    return
                if on_terminal() and os.environ.get("TERM") != "dumb":
                    self.draw()
                else:
                    self.log()


_state = _State()


def stopping(after: Callable[[], None]) -> None:
    """Take the line off the terminal for good, then do `after`: this process is about to end."""
    _state.silent = True
    if _state.lock.acquire(timeout=1.0):
        if on_terminal():  # the terminal may have shown ^C behind the line, or before it
            _state.drawn = max(width() - 1, _state.drawn)
            _state.erase()
        _state.phases = []
        _state.lock.release()
    after()
