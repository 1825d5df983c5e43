"""The light that is found in reconstructed drives, against that of their worlds.

    python -m benchmarks.found_light PROVE_OUT

PROVE_OUT is what `otherlane prove` wrote with the axis `actor-inserted`. For each inserted road
user the world is traced again: what irradiance the sun, and everything else around, brings to the
surfaces of it that one sees. Beside that stands what is found from the recording alone
(`recon.lighting.light_estimation`, `recon.lighting.irradiance`), over the truth: 1 is right. Worlds
with a sun only.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from jaxtyping import Float64
from torch import Tensor

from recon.data.training_data import scaled_camera
from recon.lighting.irradiance import ambient_cube, cube_on, direct_sun
from recon.scene import Scene, load_scene
from render.prove.regions import cast_of
from render.prove.run import WORLDS
from render.prove.scoring import exposure_ev
from render.prove.stages import SCENE, SCORES, TRUTH
from render.prove.target import Target, target_of
from scenes.road.ground import Ground, fit_ground
from scenes.sensors.camera import camera_rays
from scenes.worlds.light.light import Light
from scenes.worlds.light.sky import sun_irradiance
from scenes.worlds.light.sunshine import sunlight
from scenes.worlds.models.world import World
from scenes.worlds.recipes import RECIPES
from scenes.worlds.trace.tracer import Tracer
from scenes.worlds.truth.perturbed_actors import edited_world
from scenes.worlds.truth.truth import read_truth

AXIS = "actor-inserted"
SIDES = {"rear": (-1.0, 0.0, 0.0), "left": (0.0, 1.0, 0.0), "right": (0.0, -1.0, 0.0),
         "top": (0.0, 0.0, 1.0)}  # fmt: skip
FACES, LEAST = 0.8, 20
"""A surface is on a side whose normal it has to this cosine; fewer pixels of it say nothing."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Surfaces:
    """Places of one inserted road user that a picture shows, and their true light."""

    points_m: Float64[np.ndarray, "n 3"]
    normals: Float64[np.ndarray, "n 3"]
    sun: Float64[np.ndarray, "n 3"]
    """Irradiance."""
    around: Float64[np.ndarray, "n 3"]


def true_light(world: World, target: Target, number: int) -> Surfaces:
    """Trace what one sees of the road user of that id."""
    light = Light(Tracer(edited_world(world, target.edits)))
    pixels = target.camera.pixel_centres().reshape(-1, 2)
    time_us = target.time_us
    origins, directions = camera_rays(target.camera, pixels, target.world_from_camera, time_us)
    when = np.full(len(pixels), time_us)
    mine, hits = light.tracer.cast_on(number, origins, directions, when)
    points = origins[mine] + directions[mine] * hits.range_m[:, None]
    _, around = light.finish(hits)
    sun = sunlight(light.tracer, hits.face, hits.normal, points, when[mine])
    return Surfaces(points_m=points, normals=hits.normal, sun=sun, around=around)


def rows(name: str, scene: Scene, ground: Ground, world: World, target: Target) -> list[str]:
    """Lines of the table for one view."""
    cast = cast_of(target, scene.clip, ground)
    gain = 2.0 ** exposure_ev(scene, target.time_us)
    gain *= float(scene.model.photometry.gain_at(0, target.time_us).detach().mean())
    found_sun = float(scene.light.sun.mean()) * gain
    true_sun = float(sun_irradiance(world.lighting).mean())
    lines = []
    for actor in (each for each in cast.actors if each.id in cast.changed):
        pose = actor.at(target.time_us)
        assert pose is not None
        seen = true_light(world, target, actor.id)
        turn, size_m = torch.from_numpy(pose).float(), torch.from_numpy(actor.size_m).float()
        points, normals = (torch.from_numpy(x).float() for x in (seen.points_m, seen.normals))
        facing = normals @ turn[:3, :3]
        around = cube_on(ambient_cube(scene, turn, size_m), facing)
        sun = direct_sun(scene, points, normals)
        for side, axis in SIDES.items():
            here = facing @ torch.tensor(axis) > FACES
            if int(here.sum()) < LEAST:
                continue
            pairs = (around, seen.around), (sun, seen.sun)
            cells = [_over(gain * x[here], torch.from_numpy(y)[here]) for x, y in pairs]
            lines.append(
                f"| {name} | {found_sun / true_sun:.2f} | {side} | {cells[0]} | {cells[1]} |"
            )
    return lines


def _over(found: Tensor, true: Tensor) -> str:
    """Mean light over the true one; a dash where there is none."""
    mean = float(true.mean())
    return "-" if mean < 1e-3 else f"{float(found.mean()) / mean:.2f}"


def main(out: Path, /) -> None:
    """Print a table.

    Args:
        out: Folder of `otherlane prove`.
    """
    torch.set_num_threads(1)
    print("found over true\n\n| world | sun | side | around | sun on it |\n|---|---|---|---|---|")
    for folder in sorted((out / WORLDS).iterdir()):
        if not (folder / SCORES / AXIS).is_dir():
            continue  # it was not finished, or there was no room for anybody
        recipe, seed = folder.name.rsplit("-", 1)
        world, views = RECIPES[recipe](int(seed)), read_truth(folder / TRUTH)
        if not sun_irradiance(world.lighting).any():
            continue
        scene = load_scene(folder / SCENE)
        ground = fit_ground(scene.clip)
        for view in (each for each in views if each.axis == AXIS):
            camera = view.camera or scene.clip.cameras[0].camera
            target = target_of(view, scaled_camera(camera, scene.config.scale))
            for line in rows(folder.name, scene, ground, world, target):
                print(line, flush=True)


if __name__ == "__main__":
    tyro.cli(main)
