"""Relighting of moved and inserted actors, and the shadows that they cast.

An asset with materials (`recon.field.material`) is shaded by the light that arrives at its
surfaces. An asset without them holds the radiance of its own capture: each surface's radiance is
multiplied by its irradiance in the scene over its irradiance in the capture, and the specular part
(`recon.lighting.specular`) by the ratio of what the two places reflect. Sun and shadows are those
of the scene (`recon.lighting.light_estimation`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from recon.actors.placement import CapturedLight, PlacedActors
from recon.lighting.box_shadows import Box
from recon.lighting.irradiance import (
    SIDES,
    ambient_cube,
    cube_on,
    direct_sun,
    lamplight,
    shade,
    sun_past,
)
from recon.lighting.light_estimation import incoming
from recon.lighting.light_probes import SKIN_M
from recon.lighting.specular import Sight, sight_of
from recon.lighting.sun_visibility import sun_reaching
from recon.rendering.march import MarchOutput
from recon.rendering.rays import Rays
from recon.scene import Scene

MOST = 16.0
"""Nobody gets more than so many times brighter, or darker."""
UNKNOWN = 1e-6
"""Irradiance that is as good as none: where nothing is known of the light, looks stay."""
WHOLE = 0.95
"""A pixel of which somebody has this share shows nobody else."""
OFF_M = 0.05
"""Somebody's own shadow on a surface is looked for from so far off it [m], and as much as its pixel
is wide, which is how well it is known where it is."""
MATT = 1e-3
"""Surfaces that mirror less than this mirror nothing."""
LEAST = 0.02
"""Smaller shares of a pixel are left in the light that they bring along."""
NEGLIGIBLE = 1e-3
"""Smaller shares of a pixel send back no light."""


@torch.no_grad()
def relit(
    scene: Scene,
    rays: Rays,
    out: MarchOutput,
    normals: Float[Tensor, "n 3"],
    placed: PlacedActors,
    boxes: Mapping[int, Box],
) -> Float[Tensor, "n 3"]:
    """Radiance of rays, with inserted actors lit by the scene.

    Args:
        scene: Where they are.
        rays: Of the world.
        out: What the rays meet.
        normals: Of the surfaces there (world); NaN where there is none.
        placed: Who is there.
        boxes: Where they are, by id.
    """
    linear = out.linear
    for k, (item, made) in enumerate(zip(placed.instances, placed.lights, strict=True)):
        share = out.instance_weights[:, k + 1]
        hits = torch.nonzero(share > (NEGLIGIBLE if made is None else LEAST))[:, 0]
        if item.id not in placed.asset_ids or item.id not in boxes or not len(hits):
            continue
        seen, range_m, normal = _surface(rays, out, normals, placed, k, hits)
        samples = item.samples or scene.config.sampling.instance_samples
        sight = sight_of(item, seen, range_m, normal, samples)
        part = share[hits, None]
        if made is None:
            there = replace(placed, moment=placed.moment[hits])
            more = part * _sent_back(scene, seen, sight, boxes[item.id], there)
        else:
            factor = _factor(scene, seen, sight, normal, made, boxes[item.id])
            # a pixel that it shares with others changes by what it adds
            was = torch.where(part > WHOLE, linear[hits], part * sight.shown)
            more = was * (factor - 1.0)
        linear = linear.index_copy(0, hits, (linear[hits] + more).clamp_min(0.0))
    return linear


def _sent_back(
    scene: Scene, rays: Rays, sight: Sight, box: Box, casters: PlacedActors
) -> Float[Tensor, "n 3"]:
    """Radiance of surfaces that are made of materials, in their own shadow and in others'."""
    material = sight.material
    assert material is not None
    normals = material.normal
    light = material.openness[:, None] * _around(scene, normals, box)
    light += lamplight(scene, rays.origins_m[:1], sight.points_m, normals)
    light += _sun_on(scene, rays, sight, normals, casters)
    facing = -(rays.directions * normals).sum(dim=1)
    mirror = material.mirrored(facing)[:, None]
    found = (1.0 - mirror) * sight.shown * light / torch.pi
    shiny = torch.nonzero(mirror[:, 0] > MATT)[:, 0]
    if len(shiny):
        from_there, _ = _mirrored(scene, rays, sight, normals, shiny)
        found[shiny] += mirror[shiny] * from_there
    return found


def _around(scene: Scene, normals: Float[Tensor, "n 3"], box: Box) -> Float[Tensor, "n 3"]:
    """Irradiance by all that is around somebody but sun and lamps."""
    return cube_on(ambient_cube(scene, *box), normals @ box[0][:3, :3].to(normals))


def _sun_on(
    scene: Scene, rays: Rays, sight: Sight, normals: Float[Tensor, "n 3"], casters: PlacedActors
) -> Float[Tensor, "n 3"]:
    """Irradiance by what the fields of casters leave of the sun."""
    sun = direct_sun(scene, sight.points_m, normals)
    lit = torch.nonzero(sun.sum(dim=1) > 0.0)[:, 0]
    to_sun = scene.light.to_sun
    if len(lit) and to_sun is not None:
        away_m = (sight.points_m[lit] - rays.origins_m[lit]).norm(dim=1)
        off_m = OFF_M + away_m * rays.pixel_angle[lit]
        start = sight.points_m[lit] - off_m[:, None] * rays.directions[lit]
        there = replace(casters, moment=casters.moment[lit])
        sun[lit] *= sun_past(scene, start, to_sun, there)[:, None]
    return sun


def _mirrored(
    scene: Scene,
    rays: Rays,
    sight: Sight,
    normals: Float[Tensor, "n 3"],
    pick: Int64[Tensor, "k"],
) -> tuple[Float[Tensor, "k 3"], Float[Tensor, "k 3"]]:
    """Radiance of what is mirrored in some of the surfaces, and the directions to it."""
    normals, directions = normals[pick], rays.directions[pick]
    turned = directions - 2.0 * (directions * normals).sum(1, keepdim=True) * normals
    linear, _ = incoming(scene, sight.points_m[pick] + SKIN_M * normals, turned)
    return linear, turned


def _surface(
    rays: Rays,
    out: MarchOutput,
    normals: Float[Tensor, "n 3"],
    placed: PlacedActors,
    k: int,
    hits: Int64[Tensor, "hits"],
) -> tuple[Rays, Float[Tensor, "hits"], Float[Tensor, "hits 3"]]:
    """Rays that see something of the k-th, the distance where it is what they show, and normals."""
    seen = Rays(
        origins_m=rays.origins_m[hits],
        directions=rays.directions[hits],
        pixel_angle=rays.pixel_angle[hits],
        moment=placed.moment[hits],
    )
    wins = out.instance[hits] == k + 1
    normal = normals[hits].float()
    known = wins & torch.isfinite(normal).all(dim=1)
    normal = torch.where(known[:, None], normal, -seen.directions)
    return seen, torch.where(wins, out.range_m[hits], torch.inf), normal


def _factor(
    scene: Scene,
    rays: Rays,
    sight: Sight,
    normals: Float[Tensor, "n 3"],
    made: CapturedLight,
    box: Box,
) -> Float[Tensor, "n 3"]:
    """How much brighter surfaces that were made in another light are in the light of here."""
    turn = box[0][:3, :3].to(normals)
    light = direct_sun(scene, sight.points_m, normals) + _around(scene, normals, box)
    light += lamplight(scene, rays.origins_m[:1], sight.points_m, normals)
    factor = _ratio(light, _made(made, normals @ turn))
    specular = sight.specular
    shiny = torch.nonzero((specular > 0.0).any(dim=1))[:, 0]
    if not len(shiny):
        return factor
    here, mirrored = _mirrored(scene, rays, sight, normals, shiny)
    mirror = _ratio(here, cube_on(made.cube, mirrored @ turn) / torch.pi)
    both = factor[shiny] + specular[shiny] * (mirror - factor[shiny])
    return factor.index_copy(0, shiny, both)


def _ratio(here: Float[Tensor, "n 3"], there: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
    return ((here + UNKNOWN) / (there + UNKNOWN)).clamp(1.0 / MOST, MOST)


@torch.no_grad()
def shadowed(
    scene: Scene,
    rays: Rays,
    out: MarchOutput,
    linear: Float[Tensor, "n 3"],
    placed: PlacedActors,
    boxes: Mapping[int, Box],
) -> Float[Tensor, "n 3"]:
    """Radiance of rays, with the shadows on the standing ground of those who have new ones.

    Args:
        scene: Where they are.
        rays: Of the world.
        out: What the rays meet.
        linear: Radiance without the shadows.
        placed: Who is there.
        boxes: Where those are who throw shadows, by id.
    """
    if not boxes:
        return linear
    casters = placed.only(boxes)
    # whoever moves is not the ground
    range_m = torch.where(out.instance > 0, torch.inf, out.range_m)
    ends = rays.origins_m, rays.directions
    return shade(scene, ends, range_m, linear, list(boxes.values()), casters)


@torch.no_grad()
def captured_light(
    scene: Scene, boxes: Sequence[Box], eyes_m: Float[Tensor, "boxes 3"]
) -> CapturedLight:
    """Mean light on somebody as it drove through a scene: what its look has in it.

    Args:
        scene: Where it drove.
        boxes: Where it was at some times.
        eyes_m: Where the camera of the car that looked, and at night lit it, was then.
    """
    light, cubes, suns = scene.light, [], []
    for box, eye in zip(boxes, eyes_m, strict=True):
        turn, middle, size_m = (x.to(SIDES) for x in (box[0][:3, :3], box[0][:3, 3], box[1]))
        sides = SIDES @ turn.T
        points = middle + 0.5 * (SIDES * size_m) @ turn.T
        cubes.append(ambient_cube(scene, *box) + lamplight(scene, eye[None], points, sides))
        if light.shines and light.to_sun is not None:
            facing = sides @ light.to_sun > 0.0
            left = sun_reaching(scene, points[facing], sides[facing])
            suns.append((turn.T @ light.to_sun, left.mean() * light.sun))
    cube = torch.stack(cubes).mean(dim=0)
    if not suns:
        return CapturedLight(cube=cube)
    to_sun, sun = (torch.stack(each).mean(dim=0) for each in zip(*suns, strict=True))
    return CapturedLight(cube=cube, to_sun=to_sun, sun=sun)


def _made(made: CapturedLight, normals: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
    """Irradiance of surfaces, by their normals in the box's frame, when looks were learnt."""
    found = cube_on(made.cube, normals)
    if made.to_sun is None or made.sun is None:
        return found
    return found + (normals @ made.to_sun).clamp_min(0.0)[:, None] * made.sun
