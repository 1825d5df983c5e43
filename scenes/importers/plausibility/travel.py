"""Which way a body travels, step by step of one length, however fast it was or often recorded.

Poses are compared over a fixed distance, not from picture to picture: a car that creeps, or one
recorded a hundred times a second, is judged by the same steps as any other, and the jitter of
poses stays small against them.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from scenes.errors import DriveError
from scenes.motion.geometry import interpolate_rigid, rotation_exp, rotation_log

STEP_M = 0.5
"""Straight distance between two poses that are compared [m]: poses that jitter by 1 cm tell the
direction of travel to 2 degrees, and a step of 30 degrees' turn is one of a metre's radius."""
MIN_STEPS = 5
"""Fewer steps than this do not tell the direction of travel."""
AHEAD = np.cos(np.radians(45.0))
"""A body that looks further than 45 degrees from its travel does not travel the way it looks."""
DRIFT_M = 5.0
"""The poses of a car that stands stay this near to their middle [m], or ..."""
DRIFT_SHARE = 0.05
"""... within this share of all their steps together, where GPS wanders for long ..."""
DRIFT_QUANTILE = 0.95
"""... nearly always ..."""
DRIFT_RAD = np.radians(20.0)
"""... and their steps stray from their middle one by more than this (median)."""
LEAP_M = 100.0
"""No car drives further from one pose to the next along an axis [m]."""
FARTHEST_M = 1e8
"""Poses further from their origin are no metres: the Earth is 4e7 m around [m]."""
BETWEEN = 1_000_000
"""Parts of the way from one pose to the next."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Travel:
    """The steps of a path."""

    direction: Float64[np.ndarray, "k 3"]
    """Unit direction of each step, in the body's axes halfway along it."""
    reach_m: float
    """How far it gets from the middle of its way, nearly always [m]."""

    @property
    def measured(self) -> bool:
        """Whether the body moved far enough to say how."""
        return len(self.direction) >= MIN_STEPS

    @property
    def length_m(self) -> float:
        """How far it moved, without jitter [m]."""
        return STEP_M * len(self.direction)

    def along(self, axis: Float64[np.ndarray, "3"]) -> tuple[float, float]:
        """Shares of the path along an axis of the body and against it, within 45 degrees."""
        if len(self.direction) == 0:
            return 0.0, 0.0
        cosine = self.direction @ axis
        return float(np.mean(cosine >= AHEAD)), float(np.mean(cosine <= -AHEAD))

    @property
    def drifts(self) -> bool:
        """Whether it is the wandering of a body that stands: about one place, now here, now there.

        However long it takes; a car that manoeuvres goes as its wheels roll, and is steady.
        """
        near = self.reach_m <= max(DRIFT_M, DRIFT_SHARE * self.length_m)
        return bool(near and self.unsteady() > DRIFT_RAD)

    def unsteady(self) -> float:
        """How far directions stray from their middle one (median) [rad]; forwards is backwards."""
        middle = _middle(self.direction)
        cosine = np.abs(self.direction @ middle).clip(0.0, 1.0)
        return float(np.median(np.arccos(cosine)))


def travel_of(world_from_body: Float64[np.ndarray, "n 4 4"]) -> Travel:
    """The steps of a path; none where it is shorter than one.

    Args:
        world_from_body: Poses in the order of time [m].
    """
    at = _knots(world_from_body[:, :3, 3])
    index = np.arange(len(world_from_body), dtype=np.int64) * BETWEEN
    poses = interpolate_rigid(index, world_from_body, np.round(at * BETWEEN).astype(np.int64))
    before, after = poses[:-1, :3, :3], poses[1:, :3, :3]
    turn = rotation_log(np.swapaxes(before, -1, -2) @ after)
    halfway = before @ rotation_exp(0.5 * turn)
    chord = np.diff(poses[:, :3, 3], axis=0)
    direction = np.einsum("nji,nj->ni", halfway, chord)
    length = np.linalg.norm(direction, axis=1, keepdims=True)
    place_m = poses[:, :3, 3]
    off_m = np.linalg.norm(place_m - np.median(place_m, axis=0), axis=1)
    return Travel(
        direction=direction / np.maximum(length, 1e-12),
        reach_m=float(np.quantile(off_m, DRIFT_QUANTILE)),
    )


def check_reach(world_from_body: Float64[np.ndarray, "n 4 4"], where: object) -> None:
    """Whether poses are places on Earth.

    Args:
        world_from_body: The poses [m].
        where: What an error names.

    Raises:
        DriveError: One of them is too far from the origin to be.
    """
    far_m = np.abs(world_from_body[:, :3, 3]).max(axis=1)
    worst = int(np.argmax(far_m))
    if far_m[worst] > FARTHEST_M:
        wrong = f"pose {worst} is {far_m[worst]:.3g} m from the origin of the world"
        raise DriveError(where, wrong, "poses in metres, near their origin")


def _knots(place_m: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "k"]:
    """Where steps begin and end, in poses from the first: 2.5 is halfway from pose 2 to 3.

    Each is the first place of the path (straight between poses) that is `STEP_M` from the one
    before, so that standing still, or shaking, adds no step. Plain numbers: arrays of three are
    ten times as slow.
    """
    found, (here_x, here_y, here_z) = [0.0], place_m[0].tolist()
    before = (here_x, here_y, here_z)
    for index, (x, y, z) in enumerate(place_m[1:].tolist()):
        at = float(index)
        if max(abs(x - before[0]), abs(y - before[1]), abs(z - before[2])) > LEAP_M:
            # The poses leap: that is no way travelled, but for one step.
            found.append(at + 1.0)
            here_x, here_y, here_z = x, y, z
        while (x - here_x) ** 2 + (y - here_y) ** 2 + (z - here_z) ** 2 >= STEP_M**2:
            way = (x - before[0], y - before[1], z - before[2])
            offset = (before[0] - here_x, before[1] - here_y, before[2] - here_z)
            share = _crossing(offset, way)
            at += share * (index + 1 - at)
            found.append(at)
            here_x, here_y, here_z = before = (
                before[0] + share * way[0],
                before[1] + share * way[1],
                before[2] + share * way[2],
            )
        before = (x, y, z)
    return np.array(found)


def _crossing(offset: tuple[float, float, float], way: tuple[float, float, float]) -> float:
    """At which share of `way`, begun at `offset` from a place, it is `STEP_M` away from it."""
    a = way[0] ** 2 + way[1] ** 2 + way[2] ** 2
    b = offset[0] * way[0] + offset[1] * way[1] + offset[2] * way[2]
    c = offset[0] ** 2 + offset[1] ** 2 + offset[2] ** 2 - STEP_M**2
    return min(max((math.sqrt(max(b * b - a * c, 0.0)) - b) / a, 0.0), 1.0)


def _middle(direction: Float64[np.ndarray, "k 3"]) -> Float64[np.ndarray, "3"]:
    """The axis that all directions are nearest to, whatever their sign."""
    _, vectors = np.linalg.eigh(direction.T @ direction)
    return vectors[:, -1]
