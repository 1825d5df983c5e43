"""Is there room for everybody whom a scenario moves, adds or makes larger?

Whoever is edited must not be, at any time of the window, where something solid was measured
(`scenes.road.obstacles`), nor in the box of anybody else, nor for most of its way on ground of
which nobody knows anything. What the recording shows is not judged, and overlaps that are meant are
not refused. Whoever stands as it was recorded is in its place for good, whenever its track ends.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from scenes.actor import Actor
from scenes.clip import Clip
from scenes.edits.edited_scene import EditedScene
from scenes.motion.geometry import plan_reach_m
from scenes.motion.trajectory import Trajectory
from scenes.road.obstacles import Evidence
from scenes.safety.boxes import ego_boxes
from scenes.safety.definitions import boxes_overlap
from scenes.safety.encounters import fixtures, standing_pose
from scenes.work.memoize import memoized

STEP_US = 20_000
"""Spacing of the times at which boxes are looked at [µs]."""
MOVED = 0.01
"""Whoever is nowhere further from where it was recorded [m], nor turned by more [rad], is there."""
MOST_UNMEASURED = 0.5
"""The most of a way that may lead over ground that nobody measured, as a share."""
SOLID, TAKEN, UNMEASURED = "something stands there", "somebody is there", "nobody measured there"
"""Reasons of refusals."""
BLOCKED = (SOLID, TAKEN, UNMEASURED)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class User:
    """Somebody at the times that are looked at."""

    id: int | None
    """Track id; None is the ego."""
    size_m: Float64[np.ndarray, "3"]
    """Length, width, height [m]."""
    world_from_box: Float64[np.ndarray, "t 4 4"]
    """Where its box is."""
    known: Bool[np.ndarray, "t"]
    """When it is there."""
    edited: Bool[np.ndarray, "t"]
    """When it is there otherwise than it was recorded."""

    @property
    def name(self) -> str:
        """What to call it."""
        return "the ego" if self.id is None else f"actor {self.id}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Blocked:
    """Somebody has no room."""

    who: int | None
    """Its track id; None is the ego."""
    wrong: str
    """Who, where, when and why, in words."""
    fix: str
    """What would let it be, when no other place is known."""
    reason: str
    """One of `BLOCKED`."""


def blocked(
    edited: EditedScene,
    clip: Clip,
    evidence: Evidence,
    may_overlap: Collection[int] = (),
    *,
    allow_unmeasured: bool = False,
) -> Blocked | None:
    """The first who has no room; None when everybody has.

    Args:
        edited: Who is where.
        clip: The drive that it was made of.
        evidence: What is known of the place.
        may_overlap: Track ids of those whose boxes may overlap others: a collision is meant.
        allow_unmeasured: Whether ways may lead over ground of which nobody knows anything.
    """
    window = np.arange(edited.start_us, edited.end_us, STEP_US)
    at_us = np.append(window, edited.end_us)
    users = _users(edited, clip, at_us)
    for user in users:
        if not user.edited.any():
            continue
        found = _in_something(user, evidence, at_us) or _in_somebody(
            user, users, frozenset(may_overlap), at_us
        )
        if found is None and not allow_unmeasured:
            found = _nowhere(user, evidence)
        if found is not None:
            return found
    return None


def unmeasured_share(evidence: Evidence, xy_m: Float64[np.ndarray, "n 2"]) -> float:
    """The share of a way in plan view, by length, of which nobody knows anything."""
    step_m = np.linalg.norm(np.diff(xy_m, axis=0), axis=1)
    weight = np.concatenate([step_m, [0.0]]) + 1e-6
    return float(np.average(~evidence.measured(xy_m), weights=weight))


def _users(edited: EditedScene, clip: Clip, at_us: Int64[np.ndarray, "t"]) -> list[User]:
    """The ego, then everybody who may be there."""
    recorded = {actor.id: actor for actor in clip.actors}
    stand = fixtures(edited.actors, clip.actors)
    before = ego_boxes(clip.ego, clip)
    boxes = before if edited.ego is clip.ego else ego_boxes(edited.ego, clip)
    users = [_user(None, clip.ego_size_m, boxes, before, at_us)]
    for actor in edited.actors:
        old = recorded.get(actor.id)
        if actor.id in stand:
            users.append(_standing(actor, at_us))
        elif actor.trajectory.time_us[0] <= at_us[-1] and actor.trajectory.time_us[-1] >= at_us[0]:
            same_size = old is not None and np.array_equal(old.size_m, actor.size_m)
            then = old.trajectory if old is not None and same_size else None
            users.append(_user(actor.id, actor.size_m, actor.trajectory, then, at_us))
    return users


def _user(
    number: int | None,
    size_m: Float64[np.ndarray, "3"],
    boxes: Trajectory,
    recorded: Trajectory | None,
    at_us: Int64[np.ndarray, "t"],
) -> User:
    known = (at_us >= boxes.time_us[0]) & (at_us <= boxes.time_us[-1])
    poses, edited = _at(boxes, at_us), known
    if recorded is boxes:
        edited = np.zeros(len(at_us), dtype=bool)
    elif recorded is not None:
        was_known = (at_us >= recorded.time_us[0]) & (at_us <= recorded.time_us[-1])
        off = np.abs(poses - _at(recorded, at_us)).max(axis=(1, 2))
        edited = known & (~was_known | (off > MOVED))
    return User(id=number, size_m=size_m, world_from_box=poses, known=known, edited=edited)


def _at(boxes: Trajectory, at_us: Int64[np.ndarray, "t"]) -> Float64[np.ndarray, "t 4 4"]:
    return _poses(boxes, int(at_us[0]), int(at_us[-1]))


@memoized(256)
def _poses(boxes: Trajectory, start_us: int, end_us: int) -> Float64[np.ndarray, "t 4 4"]:
    return boxes.at(np.append(np.arange(start_us, end_us, STEP_US), end_us))


def _standing(actor: Actor, at_us: Int64[np.ndarray, "t"]) -> User:
    poses = np.broadcast_to(standing_pose(actor), (len(at_us), 4, 4))
    always = np.ones(len(at_us), dtype=bool)
    return User(
        id=actor.id, size_m=actor.size_m, world_from_box=poses, known=always, edited=~always
    )


def _in_something(user: User, evidence: Evidence, at_us: Int64[np.ndarray, "t"]) -> Blocked | None:
    found = evidence.inside(user.world_from_box[user.edited], user.size_m)
    if found is None:
        return None
    when_s = at_us[user.edited][found.pose] * 1e-6
    return Blocked(
        who=user.id,
        wrong=f"{user.name} would go through something at {when_s:.2f} s: {found.describe()}",
        fix="another place or time",
        reason=SOLID,
    )


def _in_somebody(
    user: User, users: list[User], meant: frozenset[int], at_us: Int64[np.ndarray, "t"]
) -> Blocked | None:
    for other in users:
        if other is user or not meant.isdisjoint({user.id, other.id}):
            continue
        both = user.known & other.known & (user.edited | other.edited)
        if not both.any() or _far_apart(user, other, both):
            continue
        overlap = boxes_overlap(
            user.world_from_box[both], user.size_m, other.world_from_box[both], other.size_m
        )
        if overlap.any():
            first = int(np.argmax(overlap))
            x_m, y_m = other.world_from_box[both][first, :2, 3]
            when_s = at_us[both][first] * 1e-6
            wrong = f"{user.name} would be in the box of {other.name} at {when_s:.2f} s, "
            who = user.id if user.id is not None else other.id
            return Blocked(
                who=user.id,
                wrong=wrong + f"at {x_m:.1f}, {y_m:.1f}",
                fix=f"another place or time, or may_overlap = [{who}] where a collision is meant",
                reason=TAKEN,
            )
    return None


def _far_apart(user: User, other: User, both: Bool[np.ndarray, "t"]) -> bool:
    """Whether the middles of two are never near enough for their boxes to touch; a quick look."""
    apart = user.world_from_box[both, :2, 3] - other.world_from_box[both, :2, 3]
    reach_m = float(plan_reach_m(user.size_m) + plan_reach_m(other.size_m))
    return bool(np.sum(apart**2, axis=1).min() > reach_m**2)


def _nowhere(user: User, evidence: Evidence) -> Blocked | None:
    xy_m = user.world_from_box[user.edited, :2, 3]
    share = unmeasured_share(evidence, xy_m)
    if share <= MOST_UNMEASURED:
        return None
    x_m, y_m = xy_m[~evidence.measured(xy_m)][0]
    wrong = f"the drive measured nothing on {100.0 * share:.0f} % of the way of {user.name}"
    return Blocked(
        who=user.id,
        wrong=f"{wrong}, such as at {x_m:.1f}, {y_m:.1f}: nobody knows whether it is free",
        fix="a way nearer to what was recorded, or allow_unmeasured = true where you know it",
        reason=UNMEASURED,
    )
