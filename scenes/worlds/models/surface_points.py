"""Points that stay on their surface, wherever and whenever it moves.

A point is kept in the frame of the part that it belongs to: the world for what never moves, a
body's box, or a limb as it hangs straight. World coordinates, metres, clip time in microseconds.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64

from scenes.motion.geometry import invert
from scenes.worlds.models.world import Body, World
from scenes.worlds.trace.tracer import Hits, Tracer, moves

NOBODY = -1
"""Owner of a point that never moves."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SurfacePoints:
    """Points with their normals, each in the frame of its part."""

    owner: Int32[np.ndarray, "n"]
    """Id of the actor they belong to, `NOBODY` for scenery."""
    part: Int32[np.ndarray, "n"]
    """0 for the body itself, k for its k-th limb, counted from 1."""
    local_m: Float64[np.ndarray, "n 3"]
    """Where they are in the frame of their part [m]."""
    local_normal: Float64[np.ndarray, "n 3"]
    """Unit normal in that frame, on the side that was looked at."""

    def __getitem__(self, pick: np.ndarray) -> "SurfacePoints":
        """The chosen points."""
        return SurfacePoints(
            owner=self.owner[pick],
            part=self.part[pick],
            local_m=self.local_m[pick],
            local_normal=self.local_normal[pick],
        )


def part_pose(
    body: Body, part: int, time_us: Int64[np.ndarray, "n"]
) -> Float64[np.ndarray, "n 4 4"]:
    """`world_from_part` at each time, as the tracer takes it."""
    path = body.actor.trajectory
    if not moves(body):
        return np.broadcast_to(path.world_from_body[0], (len(time_us), 4, 4))
    world_from_box = path.at(time_us)
    if part == 0:
        return world_from_box
    return world_from_box @ body.limbs[part - 1].box_from_limb(time_us)


def surface_points(
    tracer: Tracer, hits: Hits, points_m: Float64[np.ndarray, "n 3"], time_us: int
) -> SurfacePoints:
    """Where rays ended (all must have met something) at one time, tied to what they met."""
    owner = tracer.mesh.instance[hits.face].astype(np.int32)
    part = np.zeros(len(owner), np.int32)
    for index, body in enumerate(tracer.moving):
        first = int(tracer.first_face[1 + index])
        ends = first + np.cumsum([len(body.mesh), *(len(limb.mesh) for limb in body.limbs)])
        mine = np.flatnonzero((hits.face >= first) & (hits.face < tracer.first_face[2 + index]))
        part[mine] = np.searchsorted(ends, hits.face[mine], side="right")
    local, normal = points_m.copy(), hits.normal.copy()
    for pick, pose in _each_part(tracer.world, owner, part, time_us):
        part_from_world = invert(pose)
        local[pick] = points_m[pick] @ part_from_world[:3, :3].T + part_from_world[:3, 3]
        normal[pick] = hits.normal[pick] @ part_from_world[:3, :3].T
    return SurfacePoints(owner=owner, part=part, local_m=local, local_normal=normal)


def placed(
    world: World, points: SurfacePoints, time_us: int | Int64[np.ndarray, "n"]
) -> tuple[Float64[np.ndarray, "n 3"], Float64[np.ndarray, "n 3"]]:
    """World places [m] and normals at another time, of all or of each; NaN where nobody is."""
    place, normal = points.local_m.copy(), points.local_normal.copy()
    known = [NOBODY, *(body.actor.id for body in world.bodies)]
    place[~np.isin(points.owner, known)] = np.nan
    for pick, pose in _each_part(world, points.owner, points.part, time_us):
        turn = np.swapaxes(pose[..., :3, :3], -1, -2)
        if pose.ndim == 2:
            place[pick] = points.local_m[pick] @ turn + pose[:3, 3]
            normal[pick] = points.local_normal[pick] @ turn
        else:
            place[pick] = np.einsum("ni,nij->nj", points.local_m[pick], turn) + pose[:, :3, 3]
            normal[pick] = np.einsum("ni,nij->nj", points.local_normal[pick], turn)
    return place, normal


def moving_points(world: World, points: SurfacePoints) -> Bool[np.ndarray, "n"]:
    """Which points belong to something that moves."""
    return np.isin(points.owner, [body.actor.id for body in world.bodies if moves(body)])


def _each_part(
    world: World,
    owner: Int32[np.ndarray, "n"],
    part: Int32[np.ndarray, "n"],
    time_us: int | Int64[np.ndarray, "n"],
) -> list[tuple[np.ndarray, Float64[np.ndarray, "*k 4 4"]]]:
    """Indices of the points of every part that has any, and its pose: one, or one a point."""
    present = set(np.unique(owner).tolist())
    found = []
    for body in world.bodies:
        if body.actor.id not in present:
            continue
        mine = np.flatnonzero(owner == body.actor.id)
        for index in np.unique(part[mine]).tolist():
            pick = mine[part[mine] == index]
            if isinstance(time_us, int):
                found.append((pick, part_pose(body, index, np.array([time_us], np.int64))[0]))
            else:
                found.append((pick, part_pose(body, index, time_us[pick])))
    return found
