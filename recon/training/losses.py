"""The losses of a reconstruction. All are means over rays.

The photometric loss lives in response (sRGB) space, where errors are seen, and knows that a
clipped pixel only says "at least this bright".
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from recon.field.photometry import srgb
from recon.kernels.compositing import distortion
from recon.rendering.march import Samples

CLIPPED = 254.5 / 255.0
"""A channel at this value or above is clipped by the camera."""
DEPTH_MARGIN = 0.03
"""Depth evidence is believed to this share of its distance."""
NEAREST_M = 1e-3
"""Samples count as this far at least [m]: an instance may start at the eye, where log is -inf."""
DEPTH_MARGIN_M = 0.1
"""And never closer than this [m]."""


def photometric(
    linear: Float[Tensor, "rays 3"],
    exposure: Float[Tensor, "rays 3"],
    recorded_srgb: Float[Tensor, "rays 3"],
) -> Float[Tensor, ""]:
    """Mean squared error of sRGB values; no error where both are clipped."""
    shown = srgb(linear * exposure)
    error = shown - recorded_srgb
    beyond = (recorded_srgb >= CLIPPED) & (shown >= recorded_srgb)
    return torch.where(beyond, torch.zeros_like(error), error).square().mean()


def depth_evidence(
    samples: Samples, evidence_m: Float[Tensor, "known"], first: int
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """How far the absorption of rays is from where evidence says their surface is.

    The rays from number `first` on have evidence: the distance of their first surface [m].

    Returns:
        The squared error of the mean logarithm of distance (as wrong at 5 m as at 50 m), and the
        share of light absorbed before the surface or not at all ("line of sight", as Urban
        Radiance Fields, Rematas et al. 2022, eq. 7-9, with a relative margin).
    """
    weights, middle = samples.weights[first:], samples.middle_m[first:].clamp_min(NEAREST_M)
    mean_log = (weights * middle.log()).sum(-1) / weights.sum(-1).clamp_min(0.1)
    off = (mean_log - evidence_m.log()).clamp(-2.0, 2.0)
    margin = (evidence_m * DEPTH_MARGIN).clamp_min(DEPTH_MARGIN_M)
    early = samples.far_m[first:] < (evidence_m - margin)[:, None]
    in_front = (weights * early).square().sum(-1)
    through = (1.0 - weights.sum(-1)).square()
    return off.square().mean(), (in_front + through).mean()


def spread(samples: Samples, far_m: float) -> Float[Tensor, ""]:
    """Distortion loss (Mip-NeRF 360, eq. 15) on the logarithm of distance, scaled to 0..1."""
    near, far = samples.near_m, samples.far_m
    scale = 1.0 / torch.log1p(torch.tensor(far_m)).item()
    return distortion(samples.weights, near.log1p() * scale, far.log1p() * scale).mean()


def sky_opacity(opacity: Float[Tensor, "rays"], is_sky: Bool[Tensor, "rays"]) -> Float[Tensor, ""]:
    """Light absorbed on rays where the picture shows sky: nothing should be in their way."""
    return (opacity * is_sky).square().mean()
