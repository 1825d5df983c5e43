"""The training pictures of one camera, as pixels with rays."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from recon.rendering.rays import Rays
from scenes.sensors.camera import Camera
from scenes.work.memoize import memoized
from scenes.work.short_repr import short_repr


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Pixels:
    """The training pictures of one camera."""

    stream: int
    camera: Camera
    """At training resolution."""
    frame_index: Int64[np.ndarray, "frames"]
    """Which pictures of the stream these are."""
    srgb: UInt8[Tensor, "frames pixels 3"]
    sky: Bool[Tensor, "frames pixels"]
    usable: Int64[Tensor, "n"]
    """frame * pixels + pixel of every pixel that may train, increasing."""
    directions: Float[Tensor, "pixels 3"]
    """Unit, in the camera's frame."""
    pixel_angle: Float[Tensor, "pixels"]
    line_origin_m: Float[Tensor, "frames lines 3"]
    line_rotation: Float[Tensor, "frames lines 3 3"]
    """world from camera, while each line (`Camera.lines`) is exposed."""
    line_time_us: Int64[Tensor, "frames lines"]
    """When each line is exposed [µs]."""
    of_actors: Int64[Tensor, "m"]
    """Pixels in boxes of road users with fields, named as in `usable`, box by box."""
    actor_weight: Float[Tensor, "m"]
    """How often each of them is drawn, relative to the others."""

    __repr__ = short_repr

    def rays(self, usable: Int64[Tensor, "n"]) -> Rays:
        """Rays of pixels named as in `usable`."""
        pixels = len(self.directions)
        frame, pixel = usable.div(pixels, rounding_mode="floor"), usable % pixels
        line = self._line(pixel)
        turn = self.line_rotation[frame, line]
        return Rays(
            origins_m=self.line_origin_m[frame, line],
            directions=torch.einsum("nij,nj->ni", turn, self.directions[pixel]),
            pixel_angle=self.pixel_angle[pixel],
        )

    def trains(self, frame: int) -> Bool[Tensor, "pixels"]:
        """Which pixels of one of the pictures may train."""
        return _trains(self, frame)

    def time_us(self, usable: Int64[Tensor, "n"]) -> Int64[Tensor, "n"]:
        """When pixels named as in `usable` were exposed [µs]."""
        pixels = len(self.directions)
        line = self._line(usable % pixels)
        return self.line_time_us[usable.div(pixels, rounding_mode="floor"), line]

    def _line(self, pixel: Int64[Tensor, "n"]) -> Int64[Tensor, "n"]:
        """The line (`Camera.lines`) that each pixel is read with."""
        width = self.camera.width
        return pixel.div(width, rounding_mode="floor") if self.camera.reads_rows else pixel % width


@memoized(64)  # of those around each vehicle in turn
def _trains(of: Pixels, frame: int) -> Bool[Tensor, "pixels"]:
    pixels = len(of.directions)
    first, last = torch.searchsorted(
        of.usable, torch.tensor([frame * pixels, (frame + 1) * pixels]).to(of.usable)
    ).tolist()
    found = torch.zeros(pixels, dtype=torch.bool, device=of.usable.device)
    found[of.usable[first:last] - frame * pixels] = True
    return found
