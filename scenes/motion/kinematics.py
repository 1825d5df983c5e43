"""Speed, curvature, acceleration and jerk of a body, in plan view."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from scenes.motion.smoothing import steady
from scenes.motion.trajectory import Trajectory
from scenes.work.short_repr import short_repr

SLOWEST_MPS = 0.5
"""Below this, the direction of travel is not known well, and accelerations are scaled down; at
such speeds curvature is the limit that tells."""
CHORD_M = 0.5
"""Curvature is that of the circle through points this far apart: a stop adds none."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Motion:
    """How a body moves, at each of its times."""

    time_us: Int64[np.ndarray, "n"]
    """When [µs]."""
    speed_mps: Float64[np.ndarray, "n"]
    """Speed [m/s]."""
    curvature_per_m: Float64[np.ndarray, "n"]
    """Curvature of the path, left positive [1/m]."""
    lateral_mps2: Float64[np.ndarray, "n"]
    """Acceleration across the direction of travel, left positive [m/s²]."""
    lateral_jerk_mps3: Float64[np.ndarray, "n"]
    """Its rate of change [m/s³]."""
    forward_mps2: Float64[np.ndarray, "n"]
    """Acceleration along the direction of travel [m/s²]."""

    __repr__ = short_repr


def motion(path: Trajectory) -> Motion:
    """How a recorded body moved, every `scenes.motion.smoothing.STEP_US`; safe on noisy poses."""
    return exact_motion(steady(path))


def exact_motion(path: Trajectory) -> Motion:
    """Finite differences of a path without noise, densely sampled: the definition.

    At 5 ms, jerk that jumps (at both ends of a quintic) comes out up to 2 % low.
    """
    if len(path) < 4:  # no third difference: nothing is known to move
        still = np.zeros(len(path))
        return Motion(
            time_us=path.time_us, speed_mps=still, curvature_per_m=still, lateral_mps2=still,
            lateral_jerk_mps3=still, forward_mps2=still,
        )  # fmt: skip
    place, seconds = path.world_from_body[:, :2, 3], path.time_us * 1e-6
    step = np.diff(seconds)
    velocity = np.diff(place, axis=0) / step[:, None]
    acceleration = np.diff(velocity, axis=0) / (0.5 * (step[1:] + step[:-1]))[:, None]
    velocity = 0.5 * (velocity[1:] + velocity[:-1])
    speed = np.linalg.norm(velocity, axis=1)
    ahead = velocity / np.maximum(speed, SLOWEST_MPS)[:, None]
    lateral = _cross(ahead, acceleration)
    jerk = np.diff(lateral) / step[1:-1]
    before, after = np.pad(jerk, (1, 0), mode="edge"), np.pad(jerk, (0, 1), mode="edge")
    return Motion(
        time_us=path.time_us,
        speed_mps=np.pad(speed, 1, mode="edge"),
        curvature_per_m=_curvature(place),
        lateral_mps2=np.pad(lateral, 1, mode="edge"),
        lateral_jerk_mps3=np.pad(np.where(abs(before) > abs(after), before, after), 1, mode="edge"),
        forward_mps2=np.pad(np.sum(ahead * acceleration, axis=1), 1, mode="edge"),
    )


def _cross(a: Float64[np.ndarray, "n 2"], b: Float64[np.ndarray, "n 2"]) -> np.ndarray:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def _curvature(place: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n"]:
    """Of the circle through three successive points of a path thinned to `CHORD_M`."""
    kept = [0]
    points = place.tolist()
    x, y = points[0]
    for index, (next_x, next_y) in enumerate(points):
        if (next_x - x) ** 2 + (next_y - y) ** 2 >= CHORD_M**2:
            kept.append(index)
            x, y = next_x, next_y
    if len(kept) < 3:
        return np.zeros(len(place))
    a, b, c = place[kept[:-2]], place[kept[1:-1]], place[kept[2:]]
    sides = [np.linalg.norm(side, axis=1) for side in (b - a, c - b, c - a)]
    # A path that doubles back on itself has its third side near 0: as sharp as a corner gets.
    curvature = 2.0 * _cross(b - a, c - b) / np.maximum(np.prod(sides, axis=0), 1e-9)
    return np.interp(np.arange(len(place)), kept[1:-1], curvature)
