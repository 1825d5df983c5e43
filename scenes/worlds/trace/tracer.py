"""What rays meet in a world, at any time of the drive: exact geometry, classes and instances.

Scenery and parked cars are one set of triangles. A car that moves is traced in the frame of its
own box, at the time of each ray, so that rolling shutters and spinning lidars see it where it is;
limbs that swing are traced in their own frames in turn.
World coordinates, metres; directions are unit vectors.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Float64, Int32, Int64, UInt8

from scenes.motion.geometry import invert
from scenes.semantics import Semantic
from scenes.worlds.models.markings import paint_coverage
from scenes.worlds.models.mesh import Mesh, Surface, join
from scenes.worlds.models.paint import Spots, albedo
from scenes.worlds.models.world import Body, World
from scenes.worlds.trace.mitsuba_door import Triangles


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Hits:
    """Where rays ended."""

    face: Int32[np.ndarray, "n"]
    """Triangle in the tracer's list, -1 where a ray left the world."""
    range_m: Float64[np.ndarray, "n"]
    """Distance along the ray [m]; infinite where it left."""
    weights: Float64[np.ndarray, "n 3"]
    """Barycentric weights of the triangle's corners."""
    normal: Float64[np.ndarray, "n 3"]
    """Unit normal on the side of the ray's origin; 0 where it left."""

    @property
    def met(self) -> Bool[np.ndarray, "n"]:
        """Whether the ray hit anything."""
        return self.face >= 0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Truth:
    """What is exactly known about the first surface on each ray."""

    range_m: Float64[np.ndarray, "n"]
    """Distance along the ray [m]; infinite for the sky."""
    normal: Float64[np.ndarray, "n 3"]
    """Unit normal towards the origin; 0 for the sky."""
    albedo: Float64[np.ndarray, "n 3"]
    """Linear albedo at the point; 0 for the sky."""
    semantic: UInt8[np.ndarray, "n"]
    """A `Semantic` each."""
    instance: Int32[np.ndarray, "n"]
    """Id of the actor, -1 for none."""


class Tracer:
    """A world, ready to be looked at."""

    def __init__(self, world: World) -> None:
        """Take the world apart into what moves and what does not; takes seconds.

        Raises:
            OtherlaneError: Mitsuba is not installed.
        """
        self.world = world
        self.moving: list[Body] = [body for body in world.bodies if moves(body)]
        parked = [
            body.mesh.moved(body.actor.trajectory.world_from_body[0])
            for body in world.bodies
            if not moves(body)
        ]
        still = join([world.scenery, *parked])
        rigid_parts = [_rigid_parts(body) for body in self.moving]
        self.mesh = join([still, *(mesh for meshes in rigid_parts for mesh in meshes)])
        self.normals = self.mesh.normals()
        self._rest_normals = replace(self.mesh, vertices_m=self.mesh.rest_m).normals()
        self._still = Triangles(still)
        self._movers = [[Triangles(mesh) for mesh in meshes] for meshes in rigid_parts]
        sizes = [len(still), *(sum(map(len, meshes)) for meshes in rigid_parts)]
        self.first_face = np.cumsum([0, *sizes])
        """First triangle of the still part and of each moving body, limbs included; the end
        comes last."""

    def cast(
        self,
        origins_m: Float64[np.ndarray, "n 3"],
        directions: Float64[np.ndarray, "n 3"],
        time_us: Int64[np.ndarray, "n"],
    ) -> Hits:
        """The first surface on each ray."""
        face = self._still.first_hit(origins_m, directions)
        range_m, weights = np.full(len(face), np.inf), np.zeros((len(face), 3))
        normal = np.zeros((len(face), 3))
        met = np.flatnonzero(face >= 0)
        range_m[met], weights[met] = self._still.meet(face[met], origins_m[met], directions[met])
        normal[met] = self.normals[face[met]]
        for index, (body, parts) in enumerate(zip(self.moving, self._movers, strict=True)):
            near = _rays_near(body, origins_m, directions, time_us)
            first = int(self.first_face[1 + index])
            for part, triangles in enumerate(parts):
                rays, origin, direction, rotation = _in_part(body, part, near, time_us)
                found = triangles.first_hit(origin, direction)
                keep = np.flatnonzero(found >= 0)
                there, weight = triangles.meet(found[keep], origin[keep], direction[keep])
                closer = there < range_m[rays[keep]]
                keep, there, weight = keep[closer], there[closer], weight[closer]
                ray = rays[keep]
                face[ray] = found[keep] + first
                range_m[ray], weights[ray] = there, weight
                turned = self.normals[face[ray]]
                normal[ray] = np.einsum("nij,nj->ni", rotation[keep], turned)
                first += len(_rigid_parts(body)[part])
        away = np.einsum("ni,ni->n", normal, directions) > 0.0
        normal[away] *= -1.0
        return Hits(face=face, range_m=range_m, weights=weights, normal=normal)

    def blocked(
        self,
        origins_m: Float64[np.ndarray, "n 3"],
        directions: Float64[np.ndarray, "n 3"],
        time_us: Int64[np.ndarray, "n"],
        reach_m: Float64[np.ndarray, "n"] | None = None,
    ) -> Bool[np.ndarray, "n"]:
        """Whether anything stands on each ray, within `reach_m`."""
        reach_m = np.full(len(origins_m), np.inf) if reach_m is None else reach_m
        hidden = self._still.blocked(origins_m, directions, reach_m)
        for body, parts in zip(self.moving, self._movers, strict=True):
            near = _rays_near(body, origins_m, directions, time_us)
            for part, triangles in enumerate(parts):
                rays, origin, direction, _ = _in_part(body, part, near, time_us)
                hidden[rays] |= triangles.blocked(origin, direction, reach_m[rays])
        return hidden

    def spots(
        self, hits: Hits, directions: Float64[np.ndarray, "n 3"], footprint_rad: float
    ) -> Spots:
        """Surface points of rays that all met something; neighbours are `footprint_rad` apart."""
        corners = self.mesh.rest_m[self.mesh.faces[hits.face]]
        across = hits.range_m * footprint_rad
        facing = np.abs(np.einsum("ni,ni->n", hits.normal, directions))
        return Spots(
            surface=self.mesh.surface[hits.face],
            rest_m=np.einsum("nk,nki->ni", hits.weights, corners),
            normal=self._rest_normals[hits.face],
            colour=self.mesh.colour[hits.face],
            across_m=across,
            along_m=across / np.maximum(facing, 0.02),
        )

    def cast_on(
        self,
        number: int,
        origins_m: Float64[np.ndarray, "n 3"],
        directions: Float64[np.ndarray, "n 3"],
        time_us: Int64[np.ndarray, "n"],
    ) -> tuple[Int64[np.ndarray, "k"], Hits]:
        """Which rays meet the road user of that id first, and what they meet."""
        hits = self.cast(origins_m, directions, time_us)
        met = np.flatnonzero(hits.met)
        mine = met[self.mesh.instance[hits.face[met]] == number]
        return mine, pick_hits(hits, mine)

    def truth(
        self,
        origins_m: Float64[np.ndarray, "n 3"],
        directions: Float64[np.ndarray, "n 3"],
        time_us: Int64[np.ndarray, "n"],
    ) -> Truth:
        """Exact truth of one ray each; nothing is averaged."""
        hits = self.cast(origins_m, directions, time_us)
        met = np.flatnonzero(hits.met)
        ends = pick_hits(hits, met)
        spots = self.spots(ends, directions[met], 0.0)
        colour = np.zeros((len(hits.face), 3))
        colour[met] = albedo(spots, self.world.road)
        semantic = np.full(len(hits.face), int(Semantic.SKY), np.uint8)
        semantic[met] = self._classes(ends, spots)
        instance = np.full(len(hits.face), -1, np.int32)
        instance[met] = self.mesh.instance[ends.face]
        return Truth(
            range_m=hits.range_m,
            normal=hits.normal,
            albedo=colour,
            semantic=semantic,
            instance=instance,
        )

    def _classes(self, hits: Hits, spots: Spots) -> UInt8[np.ndarray, "n"]:
        """Classes of triangles, and of the paint on the road, worn or not."""
        semantic = self.mesh.semantic[hits.face].copy()
        road = np.flatnonzero(spots.surface == Surface.ROAD)
        x, y = spots.rest_m[road, 0], spots.rest_m[road, 1]
        nothing = np.zeros(len(road))
        painted = paint_coverage(x, y, nothing, nothing, self.world.road) > 0.5
        semantic[road[painted]] = int(Semantic.LANE_MARKING)
        return semantic


def pick_hits(hits: Hits, pick: np.ndarray) -> Hits:
    """The chosen ones."""
    return Hits(
        face=hits.face[pick],
        range_m=hits.range_m[pick],
        weights=hits.weights[pick],
        normal=hits.normal[pick],
    )


def poses_at(body: Body, time_us: Int64[np.ndarray, "n"]) -> Float64[np.ndarray, "n 4 4"]:
    """`world_from_box` at each time; interpolated once per different time."""
    if len(time_us) and np.all(time_us == time_us[0]):  # one moment, as in most pictures
        pose = body.actor.trajectory.at(time_us[:1])
        return np.broadcast_to(pose, (len(time_us), 4, 4))
    times, which = np.unique(time_us, return_inverse=True)
    return body.actor.trajectory.at(times)[which]


_Rays = tuple[
    Int64[np.ndarray, "k"],
    Float64[np.ndarray, "k 3"],
    Float64[np.ndarray, "k 3"],
    Float[np.ndarray, "k 3 3"],
]
"""Which rays; their origins and directions in some frame; the rotations from it to the world."""


def _rays_near(
    body: Body,
    origins_m: Float64[np.ndarray, "n 3"],
    directions: Float64[np.ndarray, "n 3"],
    time_us: Int64[np.ndarray, "n"],
) -> _Rays:
    """Rays that meet the body's bounding sphere: which, in its frame, and its rotations."""
    radius = 0.5 * float(np.linalg.norm(body.actor.size_m)) + 0.05
    world_from_box = poses_at(body, time_us)
    to_centre = world_from_box[:, :3, 3] - origins_m
    ahead = np.einsum("ni,ni->n", to_centre, directions)
    gap2 = np.einsum("ni,ni->n", to_centre, to_centre) - ahead * ahead
    near = np.flatnonzero((gap2 < radius * radius) & (ahead > -radius))
    box_from_world = invert(world_from_box[near])
    rotation = box_from_world[:, :3, :3]
    origin = np.einsum("nij,nj->ni", rotation, origins_m[near]) + box_from_world[:, :3, 3]
    direction = np.einsum("nij,nj->ni", rotation, directions[near])
    return near, origin, direction, np.swapaxes(rotation, 1, 2)


def _in_part(body: Body, part: int, near: _Rays, time_us: Int64[np.ndarray, "n"]) -> _Rays:
    """The same rays in the frame of the body's mesh (part 0) or of one of its limbs."""
    rays, origin, direction, rotation = near
    if part == 0 or not len(rays):
        return near
    limb_from_box = invert(body.limbs[part - 1].box_from_limb(time_us[rays]))
    turn = limb_from_box[:, :3, :3]
    origin = np.einsum("nij,nj->ni", turn, origin) + limb_from_box[:, :3, 3]
    direction = np.einsum("nij,nj->ni", turn, direction)
    return rays, origin, direction, rotation @ np.swapaxes(turn, 1, 2)


def _rigid_parts(body: Body) -> list[Mesh]:
    """The body's own mesh, then its limbs, each in its own frame."""
    return [body.mesh, *(limb.mesh for limb in body.limbs)]


def moves(body: Body) -> bool:
    """Whether a body is traced in its own frame: it drives, walks, or only waves."""
    return body.actor.is_moving or len(body.limbs) > 0
