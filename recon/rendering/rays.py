"""Rays: where they start, where they point, and how wide they are."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Rays:
    """Straight lines through the world, each the axis of a thin cone."""

    origins_m: Float[Tensor, "rays 3"]
    """Start points in the world [m]."""
    directions: Float[Tensor, "rays 3"]
    """Unit vectors in the world."""
    pixel_angle: Float[Tensor, "rays"]
    """Angle that one pixel spans [rad]; 0 is an infinitely thin ray (lidar, shadows)."""
    moment: Int64[Tensor, "rays"] | None = None
    """Which of the moments of what moves each ray sees (see `Instance`); a negative
    one sees nothing that moves. None is the first moment for all."""

    def __len__(self) -> int:
        return len(self.origins_m)

    def __getitem__(self, index: slice | Tensor) -> "Rays":
        return Rays(
            origins_m=self.origins_m[index],
            directions=self.directions[index],
            pixel_angle=self.pixel_angle[index],
            moment=None if self.moment is None else self.moment[index],
        )

    @property
    def parts(
        self,
    ) -> tuple[Float[Tensor, "rays 3"], Float[Tensor, "rays 3"], Float[Tensor, "rays"]]:
        """Start points, directions, and pixels' angles."""
        return self.origins_m, self.directions, self.pixel_angle

    @property
    def is_valid(self) -> Bool[Tensor, "rays"]:
        """Whether each goes anywhere: beside what a lens shows, directions are no numbers."""
        return torch.isfinite(self.origins_m + self.directions).all(dim=1)

    def at(self, distance_m: Float[Tensor, "rays samples"]) -> Float[Tensor, "rays samples 3"]:
        """Points at distances along the rays [m]."""
        return torch.addcmul(
            self.origins_m[:, None], self.directions[:, None], distance_m[..., None]
        )


FOOTPRINT_STD = 12.0**-0.5
"""Standard deviation of a point that is uniform across one pixel, in pixels."""
