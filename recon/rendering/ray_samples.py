"""The samples of one ray bundle in the static scene, and in each instance, before they merge."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from recon.field.field import ABSENT, GridField, Instance, RadianceField
from recon.field.space import cross_box
from recon.kernels.compositing import transmittance
from recon.rendering.rays import FOOTPRINT_STD, Rays
from recon.rendering.sampling import Steps

STRETCH = 48
"""Steps between two looks at how much light is left."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Part:
    """Samples of the static scene or of one instance, each ray's by increasing distance."""

    field: GridField
    near_m: Float[Tensor, "rays samples"]
    far_m: Float[Tensor, "rays samples"]
    density: Float[Tensor, "rays samples"]
    """0 where it was not looked."""
    looked: Int64[Tensor, "looks"]
    """Which of the rays times samples were looked at, each ray's in order of distance."""
    unit: Float[Tensor, "looks 3"]
    geometry: Float[Tensor, "looks g"]
    directions: Float[Tensor, "rays 3"]
    """In the frame of the part, so that its look turns with it."""


def static_part(field: RadianceField, rays: Rays, steps: Steps, termination: float = 0.0) -> Part:
    """The samples of rays in the static scene.

    With `termination`, steps behind which the static scene has left that share of the light or
    less are not looked at: they count as empty.
    """
    count = steps.looked_at.shape[1]
    stretch = STRETCH if termination > 0.0 else count
    index = torch.zeros(steps.looked_at.numel(), dtype=torch.int64).to(steps.unit.device)
    index[steps.looked_at.flatten()] = torch.arange(len(steps.unit), device=index.device)
    depth = torch.zeros(len(rays)).to(steps.edges_m)
    found = []
    for start in range(0, count, stretch):
        lit = torch.exp(-depth) > termination
        place = _places(steps.looked_at[:, start : start + stretch], lit, start, count)
        unit = steps.unit[index[place]] if termination > 0.0 else steps.unit
        density, geometry = _look(field, rays, steps, place, unit)
        found.append((place, unit, density, geometry))
        if termination > 0.0:
            length = (steps.far_m - steps.near_m).flatten()[place]
            ray = place.div(count, rounding_mode="floor")
            depth = depth.index_add(0, ray, density * length)
    place, unit, density, geometry = (torch.cat(list(parts)) for parts in zip(*found, strict=True))
    empty = torch.zeros(steps.looked_at.numel()).to(density)
    every = empty.index_copy(0, place, density).view(len(rays), count)
    if termination > 0.0:
        # stretches only save work: it is the light before each single step that counts
        light = transmittance(every.detach(), steps.far_m - steps.near_m)
        lit = (light > termination).flatten()[place]
        place, unit, density, geometry = (x[lit] for x in (place, unit, density, geometry))
        every = empty.index_copy(0, place, density).view(len(rays), count)
    return Part(
        field=field.static,
        near_m=steps.near_m,
        far_m=steps.far_m,
        density=every,
        looked=place,
        unit=unit,
        geometry=geometry,
        directions=rays.directions,
    )


def _places(
    looked_at: Bool[Tensor, "rays stretch"], lit: Bool[Tensor, "rays"], start: int, count: int
) -> Int64[Tensor, "looks"]:
    """Numbers, among rays times `count` steps, of the steps to look at in a stretch."""
    ray, step = torch.nonzero(looked_at & lit[:, None]).unbind(-1)
    return ray * count + step + start


def _look(
    field: RadianceField,
    rays: Rays,
    steps: Steps,
    place: Int64[Tensor, "looks"],
    unit: Float[Tensor, "looks 3"],
) -> tuple[Float[Tensor, "looks"], Float[Tensor, "looks g"]]:
    """Density and geometry of the static scene at numbered steps."""
    ray = place.div(steps.looked_at.shape[1], rounding_mode="floor")
    width = steps.middle_m.flatten()[place] * rays.pixel_angle[ray] * FOOTPRINT_STD
    return field.static.density(unit, width * field.block.unit_per_metre(unit.detach()))


def instance_part(instance: Instance, rays: Rays, samples: int) -> Part:
    """The samples of rays between entry to and exit from an instance's box.

    Maps and latents that ask for gradients get them, maps through the positions of the samples;
    entry, exit and the direction that the look depends on are held.
    """
    affine, latent = at_moments(instance, rays)
    linear, offset = affine[..., :3], affine[..., 3]
    blind = ~rays.is_valid
    starts, ways = (x.masked_fill(blind[:, None], 0.0) for x in (rays.origins_m, rays.directions))
    origins = torch.einsum("nij,nj->ni", linear, starts) + offset
    along = torch.einsum("nij,nj->ni", linear, ways)
    entry, leave = cross_unit_cube(origins.detach(), along.detach())
    leave = torch.where(blind, entry, leave)
    share = torch.linspace(0.0, 1.0, samples + 1).to(entry)
    edges = entry[:, None] + (leave - entry)[:, None] * share
    near, far = edges[:, :-1], edges[:, 1:]
    middle = 0.5 * (near + far)
    unit = (origins[:, None] + along[:, None] * middle[..., None]).clamp(0.0, 1.0).flatten(0, 1)
    # a box is scaled differently along its axes: the mean scale measures the footprint
    scale = linear.detach().norm(dim=2)
    angle = rays.pixel_angle.masked_fill(blind, 0.0)
    width = angle * FOOTPRINT_STD * scale.prod(1) ** (1.0 / 3.0)
    when = None if latent is None else latent.repeat_interleave(samples, 0)
    density, geometry = instance.field.density(unit, (middle * width[:, None]).flatten(), when)
    return Part(
        field=instance.field,
        near_m=near,
        far_m=far,
        # a ray that misses the box has intervals of length zero, which absorb nothing
        density=density.view_as(near),
        looked=torch.arange(near.numel(), device=near.device),
        unit=unit,
        geometry=geometry,
        directions=along.detach() / scale.clamp_min(1e-12),
    )


@torch.no_grad()
def alone(
    instance: Instance, rays: Rays, middle_m: Float[Tensor, "rays steps"]
) -> Bool[Tensor, "rays steps"]:
    """At which distances along rays an instance is alone, or its core hides what there is.

    See `Instance.alone_above` and `Instance.core`.
    """
    affine, _ = at_moments(instance, rays)
    linear, offset = affine[..., :3], affine[..., 3]
    origins = torch.einsum("nij,nj->ni", linear, rays.origins_m) + offset
    along = torch.einsum("nij,nj->ni", linear, rays.directions)
    low = torch.tensor([0.0, 0.0, instance.alone_above]).to(origins)
    entry, leave = cross_box(origins, along, low, 1.0)
    entry = entry.clamp_min(0.0)
    met = leave > entry
    if instance.core is not None:
        near, far = cross_box(origins, along, *instance.core.to(origins))
        leave = torch.where(far > near.clamp_min(0.0), torch.inf, leave)
    return met[:, None] & (middle_m > entry[:, None]) & (middle_m < leave[:, None])


def at_moments(
    instance: Instance, rays: Rays
) -> tuple[Float[Tensor, "rays 3 4"], Float[Tensor, "rays latents"] | None]:
    """Map and latent of an instance at the moment of each ray."""
    if rays.moment is None:
        row = torch.zeros(len(rays), dtype=torch.int64, device=rays.origins_m.device)
    else:
        row = rays.moment.clamp_min(0)
    affine = instance.unit_from_world[row]
    if rays.moment is not None:
        affine = torch.where((rays.moment < 0)[:, None, None], ABSENT.to(affine), affine)
    return affine, None if instance.latent is None else instance.latent[row]


def cross_unit_cube(
    origins: Float[Tensor, "rays 3"], along: Float[Tensor, "rays 3"]
) -> tuple[Float[Tensor, "rays"], Float[Tensor, "rays"]]:
    """Distances at which rays enter and leave [0, 1]^3; equal where they miss it."""
    entry, leave = cross_box(origins, along, 0.0, 1.0)
    entry = entry.clamp_min(0.0)
    return entry, torch.maximum(leave, entry)
