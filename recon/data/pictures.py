"""The training pictures of one camera, as pixels with rays."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from recon.rendering.rays import Rays
from scenes.sensors.camera import Camera
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
    row_origin_m: Float[Tensor, "frames rows 3"]
    row_rotation: Float[Tensor, "frames rows 3 3"]
    """world from camera, while each row is exposed."""
    row_time_us: Int64[Tensor, "frames rows"]
    """When each row is exposed [µs]."""
    of_actors: Int64[Tensor, "m"]
    """Pixels in boxes of road users with fields, named as in `usable`, box by box."""
    actor_weight: Float[Tensor, "m"]
    """How often each of them is drawn, relative to the others."""

    __repr__ = short_repr

    def rays(self, usable: Int64[Tensor, "n"]) -> Rays:
        """Rays of pixels named as in `usable`."""
        pixels = len(self.directions)
        frame, pixel = usable.div(pixels, rounding_mode="floor"), usable % pixels
        row = pixel.div(self.camera.width, rounding_mode="floor")
        turn = self.row_rotation[frame, row]
        return Rays(
            origins_m=self.row_origin_m[frame, row],
            directions=torch.einsum("nij,nj->ni", turn, self.directions[pixel]),
            pixel_angle=self.pixel_angle[pixel],
        )

    def trains(self, frame: int) -> Bool[Tensor, "pixels"]:
        """Which pixels of one of the pictures may train."""
        pixels = len(self.directions)
        first, last = torch.searchsorted(
            self.usable, torch.tensor([frame * pixels, (frame + 1) * pixels]).to(self.usable)
        ).tolist()
        found = torch.zeros(pixels, dtype=torch.bool, device=self.usable.device)
        found[self.usable[first:last] - frame * pixels] = True
        return found

    def time_us(self, usable: Int64[Tensor, "n"]) -> Int64[Tensor, "n"]:
        """When pixels named as in `usable` were exposed [µs]."""
        pixels = len(self.directions)
        row = (usable % pixels).div(self.camera.width, rounding_mode="floor")
        return self.row_time_us[usable.div(pixels, rounding_mode="floor"), row]
