"""How converged pictures are: how well two of them agree whose rays differ.

`python -m scenes.worlds.truth.converged RECIPE SEED WIDTH` prints it for a frame, and what that
cost.
"""

import sys
import time
from dataclasses import dataclass

import numpy as np

from scenes.worlds.light.light import Light
from scenes.worlds.record.recorder import Recording, camera_pose
from scenes.worlds.trace.tracer import Tracer
from scenes.worlds.trace.view import developed, photograph


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """Two pictures of a frame, with different seeds."""

    psnr_db: float
    """Of one against the other: sRGB, 8 bits, the whole frame."""
    cpu_seconds: tuple[float, float]
    """CPU time of each; the first also gathers light that the second finds gathered."""


def agreement(
    light: Light, recording: Recording, time_us: int, seeds: tuple[int, int] = (1, 2)
) -> Agreement:
    """Take the first camera's picture with both seeds."""
    pose = camera_pose(light.tracer.world, time_us)
    pictures, seconds = [], []
    for seed in seeds:
        start = time.process_time()
        linear = photograph(light, recording.camera(), pose, time_us, seed)
        seconds.append(time.process_time() - start)
        pictures.append(developed(linear).astype(np.float64) / 255.0)
    error = np.mean((pictures[0] - pictures[1]) ** 2)
    return Agreement(
        psnr_db=float(-10.0 * np.log10(max(error, 1e-12))), cpu_seconds=(seconds[0], seconds[1])
    )


def main(recipe: str, seed: int, width: int) -> None:
    """Print how well two pictures agree, 1.2 s into the drive."""
    recording = Recording(recipe=recipe, seed=seed, width=width, height=3 * width // 10)
    found = agreement(Light(Tracer(recording.world())), recording, 1_200_000)
    first, second = found.cpu_seconds
    print(
        f"{recipe} {seed} at {width} x {recording.height}: {found.psnr_db:.1f} dB, "
        f"{first:.1f} and {second:.1f} CPU s"
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
