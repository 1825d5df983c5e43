"""Sunlight on surfaces: one shadow ray a point, so that shadows have sharp edges and no noise."""

import numpy as np
from jaxtyping import Float64, Int32, Int64

from scenes.worlds.light.sky import sun_irradiance
from scenes.worlds.models.mesh import Surface
from scenes.worlds.trace.tracer import Tracer

SKIN_M = 2e-3
"""Secondary rays start this far off their surface."""


def sunlight(
    tracer: Tracer,
    face: Int32[np.ndarray, "n"],
    normals: Float64[np.ndarray, "n 3"],
    points_m: Float64[np.ndarray, "n 3"],
    time_us: Int64[np.ndarray, "n"],
) -> Float64[np.ndarray, "n 3"]:
    """Irradiance from the sun where nothing is in its way; leaves let some through."""
    lighting = tracer.world.lighting
    strength = sun_irradiance(lighting)
    if not strength.any():
        return np.zeros((len(face), 3))
    cosine = normals @ lighting.to_sun
    leaf = tracer.mesh.surface[face] == Surface.LEAF
    through = leaf & (cosine < 0.0)
    share = np.where(through, -0.55 * cosine, np.maximum(cosine, 0.0))
    lit = np.flatnonzero(share > 0.0)
    side = np.where(through, -1.0, 1.0)[lit, None] * normals[lit]
    start = points_m[lit] + SKIN_M * side
    to_sun = np.broadcast_to(lighting.to_sun, start.shape).copy()
    share[lit[tracer.blocked(start, to_sun, time_us[lit])]] = 0.0
    light = share[:, None] * strength
    light[through] *= [1.1, 1.2, 0.5]
    return light
