"""Road users that are elsewhere, gone or new; everybody else, and the place, keep their bytes.

What is changed is said by the edits that a user would ask for (`scenes.edits`), and a world is
changed by them as a drive is, so that a reconstruction can be asked for the very same. Whom an axis
changes must move: road users that stand still are part of the static scene of a
reconstruction, which no edit takes apart. It is the one that is longest and nearest in view.
World coordinates, metres.
"""

import zlib
from dataclasses import replace

import numpy as np
from jaxtyping import Float64

from scenes.actor import Actor
from scenes.edits import ActorEdit, apply_edit
from scenes.edits.actor_looks import InsertActor
from scenes.edits.actors import MoveActor, RemoveActor
from scenes.edits.assets import LIBRARY, LIBRARY_SEED, find_asset
from scenes.edits.edited_scene import EditedScene
from scenes.errors import InfeasibleError
from scenes.motion.geometry import invert, translation
from scenes.motion.trajectory import Trajectory
from scenes.safety.definitions import boxes_overlap
from scenes.worlds.models.procedural import procedural
from scenes.worlds.models.world import Body, World

AHEAD_M = 12.0
"""Who is in view is best this far ahead of the ego."""
NEAR_M, FAR_M = 6.0, 35.0
"""Nobody is taken for in view who is nearer or further ahead."""
ASIDE = 0.7
"""Nor who is further aside than this much of the distance ahead."""
EGO_BOX_M = (5.0, 2.2, 1.5)
"""The recording car with a little room around it."""
EGO_MIDDLE_M = 1.35
"""How far before the ego's origin its middle is."""
TRIED = 8
"""Road users that are tried, nearest first."""
LANE_M = 3.25
"""How far beside the ego's lane a new vehicle is tried."""
INSERTED = ("car", "van", "truck", "bus")
"""Packaged assets that drive as fast as the recording car."""

Edits = tuple[ActorEdit, ...]


def edited_world(world: World, edits: Edits) -> World:
    """The world after edits; an asset is the procedural road user that it was learnt from.

    The ground is where everybody stands already: whoever moves keeps the height of its own track.

    Raises:
        InfeasibleError: An edit cannot be done.
    """
    edited = _as_recorded(world)
    for edit in edits:
        edited = apply_edit(edit, edited)
    known = {body.actor.id: body for body in world.bodies}
    bodies = tuple(
        _made(actor, edited.assets[actor.id])
        if actor.id in edited.assets
        else replace(known[actor.id], actor=actor)
        for actor in edited.actors
    )
    gone = known.keys() - {body.actor.id for body in bodies}
    lamps = tuple(lamp for lamp in world.lighting.lamps if lamp.carrier not in gone)
    return replace(world, bodies=bodies, lighting=replace(world.lighting, lamps=lamps))


def _as_recorded(world: World) -> EditedScene:
    first, last = world.ego.time_us[[0, -1]].tolist()
    actors = tuple(body.actor for body in world.bodies)
    return EditedScene(ego=world.ego, actors=actors, start_us=first, end_us=last)


def _made(actor: Actor, asset: str) -> Body:
    """Whom a packaged asset shows."""
    mesh, limbs, _ = procedural(LIBRARY[asset], LIBRARY_SEED)
    limbs = tuple(
        replace(limb, mesh=limb.mesh.labelled(actor.kind, actor.id), path=actor.trajectory)
        for limb in limbs
    )
    return Body(actor=actor, mesh=mesh.labelled(actor.kind, actor.id), limbs=limbs)


def movers_in_view(world: World) -> list[Actor]:
    """Road users that move and come into view of the ego, best seen over the whole drive first."""
    time_us, ego_from_world = world.ego.time_us, invert(world.ego.world_from_body)

    def gap_m(actor: Actor) -> float:
        there = ego_from_world @ actor.trajectory.at(time_us)
        ahead, aside = there[:, 0, 3], np.abs(there[:, 1, 3])
        seen = (ahead >= NEAR_M) & (ahead <= FAR_M) & (aside <= ASIDE * ahead)
        return float(np.where(seen, np.hypot(ahead - AHEAD_M, aside), FAR_M).mean())

    moving = [body.actor for body in world.bodies if body.actor.is_moving]
    gaps = {actor.id: gap_m(actor) for actor in moving}
    moving = [actor for actor in moving if gaps[actor.id] < FAR_M]
    return sorted(moving, key=lambda actor: (gaps[actor.id], actor.id))


def moved(world: World, by_m: float) -> Edits:
    """The first road user that has room, moved in its own frame for the whole drive.

    To its left, else to its right, ahead or back.

    Raises:
        InfeasibleError: Nobody comes into view, or nobody has room.
    """
    near = movers_in_view(world)[:TRIED]
    if not near:
        raise _nobody("actor-moved")
    sides = ((1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0))
    for actor in near:
        for left, ahead in sides:
            edit = MoveActor(actor=actor.id, forward_m=by_m * ahead, left_m=by_m * left)
            if _has_room(world, edit):
                return (edit,)
    wrong = f"nobody has room to be {by_m:g} m elsewhere"
    raise InfeasibleError("actor-moved", wrong, "another world or amount", "no room")


def removed(world: World, count: float) -> Edits:
    """The first `count` road users gone (all, where there are fewer), and the lamps they carry.

    Raises:
        InfeasibleError: Nobody comes into view.
    """
    gone = movers_in_view(world)[: round(count)]
    if not gone:
        raise _nobody("actor-removed")
    return tuple(RemoveActor(actor=actor.id) for actor in gone)


def inserted(world: World, ahead_m: float) -> Edits:
    """One more vehicle, in the ego's lane or beside it, at the ego's mean speed.

    Its rear is `ahead_m` ahead of the ego's origin when the drive begins.

    Raises:
        InfeasibleError: There is no room within 20 m of that.
    """
    rng = np.random.default_rng([world.seed, 90, zlib.crc32(world.recipe.encode())])
    asset = INSERTED[int(rng.integers(len(INSERTED)))]
    new = 1 + max((body.actor.id for body in world.bodies), default=0)
    time_us, way_m = world.ego.time_us, world.ego.travelled_m()
    speed_mps = float(way_m[-1] - way_m[0]) / (float(time_us[-1] - time_us[0]) * 1e-6)
    half_m = 0.5 * float(find_asset(asset).size_m[0])
    for further in (0.0, 5.0, 10.0, 20.0):
        for left_m in (0.0, LANE_M, -LANE_M):
            edit = InsertActor(
                actor=new,
                asset=asset,
                start_us=int(time_us[0]),
                ahead_m=ahead_m + further + half_m,
                left_m=left_m,
                speed_mps=speed_mps,
            )
            if _has_room(world, edit):
                return (edit,)
    wrong = f"there is no room for a {asset} {ahead_m:g} m ahead"
    raise InfeasibleError("actor-inserted", wrong, "another world or amount", "no room")


def _nobody(where: str) -> InfeasibleError:
    return InfeasibleError(where, "nobody who moves comes into view", "another world", "nobody")


def _has_room(world: World, edit: MoveActor | InsertActor) -> bool:
    """Whether whom the edit names meets neither the ego nor anybody else at any time."""
    actors = edit.apply(_as_recorded(world)).actors
    (mine,) = (actor for actor in actors if actor.id == edit.actor)
    return _is_free(world, mine.trajectory, mine.size_m, edit.actor)


def _is_free(
    world: World, path: Trajectory, size_m: Float64[np.ndarray, "3"], apart_from: int
) -> bool:
    """Whether a box meets neither the ego nor another body at any time of the drive."""
    time_us = world.ego.time_us
    mine = path.at(time_us)
    room = size_m + [0.3, 0.2, 0.0]
    middle = world.ego.world_from_body @ translation(np.array([EGO_MIDDLE_M, 0.0, 0.0]))
    if boxes_overlap(mine, room, middle, np.array(EGO_BOX_M)).any():
        return False
    return not any(
        boxes_overlap(mine, room, body.actor.trajectory.at(time_us), body.actor.size_m).any()
        for body in world.bodies
        if body.actor.id != apart_from
    )
