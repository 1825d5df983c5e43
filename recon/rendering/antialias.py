"""Several rays for pixels at edges that no picture taught: of assets, and of new shadows.

A field trained on a drive's pictures has learnt their pixels, each a mean over its area. An asset
was not trained on pixels of this size: one ray through the middle of each would alias its outline.
Labels are those of the middle.
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from recon.actors.placement import PlacedActors
from recon.rendering.march import MarchOutput
from recon.rendering.rays import Rays
from recon.rendering.shot import Shot, exposure_times
from scenes.sensors.camera import Camera, camera_rays

ACROSS = 3
"""Rays along each side of a pixel."""
CONTRAST, DIM = 0.1, 0.02
"""Pixels whose neighbourhood varies by less than this share of its brightest, or by less light than
that share of the picture's median, get one ray; and ground that keeps more light than the rest of
the first is in no shadow."""

March = Callable[[Rays, Int64[Tensor, "k"]], tuple[MarchOutput, PlacedActors]]
"""What rays that are exposed at some times [µs] meet, and who is there."""
Shade = Callable[[Rays, MarchOutput, PlacedActors, Int64[Tensor, "k"]], Float[Tensor, "k 3"]]
"""Radiance of rays, given which pixel's surface each meets."""


def antialiased(
    shot: Shot,
    rays: Rays,
    out: MarchOutput,
    placed: PlacedActors,
    linear: Float[Tensor, "n 3"],
    *,
    march: March,
    shade: Shade,
) -> Float[Tensor, "n 3"]:
    """Radiance of pixels, with the mean of several rays where assets or new shadows end.

    Where there are none it is as it was.

    Args:
        shot: The picture.
        rays: Through its pixels' centres.
        out: What they meet.
        placed: The models of road users, as they meet them.
        linear: Radiance of the pixels' centres.
        march: Gives what other rays meet.
        shade: Gives the radiance of these.
    """
    pick = _edges(shot.camera, placed, out, linear)
    if not len(pick):
        return linear
    middle = shot.camera.pixel_centres().reshape(-1, 2)[pick.numpy()]
    pixels = (middle[:, None] + _offsets()).reshape(-1, 2)
    origins, directions = (
        torch.from_numpy(each).float()
        for each in camera_rays(shot.camera, pixels, shot.world_from_camera, shot.time_us)
    )
    whose = pick.repeat_interleave(ACROSS**2)
    # where a lens sees nothing, beside its last pixels
    directions = torch.where(directions.isnan(), rays.directions[whose], directions)
    parts = Rays(
        origins_m=origins,
        directions=directions,
        pixel_angle=rays.pixel_angle[whose] / ACROSS,
    )
    met, there = march(parts, exposure_times(shot.camera, pixels, shot.time_us))
    found = shade(parts, met, there, whose)
    return linear.index_copy(0, pick, found.view(len(pick), ACROSS**2, 3).mean(dim=1))


def _edges(
    camera: Camera, placed: PlacedActors, out: MarchOutput, linear: Float[Tensor, "n 3"]
) -> Int64[Tensor, "k"]:
    """Pixels at or beside assets and new shadows, whose neighbours differ."""
    size = (camera.height, camera.width)
    of_asset = torch.tensor([False, *(number in placed.asset_ids for number in placed.ids)])
    light, before = (each.mean(dim=1) for each in (linear, out.linear))
    shadow = light < (1.0 - CONTRAST) * before
    near = _spread((of_asset[out.instance] | shadow).view(size).float())
    light = light.view(size)
    bright, dark = _spread(light), -_spread(-light)
    differs: Bool[Tensor, "h w"] = bright - dark > CONTRAST * bright + DIM * light.median()
    return torch.nonzero(((near > 0.0) & differs).flatten())[:, 0]


def _spread(values: Float[Tensor, "h w"]) -> Float[Tensor, "h w"]:
    """The most of each pixel and its eight neighbours."""
    return torch.nn.functional.max_pool2d(values[None, None], 3, stride=1, padding=1)[0, 0]


def _offsets() -> Float64[np.ndarray, "k 2"]:
    """Middles of the squares that a pixel is cut into, about its own."""
    line = (np.arange(ACROSS) + 0.5) / ACROSS - 0.5
    return np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
