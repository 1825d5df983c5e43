"""Taking a road user out of a scene as an asset: its model, its light, and what was seen of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from recon.actors.actor_fields import GROWN, OBSERVED, support_of
from recon.actors.placement import ActorModel, models_of
from recon.assets.asset_files import write_asset
from recon.lighting.box_shadows import Box
from recon.lighting.relighting import captured_light
from recon.scene import Scene
from scenes.actor import Actor
from scenes.edits.assets import FACES, Asset
from scenes.errors import OtherlaneError

POSES = 8
"""At most, of a path, at which the light on somebody is looked for."""
FACE_RAYS, FACE_STEPS = 24, 96
"""Rays along each side of a face, and looks along each, by which it is found what was seen."""


def extract(scene: Scene, number: int, folder: Path) -> Asset:
    """Save an actor of a scene as an asset.

    Raises:
        OtherlaneError: The scene has no field of that actor.
    """
    actor_fields, actors = (
        scene.model.actor_fields,
        {actor.id: actor for actor in scene.clip.actors},
    )
    if actor_fields is None or number not in actor_fields.ids or scene.config.actors is None:
        known = ", ".join(map(str, actor_fields.ids)) if actor_fields is not None else ""
        wrong = "stands still, or is never seen well: it has no field of its own"
        if number not in actors:
            wrong = "is not in this drive"
        fix = f"one of {known}" if known else "a drive in which somebody moves"
        raise OtherlaneError(f"actor {number}", wrong, fix)
    actor, model = actors[number], models_of(actor_fields)[number]
    latents = scene.config.actors.latents if model.latent is not None else 0
    config = replace(scene.config.actors.field, latents=latents)
    model = replace(model, light=captured_light(scene, *_along(scene, actor)))
    return write_asset(folder, _described(scene, actor, model), model, config)


def _along(scene: Scene, actor: Actor) -> tuple[list[Box], Float[Tensor, "n 3"]]:
    """Its box at some times of its path, and where the camera was then."""
    poses, ego_us = actor.trajectory.world_from_body, scene.clip.ego.time_us
    chosen = np.unique(np.linspace(0, len(poses) - 1, POSES).round().astype(int))
    size_m = torch.from_numpy(np.asarray(actor.size_m)).float()
    times = actor.trajectory.time_us[chosen].clip(ego_us[0], ego_us[-1])
    eyes = [scene.clip.world_from_camera(0, int(each))[:3, 3] for each in times]
    boxes = [(torch.from_numpy(poses[k]).float(), size_m) for k in chosen]
    return boxes, torch.from_numpy(np.stack(eyes)).float()


def _described(scene: Scene, actor: Actor, model: ActorModel) -> Asset:
    return Asset(
        name=f"{scene.clip.name} actor {actor.id}",
        kind=actor.kind,
        size_m=tuple(float(side) for side in actor.size_m),
        synthetic=False,
        faces_seen=faces_seen(model, tuple(actor.size_m)),
        licence=scene.clip.licence,
    )


@torch.no_grad()
def faces_seen(model: ActorModel, size_m: tuple[float, ...]) -> tuple[float, ...]:
    """Share of each of `scenes.edits.assets.FACES` that training pictures showed.

    Of what parallel rays straight onto the face meet; 0 where they meet nothing.
    """
    found = []
    for face in range(len(FACES)):
        surface = _onto_face(model, face, GROWN[face // 2] * size_m[face // 2])
        hits = model.hits
        known = hits is None or (support_of(hits, surface) == OBSERVED).float().mean()
        found.append(float(known) if len(surface) else 0.0)
    return tuple(found)


def _onto_face(model: ActorModel, face: int, way_m: float) -> Tensor:
    """Where parallel rays onto a face first meet something solid; float `n 3`, unit cube.

    `way_m` is how long the way through the box is.
    """
    axis, from_far_side = (0, 0, 1, 1, 2, 2)[face], face % 2 == 0  # front is the far side of x
    ends = (torch.arange(FACE_RAYS) + 0.5) / FACE_RAYS
    depth = (torch.arange(FACE_STEPS) + 0.5) / FACE_STEPS
    depth = depth.flip(0) if from_far_side else depth
    grid = torch.stack(torch.meshgrid(ends, ends, depth, indexing="ij"), -1).flatten(0, 1)
    order = {0: [2, 0, 1], 1: [0, 2, 1], 2: [0, 1, 2]}[axis]
    unit = grid[..., order].to(model.field.table.device)
    latent = None
    if model.latent is not None:
        latent = model.latent[:1].expand(unit[..., 0].numel(), -1)
    density = model.field.density(unit.flatten(0, 1), None, latent)[0].view(unit.shape[:2])
    passed = torch.exp(-density.cumsum(1) * way_m / FACE_STEPS)
    solid = passed[:, -1] < 0.5
    first = (passed < 0.5).float().argmax(1)
    return unit[torch.arange(len(unit), device=unit.device), first][solid]
