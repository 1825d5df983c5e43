"""What of somebody's look is its own colour, and what it only mirrors.

A field knows radiance by direction. Paint and panes mirror least straight on (4 % of the light) and
most at a grazing angle (Fresnel), so the least of what a place shows, as it is looked at and as one
looks at it straight on, is its own colour; what it shows beyond that, it mirrors.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from recon.field import Instance
from recon.kernels.compositing import transmittance
from recon.parts import instance_part
from recon.rays import Rays

DULL = 0.1
"""A share of less is not told from none."""
DARK = 0.25
"""Of a channel that is darker than this share of the others little is known."""
STEEPEST = 0.78
"""Sine of the elevation above which nobody was looked at when its look was learnt."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Sight:
    """Radiance of the surface of one road user, as rays see it."""

    points_m: Float[Tensor, "n 3"]
    """Where it is, in the world."""
    shown: Float[Tensor, "n 3"]
    gloss: Float[Tensor, "n 3"]
    """Share of it that is mirrored."""


@torch.no_grad()
def sight_of(
    item: Instance,
    rays: Rays,
    range_m: Float[Tensor, "n"],
    normals: Float[Tensor, "n 3"],
    samples: int,
) -> Sight:
    """What rays see of somebody.

    Args:
        item: Who it is.
        rays: That meet its box.
        range_m: Distance of its surface [m]; inf where it is not the first that a ray meets.
        normals: Of the surface; unit vectors in the world.
        samples: Into how many steps a ray is cut where its surface is looked for.
    """
    behind = torch.nonzero(~torch.isfinite(range_m))[:, 0]
    if len(behind):
        range_m = range_m.index_copy(0, behind, _own_range(item, rays[behind], samples))
    points = rays.origins_m + rays.directions * range_m[:, None]
    device = item.unit_from_world.device
    moment = torch.zeros(len(points), dtype=torch.int64) if rays.moment is None else rays.moment
    affine = item.unit_from_world[moment.to(device)]
    linear = affine[..., :3]
    unit = torch.einsum("nij,nj->ni", linear, points.to(device)) + affine[..., 3]
    latent = None if item.latent is None else item.latent[moment.to(device)]
    _, geometry = item.field.density(unit.clamp(0.0, 1.0), None, latent)
    turn = linear / linear.norm(dim=2, keepdim=True).clamp_min(1e-12)
    shown, straight = (
        item.field.radiance(geometry, torch.einsum("nij,nj->ni", turn, way.to(device))).cpu()
        for way in (rays.directions, _straight_on(rays.directions, normals))
    )
    return Sight(points_m=points, shown=shown, gloss=_gloss(shown, straight))


def _gloss(shown: Float[Tensor, "n 3"], straight: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
    most = torch.maximum(shown, DARK * shown.mean(dim=1, keepdim=True)).clamp_min(1e-6)
    return ((shown - straight) / most - DULL).clamp_min(0.0)


def _straight_on(
    directions: Float[Tensor, "n 3"], normals: Float[Tensor, "n 3"]
) -> Float[Tensor, "n 3"]:
    """How one looks at surfaces straight on; at roofs, as steeply as anybody ever did."""
    flat = -directions[:, :2]
    flat = flat / flat.norm(dim=1, keepdim=True).clamp_min(1e-6) * (1.0 - STEEPEST**2) ** 0.5
    steep = torch.cat([flat, torch.full_like(flat[:, :1], STEEPEST)], dim=1)
    return -torch.where(normals[:, 2:] > STEEPEST, steep, normals)


def _own_range(item: Instance, rays: Rays, samples: int) -> Float[Tensor, "n"]:
    """Mean distance of what rays meet of somebody who stands alone [m]."""
    device = item.unit_from_world.device
    there = Rays(
        origins_m=rays.origins_m.to(device),
        directions=rays.directions.to(device),
        pixel_angle=rays.pixel_angle.to(device),
        moment=None if rays.moment is None else rays.moment.to(device),
    )
    part = instance_part(item, there, samples)
    length = part.far_m - part.near_m
    weight = transmittance(part.density, length) * (1.0 - torch.exp(-part.density * length))
    weight = weight + 1e-9
    middle = 0.5 * (part.near_m + part.far_m)
    return ((weight * middle).sum(dim=1) / weight.sum(dim=1)).cpu()
