"""Growth with the drive: the first 20, 40 and 60 pictures of a clip, each reconstructed as a whole.

    python -m benchmarks.bench_length CLIP [--frames 20 40 60] [--quick] [--json-file FILE]

Each length trains in a process of its own, by its own recipe (steps follow the pictures). Quality
is that of held-out pictures after a colour fit: of all that a length has, and of those that the
shortest has too, which says more: the drive's later pictures may be harder.
"""

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import tyro

from benchmarks.machine import Report, bar, load, memory_mb
from scenes.clip import Clip, ImageStream, LidarStream, SparsePoints
from scenes.errors import OtherlaneError
from scenes.storage.clip_files import load_clip

LOST_DB = 0.5
"""Bar, from the shortest to any other; time and memory may grow as the length does."""
QUICK_STEPS = 16


def shortened(clip: Clip, frames: int) -> Clip:
    """The drive up to that picture of its first camera."""
    first = clip.cameras[0]
    if frames >= len(first):
        return clip
    until_us = int(first.time_us[frames - 1])
    kept = int(np.searchsorted(clip.ego.time_us, until_us + first.camera.readout_us)) + 1
    ego = clip.ego
    return replace(
        clip,
        ego=replace(ego, time_us=ego.time_us[:kept], world_from_body=ego.world_from_body[:kept]),
        cameras=tuple(_until(stream, until_us) for stream in clip.cameras),
        lidars=tuple(_sweeps_until(stream, until_us) for stream in clip.lidars),
        points=None if clip.points is None else _seen_by(clip.points, frames),
    )


def _until(stream: ImageStream, until_us: int) -> ImageStream:
    count = max(1, int(np.searchsorted(stream.time_us, until_us, side="right")))
    return replace(
        stream,
        time_us=stream.time_us[:count],
        files=stream.files[:count],
        contents=stream.contents[:count],
        exposure=stream.exposure[:count],
        unlabelled=stream.unlabelled and stream.unlabelled.before_frame(count),
    )


def _sweeps_until(stream: LidarStream, until_us: int) -> LidarStream:
    count = max(1, int(np.searchsorted(stream.time_us, until_us, side="right")))
    return stream.chosen(np.arange(count))


def _seen_by(points: SparsePoints, frames: int) -> SparsePoints:
    """The same points; only what the first pictures saw of them."""
    seen = points.frame_index < frames
    return replace(
        points, point_index=points.point_index[seen], frame_index=points.frame_index[seen]
    )


def measured(clip: Path, frames: int, recipe: str, seed: int, quick: bool) -> dict[str, object]:
    """Train on the first pictures, in this process, and score the held-out ones."""
    from recon.data.training_data import load_data
    from recon.evaluation.evaluate import evaluate_scene
    from recon.field.model import drive_length_m
    from recon.kernels.backend import choose_backend
    from recon.recipes import RECIPES
    from recon.scene import Scene
    from recon.training.loop import train

    imports = memory_mb("VmRSS")
    short = shortened(load_clip(clip), frames)
    backend = choose_backend(None)
    config = replace(RECIPES[recipe](short), seed=seed, backend=str(backend))
    if quick:
        config = replace(config, steps=QUICK_STEPS, scale=0.5 * config.scale)
    data = load_data(short, config)
    pictures = sum(pixels.srgb.nbytes for pixels in data.pixels)
    wall, cpu = time.perf_counter(), time.process_time()
    model = train(short, config, data=data)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = memory_mb("VmHWM")
    scene = Scene(clip=short, config=config, model=model, backend=backend)
    scores, _ = evaluate_scene(scene)
    return {
        "frames": frames,
        "drive_m": drive_length_m(short),
        "backend": config.backend,
        "steps": config.steps,
        "log2_table": config.field.grid.log2_table,
        "wall_s": wall,
        "cpu_s": cpu,
        "beyond_mb": peak - imports - pictures / 1e6,
        "psnr_affine_db": {s.frame: s.psnr_affine_db for s in scores if not s.extrapolated},
        "load": load(),
    }


def main(
    clip: Path,
    /,
    json_file: Path | None = None,
    frames: tuple[int, ...] = (20, 40, 60),
    recipe: str = "standard",
    seed: int = 0,
    threads: int = 2,
    quick: bool = False,
    only: int | None = None,
) -> None:
    """Measure growth with the length of a drive.

    Args:
        clip: A clip as long as the longest.
        json_file: Write the numbers there too.
        frames: How many of its pictures, in growing order.
        recipe: Whose reconstruction.
        seed: Of the training.
        threads: Threads to train on.
        quick: A few steps of small pictures: says only that it works.
        only: Used by the benchmark itself: measure this length here, and print what came out.
    """
    if only is not None:
        torch.set_num_threads(threads)
        print(json.dumps(measured(clip, only, recipe, seed, quick)))
        return
    report = Report(title=f"Length: {load_clip(clip).name}, recipe {recipe}, {threads} threads")
    command = [sys.executable, "-m", "benchmarks.bench_length", str(clip), "--recipe", recipe]
    command += ["--seed", str(seed), "--threads", str(threads), *(["--quick"] if quick else [])]
    found = []
    for count in frames:
        this = [*command, "--only", str(count)]
        done = subprocess.run(this, stdout=subprocess.PIPE, text=True, check=True)
        found.append(json.loads(done.stdout.splitlines()[-1]))
    for one in found:
        if not one["psnr_affine_db"]:
            wrong = f"the first {one['frames']} pictures: none is held out between training ones"
            raise OtherlaneError(clip, wrong, "--frames with larger numbers")
    _print(report, found)
    report.numbers |= {"seed": seed, "quick": quick, "lengths": found}
    report.finish(json_file)


def _print(report: Report, found: list[dict]) -> None:
    common = set.intersection(*(set(one["psnr_affine_db"]) for one in found))
    first, rows = found[0], []
    for one in found:
        values = one["psnr_affine_db"]
        own = float(np.mean(list(values.values())))
        shared = float(np.mean([values[frame] for frame in common]))
        rows.append(
            [one["frames"], f"{one['drive_m']:.0f}", one["steps"], f"2^{one['log2_table']}",
             one["wall_s"], one["cpu_s"], one["beyond_mb"], f"{own:.2f}", f"{shared:.2f}"]
        )  # fmt: skip
    head = ["frames", "drive [m]", "steps", "table", "s", "CPU s", "peak beyond [MB]",
        "psnr_affine_db, own frames", "on the common ones"]  # fmt: skip
    report.table("", head, rows)
    for one, row in zip(found[1:], rows[1:], strict=True):
        longer = one["frames"] / first["frames"]
        lost = [float(str(rows[0][k])) - float(str(row[k])) for k in (7, 8)]
        own, shared = (bar(x, LOST_DB, at_least=False) for x in lost)
        time_s, memory = (
            bar(one[key] / first[key], longer, at_least=False) for key in ("cpu_s", "beyond_mb")
        )
        report.say(
            f"{first['frames']} to {one['frames']} frames: lost {own} dB, on the common frames "
            f"{shared} dB; processor time times {time_s}, memory times {memory}."
        )


if __name__ == "__main__":
    tyro.cli(main)
