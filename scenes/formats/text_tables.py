"""Text tables at the door: lines of words and numbers, every one checked, every line named.

Drives keep calibration, poses, times and boxes in text files, one record a line. What is wrong
with one of them is said as `file:line`, so that an editor can jump there.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from scenes.errors import DriveError

MAX_BYTES = 1_000_000_000
"""Largest text file that is read; a table of a drive is far smaller."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One line of a text file that holds words."""

    path: Path
    """The file."""
    number: int
    """Which line, counted from 1."""
    words: tuple[str, ...]
    """What stands there, between blanks."""

    @property
    def place(self) -> str:
        """Where this is, as `file:line`."""
        return f"{self.path}:{self.number}"


def read_lines(path: Path, fix: str, comment: str | None = None) -> list[Line]:
    """The lines of a text file that are neither blank nor comments.

    Args:
        path: The file.
        fix: What to try where it is missing or is no text.
        comment: Lines that start with this are left out.

    Raises:
        DriveError: No such file, too large, or not UTF-8 text.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DriveError(path, f"is too large for a table (over {MAX_BYTES} bytes)", fix)
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise DriveError(path, "does not exist", fix) from error
    except UnicodeDecodeError as error:
        raise DriveError(path, f"is not UTF-8 text (byte {error.start})", fix) from error
    except OSError as error:
        raise DriveError(path, f"cannot be read ({error.strerror})", fix) from error
    if "\0" in text:
        raise DriveError(path, "is a binary file, not text", fix)
    return [
        Line(path=path, number=number, words=words)
        for number, line in enumerate(text.split("\n"), start=1)
        if (words := tuple(line.split())) and not (comment and words[0].startswith(comment))
    ]


def finite_number(line: Line, field: str, word: str) -> float:
    """The number that `word` says.

    Raises:
        DriveError: It says none, or one that is not finite.
    """
    try:
        value = float(word)
    except ValueError as error:
        wrong = f"{field} is {word[:40]!r}, which is not a number"
        raise DriveError(line.place, wrong, f"a number for {field}") from error
    if not math.isfinite(value):
        raise DriveError(line.place, f"{field} is {word}", f"a finite number for {field}")
    return value


def whole_number(line: Line, field: str, word: str) -> int:
    """The whole number that `word` says.

    Raises:
        DriveError: It says none.
    """
    return whole_numbers(line, field, (word,))[0]


def whole_numbers(line: Line, field: str, words: Sequence[str]) -> list[int]:
    """The whole numbers that `words` say.

    Raises:
        DriveError: One says none.
    """
    numbers = []
    for word in words:
        try:
            numbers.append(int(word))
        except ValueError as error:
            wrong = f"{field} is {word[:40]!r}, which is not a whole number"
            raise DriveError(line.place, wrong, f"a whole number for {field}") from error
    return numbers


def finite_numbers(line: Line, field: str, words: Sequence[str], count: int) -> list[float]:
    """Exactly `count` finite numbers.

    Raises:
        DriveError: More, fewer, or something else.
    """
    if len(words) != count:
        wrong = f"{field} takes {count} numbers, here are {len(words)}"
        raise DriveError(line.place, wrong, f"{count} numbers in this line")
    return [finite_number(line, field, word) for word in words]


def number_table(
    lines: Sequence[Line], field: str, columns: int
) -> Float64[np.ndarray, "rows columns"]:
    """A table of finite numbers, one row a line.

    Raises:
        DriveError: A line has other than `columns` numbers, or one that is not finite.
    """
    rows = [finite_numbers(line, field, line.words, columns) for line in lines]
    return np.array(rows, dtype=np.float64).reshape(len(rows), columns)
