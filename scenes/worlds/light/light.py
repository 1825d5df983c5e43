"""The light that rays bring back: sun, lamps, sky and light from other surfaces, apart.

Sun and lamps are shadow rays, one for every ray. All else changes slowly from ray to ray, so rays
of one pixel that meet the same triangle share it: the colour there (filtered over the share of the
pixel that they stand for), what is gathered around (`scenes.worlds.light.irradiance_cache`), and
what glass, cars and wet roads mirror. Fog lies between. Linear radiance; metres; world coordinates.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int32, Int64

from scenes.worlds.light.irradiance_cache import Gathering
from scenes.worlds.light.lamps import bulbs, lamp_irradiance
from scenes.worlds.light.sky import sky_radiance, through_air
from scenes.worlds.light.sunshine import SKIN_M, sunlight
from scenes.worlds.models.mesh import Surface
from scenes.worlds.models.noise import band, fractal, smoothstep
from scenes.worlds.models.paint import Spots, albedo
from scenes.worlds.trace.tracer import Hits, Tracer, pick_hits, poses_at

_MIRROR = {Surface.GLASS: 0.075, Surface.CAR_GLASS: 0.06, Surface.CAR_PAINT: 0.045}
"""Reflectance at normal incidence of what mirrors."""
_WATER = 0.02
"""The same of water."""
RIPPLE = 0.012
"""Slope of the water on a wet road."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Bundle:
    """Rays that share their slow light: means over the rays of each group."""

    hits: Hits
    points_m: Float64[np.ndarray, "g 3"]
    directions: Float64[np.ndarray, "g 3"]
    time_us: Int64[np.ndarray, "g"]


class Light:
    """The light of a world; remembers what it has gathered."""

    def __init__(self, tracer: Tracer) -> None:
        """Find out which corners of triangles can share their light."""
        self.tracer = tracer
        self._gathering = Gathering(tracer)
        # Rays come with their 64th of a pixel; mirrors share within it, others within a quarter,
        # and leaves, which are of one colour, within the pixel.
        shift = np.full(256, 4, np.int64)
        shift[[int(surface) for surface in _MIRROR]] = 0
        if tracer.world.wetness > 0.0:
            shift[int(Surface.ROAD)] = 0
        shift[int(Surface.LEAF)] = 6
        self._shift = np.append(shift[tracer.mesh.surface], 4)  # the last is the sky's, face -1

    def radiance(
        self,
        origins_m: Float64[np.ndarray, "n 3"],
        directions: Float64[np.ndarray, "n 3"],
        time_us: Int64[np.ndarray, "n"],
        footprint_rad: float,
        cell: Int64[np.ndarray, "n"] | None = None,
    ) -> Float64[np.ndarray, "n 3"]:
        """Linear radiance along each ray.

        Args:
            origins_m: Where the rays start [m].
            directions: Unit vectors.
            time_us: Clip time of each ray.
            footprint_rad: Angle that the rays of a group stand for, across [rad].
            cell: 64 times the pixel that each ray belongs to, plus its place on a grid of 2 x 2
                (times 16) of 4 x 4; rays of a cell may share light. None: each is alone.
        """
        world = self.tracer.world
        hits = self.tracer.cast(origins_m, directions, time_us)
        first, group, bundle = self._bundled(hits, origins_m, directions, time_us, cell)
        out = np.empty((len(first), 3))
        left, met = np.flatnonzero(~bundle.hits.met), np.flatnonzero(bundle.hits.met)
        out[left] = sky_radiance(world, bundle.directions[left])
        share, fixed = np.zeros((len(first), 3)), out
        share[met], fixed[met] = self._slow(_picked(bundle, met), footprint_rad)
        colour = fixed[group]
        rays = np.flatnonzero(hits.met)
        points = origins_m[rays] + hits.range_m[rays, None] * directions[rays]
        colour[rays] += share[group[rays]] * self._direct(
            pick_hits(hits, rays), points, time_us[rays]
        )
        if world.lighting.lamps:
            colour += bulbs(self.tracer, origins_m, directions, hits.range_m, time_us)
        return colour

    def finish(self, hits: Hits) -> tuple[Float64[np.ndarray, "n"], Float64[np.ndarray, "n 3"]]:
        """What surfaces that rays met mirror straight on, and their light from sky and surfaces.

        The first is Fresnel's reflectance, 0 where they are not polished; the second is irradiance.
        """
        mirror = np.zeros(len(hits.face))
        for surface, reflectance in _MIRROR.items():
            mirror[self.tracer.mesh.surface[hits.face] == surface] = reflectance
        return mirror, np.einsum("nk,nki->ni", hits.weights, self._gathering.around(hits.face))

    def _bundled(
        self,
        hits: Hits,
        origins_m: np.ndarray,
        directions: np.ndarray,
        time_us: np.ndarray,
        cell: np.ndarray | None,
    ) -> tuple[Int64[np.ndarray, "g"], Int64[np.ndarray, "n"], _Bundle]:
        """A ray of each group, the group of each ray, and the groups."""
        range_m = np.where(hits.met, hits.range_m, 0.0)
        points = origins_m + range_m[:, None] * directions
        if cell is None:
            every = np.arange(len(time_us))
            whole = _Bundle(hits=hits, points_m=points, directions=directions, time_us=time_us)
            return every, every, whole
        faces = len(self.tracer.mesh) + 1
        key = (cell >> self._shift[hits.face]) * faces + hits.face + 1
        order = np.argsort(key, kind="stable")
        new = np.flatnonzero(np.diff(key[order], prepend=-1))
        group = np.empty(len(key), np.int64)
        group[order] = np.repeat(np.arange(len(new)), np.diff(new, append=len(key)))
        first, size = order[new], np.diff(new, append=len(key))[:, None]
        stacked = np.concatenate([hits.weights, points, directions, range_m[:, None]], axis=1)
        mean = np.add.reduceat(stacked[order], new, axis=0) / size
        towards = mean[:, 6:9] / np.linalg.norm(mean[:, 6:9], axis=1, keepdims=True)
        shared = Hits(
            face=hits.face[first],
            range_m=mean[:, 9],
            weights=mean[:, :3],
            normal=hits.normal[first],
        )
        bundle = _Bundle(
            hits=shared, points_m=mean[:, 3:6], directions=towards, time_us=time_us[first]
        )
        return first, group, bundle

    def _direct(
        self, hits: Hits, points_m: Float64[np.ndarray, "n 3"], time_us: Int64[np.ndarray, "n"]
    ) -> Float64[np.ndarray, "n 3"]:
        """Irradiance from sun and lamps."""
        light = sunlight(self.tracer, hits.face, hits.normal, points_m, time_us)
        if self.tracer.world.lighting.lamps:
            light += lamp_irradiance(self.tracer, points_m, hits.normal, time_us, SKIN_M)
        return light

    def _slow(
        self, bundle: _Bundle, footprint_rad: float
    ) -> tuple[Float64[np.ndarray, "g 3"], Float64[np.ndarray, "g 3"]]:
        """Radiance per direct irradiance, and the radiance without any, at the rays' origins."""
        world, hits = self.tracer.world, bundle.hits
        spots = self.tracer.spots(hits, bundle.directions, footprint_rad)
        around = np.einsum("nk,nki->ni", hits.weights, self._gathering.around(hits.face))
        around *= self._under_cars(bundle.points_m, bundle.time_us, hits.face)[:, None]
        share = albedo(spots, world.road) / np.pi
        normal, base = hits.normal.copy(), np.zeros(len(share))
        for surface, mirror in _MIRROR.items():
            base[spots.surface == surface] = mirror
        smooth = (base > 0.0).astype(np.float64)
        if world.wetness > 0.0:
            self._wet(spots, share, normal, base, smooth)
        fixed = share * around
        pick = np.flatnonzero(smooth > 0.0)
        facing = np.abs(np.einsum("ni,ni->n", normal[pick], bundle.directions[pick]))
        mirror = smooth[pick] * (base[pick] + (1.0 - base[pick]) * (1.0 - facing) ** 5)
        mirrored = self._mirrored(_picked(bundle, pick), normal[pick], footprint_rad)
        share[pick] *= 1.0 - mirror[:, None]
        fixed[pick] += mirror[:, None] * (mirrored - fixed[pick])
        kept = np.exp(-world.lighting.fog_per_m * hits.range_m)[:, None]
        return kept * share, through_air(world.lighting, fixed, bundle.directions, hits.range_m)

    def _wet(
        self,
        spots: Spots,
        share: np.ndarray,
        normal: np.ndarray,
        base: np.ndarray,
        smooth: np.ndarray,
    ) -> None:
        """Water on roads, in place: it darkens, and where it stands it mirrors, with ripples."""
        road = np.flatnonzero(spots.surface == Surface.ROAD)
        x, y = spots.rest_m[road, 0], spots.rest_m[road, 1]
        seen, wetness = spots.seen_m()[road], self.tracer.world.wetness
        low = fractal(x, y, 2.6, 3, seen, seed=71) + 0.25 * fractal(x, y, 0.3, 2, seen, seed=75)
        stands = smoothstep(low + 2.0 * wetness - 1.2, -0.5, 0.5)
        share[road] *= 1.0 - (0.55 * wetness * (0.5 + 0.5 * stands))[:, None]
        base[road], smooth[road] = _WATER, wetness * (0.12 + 0.88 * stands)
        for axis, seed in ((0, 80), (1, 83)):
            normal[road, axis] += RIPPLE * band(x, y, 0.11, seen, seed)
        normal[road] /= np.linalg.norm(normal[road], axis=1, keepdims=True)

    def _mirrored(
        self, bundle: _Bundle, normal: Float64[np.ndarray, "n 3"], footprint_rad: float
    ) -> Float64[np.ndarray, "n 3"]:
        """Radiance from the mirror direction; what is seen there is lit more simply."""
        world, look, when = self.tracer.world, bundle.directions, bundle.time_us
        turned = look - 2.0 * np.einsum("ni,ni->n", look, normal)[:, None] * normal
        start = bundle.points_m + SKIN_M * bundle.hits.normal
        hits = self.tracer.cast(start, turned, when)
        range_m, out = hits.range_m, sky_radiance(world, turned)
        met = np.flatnonzero(hits.met)
        hits = pick_hits(hits, met)
        there = start[met] + hits.range_m[:, None] * turned[met]
        colour = albedo(self.tracer.spots(hits, turned[met], 3.0 * footprint_rad), world.road)
        light = self._direct(hits, there, when[met]) + 0.45 * self._gathering.open_sky
        out[met] = through_air(world.lighting, colour / np.pi * light, turned[met], hits.range_m)
        if world.lighting.lamps:
            out += bulbs(self.tracer, start, turned, range_m, when)
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
            reach = 6.0 + max(0.5 * float(np.linalg.norm(body.actor.size_m)) - 3.0, 0.0)
            near = np.flatnonzero(
                (np.linalg.norm(offset, axis=1) < reach) & ~((face >= first) & (face < last))
            )
            local = np.einsum("nji,nj->ni", pose[near, :3, :3], offset[near])
            outside = np.maximum(np.abs(local) - 0.5 * body.actor.size_m, 0.0)
            low = local[:, 2] < 0.0
            dark = np.exp(-np.linalg.norm(outside, axis=1) / 0.4)
            open_share[near] *= 1.0 - 0.85 * np.where(low, dark, 0.0)
        return open_share


def _picked(bundle: _Bundle, pick: Int64[np.ndarray, "k"]) -> _Bundle:
    """The chosen groups."""
    return _Bundle(
        hits=pick_hits(bundle.hits, pick),
        points_m=bundle.points_m[pick],
        directions=bundle.directions[pick],
        time_us=bundle.time_us[pick],
    )
