"""A recorded drive from end to end: held-out quality over seeds, and a labelled lane change.

    python benchmarks/real_drive.py DRIVE OUT [--budget 60s] [--seeds 3] [--no-lane-change]

Prints a table in Markdown, with the machine and its load. What is in OUT already is not made
again, so an interrupted run goes on. Nothing of a drive leaves OUT: mind the drive's licence.
"""

import os
import platform
import statistics
import time
from datetime import UTC, datetime
from pathlib import Path

import torch
import tyro

from recon.commands import reconstruct
from render.commands import evaluate, render, verify
from scenes.commands import import_, perturb

REQUEST = Path(__file__).parents[1] / "examples" / "requests" / "lane_change_left.toml"
NUMBERS = ("psnr_db", "psnr_affine_db", "ssim", "flip", "depth_abs_rel")


def main(
    drive: Path,
    out: Path,
    /,
    fmt: str = "kitti-tracking",
    scale: float = 0.25,
    seeds: int = 3,
    recipe: str = "standard",
    budget: str | None = None,
    lane_change: bool = True,
    size: str = "621x188",
    workers: int = 2,
) -> None:
    """Measure a drive and print what came out."""
    clip = out / "clip"
    import_(drive, out=clip, fmt=fmt)
    rows = []
    for seed in range(seeds):
        scene = out / f"scene{seed}"
        reconstruct(
            clip, out=scene, recipe=recipe, scale=scale, holdout=8, seed=seed, budget=budget
        )
        rows.append(evaluate(scene))
    print(_header())
    print(_table(rows))
    if lane_change:
        _change_lane(clip, out, size, workers)


def _change_lane(clip: Path, out: Path, size: str, workers: int) -> None:
    perturb(clip, request=REQUEST, out=out / "scenarios")
    began = time.perf_counter()
    made = render(
        out / "scene0",
        out=out / "lane_change",
        scenario=out / "scenarios" / "0000" / "scenario.toml",
        size=size,
        workers=workers,
    )
    seconds = time.perf_counter() - began
    checked = verify(out / "lane_change")
    print(
        f"\nLane change: {made['frames']} frames at {made['size']}, "
        f"{made['labelled_objects']} tight 2D boxes, formats {made['formats']}, "
        f"verified: {checked['ok']}, {seconds:.0f} s now with {workers} processes."
    )


def _header() -> str:
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores ({platform.machine()}), "
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, load {load}\n"
    )


def _table(rows: list[dict[str, object]]) -> str:
    lines = [
        "| seed | frames | " + " | ".join(NUMBERS) + " | steps | training s |",
        "|---" * (len(NUMBERS) + 4) + "|",
    ]
    for row in rows:
        for name, part in (
            ("", row),
            (" all", row["all"]),
            (" extrapolated", row["extrapolation"]),
        ):
            if isinstance(part, dict):
                lines.append(_line(f"{row['seed']}{name}", part, row))
    for name in ("", "all"):
        parts = [row[name] if name else row for row in rows]
        known = [part for part in parts if isinstance(part, dict)]
        values = {key: [float(str(part[key])) for part in known] for key in NUMBERS}
        middle = {key: statistics.median(value) for key, value in values.items()}
        lines.append(_line(f"median {name}", {**middle, "frames": known[0]["frames"]}, {}))
    return "\n".join(lines)


def _line(name: str, part: dict[str, object], row: dict[str, object]) -> str:
    values = [f"{float(str(part[key])):.3f}" for key in NUMBERS]
    about = [
        str(part["frames"]),
        *values,
        str(row.get("steps", "")),
        str(row.get("train_seconds", "")),
    ]
    return f"| {name} | " + " | ".join(about) + " |"


if __name__ == "__main__":
    tyro.cli(main)
