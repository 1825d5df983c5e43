"""A batch of pictures to render, and how one of them is made.

A task is one picture. It runs on one torch thread, which is part of its definition: sums in
another order are other bits, so the number of threads must not depend on the number of workers.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from render.json_value import Json
from render.labels.gate import LabelGate
from render.labels.table import PIXEL_NAMES
from render.views.view import Frame, RenderableScene, render_view
from scenes.actor import Actor
from scenes.motion.trajectory import Trajectory
from scenes.road.ground import Ground
from scenes.safety.encounters import Ego
from scenes.sensors.camera import Camera
from scenes.sensors.camera_look import NEUTRAL, CameraLook
from scenes.work.short_repr import short_repr


@dataclass(frozen=True, kw_only=True, slots=True)
class Shot:
    """One picture of a batch."""

    key: str
    """Names its files; sorts as the pictures do."""
    time_us: int
    """When the first row is exposed [µs]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RenderJob:
    """Everything that a worker must know; it is pickled to each."""

    load: Callable[[], RenderableScene]
    """Opens the scene; called once by each worker."""
    identity: Mapping[str, Json]
    """What the pictures depend on, as JSON: work kept from a run with another one is discarded."""
    stamp: Mapping[str, Json]
    """What the labels of every picture also say: licence, drive, hashes of the inputs."""
    shots: tuple[Shot, ...]
    stream: int
    """Which of the clip's cameras."""
    camera: Camera
    """Intrinsics of the pictures."""
    world_from_camera: Trajectory
    actors: tuple[Actor, ...]
    """Road users as staged."""
    ground: Ground
    camera_look: CameraLook = NEUTRAL
    """Exposure and white balance of the pictures."""
    ego: Ego | None = None
    """How the ego moves, for labels of safety."""
    seed: int = 0
    """Key of everything random (see `random_of`)."""
    assets: Mapping[int, str] = field(default_factory=dict)
    """Which asset an actor looks like, by id; like itself when left out."""
    gate: LabelGate = LabelGate()
    """What road users must show to be labelled."""
    labels: tuple[str, ...] = PIXEL_NAMES
    """Which pixel labels are stored, by name."""

    __repr__ = short_repr

    def __post_init__(self) -> None:
        keys = [shot.key for shot in self.shots]
        if not keys or len(set(keys)) < len(keys):
            raise ValueError(f"a job needs pictures with different keys, got {keys}")


def random_of(seed: int, key: str) -> np.random.Generator:
    """Random numbers of one task: a function of (seed, key), whoever runs it and when."""
    digest = hashlib.sha256(f"{seed}/{key}".encode()).digest()
    return np.random.Generator(np.random.Philox(int.from_bytes(digest[:16], "little")))


def render_shot(job: RenderJob, scene: RenderableScene, shot: Shot) -> Frame:
    """One picture of the job; the same bits on every run."""
    pose = job.world_from_camera
    with one_thread():
        return render_view(
            scene,
            job.camera,
            pose if job.camera.readout_us else pose.at(np.array([shot.time_us]))[0],
            stream=job.stream,
            time_us=shot.time_us,
            camera_look=job.camera_look,
            actors=job.actors,
            assets=job.assets,
            ground=job.ground,
            ego=job.ego,
            gate=job.gate,
            labels=job.labels,
        )


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Torch on one thread meanwhile."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
