"""How gradients come back from the native engine to where instances are, and to how they look.

The engine adds up, for each ray and instance, the gradients by where the ray starts and points in
the instance's unit cube, and by the latents it saw; PyTorch takes them from there.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from recon.field.field import Instance
from recon.rendering.rays import Rays


def most_latents(instances: Sequence[Instance]) -> int:
    """The most latents that the field of any of them takes."""
    return max((item.field.latents for item in instances), default=0)


def ray_gradients(
    instances: Sequence[Instance], rays: int, wanted: Sequence[bool]
) -> list[Float[Tensor, "..."] | None]:
    """Room for gradients by rays' origins and directions, in the world and in each unit cube.

    Last comes that for the latents which each ray saw. Those of one space come together: either is
    made where one of them is wanted.
    """
    parts, most = len(instances), most_latents(instances)
    shapes = [(rays, 3)] * 2 + [(rays, parts, 3)] * 2 + [(rays, parts, most)]
    needed = [wanted[0] or wanted[1]] * 2 + [wanted[2] or wanted[3]] * 2 + [wanted[4]]
    return [
        torch.zeros(shape) if need else None for shape, need in zip(shapes, needed, strict=True)
    ]


def rays_in_cubes(
    instances: Sequence[Instance], rays: Rays
) -> tuple[Float[Tensor, "rays parts 3"], Float[Tensor, "rays parts 3"]]:
    """Where rays start and point in the unit cube of each instance at their moments."""
    affines = torch.stack([item.unit_from_world for item in instances], 1)
    row = torch.zeros(len(rays), dtype=torch.int64) if rays.moment is None else rays.moment
    affine = affines[row.clamp_min(0)].float()
    starts = torch.einsum("nkij,nj->nki", affine[..., :3], rays.origins_m) + affine[..., 3]
    return starts, torch.einsum("nkij,nj->nki", affine[..., :3], rays.directions)


def latents_of_rays(
    instances: Sequence[Instance], rays: Rays
) -> Float[Tensor, "rays parts latents"]:
    """What each instance is like at the moments of rays, padded with zeros."""
    most = most_latents(instances)
    row = torch.zeros(len(rays), dtype=torch.int64) if rays.moment is None else rays.moment
    found = []
    for item in instances:
        known = item.latent if item.latent is not None else torch.zeros(int(row.max()) + 1, 0)
        seen = known[row.clamp_min(0)]
        found.append(torch.nn.functional.pad(seen, (0, most - seen.shape[1])))
    return torch.stack(found, 1)


def rays_without_gradients(rays: Rays) -> Rays:
    """The same rays; nothing flows back to them."""
    return replace(rays, origins_m=rays.origins_m.detach(), directions=rays.directions.detach())


def instance_gradients(instances: Sequence[Instance], rays: Rays) -> tuple[Tensor, Tensor, Tensor]:
    """What carries gradients back to the maps and latents of the instances."""
    if not any(item.unit_from_world.requires_grad for item in instances):
        starts = along = torch.zeros(0)
    else:
        starts, along = rays_in_cubes(instances, rays)
    latents = [item for item in instances if item.latent is not None]
    if not any(item.latent is not None and item.latent.requires_grad for item in latents):
        return starts, along, torch.zeros(0)
    return starts, along, latents_of_rays(instances, rays)
