"""Light from lamps: street lamps that stand, headlights that drive along with their car.

A lamp lights a cone whose edge is soft, weakens with the square of the distance, and throws
shadows; its bulb is a small bright ball. World coordinates, metres, clip time in microseconds.
"""

import numpy as np
from jaxtyping import Float, Float64, Int64

from scenes.worlds.light.lighting import EGO, Lamp
from scenes.worlds.models.noise import smoothstep
from scenes.worlds.trace.tracer import Tracer, poses_at

BULB_M = 0.09
"""Radius of a bulb."""
BRIGHTEST = 30.0
"""Radiance at which a bulb is cut off: far beyond white, so that its edge is soft in pictures."""
SPILL = 0.03
"""Share of a bulb's light that is seen from outside of its cone."""
FAINTEST = 5e-4
"""Irradiance below which a lamp is left out."""


def _placed(
    tracer: Tracer, lamp: Lamp, time_us: Int64[np.ndarray, "n"]
) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n 3"]]:
    """Where a lamp is and where it points at each time."""
    count = len(time_us)
    if lamp.carrier is None:
        place = np.broadcast_to(lamp.position_m, (count, 3))
        return place, np.broadcast_to(lamp.direction, (count, 3))
    if lamp.carrier == EGO:
        times, which = np.unique(time_us, return_inverse=True)
        pose = tracer.world.ego.at(times)[which]
    else:
        body = next(body for body in tracer.world.bodies if body.actor.id == lamp.carrier)
        pose = poses_at(body, time_us)
    place = pose[:, :3, :3] @ lamp.position_m + pose[:, :3, 3]
    return place, pose[:, :3, :3] @ lamp.direction


def _cone(lamp: Lamp, cosine: np.ndarray) -> np.ndarray:
    """Share of the intensity at an angle to the lamp's direction; the last fifth is the edge."""
    if lamp.spread_rad >= np.pi:
        return np.ones_like(cosine)
    return smoothstep(cosine, np.cos(lamp.spread_rad), np.cos(0.8 * lamp.spread_rad))


def lamp_irradiance(
    tracer: Tracer,
    points_m: Float64[np.ndarray, "n 3"],
    normals: Float64[np.ndarray, "n 3"],
    time_us: Int64[np.ndarray, "n"],
    skin_m: float,
    standing: bool = False,
) -> Float64[np.ndarray, "n 3"]:
    """Irradiance from all lamps (or those that nobody carries) that see each point."""
    out = np.zeros((len(points_m), 3))
    for lamp in tracer.world.lighting.lamps:
        if standing and lamp.carrier is not None:
            continue
        place, direction = _placed(tracer, lamp, time_us)
        to_lamp = place - points_m
        square = np.maximum(np.einsum("ni,ni->n", to_lamp, to_lamp), 0.04)
        distance = np.sqrt(square)
        facing = np.einsum("ni,ni->n", to_lamp, normals) / distance
        share = _cone(lamp, -np.einsum("ni,ni->n", to_lamp, direction) / distance)
        share *= np.maximum(facing, 0.0) / square
        lit = np.flatnonzero(share * lamp.intensity.max() > FAINTEST)
        if not len(lit):
            continue
        start = points_m[lit] + skin_m * normals[lit]
        towards = to_lamp[lit] / distance[lit, None]
        reach = np.maximum(distance[lit] - 2.0 * BULB_M, 0.0)
        share[lit[tracer.blocked(start, towards, time_us[lit], reach)]] = 0.0
        out[lit] += share[lit, None] * lamp.intensity
    return out


def bulbs(
    tracer: Tracer,
    origins_m: Float64[np.ndarray, "n 3"],
    directions: Float64[np.ndarray, "n 3"],
    range_m: Float64[np.ndarray, "n"],
    time_us: Int64[np.ndarray, "n"],
) -> Float64[np.ndarray, "n 3"]:
    """Radiance of the bulbs that each ray meets within `range_m`."""
    out = np.zeros((len(origins_m), 3))
    for lamp in tracer.world.lighting.lamps:
        if lamp.carrier == EGO:  # the recording car's own are never in its pictures
            continue
        place, direction = _placed(tracer, lamp, time_us)
        to_lamp = place - origins_m
        ahead = np.einsum("ni,ni->n", to_lamp, directions)
        gap2 = np.einsum("ni,ni->n", to_lamp, to_lamp) - ahead * ahead
        met = np.flatnonzero((gap2 < BULB_M**2) & (ahead > 0.0) & (ahead - BULB_M < range_m))
        cosine = -np.einsum("ni,ni->n", directions[met], direction[met])
        share = SPILL + (1.0 - SPILL) * _cone(lamp, cosine)
        bright = lamp.intensity / (np.pi * BULB_M**2)
        out[met] += np.minimum(share[:, None] * bright, BRIGHTEST)
    return out
