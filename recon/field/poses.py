"""Small corrections of camera poses, learnt with the scene (off unless a recipe asks for them).

Each training picture has a twist: a shift of its camera [m] and a turn about it [rad], both along
the world's axes, to first order (they are millimetres and fractions of a degree). Gauge: their
mean over a camera's training pictures is 0, so that the scene cannot drift away from the drive.
Poses that others ask for, such as those of a perturbed ego, are never corrected.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from recon.field.interpolation import in_time


class PoseCorrection(nn.Module):
    """Twists of the training pictures of each camera, by time."""

    def __init__(self, time_us: list[Int64[Tensor, "_"]]) -> None:
        """`time_us` of the training pictures of each camera."""
        super().__init__()
        self.twist = nn.ParameterList(torch.zeros(len(times), 6) for times in time_us)
        for stream, times in enumerate(time_us):
            self.register_buffer(f"time_us_{stream}", times.clone())

    def correct(
        self,
        origins_m: Float[Tensor, "n 3"],
        directions: Float[Tensor, "n 3"],
        twist: Float[Tensor, "n 6"],
    ) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n 3"]]:
        """Origins and unit directions of rays, moved by the twist of the picture of each."""
        turned = directions + torch.linalg.cross(twist[:, 3:], directions)
        return origins_m + twist[:, :3], torch.nn.functional.normalize(turned, dim=1)

    def of(self, stream: int, frame: Int64[Tensor, "n"]) -> Float[Tensor, "n 6"]:
        """Twists of training pictures, by their place among the camera's training pictures."""
        return self.twist[stream][frame]

    @torch.no_grad()
    def at(self, stream: int, time_us: int) -> Float[Tensor, "6"]:
        """Twist at any time: linear between training pictures, held at the ends.

        Cameras that did not train keep the drive's poses.
        """
        if len(self.twist[stream]) == 0:
            return torch.zeros(6)
        times_us = self.get_buffer(f"time_us_{stream}")
        return in_time(times_us, self.twist[stream], times_us.new_tensor([time_us]))[0]

    @torch.no_grad()
    def fix_gauge(self) -> None:
        """Subtract the mean twist of each camera."""
        for twists in self.twist:
            if len(twists):
                twists -= twists.mean(0)
