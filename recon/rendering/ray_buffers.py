"""Buffers from rays alone: for renderers that know no road users apart, nor what was observed.

Other methods that are trained on the same drives, and scenes with a closed form, answer shots so.
"""

from collections.abc import Callable, Collection
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from recon.rendering.normals import surface_normals
from recon.rendering.shot import Buffers, PixelRays, Shot, pixel_rays


class Traced(Protocol):
    """What n rays meet."""

    @property
    def linear(self) -> Float[Tensor, "n 3"]:
        """Linear radiance, sky included."""
        ...

    @property
    def opacity(self) -> Float[Tensor, "n"]:
        """Share of light that the scene absorbs."""
        ...

    @property
    def range_m(self) -> Float[Tensor, "n"]:
        """Distance of the first surface [m]; inf where opacity is below 0.5."""
        ...


VECTORS = ("linear", "shown", "normal")
"""Channels with three numbers a pixel."""
Trace = Callable[[Float[Tensor, "n 3"], Float[Tensor, "n 3"], Float[Tensor, "n"]], Traced]
"""What rays meet, by their origins [m], unit directions (world), and pixels' angles [rad]."""


def ray_buffers(
    shot: Shot,
    channels: Collection[str],
    trace: Trace,
    display: Callable[[Float[Tensor, "n 3"]], Float[Tensor, "n 3"]],
) -> Buffers:
    """The channels of a shot, from one ray through the centre of every pixel.

    All that the lens shows counts as observed, and nobody has a field of its own.

    Args:
        shot: What picture is wanted.
        channels: Names in `recon.rendering.shot.CHANNELS`.
        trace: Gives what rays meet.
        display: Gives sRGB in 0..1 of linear radiance, before the look of the shot.
    """
    pixels, camera = pixel_rays(shot), shot.camera
    size = (camera.height, camera.width)
    out = trace(pixels.origins_m.float(), pixels.directions.float(), pixels.angle)
    range_m = _where_seen(pixels, out.range_m, torch.inf)
    found: dict[str, Tensor] = {}
    for name in channels:
        match name:
            case "linear":
                found[name] = _where_seen(pixels, out.linear, 0.0)
            case "shown":
                gained = out.linear * out.linear.new_tensor(shot.camera_look.gains)
                found[name] = _where_seen(pixels, display(gained), 0.0)
            case "opacity":
                found[name] = _where_seen(pixels, out.opacity, 0.0)
            case "range_m":
                found[name] = range_m
            case "normal":
                found[name] = surface_normals(
                    pixels.origins_m.view(*size, 3), pixels.directions.view(*size, 3),
                    range_m.view(size), 1.0 / max(camera.fx, camera.fy),
                )  # fmt: skip
            case "instance":
                found[name] = torch.zeros(size, dtype=torch.int64)
            case "support":
                found[name] = torch.zeros(size, dtype=torch.uint8)
            case "observed":
                found[name] = ~pixels.blind
            case _:
                raise ValueError(f"no channel is called {name!r}")
    return Buffers(
        channels={
            name: part.reshape(*size, 3) if name in VECTORS else part.reshape(size)
            for name, part in found.items()
        }
    )


def _where_seen(
    pixels: PixelRays, values: Float[Tensor, "n *c"], empty: float
) -> Float[Tensor, "n *c"]:
    """Values of pixels, `empty` where the lens sees nothing."""
    return values.cpu().index_fill(0, torch.nonzero(pixels.blind)[:, 0], empty)
