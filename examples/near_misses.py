"""A data set of near-collisions from one drive: draw them, render them, check what was written.

    .venv/bin/python examples/near_misses.py out/near_misses

Draws a hundred and renders the first ten; `--clips 100` renders them all, which takes hours on two
cores and goes on where it stopped. Each folder below `frames/` holds pictures, labels and exports.
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

REQUEST = Path(__file__).parent / "requests" / "near_misses.toml"


def near_misses(
    out: Path,
    /,
    clip: Path | None = None,
    scene: Path | None = None,
    request: Path = REQUEST,
    count: int = 100,
    clips: int = 10,
    size: str = "320x96",
    frames: str | None = None,
    budget: str = "2m",
    workers: int = 2,
) -> list[dict[str, Any]]:
    """Render near-collisions that nobody had to drive.

    Args:
        out: Folder for everything that is made.
        clip: Folder of the clip; the built-in sample drive when left out.
        scene: Folder of its scene, made if it is not there; OUT/scene when left out.
        request: TOML file with a `[criticality]` table.
        count: How many to draw.
        clips: How many of them to render.
        size: Size of the pictures.
        frames: Which frames of each scenario's window; all when left out.
        budget: Time to train, such as 20s or 2m.
        workers: Processes; the output is the same for any number.
    """
    clip, scene = clip or sample_path(), scene or out / "scene"
    drawn = perturb(clip, request, out / "scenarios", count=count, workers=workers)
    print(f"{drawn['accepted']} of {drawn['requested']} drawn; refused: {drawn['refused']}")
    reconstruct(clip, out=scene, recipe="preview", budget=budget)
    rows = []
    for file in sorted((out / "scenarios").glob("*/scenario.toml"))[:clips]:
        folder = out / "frames" / file.parent.name
        made = render(scene, out=folder, scenario=file, size=size, frames=frames, workers=workers)
        ok, said = verify(folder)["ok"], load_scenario(file).tags
        rows.append({"name": file.parent.name, "frames": made["frames"], "ok": ok, "tags": said})
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    """0 is success, 2 is a problem the user can fix."""
    try:
        rows = tyro.cli(near_misses, args=argv)
    except OtherlaneError as error:
        print(f"near_misses.py: {error}", file=sys.stderr)
        return 2
    for row in rows:
        print("  ".join(str(value) for value in row.values()))
    return 0 if all(row["ok"] for row in rows) else 2


if __name__ == "__main__":
    sys.exit(main())
