"""The three operations on a field: `march`, `query`, `transmittance`. Everything composes them.

This is their definition. A ray's samples are the steps through the static scene
(`recon.rendering.sampling`; steps that are not looked at are empty, and so are those where an
instance is alone) and, for each instance whose box the ray crosses, equal intervals between its
entry and exit; together they are ordered by distance. Density is constant in an interval, and
emission-absorption compositing gives each a weight (`render_weights`); what passes shows the sky.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from recon.config import SamplingConfig
from recon.field.field import Instance, RadianceField
from recon.field.space import Block
from recon.kernels.compositing import expected_distance, median_distance
from recon.rendering.ray_samples import Part, alone, instance_part, static_part
from recon.rendering.rays import Rays
from recon.rendering.sampling import Steps, choose_steps
from scenes.work.short_repr import short_repr

OPAQUE = 0.5
"""A ray that is absorbed less than this shows the sky: it has no distance."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Looks:
    """Every evaluation of the static field on a bundle of rays, in ray order."""

    ray: Int64[Tensor, "looks"]
    """Which ray it was on."""
    unit: Float[Tensor, "looks 3"]
    """Where, in the block's unit cube."""
    middle_m: Float[Tensor, "looks"]
    """How far along the ray [m]."""
    density: Float[Tensor, "looks"]
    weights: Float[Tensor, "looks"]
    light: Float[Tensor, "looks"]
    """Share of the ray's light that is left behind it."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Samples:
    """The static scene's and the instances' samples on each ray, ordered by distance."""

    near_m: Float[Tensor, "rays samples"]
    far_m: Float[Tensor, "rays samples"]
    density: Float[Tensor, "rays samples"]
    weights: Float[Tensor, "rays samples"]
    """Share of the pixel that each interval contributes."""
    owner: Int64[Tensor, "rays samples"]
    """0 is the static scene, k the k-th instance."""
    static: "Looks"
    """The static steps that were looked at."""

    @property
    def middle_m(self) -> Float[Tensor, "rays samples"]:
        """Middle of each interval [m]."""
        return 0.5 * (self.near_m + self.far_m)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class MarchOutput:
    """What comes out of one ray integral: colour and labels from the same samples."""

    linear: Float[Tensor, "rays channels"]
    """Linear radiance, the sky included. Instances of materials emit none (`recon.lighting`)."""
    opacity: Float[Tensor, "rays"]
    """Share of the light that the scene absorbs, 0 to 1."""
    range_m: Float[Tensor, "rays"]
    """Distance of the winning surface, where half of its weight is reached; inf for sky."""
    expected_range_m: Float[Tensor, "rays"]
    """Mean distance of what absorbs [m]; 0 where nothing does."""
    instance: Int64[Tensor, "rays"]
    """Who weighs most: 0 the static scene, k the k-th instance; 0 for sky too."""
    instance_weights: Float[Tensor, "rays owners"]
    """Share of the pixel of the static scene and of each instance."""

    __repr__ = short_repr


def march(
    field: RadianceField,
    rays: Rays,
    instances: Sequence[Instance] = (),
    *,
    sampling: SamplingConfig,
    growth: float,
    shift: Float[Tensor, "rays"] | None = None,
    termination: float = 0.0,
) -> tuple[MarchOutput, Samples]:
    """Integrate rays through the static scene and the instances.

    Args:
        field: The static scene.
        rays: In world coordinates.
        instances: Rigid parts with their own fields; may be empty.
        sampling: Where along the rays to look.
        growth: Length of a step over its distance.
        shift: Share of a step, 0 to 1, by which the steps of each ray are moved; None is 0.5.
        termination: Steps count as empty where the static scene has left this share of the
            light or less. 0 looks at all (parity).

    Returns:
        The integrals, with gradients to every parameter, and the samples (for losses). Rays that
        ask for gradients get them through the positions of the static scene's samples; how looks
        and footprints change with them is left out, and so are steps that begin or cease to count.
    """
    steps = choose_steps(rays, field.block, field.occupancy, sampling, growth, shift)
    still = Rays(
        origins_m=rays.origins_m.detach(),
        directions=rays.directions.detach(),
        pixel_angle=rays.pixel_angle,
        moment=rays.moment,
    )
    for item in instances:
        if item.alone_above < 1.0:
            steps = steps.but(alone(item, still, steps.middle_m))
    if termination > 0.0 and torch.is_grad_enabled():
        # first see how far light gets, so that nothing hidden is kept for the backward pass
        with torch.no_grad():
            seen = static_part(field, still, steps, termination)
        steps = steps.only(seen.looked, seen.unit)
    if rays.origins_m.requires_grad or rays.directions.requires_grad:
        steps = replace(steps, unit=_moving(rays, steps, field.block))
    parts = [static_part(field, still, steps, 0.0 if torch.is_grad_enabled() else termination)]
    parts += [
        instance_part(item, still, item.samples or sampling.instance_samples) for item in instances
    ]
    near, far, density = (
        torch.cat([getattr(part, name) for part in parts], 1)
        for name in ("near_m", "far_m", "density")
    )
    sizes = [part.density.shape[1] for part in parts]
    owner = torch.repeat_interleave(torch.arange(len(parts)), torch.tensor(sizes))
    owner = owner.to(near.device).expand(len(rays), -1)
    order = torch.argsort(near + far, dim=1, stable=True) if instances else None
    if order is not None:
        near, far, density, owner = (x.gather(1, order) for x in (near, far, density, owner))
    weights = field.primitives.render_weights(density, far - near)
    # back in each part's own order, for the colours
    own = weights if order is None else torch.zeros_like(weights).scatter(1, order, weights)
    linear = (1.0 - weights.sum(-1, keepdim=True)) * field.sky(still.directions)
    for part, share in zip(parts, own.split(sizes, 1), strict=True):
        if part.field.has_material:
            continue  # it sends back light, but emits none
        linear = linear + _emitted(part, share, sampling.colour_threshold)
    record = Samples(
        near_m=near,
        far_m=far,
        density=density,
        weights=weights,
        owner=owner,
        static=_looks(parts[0], own[:, : sizes[0]]),
    )
    return _integrate(linear, record, len(parts)), record


def _moving(rays: Rays, steps: Steps, block: Block) -> Float[Tensor, "looks 3"]:
    """Where the steps are looked at, with gradients to the rays."""
    ray, step = torch.nonzero(steps.looked_at).unbind(-1)
    distance = steps.middle_m[ray, step]
    return block.unit(torch.addcmul(rays.origins_m[ray], rays.directions[ray], distance[:, None]))


def _looks(part: Part, weights: Float[Tensor, "rays samples"]) -> Looks:
    light = 1.0 - weights.detach().cumsum(-1)
    middle = 0.5 * (part.near_m + part.far_m)
    return Looks(
        ray=part.looked.div(weights.shape[1], rounding_mode="floor"),
        unit=part.unit,
        middle_m=middle.flatten()[part.looked],
        density=part.density.detach().flatten()[part.looked],
        weights=weights.detach().flatten()[part.looked],
        light=light.flatten()[part.looked],
    )


def _emitted(
    part: Part, weights: Float[Tensor, "rays samples"], threshold: float
) -> Float[Tensor, "rays channels"]:
    """Radiance of one part, weighted and summed along each ray."""
    rays, samples = weights.shape
    share = weights.flatten()[part.looked]
    seen = torch.nonzero(share.detach() > threshold)[:, 0]
    ray = part.looked[seen].div(samples, rounding_mode="floor")
    radiance = part.field.radiance(part.geometry[seen], part.directions[ray])
    shares = share[seen, None] * radiance
    return torch.zeros(rays, shares.shape[1]).to(shares).index_add(0, ray, shares)


def _integrate(linear: Float[Tensor, "rays c"], record: Samples, owners: int) -> MarchOutput:
    weights = record.weights
    opacity = weights.sum(-1)
    by_owner = [(weights * (record.owner == k)).sum(-1) for k in range(owners)]
    instance_weights = torch.stack(by_owner, -1) if owners > 1 else opacity[:, None]
    solid = opacity >= OPAQUE
    winner = instance_weights.argmax(-1)
    # the winner's own surface: where half of its own weight is reached
    of_winner = weights * (record.owner == winner[:, None]) if owners > 1 else weights
    half = (0.5 * of_winner.sum(-1)).clamp(1e-6, 1.0 - 1e-6)
    surface = median_distance(of_winner, record.near_m, record.far_m, half)
    mean = expected_distance(weights, record.near_m, record.far_m)
    return MarchOutput(
        linear=linear,
        opacity=opacity,
        range_m=torch.where(solid, surface, torch.full_like(surface, torch.inf)),
        expected_range_m=mean.nan_to_num(posinf=0.0),
        instance=torch.where(solid, winner, torch.zeros_like(winner)),
        instance_weights=instance_weights,
    )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class QueryOutput:
    """The field at points."""

    density: Float[Tensor, "points"]
    """Volume density [1/m]."""
    linear: Float[Tensor, "points channels"]
    """Linear radiance towards the viewer."""
    density_gradient: Float[Tensor, "points 3"]
    """d density / d position [1/m^2], world axes."""


def query(
    field: RadianceField,
    points_m: Float[Tensor, "points 3"],
    directions: Float[Tensor, "points 3"],
    footprint_m: Float[Tensor, "points"] | None = None,
) -> QueryOutput:
    """The static scene at points of the world, seen along `directions` (unit).

    `footprint_m` is the standard deviation of each point's extent [m]; None is a point. The
    results carry gradients to the parameters and, where `points_m` asks for it, to the points.
    """
    with torch.enable_grad():
        points = points_m if points_m.requires_grad else points_m.detach().requires_grad_()
        unit, footprint = field.block.unit(points), None
        if footprint_m is not None:
            footprint = footprint_m * field.block.unit_per_metre(unit)
        density, geometry = field.static.density(unit, footprint)
        (gradient,) = torch.autograd.grad(density.sum(), points, retain_graph=True)
    linear = field.static.radiance(geometry, directions)
    return QueryOutput(density=density, linear=linear, density_gradient=gradient)


def transmittance(
    field: RadianceField,
    rays: Rays,
    until_m: Float[Tensor, "rays"],
    *,
    sampling: SamplingConfig,
    growth: float,
) -> Float[Tensor, "rays"]:
    """Share of light that gets from the start of each ray as far as `until_m` [m]."""
    steps = choose_steps(rays, field.block, field.occupancy, sampling, growth, None)
    part = static_part(field, rays, steps)
    length = torch.minimum(part.far_m, until_m[:, None]) - part.near_m
    return torch.exp(-(part.density * length.clamp_min(0.0)).sum(-1))
