"""The lines that `scenes.work.phases` shows, each no wider than the terminal."""

import textwrap

_NAME, _BAR = 34, 24
"""Columns of a phase's name, and of its bar."""


def live_line(
    name: str,
    seconds: float,
    width: int,
    encoding: str | None,
    *,
    done: int = 0,
    total: int | None = None,
    unit: str = "",
    note: str = "",
    first: tuple[int, float] | None = None,
) -> str:
    """The line of a phase that goes on; it leaves the last column free.

    Args:
        name: Of the phase.
        seconds: Since it began.
        width: Columns of the terminal.
        encoding: Of the terminal: whether it has block characters.
        done: How many are done ...
        total: ... of how many; None where they are not counted.
        unit: Of what is counted.
        note: What else to show.
        first: See `left_s`.
    """
    room = width - 1
    if total is None:
        parts = [f"  {name}", duration(seconds)]
        return fitted(parts, room)
    left = left_s(done, total, first, seconds)
    parts = [f"  {name}", f"{done}/{total} {unit}".rstrip(), note, duration(seconds)]
    parts += [] if left is None else [f"{duration(left)} left"]
    line = fitted(parts, room)
    columns = min(_BAR, room - len(line) - 2)
    if columns < 8:
        return line
    full, empty = ("━", "─") if (encoding or "").lower().startswith("utf") else ("#", ".")
    ready = columns * done // max(total, 1)
    bar = full * ready + empty * (columns - ready)
    return fitted([parts[0], bar, *parts[1:]], room)


def finished_line(name: str, seconds: float, total: int | None, unit: str, width: int) -> str:
    """The line that a phase leaves: its name, how many there were, how long it took."""
    words = f"  {name}" + ("" if total is None else f", {total} {unit}".rstrip())
    took = duration(seconds)
    room = min(width - 1, _NAME + _BAR)
    return fitted([words.ljust(room - len(took) - 2), took], width - 1)


def fitted(parts: list[str], room: int) -> str:
    """The parts side by side; the last ones are left out, then the first cut, where room ends."""
    parts = [part for part in parts if part]
    while len(parts) > 1 and len("  ".join(parts)) > room:
        parts = parts[:-1]
    return "  ".join(parts)[:room]


def duration(seconds: float) -> str:
    """Such as 3 s or 2 min 5 s."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s"


def left_s(done: int, total: int, first: tuple[int, float] | None, seconds: float) -> float | None:
    """How long the rest will take [s], at the pace since the first news; None until it is known.

    Args:
        done: How many are done ...
        total: ... of how many.
        first: How many were done when the first news came, and how long after the beginning [s].
        seconds: Since the beginning.
    """
    if first is None or done <= first[0]:
        return None
    return (seconds - first[1]) / (done - first[0]) * (total - done)


def wrapped(text: str, width: int, hanging: int = 2) -> str:
    """The same text in lines of at most `width` columns; what is indented stays indented.

    What goes on in another line is indented by `hanging` more. A word that is longer, such as a
    path, is not cut: it could not be copied any more.
    """
    lines: list[str] = []
    for line in text.splitlines():
        indent = line[: len(line) - len(line.lstrip())]
        parts = textwrap.wrap(
            line,
            max(width, 20),
            subsequent_indent=indent + " " * hanging,
            replace_whitespace=False,
            break_long_words=False,
            break_on_hyphens=False,
        )
        lines += parts or [""]
    return "\n".join(lines)
