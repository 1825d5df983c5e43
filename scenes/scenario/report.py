"""Everything about a scenario that others need to check it: who is where and when, as JSON.

Poses are those of each road user's *box*: its centre, x along its length, within the window that
is rendered. The ego's own frame, whose origin is elsewhere, is `world_from_body @ body_from_ego`.
Between poses, places go along straight lines and rotations take the shortest turn; there is a
pose at least as often as the drive has one, and every 20 ms on a course that was solved for.
"""

import json
from typing import Any

import numpy as np
from jaxtyping import Float64

from scenes.actor import Actor
from scenes.clip import Clip
from scenes.edits.edited_scene import EditedScene
from scenes.motion.geometry import invert, plan_reach_m
from scenes.motion.trajectory import Trajectory
from scenes.safety.boxes import ego_box, ego_boxes, windowed
from scenes.safety.definitions import boxes_overlap
from scenes.semantics import Semantic
from scenes.work.memoize import memoized

OVERLAP_STEP_US = 20_000
"""Spacing of the times at which boxes are compared [µs]: at 50 m/s closing speed, 1 m apart.

So `overlaps` are told up to 20 ms late, and those that last less may be missed; labels are judged
between the times too (`scenes.safety.min_distance`).
"""


def ego_overlaps(edited: EditedScene, clip: Clip) -> list[dict[str, int]]:
    """Whose box the ego's overlaps in the window of an edited scene, and when first."""
    boxes = ego_boxes(edited.ego, clip)
    return [
        {"actor": actor.id, "time_us": first_us}
        for actor in _there(edited)
        if (first_us := _first_overlap_us(edited, boxes, clip.ego_size_m, actor)) is not None
    ]


def _there(edited: EditedScene) -> list[Actor]:
    """Who is known in the window."""
    start_us, end_us = edited.start_us, edited.end_us
    return [
        actor
        for actor in edited.actors
        if actor.trajectory.time_us[0] <= end_us and actor.trajectory.time_us[-1] >= start_us
    ]


def resolved(
    requested: dict[str, Any],
    edited: EditedScene,
    clip: Clip,
    overlaps: list[dict[str, int]] | None = None,
) -> str:
    """All poses of an edited scene and where the ego meets other boxes, as JSON with sorted keys.

    Args:
        requested: What it was made for, in the types of JSON.
        edited: What is rendered.
        clip: The drive; it knows the size of the ego.
        overlaps: What `ego_overlaps` says, for those who know it.
    """
    boxes, (start_us, end_us) = ego_boxes(edited.ego, clip), (edited.start_us, edited.end_us)
    there, overlaps = _there(edited), ego_overlaps(edited, clip) if overlaps is None else overlaps
    actors = ", ".join(_actor(actor, start_us, end_us) for actor in there)
    ego = _ego(boxes, clip, start_us, end_us)
    return (
        f'{{"actors": [{actors}], "ego": {ego}, "overlaps": {_json(overlaps)},'
        f' "requested": {_json(requested)}, "window_us": {_json([start_us, end_us])}}}\n'
    )


@memoized(2048)
def _actor(actor: Actor, start_us: int, end_us: int) -> str:
    boxes = windowed(actor.trajectory, start_us, end_us)
    return _json({"id": actor.id} | _road_user(actor.kind, actor.size_m, boxes))


@memoized(512)
def _ego(boxes: Trajectory, clip: Clip, start_us: int, end_us: int) -> str:
    user = _road_user(Semantic.CAR, clip.ego_size_m, windowed(boxes, start_us, end_us))
    return _json(user | {"body_from_ego": invert(ego_box(clip)).tolist()})


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, allow_nan=False)


def _road_user(
    kind: Semantic, size_m: Float64[np.ndarray, "3"], boxes: Trajectory
) -> dict[str, Any]:
    return {
        "class": kind.name,
        "size_m": size_m.tolist(),
        "time_us": boxes.time_us.tolist(),
        "world_from_body": boxes.world_from_body.tolist(),
    }


def _first_overlap_us(
    edited: EditedScene, ego: Trajectory, ego_size_m: Float64[np.ndarray, "3"], actor: Actor
) -> int | None:
    """When the ego's box first overlaps an actor's while both are known and rendered [µs]."""
    theirs = actor.trajectory
    start_us = max(edited.start_us, int(theirs.time_us[0]))
    end_us = min(edited.end_us, int(theirs.time_us[-1]))
    if end_us < start_us:
        return None
    at_us = np.append(np.arange(start_us, end_us, OVERLAP_STEP_US), end_us)
    if _always_apart(ego, ego_size_m, actor):
        return None
    overlap = boxes_overlap(ego.at(at_us), ego_size_m, theirs.at(at_us), actor.size_m)
    return int(at_us[np.argmax(overlap)]) if overlap.any() else None


def _always_apart(ego: Trajectory, ego_size_m: Float64[np.ndarray, "3"], actor: Actor) -> bool:
    """Whether the areas that two bodies ever cover are apart; a quick look, before a good one."""
    reach_m = float(plan_reach_m(ego_size_m) + plan_reach_m(actor.size_m))
    own, theirs = (path.world_from_body[:, :2, 3] for path in (ego, actor.trajectory))
    gap_m = np.maximum(own.min(0) - theirs.max(0), theirs.min(0) - own.max(0))
    return bool(np.any(gap_m > reach_m))
