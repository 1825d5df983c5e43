"""One turn of a spinning lidar through a world, while the ego drives on and cars pass."""

import numpy as np
from jaxtyping import Float64

from scenes.semantics import Semantic
from scenes.sensors.lidar import Lidar, Sweep
from scenes.worlds.models.noise import smoothstep
from scenes.worlds.trace.tracer import Tracer

NOISE_M = 0.01
"""Standard deviation of a range [m]."""
STEP_M = 1.0 / 128.0
"""What coordinates are rounded to [m]: a sensor's resolution, and small files."""


def scan(
    tracer: Tracer,
    lidar: Lidar,
    ego_from_lidar: Float64[np.ndarray, "4 4"],
    time_us: int,
    seed: int,
) -> Sweep:
    """The returns of a turn that starts at `time_us`, each in the sensor's frame at its own time.

    Returns weaken with range and slant; they get lost with the range, and on glass.
    """
    pattern = lidar.directions()
    beams = pattern.shape[1]
    offset = np.repeat(lidar.offsets_us(), beams)
    local = pattern.reshape(-1, 3)
    path = tracer.world.ego.mounted(ego_from_lidar)
    poses = path.at(time_us + lidar.offsets_us().astype(np.int64))
    poses = np.repeat(poses, beams, axis=0)
    directions = np.einsum("nij,nj->ni", poses[:, :3, :3], local)
    when = time_us + offset.astype(np.int64)
    truth = tracer.truth(poses[:, :3, 3].copy(), directions, when)
    rng = np.random.default_rng([seed, time_us, 77])
    luck, noise = rng.uniform(size=len(when)), rng.normal(size=len(when))
    facing = -np.einsum("ni,ni->n", truth.normal, directions)
    back = np.where(
        np.isin(truth.semantic, (int(Semantic.TRAFFIC_SIGN), int(Semantic.LANE_MARKING))), 1.8, 1.0
    )
    strength = truth.albedo.mean(axis=1) * (0.25 + 0.75 * facing) * back
    lost = smoothstep(truth.range_m, 0.75 * lidar.max_range_m, lidar.max_range_m)
    lost = np.maximum(lost, 1.0 - smoothstep(strength, 0.0, 0.06))
    kept = (truth.range_m < lidar.max_range_m) & (truth.range_m > 0.9) & (luck >= lost)
    range_m = truth.range_m[kept] + NOISE_M * noise[kept]
    xyz_m = np.round(range_m[:, None] * local[kept] / STEP_M) * STEP_M
    return Sweep(
        xyz_m=xyz_m.astype(np.float32),
        offset_us=offset[kept].astype(np.int32),
        intensity=(np.round(255.0 * np.clip(strength[kept], 0.0, 1.0)) / 255.0).astype(np.float32),
    )
