"""Light of a whole drive: the sky by direction, the sun, the headlamps of the car that records.

A value that travels: estimated once when a scene is made (`recon.lighting.light_estimation`), kept
with the scene (`recon.lighting.light_files`), and part of every `recon.rendering.shot.Shot`, where
an edit may replace it. Linear radiance in the scene's scale; world axes, metres.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

BLUE, BLUER = torch.tensor([1.0, 1.2, 1.6]), 3.0
"""Colour of a clear sky overhead over that near the horizon, and how soon it is reached."""
LEVEL = 128
"""Directions over which the light of the sky is summed."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Daylight:
    """What lights a whole drive."""

    sky: Float[Tensor, "3"]
    """Radiance of the open sky: of all of it, or where `gradation` is 1; 0 where none is known."""
    clear: bool
    """Whether it is that of a clear day; else it is even: what cloudy ones have more overhead,
    towns hide again."""
    to_sun: Float[Tensor, "3"] | None
    """Unit vector; None where it is not known, or not up."""
    sun: Float[Tensor, "3"]
    """Irradiance of a surface that faces the sun; 0 under cloud, and where nothing is known."""
    beam: Float[Tensor, "3"]
    """Irradiance a metre ahead of the car's own headlamps, at night; 0 by day."""
    glow: float = 1.0
    """How strong the glow about the sun is, over that of the standard clear sky."""

    def sky_at(
        self, directions: Float[Tensor, "n 3"], glowing: bool = True
    ) -> Float[Tensor, "n 3"]:
        """Radiance of the sky, with its glow about the sun or without."""
        if not self.clear:
            return self.sky.expand(len(directions), 3)
        blue = 1.0 - torch.exp(-BLUER * directions[:, 2:].clamp_min(0.0))
        colour = 1.0 + blue * (BLUE - 1.0)
        if self.to_sun is not None and glowing:  # as white as the sun
            colour = colour + self.glow * (glow(directions @ self.to_sun)[:, None] - 1.0)
        return gradation(directions[:, 2:]) * colour * self.sky

    def on_level(self, glowing: bool = True) -> Float[Tensor, "3"]:
        """Irradiance of level ground under the open sky."""
        return torch.pi * self.sky_at(hemisphere(LEVEL), glowing).mean(dim=0)

    @property
    def in_the_open(self) -> Float[Tensor, "3"]:
        """Irradiance of level ground in no shadow."""
        return self.on_level() + (0.0 if self.to_sun is None else self.sun * self.to_sun[2])

    @property
    def left_in_shadow(self) -> Float[Tensor, "3"]:
        """Share of the light of level ground that is left where something hides the sun.

        It hides the glow about the sun too.
        """
        if self.to_sun is None:
            return torch.ones(3)
        return self.on_level(glowing=False) / self.in_the_open.clamp_min(1e-6)

    @staticmethod
    def unknown() -> "Daylight":
        """No light at all: nothing is known of it, and whatever is drawn keeps its own."""
        none = torch.zeros(3)
        return Daylight(sky=none, clear=False, to_sun=None, sun=none, beam=none)

    @property
    def shines(self) -> bool:
        """Whether there is a sun."""
        return self.to_sun is not None and bool(self.sun.any())


def gradation(height: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """How bright a clear sky is at a sine of elevation, apart from its glow about the sun.

    The standard general sky's type 12, "CIE standard clear sky, low luminance turbidity" (CIE S 011
    / ISO 15469:2004); so is `glow`.
    """
    return 1.0 - torch.exp(-0.32 / height.clamp_min(0.02))


def glow(cosine: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
    """How much brighter a clear sky is at a cosine to the sun than across from it."""
    near = torch.exp(-3.0 * cosine.clamp(-1.0, 1.0).acos()) - math.exp(-1.5 * math.pi)
    return 1.0 + 10.0 * near + 0.45 * cosine**2


def hemisphere(count: int, axis: int = 2, sign: float = 1.0) -> Float[Tensor, "count 3"]:
    """Directions about an axis of space, as dense as the cosine to it (Fibonacci's spiral)."""
    index = torch.arange(count) + 0.5
    radius, turn = (index / count).sqrt(), index * torch.pi * (3.0 - 5.0**0.5)
    found = torch.empty(count, 3)
    found[:, axis] = sign * (1.0 - radius**2).sqrt()
    found[:, (axis + 1) % 3] = radius * turn.cos()
    found[:, (axis + 2) % 3] = radius * turn.sin()
    return found
