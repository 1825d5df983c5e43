"""What is under vehicles that stand: the ground, though nobody ever saw it.

A vehicle that stands is at every moment where the static scene might have a copy of it, and hides
the ground under it. Both are told to the static scene by rays on which the vehicle is not there:
through its box, on to the ground under it, some straight down and some as cameras near the path
would look. The ground is as high as the fitted road, or as the bottom of the box, and has the
colours that training pictures show around the box, blended: an educated guess, which
`recon.scene.Scene.observed` does not call observed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from recon.actors.actor_fields import GROWN
from recon.data.depth_rays import DepthEvidence
from recon.data.ground_inpainting import ROAD_M, blended, border_colours, inpainted_border, under
from recon.data.pictures import Pixels
from recon.data.road_prior import crossing, meets_standing, passes
from scenes.actor import Actor
from scenes.clip import Clip
from scenes.motion.geometry import invert
from scenes.road.ground import fit_ground
from scenes.safety.encounters import standing_pose
from scenes.sensors.images import srgb_from_linear

RAYS_EACH = 2000
"""How many rays there are for each vehicle; half of them straight down."""
RISE_M = 0.6
"""Rays begin this far in front of the box: nothing is looked at nearer to where a ray begins."""
ASIDE_M, ABOVE_M = 2.0, 0.4
"""So far from recorded cameras are those that would look under it."""
NEAREST_M, FURTHEST_M = 2.0, 25.0
"""And so far from where they look."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class HiddenGround:
    """Rays to ground that vehicles hide."""

    rays: DepthEvidence
    pixel_angle: Float[Tensor, "n"]
    """Of a pixel of a recorded camera there, seen from where each ray begins [rad]."""
    srgb: Float[Tensor, "n 3"]
    """What it is taken to look like, 0 to 1."""
    coloured: Int64[Tensor, "m"]
    """Which of the rays end where something is known to blend."""


def hidden_ground(
    clip: Clip, actors: Sequence[Actor], pixels: Sequence[Pixels], seed: int
) -> HiddenGround:
    """What is taken to be under vehicles that stand in one place.

    Args:
        clip: The drive, without what was held out (`recon.data.road_prior.only_trained`).
        actors: The vehicles, in their places for good.
        pixels: The training pictures.
        seed: Of where is looked, and from where.
    """
    rng, ground = np.random.default_rng([seed, 613]), fit_ground(clip)
    shown = frozenset(actor.id for actor in actors)
    cameras_m = torch.cat([p.row_origin_m[:, 0] for p in pixels]).double().numpy()
    angle = float(pixels[0].pixel_angle.nanmedian())
    found: list[tuple[np.ndarray, ...]] = []
    for actor in actors:
        ends = under(actor, ground, rng.uniform(-0.5, 0.5, (RAYS_EACH, 2)))
        origins, angles = _starts(actor, ends, cameras_m, angle, rng)
        places = inpainted_border(actor, ground)
        linear = blended(ends, places, border_colours(clip, actor, pixels, places))
        colours = srgb_from_linear(linear)
        free = ~meets_standing(clip, origins, ends, shown)
        found.append(tuple(x[free] for x in (origins, ends, angles, colours)))
    origins, ends, angles, colours = (np.concatenate(x) for x in zip(*found, strict=True))
    along = ends - origins
    range_m = np.linalg.norm(along, axis=1)
    return HiddenGround(
        rays=DepthEvidence(
            origins_m=torch.from_numpy(origins).float(),
            directions=torch.from_numpy(along / range_m[:, None]).float(),
            range_m=torch.from_numpy(range_m).float(),
        ),
        pixel_angle=torch.from_numpy(angles).float(),
        srgb=torch.from_numpy(np.nan_to_num(colours)).float(),
        coloured=torch.from_numpy(np.flatnonzero(np.isfinite(colours[:, 0]))),
    )


def hidden_by(actor: Actor, points_m: Float[Tensor, "*n 3"]) -> Bool[Tensor, "*n"]:
    """Which world points lie in the box of a vehicle that stands, or in the ground under it."""
    box_from_world = torch.from_numpy(invert(standing_pose(actor)))
    local = points_m.double() @ box_from_world[:3, :3].T + box_from_world[:3, 3]
    half_m = 0.5 * torch.from_numpy(np.asarray(actor.size_m)) * torch.tensor(GROWN)
    low_m = -half_m - torch.tensor([0.0, 0.0, ROAD_M])
    return ((local >= low_m) & (local <= half_m)).all(-1)


def between(
    actor: Actor, starts_m: Float[Tensor, "n 3"], ends_m: Float[Tensor, "n 3"]
) -> Bool[Tensor, "n"]:
    """Which lines between world points go through the box of a vehicle that stands."""
    half_m = 0.5 * np.asarray(actor.size_m) * GROWN
    ends = (each.double().numpy() for each in (starts_m, ends_m))
    return torch.from_numpy(passes(standing_pose(actor), half_m, *ends))


def _starts(
    actor: Actor,
    ends: Float64[np.ndarray, "n 3"],
    cameras_m: Float64[np.ndarray, "cameras 3"],
    angle: float,
    rng: np.random.Generator,
) -> tuple[Float64[np.ndarray, "n 3"], Float64[np.ndarray, "n"]]:
    """Where rays begin, above or in front of the box, and the angle of a pixel from there."""
    centre = actor.trajectory.world_from_body[0, :3, 3]
    apart = np.linalg.norm(cameras_m - centre, axis=1)
    near = cameras_m[(apart > NEAREST_M) & (apart < FURTHEST_M)]
    count = len(ends) // 2 if len(near) else 0
    reach = np.array([ASIDE_M, ASIDE_M, ABOVE_M])
    eyes = ends + np.array([0.0, 0.0, FURTHEST_M])
    if count:
        eyes[:count] = near[rng.integers(len(near), size=count)]
        eyes[:count] += rng.uniform(-reach, reach, (count, 3))
    half_m = 0.5 * actor.size_m * np.array(GROWN)
    entry = crossing(actor.trajectory.world_from_body[0], half_m, eyes, ends)[0]
    range_m = np.linalg.norm(ends - eyes, axis=1)
    start = np.clip(entry - RISE_M / range_m, 0.0, 1.0 - RISE_M / range_m)[:, None]
    # from further away than anything is looked at, a pixel is as wide as from a camera
    width_m = angle * np.where(np.arange(len(ends)) < count, range_m, np.median(apart))
    origins = eyes + start * (ends - eyes)
    return origins, width_m / np.linalg.norm(ends - origins, axis=1)
