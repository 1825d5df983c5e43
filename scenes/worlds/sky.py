"""What the sky sends: blue overhead, bright and hazy at the horizon and near the sun, and clouds.

The sun itself is a direction, not a disc: shadows have sharp edges and no noise.
"""

import numpy as np
from jaxtyping import Float64

from scenes.worlds.noise import fractal, smoothstep
from scenes.worlds.world import World

_HAZE = np.array([1.12, 1.27, 1.46])
_CLOUD = np.array([1.6, 1.6, 1.65])


def sky_radiance(
    world: World, directions: Float64[np.ndarray, "n 3"]
) -> Float64[np.ndarray, "n 3"]:
    """Linear radiance from each unit direction; below the horizon it is the haze."""
    up = np.clip(directions[:, 2], 0.0, 1.0)
    haze = np.exp(-4.5 * up)[:, None]
    clear = world.lighting.sky_radiance + haze * (_HAZE - world.lighting.sky_radiance)
    near_sun = np.clip(directions @ world.lighting.to_sun, 0.0, 1.0)[:, None]
    clear = clear + np.array([1.0, 0.9, 0.7]) * near_sun**24 + 0.2 * near_sun**4
    # Clouds lie in a layer, so they crowd together towards the horizon.
    u = directions[:, 0] / (up + 0.12) * 2.0 + 0.37 * world.seed
    v = directions[:, 1] / (up + 0.12) * 2.0
    thick = smoothstep(fractal(u, v, 1.5, 5, 0.0, seed=61, gain=0.55), 0.02, 1.0)
    thick *= smoothstep(up, 0.0, 0.12)
    shade = (1.0 - 0.25 * thick)[:, None] * _CLOUD
    return clear + 0.85 * thick[:, None] * (shade - clear)
