"""Paths that the ego did not drive: beside, above and across the recorded one, and back.

A path is a `Trajectory` of the ego at the recorded times. Offsets lie in each recorded pose's own
frame (x forward, y left, z up), metres; turns are about its z axis, degrees.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float64

from scenes.motion.geometry import rigid, yaw_rotation
from scenes.motion.trajectory import Trajectory

MOST_TURN_MPS2 = 3.5
"""Sideways acceleration that a U-turn does not exceed by more than its quintic's peak [m/s²]."""


def _offset(ego: Trajectory, offset_m: Float64[np.ndarray, "n 3"], yaw: np.ndarray) -> Trajectory:
    """Each pose moved and turned in its own frame; `yaw` [rad]."""
    change = rigid(yaw_rotation(np.broadcast_to(yaw, (len(ego),))), offset_m)
    return replace(ego, world_from_body=ego.world_from_body @ change)


def _along(axis: int, values: np.ndarray, count: int) -> Float64[np.ndarray, "n 3"]:
    offset = np.zeros((count, 3))
    offset[:, axis] = values
    return offset


def shifted(ego: Trajectory, left_m: float) -> Trajectory:
    """The whole drive further to the left, headings kept."""
    return ego if left_m == 0.0 else ego.shifted_left(np.full(len(ego), float(left_m)))


def raised(ego: Trajectory, up_m: float) -> Trajectory:
    """The whole drive higher up, as on a taller car."""
    return _offset(ego, _along(2, np.array(up_m), len(ego)), np.zeros(1))


def turned(ego: Trajectory, degrees: float) -> Trajectory:
    """The recorded places, looking so far to the left."""
    return _offset(ego, np.zeros((len(ego), 3)), np.array([np.deg2rad(degrees)]))


def detour(ego: Trajectory, left_m: float) -> Trajectory:
    """Out to the left until half of the drive, and back by its end; headings follow the path.

    The offset is 64 u³ (1 - u)³ of `left_m` at the share u of the way, so it leaves and comes
    back without slope or curvature.
    """
    way = ego.travelled_m()
    u = way / max(way[-1], 1e-9)
    offset = left_m * 64.0 * (u * (1.0 - u)) ** 3
    slope = left_m * 192.0 * (u * (1.0 - u)) ** 2 * (1.0 - 2.0 * u) / max(way[-1], 1e-9)
    return _offset(ego, _along(1, offset, len(ego)), np.arctan(slope))


def u_turn(ego: Trajectory, across_m: float) -> Trajectory:
    """About-turn to the left in the middle of the drive, ending `across_m` beside its path.

    The heading is a quintic in path length, so the wheel turns steadily; the car is as slow as
    the turn asks for, never faster than it was, and goes back along the recorded path.
    """
    turn_m, place_m, heading = _half_turn(across_m)
    way, seconds = ego.travelled_m(), (ego.time_us - ego.time_us[0]) * 1e-6
    speed = min(np.sqrt(0.5 * MOST_TURN_MPS2 * across_m), way[-1] / max(seconds[-1], 1e-9))
    gone = speed * (seconds - 0.5 * seconds[-1]) + 0.5 * turn_m
    middle = 0.5 * way[-1]
    after = np.maximum(gone - turn_m, 0.0)
    recorded_m = middle + np.minimum(gone, 0.0) - after
    base = ego.at(np.interp(recorded_m, way, ego.time_us).astype(np.int64))
    inside = np.clip(gone, 0.0, turn_m) / turn_m
    grid = np.linspace(0.0, 1.0, len(heading))
    offset = np.stack([np.interp(inside, grid, place_m[:, k]) for k in (0, 1)], axis=1)
    offset = np.concatenate([offset, np.zeros((len(ego), 1))], axis=1)
    change = rigid(yaw_rotation(np.interp(inside, grid, heading)), offset)
    return replace(ego, world_from_body=base @ change)


def _half_turn(across_m: float) -> tuple[float, Float64[np.ndarray, "k 2"], np.ndarray]:
    """Length [m], places [m] and headings [rad] along a half turn that ends `across_m` left."""
    u = np.linspace(0.0, 1.0, 4001)
    heading = np.pi * u**3 * (10.0 - 15.0 * u + 6.0 * u**2)
    step = np.stack([np.cos(heading), np.sin(heading)], axis=1)
    middle = 0.5 * (step[1:] + step[:-1]) / (len(u) - 1)
    place = np.concatenate([np.zeros((1, 2)), np.cumsum(middle, axis=0)])
    length_m = across_m / float(place[-1, 1])
    return length_m, length_m * place, heading
