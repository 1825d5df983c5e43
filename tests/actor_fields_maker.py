"""A tiny drive in which a red car overtakes and a red block walks, as its pictures show."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import recon.training.step_native
from recon.config import ActorsConfig, FieldConfig, ReconstructionConfig
from recon.data.training_data import Data
from recon.field.model import actor_grids
from recon.kernels.hash_grid import HashGridSpec
from recon.training.ray_batch import draw_batch
from recon.training.state import Training, new_training
from recon.training.step import StepPlan, torch_step
from scenes.actor import Actor
from scenes.clip import Clip
from scenes.edits.parked_vehicles import for_good
from scenes.motion.geometry import translation
from scenes.motion.trajectory import Trajectory
from scenes.semantics import Semantic
from scenes.sensors.camera import camera_rays
from tests.scene_maker import FRAMES, STEP_US, driving_car, make_drive, tiny_config

RED = np.array([200, 30, 30], dtype=np.uint8)
ACTORS = ActorsConfig(
    field=FieldConfig(
        grid=HashGridSpec(
            levels=3, features=2, log2_table=9, base_resolution=4, per_level_scale=1.6
        ),
        width=16,
        geometry_features=4,
        initial_density=0.3,
    ),
    smallest_px=1.0,
    share=0.5,
    latents=2,
)


def walker(number: int = 9) -> Actor:
    """Somebody who crosses the road."""
    time_us = STEP_US * np.arange(FRAMES + 1)
    place_m = np.outer(time_us * 1e-6, [8.0, 2.0, 0.0]) + [9.0, -3.0, 0.9]
    return Actor(
        id=number,
        kind=Semantic.PERSON,
        size_m=np.array([0.8, 0.8, 1.8]),
        trajectory=Trajectory(time_us=time_us, world_from_body=translation(place_m)),
    )


def crowd_config(**changes: object) -> ReconstructionConfig:
    """`tiny_config` with fields for what moves, on PyTorch."""
    return replace(tiny_config(actors=ACTORS, **changes), backend="torch")


def waiting_car(number: int = 5) -> Actor:
    """A car that stands on the right, and is tracked for part of the drive."""
    place = translation(np.array([[12.0, -2.5, 0.75]] * 2))
    return Actor(
        id=number,
        kind=Semantic.CAR,
        size_m=np.array([4.0, 1.8, 1.5]),
        trajectory=Trajectory(time_us=STEP_US * np.array([1, 4]), world_from_body=place),
    )


def peopled_drive(folder: Path, actors: tuple[Actor, ...] | None = None) -> Clip:
    """A plain with a red car that overtakes and a red block that walks, as the pictures show.

    Or with others; those who stand are in their places for good.
    """
    actors = (driving_car(), walker()) if actors is None else actors
    clip = make_drive(folder, actors=actors, lidar=True)
    images = clip.cameras[0]
    for path, time_us in zip(images.files, images.time_us, strict=True):
        pose = clip.world_from_camera(0, int(time_us))
        starts, along = camera_rays(
            images.camera, images.camera.pixel_centres().reshape(-1, 2), pose
        )
        picture = np.array(Image.open(path)).reshape(-1, 3)
        for actor in for_good(clip.actors, frozenset(a.id for a in actors), clip.ego.time_us):
            picture[meets(starts, along, actor, int(time_us))] = RED
        Image.fromarray(picture.reshape(16, 24, 3)).save(path)
    return clip


def meets(starts: np.ndarray, along: np.ndarray, actor: Actor, time_us: int) -> np.ndarray:
    """Which rays meet the box of somebody who does not turn."""
    pose = actor.at(time_us)
    assert pose is not None
    with np.errstate(divide="ignore"):
        first = (pose[:3, 3] - 0.5 * actor.size_m - starts) / along
        second = (pose[:3, 3] + 0.5 * actor.size_m - starts) / along
    entry, leave = np.minimum(first, second).max(1), np.maximum(first, second).min(1)
    return (leave > entry) & (leave > 0.0)


def stepped(
    clip: Clip,
    data: Data,
    backend: str,
    patch: pytest.MonkeyPatch,
    actors: ActorsConfig = ACTORS,
    seed: int = 5,
) -> Training:
    """A training after one step that moved nothing, with strong tables and all its gradients."""
    sampling = replace(crowd_config().sampling, termination=0.0, colour_threshold=0.0)
    settings = replace(crowd_config(sampling=sampling), backend=backend, actors=actors)
    training = new_training(clip, settings, data)
    with torch.no_grad():
        for field in (training.model.field.static, *actor_grids(training.model)):
            field.table.mul_(2e3)
            field.table.copy_(field.table.half().float())
    training.take_up()
    for group in training.networks.param_groups:
        group["lr"] = 0.0
    random = torch.Generator().manual_seed(seed)
    batch = draw_batch(data, 120, 0.3, random, actors)
    plan = StepPlan(
        growth=0.1, shift=torch.rand(len(batch.rays), generator=random), rate=0.0, support=True
    )
    if backend == "torch":
        torch_step(training, batch, settings, plan)
        return training

    patch.setattr(recon.training.step_native, "tables_to_move", lambda _: [])
    recon.training.step_native.native_step(training, batch, settings, plan)
    assert training.native is not None
    for part, field in zip(training.native.actors, actor_grids(training.model), strict=True):
        field.table.grad = torch.empty_like(field.table)
        layers = [*field.density_layers], [*field.colour_layers]
        part.read_gradients(
            field.table.grad, *([torch.empty_like(weight) for weight in of] for of in layers)
        )
    return training


STANDING = replace(ACTORS, standing_px=1.0)
PARKED_CONFIG = replace(crowd_config(), actors=STANDING)
PARKED = waiting_car()
EDGES_US = np.array([0, 600_000])
"""First and last time of `standing_drive`."""


def standing_drive(folder: Path) -> Clip:
    """Past a car that stands and gets a field, behind one that drives."""
    return peopled_drive(folder, (PARKED, driving_car()))
