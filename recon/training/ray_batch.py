"""The rays of one training step: pixels of every camera, and depth evidence."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from recon.config import ActorsConfig
from recon.data.depth_rays import DepthEvidence
from recon.data.training_data import Data, Pixels
from recon.field.photometry import Photometry
from recon.field.poses import PoseCorrection
from recon.rendering.rays import Rays

ROAD_SHARE = 0.3
"""Share of the depth rays that look at the road from beside the path, where there are any."""
ACTORS_SHARE, OFTEN = 0.15, 50.0
"""Rays beside the depth rays, as a share of them, that show road users with fields; but drawn no
more than so many times as often, in the mean, as all are."""
SOLID_SHARE = 0.1
"""Rays beside the depth rays, as a share of them, that end in the middle of who moves."""
HIDDEN_SHARE, PSEUDO_SHARE = 0.1, 0.03
"""Rays beside the depth rays, and beside the pixels, as shares of them, that look at ground which
vehicles hide, where there are any (`recon.data.occluded_ground`)."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Batch:
    """Pixel rays of each camera in turn, those to which a colour is lent, then depth rays."""

    rays: Rays
    pixels: tuple[tuple[Pixels, Int64[Tensor, "_"]], ...]
    """Each camera's pixels, and the ones that were drawn (see `Pixels.usable`)."""
    depth_m: Float[Tensor, "depth"]
    """Distances of the surfaces of the depth rays [m]."""
    pseudo_colour: Float[Tensor, "pseudo_colour 3"]
    """Colours of hidden ground at mean exposure, sRGB in 0..1: as if they were pixels."""

    @property
    def pixel_rays(self) -> int:
        """How many of the rays have colours; they come first."""
        return len(self.rays) - len(self.depth_m)

    def frames(self) -> list[tuple[tuple[Pixels, Int64[Tensor, "_"]], Int64[Tensor, "_"]]]:
        """Each camera's pixels and draws, with the place of the training frame of each draw."""
        return [
            ((pixels, drawn), drawn.div(len(pixels.directions), rounding_mode="floor"))
            for pixels, drawn in self.pixels
        ]

    def corrected(self, poses: PoseCorrection) -> "Batch":
        """The same with corrected poses, from which gradients flow back to the corrections."""
        count = self.pixel_rays - len(self.pseudo_colour)
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
        """What the camera recorded, or what is lent, sRGB in 0..1."""
        values = [pixels.srgb.flatten(0, 1)[drawn] for pixels, drawn in self.pixels]
        return torch.cat([torch.cat(values).float() / 255.0, self.pseudo_colour])

    def exposure(self, photometry: Photometry) -> Float[Tensor, "pixels 3"]:
        """How bright the camera shows each."""
        gains = [photometry.gain(pixels.stream, frame) for (pixels, _), frame in self.frames()]
        return torch.cat([*gains, torch.ones_like(self.pseudo_colour)])

    def sky(self) -> Bool[Tensor, "pixels"]:
        """Whether the picture shows sky."""
        shown = [pixels.sky.flatten()[drawn] for pixels, drawn in self.pixels]
        return torch.cat([*shown, torch.zeros_like(self.pseudo_colour[:, 0], dtype=torch.bool)])


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
    drawn = _drawn(data, count - depth_rays, generator, actors)
    rays = [pixels.rays(pick) for pixels, pick, _ in drawn]
    pseudo_colour, colours = _pseudo_coloured(data, sum(len(part) for part in rays), generator)
    known, depth_m = _known(data, depth_rays, generator, actors)
    rays = [*rays, pseudo_colour, *known]
    together = {
        name: torch.cat([getattr(part, name) for part in rays])
        for name in ("origins_m", "directions", "pixel_angle")
    }
    moment = None
    if data.where is not None:
        seen = [row for _, _, row in drawn if row is not None]
        seen += [part.moment for part in (pseudo_colour, *known) if part.moment is not None]
        moment = torch.cat(seen)
    return Batch(
        rays=Rays(**together, moment=moment),
        pixels=tuple((pixels, pick) for pixels, pick, _ in drawn),
        depth_m=depth_m,
        pseudo_colour=colours,
    )


def _drawn(
    data: Data, count: int, generator: torch.Generator, actors: ActorsConfig | None
) -> list[tuple[Pixels, Int64[Tensor, "_"], Int64[Tensor, "_"] | None]]:
    """Each camera's pixels, which of them were drawn, and their moments if anything has any."""
    usable = np.array([len(pixels.usable) for pixels in data.pixels], dtype=np.float64)
    wanted = np.round(count * usable / usable.sum()).astype(int)
    found = []
    for pixels, number in zip(data.pixels, wanted, strict=True):
        special, row = 0, None
        if data.where is not None and actors is not None and len(pixels.of_actors):
            special = int(actors.share * int(number))
        pick = torch.randint(
            max(len(pixels.usable), 1), (int(number) - special,), generator=generator
        )
        usable_pick = pixels.usable[pick.to(pixels.usable.device)]
        if special:
            usable_pick = torch.cat([usable_pick, _of_actors(pixels, special, generator)])
        if data.where is not None:
            row = data.where.row(pixels.time_us(usable_pick))
            share = 0.0 if actors is None else actors.mirrored
            row[len(row) - int(share * special) :] += len(data.where.time_us)
        found.append((pixels, usable_pick, row))
    return found


def _known(
    data: Data, count: int, generator: torch.Generator, actors: ActorsConfig | None
) -> tuple[list[Rays], Float[Tensor, "depth"]]:
    """Rays of depth evidence, `count` and some more, and where they end [m]."""
    beside = int(count * ROAD_SHARE) if len(data.road) else 0
    special = 0 if actors is None else int(count * _share_of_actors(data.depth))

    def drawn(of: DepthEvidence, number: int) -> Int64[Tensor, "_"]:
        return torch.randint(max(len(of), 1), (number,), generator=generator)

    parts = [
        (data.depth, drawn(data.depth, count - beside), 0),
        (data.road, drawn(data.road, beside), 0),
    ]
    if data.hidden is not None and len(data.hidden.rays):
        hidden = data.hidden.rays
        parts.append((hidden, drawn(hidden, int(count * HIDDEN_SHARE)), 0))
    if actors is not None and data.solid is not None:
        end = _of_actors(data.solid, int(count * SOLID_SHARE), generator)
        parts.append((data.solid, end, int(actors.mirrored * len(end))))
    if actors is not None and special:
        pick = _of_actors(data.depth, special, generator)
        parts.append((data.depth, pick, int(actors.mirrored * special)))
    rays, ranges = [], []
    for evidence, pick, mirrored in parts:
        pick = pick.to(evidence.range_m.device)
        ranges.append(evidence.range_m[pick])
        # depth evidence is a thin beam or a point: its rays have no width
        part, seen = _rays(evidence, pick, torch.zeros_like(ranges[-1])), evidence.time_us
        if data.where is not None and seen is not None:
            row = data.where.row(seen[pick])
            row[len(row) - mirrored :] += len(data.where.time_us)
            part = replace(part, moment=row)
        rays.append(part)
    return rays, torch.cat(ranges)


def _pseudo_coloured(
    data: Data, pixels: int, generator: torch.Generator
) -> tuple[Rays, Float[Tensor, "pseudo_colour 3"]]:
    """Rays to hidden ground, as many as go with so many pixels, and the colours there."""
    hidden, device = data.hidden, data.depth.range_m.device
    count = int(PSEUDO_SHARE * pixels) if hidden is not None and len(hidden.coloured) else 0
    if hidden is None or count == 0:
        nothing = torch.zeros(0, 3, device=device)
        none = torch.zeros(0, dtype=torch.int64, device=device)
        return _rays(data.road, none, nothing[:, 0]), nothing
    pick = torch.randint(len(hidden.coloured), (count,), generator=generator).to(device)
    chosen = hidden.coloured[pick]
    return _rays(hidden.rays, chosen, hidden.pixel_angle[chosen]), hidden.srgb[chosen]


def _rays(evidence: DepthEvidence, pick: Int64[Tensor, "n"], angle: Float[Tensor, "n"]) -> Rays:
    """Rays of evidence, at moments at which nothing that moves is there."""
    return Rays(
        origins_m=evidence.origins_m[pick],
        directions=evidence.directions[pick],
        pixel_angle=angle,
        moment=torch.full_like(pick, -1),
    )


def _share_of_actors(evidence: DepthEvidence) -> float:
    """How many rays, as a share of the depth rays, get as far as somebody's box beside them."""
    if evidence.of_actors is None:
        return 0.0
    return min(ACTORS_SHARE, OFTEN * len(evidence.of_actors) / max(len(evidence), 1))


def _of_actors(
    of: Pixels | DepthEvidence, count: int, generator: torch.Generator
) -> Int64[Tensor, "count"]:
    """Pixels or rays around road users that have fields."""
    assert of.of_actors is not None
    assert of.actor_weight is not None
    total = _summed(of.actor_weight)
    place = torch.rand(count, generator=generator).to(total) * total[-1]
    return of.of_actors[torch.searchsorted(total, place).clamp_max(len(total) - 1)]


@lru_cache(maxsize=32)  # of a training's cameras, and its evidence
def _summed(weight: Float[Tensor, "m"]) -> Float[Tensor, "m"]:
    return weight.cumsum(0)
