"""Memory of a training: its peak, less what PyTorch takes by itself, and less the pictures.

    python -m benchmarks.bench_memory [CLIP] [--json-file FILE]

Each backend trains in a process of its own, so that each has a peak of its own. Reading the
drive's pictures counts, as do depth evidence and everything else that is not training pixels.
"""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import tyro

from benchmarks.machine import Report, bar, memory_mb
from scenes.storage.clip_files import load_clip
from scenes.worlds.record.sample import sample_path

MOST_MB = 500.0


def main(
    clip: Path | None = None,
    /,
    json_file: Path | None = None,
    backends: tuple[str, ...] = ("native", "torch"),
    steps: int = 200,
    scale: float | None = None,
    recipe: str = "standard",
    only: str | None = None,
) -> None:
    """Measure memory.

    Args:
        clip: A clip; the packaged drive when left out.
        json_file: Write the numbers there too.
        backends: Which to train with.
        steps: Of training; half of them add to the support statistics.
        scale: Instead of the recipe's.
        recipe: Whose reconstruction.
        only: Used by the benchmark itself: train with this backend here, and print what it took.
    """
    clip = clip or sample_path()
    if only is not None:
        print(json.dumps(trained_mb(clip, recipe, only, steps, scale)))
        return
    report = Report(title=f"Memory: {load_clip(clip).name}, recipe {recipe}, {steps} steps")
    found, rows = {}, []
    for backend in backends:
        here = [sys.executable, "-m", "benchmarks.bench_memory", str(clip), "--only", backend]
        asked = ["--steps", str(steps), "--recipe", recipe]
        asked += [] if scale is None else ["--scale", str(scale)]
        done = subprocess.run([*here, *asked], stdout=subprocess.PIPE, text=True, check=True)
        mb = json.loads(done.stdout.splitlines()[-1])
        beyond = mb["peak"] - mb["imports"] - mb["pictures"]
        found[backend] = {**mb, "beyond": beyond}
        judged = bar(beyond, MOST_MB, at_least=False) if backend == "native" else beyond
        rows.append([backend, mb["imports"], mb["pictures"], mb["read"], mb["peak"], judged])
    head = ["backend", "PyTorch and otherlane imported", "training pixels", "peak of reading",
        "peak of all", "beyond imports and pixels"]  # fmt: skip
    report.table("Resident memory [MB]", head, rows)
    report.numbers["mb"] = found
    report.finish(json_file)


def trained_mb(
    clip: Path, recipe: str, backend: str, steps: int, scale: float | None
) -> dict[str, float]:
    """Memory of this process before, while and after it trains [MB]."""
    from recon.data.training_data import load_data
    from recon.recipes import RECIPES
    from recon.training.loop import train

    imports = memory_mb("VmRSS")
    loaded = load_clip(clip)
    config = replace(RECIPES[recipe](loaded), backend=backend, steps=steps)
    config = replace(config, scale=scale or config.scale)
    data = load_data(loaded, config)
    pictures = sum(pixels.srgb.nbytes for pixels in data.pixels)
    read = memory_mb("VmHWM")
    train(loaded, config, data=data)
    return {
        "imports": imports,
        "pictures": pictures / 1e6,
        "read": read,
        "peak": memory_mb("VmHWM"),
    }


if __name__ == "__main__":
    tyro.cli(main)
