"""Light that comes to surfaces from the sky and from other surfaces, gathered and remembered.

It changes slowly, so it is gathered once at each corner of a triangle that is ever seen, with the
same directions everywhere, and interpolated: it has no noise. Lamps that drive along add nothing
to it. World coordinates, metres.
"""

import numpy as np
from jaxtyping import Float64, Int32, Int64

from scenes.motion.directions import cosine_directions
from scenes.motion.geometry import transform_points
from scenes.worlds.light.lamps import lamp_irradiance
from scenes.worlds.light.sky import sky_radiance, sun_irradiance
from scenes.worlds.light.sunshine import SKIN_M, sunlight
from scenes.worlds.models.mesh import Surface
from scenes.worlds.trace.tracer import Tracer, pick_hits

GATHER_RAYS = 48
"""Directions in which a corner looks for light."""
LEAF_RAYS = 16
"""The same for a leaf, which is smaller than a pixel."""
CLUMP_M = 0.35
"""Leaves within a cell of this size share what they gather."""

_MEAN = {Surface.ROAD: 0.14, Surface.PAVEMENT: 0.29, Surface.GRASS: 0.10}
"""Mean albedo of surfaces whose colour is not in the mesh."""


def frames_about(normal: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3 3"]:
    """Orthonormal frames whose third column is `normal` (Duff et al. 2017)."""
    x, y, z = np.moveaxis(normal, -1, 0)
    sign = np.where(z >= 0.0, 1.0, -1.0)
    a = -1.0 / (sign + z)
    b = x * y * a
    first = np.stack([1.0 + sign * x * x * a, sign * b, -sign * x], axis=-1)
    second = np.stack([b, sign + y * y * a, -y], axis=-1)
    return np.stack([first, second, normal], axis=-1)


class Gathering:
    """The slow light of a world; remembers what it has gathered."""

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
        self._overhead = sun_irradiance(world.lighting) * max(world.lighting.to_sun[2], 0.0)
        everywhere = sky_radiance(world, cosine_directions(256))
        self.open_sky = np.pi * everywhere.mean(axis=0)
        """Irradiance of level ground under nothing but the sky."""

    def around(self, face: Int32[np.ndarray, "n"]) -> Float64[np.ndarray, "n 3 3"]:
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
        there, when = start[met] + hits.range_m[:, None] * directions[met], when[met]
        direct = sunlight(self.tracer, hits.face, hits.normal, there, when)
        direct += lamp_irradiance(self.tracer, there, hits.normal, when, SKIN_M, standing=True)
        # The second bounce and what follows is a share of the open sky.
        bounced = direct + 0.35 * self.open_sky + 0.03 * self._overhead
        light[met] = self._mean[hits.face] / np.pi * bounced
        return np.pi * light.reshape(len(corner), rays, 3).mean(axis=1)

    def _corners_in_world(
        self, corner: Int64[np.ndarray, "n"]
    ) -> tuple[Float64[np.ndarray, "n 3"], Float64[np.ndarray, "n 3"], Int64[np.ndarray, "n"]]:
        """Place (a little inside its triangle), normal and time; who moves, halfway through."""
        mesh, face = self.tracer.mesh, self._face[corner]
        centre = mesh.vertices_m[mesh.faces[face]].mean(axis=1)
        place = self._place_m[corner] + 0.02 * (centre - self._place_m[corner])
        normal = self.tracer.normals[face].copy()
        ego_us = self.tracer.world.ego.time_us
        when = np.full(len(corner), int(ego_us[0] + ego_us[-1]) // 2, np.int64)
        for index, body in enumerate(self.tracer.moving):
            first, last = self.tracer.first_face[1 + index : 3 + index]
            mine = np.flatnonzero((face >= first) & (face < last))
            world_from_box = body.actor.trajectory.at(when[:1])[0]
            place[mine] = transform_points(world_from_box, place[mine])
            normal[mine] = np.einsum("ij,nj->ni", world_from_box[:3, :3], normal[mine])
        return place, normal, when
