"""What lights a world: sun, sky, lamps, and the air in between.

Linear radiance, in units in which a white surface in the sun is about 2. World coordinates,
metres; directions are unit vectors.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Lamp:
    """A small light: a street lamp, or a headlight that somebody carries."""

    position_m: Float64[np.ndarray, "3"]
    """Where it is, in the world, or in the frame of its carrier."""
    direction: Float64[np.ndarray, "3"]
    """Where it points, in the same frame."""
    spread_rad: float
    """Half angle of its cone; pi lights all around."""
    intensity: Float64[np.ndarray, "3"]
    """Irradiance at a metre, along its direction."""
    carrier: int | None = None
    """Who carries it: an actor's id, `EGO` for the recording car, None for nobody."""


EGO = -1
"""Carrier of the recording car's own headlights."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Lighting:
    """All light of a world; surfaces, and what is painted on them, are elsewhere."""

    to_sun: Float64[np.ndarray, "3"]
    """Unit vector towards the sun."""
    sun_irradiance: Float64[np.ndarray, "3"]
    """Of a surface that faces the sun, linear red, green, blue; 0 at night."""
    sky_radiance: Float64[np.ndarray, "3"]
    """At the zenith of a clear sky; `scenes.worlds.light.sky` says how it spreads."""
    overcast: float = 0.0
    """Share of the sky that is one grey layer of cloud, 0 to 1; 1 leaves no sun."""
    lamps: tuple[Lamp, ...] = ()
    """Small lights."""
    fog_per_m: float = 0.0
    """Share of light that a metre of air scatters away."""

    def __post_init__(self) -> None:
        if abs(float(np.linalg.norm(self.to_sun)) - 1.0) > 1e-9:
            raise ValueError(f"to_sun must be a unit vector, got {self.to_sun}")
        if not 0.0 <= self.overcast <= 1.0 or self.fog_per_m < 0.0:
            raise ValueError(f"impossible weather: {self.overcast}, {self.fog_per_m}")

    @property
    def sun_above(self) -> Float64[np.ndarray, "3"] | None:
        """Direction of the sun, behind clouds too; None at night."""
        up = self.to_sun[2] > 0.0 and bool(self.sun_irradiance.any())
        return self.to_sun if up else None
