"""What light reaches places from all around, as far as pictures showed what is there.

World axes, metres; linear radiance in the scene's scale.
"""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from recon.rendering.march import OPAQUE, MarchOutput
from recon.scene import Scene
from scenes.motion.trajectory import Trajectory

BEAM_RAD = 0.1
"""Angle that a ray stands for which looks for light."""
SUN_RAD = 0.0093
"""Angle that the sun spans."""
SKIN_M = 0.3
"""Rays to the sun start this far off a surface."""
SPREAD, SPREAD_RAD, CELL_M = 12, 0.05, 0.15
"""Directions about the sun's in which what hides it is looked for on somebody's surface; how far
from it they go, which is about how well foliage is known, but not below the horizon; and the size
of what shares a look."""
NEARBY_M = 40.0
"""Where no picture showed what is so far away in a direction, the drive never looked there."""
POSES = 256
"""Of the path, at most, that are looked at."""


def around(
    scene: Scene, origins: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"]
) -> tuple[Float[Tensor, "n 3"], Bool[Tensor, "n"], Float[Tensor, "n"]]:
    """Radiance of what stands, whether it is that or else the sky, and how far away it is [m].

    Cameras that look ahead never see what is behind the place where a drive begins. Along a road it
    is much the same ahead and behind: what a direction that points back shows, and that was never
    looked into, is what is seen ahead in it, mirrored along the path.
    """
    out = scene.render_rays(origins, directions, torch.full((len(origins),), BEAM_RAD))
    linear, range_m = out.linear, out.range_m
    stands = shown_surface(scene, origins, directions, out) | (directions[:, 2] < 0.0)
    ahead = origins + NEARBY_M * directions
    looked = scene.model.support.observed(scene.model.field.block, ahead)
    heading = nearest_pose(scene.clip.ego, origins)[:, :3, 0]
    along = (directions * heading).sum(dim=1, keepdim=True)
    lost = torch.nonzero(~stands & ~looked & (along[:, 0] < 0.0))[:, 0]
    if len(lost):
        start, turned = origins[lost], (directions - 2.0 * along * heading)[lost]
        there = scene.render_rays(start, turned, torch.full((len(lost),), BEAM_RAD))
        shown = shown_surface(scene, start, turned, there)
        linear = linear.index_copy(0, lost, there.linear)
        range_m = range_m.index_copy(0, lost, torch.where(shown, there.range_m, torch.inf))
        stands = stands.index_copy(0, lost, shown)
    return linear, stands, range_m


def nearest_pose(ego: Trajectory, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 4 4"]:
    """`world_from_body` of the path where it is nearest to each point, heights apart."""
    stride = max(1, len(ego.time_us) // POSES)
    poses = torch.from_numpy(ego.world_from_body[::stride]).float()
    return poses[torch.cdist(points[:, :2], poses[:, :2, 3]).argmin(dim=1)]


def sun_share(
    scene: Scene,
    points: Float[Tensor, "n 3"],
    normals: Float[Tensor, "n 3"],
    to_sun: Float[Tensor, "3"] | Float[Tensor, "n 3"],
) -> Float[Tensor, "n"]:
    """Share of the sun's light that what stands leaves for points, as far as pictures showed it."""
    if not len(points):
        return torch.zeros(0)
    start = points + SKIN_M * normals
    towards = to_sun.expand_as(start).contiguous()
    out = scene.render_rays(start, towards, torch.full((len(start),), SUN_RAD))
    return torch.where(shown_surface(scene, start, towards, out), 1.0 - out.opacity, 1.0)


def patches(
    points: Float[Tensor, "n 3"], normals: Float[Tensor, "n 3"]
) -> tuple[Float[Tensor, "p 3"], Float[Tensor, "p 3"], Int64[Tensor, "n"]]:
    """Points that are near to each other, and face alike: their means, unit normals, and whose."""
    face = 2 * normals.abs().argmax(dim=1) + (normals.sum(dim=1) > 0.0)
    key = torch.cat([(points / CELL_M).floor().long(), face[:, None]], dim=1)
    (middle, facing), cell = cell_means(key, points, normals)
    return middle, torch.nn.functional.normalize(facing, dim=1), cell


def cell_means(
    key: Int64[Tensor, "n k"], *values: Float[Tensor, "n 3"]
) -> tuple[list[Float[Tensor, "p 3"]], Int64[Tensor, "n"]]:
    """Means of values over those of the same key, and whose mean is that of each."""
    cells, cell = torch.unique(key, dim=0, return_inverse=True)
    count = torch.bincount(cell, minlength=len(cells))[:, None]
    means = [torch.zeros(len(cells), 3).index_add(0, cell, each) / count for each in values]
    return means, cell


def around_sun(to_sun: Float[Tensor, "3"]) -> Float[Tensor, "spread 3"]:
    """Directions in a cone about the sun's (Fibonacci's spiral on a disc)."""
    index = torch.arange(SPREAD) + 0.5
    reach = to_sun[2].clamp(0.0, SPREAD_RAD)
    away, turn = reach * (index / SPREAD).sqrt(), index * torch.pi * (3.0 - 5.0**0.5)
    least = torch.nn.functional.one_hot(to_sun.abs().argmin(), 3).to(to_sun)
    aside = torch.nn.functional.normalize(torch.linalg.cross(to_sun, least), dim=0)
    across = torch.linalg.cross(to_sun, aside)
    off = (away * turn.cos())[:, None] * aside + (away * turn.sin())[:, None] * across
    return torch.nn.functional.normalize(to_sun + off, dim=1)


def shown_surface(
    scene: Scene, origins: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"], out: MarchOutput
) -> Bool[Tensor, "n"]:
    """Which rays end on a surface that training pictures showed."""
    met = torch.isfinite(out.range_m) & (out.opacity >= OPAQUE)
    points = origins + directions * torch.where(met, out.range_m, 0.0)[:, None]
    support = scene.model.support
    voxel = support.voxels(scene.model.field.block.unit(points))
    return met & (support.hits[voxel] > 0)
