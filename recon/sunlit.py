"""How much of the sun reaches the surface of somebody who was put into a scene.

What stands between it and the sun hides it, as far as pictures showed that. But leaves are known to
half a metre at best, and a field of them is a wall. The road knows better: where the way from the
sun through a place goes on to road that was recorded, whatever is above the place threw its shadow
there. So that road says by its own light how much of the sun gets through. World axes, metres.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from recon.light import ROAD_ALBEDO, coming, daylight, on_road
from recon.scene import Scene
from recon.sightlines import SUN_RAD, around_sun, patches, sun_share
from recon.sky import hemisphere

TOLD = 0.25
"""Where at least this share of the rays about the sun's direction ends on road, road is asked."""
UNSURE = 0.15
"""Road that differs by less from what is in the way does not contradict it: some is darker or
brighter than the rest."""
STRONG = 1.0
"""Times the sky's light on level ground that the sun's must be there: a fainter one shows less than
roads differ."""
LOOKS, LOOK_M, OVER_M = 96, 2.0, 0.1
"""Directions from which light comes to road from all but the sun, the size [m] of a patch of road
that shares it, and how far over it they begin."""


def sun_reaching(
    scene: Scene, points: Float[Tensor, "n 3"], normals: Float[Tensor, "n 3"]
) -> Float[Tensor, "n"]:
    """Share of the sun's light, as far as edges of shadows are known: a mean about its direction.

    Args:
        scene: Where there is a sun (`Daylight.shines`).
        points: Of somebody's surface [m].
        normals: Unit normals there.
    """
    if not len(points):
        return torch.zeros(0)
    to_sun = daylight(scene).to_sun
    assert to_sun is not None
    middle, facing, patch = patches(points, normals)
    about = around_sun(to_sun)
    start, towards = middle.repeat(len(about), 1), about.repeat_interleave(len(middle), 0)
    left = sun_share(scene, start, facing.repeat(len(about), 1), towards)
    told, is_told = _told_by_road(scene, start, towards)
    count = is_told.view(len(about), -1).sum(dim=0)
    share = left.view(len(about), -1).mean(dim=0)
    off = (told * is_told).view(len(about), -1).sum(dim=0) / count.clamp_min(1) - share
    more = off.sign() * (off.abs() - UNSURE).clamp_min(0.0) / (1.0 - UNSURE)
    return (share + torch.where(count >= TOLD * len(about), more, 0.0))[patch]


def _told_by_road(
    scene: Scene, points: Float[Tensor, "n 3"], towards: Float[Tensor, "n 3"]
) -> tuple[Float[Tensor, "n"], Bool[Tensor, "n"]]:
    """Share of the sun, in the road beyond each point; and whether there is road."""
    light = daylight(scene)
    assert light.to_sun is not None
    away = -towards
    out = scene.render_rays(points, away, torch.full((len(points),), SUN_RAD))
    road = points + away * torch.where(torch.isfinite(out.range_m), out.range_m, 0.0)[:, None]
    sun = float(light.sun.mean() * light.to_sun[2])
    told = on_road(road, out, scene.clip.ego) & (sun > STRONG * float(light.on_level().mean()))
    share = torch.zeros(len(points))
    level = torch.pi * out.linear[told].mean(dim=1) / ROAD_ALBEDO
    share[told] = ((level - _around_road(scene, road[told])) / sun).clamp(0.0, 1.0)
    return share, told


def _around_road(scene: Scene, road: Float[Tensor, "n 3"]) -> Float[Tensor, "n"]:
    """Irradiance of road by everything but the sun, over channels."""
    if not len(road):
        return torch.zeros(0)
    cells, cell = torch.unique((road[:, :2] / LOOK_M).floor().long(), dim=0, return_inverse=True)
    count = torch.bincount(cell, minlength=len(cells))[:, None]
    middle = torch.zeros(len(cells), 3).index_add(0, cell, road) / count
    middle[:, 2] += OVER_M
    up = hemisphere(LOOKS).repeat(len(cells), 1)
    linear, _ = coming(scene, middle.repeat_interleave(LOOKS, 0), up)
    return torch.pi * linear.view(len(cells), LOOKS, 3).mean(dim=(1, 2))[cell]
