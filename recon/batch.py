"""The rays of one training step: pixels of every camera, and depth evidence."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from recon.config import ActorsConfig
from recon.evidence import Data, Pixels
from recon.poses import PoseCorrection
from recon.rays import Rays

ROAD_SHARE = 0.3
"""Share of the depth rays that look at the road from beside the path, where there are any."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Batch:
    """Pixel rays of each camera in turn, then depth rays."""

    rays: Rays
    pixels: tuple[tuple[Pixels, Int64[Tensor, "_"]], ...]
    """Each camera's pixels, and the ones that were drawn (see `Pixels.usable`)."""
    depth_m: Float[Tensor, "depth"]
    """Distances of the surfaces of the depth rays [m]."""

    @property
    def pixel_rays(self) -> int:
        """How many of the rays are pixels; they come first."""
        return len(self.rays) - len(self.depth_m)

    def frames(self) -> list[tuple[tuple[Pixels, Int64[Tensor, "_"]], Int64[Tensor, "_"]]]:
        """Each camera's pixels and draws, with the place of the training frame of each draw."""
        return [
            ((pixels, drawn), drawn.div(len(pixels.directions), rounding_mode="floor"))
            for pixels, drawn in self.pixels
        ]

    def corrected(self, poses: PoseCorrection) -> "Batch":
        """The same with corrected poses, from which gradients flow back to the corrections."""
        count = self.pixel_rays
        twist = torch.cat([poses.of(pixels.stream, f) for (pixels, _), f in self.frames()])
        origins, directions = poses.correct(
            self.rays.origins_m[:count], self.rays.directions[:count], twist
        )
        rays = replace(
            self.rays,
            origins_m=torch.cat([origins, self.rays.origins_m[count:]]),
            directions=torch.cat([directions, self.rays.directions[count:]]),
        )
        return replace(self, rays=rays)

    def shown(self) -> Float[Tensor, "pixels 3"]:
        """What the camera recorded, sRGB in 0..1."""
        values = [pixels.srgb.flatten(0, 1)[drawn] for pixels, drawn in self.pixels]
        return torch.cat(values).float() / 255.0

    def sky(self) -> Bool[Tensor, "pixels"]:
        """Whether the picture shows sky."""
        return torch.cat([pixels.sky.flatten()[drawn] for pixels, drawn in self.pixels])


def draw_batch(
    data: Data,
    count: int,
    depth_share: float,
    generator: torch.Generator,
    actors: ActorsConfig | None = None,
) -> Batch:
    """`count` rays, `depth_share` of them from depth evidence where there is any.

    Cameras are drawn from in proportion to their usable pixels. Where something that moves has a
    field, rays know their moments, and `actors` says how many more are drawn from around it.
    Random numbers are the CPU's, on whichever device the data are.
    """
    depth_rays = int(count * depth_share) if len(data.depth) else 0
    usable = np.array([len(pixels.usable) for pixels in data.pixels], dtype=np.float64)
    wanted = np.round((count - depth_rays) * usable / usable.sum()).astype(int)
    rays, drawn, device = [], [], data.depth.range_m.device
    moments: list[Int64[Tensor, "_"]] = []
    for pixels, number in zip(data.pixels, wanted, strict=True):
        special = 0
        if data.where is not None and actors is not None and len(pixels.of_actors):
            special = int(actors.share * int(number))
        pick = torch.randint(
            max(len(pixels.usable), 1), (int(number) - special,), generator=generator
        )
        usable_pick = pixels.usable[pick.to(device)]
        if special:
            usable_pick = torch.cat([usable_pick, _of_actors(pixels, special, generator)])
        drawn.append((pixels, usable_pick))
        rays.append(pixels.rays(usable_pick))
        if data.where is not None:
            row = data.where.row(pixels.time_us(usable_pick))
            share = 0.0 if actors is None else actors.mirrored
            row[len(row) - int(share * special) :] += len(data.where.time_us)
            moments.append(row)
    beside = int(depth_rays * ROAD_SHARE) if len(data.road) else 0
    known, ranges = [], []
    never = torch.full((beside,), -1, device=device)
    for evidence, number in ((data.depth, depth_rays - beside), (data.road, beside)):
        pick = torch.randint(max(len(evidence), 1), (number,), generator=generator).to(device)
        ranges.append(evidence.range_m[pick])
        if data.where is not None:
            seen = evidence.time_us
            moments.append(never if seen is None else data.where.row(seen[pick]))
        known.append(
            Rays(
                origins_m=evidence.origins_m[pick],
                directions=evidence.directions[pick],
                # depth evidence is a thin beam or a point: its rays have no width
                pixel_angle=torch.zeros(number, device=device),
            )
        )
    together = {
        name: torch.cat([getattr(part, name) for part in (*rays, *known)])
        for name in ("origins_m", "directions", "pixel_angle")
    }
    moment = torch.cat(moments) if moments else None
    return Batch(
        rays=Rays(**together, moment=moment), pixels=tuple(drawn), depth_m=torch.cat(ranges)
    )


def _of_actors(pixels: Pixels, count: int, generator: torch.Generator) -> Int64[Tensor, "count"]:
    """Pixels around road users that move."""
    total = pixels.actor_weight.cumsum(0)
    place = torch.rand(count, generator=generator).to(total) * total[-1]
    return pixels.of_actors[torch.searchsorted(total, place).clamp_max(len(total) - 1)]
