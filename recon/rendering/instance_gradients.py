"""How gradients come back from the native engine to where instances are, and to how they look.

The engine adds up, for each ray and instance, the gradients by where the ray starts and points in
the instance's unit cube, and by the latents it saw; PyTorch takes them from there.
"""

from collections.abc import Sequence

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


def placing_gradients(
    instances: Sequence[Instance],
    rays: Rays,
    of_starts: Float[Tensor, "rays parts 3"] | None,
    of_alongs: Float[Tensor, "rays parts 3"] | None,
    of_latents: Float[Tensor, "rays parts latents"] | None,
) -> tuple[list[Tensor], list[Tensor]]:
    """Maps and latents of instances at their moments, and the gradients that `rays` bring back.

    What autograd would make of `rays_in_cubes` and `latents_of_rays`, without all their rows: those
    of one moment are added up at once.
    """
    to, of = list[Tensor](), list[Tensor]()
    row = torch.zeros(len(rays), dtype=torch.int64) if rays.moment is None else rays.moment
    row = row.clamp_min(0)
    if of_starts is not None and of_alongs is not None:
        origins, directions = (
            x.detach()[:, None, None, :] for x in (rays.origins_m, rays.directions)
        )
        turned = of_starts[..., None] * origins + of_alongs[..., None] * directions
        of_maps = torch.cat([turned, of_starts[..., None]], -1)  # [rays, parts, 3, 4]
        to += [item.unit_from_world for item in instances]
        of += _by_moment(instances[0].unit_from_world, row, of_maps).unbind(1)
    if of_latents is not None:
        for k, item in enumerate(instances):
            if item.latent is not None:
                to.append(item.latent)
                of.append(_by_moment(item.latent, row, of_latents[:, k, : item.latent.shape[1]]))
    return to, of


def _by_moment(
    like: Float[Tensor, "moments *n"], row: Tensor, values: Float[Tensor, "rays *m"]
) -> Float[Tensor, "moments *m"]:
    """Sums over the rays of each moment, in the order of rays."""
    return torch.zeros(len(like), *values.shape[1:]).index_add_(0, row, values)


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
