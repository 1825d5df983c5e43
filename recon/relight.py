"""Light on what was put where it was not recorded, and the shadows that it throws.

Somebody who comes from elsewhere brings the light along that it was learnt in. Its radiance is
multiplied by the light that a surface with that normal gets here over the light that it got there,
so what is left of there is its colour and its gloss. Sun and shadows are those of the scene
(`recon.light`).
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from recon.light import cube_on, daylight, headlamp, shade, sunlit, surroundings
from recon.march import MarchOutput
from recon.scene import Scene
from recon.shadow import Box
from recon.staged import Staged

MOST = 16.0
"""Nobody gets more than so many times brighter, or darker."""
BEAM = 0.956, 0.927
"""Cosines to their direction between which the light of headlamps fades."""
LEAST = 0.02
"""Shares of a pixel below this stay as they are."""


@torch.no_grad()
def relit(
    scene: Scene,
    rays: tuple[Tensor, Tensor],
    out: MarchOutput,
    normals: Float[Tensor, "n 3"],
    staged: Staged,
    boxes: Mapping[int, Box],
) -> Float[Tensor, "n 3"]:
    """Radiance of rays, with the light of here on those who come from elsewhere.

    Args:
        scene: Where they are.
        rays: Origins [m] and unit directions.
        out: What the rays meet.
        normals: Of the surfaces there (world); NaN where there is none.
        staged: Who is there.
        boxes: Where they are, by id.
    """
    linear = out.linear
    for k, (number, made) in enumerate(zip(staged.ids, staged.lights, strict=True)):
        share = out.instance_weights[:, k + 1]
        mine = torch.nonzero(share > LEAST)[:, 0]
        if made is None or number not in boxes or not len(mine):
            continue
        towards = rays[1][mine]
        normal = normals[mine].float()
        normal = torch.where(torch.isfinite(normal).all(1, keepdim=True), normal, -towards)
        # on its rim, where others win, it is about where its box is
        away_m = (boxes[number][0][:3, 3] - rays[0][mine]).norm(dim=1)
        wins = out.instance[mine] == k + 1
        normal = torch.where(wins[:, None], normal, -towards)
        away_m = torch.where(wins, out.range_m[mine], away_m)
        points = rays[0][mine] + towards * away_m[:, None]
        factor = _here(scene, points, normal, boxes[number])
        factor = factor + _lamplight(scene, rays[0][mine[:1]], points, normal)
        factor = factor / cube_on(made, normal @ boxes[number][0][:3, :3].to(normal))
        change = 1.0 + share[mine, None] * (factor.clamp(1.0 / MOST, MOST) - 1.0)
        linear = linear.index_copy(0, mine, linear[mine] * change)
    return linear


def _lamplight(
    scene: Scene,
    eye_m: Float[Tensor, "1 3"],
    points: Float[Tensor, "n 3"],
    normals: Float[Tensor, "n 3"],
) -> Float[Tensor, "n 3"]:
    """Irradiance by the headlamps of the car that looks, at night."""
    beam = daylight(scene).beam
    if not bool(beam.any()):
        return beam
    lamp, towards = headlamp(scene.clip, eye_m)
    way = points - lamp
    away_m = way.norm(dim=1, keepdim=True).clamp_min(0.5)
    way = way / away_m
    facing = -(normals * way).sum(dim=1, keepdim=True).clamp_max(0.0)
    inside = (((way @ towards)[:, None] - BEAM[1]) / (BEAM[0] - BEAM[1])).clamp(0.0, 1.0)
    return beam * facing * inside / away_m**2


def _here(
    scene: Scene, points: Float[Tensor, "n 3"], normals: Float[Tensor, "n 3"], box: Box
) -> Float[Tensor, "n 3"]:
    """Irradiance of the surface of somebody in a box."""
    light, turn = daylight(scene), box[0][:3, :3].to(normals)
    found = cube_on(surroundings(scene, *box), normals @ turn)
    if light.to_sun is None:
        return found
    facing = (normals @ light.to_sun).clamp_min(0.0)
    lit = torch.nonzero(facing > 0.0)[:, 0]
    facing[lit] *= sunlit(scene, points[lit], normals[lit], light.to_sun).to(facing)
    return found + facing[:, None] * light.sun


@torch.no_grad()
def shadowed(
    scene: Scene,
    rays: tuple[Tensor, Tensor],
    out: MarchOutput,
    linear: Float[Tensor, "n 3"],
    boxes: Sequence[Box],
) -> Float[Tensor, "n 3"]:
    """Radiance of rays, with the shadows of boxes on the standing ground."""
    if not boxes:
        return linear
    # whoever moves is not the ground
    range_m = torch.where(out.instance > 0, torch.inf, out.range_m)
    return linear * shade(scene, rays[0], rays[1], range_m, boxes)


def baked(scene: Scene, boxes: Sequence[Box]) -> Float[Tensor, "6 3"]:
    """Mean light on somebody's sides as it drove through a scene: what its look has in it."""
    light, found = daylight(scene), []
    for box in boxes:
        cube = surroundings(scene, *box)
        if light.to_sun is not None:
            axes = torch.cat([torch.eye(3), -torch.eye(3)])[[0, 3, 1, 4, 2, 5]]
            sides = axes @ box[0][:3, :3].T.to(axes)
            middle = box[0][:3, 3].to(axes)
            points = middle + 0.5 * (axes * box[1].to(axes)) @ box[0][:3, :3].T.to(axes)
            facing = (sides @ light.to_sun).clamp_min(0.0)
            facing = facing * sunlit(scene, points, sides, light.to_sun).to(facing)
            cube = cube + facing[:, None] * light.sun
        found.append(cube)
    return torch.stack(found).mean(dim=0)
