"""Many labelled drives from one: draw scenarios from a request, render each into its own folder.

    .venv/bin/python examples/batch.py out/batch

Started again after an interruption, it goes on: what is finished stays, frame by frame. `--clip
CLIP` takes a drive of your own (what `otherlane import` wrote), `--request FILE` other edits,
`--help` lists the rest. Each folder below `frames/` holds pictures, labels, KITTI and COCO exports.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tyro

from recon.commands import reconstruct
from render.commands import render, verify
from scenes.commands import perturb
from scenes.errors import OtherlaneError
from scenes.scenario.files import load_scenario
from scenes.worlds.record.sample import sample_path

REQUEST = Path(__file__).parent / "requests" / "lane_changes.toml"


def batch(
    out: Path,
    /,
    clip: Path | None = None,
    scene: Path | None = None,
    request: Path = REQUEST,
    count: int = 4,
    seed: int | None = None,
    frames: str = "::4",
    size: str = "320x96",
    budget: str = "2m",
    workers: int = 2,
) -> list[dict[str, Any]]:
    """Render labelled drives that nobody drove.

    Args:
        out: Folder for everything that is made.
        clip: Folder of the clip; the built-in sample drive when left out.
        scene: Folder of its scene, made if it is not there; OUT/scene when left out.
        request: TOML file: edits, with values or ranges.
        count: How many scenarios to draw.
        seed: Random seed; the request's own when left out.
        frames: Which frames of the drive, such as 10 or 0:40:4 or ::4.
        size: Size of the pictures.
        budget: Time to train, such as 20s or 2m.
        workers: Processes; the output is the same for any number.
    """
    clip = clip or sample_path()
    scene = scene or out / "scene"
    reconstruct(clip, out=scene, recipe="preview", budget=budget)
    drawn = perturb(clip, request=request, out=out / "scenarios", count=count, seed=seed)
    print(f"{drawn['accepted']} of {drawn['requested']} scenarios can be driven", file=sys.stderr)
    rows = []
    for file in sorted((out / "scenarios").glob("*/scenario.toml")):
        folder = out / "frames" / file.parent.name
        made = render(scene, out=folder, scenario=file, size=size, frames=frames, workers=workers)
        rows.append(
            {
                "scenario": file.parent.name,
                "edit": " and ".join(edit.describe() for edit in load_scenario(file).edits),
                "frames": made["frames"],
                "rendered_now": made["rendered_now"],
                "boxes": made["labelled_objects"],
                "ok": verify(folder)["ok"],
            }
        )
    return rows


def _table(rows: Sequence[dict[str, Any]]) -> str:
    """One line a scenario."""
    lines = [list(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def main(argv: Sequence[str] | None = None) -> int:
    """0 is success, 2 is a problem the user can fix."""
    try:
        rows = tyro.cli(batch, args=argv)
    except OtherlaneError as error:
        print(f"batch.py: {error}", file=sys.stderr)
        return 2
    print(_table(rows))
    return 0 if all(row["ok"] for row in rows) else 2


if __name__ == "__main__":
    sys.exit(main())
