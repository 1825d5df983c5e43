"""Drive through a world and record it: camera, lidar, poses and boxes, as a clip on disk.

Everything is exact but what sensors add: pictures are developed, exposed a little differently
from frame to frame (the clip says how much) and compressed; lidar ranges have noise. Beside the
clip lies its truth: who is in every pixel of every frame, and views from off the path.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import starmap
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64

from scenes.camera import Camera
from scenes.clip import Clip, ImageStream, LidarStream
from scenes.clip_files import write_clip
from scenes.folders import Recipe, is_finished, writing
from scenes.geometry import rigid
from scenes.lidar import Lidar
from scenes.worlds.light import Light
from scenes.worlds.mitsuba_door import limit_threads
from scenes.worlds.scanner import scan
from scenes.worlds.tracer import Tracer
from scenes.worlds.truth_files import write_instances, write_view
from scenes.worlds.view import developed, photograph, true_view
from scenes.worlds.world import World, street

FRAME_US = 100_000
"""Between frames, and one turn of the lidar."""
CAMERA_M = (1.5, 0.0, 1.65)
"""Where the camera is, in the ego's frame, looking forward."""
LIDAR_M = (1.2, 0.0, 1.92)
"""Where the lidar is."""
EGO_SIZE_M, EGO_FRONT_M = (4.5, 1.82, 1.5), 3.6

FORWARD = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
"""Rotation `ego_from_camera` of a camera that looks along x."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """What is recorded, and how finely."""

    seed: int = 7
    """Of the world, and of all noise."""
    frames: int = 40
    """Pictures and sweeps, 10 a second; at most 40."""
    width: int = 640
    height: int = 192
    azimuth_steps: int = 180
    """Firings of the lidar's 32 beams in a turn."""
    quality: int = 90
    """Of the JPEG files."""
    view_frames: tuple[int, ...] = (12, 28)
    """Frames at which truth is also kept from off the path ..."""
    view_shifts_m: tuple[float, ...] = (0.0, 1.0, 2.0, 3.0)
    """... with the whole rig this far to the left [m]."""

    def __post_init__(self) -> None:
        if not 1 <= self.frames <= 40:
            raise ValueError(f"a street is known for 1 to 40 frames, got {self.frames}")

    def camera(self) -> Camera:
        """A pinhole camera, 80 degrees wide."""
        focal = 0.596 * self.width
        return Camera(
            width=self.width,
            height=self.height,
            fx=focal,
            fy=focal,
            cx=0.5 * self.width,
            cy=0.5 * self.height,
        )

    def lidar(self) -> Lidar:
        """32 beams from 23 degrees below to 10 above the horizon."""
        return Lidar(
            elevation_rad=tuple(np.deg2rad(np.linspace(-23.0, 10.0, 32)).tolist()),
            azimuth_steps=self.azimuth_steps,
            period_us=FRAME_US,
            max_range_m=90.0,
        )

    def time_us(self) -> Int64[np.ndarray, "frames"]:
        """When each frame is taken [µs]."""
        return FRAME_US * np.arange(self.frames, dtype=np.int64)

    def exposure(self) -> Float64[np.ndarray, "frames"]:
        """How the camera's exposure drifts; the mean of its logarithm is 0."""
        turn = 2.0 * np.pi * np.arange(self.frames) / 40.0
        drift = 0.07 * np.sin(turn + 0.6) + 0.025 * np.sin(3.0 * turn)
        return np.exp(drift - drift.mean())


def ego_from_camera() -> Float64[np.ndarray, "4 4"]:
    """Where the camera is mounted."""
    return rigid(FORWARD, np.array(CAMERA_M))


def ego_from_lidar() -> Float64[np.ndarray, "4 4"]:
    """Where the lidar is mounted."""
    return rigid(np.eye(3), np.array(LIDAR_M))


def camera_pose(world: World, time_us: int, shift_m: float = 0.0) -> Float64[np.ndarray, "4 4"]:
    """`world_from_camera` on the recorded path, or beside it, to the ego's left."""
    shifted = rigid(np.eye(3), np.array([0.0, shift_m, 0.0]))
    return world.ego.at(np.array([time_us]))[0] @ shifted @ ego_from_camera()


def record(recording: Recording, out: Path, workers: int = 1) -> Clip:
    """Write the drive and its truth as a clip's folder; 40 frames take minutes.

    The result does not depend on `workers`. Recording again what `out` holds returns at once.

    Raises:
        OtherlaneError: Mitsuba is not installed, or `out` holds something else.
    """
    recipe = Recipe(kind="clip", inputs={"world": "street"}, config=_config(recording))
    if not is_finished(out, recipe):
        with writing(out, recipe) as folder:
            clip = _clip(recording, folder)
            _work(recording, folder, workers)
            write_clip(clip, folder, folder)
    return Clip.load(out)


def _config(recording: Recording) -> dict[str, object]:
    names = ("seed", "frames", "width", "height", "azimuth_steps", "quality", "view_frames")
    return {name: getattr(recording, name) for name in (*names, "view_shifts_m")}


def _clip(recording: Recording, folder: Path) -> Clip:
    world, time_us = street(recording.seed), recording.time_us()
    return Clip(
        name=f"street-{recording.seed}",
        source="scenes.worlds",
        licence="Apache-2.0",
        ego=world.ego,
        ego_size_m=np.array(EGO_SIZE_M),
        ego_front_m=EGO_FRONT_M,
        cameras=(
            ImageStream(
                name="front",
                camera=recording.camera(),
                ego_from_camera=ego_from_camera(),
                time_us=time_us,
                files=tuple(folder / "front" / f"{i:04d}.jpg" for i in range(recording.frames)),
                exposure=recording.exposure(),
            ),
        ),
        lidars=(
            LidarStream(
                name="top",
                lidar=recording.lidar(),
                ego_from_lidar=ego_from_lidar(),
                time_us=time_us,
                files=tuple(folder / "top" / f"{i:04d}.npz" for i in range(recording.frames)),
            ),
        ),
        actors=tuple(body.actor for body in world.bodies),
        notes=("a procedural street: poses and boxes are exact, truth/ holds more",),
    )


def _work(recording: Recording, folder: Path, workers: int) -> None:
    """All frames and views; each is a task of its own, so any worker may take it."""
    for name in ("front", "top", "truth"):
        (folder / name).mkdir()
    frames = [(frame, None) for frame in range(recording.frames)]
    views = [
        (frame, shift)
        for frame in recording.view_frames
        for shift in recording.view_shifts_m
        if frame < recording.frames
    ]
    tasks = [*frames, *views]
    if workers <= 1:
        light = Light(Tracer(street(recording.seed)))
        _drain(starmap(partial(_task, light, recording, folder), tasks))
        return
    # Neighbouring frames share what light has gathered, so each worker takes a run of them.
    runs = [
        tasks[i * len(tasks) // workers : (i + 1) * len(tasks) // workers] for i in range(workers)
    ]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        _drain(pool.map(partial(_run, recording, folder), runs))


def _drain(results: Iterable[None]) -> None:
    for _ in results:
        pass


def _run(recording: Recording, folder: Path, tasks: list[tuple[int, float | None]]) -> None:
    limit_threads(1)
    light = Light(Tracer(street(recording.seed)))
    _drain(starmap(partial(_task, light, recording, folder), tasks))


def _task(
    light: Light, recording: Recording, folder: Path, frame: int, shift_m: float | None
) -> None:
    step: Callable[..., None] = _frame if shift_m is None else partial(_view, shift_m=shift_m)
    step(light, recording, folder, frame)


def _frame(light: Light, recording: Recording, folder: Path, frame: int) -> None:
    """One picture, its instances, and one sweep."""
    from PIL import Image

    tracer, camera = light.tracer, recording.camera()
    time_us = int(recording.time_us()[frame])
    pose = camera_pose(tracer.world, time_us)
    radiance = photograph(light, camera, pose, time_us, recording.seed)
    picture = developed(radiance, float(recording.exposure()[frame]))
    picture = picture.reshape(camera.height, camera.width, 3)
    name = folder / "front" / f"{frame:04d}.jpg"
    Image.fromarray(picture).save(name, quality=recording.quality, subsampling=0, optimize=True)
    truth = true_view(tracer, camera, pose, time_us)
    write_instances(folder / "truth" / f"instance_{frame:04d}.png", truth.instance)
    sweep = scan(tracer, recording.lidar(), ego_from_lidar(), time_us, seed=recording.seed)
    np.savez_compressed(
        folder / "top" / f"{frame:04d}.npz",
        xyz_m=sweep.xyz_m,
        offset_us=sweep.offset_us,
        intensity=sweep.intensity,
    )


def _view(light: Light, recording: Recording, folder: Path, frame: int, shift_m: float) -> None:
    """Truth from beside the path, at exposure 1."""
    camera, time_us = recording.camera(), int(recording.time_us()[frame])
    pose = camera_pose(light.tracer.world, time_us, shift_m)
    picture = developed(photograph(light, camera, pose, time_us, recording.seed))
    truth = true_view(light.tracer, camera, pose, time_us)
    index = recording.view_shifts_m.index(shift_m)
    index += len(recording.view_shifts_m) * recording.view_frames.index(frame)
    write_view(
        folder / "truth",
        index,
        picture.reshape(camera.height, camera.width, 3),
        truth,
        {"time_us": time_us, "shift_m": shift_m, "world_from_camera": pose.tolist()},
    )
