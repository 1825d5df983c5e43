"""Motions that are given point by point: the fields of edits that hold them, and their curve."""

import numpy as np
from jaxtyping import Float64, Int64

from scenes.motion.spline import Spline, spline
from scenes.storage.validation import Within

PLACE = Within(-1e6, 1e6, "m")
"""Coordinates of the world."""
YAW = Within(-100.0, 100.0, "rad")
"""Headings; more than a turn is meant as it is."""
STEP_US = 50_000
"""Knots further apart in time get poses between them [µs]."""
SLOWEST_MPS = 0.1
"""Slower than this the direction of travel says nothing about the heading."""


def check_knots(time_us: tuple[int, ...], **lists: tuple[float, ...]) -> None:
    """Raise ValueError where lists of knots do not belong together."""
    if len(time_us) < 2:
        raise ValueError(f"time_us needs two knots or more, got {len(time_us)}")
    if any(b <= a for a, b in zip(time_us[:-1], time_us[1:], strict=True)):
        raise ValueError("time_us must increase")
    for name, held in lists.items():
        if len(held) != len(time_us):
            raise ValueError(f"{name} has {len(held)} numbers, time_us {len(time_us)}")


def densely(time_us: tuple[int, ...]) -> Int64[np.ndarray, "n"]:
    """The knots' times, and enough between them for straight lines to follow a curve [µs]."""
    if max(np.diff(time_us)) <= STEP_US:
        return np.array(time_us)
    between = [
        np.linspace(a, b, -(-(b - a) // STEP_US), endpoint=False).round().astype(np.int64)
        for a, b in zip(time_us[:-1], time_us[1:], strict=True)
    ]
    return np.append(np.concatenate(between), time_us[-1])


def through(time_us: tuple[int, ...], x_m: tuple[float, ...], y_m: tuple[float, ...]) -> Spline:
    """Places in plan view by time [s, m], along a cubic spline through knots."""
    return spline(np.array(time_us) * 1e-6, np.stack([x_m, y_m], axis=1))


def headings(
    places: Spline,
    time_us: tuple[int, ...],
    yaw_rad: tuple[float, ...],
    at_us: Int64[np.ndarray, "n"],
) -> Float64[np.ndarray, "n"]:
    """Headings at times [rad]: those that are given by knot, else along the path.

    NaN where nothing is given and nothing ever moves; held beyond the outer knots.
    """
    if yaw_rad:
        at_s = at_us.clip(time_us[0], time_us[-1]) * 1e-6
        return spline(np.array(time_us) * 1e-6, np.unwrap(yaw_rad)[:, None]).at(at_s)[:, 0]
    velocity = places.slope_at(np.clip(at_us * 1e-6, places.knots[0], places.knots[-1]))
    moving = np.flatnonzero(np.hypot(*velocity.T) > SLOWEST_MPS)
    if len(moving) == 0:
        return np.full(len(at_us), np.nan)
    yaw = np.unwrap(np.arctan2(velocity[moving, 1], velocity[moving, 0]))
    return np.interp(np.arange(len(at_us)), moving, yaw)
