"""Fills `observation` when a training ends: a coarse look from each training picture."""

import numpy as np
import torch

from recon.data.opened import hidden_pixels
from recon.data.training_data import masked_pixels, pixel_angle
from recon.scene import Scene
from recon.training.observation import COARSER, Eye, eyes
from scenes.sensors.camera import camera_rays


@torch.no_grad()
def observe(scene: Scene) -> None:
    """Render the distance of what each kept training picture shows, road users included."""
    seen = scene.model.observation
    for eye in eyes(seen, scene.clip):
        _look(scene, eye)


def _look(scene: Scene, eye: Eye) -> None:
    clip, seen = scene.clip, scene.model.observation
    camera, frame = seen.cameras[eye.stream], int(seen.frames[eye.stream][eye.place])
    time_us = int(clip.cameras[eye.stream].time_us[frame]) + camera.readout_us // 2
    centres = camera.pixel_centres().reshape(-1, 2)
    starts, along = camera_rays(camera, centres, eye.world_from_camera)
    placed = scene.placed(clip.actors, torch.full((len(centres),), time_us))
    out = scene.render_rays(
        torch.from_numpy(starts).float(),
        torch.from_numpy(along).float(),
        torch.from_numpy(pixel_angle(camera)).float(),
        placed,
    )
    hidden = masked_pixels(
        clip, eye.stream, frame, COARSER * scene.config.scale, tuple(scene.actor_models)
    )
    hidden |= hidden_pixels(clip.cameras[eye.stream], frame, camera)
    range_m = out.range_m.view(camera.height, camera.width)
    seen.keep(eye.stream, eye.place, torch.where(torch.from_numpy(hidden), np.nan, range_m))
