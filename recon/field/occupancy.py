"""A coarse memory of where the field is dense, which tells the sampler where to look.

One number per cell of the unit cube: a recent maximum of the density [1/m] seen there. It never
enters a rendered value; it only places samples. Which cells count as occupied is settled now and
then, not with every density that is seen: the mean of all cells takes part in it.
"""

from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor, nn

from recon.field.space import cell_index

THRESHOLD = 0.05
"""Cells thinner than this [1/m], and than the mean of all, are empty (as instant-ngp)."""
DECAY = 0.6
"""Share of a cell's old density that survives a refresh: forgets fog within a few refreshes."""


class FineOccupancy(nn.Module):
    """The occupancy of a field that is trained (`recon.training.occupancy_refinement`)."""

    bits: UInt8[Tensor, "cells/8"]
    """A bit a cell, the first of each byte highest."""

    def __init__(self, resolution: int) -> None:
        super().__init__()
        self.resolution = resolution
        self.register_buffer("bits", torch.full((resolution**3 // 8,), 255, dtype=torch.uint8))

    @cached_property
    def occupied(self) -> UInt8[Tensor, "cells"]:
        """1 where rays are looked at."""
        return torch.from_numpy(np.unpackbits(self.bits.cpu().numpy())).to(self.bits.device)


class OccupancyGrid(nn.Module):
    """Densities on `resolution`^3 cells of the unit cube; training's."""

    density: Float[Tensor, "cells"]
    occupied: UInt8[Tensor, "cells"]
    """1 where rays are looked at, as last settled."""

    def __init__(self, resolution: int, initial_density: float) -> None:
        super().__init__()
        self.resolution = resolution
        self.register_buffer("density", torch.full((resolution**3,), initial_density))
        self.register_buffer("occupied", torch.ones(resolution**3, dtype=torch.uint8))

    def cells(self, unit: Float[Tensor, "*n 3"]) -> Tensor:
        """Index of the cell of each point; int64 `*n`."""
        return cell_index(unit, self.resolution)

    def settle(self) -> None:
        """Decide which cells are occupied."""
        # an untrained field is thinner everywhere than any fixed threshold: nothing is empty yet
        threshold = min(THRESHOLD, 0.99 * float(self.density.mean()))
        self.occupied.copy_(self.density > threshold)

    def observe(self, unit: Float[Tensor, "n 3"], density: Float[Tensor, "n"]) -> None:
        """Raise cells to densities that were just seen in them."""
        self.density.scatter_reduce_(0, self.cells(unit), density, "amax")

    def refresh(self, cells: Tensor, density: Float[Tensor, "n"]) -> None:
        """Replace what is remembered of distinct `cells`, forgetting part of the past."""
        self.density[cells] = torch.maximum(self.density[cells] * DECAY, density)

    def keep(self, cells: Int64[Tensor, "n"]) -> None:
        """See to it that distinct `cells` are not empty."""
        self.density[cells] = self.density[cells].clamp_min(2.0 * THRESHOLD)

    def random_points(self, cells: Tensor, generator: torch.Generator) -> Float[Tensor, "n 3"]:
        """One random point of the unit cube in each cell."""
        side = self.resolution
        x = cells % side
        y = cells.div(side, rounding_mode="floor") % side
        z = cells.div(side * side, rounding_mode="floor")
        corner = torch.stack([x, y, z], dim=-1).float()
        return (corner + torch.rand(corner.shape, generator=generator)) / side


Occupancy = OccupancyGrid | FineOccupancy


def is_occupied(occupancy: Occupancy, unit: Float[Tensor, "*n 3"]) -> Bool[Tensor, "*n"]:
    """Whether points of the unit cube lie in occupied cells."""
    return occupancy.occupied[cell_index(unit, occupancy.resolution)] > 0
