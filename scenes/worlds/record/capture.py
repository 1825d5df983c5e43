"""The single steps of a recording: pictures, sweeps, views from off the path, each written whole.

A file is written aside and renamed, so what is there is whole and is not made again.
"""

import os
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from scenes.worlds.light.light import Light
from scenes.worlds.record.recording import Recording, camera_pose, ego_from_lidar
from scenes.worlds.record.rigs import Mount
from scenes.worlds.trace.scanner import scan
from scenes.worlds.trace.sensors import taken
from scenes.worlds.trace.tracer import Tracer
from scenes.worlds.trace.view import developed, photograph, true_view
from scenes.worlds.truth.truth_files import write_instances, write_view

PART = ".part"
"""Folder, inside of each folder of files, of those that are not whole yet."""


@lru_cache(maxsize=1)
def lit_world(recording: Recording) -> Light:
    """The lit world, built once in each process."""
    return Light(Tracer(recording.world()))


def take(recording: Recording, folder: Path, task: tuple[int, float | None]) -> None:
    """Do what is not there yet of a frame, or of a view so far to the left of it."""
    frame, shift_m = task
    if shift_m is not None:
        _view(recording, folder, frame, shift_m)
        return
    for index, mount in enumerate(recording.mounts()):
        if not (folder / mount.name / f"{frame:04d}.jpg").is_file():
            _picture(recording, folder, frame, index, mount)
    sweep_file = folder / "top" / f"{frame:04d}.npz"
    if not sweep_file.is_file():
        tracer, time_us = lit_world(recording).tracer, int(recording.time_us()[frame])
        sweep = scan(tracer, recording.lidar(), ego_from_lidar(), time_us, seed=recording.seed)
        with _aside(sweep_file).open("wb") as file:
            np.savez_compressed(
                file, xyz_m=sweep.xyz_m, offset_us=sweep.offset_us, intensity=sweep.intensity
            )
        os.replace(_aside(sweep_file), sweep_file)


def _aside(path: Path) -> Path:
    """Where a file is written before it is whole; frames are never taken twice at once."""
    return path.parent / PART / path.name


def _picture(recording: Recording, folder: Path, frame: int, index: int, mount: Mount) -> None:
    """One picture and its instances; the picture comes last and says that both are whole."""
    from PIL import Image

    light, camera = lit_world(recording), mount.camera
    time_us = int(recording.time_us()[frame])
    path = light.tracer.world.ego.mounted(mount.ego_from_camera)
    pose = path if camera.readout_us else path.at(np.array([time_us]))[0]
    truth = true_view(light.tracer, camera, pose, time_us)
    ids = f"instance_{frame:04d}.png" if index == 0 else f"instance_{mount.name}_{frame:04d}.png"
    write_instances(_aside(folder / "truth" / ids), truth.instance)
    os.replace(_aside(folder / "truth" / ids), folder / "truth" / ids)
    radiance = photograph(light, camera, pose, time_us, recording.seed + 1000 * index)
    gains = recording.sensor.white_balance(recording.frames, recording.seed, index)[frame]
    picture = taken(
        radiance.reshape(camera.height, camera.width, 3),
        recording.sensor,
        float(recording.exposure(index)[frame]),
        gains,
        np.random.default_rng([recording.seed, frame, index, 91]),
    )
    file = folder / mount.name / f"{frame:04d}.jpg"
    image = Image.fromarray(picture)
    image.save(_aside(file), quality=recording.quality, subsampling=0, optimize=True)
    os.replace(_aside(file), file)


def _view(recording: Recording, folder: Path, frame: int, shift_m: float) -> None:
    """Truth from beside the path, at exposure 1; its page comes last."""
    index = recording.view_shifts_m.index(shift_m)
    index += len(recording.view_shifts_m) * recording.view_frames.index(frame)
    truth_folder = folder / "truth"
    if (truth_folder / f"view_{index}.json").is_file():
        return
    light, camera = lit_world(recording), replace(recording.camera(), readout_us=0)
    time_us = int(recording.time_us()[frame])
    pose = camera_pose(light.tracer.world, time_us, shift_m)
    picture = developed(photograph(light, camera, pose, time_us, recording.seed))
    truth = true_view(light.tracer, camera, pose, time_us)
    picture = picture.reshape(camera.height, camera.width, 3)
    about = {"time_us": time_us, "shift_m": shift_m, "world_from_camera": pose.tolist()}
    write_view(truth_folder / PART, index, picture, truth, about)
    for file in sorted((truth_folder / PART).glob(f"view_{index}[._]*"), reverse=True):
        os.replace(file, truth_folder / file.name)
