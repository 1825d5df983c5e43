"""Depth evidence from what moved away: where a road user was, the static scene is empty.

A field that has to explain every picture of a moving car might do so with a piece of static scene
in front of each camera. But the car was there, as solid as it is, so nothing that stands still can
be: light from the top of its box, at any time, falls straight down to the road, once it has left.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float64

from recon.data.depth_rays import DepthEvidence
from scenes.actor import Actor
from scenes.clip import Clip
from scenes.road.ground import fit_ground

RAYS_EACH = 2000
"""How many rays there are for each road user."""
RISE_M = 0.5
"""Rays begin this far above the box: nothing is looked at nearer to where a ray begins."""
INSIDE = 0.85
"""They stay within this share of its sides: labels are not exact."""
ROAD_M = 0.6
"""What the ground was fitted to is the road under a box where it is this near to its bottom."""


def swept_evidence(clip: Clip, actors: Sequence[Actor], seed: int) -> DepthEvidence:
    """Rays from where road users drove that end on the road under them.

    `clip` is the drive without what was held out (`recon.data.road_prior.only_trained`).
    """
    rng = np.random.default_rng([seed, 612])
    ground = fit_ground(clip)
    origins = np.concatenate([np.zeros((0, 3)), *(_starts(actor, rng) for actor in actors)])
    height_m = np.repeat([actor.size_m[2] for actor in actors], RAYS_EACH)
    range_m = origins[:, 2] - ground.height_m(origins[:, 0], origins[:, 1])
    # False where the road's height is unknown
    known = np.abs(range_m - RISE_M - height_m) < ROAD_M
    down = np.broadcast_to([0.0, 0.0, -1.0], origins[known].shape)
    return DepthEvidence(
        origins_m=torch.from_numpy(origins[known]).float(),
        directions=torch.from_numpy(down.copy()).float(),
        range_m=torch.from_numpy(range_m[known]).float(),
    )


def with_evidence(one: DepthEvidence, other: DepthEvidence) -> DepthEvidence:
    """Both, where neither says when it was seen."""
    names = ("origins_m", "directions", "range_m")
    return replace(
        one, **{name: torch.cat([getattr(one, name), getattr(other, name)]) for name in names}
    )


def _starts(actor: Actor, rng: np.random.Generator) -> Float64[np.ndarray, "n 3"]:
    """Places above an actor's box at random times."""
    times = actor.trajectory.time_us
    poses = actor.trajectory.at(rng.integers(times[0], times[-1] + 1, RAYS_EACH))
    inside = rng.uniform(-0.5, 0.5, (RAYS_EACH, 3)) * actor.size_m * INSIDE
    inside[:, 2] = 0.5 * actor.size_m[2] + RISE_M
    return np.einsum("nij,nj->ni", poses[:, :3, :3], inside) + poses[:, :3, 3]
