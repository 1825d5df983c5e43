"""Values between the times at which they are known."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor


def in_time(
    knots_us: Int64[Tensor, "knots"],
    values: Float[Tensor, "*of knots n"],
    time_us: Int64[Tensor, "moments"],
) -> Float[Tensor, "*of moments n"]:
    """Values at any times: linear between knots (increasing, one or more), held at the ends."""
    knots = knots_us.to(values.device)
    left = (torch.searchsorted(knots, time_us, right=True) - 1).clamp(0, max(len(knots) - 2, 0))
    right = (left + 1).clamp_max(len(knots) - 1)
    share = (time_us - knots[left]) / (knots[right] - knots[left]).clamp_min(1)
    share = share.clamp(0.0, 1.0).to(values)[:, None]
    return values[..., left, :] * (1.0 - share) + values[..., right, :] * share
