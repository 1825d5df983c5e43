"""How much of the sun reaches the surface of somebody who was put into a scene.

What stands between it and the sun hides it, as far as pictures showed that. But leaves are known to
half a metre at best, and a field of them is a wall. The road knows better: where the way from the
sun through a place goes on to road that was seen, with nobody in between, whatever hides the sun
from the one hides it from the other. So that road says by its own light how much gets through.
World axes, metres.
"""

from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from recon.data.occluded_ground import between
from recon.lighting.daylight import hemisphere
from recon.lighting.light_estimation import LOWEST, ROAD_ALBEDO, incoming, on_road
from recon.lighting.light_probes import SUN_RAD, around_sun, cell_means, patches, sun_share
from recon.scene import Scene

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
    light = scene.light
    assert light.to_sun is not None
    middle, facing, patch = patches(points, normals)
    about = around_sun(light.to_sun)
    start, towards = middle.repeat(len(about), 1), about.repeat_interleave(len(middle), 0)
    left = sun_share(scene, start, facing.repeat(len(about), 1), towards)
    # as `recon.lighting.light_estimation` found how strong it is
    sun = float(light.sun.mean() * light.to_sun[2].clamp_min(LOWEST))
    if sun <= STRONG * float(light.on_level().mean()):
        return left.view(len(about), -1).mean(dim=0)[patch]
    told, is_told = _told_by_road(scene, start, towards, sun)
    by_ray = (each.view(len(about), -1) for each in (left, told, is_told))
    return _believed(*by_ray)[patch]


def _believed(
    left: Float[Tensor, "rays n"], told: Float[Tensor, "rays n"], is_told: Bool[Tensor, "rays n"]
) -> Float[Tensor, "n"]:
    """Mean shares by what stands in the way, as far as the road does not contradict it.

    A contradiction of `UNSURE` is none, that of all the room there is, is believed as it is.
    """
    count = is_told.sum(dim=0)
    stands, road = ((each * is_told).sum(dim=0) / count.clamp_min(1) for each in (left, told))
    off = road - stands
    room = torch.where(off > 0.0, 1.0 - stands, stands)
    share = ((off.abs() - UNSURE) / (room - UNSURE).clamp_min(1e-6)).clamp(0.0, 1.0)
    more = off.sign() * room * torch.where(room > UNSURE, share, 0.0)
    return left.mean(dim=0) + more * count / len(left)


def _told_by_road(
    scene: Scene, points: Float[Tensor, "n 3"], towards: Float[Tensor, "n 3"], sun: float
) -> tuple[Float[Tensor, "n"], Bool[Tensor, "n"]]:
    """Share of the sun, in the road beyond each point; and whether there is road that says so.

    `sun` is the irradiance of level ground by all of it.
    """
    away, back_m = -towards, scene.config.sampling.near_m
    # a march sees nothing that is nearer than that
    out = scene.render_rays(points + back_m * towards, away, torch.full((len(points),), SUN_RAD))
    out = replace(out, range_m=out.range_m - back_m)
    road = points + away * torch.where(torch.isfinite(out.range_m), out.range_m, 0.0)[:, None]
    told = on_road(road, out, scene.clip.ego) & scene.observed(road)
    asked = torch.nonzero(told)[:, 0]
    for actor in scene.standing:  # when it is taken away, its shadow stays on the road
        told[asked] &= ~between(actor, points[asked], road[asked])
    share = torch.zeros(len(points))
    level = torch.pi * out.linear[told].mean(dim=1) / ROAD_ALBEDO
    share[told] = ((level - _around_road(scene, road[told])) / sun).clamp(0.0, 1.0)
    return share, told


def _around_road(scene: Scene, road: Float[Tensor, "n 3"]) -> Float[Tensor, "n"]:
    """Irradiance of road by everything but the sun, over channels."""
    if not len(road):
        return torch.zeros(0)
    (middle,), cell = cell_means((road[:, :2] / LOOK_M).floor().long(), road)
    middle[:, 2] += OVER_M
    up = hemisphere(LOOKS).repeat(len(middle), 1)
    linear, _ = incoming(scene, middle.repeat_interleave(LOOKS, 0), up)
    return torch.pi * linear.view(len(middle), LOOKS, 3).mean(dim=(1, 2))[cell]
