"""What rays see of somebody's surface: what of it is its own colour, and what it only mirrors.

A field of materials knows (`recon.field.material`). Any other knows radiance by direction. Paint
and panes mirror least straight on (4 % of the light) and most at a grazing angle (Fresnel), so the
least of what a place shows, as it is looked at and as one looks at it straight on, is its own
colour; what it shows beyond that, it mirrors.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from recon.field.field import Instance
from recon.field.material import Material
from recon.kernels.compositing import median_distance, render_weights
from recon.rendering.ray_samples import at_moments, cross_unit_cube, instance_part
from recon.rendering.rays import FOOTPRINT_STD, Rays

DULL = 0.1
"""A share of less is not told from none."""
DARK = 0.25
"""Of a channel that is darker than this share of the others little is known."""
ABOUT, BEHIND_M = (-1, 0, 1, 2), 30.0
"""Steps of a march, from the one that has the surface, whose materials are looked at; and further
than any box is long."""
EDGE_ON = 1e-3
"""Cosine to the way to the eye of what is seen edge on."""
STEEPEST = 0.78
"""Sine of the elevation above which nobody was looked at when its look was learnt."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Sight:
    """The surface of one road user, as rays see it."""

    points_m: Float[Tensor, "n 3"]
    """Where it is, in the world."""
    shown: Float[Tensor, "n 3"]
    """Radiance; albedo where there is a material."""
    specular: Float[Tensor, "n 3"]
    """Share of the radiance that is mirrored; 0 where there is a material."""
    material: Material | None = None
    """What fields of materials are made of; its normals are the world's here, towards the eye."""


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
    place = _Place(item, rays, points)
    if item.field.has_material:
        return _made_of(place, samples)
    _, geometry = item.field.density(place.unit.clamp(0.0, 1.0), None, place.latent)
    shown, straight = (
        item.field.radiance(geometry, place.turned(way)).cpu()
        for way in (rays.directions, _straight_on(rays.directions, normals))
    )
    return Sight(points_m=points, shown=shown, specular=_gloss(shown, straight))


class _Place:
    """Points on somebody's surface that rays see, in the frame of its field, on its device."""

    def __init__(self, item: Instance, rays: Rays, points_m: Float[Tensor, "n 3"]) -> None:
        self.field, self.rays, self.points_m = item.field, _on_device(item, rays), points_m
        affine, self.latent = at_moments(item, self.rays)
        self.linear = affine[..., :3]
        points = points_m.to(self.linear.device)
        self.unit = torch.einsum("nij,nj->ni", self.linear, points) + affine[..., 3]
        self.scale = self.linear.norm(dim=2)
        """Units per metre along each axis of the box."""
        self.turn = self.linear / self.scale[..., None].clamp_min(1e-12)
        """Rotations from the world to the frame of the box."""

    def turned(self, directions: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """Unit vectors of the world in the frame of the box."""
        return torch.einsum("nij,nj->ni", self.turn, directions.to(self.turn.device))

    def normals(self, of_box: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """The world's unit normals of some in the frame of the box.

        A surface that is seen does not face away: where its mean normal does, it is bent edge on.
        """
        normal = torch.einsum("nji,nj->ni", self.turn, of_box)
        along = (normal * self.rays.directions).sum(dim=1, keepdim=True)
        away = torch.where(along > 0.0, along + EDGE_ON, 0.0)
        return torch.nn.functional.normalize(normal - away * self.rays.directions, dim=1).cpu()

    def footprint(self) -> Float[Tensor, "n"]:
        """Standard deviations of the rays' pixels there, in the unit cube."""
        away_m = (self.points_m.to(self.scale.device) - self.rays.origins_m).norm(dim=1)
        width = away_m * self.rays.pixel_angle * FOOTPRINT_STD
        return width * self.scale.prod(1) ** (1.0 / 3.0)


def _made_of(place: _Place, samples: int) -> Sight:
    """Means over the steps of a march about a surface, as much of each as it adds to a pixel."""
    field, rays = place.field, place.rays
    along = torch.einsum("nij,nj->ni", place.linear, rays.directions)
    enter_m, leave_m = cross_unit_cube(place.unit - along * BEHIND_M, along)
    length_m = (leave_m - enter_m) / samples
    at = (BEHIND_M - enter_m).div(length_m.clamp_min(1e-9)).floor()
    footprint, towards = place.footprint(), place.turned(rays.directions)
    densities, colours, materials = [], [], []
    for step in ABOUT:
        middle_m = enter_m - BEHIND_M + (at + step + 0.5) * length_m
        unit = (place.unit + along * middle_m[:, None]).clamp(0.0, 1.0)
        density, geometry = field.density(unit, footprint, place.latent)
        densities.append(density)
        colours.append(field.radiance(geometry, towards))
        materials.append(field.material(geometry, towards))
    density = torch.stack(densities, dim=1)
    weights = render_weights(density, length_m[:, None].expand_as(density)) + 1e-9
    weights = weights / weights.sum(dim=1, keepdim=True)

    def mean(values: list[Tensor]) -> Tensor:
        return torch.einsum("ns,sn...->n...", weights, torch.stack(values))

    material = Material(
        mirror=mean([each.mirror for each in materials]).cpu(),
        openness=mean([each.openness for each in materials]).cpu(),
        normal=place.normals(mean([each.normal for each in materials])),
    )
    shown = mean(colours).cpu()
    nothing = torch.zeros_like(shown)
    return Sight(points_m=place.points_m, shown=shown, specular=nothing, material=material)


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
    """How far away the surface is that rays meet of somebody who stands alone [m]."""
    part = instance_part(item, _on_device(item, rays), samples)
    weight = render_weights(part.density, part.far_m - part.near_m)
    half = (0.5 * weight.sum(dim=1)).clamp(1e-6, 1.0 - 1e-6)
    found = median_distance(weight, part.near_m, part.far_m, half)
    return torch.where(torch.isfinite(found), found, part.far_m[:, -1]).cpu()


def _on_device(item: Instance, rays: Rays) -> Rays:
    """Rays where somebody's field is."""
    device = item.unit_from_world.device
    return Rays(
        origins_m=rays.origins_m.to(device),
        directions=rays.directions.to(device),
        pixel_angle=rays.pixel_angle.to(device),
        moment=None if rays.moment is None else rays.moment.to(device),
    )
