"""Where the sun is, from place and time, and how bright it and the sky are.

Directions are unit vectors in a world whose x axis heads `heading_rad` counter-clockwise from
east. Formulas: NOAA's low-precision solar position (declination, equation of time from the
fractional year), good to about half a degree.
"""

import numpy as np
from jaxtyping import Float64

from scenes.worlds.light.lighting import Lamp, Lighting

_SUN = np.array([7.2, 6.6, 5.6])
_SKY = np.array([0.30, 0.50, 0.92])


def sun_direction(
    latitude_deg: float, day: float, solar_hour: float, heading_rad: float = 0.0
) -> Float64[np.ndarray, "3"]:
    """Unit vector to the sun; `day` counts from 1 January, the sun is highest at hour 12."""
    year = 2.0 * np.pi * (day - 1.0 + (solar_hour - 12.0) / 24.0) / 365.0
    tilt = (
        0.006918
        - 0.399912 * np.cos(year)
        + 0.070257 * np.sin(year)
        - 0.006758 * np.cos(2 * year)
        + 0.000907 * np.sin(2 * year)
        - 0.002697 * np.cos(3 * year)
        + 0.00148 * np.sin(3 * year)
    )
    hour, place = np.deg2rad(15.0 * (solar_hour - 12.0)), np.deg2rad(latitude_deg)
    east = -np.cos(tilt) * np.sin(hour)
    north = np.cos(place) * np.sin(tilt) - np.sin(place) * np.cos(tilt) * np.cos(hour)
    up = np.sin(place) * np.sin(tilt) + np.cos(place) * np.cos(tilt) * np.cos(hour)
    cos, sin = np.cos(heading_rad), np.sin(heading_rad)
    to_sun = np.array([cos * east + sin * north, cos * north - sin * east, up])
    return to_sun / np.linalg.norm(to_sun)


def daylight(
    seed: int,
    hours: tuple[float, float] = (9.0, 15.0),
    overcast: float = 0.0,
    lamps: tuple[Lamp, ...] = (),
) -> Lighting:
    """A day in spring or summer in the middle of Europe, at some hour, some way round."""
    rng = np.random.default_rng([seed, 60])
    to_sun = sun_direction(
        rng.uniform(44.0, 52.0),
        rng.uniform(100.0, 240.0),
        rng.uniform(*hours),
        rng.uniform(0, 6.28),
    )
    # What the air takes away of the sun's light grows with its path through the air.
    air = 1.0 / max(float(to_sun[2]), 0.05) - 1.0
    return Lighting(
        to_sun=to_sun,
        sun_irradiance=_SUN * np.exp(-air * np.array([0.06, 0.10, 0.17])),
        sky_radiance=_SKY,
        overcast=overcast,
        lamps=lamps,
    )


def night(seed: int, lamps: tuple[Lamp, ...]) -> Lighting:
    """No sun, a town's dim sky, and lamps."""
    return Lighting(
        to_sun=daylight(seed).to_sun,
        sun_irradiance=np.zeros(3),
        sky_radiance=np.array([0.0035, 0.004, 0.0065]),
        lamps=lamps,
    )
