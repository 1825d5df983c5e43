"""Light at a place: on the faces of a box, and on the ground around boxes that stand there.

What comes to a place is what the field shows in every direction from there; where no picture
looked, the sky of `recon.lighting.light_estimation` goes on. World axes, metres; linear radiance in
the scene's scale.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from recon.actors.placement import PlacedActors
from recon.lighting.box_shadows import Box, box_shadows
from recon.lighting.daylight import hemisphere
from recon.lighting.light_estimation import (
    INSIDE,
    ROAD_ALBEDO,
    SUNLIT,
    beam_way,
    incoming,
)
from recon.lighting.light_probes import SUN_RAD, sun_share
from recon.lighting.sun_visibility import sun_reaching
from recon.scene import Scene

Cube = Float[Tensor, "6 3"]
"""Irradiance of surfaces that face along the axes of a box, +x, -x, +y, -y, +z, -z, by channel.
Others have theirs in between, by the squares of their normals (an "ambient cube", McTaggart 2004,
"Half-Life 2 / Valve Source Shading")."""
SIDES = torch.eye(3).repeat_interleave(2, dim=0) * torch.tensor([1.0, -1.0] * 3)[:, None]
"""Outward normals of the faces of a box, in the order of a `Cube`."""
IN_SHADOW = 0.45
"""Ground darker than this share of a sunny road is taken to be in a shadow already."""
PER_FACE = 96
"""Directions in which light is looked for from each face of a box."""


def face_rays(
    world_from_box: Float[Tensor, "4 4"], size_m: Float[Tensor, "3"]
) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n 3"]]:
    """Rays that look for light from the middle of each face of a box: origins, directions."""
    turn, middle = world_from_box[:3, :3].float(), world_from_box[:3, 3].float()
    ends = 0.5 * size_m.float() * SIDES
    along = torch.cat([hemisphere(PER_FACE, k // 2, 1.0 - 2.0 * (k % 2)) for k in range(6)])
    return ends.repeat_interleave(PER_FACE, 0) @ turn.T + middle, along @ turn.T


def irradiance_of_faces(radiance: Float[Tensor, "n 3"]) -> Cube:
    """Light on the faces of a box by the radiance that `face_rays` find."""
    return torch.pi * radiance.view(6, PER_FACE, 3).mean(dim=1)


def cube_on(cube: Cube, normals: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
    """Irradiance of surfaces with these unit normals (in the box's frame)."""
    square = normals**2
    ahead = torch.where(normals > 0.0, square, 0.0) @ cube[0::2]
    return ahead + torch.where(normals > 0.0, 0.0, square) @ cube[1::2]


def ambient_cube(
    scene: Scene, world_from_box: Float[Tensor, "4 4"], size_m: Float[Tensor, "3"]
) -> Cube:
    """Light that comes to each face of a box from everything but the sun itself.

    The ground around is in the shadow of whoever fills the box.
    """
    origins, directions = face_rays(world_from_box, size_m)
    # the ground under a box is looked for from its middle, straight down: from so near as its
    # underside is to it, a march would begin beyond it
    origins[-PER_FACE:] = world_from_box[:3, 3].to(origins)
    directions[-PER_FACE:] = -world_from_box[:3, 2].to(directions)
    rays = origins, directions
    linear, range_m = incoming(scene, *rays)
    return irradiance_of_faces(shade(scene, rays, range_m, linear, [(world_from_box, size_m)]))


def lamplight(
    scene: Scene,
    eye_m: Float[Tensor, "1 3"],
    points: Float[Tensor, "n 3"],
    normals: Float[Tensor, "n 3"],
) -> Float[Tensor, "n 3"]:
    """Irradiance by the headlamps of the car that looks, at night."""
    beam = scene.light.beam
    if not bool(beam.any()):
        return torch.zeros_like(points)
    way_m, cosine = beam_way(scene.clip, eye_m, points)
    away_m = way_m.norm(dim=1, keepdim=True).clamp_min(0.5)
    facing = -(way_m / away_m * normals).sum(dim=1, keepdim=True).clamp_max(0.0)
    inside = ((cosine[:, None] - INSIDE[1]) / (INSIDE[0] - INSIDE[1])).clamp(0.0, 1.0)
    return beam * facing * inside / away_m**2


def direct_sun(
    scene: Scene, points: Float[Tensor, "n 3"], normals: Float[Tensor, "n 3"]
) -> Float[Tensor, "n 3"]:
    """Irradiance of surfaces by the sun itself."""
    light = scene.light
    if not light.shines:
        return torch.zeros_like(points)
    assert light.to_sun is not None
    facing = (normals @ light.to_sun).clamp_min(0.0)
    lit = torch.nonzero(facing > 0.0)[:, 0]
    facing[lit] *= sun_reaching(scene, points[lit], normals[lit]).to(facing)
    return facing[:, None] * light.sun


def shade(
    scene: Scene,
    rays: tuple[Float[Tensor, "n 3"], Float[Tensor, "n 3"]],
    range_m: Float[Tensor, "n"],
    linear: Float[Tensor, "n 3"],
    boxes: Sequence[Box],
    casters: PlacedActors | None = None,
) -> Float[Tensor, "n 3"]:
    """Radiance of the ground that rays meet, with the shadows of boxes that stand there.

    Args:
        scene: Where they stand.
        rays: Origins [m] and unit directions.
        range_m: Of the ground; inf where rays meet something else.
        linear: Radiance without the boxes.
        boxes: Who throws shadows.
        casters: Fields of the same, at the rays' times: the sun's shadows have their shapes, not
            those of boxes.
    """
    light = scene.light
    origins, directions = rays
    open_sky, hidden, further_m = box_shadows(origins, directions, range_m, boxes, light.to_sun)
    factor = open_sky[:, None].expand(-1, 3).clone()
    if not light.shines:
        return linear * factor
    assert light.to_sun is not None
    # what is as dark as a shadow is in one, whoever throws it
    level = light.in_the_open * ROAD_ALBEDO / torch.pi
    bright = linear.mean(dim=1) > IN_SHADOW * level.mean()
    near = torch.nonzero(bright & ((open_sky < 1.0) | hidden))[:, 0]
    points = origins[near] + directions[near] * range_m[near, None]
    up = torch.tensor([0.0, 0.0, 1.0]).expand_as(points)
    open_to_sun = sun_share(scene, points, up, light.to_sun) > SUNLIT
    near, points = near[open_to_sun], points[open_to_sun]
    sun = (~hidden[near]).to(linear)
    behind = hidden[near]
    if casters is not None and bool(behind.any()):
        there = replace(casters, moment=casters.moment[near[behind]])
        moved = points[behind] + directions[near[behind]] * further_m[near[behind], None]
        sun[behind] = sun_past(scene, moved, light.to_sun, there)
    left = light.left_in_shadow
    factor[near] = left * factor[near] + (1.0 - left) * sun[:, None]
    return linear * factor


def sun_past(
    scene: Scene, points: Float[Tensor, "n 3"], to_sun: Float[Tensor, "3"], casters: PlacedActors
) -> Float[Tensor, "n"]:
    """Share of the sun that fields of casters leave for points."""
    towards = to_sun.expand_as(points).contiguous()
    out = scene.render_rays(points, towards, torch.full((len(points),), SUN_RAD), casters)
    return 1.0 - out.instance_weights[:, 1:].sum(dim=1)
