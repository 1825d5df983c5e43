"""Depth evidence that meets the boxes of road users: what ends on them, and what passes by.

Beams that pass close by say how far somebody reaches, where pictures explain a pixel on his rim as
well by paint of a mixed colour, and where they say nothing of who is as dark as what is behind
him. They are few among many thousands, so training draws them more often.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from recon.actors.actor_fields import BoxPoses, square, unit_from_box
from recon.data.depth_rays import DepthEvidence
from recon.rendering.ray_samples import cross_unit_cube
from scenes.actor import Actor

STANDING_WEIGHT = 0.1
"""What shows one that stands is drawn so much as often as of one that moves: it is seen longer."""


def weight_of(count: int, actor: Actor) -> Float[np.ndarray, "count"]:
    """How often each of what shows somebody is drawn, relative to what shows others."""
    # somebody counts as the root of his size: near ones need more, far ones more of theirs
    weight = max(count, 1) ** -0.5
    return np.full(count, weight if actor.is_moving else STANDING_WEIGHT * weight)


def with_crossing(
    evidence: DepthEvidence, where: BoxPoses, actors: Sequence[Actor]
) -> DepthEvidence:
    """The same, and which of its rays get as far as the box of each one's field.

    `where` is of `actors`.
    """
    if evidence.time_us is None:
        return evidence
    row = where.row(evidence.time_us)
    found = [_crossing(evidence, where, row, k, actor) for k, actor in enumerate(actors)]
    pairs = zip(found, actors, strict=True)
    weights = [torch.from_numpy(weight_of(len(each), actor)).float() for each, actor in pairs]
    return replace(evidence, of_actors=torch.cat(found), actor_weight=torch.cat(weights))


def _crossing(
    evidence: DepthEvidence, where: BoxPoses, row: Int64[Tensor, "n"], k: int, actor: Actor
) -> Int64[Tensor, "m"]:
    there = torch.nonzero(where.there[row, k])[:, 0]
    size_m = torch.from_numpy(actor.size_m).float()
    maps = unit_from_box(size_m) @ square(where.box_from_world[row[there], k])
    starts = torch.einsum("nij,nj->ni", maps[..., :3], evidence.origins_m[there]) + maps[..., 3]
    along = torch.einsum("nij,nj->ni", maps[..., :3], evidence.directions[there])
    entry_m, leave_m = cross_unit_cube(starts, along)
    return there[(leave_m > entry_m) & (evidence.range_m[there] > entry_m)]
