"""What a body did, without the noise of its recorded poses.

Poses from structure from motion at 10 Hz are a centimetre off. Differentiated three times, that
centimetre becomes 40 m/s³ of jerk that nobody drove. A penalised spline (Eilers and Marx, 1996)
keeps what bodies with mass can do and drops the rest: it fits quintic B-splines half a second
apart and charges for changes of acceleration. Uniform acceleration costs nothing, so straight,
uniform and uniformly braked drives come back exactly.
"""

import math

import numpy as np
from jaxtyping import Float64

from scenes.motion.geometry import rigid
from scenes.motion.trajectory import Trajectory
from scenes.work.memoize import memoized

STEP_US = 5_000
"""Spacing of the smooth poses [µs]."""
KNOT_US = 500_000
"""Spacing of the spline's knots [µs]: finer than a steering movement."""
MOST_KNOTS = 2_000
"""Longer drives than this many knots (17 min) get wider ones, so that time stays bounded."""
MOST_POSES = 1_000_000
"""And from 83 min on, smooth poses lie further apart, so that memory does."""
PLACE_NOISE_M, PLACE_JERK = 0.03, 1.0
"""Typical error of a recorded place [m], and typical jerk of a car [m/s³]."""
YAW_NOISE_RAD, YAW_JERK = 0.003, 0.3
"""The same for the heading [rad], [rad/s³]."""
DEGREE = 5


@memoized(16)
def steady(path: Trajectory) -> Trajectory:
    """The motion in plan view (level, height 0), without noise, every `STEP_US`.

    Between smooth poses this close, finite differences are as good as derivatives, and an edit
    that is applied to it shows what the edit itself demands of the car.
    """
    first, last = int(path.time_us[0]), int(path.time_us[-1])
    time_us = np.arange(first, last + 1, max(STEP_US, (last - first) // MOST_POSES))
    rotation = path.world_from_body[:, :3, :3]
    place = path.world_from_body[:, :2, 3]
    yaw = np.unwrap(np.arctan2(rotation[:, 1, 0], rotation[:, 0, 0]))
    unit_us = max(KNOT_US, (last - first) / MOST_KNOTS)
    knots = max(1, math.ceil((last - first) / unit_us))
    known, wanted = (path.time_us - first) / unit_us, (time_us - first) / unit_us
    unit_s = unit_us * 1e-6
    smooth_place = _spline(known, place, wanted, knots, PLACE_NOISE_M / PLACE_JERK / unit_s**3)
    smooth_yaw = _spline(known, yaw[:, None], wanted, knots, YAW_NOISE_RAD / YAW_JERK / unit_s**3)
    return Trajectory(time_us=time_us, world_from_body=_level(smooth_place, smooth_yaw[:, 0]))


def _level(
    place: Float64[np.ndarray, "n 2"], yaw: Float64[np.ndarray, "n"]
) -> Float64[np.ndarray, "n 4 4"]:
    rotation = np.zeros((len(yaw), 3, 3))
    rotation[:, 0, 0] = rotation[:, 1, 1] = np.cos(yaw)
    rotation[:, 1, 0] = np.sin(yaw)
    rotation[:, 0, 1] = -rotation[:, 1, 0]
    rotation[:, 2, 2] = 1.0
    return rigid(rotation, np.pad(place, ((0, 0), (0, 1))))


def _spline(
    known: Float64[np.ndarray, "n"],
    values: Float64[np.ndarray, "n d"],
    wanted: Float64[np.ndarray, "m"],
    knots: int,
    stiffness: float,
) -> Float64[np.ndarray, "m d"]:
    """Values at `wanted`; times are counted in knots.

    Minimises sum |spline - values|² + stiffness² sum |third difference of the coefficients|².
    """
    size = knots + DEGREE
    cell, weights = _basis(known, knots)
    index = cell[:, None] + np.arange(DEGREE + 1)
    normal, right = np.zeros((size, size)), np.zeros((size, values.shape[1]))
    pairs = (index[:, :, None], index[:, None, :])
    np.add.at(normal, pairs, weights[:, :, None] * weights[:, None, :])
    mean = values.mean(axis=0)
    np.add.at(right, index, weights[:, :, None] * (values - mean)[:, None, :])
    # With one or two poses, penalise acceleration or speed: something must be determined.
    bend = np.diff(np.eye(size), n=min(3, len(known)), axis=0)
    coefficients = np.linalg.solve(normal + stiffness**2 * bend.T @ bend, right)
    cell, weights = _basis(wanted, knots)
    index = cell[:, None] + np.arange(DEGREE + 1)
    return np.einsum("mk,mkd->md", weights, coefficients[index]) + mean


def _basis(
    at: Float64[np.ndarray, "n"], knots: int
) -> tuple[np.ndarray, Float64[np.ndarray, "n k"]]:
    """First of the six uniform B-splines that are not 0 at each time, and all six (Cox-de Boor)."""
    cell = np.clip(np.floor(at).astype(np.int64), 0, knots - 1)
    w = (at - cell)[:, None]
    values = np.ones((len(at), 1))
    for degree in range(1, DEGREE + 1):
        i = np.arange(degree + 1)
        older = np.pad(values, ((0, 0), (1, 0)))  # of degree - 1, shifted by one
        newer = np.pad(values, ((0, 0), (0, 1)))
        values = ((w + degree - i) * older + (1.0 - w + i) * newer) / degree
    return cell, values
