"""The points that every field of `benchmarks/bench_kernels.py` is asked for, and its sizes.

Needs PyTorch alone: the peer runs where otherlane is not.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

COARSEST, FINEST = 16, 2048
GEOMETRY, HARMONICS, CHANNELS = 16, 16, 3
RAY_SAMPLES = 64
WORKS = ("density", "forward", "both")
"""Hash encoding and first network; with the second network too; and the gradients of all that."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """Of a field: levels x features x 2^log2_table numbers, hidden layers of `width`."""

    levels: int
    features: int
    log2_table: int
    width: int

    @property
    def encoded(self) -> int:
        """Numbers that the hash encoding says of a point."""
        return self.levels * self.features

    @property
    def flops(self) -> dict[str, float]:
        """Floating-point operations of the networks for one sample, by work."""
        density = 2.0 * self.width * (self.encoded + GEOMETRY)
        colour = 2.0 * self.width * (GEOMETRY + HARMONICS + self.width + CHANNELS)
        forward = density + colour
        return {"density": density, "forward": forward, "both": 3.0 * forward}


SIZES = {
    "otherlane": Sizes(levels=8, features=4, log2_table=17, width=32),
    "nerfacto": Sizes(levels=16, features=2, log2_table=19, width=64),
}
"""What each of the two projects takes when nobody asks for anything else."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Inputs:
    """Points of the unit cube, and gradients of what the field says there."""

    points: Tensor
    """[n, 3] in 0..1."""
    directions: Tensor
    """[n, 3], unit."""
    of_density: Tensor
    """[n]"""
    of_linear: Tensor
    """[n, 3]"""


def inputs(samples: int, *, in_rays: bool = True, seed: int = 0) -> Inputs:
    """Points along rays through the cube, as training and rendering ask for them; or anywhere."""
    random = torch.Generator().manual_seed(seed)
    rays = max(1, samples // RAY_SAMPLES)
    start, end = torch.rand(2, rays, 1, 3, generator=random)
    along = torch.linspace(0.0, 1.0, RAY_SAMPLES)[:, None]
    points = (start + (end - start) * along).flatten(0, 1)
    if not in_rays:
        points = points[torch.randperm(len(points), generator=random)]
    directions = torch.nn.functional.normalize(end - start, dim=-1)
    return Inputs(
        points=points.contiguous(),
        directions=directions.expand(-1, RAY_SAMPLES, 3).reshape(-1, 3).contiguous(),
        of_density=torch.randn(len(points), generator=random),
        of_linear=torch.randn(len(points), 3, generator=random),
    )
