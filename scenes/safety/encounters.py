"""How near the ego and each other road user come, by `scenes.safety.definitions`.

Velocities come from all that is known of a body, not only from what lies in the window: a window
that begins with a road user's first pose, or holds one moment, changes nobody's motion. What is
known at one moment only has a place and no motion, and nothing that needs one is told of it. Who
stands (`Actor.is_moving`) has one pose and does not move, however its tracked box jitters; but
whoever an edit put there and who goes one way moves, however slowly it sets off.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from scenes.actor import Actor
from scenes.clip import Clip
from scenes.edits.edited_scene import EditedScene
from scenes.motion.trajectory import Trajectory
from scenes.safety.boxes import ego_boxes
from scenes.safety.definitions import (
    contact_point_m,
    distance_m,
    headway_s,
    moving,
    required_deceleration_mps2,
)
from scenes.safety.min_distance import least_distance_m, least_encroachment_s, plan_path
from scenes.safety.time_to_collision import time_to_collision_s
from scenes.work.memoize import memoized
from scenes.work.short_repr import short_repr

ONE_WAY = 0.5
"""Whoever ends further from its first place than this share of its whole way goes one way."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Ego:
    """The ego of an edited scene, as others meet it."""

    boxes: Trajectory
    """World from the middle of its box, for as long as it is known."""
    start_us: int
    """When the window of the edited scene begins, or the ego is first known in it [µs]."""
    end_us: int
    """When the window ends, or the ego is last known in it [µs]."""
    size_m: Float64[np.ndarray, "3"]
    """Length, width, height [m]."""
    tags: tuple[str, ...] = ()
    """Words that describe the scenario."""
    fixtures: frozenset[int] = frozenset()
    """Ids of those who stand as they were recorded: they are in their places for good."""

    __repr__ = short_repr

    @staticmethod
    def of(edited: EditedScene, clip: Clip, tags: str | None = None) -> "Ego":
        """The ego of an edited scene of a clip; tags as a scenario has them."""
        boxes = ego_boxes(edited.ego, clip)
        return Ego(
            boxes=boxes,
            start_us=max(edited.start_us, int(boxes.time_us[0])),
            end_us=min(edited.end_us, int(boxes.time_us[-1])),
            size_m=clip.ego_size_m,
            tags=tuple((tags or "").split()),
            fixtures=fixtures(edited.actors, clip.actors),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Encounter:
    """The ego and one other at one time; what does not apply, or needs an unknown motion, is None.

    Boxes that only touch do not collide: their distance is 0, so is their time to collision, and
    they share no area.
    """

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
    required_deceleration_mps2: float | None
    """Braking that avoids the foreseen touch [m/s²]; 0 where there is none."""
    contact_point_m: tuple[float, float] | None
    """Middle of what the boxes share [m, world x y]; None where they do not overlap."""

    @property
    def collision(self) -> bool:
        """Whether the boxes overlap; touching is not overlapping."""
        return self.contact_point_m is not None


@memoized(512)
def encounter_at(ego: Ego, actor: Actor, time_us: int) -> Encounter | None:
    """How near they are at a time; None when the drive does not know one of them then."""
    path = _path(ego, actor)
    first, last = (int(at) for at in path.time_us[[0, -1]])
    if not max(ego.start_us, first) <= time_us <= min(ego.end_us, last):
        return None
    own, other = (moving(boxes, np.array([time_us])) for boxes in (ego.boxes, path))
    sizes = (ego.size_m, actor.size_m)
    point = contact_point_m(own, sizes[0], other, sizes[1])
    apart_m = 0.0 if point else float(distance_m(own, sizes[0], other, sizes[1])[0])
    pet, least_m = _over_window(ego, actor)
    known = len(ego.boxes) > 1 and len(path) > 1
    ttc = time_to_collision_s(own, sizes[0], other, sizes[1])
    headway = _known(headway_s(own, sizes[0], other, sizes[1])[0])
    if point or ttc[0] <= 0.0:
        soon, braking = 0.0, 0.0  # too late: nothing is avoided any more
    else:
        soon = _known(ttc[0]) if known else None
        braking = float(required_deceleration_mps2(own, other, ttc)[0]) if known else None
    return Encounter(
        ttc_s=soon,
        pet_s=0.0 if point else _known(pet),
        distance_m=apart_m,
        min_distance_m=min(apart_m, least_m),
        headway_s=headway if known else None,
        required_deceleration_mps2=braking,
        contact_point_m=None if point is None else (point[0], point[1]),
    )


def fixtures(actors: Sequence[Actor], recorded: Sequence[Actor]) -> frozenset[int]:
    """Ids of those who stand as they were recorded: they are in their places for good."""
    as_recorded = {actor.id: actor for actor in recorded}
    return frozenset(
        actor.id for actor in actors if not actor.is_moving and as_recorded.get(actor.id) == actor
    )


@memoized(512)
def standing_pose(actor: Actor) -> Float64[np.ndarray, "4 4"]:
    """The one pose of what stands still: its known pose nearest to the median place."""
    poses = actor.trajectory.world_from_body
    place = poses[:, :3, 3]
    return poses[np.argmin(np.linalg.norm(place - np.median(place, axis=0), axis=1))]


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


@memoized(512)
def _path(ego: Ego, actor: Actor) -> Trajectory:
    """Where a road user is taken to be; who stands, in one place."""
    known, recorded = actor.trajectory, actor.id in ego.fixtures
    if len(known) == 1 or actor.is_moving or (not recorded and _sets_off(known)):
        return known  # nobody can tell from one pose whether it stands
    first, last = (int(at) for at in known.time_us[[0, -1]])
    if recorded:
        first, last = min(first, ego.start_us), max(last, ego.end_us)
    poses = np.repeat(standing_pose(actor)[None], 2, axis=0)
    return Trajectory(time_us=np.array([first, last]), world_from_body=poses)


def _sets_off(path: Trajectory) -> bool:
    """Whether most of the way of a body that hardly moves leads one way: jitter goes to and fro."""
    way_m = float(path.travelled_m()[-1])
    places = path.world_from_body[:, :3, 3]
    return way_m > 0.0 and float(np.linalg.norm(places[-1] - places[0])) > ONE_WAY * way_m


@memoized(512)
def _over_window(ego: Ego, actor: Actor) -> tuple[float, float]:
    """Post-encroachment time [s] and least distance [m]."""
    own, other = (
        plan_path(boxes, size_m, ego.start_us, ego.end_us)
        for boxes, size_m in ((ego.boxes, ego.size_m), (_path(ego, actor), actor.size_m))
    )
    least_m = least_distance_m(own, other)
    return 0.0 if least_m == 0.0 else least_encroachment_s(own, other), least_m
