"""The space a field lives in: metric near the path, contracted out to the horizon.

A block is a cube of `2 * half_size_m` around a stretch of the path, in which the hash grid keeps
its resolution in metres; outside, a contraction folds the rest of the world into a shell, so that
the horizon is reached: (2 - 1/m) x / m, where m is the L-infinity norm of x (Mip-NeRF 360, Barron
et al. 2022, eq. 10, has the Euclidean norm). Block coordinates x are (p - centre) / half_size,
contracted to [-2, 2], then mapped to the unit cube [0, 1].
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """One cube of metric space and the contracted world around it."""

    centre_m: tuple[float, float, float]
    """Centre of the cube in the world [m]."""
    half_size_m: float
    """Half the side of the metric core [m]."""

    def __post_init__(self) -> None:
        if not self.half_size_m > 0:
            raise ValueError(f"half_size_m must be positive, got {self.half_size_m}")

    def unit(self, points_m: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 3"]:
        """World points in the unit cube; the core fills its middle half along each axis."""
        centre = torch.tensor(self.centre_m, dtype=points_m.dtype, device=points_m.device)
        local = (points_m - centre) * (1.0 / self.half_size_m)
        reach = local.abs().amax(dim=-1, keepdim=True).clamp_min(1.0)
        # (2 - 1/m) / m is 1 for m = 1, so one formula serves the core and the shell
        return local * ((2.0 - 1.0 / reach) / reach * 0.25) + 0.5

    def unit_per_metre(self, unit: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        """How long a metre is in the unit cube there: cube root of the volume's shrinkage.

        At reach m the contraction shrinks two directions by (2 - 1/m)/m, the third by 1/m^2.
        """
        folded = ((unit - 0.5) * 4.0).abs().amax(dim=-1).clamp(1.0, 2.0 - 1e-4)
        inverse = 2.0 - folded
        side = folded * inverse
        return (side * side * inverse * inverse).pow(1.0 / 3.0) * (0.25 / self.half_size_m)

    def world(self, unit: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 3"]:
        """The inverse of `unit`; the faces of the unit cube are infinitely far away."""
        centre = torch.tensor(self.centre_m, dtype=unit.dtype, device=unit.device)
        folded = (unit - 0.5) * 4.0
        depth = folded.abs().amax(dim=-1, keepdim=True).clamp_min(1.0)
        reach = 1.0 / (2.0 - depth).clamp_min(1e-6)
        return folded / depth * reach * self.half_size_m + centre


def cell_index(unit: Float[Tensor, "*n 3"], side: int) -> Int64[Tensor, "*n"]:
    """Number, among `side`^3 equal cells of the unit cube, of the one each point lies in."""
    x, y, z = (unit * side).long().clamp_(0, side - 1).unbind(-1)
    return (z * side + y) * side + x


def cross_box(
    starts: Float[Tensor, "*#n 3"],
    along: Float[Tensor, "*#n 3"],
    low: Float[Tensor, "3"] | float,
    high: Float[Tensor, "3"] | float,
) -> tuple[Float[Tensor, "*n"], Float[Tensor, "*n"]]:
    """Where lines enter and leave a box between two corners, in lengths of `along`.

    Both may lie before the start; entry > leave is a miss.
    """
    safe = torch.where(along.abs() < 1e-12, torch.full_like(along, 1e-12), along)
    first, second = (low - starts) / safe, (high - starts) / safe
    x, y, z = torch.minimum(first, second).unbind(-1)  # several times as fast as `amax`
    entry = torch.maximum(torch.maximum(x, y), z)
    x, y, z = torch.maximum(first, second).unbind(-1)
    return entry, torch.minimum(torch.minimum(x, y), z)
