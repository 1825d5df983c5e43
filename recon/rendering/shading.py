"""Light on, and shadows of, road users that are not where, or not what, they were recorded."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from recon.actors.placement import PlacedActors
from recon.lighting.box_shadows import Box
from recon.lighting.relighting import relit, shadowed
from recon.rendering.march import MarchOutput
from recon.rendering.rays import Rays
from recon.rendering.shot import Shot
from recon.scene import Scene


def shaded(
    scene: Scene,
    shot: Shot,
    rays: Rays,
    out: MarchOutput,
    placed: PlacedActors,
    normals: Callable[[], Float[Tensor, "n 3"]],
) -> Float[Tensor, "n 3"]:
    """Radiance of rays, with light on, and shadows of, those who are not where they were recorded.

    The shadow of who drives as recorded is in the fields already. Those without a model throw none.

    Args:
        scene: Under the light of the shot.
        shot: Who is where.
        rays: Of the shot.
        out: What they meet.
        placed: The models of road users, as these rays meet them.
        normals: Gives those of what rays meet (world), NaN where there is none, where needed.
    """
    there = _boxes(shot, placed)
    recorded = {actor.id: actor for actor in scene.clip.actors}
    moved = [
        actor.id
        for actor in shot.actors
        if actor.id in there and (recorded.get(actor.id) != actor or actor.id in placed.asset_ids)
    ]
    if not moved:
        return out.linear
    linear = relit(scene, rays, out, normals(), placed, there)
    return shadowed(scene, rays, out, linear, placed, {number: there[number] for number in moved})


def _boxes(shot: Shot, placed: PlacedActors) -> dict[int, Box]:
    """Boxes of those who are there, by id.

    Who appears or goes while a picture is exposed is where it first or last was.
    """
    found = {}
    for actor in shot.actors:
        if actor.id in placed.ids:
            known_us = actor.trajectory.time_us[[0, -1]]
            pose = actor.trajectory.at(np.clip([shot.time_us], *known_us))[0]
            size_m = torch.from_numpy(np.asarray(actor.size_m)).float()
            found[actor.id] = torch.from_numpy(pose).float(), size_m
    return found
