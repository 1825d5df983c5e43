"""Whether what a verb wrote is whole, unchanged, and keeps the laws of its kind.

A law that needs pixel labels which the folder does not hold (`render --labels`) is said to be
unchecked.
"""

from collections.abc import Collection, Mapping
from pathlib import Path

from render.console.problem import Problem
from render.folders.folder_laws import kind_problems
from render.folders.frames import read_pixels, read_records, stored_labels
from render.folders.frames_laws import (
    export_problems,
    folder_problems,
    settings_of,
    unchecked_exports,
)
from render.folders.label_laws import LAWS, gated, shapes
from render.json_value import Json
from render.labels.gate import LabelGate
from scenes.errors import OtherlaneError
from scenes.storage.manifests import Finished, finished
from scenes.work.phases import counted, phase

MAX_NAMED = 20
"""How many problems are named; all are counted."""


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
    if not problems:  # else readers would only say the same again
        try:
            if held.kind == "frames":
                frames, problems, unchecked = _frames(held)
            else:
                with phase(f"looking into the {held.kind}"):
                    problems = list(kind_problems(held))
        except OtherlaneError as error:
            problems = [Problem(where=error.where, wrong=error.wrong)]
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


def _frames(held: Finished) -> tuple[int, list[Problem], list[str]]:
    """How many records there are, which laws are broken, and which cannot be checked."""
    folder, settings = held.folder, settings_of(held)
    records = read_records(folder)
    stored, problems = stored_labels(folder), list(folder_problems(held, records, settings))
    for record in counted(records, "checking labels", len(records), "frames"):
        problems += frame_problems(folder, record, settings.gate)
    if not problems:  # exports are made from records that are sound
        with phase("comparing exports with records"):
            problems += export_problems(held, settings)
    unchecked = [f"{law} (needs {' and '.join(lacks)})" for law, lacks in _unchecked(stored)]
    return len(records), problems, unchecked + unchecked_exports(settings)


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
