"""Whether what a verb wrote is whole, unchanged and, for frames, keeps the laws of its labels.

A law that needs pixel labels which the folder does not hold (`render --labels`) is said to be
unchecked.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from render.frames import read_pixels, read_records, stored_labels
from render.label_laws import LAWS, gated, shapes
from render.labels.gate import LabelGate
from scenes.errors import OtherlaneError
from scenes.folders import MANIFEST, damaged_files, read_manifest, stray_files
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
    manifest = read_manifest(folder, _kind(folder))
    with phase("comparing files with their hashes"):
        damaged = damaged_files(folder, manifest)
    problems = [
        Problem(where=name, wrong="is missing, or not what was written") for name in damaged
    ]
    problems += [
        Problem(where=name, wrong="was added afterwards") for name in stray_files(folder, manifest)
    ]
    files = manifest["files"]
    assert isinstance(files, dict)
    frames, unchecked = None, list[str]()
    if manifest["kind"] == "frames" and not problems:
        records = read_records(folder)
        frames = len(records)
        gate, held = _gate(manifest), stored_labels(folder)
        for record in counted(records, "checking labels", len(records), "frames"):
            problems += frame_problems(folder, record, gate)
        unchecked = [f"{law} (needs {' and '.join(lacks)})" for law, lacks in _unchecked(held)]
    return {
        "ok": not problems,
        "folder": str(folder),
        "kind": manifest["kind"],
        "files": len(files),
        "frames": frames,
        "problems_found": len(problems),
        "problems": problems[:MAX_NAMED],
        "unchecked": unchecked,
    }


def _kind(folder: Path) -> str:
    """What a folder's manifest says it holds; `read_manifest` then checks the rest."""
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        if not (folder / MANIFEST).is_file():
            fix = "what import, reconstruct, extract-actor, perturb, render or export made"
            raise OtherlaneError(folder, f"has no {MANIFEST}", fix) from error
        raise OtherlaneError(folder / MANIFEST, f"is damaged ({error})", "make it again") from error
    kind = manifest.get("kind") if isinstance(manifest, dict) else None
    if not isinstance(kind, str):
        raise OtherlaneError(folder / MANIFEST, "does not say what it holds", "make it again")
    return kind


def _gate(manifest: Mapping[str, Json]) -> LabelGate | None:
    """What labels had to show, as far as the manifest says."""
    said = manifest["config"].get("gate")
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
