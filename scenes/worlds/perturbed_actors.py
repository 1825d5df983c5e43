"""Road users that are elsewhere, gone or new; everybody else, and the place, keep their bytes.

The road user that an axis changes is the one nearest to the road ahead of the ego halfway through
the drive: it is in most pictures. World coordinates, metres.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float64

from scenes.actor import Actor
from scenes.geometry import transform_points, translation
from scenes.infeasible import InfeasibleError
from scenes.safety import boxes_overlap
from scenes.trajectory import Trajectory
from scenes.worlds.vehicles import HATCH, PAINTS, SEDAN, car
from scenes.worlds.world import Body, World

AHEAD_M = 15.0
"""How far ahead of the ego the road is looked at."""
EGO_BOX_M = (5.0, 2.2, 1.5)
"""The recording car with a little room around it."""
EGO_MIDDLE_M = 1.35
"""How far before the ego's origin its middle is."""
TRIED = 8
"""Road users that are tried, nearest first."""
LANE_M = 3.25
"""How far beside the ego's lane a new car is tried."""


def nearest_first(world: World) -> list[Body]:
    """Bodies by their distance to the road ahead, halfway through the drive."""
    times = world.ego.time_us
    half = np.array([(times[0] + times[-1]) // 2], np.int64)
    ahead = transform_points(world.ego.at(half)[0], np.array([AHEAD_M, 0.0, 0.0]))

    def gap_m(body: Body) -> tuple[float, int]:
        place = body.actor.trajectory.at(half)[0, :3, 3]
        return float(np.linalg.norm(place[:2] - ahead[:2])), body.actor.id

    return sorted(world.bodies, key=gap_m)


def moved(world: World, by_m: float) -> World:
    """The first road user that has room, moved in its own frame for the whole drive.

    To its left (for parked cars, towards the road), else ahead or back; to the right, where there
    may be a kerb, only if nobody has room elsewhere.

    Raises:
        InfeasibleError: There is nobody, or nobody has room.
    """
    near = nearest_first(world)[:TRIED]
    on_road, to_right = ((1.0, 0.0), (0.0, 1.0), (0.0, -1.0)), ((-1.0, 0.0),)
    tries = [(body, side) for sides in (on_road, to_right) for body in near for side in sides]
    for body, (left, ahead) in tries:
        offset = translation(np.array([by_m * ahead, by_m * left, 0.0]))
        path = body.actor.trajectory.mounted(offset)
        if _is_free(world, path, body.actor.size_m, body.actor.id):
            there = replace(body, actor=replace(body.actor, trajectory=path))
            swapped = (there if other is body else other for other in world.bodies)
            return replace(world, bodies=tuple(swapped))
    wrong = f"nobody has room to be {by_m:g} m elsewhere"
    raise InfeasibleError("actor-moved", wrong, "another world or amount", "no room")


def removed(world: World, count: float) -> World:
    """The nearest `count` road users gone, and the lamps that they carry.

    Raises:
        InfeasibleError: There is nobody.
    """
    gone = {body.actor.id for body in nearest_first(world)[: round(count)]}
    if not gone:
        raise InfeasibleError("actor-removed", "there is nobody", "another world", "nobody")
    lamps = tuple(lamp for lamp in world.lighting.lamps if lamp.carrier not in gone)
    return replace(
        world,
        bodies=tuple(body for body in world.bodies if body.actor.id not in gone),
        lighting=replace(world.lighting, lamps=lamps),
    )


def inserted(world: World, ahead_m: float) -> World:
    """One more car that keeps `ahead_m` ahead of the ego's origin, in its lane or beside it.

    Raises:
        InfeasibleError: There is no room within 20 m of that.
    """
    rng = np.random.default_rng([world.seed, 90])
    paint = PAINTS[int(rng.integers(len(PAINTS)))]
    mesh, size_m = car((HATCH, SEDAN)[int(rng.integers(2))], paint)
    for further in (0.0, 5.0, 10.0, 20.0):
        for left in (0.0, LANE_M, -LANE_M):
            path = _ahead_of_ego(world.ego, ahead_m + further, left, 0.5 * float(size_m[2]))
            if _is_free(world, path, size_m, None):
                new = 1 + max((body.actor.id for body in world.bodies), default=0)
                kind = HATCH.kind
                actor = Actor(id=new, kind=kind, size_m=size_m, trajectory=path)
                body = Body(actor=actor, mesh=mesh.labelled(kind, new))
                return replace(world, bodies=(*world.bodies, body))
    wrong = f"there is no room for a car {ahead_m:g} m ahead"
    raise InfeasibleError("actor-inserted", wrong, "another world or amount", "no room")


def _ahead_of_ego(ego: Trajectory, ahead_m: float, left_m: float, up_m: float) -> Trajectory:
    """A path that runs so far before the ego on its own path, straight on beyond its end."""
    way = ego.travelled_m()
    there = way + ahead_m
    poses = ego.at(np.interp(there, way, ego.time_us).astype(np.int64))
    beyond = np.maximum(there - way[-1], 0.0)
    offset = np.stack([beyond, np.full(len(ego), left_m), np.full(len(ego), up_m)], axis=1)
    return replace(ego, world_from_body=poses @ translation(offset))


def _is_free(
    world: World, path: Trajectory, size_m: Float64[np.ndarray, "3"], apart_from: int | None
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
