"""A tiny drive in which a red car overtakes and a red block walks, as its pictures show."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from recon.config import ActorsConfig, FieldConfig, ReconstructionConfig
from recon.kernels.hash_grid import HashGridSpec
from scenes.actor import Actor
from scenes.camera import camera_rays
from scenes.clip import Clip
from scenes.geometry import translation
from scenes.semantics import Semantic
from scenes.trajectory import Trajectory
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


def peopled_drive(folder: Path) -> Clip:
    """A plain on which a red car overtakes and a red block walks, as the pictures show."""
    clip = make_drive(folder, actors=(driving_car(), walker()), lidar=True)
    images = clip.cameras[0]
    for path, time_us in zip(images.files, images.time_us, strict=True):
        pose = clip.world_from_camera(0, int(time_us))
        starts, along = camera_rays(
            images.camera, images.camera.pixel_centres().reshape(-1, 2), pose
        )
        picture = np.array(Image.open(path)).reshape(-1, 3)
        for actor in clip.actors:
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
