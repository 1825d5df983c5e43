"""Text tables at the door: lines of words and numbers, every one checked, every line named.

Drives keep calibration, poses, times and boxes in text files, one record a line. What is wrong
with one of them is said as `file:line`, so that an editor can jump there. How much a table may
hold follows from what it must hold, mostly from the number of pictures: what is larger is refused
before it is read.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
from jaxtyping import Float64

from scenes.errors import DriveError
from scenes.storage.contents import check_file

MAX_CHARACTERS = 4 * 2**20
"""Longest line that is read; 100,000 points of a picture stand in one of COLMAP's."""
MAX_EMPTY = 100_000
"""Most lines without words, beside as many as there are others."""
CHUNK_BYTES = 2**20


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """How much a table may hold, from what it must hold: known before it is read."""

    lines: int
    """Most lines that hold words."""
    size: int
    """Most bytes."""
    why: str
    """Whom these are enough for, as in "6 pictures"."""

    @staticmethod
    def of(
        count: int,
        what: str,
        *,
        lines: int = 1,
        size: int = 1024,
        most_lines: int = 20_000_000,
        most_size: int = 8 * 2**30,
    ) -> "Limit":
        """So many lines and bytes for each of `count` pictures, a thousand lines for comments."""
        return Limit(
            lines=min(1000 + lines * count, most_lines),
            size=min(2**16 + size * count, most_size),
            why=f"{count} {what}",
        )


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
    def bare(self) -> "Line":
        """Where it is, without its words: they take a kilobyte a line."""
        return Line(path=self.path, number=self.number, words=())

    @property
    def place(self) -> str:
        """Where this is, as `file:line`."""
        return f"{self.path}:{self.number}"


def read_lines(path: Path, fix: str, limit: Limit, comment: str | None = None) -> list[Line]:
    """The lines of a text file that are neither blank nor comments; see `each_line`."""
    return list(each_line(path, fix, limit, comment))


def each_line(path: Path, fix: str, limit: Limit, comment: str | None = None) -> Iterator[Line]:
    """The lines of a text file that are neither blank nor comments, one after the other.

    What is too large is found out first, by its size and by counting its lines; then it is read
    in one pass, of which nothing is kept.

    Args:
        path: The file.
        fix: What to try where it is missing or is no text.
        limit: How much it may hold.
        comment: Lines that start with this are left out.

    Raises:
        DriveError: No such file, too large, too many or too long lines, or not UTF-8 text.
    """
    check_file(path)
    try:
        _check_size(path, fix, limit)
        with path.open(encoding="utf-8-sig") as file:
            yield from _lines(file, path, fix, limit, comment)
    except FileNotFoundError as error:
        raise DriveError(path, "does not exist", fix) from error
    except UnicodeDecodeError as error:
        raise DriveError(path, "is not UTF-8 text", fix) from error
    except OSError as error:
        raise DriveError(path, f"cannot be read ({error.strerror})", fix) from error


def _check_size(path: Path, fix: str, limit: Limit) -> None:
    """Whether a file may be read: its bytes, and the lines that they are."""
    size = path.stat().st_size
    if size > limit.size:
        wrong = f"holds {size:,} bytes, and {limit.why} take at most {limit.size:,}"
        raise DriveError(path, wrong, fix)
    ends = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            ends += chunk.count(b"\n")
            if ends > limit.lines + MAX_EMPTY:
                raise DriveError(path, _too_many(limit), fix)


def _lines(file: TextIO, path: Path, fix: str, limit: Limit, comment: str | None) -> Iterator[Line]:
    held = empty = 0
    for number, text in enumerate(iter(lambda: file.readline(MAX_CHARACTERS + 1), ""), start=1):
        if len(text) > MAX_CHARACTERS:
            wrong = f"is longer than {MAX_CHARACTERS:,} characters"
            raise DriveError(f"{path}:{number}", wrong, fix)
        if "\0" in text:
            raise DriveError(path, "is a binary file, not text", fix)
        words = tuple(text.split())
        held, empty = held + bool(words), empty + (not words)
        if held > limit.lines:
            raise DriveError(path, _too_many(limit), fix)
        if empty > MAX_EMPTY + held:
            raise DriveError(path, f"holds more than {MAX_EMPTY:,} empty lines", fix)
        if words and not (comment and words[0].startswith(comment)):
            yield Line(path=path, number=number, words=words)


def _too_many(limit: Limit) -> str:
    return f"holds more than {limit.lines:,} lines, the most that {limit.why} take"


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
