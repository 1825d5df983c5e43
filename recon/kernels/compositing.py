"""From densities along rays to weights, distances and their spread.

Samples are intervals along their ray, in order and not overlapping, in which density is constant.
A distance is measured along the ray in whatever unit the edges have, and densities in one over
that unit. All functions work in float32 and float64.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def transmittance(
    sigma: Float[Tensor, "*rays s"], delta: Float[Tensor, "*rays s"]
) -> Float[Tensor, "*rays s"]:
    """Share of a pixel's light that is left before each sample; 1 before the first.

    Args:
        sigma: Volume density [1/m], non-negative.
        delta: Interval length [m], non-negative.
    """
    depth = sigma * delta
    return torch.exp(-torch.nn.functional.pad(torch.cumsum(depth, dim=-1)[..., :-1], (1, 0)))


def transmittance_reference(
    sigma: Float[Tensor, "*rays s"], delta: Float[Tensor, "*rays s"]
) -> Float[Tensor, "*rays s"]:
    """One sample at a time: how much light is left."""
    light, before = torch.ones_like(sigma[..., 0]), []
    for sigma_i, delta_i in zip(sigma.unbind(-1), delta.unbind(-1), strict=True):
        before.append(light)
        light = light * torch.exp(-sigma_i * delta_i)
    return torch.stack(before, dim=-1)


def render_weights(
    sigma: Float[Tensor, "*rays s"], delta: Float[Tensor, "*rays s"]
) -> Float[Tensor, "*rays s"]:
    """Share of a pixel that each sample along its ray contributes.

    Args:
        sigma: Volume density [1/m], non-negative.
        delta: Interval length [m], non-negative.

    Returns:
        Weights in [0, 1] that sum to the opacity of the ray.
    """
    return -torch.expm1(-sigma * delta) * transmittance(sigma, delta)


def render_weights_reference(
    sigma: Float[Tensor, "*rays s"], delta: Float[Tensor, "*rays s"]
) -> Float[Tensor, "*rays s"]:
    """One sample at a time: how much light is left, how much is absorbed."""
    light, weights = torch.ones_like(sigma[..., 0]), []
    for sigma_i, delta_i in zip(sigma.unbind(-1), delta.unbind(-1), strict=True):
        absorbed = 1.0 - torch.exp(-sigma_i * delta_i)
        weights.append(light * absorbed)
        light = light * (1.0 - absorbed)
    return torch.stack(weights, dim=-1)


def median_distance(
    weights: Float[Tensor, "rays s"],
    near_edge: Float[Tensor, "rays s"],
    far_edge: Float[Tensor, "rays s"],
    opacity_threshold: Float[Tensor, "rays"] | float = 0.5,
) -> Float[Tensor, "rays"]:
    """Where the opacity accumulated along each ray first reaches the ray's threshold.

    Within the interval where that happens, density is constant, so opacity grows as
    1 - exp(-sigma t), which is inverted exactly. Where rounding has made the interval opaque, the
    distance is its start: in float32, off by at most a twentieth of its length.

    Args:
        weights: As `render_weights` gives them.
        near_edge: Start of each interval.
        far_edge: End of each interval.
        opacity_threshold: Above 0, below 1; half of a ray's opacity is the median of where its
            light comes from.

    Returns:
        The distance; inf for a ray that never gets there.
    """
    opacity = torch.cumsum(weights, dim=-1)
    threshold = torch.as_tensor(opacity_threshold).to(weights).expand(len(weights))[:, None]
    crossing = (opacity < threshold).sum(dim=-1, keepdim=True)
    crosses = crossing < weights.shape[-1]
    at = crossing.clamp(max=weights.shape[-1] - 1)
    left_before = 1.0 - torch.nn.functional.pad(opacity[..., :-1], (1, 0)).gather(-1, at)
    left_after = 1.0 - opacity.gather(-1, at)
    # An opaque interval is crossed at its start. Unused branches get harmless numbers, because
    # a NaN in one would still reach the gradient.
    partly = crosses & (left_after > 0.0)
    depth = left_before.log() - torch.where(partly, left_after, 0.5 * left_before).log()
    share = (left_before.log() - torch.log1p(-threshold)) / torch.where(partly, depth, 1.0)
    share = torch.where(partly, share, 0.0).clamp(0.0, 1.0)
    distance = torch.lerp(near_edge.gather(-1, at), far_edge.gather(-1, at), share)
    return torch.where(crosses, distance, math.inf)[..., 0]


def median_distance_reference(
    weights: Float[Tensor, "rays s"],
    near_edge: Float[Tensor, "rays s"],
    far_edge: Float[Tensor, "rays s"],
    opacity_threshold: Float[Tensor, "rays"] | float = 0.5,
) -> Float[Tensor, "rays"]:
    """Walk along each ray to the interval; find its density; solve light exp(-sigma t) for t."""
    distances = []
    limits = torch.as_tensor(opacity_threshold).to(weights).expand(len(weights))
    for ray in range(len(weights)):
        opacity, distance = weights.new_zeros(()), weights.new_tensor(math.inf)
        threshold = limits[ray]
        for weight, near, far in zip(weights[ray], near_edge[ray], far_edge[ray], strict=True):
            light, opacity = 1.0 - opacity, opacity + weight
            if opacity >= 1.0:
                distance = near
            elif opacity >= threshold:
                sigma = (light / (1.0 - opacity)).log() / (far - near)
                distance = near + (light / (1.0 - threshold)).log() / sigma
            if opacity >= threshold:
                break
        distances.append(distance)
    return torch.stack(distances)


def expected_distance(
    weights: Float[Tensor, "rays s"],
    near_edge: Float[Tensor, "rays s"],
    far_edge: Float[Tensor, "rays s"],
) -> Float[Tensor, "rays"]:
    """Mean of the intervals' middles by weight; inf for a ray on which nothing has weight."""
    opacity = weights.sum(dim=-1)
    seen = opacity > 0.0
    total = (weights * 0.5 * (near_edge + far_edge)).sum(dim=-1)
    return torch.where(seen, total / torch.where(seen, opacity, 1.0), math.inf)


def expected_distance_reference(
    weights: Float[Tensor, "rays s"],
    near_edge: Float[Tensor, "rays s"],
    far_edge: Float[Tensor, "rays s"],
) -> Float[Tensor, "rays"]:
    """One sample at a time: sums of weight, and of weight times middle."""
    opacity, total = torch.zeros_like(weights[:, 0]), torch.zeros_like(weights[:, 0])
    for weight, near, far in zip(weights.T, near_edge.T, far_edge.T, strict=True):
        opacity = opacity + weight
        total = total + weight * (near + far) / 2.0
    return torch.where(opacity > 0.0, total / opacity, math.inf)


def distortion(
    weights: Float[Tensor, "rays s"],
    near_edge: Float[Tensor, "rays s"],
    far_edge: Float[Tensor, "rays s"],
) -> Float[Tensor, "rays"]:
    """How spread out the weights of each ray are: 0 for all in one point.

    sum_ij w_i w_j |m_i - m_j| + 1/3 sum_i w_i^2 (far_i - near_i), with middles m in ascending
    order. Barron et al., Mip-NeRF 360 (2022), equation 15.

    Every pair of samples counts each gap between neighbouring middles that lies between them, so
    the double sum is twice the sum of gap * (weight before it) * (weight behind it).
    """
    middle = 0.5 * (near_edge + far_edge)
    before = torch.cumsum(weights, dim=-1)
    behind = weights.sum(dim=-1, keepdim=True) - before
    apart = 2.0 * (before[..., :-1] * behind[..., :-1] * middle.diff(dim=-1)).sum(dim=-1)
    return apart + (weights.square() * (far_edge - near_edge)).sum(dim=-1) / 3.0


def distortion_reference(
    weights: Float[Tensor, "rays s"],
    near_edge: Float[Tensor, "rays s"],
    far_edge: Float[Tensor, "rays s"],
) -> Float[Tensor, "rays"]:
    """Every pair of samples."""
    middle = (near_edge + far_edge) / 2.0
    pairs = weights[:, :, None] * weights[:, None, :]
    apart = (pairs * (middle[:, :, None] - middle[:, None, :]).abs()).sum(dim=(1, 2))
    return apart + (weights**2 * (far_edge - near_edge)).sum(dim=1) / 3.0
