"""Several rays for pixels at the edges of who comes from elsewhere, and of everybody's new shadows.

A field that was learnt from a drive's pictures has learnt what their pixels show, a mean over the
pixel. Who comes from elsewhere was not learnt from pixels of this size, and one ray through the
middle of a pixel gives it a staircase for a rim. Labels are those of the middle.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from render.views.actors import MarchResult, StagedRays, march_actors, pixel_times, shaded
from scenes.actor import Actor
from scenes.motion.trajectory import Trajectory
from scenes.sensors.camera import Camera, camera_rays

if TYPE_CHECKING:
    from collections.abc import Sequence

    from render.views.view import RenderableScene

ACROSS = 3
"""Rays along each side of a pixel."""
CONTRAST, DIM = 0.1, 0.02
"""Pixels whose neighbourhood varies by less than this share of its brightest, or by less light than
that share of the picture's median, get one ray; and ground that keeps more light than the rest of
the first is in no shadow."""


def antialiased(
    scene: "RenderableScene",
    camera: Camera,
    world_from_camera: Float64[np.ndarray, "4 4"] | Trajectory,
    time_us: int,
    rays: tuple[Tensor, ...],
    actors: "Sequence[Actor]",
    assets: Mapping[int, str],
    staged: StagedRays | None,
    march: MarchResult,
    normals: Callable[[], Float[Tensor, "n 3"]],
    linear: Float[Tensor, "n 3"],
) -> Float[Tensor, "n 3"]:
    """Radiance of pixels, with the mean of several rays where strangers and new shadows have edges.

    Where there are none it is as it was.
    """
    if staged is None:
        return linear
    pick = _edges(camera, staged, march, linear)
    if not len(pick):
        return linear
    middle = camera.pixel_centres().reshape(-1, 2)[pick.numpy()]
    pixels = (middle[:, None] + _offsets()).reshape(-1, 2)
    origins, directions = (
        torch.from_numpy(each).float()
        for each in camera_rays(camera, pixels, world_from_camera, time_us)
    )
    # where a lens sees nothing, beside its last pixels
    directions = torch.where(
        directions.isnan(), rays[1][pick].repeat_interleave(ACROSS**2, 0), directions
    )
    angle = rays[2][pick].repeat_interleave(ACROSS**2) / ACROSS
    times = pixel_times(camera, pixels, time_us)
    parts = origins, directions, angle
    met, there = march_actors(scene, parts, actors, assets, times)
    facing = normals()[pick].repeat_interleave(ACROSS**2, 0)
    found = shaded(scene, met, there, parts, lambda: facing, actors, time_us)
    return linear.index_copy(0, pick, found.view(len(pick), ACROSS**2, 3).mean(dim=1))


def _edges(
    camera: Camera, staged: StagedRays, march: MarchResult, linear: Float[Tensor, "n 3"]
) -> Int64[Tensor, "k"]:
    """Pixels at or beside strangers and new shadows, whose neighbours differ."""
    size = (camera.height, camera.width)
    strange = torch.tensor([False, *(number in staged.foreign_ids for number in staged.ids)])
    light, before = (each.cpu().mean(dim=1) for each in (linear, march.linear))
    shadow = light < (1.0 - CONTRAST) * before
    near = _spread((strange[march.instance.cpu()] | shadow).view(size).float())
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
