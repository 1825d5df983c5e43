"""What stands between radiance and a picture: exposure, white balance, and the response.

A picture is srgb(exposure * radiance). Each training frame has three learned log exposures (one
a channel, so that white balance is included). Gauge: their mean over the clip's training frames
is 0, so that exposure and radiance cannot drift against each other. A held-out frame's exposure
is interpolated in time between its neighbours, never fitted on itself.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from recon.field.interpolation import in_time


def srgb(linear: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """The response (IEC 61966-2-1); goes on above 1 so that gradients survive clipping."""
    low = linear <= 0.0031308
    bent = 1.055 * linear.clamp_min(0.0031308).pow(1.0 / 2.4) - 0.055
    return torch.where(low, linear * 12.92, bent)


class Photometry(nn.Module):
    """Log exposures of the training frames of each camera, by time."""

    def __init__(self, time_us: list[Int64[Tensor, "_"]], known: list[Float[Tensor, "_"]]) -> None:
        """`time_us` of the training frames of each camera, and the exposures the drive knows."""
        super().__init__()
        # the drive's own figures are the start; unknown ones are all 1
        self.log_gain = nn.ParameterList(
            torch.log(exposure).float()[:, None].repeat(1, 3) for exposure in known
        )
        self.fix_gauge()
        for stream, times in enumerate(time_us):
            self.register_buffer(f"time_us_{stream}", times)

    def times(self, stream: int) -> Int64[Tensor, "frames"]:
        """Times of a camera's training frames [µs]."""
        return self.get_buffer(f"time_us_{stream}")

    @torch.no_grad()
    def fix_gauge(self) -> None:
        """Subtract the mean log exposure of the clip, for each channel."""
        mean = torch.cat(list(self.log_gain)).mean(0)
        for gains in self.log_gain:
            gains -= mean

    def gain(self, stream: int, frame: Int64[Tensor, "n"]) -> Float[Tensor, "n 3"]:
        """Exposure of training frames, by their place among the camera's training frames."""
        return self.log_gain[stream][frame].exp()

    def gain_at(self, stream: int, time_us: int) -> Float[Tensor, "3"]:
        """Exposure at any time: linear in the logarithm between frames, held at the ends.

        A camera that did not train is taken to be set as the first that did.
        """
        if len(self.times(stream)) == 0:
            cameras = range(len(self.log_gain))
            stream = next(camera for camera in cameras if len(self.times(camera)))
        times_us = self.times(stream)
        return in_time(times_us, self.log_gain[stream], times_us.new_tensor([time_us]))[0].exp()
