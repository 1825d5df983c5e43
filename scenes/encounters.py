"""How near the ego and each other road user of a staging come, by `scenes.safety`."""

from dataclasses import dataclass

import numpy as np

from scenes.actor import Actor
from scenes.clip import Clip
from scenes.families.drive import ego_boxes, windowed
from scenes.remember import remembered
from scenes.safety import (
    Moving,
    contact_point_m,
    distance_m,
    headway_s,
    moving,
    post_encroachment_s,
    required_deceleration_mps2,
)
from scenes.staging import Staging
from scenes.sweep import time_to_collision_s
from scenes.trajectory import Trajectory

STEP_US = 50_000
"""Spacing of the times over which least distances and post-encroachment times are taken [µs]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Ego:
    """The ego of a staging, as others meet it."""

    boxes: Trajectory
    """World from the middle of its box, in the window of the staging."""
    size_m: np.ndarray
    """Length, width, height [m]."""
    tags: tuple[str, ...] = ()
    """Words that describe the scenario."""

    @staticmethod
    def of(staging: Staging, clip: Clip, tags: str | None = None) -> "Ego":
        """The ego of a staging of a clip; tags as a scenario has them."""
        boxes = ego_boxes(staging.ego, clip)
        return Ego(
            boxes=windowed(boxes, staging.start_us, staging.end_us),
            size_m=clip.ego_size_m,
            tags=tuple((tags or "").split()),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Encounter:
    """The ego and one other at one time; what does not apply is None."""

    ttc_s: float | None
    """Time to collision [s]; None where none is foreseen."""
    pet_s: float | None
    """Post-encroachment time in the window [s]; None where their ways share no place."""
    distance_m: float
    """Between the boxes [m]."""
    min_distance_m: float
    """Least distance in the window [m]."""
    headway_s: float | None
    """Time gap to it in the ego's lane ahead [s]; None where it is not there."""
    required_deceleration_mps2: float
    """Braking that avoids the foreseen touch [m/s²]; 0 where there is none."""
    contact_point_m: tuple[float, float] | None
    """Middle of what the boxes share [m, world x y]; None where they are apart."""

    @property
    def collision(self) -> bool:
        """Whether the boxes overlap."""
        return self.contact_point_m is not None


@remembered(512)
def encounter_at(ego: Ego, actor: Actor, time_us: int) -> Encounter | None:
    """How near they are at a time; None when the drive does not know one of them then."""
    start_us, end_us = (int(at) for at in ego.boxes.time_us[[0, -1]])
    first, last = (int(at) for at in actor.trajectory.time_us[[0, -1]])
    if not max(start_us, first) <= time_us <= min(end_us, last):
        return None
    theirs = windowed(actor.trajectory, start_us, end_us)
    own, other = (moving(path, np.array([time_us])) for path in (ego.boxes, theirs))
    sizes = (ego.size_m, actor.size_m)
    ttc = time_to_collision_s(own, sizes[0], other, sizes[1])
    point = contact_point_m(own, sizes[0], other, sizes[1])
    apart_m = 0.0 if point else float(distance_m(own, sizes[0], other, sizes[1])[0])
    pet, least_m = _over_window(ego, theirs, actor)
    return Encounter(
        ttc_s=0.0 if point else _known(ttc[0]),
        pet_s=0.0 if point else _known(pet),
        distance_m=apart_m,
        min_distance_m=min(apart_m, least_m),
        headway_s=_known(headway_s(own, sizes[0], other, sizes[1])[0]),
        required_deceleration_mps2=_braking(own, other, ttc, overlap=point is not None),
        contact_point_m=None if point is None else (point[0], point[1]),
    )


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _braking(own: Moving, other: Moving, ttc: np.ndarray, *, overlap: bool) -> float:
    if overlap or ttc[0] <= 0.0:
        return 0.0  # too late: nothing is avoided any more
    return float(required_deceleration_mps2(own, other, ttc)[0])


@remembered(512)
def _over_window(ego: Ego, theirs: Trajectory, actor: Actor) -> tuple[float, float]:
    """Post-encroachment time [s] and least distance [m]."""
    times = [
        np.append(np.arange(path.time_us[0], path.time_us[-1], STEP_US), path.time_us[-1])
        for path in (ego.boxes, theirs)
    ]
    own, other = (moving(path, at) for path, at in zip((ego.boxes, theirs), times, strict=True))
    pet = post_encroachment_s(own, ego.size_m, times[0], other, actor.size_m, times[1])
    together = moving(ego.boxes, times[1])
    return pet, float(distance_m(together, ego.size_m, other, actor.size_m).min())
