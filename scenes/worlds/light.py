"""The light that rays bring back: sun, sky and light from other surfaces, integrated apart.

The sun is one shadow ray. Light from the sky and from sunlit surfaces around changes slowly, so
it is gathered once at each corner of a triangle that is ever seen, with the same directions
everywhere, and interpolated: pictures then have no noise but that of their own pixels. Windows
and cars mirror what one more ray meets. Linear radiance; metres; world coordinates.
"""

import numpy as np
from jaxtyping import Float64, Int32, Int64

from scenes.geometry import transform_points
from scenes.worlds.mesh import Surface
from scenes.worlds.paint import albedo
from scenes.worlds.sky import sky_radiance
from scenes.worlds.tracer import Hits, Tracer, pick_hits, poses_at
from scenes.worlds.world import CLIP_US

GATHER_RAYS = 48
"""Directions in which a corner looks for light."""
LEAF_RAYS = 16
"""The same for a leaf, which is smaller than a pixel."""
CLUMP_M = 0.35
"""Leaves within a cell of this size share what they gather."""
SKIN_M = 2e-3
"""Secondary rays start this far off their surface."""

_MEAN = {Surface.ROAD: 0.14, Surface.PAVEMENT: 0.29, Surface.GRASS: 0.10}
"""Mean albedo of surfaces whose colour is not in the mesh."""
_MIRROR = {Surface.GLASS: 0.075, Surface.CAR_GLASS: 0.06, Surface.CAR_PAINT: 0.045}
"""Reflectance at normal incidence of what mirrors."""


def cosine_directions(count: int) -> Float64[np.ndarray, "count 3"]:
    """Directions about z, as dense as the cosine to it (a Fibonacci spiral on the disc)."""
    index = np.arange(count) + 0.5
    radius, turn = np.sqrt(index / count), index * np.pi * (3.0 - np.sqrt(5.0))
    return np.stack(
        [radius * np.cos(turn), radius * np.sin(turn), np.sqrt(1.0 - radius**2)], axis=1
    )


def frames_about(normal: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3 3"]:
    """Orthonormal frames whose third column is `normal` (Duff et al. 2017)."""
    x, y, z = np.moveaxis(normal, -1, 0)
    sign = np.where(z >= 0.0, 1.0, -1.0)
    a = -1.0 / (sign + z)
    b = x * y * a
    first = np.stack([1.0 + sign * x * x * a, sign * b, -sign * x], axis=-1)
    second = np.stack([b, sign + y * y * a, -y], axis=-1)
    return np.stack([first, second, normal], axis=-1)


class Light:
    """The light of a world; remembers what it has gathered."""

    def __init__(self, tracer: Tracer) -> None:
        """Find out which corners of triangles can share their light."""
        self.tracer = tracer
        mesh, world = tracer.mesh, tracer.world
        self._mean = mesh.colour.astype(np.float64)
        for surface, grey in _MEAN.items():
            self._mean[mesh.surface == surface] = grey
        leaf = mesh.surface == Surface.LEAF
        position = np.round(mesh.corners_m() / 2e-3).astype(np.int64)
        facing = np.round(tracer.normals * 40.0).astype(np.int64)[:, None, :]
        primes = np.array([73856093, 19349663, 83492791], np.int64)
        key = (position * primes).sum(-1) * 1_000_003 + (facing * primes[::-1] * 7).sum(-1)
        # Leaves are too many and too small: those of one clump share one light.
        clump = np.round(mesh.corners_m()[leaf].mean(axis=1) / CLUMP_M).astype(np.int64)
        key[leaf] = (clump * primes[::-1]).sum(-1)[:, None]
        _, first, self._corner = np.unique(key.ravel(), return_index=True, return_inverse=True)
        self._corner = self._corner.reshape(-1, 3)
        self._face = (first // 3).astype(np.int32)
        self._place_m = mesh.corners_m().reshape(-1, 3)[first]
        self._gathered = np.full((len(first), 3), np.nan)
        self._overhead = world.lighting.sun_irradiance * max(world.lighting.to_sun[2], 0.0)
        everywhere = sky_radiance(world, cosine_directions(256))
        self._open_sky = np.pi * everywhere.mean(axis=0)

    def radiance(
        self,
        origins_m: Float64[np.ndarray, "n 3"],
        directions: Float64[np.ndarray, "n 3"],
        time_us: Int64[np.ndarray, "n"],
        footprint_rad: float,
    ) -> Float64[np.ndarray, "n 3"]:
        """Linear radiance along each ray; `footprint_rad` is the angle between neighbours."""
        hits = self.tracer.cast(origins_m, directions, time_us)
        out = np.empty((len(origins_m), 3))
        left = np.flatnonzero(~hits.met)
        out[left] = sky_radiance(self.tracer.world, directions[left])
        met = np.flatnonzero(hits.met)
        hits, when, ray = pick_hits(hits, met), time_us[met], directions[met]
        points = origins_m[met] + hits.range_m[:, None] * ray
        spots = self.tracer.spots(hits, ray, footprint_rad)
        sun = self._sun(hits, points, when)
        around = np.einsum("nk,nki->ni", hits.weights, self._around(hits.face))
        around *= self._under_cars(points, when, hits.face)[:, None]
        light = albedo(spots, self.tracer.world.road) / np.pi * (sun + around)
        for surface, mirror in _MIRROR.items():
            pick = np.flatnonzero(spots.surface == surface)
            normal, look = hits.normal[pick], ray[pick]
            facing = np.abs(np.einsum("ni,ni->n", normal, look))
            share = (mirror + (1.0 - mirror) * (1.0 - facing) ** 5)[:, None]
            mirrored = self._mirrored(points[pick], look, normal, when[pick], footprint_rad)
            light[pick] = (1.0 - share) * light[pick] + share * mirrored
        out[met] = light
        return out

    def _sun(
        self, hits: Hits, points_m: Float64[np.ndarray, "n 3"], time_us: Int64[np.ndarray, "n"]
    ) -> Float64[np.ndarray, "n 3"]:
        """Irradiance from the sun where nothing is in its way; leaves let some through."""
        world = self.tracer.world
        cosine = hits.normal @ world.lighting.to_sun
        leaf = self.tracer.mesh.surface[hits.face] == Surface.LEAF
        through = leaf & (cosine < 0.0)
        share = np.where(through, -0.55 * cosine, np.maximum(cosine, 0.0))
        lit = np.flatnonzero(share > 0.0)
        side = np.where(through, -1.0, 1.0)[lit, None] * hits.normal[lit]
        start = points_m[lit] + SKIN_M * side
        to_sun = np.broadcast_to(world.lighting.to_sun, start.shape).copy()
        share[lit[self.tracer.blocked(start, to_sun, time_us[lit])]] = 0.0
        tint = np.where(through[:, None], [1.1, 1.2, 0.5], 1.0)
        return share[:, None] * tint * world.lighting.sun_irradiance

    def _mirrored(
        self,
        points_m: Float64[np.ndarray, "n 3"],
        directions: Float64[np.ndarray, "n 3"],
        normal: Float64[np.ndarray, "n 3"],
        time_us: Int64[np.ndarray, "n"],
        footprint_rad: float,
    ) -> Float64[np.ndarray, "n 3"]:
        """Radiance from the mirror direction; what is seen there is lit more simply."""
        world = self.tracer.world
        turned = directions - 2.0 * np.einsum("ni,ni->n", directions, normal)[:, None] * normal
        start = points_m + SKIN_M * normal
        hits = self.tracer.cast(start, turned, time_us)
        out = sky_radiance(world, turned)
        met = np.flatnonzero(hits.met)
        hits = pick_hits(hits, met)
        there = start[met] + hits.range_m[:, None] * turned[met]
        colour = albedo(self.tracer.spots(hits, turned[met], 3.0 * footprint_rad), world.road)
        out[met] = colour / np.pi * (self._sun(hits, there, time_us[met]) + 0.45 * self._open_sky)
        return out

    def _under_cars(
        self,
        points_m: Float64[np.ndarray, "n 3"],
        time_us: Int64[np.ndarray, "n"],
        face: Int32[np.ndarray, "n"],
    ) -> Float64[np.ndarray, "n"]:
        """How much of the sky moving cars leave to the ground close to them."""
        open_share = np.ones(len(points_m))
        for index, body in enumerate(self.tracer.moving):
            first, last = self.tracer.first_face[1 + index : 3 + index]
            pose = poses_at(body, time_us)
            offset = points_m - pose[:, :3, 3]
            near = np.flatnonzero(
                (np.linalg.norm(offset, axis=1) < 6.0) & ~((face >= first) & (face < last))
            )
            local = np.einsum("nji,nj->ni", pose[near, :3, :3], offset[near])
            outside = np.maximum(np.abs(local) - 0.5 * body.actor.size_m, 0.0)
            low = local[:, 2] < 0.0
            dark = np.exp(-np.linalg.norm(outside, axis=1) / 0.4)
            open_share[near] *= 1.0 - 0.85 * np.where(low, dark, 0.0)
        return open_share

    def _around(self, face: Int32[np.ndarray, "n"]) -> Float64[np.ndarray, "n 3 3"]:
        """Irradiance at the corners of triangles, gathered when first asked for."""
        corner = self._corner[face]
        wanted = np.unique(corner[np.isnan(self._gathered[corner, 0])])
        leaf = self.tracer.mesh.surface[self._face[wanted]] == Surface.LEAF
        for pick, rays in ((wanted[leaf], LEAF_RAYS), (wanted[~leaf], GATHER_RAYS)):
            for start in range(0, len(pick), 8192):
                part = pick[start : start + 8192]
                self._gathered[part] = self._gather(part, rays, leaf=rays == LEAF_RAYS)
        return self._gathered[corner]

    def _gather(
        self, corner: Int64[np.ndarray, "n"], rays: int, leaf: bool
    ) -> Float64[np.ndarray, "n 3"]:
        """Irradiance from sky and surfaces at each corner, over `rays` directions."""
        place, normal, when = self._corners_in_world(corner)
        if leaf:  # both sides count
            half = cosine_directions(rays // 2)
            pattern = np.concatenate([half, -half])
        else:
            pattern = cosine_directions(rays)
        directions = np.einsum("nij,kj->nki", frames_about(normal), pattern).reshape(-1, 3)
        side = np.sign(np.einsum("nki,ni->nk", directions.reshape(len(corner), rays, 3), normal))
        start = place[:, None] + SKIN_M * side[..., None] * normal[:, None]
        start, when = start.reshape(-1, 3), np.repeat(when, rays)
        hits = self.tracer.cast(start, directions, when)
        light = np.empty_like(directions)
        left, met = np.flatnonzero(~hits.met), np.flatnonzero(hits.met)
        light[left] = sky_radiance(self.tracer.world, directions[left])
        hits = pick_hits(hits, met)
        there = start[met] + hits.range_m[:, None] * directions[met]
        # The second bounce and what follows is a share of the open sky.
        bounced = self._sun(hits, there, when[met]) + 0.35 * self._open_sky + 0.03 * self._overhead
        light[met] = self._mean[hits.face] / np.pi * bounced
        return np.pi * light.reshape(len(corner), rays, 3).mean(axis=1)

    def _corners_in_world(
        self, corner: Int64[np.ndarray, "n"]
    ) -> tuple[Float64[np.ndarray, "n 3"], Float64[np.ndarray, "n 3"], Int64[np.ndarray, "n"]]:
        """Place (a little inside its triangle), normal and time; moving cars halfway through."""
        face = self._face[corner]
        centre = self.tracer.mesh.vertices_m[self.tracer.mesh.faces[face]].mean(axis=1)
        place = self._place_m[corner] + 0.02 * (centre - self._place_m[corner])
        normal = self.tracer.normals[face].copy()
        half = np.array([CLIP_US // 2], np.int64)
        for index, body in enumerate(self.tracer.moving):
            first, last = self.tracer.first_face[1 + index : 3 + index]
            mine = (face >= first) & (face < last)
            world_from_box = body.actor.trajectory.at(half)[0]
            place[mine] = transform_points(world_from_box, place[mine])
            normal[mine] = normal[mine] @ world_from_box[:3, :3].T
        return place, normal, np.full(len(corner), half[0])
