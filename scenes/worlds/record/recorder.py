"""Drive through a world and record it: cameras, lidar, poses and boxes, as a clip on disk.

Everything is exact but what sensors add: pictures are developed, exposed a little differently
from frame to frame (the clip says how much) and compressed; lidar ranges have noise. Beside the
clip lies its truth: who is in every pixel of every frame, and views from off the path.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from scenes.clip import Clip, ImageStream, LidarStream
from scenes.storage.clip_files import load_clip, write_clip
from scenes.storage.files import write_whole
from scenes.storage.folders import is_finished, writing
from scenes.storage.manifests import Provenance
from scenes.work.phases import counted
from scenes.worlds.record.capture import PART, lit_world, take
from scenes.worlds.record.recording import (
    FRAME_US,
    Recording,
    camera_pose,
    ego_from_camera,
    ego_from_lidar,
)
from scenes.worlds.trace.workers import working

__all__ = [
    "FRAME_US",
    "Recording",
    "camera_pose",
    "ego_from_camera",
    "ego_from_lidar",
    "record",
]

EGO_SIZE_M, EGO_FRONT_M = (4.5, 1.82, 1.5), 3.6
_RECIPE = "recipe.json"
NEWS = "tracing the recording"


def record(recording: Recording, out: Path, workers: int = 1) -> Clip:
    """Write the drive and its truth as a clip's folder; 40 frames take minutes.

    The result does not depend on `workers`. Recording again what `out` holds returns at once, and
    a recording that was cut short goes on where it stopped. Progress goes to standard error.

    Raises:
        OtherlaneError: Mitsuba is not installed, there is no such recipe or rig, or `out` holds
            something else.
    """
    config = asdict(recording)
    del config["recipe"]
    provenance = Provenance(kind="clip", inputs={"world": recording.recipe}, config=config)
    if not is_finished(out, provenance):
        with writing(out, provenance, resumable=partial(_is_mine, recording)) as folder:
            clip = _clip(recording, folder)
            _prepare(recording, folder)
            _work(recording, folder, workers)
            write_clip(clip, folder, folder)
            (folder / _RECIPE).unlink()
    return load_clip(out)


def _is_mine(recording: Recording, folder: Path) -> bool:
    """What is left of another recording cannot be gone on with."""
    page = folder / _RECIPE
    return page.is_file() and page.read_text() == _page(recording)


def _page(recording: Recording) -> str:
    return json.dumps(asdict(recording), sort_keys=True)


def _prepare(recording: Recording, folder: Path) -> None:
    write_whole(folder / _RECIPE, _page(recording).encode())
    for name in (*(mount.name for mount in recording.mounts()), "top", "truth"):
        shutil.rmtree(folder / name / PART, ignore_errors=True)
        (folder / name / PART).mkdir(parents=True)


def _clip(recording: Recording, folder: Path) -> Clip:
    world, time_us = recording.world(), recording.time_us()

    def files(name: str, kind: str) -> tuple[Path, ...]:
        return tuple(folder / name / f"{i:04d}.{kind}" for i in range(recording.frames))

    return Clip(
        name=f"{recording.recipe}-{recording.seed}",
        to_sun=world.lighting.sun_above,
        source="scenes.worlds",
        licence="Apache-2.0",
        ego=world.ego,
        ego_size_m=np.array(EGO_SIZE_M),
        ego_front_m=EGO_FRONT_M,
        cameras=tuple(
            ImageStream(
                name=mount.name,
                camera=mount.camera,
                ego_from_camera=mount.ego_from_camera,
                time_us=time_us,
                files=files(mount.name, "jpg"),
                exposure=recording.exposure(index),
            )
            for index, mount in enumerate(recording.mounts())
        ),
        lidars=(
            LidarStream(
                name="top",
                lidar=recording.lidar(),
                ego_from_lidar=ego_from_lidar(),
                time_us=time_us,
                files=files("top", "npz"),
            ),
        ),
        actors=tuple(body.actor for body in world.bodies),
        notes=("a procedural street: poses and boxes are exact, truth/ holds more",),
    )


def _work(recording: Recording, folder: Path, workers: int) -> None:
    """All frames and views; each is a task of its own, so any worker may take it."""
    shifts, known = recording.view_shifts_m, range(recording.frames)
    views = [(f, s) for f in recording.view_frames for s in shifts if f in known]
    tasks: list[tuple[int, float | None]] = [*((frame, None) for frame in known), *views]
    run = partial(take, recording, folder)
    if workers <= 1:
        _drain(counted(map(run, tasks), NEWS, len(tasks), "pictures"))
        lit_world.cache_clear()
    else:
        with working(workers) as pool:
            # Neighbouring frames share what light has gathered, so workers take runs of them.
            run_length = max(len(tasks) // (3 * workers), 1)
            done = pool.map(run, tasks, chunksize=run_length)
            _drain(counted(done, NEWS, len(tasks), "pictures"))
    for part in folder.rglob(PART):
        part.rmdir()


def _drain(results: Iterator[None]) -> None:
    for _ in results:
        pass
