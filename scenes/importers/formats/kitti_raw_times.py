"""KITTI raw's times and numbered files: which frame of a sensor is there, and when it was taken.

A sensor's folder holds `data/`, one file a frame named by its number, and `timestamps.txt`, whose
line k (from 0) is the time of frame k: date, clock and 7 to 9 digits of a second's fraction. Drives
lack single frames, and their lines stay.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from scenes.errors import DriveError
from scenes.importers.formats.kitti_text import MAX_ENTRIES, MAX_NAMED, MAX_PICTURES
from scenes.importers.formats.text_tables import Limit, Line, read_lines

MOMENT = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.(\d{1,9}))?", re.ASCII)
TIMES_FIX = "a line such as '2011-09-26 13:02:25.964389445' for each frame"
FIRST_DAY = datetime(2000, 1, 1)  # KITTI names no time zone, and only differences count
GAP = 1.5
"""Steps of so many times the usual one are gaps."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Frames:
    """The frames of one sensor that are there."""

    folder: Path
    """Of the sensor."""
    number: Int64[np.ndarray, "n"]
    """Of each, increasing."""
    time_us: Int64[np.ndarray, "n"]
    """When each was taken, since `FIRST_DAY` [µs]; increasing."""
    files: tuple[Path, ...]
    """One a frame."""
    notes: tuple[str, ...]
    """Frames that are missing, and gaps in time."""

    def __len__(self) -> int:
        return len(self.files)


def read_frames(folder: Path, suffixes: tuple[str, ...], what: str) -> Frames:
    """The frames of a sensor: the files that are there, with their times.

    Args:
        folder: Of the sensor.
        suffixes: How its files end.
        what: What they are: "pictures".

    Raises:
        DriveError: None is there, one has no time, or times do not increase; file and line named.
    """
    found = _numbered(folder / "data", suffixes, what)
    times = read_times(folder / "timestamps.txt")
    for number, path in found.items():
        if number not in times:
            wrong = f"is frame {number}, and {folder / 'timestamps.txt'} has no line {number + 1}"
            raise DriveError(path, wrong, TIMES_FIX)
    numbers = list(found)
    for before, after in pairwise(numbers):
        if times[after][1] <= times[before][1]:
            wrong = f"is not after frame {before}, at line {times[before][0].number}"
            raise DriveError(
                times[after][0].place, wrong, "times that increase from frame to frame"
            )
    time_us = np.array([times[number][1] for number in numbers], dtype=np.int64)
    missing = [number for number in times if numbers[0] <= number and number not in found]
    return Frames(
        folder=folder,
        number=np.array(numbers, dtype=np.int64),
        time_us=time_us,
        files=tuple(found.values()),
        notes=(
            *_missing_note(folder.name, what, missing),
            *_gap_note(folder.name, time_us, np.array(numbers)),
        ),
    )


def read_times(path: Path) -> dict[int, tuple[Line, int]]:
    """Time of each frame, by number: its line, and when, since `FIRST_DAY` [µs].

    Raises:
        DriveError: It is missing, or a line is no time; the line is named.
    """
    limit = Limit(lines=MAX_PICTURES, size=64 * MAX_PICTURES, why="a drive")
    lines = read_lines(path, TIMES_FIX, limit)
    return {line.number - 1: (line.bare, _moment_us(line)) for line in lines}


def _moment_us(line: Line) -> int:
    said = MOMENT.fullmatch(" ".join(line.words))
    if said is None:
        wrong = f"is {' '.join(line.words)[:60]!r}, which is no date and time"
        raise DriveError(line.place, wrong, TIMES_FIX)
    try:
        moment = datetime.strptime(said[1], "%Y-%m-%d %H:%M:%S")
    except ValueError as error:
        raise DriveError(line.place, f"has no such day or time ({error})", TIMES_FIX) from error
    since = moment - FIRST_DAY
    nanoseconds = int((said[2] or "0").ljust(9, "0"))
    return (since.days * 86_400 + since.seconds) * 1_000_000 + (nanoseconds + 500) // 1000


def _numbered(folder: Path, suffixes: tuple[str, ...], what: str) -> Mapping[int, Path]:
    """Files by number, in order."""
    fix = f"{what} named by their frame, such as 0000000042{suffixes[0]}"
    if not folder.is_dir():
        raise DriveError(folder, "does not exist, or is no folder", fix)
    found: dict[int, Path] = {}
    for name in _names(folder):
        path = folder / name
        if name.startswith(".") or not name.lower().endswith(suffixes):
            continue
        if not (path.stem.isascii() and path.stem.isdigit() and len(path.stem) <= 10):
            raise DriveError(path, "is not named by a frame number", fix)
        if (other := found.setdefault(int(path.stem), path)) is not path:
            raise DriveError(path, f"is frame {int(path.stem)}, and so is {other.name}", fix)
    if not found:
        raise DriveError(folder, f"holds no {what} (zero frames)", fix)
    if len(found) > MAX_PICTURES:
        wrong = f"holds {len(found):,} {what}, more than {MAX_PICTURES:,}"
        raise DriveError(folder, wrong, "a shorter drive")
    return dict(sorted(found.items()))


def _names(folder: Path) -> list[str]:
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError as error:
        raise DriveError(folder, f"cannot be read ({error})", "check its permissions") from error
    if len(names) > MAX_ENTRIES:
        wrong = f"holds more than {MAX_ENTRIES:,} files"
        raise DriveError(folder, wrong, "a folder of one drive")
    return names


def _missing_note(name: str, what: str, missing: Sequence[int]) -> tuple[str, ...]:
    if not missing:
        return ()
    listed = ", ".join(str(number) for number in missing[:MAX_NAMED])
    more = f" and {len(missing) - MAX_NAMED} more" if len(missing) > MAX_NAMED else ""
    return (f"{name} lacks the {what} of frames {listed}{more}",)


def _gap_note(
    name: str, time_us: Int64[np.ndarray, "n"], number: Int64[np.ndarray, "n"]
) -> tuple[str, ...]:
    """A note of gaps in time where no frame is missing."""
    step_us = np.diff(time_us)
    if not len(step_us):
        return ()
    usual_us = float(np.median(step_us / np.diff(number)))
    gaps = np.flatnonzero(step_us > GAP * usual_us * np.diff(number))
    if not len(gaps):
        return ()
    worst = int(gaps[np.argmax(step_us[gaps])])
    return (
        f"{name} has {len(gaps)} gaps in time: the longest is {step_us[worst] * 1e-6:.2f} s, after "
        f"frame {number[worst]}",
    )
