"""A job of pictures to render, and how one of them is made.

A task is one picture. It runs on one torch thread, which is part of its definition: sums in
another order are other bits, so the number of threads must not depend on the number of workers.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch

from recon.rendering.shot import Renderer, Shot
from render.json_value import Json
from render.labels.gate import LabelGate
from render.labels.table import PIXEL_NAMES
from render.views.frame import Frame, render_frame
from scenes.road.ground import Ground
from scenes.safety.encounters import Ego
from scenes.work.short_repr import short_repr


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Task:
    """One picture of a job."""

    key: str
    """Names its files: MOMENT.CAMERA (`000012.front`)."""
    shot: Shot

    __repr__ = short_repr


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RenderJob:
    """Everything that a worker must know; it is pickled to each."""

    load: Callable[[], Renderer]
    """Opens the scene; called once by each worker."""
    identity: Mapping[str, Json]
    """What the pictures depend on, as JSON: work kept from a run with another one is discarded."""
    stamp: Mapping[str, Json]
    """What the labels of every picture also say: licence, drive, hashes of the inputs."""
    tasks: tuple[Task, ...]
    ground: Ground
    ego: Ego | None = None
    """How the ego moves, for labels of safety."""
    gate: LabelGate = LabelGate()
    """What road users must show to be labelled."""
    labels: tuple[str, ...] = PIXEL_NAMES
    """Which pixel labels are stored, by name."""

    __repr__ = short_repr

    def __post_init__(self) -> None:
        keys = [task.key for task in self.tasks]
        if not keys or len(set(keys)) < len(keys):
            raise ValueError(f"a job needs pictures with different keys, got {keys}")


def render_task(job: RenderJob, renderer: Renderer, task: Task) -> Frame:
    """One picture of the job; the same bits on every run."""
    with one_thread():
        return render_frame(
            renderer, task.shot, ground=job.ground, ego=job.ego, gate=job.gate, labels=job.labels
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
