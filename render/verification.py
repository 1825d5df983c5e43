"""Whether what a verb wrote is whole, unchanged and, for frames, keeps the laws of its labels.

A law that needs pixel labels which the folder does not hold (`render --labels`) is said to be
unchecked.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from render.frames import read_pixels, read_records, stored_labels
from render.label_laws import LAWS, gated, shapes
from render.labels.gate import LabelGate
from scenes.errors import OtherlaneError
from scenes.manifests import Finished, finished
from scenes.phases import counted, phase

Json = Any
MAX_NAMED = 20
"""How many problems are named; all are counted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing that is wrong."""

    where: str
    wrong: str


def verify_folder(folder: Path) -> dict[str, object]:
    """See `render.commands.verify`."""
    held = finished(folder)
    with phase("comparing files with their hashes"):
        damaged = held.damaged()
    problems = [
        Problem(where=name, wrong="is missing, or not what was written") for name in damaged
    ]
    problems += [Problem(where=name, wrong="was added afterwards") for name in held.strays()]
    frames, unchecked = None, list[str]()
    if held.kind == "frames" and not problems:
        records = read_records(folder)
        frames = len(records)
        gate, stored = _gate(held), stored_labels(folder)
        for record in counted(records, "checking labels", len(records), "frames"):
            problems += frame_problems(folder, record, gate)
        unchecked = [f"{law} (needs {' and '.join(lacks)})" for law, lacks in _unchecked(stored)]
    return {
        "ok": not problems,
        "folder": str(folder),
        "kind": held.kind,
        "files": len(held.files),
        "frames": frames,
        "problems_found": len(problems),
        "problems": problems[:MAX_NAMED],
        "unchecked": unchecked,
    }


def _gate(held: Finished) -> LabelGate | None:
    """What labels had to show, as far as the manifest says."""
    said = held.config.get("gate")
    return None if said is None else LabelGate(**said)


def frame_problems(
    folder: Path, record: Mapping[str, Json], gate: LabelGate | None = None
) -> list[Problem]:
    """Laws of labels that one picture breaks; `gate` is what its labels had to show, if known."""
    try:
        pixels = read_pixels(folder, record["key"])
        found = list(shapes(record, pixels))
        for law in LAWS if not found else ():
            if not law.lacks(pixels):
                found += law.broken(record, pixels)
        found = found or ([] if gate is None else list(gated(record, gate)))
    except OtherlaneError as error:
        return [Problem(where=error.where, wrong=error.wrong)]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        # A record is JSON from a file: what it lacks, or holds instead, is the file's problem.
        found = [f"its record cannot be read ({type(error).__name__}: {error})"]
    return [Problem(where=str(record.get("key")), wrong=wrong) for wrong in found]


def _unchecked(held: Collection[str]) -> list[tuple[str, list[str]]]:
    """Laws that cannot be checked without more pixel labels, and which these are."""
    return [(law.says, law.lacks(held)) for law in LAWS if law.lacks(held)]
