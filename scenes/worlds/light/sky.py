"""What the sky and the air send: a clear sky or one grey layer, haze, clouds, fog, and the sun.

A clear sky is blue overhead, bright and hazy at the horizon and near the sun; all of it fades with
`Lighting.sky_radiance`, down to night. An overcast one is the CIE's (1 + 2 sin(height)) / 3, as
bright as a share of what a clear one and its sun send to the ground. The sun is a direction, not
a disc: shadows have sharp edges and no noise. Fog scatters once, out of `FOG_DEPTH_M` of air, alike
for sun, sky and lines of sight. Linear radiance; directions are unit vectors.
"""

import numpy as np
from jaxtyping import Float64

from scenes.worlds.light.lighting import Lighting
from scenes.worlds.models.noise import fractal, smoothstep
from scenes.worlds.models.world import World

FOG_DEPTH_M = 60.0
"""Height of the layer of fog."""
FORWARD = 0.5
"""Mean cosine of the angle by which fog scatters (Henyey and Greenstein's g)."""
_HAZE = np.array([1.12, 1.27, 1.46])
_CLOUD = np.array([1.6, 1.6, 1.65])
_DAY_SKY, _DAY_SUN = np.array([0.30, 0.50, 0.92]), np.array([7.2, 6.6, 5.6])
_THROUGH_CLOUD = 0.5
"""Share of a clear day's light that an overcast sky lets down."""


def _brightness(lighting: Lighting) -> tuple[float, float]:
    """Sky and sun relative to a clear day's."""
    sky, sun = lighting.sky_radiance, lighting.sun_irradiance
    return float(sky.mean() / _DAY_SKY.mean()), float(sun.mean() / _DAY_SUN.mean())


def _clear_mean(lighting: Lighting) -> Float64[np.ndarray, "3"]:
    """Mean radiance of the clear sky, weighted by the cosine to the zenith; clouds apart."""
    haze = _HAZE * _brightness(lighting)[0]
    return lighting.sky_radiance + 0.17 * (haze - lighting.sky_radiance)


def _cloud_zenith(lighting: Lighting) -> Float64[np.ndarray, "3"]:
    """Radiance straight up under a closed layer of cloud."""
    down = lighting.sun_irradiance * max(float(lighting.to_sun[2]), 0.0)
    down = _THROUGH_CLOUD * float((down + np.pi * _clear_mean(lighting)).mean())
    return down * 9.0 / (7.0 * np.pi) * np.array([0.97, 1.0, 1.04])


def sun_irradiance(lighting: Lighting) -> Float64[np.ndarray, "3"]:
    """Of a surface on the ground that faces the sun, cloud and fog in its way included."""
    height = float(lighting.to_sun[2])
    if height <= 0.0:
        return np.zeros(3)
    kept = np.exp(-lighting.fog_per_m * FOG_DEPTH_M / max(height, 0.05))
    return (1.0 - lighting.overcast) * kept * lighting.sun_irradiance


def airlight(
    lighting: Lighting, directions: Float64[np.ndarray, "n 3"]
) -> Float64[np.ndarray, "n 3"]:
    """Radiance of fog so deep that nothing else is seen.

    The source term of single scattering: what is left of the sun, by Henyey and Greenstein's
    phase function; sky, ground and the sun's light that fog has spread before, evenly.
    """
    clear = 1.0 - lighting.overcast
    height = max(float(lighting.to_sun[2]), 0.0)
    above = clear * lighting.sun_irradiance * (height > 0.0)
    left = sun_irradiance(lighting)
    sky = clear * _clear_mean(lighting) + lighting.overcast * 7.0 / 9.0 * _cloud_zenith(lighting)
    ground = 0.2 * (left * height + np.pi * sky)
    even = (above - left + 2.0 * np.pi * sky + 2.0 * ground) / (4.0 * np.pi)
    cosine = (directions @ lighting.to_sun)[:, None]
    phase = (1.0 - FORWARD**2) / (1.0 + FORWARD**2 - 2.0 * FORWARD * cosine) ** 1.5
    return even + phase / (4.0 * np.pi) * left


def sky_radiance(
    world: World, directions: Float64[np.ndarray, "n 3"]
) -> Float64[np.ndarray, "n 3"]:
    """Linear radiance from each unit direction; below the horizon it is the haze."""
    lighting, up = world.lighting, np.clip(directions[:, 2], 0.0, 1.0)
    # Clouds lie in a layer, so they crowd together towards the horizon.
    u = directions[:, 0] / (up + 0.12) * 2.0 + 0.37 * world.seed
    v = directions[:, 1] / (up + 0.12) * 2.0
    billows = fractal(u, v, 1.5, 5, 0.0, seed=61, gain=0.55)
    out = np.zeros((len(directions), 3))
    if lighting.overcast < 1.0:
        out += (1.0 - lighting.overcast) * _clear_sky(lighting, directions, up, billows)
    if lighting.overcast > 0.0:
        layer = (1.0 + 2.0 * up) / 3.0 * (1.0 + 0.10 * billows * smoothstep(up, 0.0, 0.2))
        out += lighting.overcast * layer[:, None] * _cloud_zenith(lighting)
    if lighting.fog_per_m > 0.0:
        kept = np.exp(-lighting.fog_per_m * FOG_DEPTH_M / np.maximum(up, 0.02))[:, None]
        out = kept * out + (1.0 - kept) * airlight(lighting, directions)
    return out


def _clear_sky(
    lighting: Lighting, directions: np.ndarray, up: np.ndarray, billows: np.ndarray
) -> Float64[np.ndarray, "n 3"]:
    """Blue, haze, the glow about the sun, and fair-weather clouds."""
    sky, sun = _brightness(lighting)
    haze = np.exp(-4.5 * up)[:, None]
    clear = lighting.sky_radiance + haze * (_HAZE * sky - lighting.sky_radiance)
    near_sun = np.clip(directions @ lighting.to_sun, 0.0, 1.0)[:, None]
    clear = clear + sun * (np.array([1.0, 0.9, 0.7]) * near_sun**24 + 0.2 * near_sun**4)
    thick = smoothstep(billows, 0.02, 1.0) * smoothstep(up, 0.0, 0.12)
    shade = (1.0 - 0.25 * thick)[:, None] * _CLOUD * sky
    return clear + 0.85 * thick[:, None] * (shade - clear)


def through_air(
    lighting: Lighting,
    radiance: Float64[np.ndarray, "n 3"],
    directions: Float64[np.ndarray, "n 3"],
    range_m: Float64[np.ndarray, "n"],
) -> Float64[np.ndarray, "n 3"]:
    """What is left of `radiance` after so much fog, and what the fog adds."""
    if lighting.fog_per_m == 0.0:
        return radiance
    kept = np.exp(-lighting.fog_per_m * range_m)[:, None]
    return kept * radiance + (1.0 - kept) * airlight(lighting, directions)
