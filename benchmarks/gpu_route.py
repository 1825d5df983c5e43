"""One backend on a CUDA device: what `benchmarks/gpu.py` runs in a process of its own.

    python -m benchmarks.gpu_route NAME FILE [--goal-s 300]

Writes what it found into FILE, anew after each part, so that a crash loses no earlier part. With
`--goal-s` it measures the seconds to 25 dB instead, within so many seconds.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

import recon.training.loop
from benchmarks.gpu_kernels import Route, parity, routes, settle, speed
from recon.config import ReconstructionConfig
from recon.data.holdout import select_frames
from recon.data.training_data import Data, camera_trajectory, load_data
from recon.evaluation.evaluate import compare
from recon.evaluation.metrics import affine_fit, psnr_db
from recon.kernels.backend import Backend
from recon.recipes import recipe
from recon.scene import Scene
from recon.training.loop import train_step
from recon.training.state import Training, new_training
from recon.training.step import torch_step
from scenes.clip import Clip
from scenes.sensors.camera import camera_rays
from scenes.storage.clip_files import load_clip
from scenes.worlds.record.sample import sample_path

GOAL_DB = 25.0
SCHEDULES_S = (15.0, 30.0, 60.0, 120.0)
"""Trainings of these lengths, each with its own schedule, until one reaches the goal."""
WARM_STEPS, TIMED_S = 40, 8.0
SAMPLES_PER_STEP = 2**18


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """One line of the training table."""

    steps_per_s: float
    rays_per_s: float
    samples_per_s: float
    render_rays_per_s: float


def drive() -> tuple[Clip, ReconstructionConfig, Data]:
    """The clip that DRIVES names, at full size, or the packaged one; steps that fill a GPU."""
    folder = os.environ.get("DRIVES")
    clip = load_clip(Path(folder) if folder else sample_path())
    config = recipe("standard", clip)
    config = replace(
        config,
        backend=str(Backend.TRITON),
        scale=1.0 if folder else config.scale,
        samples_per_step=SAMPLES_PER_STEP,
    )
    return clip, config, load_data(clip, config)


def training_for(route: Route, clip: Clip, config: ReconstructionConfig, data: Data) -> Training:
    """A new training that computes with the functions of `route`."""
    assert route.functions is not None
    training = new_training(clip, config, data)
    field = training.model.field
    for module in (field, field.static, field.sky):
        module.primitives = route.functions
    return training


def scene_of(training: Training, clip: Clip, config: ReconstructionConfig) -> Scene:
    """What was trained, to be rendered."""
    training.model.photometry.cpu()
    training.model.support.cpu()
    return Scene(clip=clip, config=config, model=training.model, backend=Backend.TRITON)


def training_speed(route: Route, clip: Clip, config: ReconstructionConfig, data: Data) -> Found:
    """Steps a second once the kernels are compiled, and rays rendered a second afterwards."""
    training = training_for(route, clip, config, data)
    data = data.to(training.model.field.device)
    counted: list[int] = []

    def step_counted(*given: object) -> tuple[dict[str, float], int]:
        losses, samples = torch_step(*given)  # pyright: ignore[reportArgumentType]
        counted.append(samples)
        return losses, samples

    recon.training.loop.torch_step = step_counted
    try:
        for step in range(WARM_STEPS):
            train_step(training, data, config, step)
        settle()
        counted.clear()
        began, steps, rays = time.perf_counter(), 0, 0
        while time.perf_counter() - began < TIMED_S:
            rays += training.rays
            train_step(training, data, config, WARM_STEPS + steps)
            steps += 1
        settle()
        seconds = time.perf_counter() - began
    finally:
        recon.training.loop.torch_step = torch_step
    return Found(
        steps_per_s=steps / seconds,
        rays_per_s=rays / seconds,
        samples_per_s=sum(counted) / seconds,
        render_rays_per_s=rendering_speed(scene_of(training, clip, config)),
    )


def rendering_speed(scene: Scene) -> float:
    """Rays a second of a whole picture of the first camera, copies to the CPU included."""
    images = scene.clip.cameras[0]
    origins, directions = camera_rays(
        images.camera,
        images.camera.pixel_centres().reshape(-1, 2),
        camera_trajectory(scene.clip, 0),
        int(images.time_us[0]),
    )
    rays = torch.from_numpy(origins).float(), torch.from_numpy(directions).float()
    angle = torch.full((len(origins),), 1.0 / images.camera.fx)
    scene.render_rays(*rays, angle)
    began = time.perf_counter()
    scene.render_rays(*rays, angle)
    return len(origins) / (time.perf_counter() - began)


def quality_db(scene: Scene) -> float:
    """Mean PSNR after an affine colour fit of held-out pictures within the training's span."""
    scores = []
    for stream in range(len(scene.clip.cameras)):
        trained, held = select_frames(scene.clip, scene.config, stream)
        for frame in held[(held > trained.min()) & (held < trained.max())]:
            shown = compare(scene, stream, int(frame))
            triple = shown.render, shown.photo, shown.counts
            scores.append(psnr_db(affine_fit(*triple), shown.photo, shown.counts))
    return float(np.mean(scores))


def seconds_to_goal(
    route: Route, clip: Clip, data: Data, config: ReconstructionConfig, until: float
) -> Iterator[dict[str, float]]:
    """Schedules of growing length while there is time, until one reaches `GOAL_DB`."""
    probe = training_speed(route, clip, config, data)
    for wanted in SCHEDULES_S:
        if time.perf_counter() + 1.6 * wanted > until:
            return
        config = replace(config, steps=max(1, int(wanted * probe.steps_per_s)))
        training = training_for(route, clip, config, data)
        data = data.to(training.model.field.device)
        began = time.perf_counter()
        for step in range(config.steps):
            train_step(training, data, config, step)
        settle()
        seconds = time.perf_counter() - began
        reached = quality_db(scene_of(training, clip, config))
        yield {"seconds": seconds, "steps": config.steps, "psnr_affine_db": reached}
        if reached >= GOAL_DB:
            return


def measure(name: str, file: Path, goal_s: float | None = None) -> None:
    """Measure the backend called `name`."""
    until = time.perf_counter() + (goal_s or 0.0)
    route = next(route for route in routes() if route.name == name)
    found: dict[str, object] = {}

    def keep(**more: object) -> None:
        found.update(more)
        file.write_text(json.dumps(found, indent=1), encoding="utf-8")

    if goal_s is None:
        keep(parity=parity(route))
        keep(speed=speed(route))
        clip, config, data = drive()
        keep(training=asdict(training_speed(route, clip, config, data)), clip=clip.name)
    else:
        clip, config, data = drive()
        reached: list[dict[str, float]] = []
        for line in seconds_to_goal(route, clip, data, config, until):
            reached.append(line)
            keep(goal=reached)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name")
    parser.add_argument("file", type=Path)
    parser.add_argument("--goal-s", type=float)
    asked = parser.parse_args()
    measure(asked.name, asked.file, asked.goal_s)
