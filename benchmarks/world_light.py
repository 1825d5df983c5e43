"""How converged the light of worlds is: two pictures whose rays differ, one against the other.

    python -m benchmarks.world_light [--worlds street tunnel_mouth ...] [--size 320x96]

Every picture of a world is made of random rays; another seed draws others. Two such pictures of
the same frame must agree to 45 dB (sRGB, 8 bits, the whole frame), or scores against them would
measure their noise. Smaller pictures are noisier: each pixel holds more of the world.
"""

from pathlib import Path

import tyro

from benchmarks.machine import Report, bar
from render.folders.selection import parse_size
from scenes.worlds.light.light import Light
from scenes.worlds.recipes import RECIPES
from scenes.worlds.record.recorder import Recording
from scenes.worlds.trace.tracer import Tracer
from scenes.worlds.truth.converged import agreement

BAR_DB = 45.0
WORLDS = ("street", "tree_avenue", "tunnel_mouth", "night_street", "wet_street")
"""Sun, shadow of leaves, light that comes in at one end, lamps, and a road that mirrors."""


def main(
    worlds: tuple[str, ...] = WORLDS,
    seed: int = 101,
    size: str = "320x96",
    time_us: int = 1_200_000,
    json_file: Path | None = None,
) -> None:
    """Print how well two pictures of a frame agree, for some worlds.

    Args:
        worlds: Recipes; `all` for every one.
        seed: Of the worlds.
        size: Of the pictures.
        time_us: Of the frame, after the drive's start [µs].
        json_file: Write the numbers there too.
    """
    width, height = parse_size(size)
    report, rows = Report(title=f"Two pictures with other rays, {size}, seed {seed}"), []
    for name in RECIPES if "all" in worlds else worlds:
        recording = Recording(recipe=name, seed=seed, width=width, height=height)
        found = agreement(Light(Tracer(recording.world())), recording, time_us)
        rows.append([name, bar(found.psnr_db, BAR_DB, at_least=True), *found.cpu_seconds])
        report.numbers[name] = {"psnr_db": found.psnr_db, "cpu_s": found.cpu_seconds}
        print(f"{name}: {found.psnr_db:.1f} dB", flush=True)
    report.table("Agreement", ["world", "PSNR [dB]", "first [CPU s]", "second [CPU s]"], rows)
    report.finish(json_file)


if __name__ == "__main__":
    tyro.cli(main)
