"""The rays of one training step: pixels of every camera, and depth evidence."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from recon.evidence import Data, Pixels
from recon.rays import Rays


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Batch:
    """Pixel rays of each camera in turn, then depth rays."""

    rays: Rays
    pixels: tuple[tuple[Pixels, Int64[Tensor, "_"]], ...]
    """Each camera's pixels, and the ones that were drawn (see `Pixels.usable`)."""
    depth_m: Float[Tensor, "depth"]

    @property
    def pixel_rays(self) -> int:
        """How many of the rays are pixels; they come first."""
        return len(self.rays) - len(self.depth_m)


def draw_batch(data: Data, count: int, depth_share: float, generator: torch.Generator) -> Batch:
    """`count` rays, `depth_share` of them from depth evidence where there is any.

    Cameras are drawn from in proportion to their usable pixels.
    """
    depth_rays = int(count * depth_share) if len(data.depth) else 0
    usable = np.array([len(pixels.usable) for pixels in data.pixels], dtype=np.float64)
    wanted = np.round((count - depth_rays) * usable / usable.sum()).astype(int)
    rays, drawn = [], []
    for pixels, number in zip(data.pixels, wanted, strict=True):
        pick = torch.randint(max(len(pixels.usable), 1), (int(number),), generator=generator)
        drawn.append((pixels, pixels.usable[pick]))
        rays.append(pixels.rays(pixels.usable[pick]))
    pick = torch.randint(max(len(data.depth), 1), (depth_rays,), generator=generator)
    # depth evidence is a thin beam or a point: its rays have no width
    known = Rays(
        origins_m=data.depth.origins_m[pick],
        directions=data.depth.directions[pick],
        pixel_angle=torch.zeros(depth_rays),
    )
    together = {
        name: torch.cat([getattr(part, name) for part in (*rays, known)])
        for name in ("origins_m", "directions", "pixel_angle")
    }
    return Batch(rays=Rays(**together), pixels=tuple(drawn), depth_m=data.depth.range_m[pick])
