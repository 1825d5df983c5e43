"""Which cameras a job renders, at which sizes, and which pictures these are.

A frame is a moment of the first camera asked for, by its number among that camera's recorded
pictures. Every other camera is rendered when it took its own picture of that moment, as the drive's
cameras need not be triggered together: the one nearest to it, if no other moment is nearer to that,
within the scenario's window. A slower camera, or one that starts later, lacks the other frames. A
picture's key is FRAME.CAMERA (`000012.front`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from recon.data.training_data import scaled_camera
from recon.rendering.shot import Renderer, Shot
from render.folders.selection import parse_frames, sized
from render.jobs.job import Task
from scenes.clip import Clip
from scenes.edits.edited_scene import EditedScene
from scenes.motion.trajectory import Trajectory
from scenes.sensors.camera import Camera


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """One of the clip's cameras, as it is to be rendered."""

    stream: int
    """Which it is among the clip's."""
    name: str
    camera: Camera
    """Intrinsics of the rendered pictures."""


def chosen_streams(clip: Clip, names: Sequence[str], flag: str = "--cameras") -> list[int]:
    """The cameras that are named, in the clip's order; all where none is.

    Raises:
        OtherlaneError: The clip has no camera of such a name.
    """
    if not names:
        return list(range(len(clip.cameras)))
    return sorted({clip.camera_index(name, flag) for name in names})


def chosen_views(
    renderer: Renderer, names: Sequence[str], size: str | None, *, stretch: bool
) -> tuple[View, ...]:
    """The cameras that are named, all where none is, at the size asked for or trained at.

    Args:
        renderer: Whose clip has the cameras.
        names: Of cameras.
        size: Width and height such as 621x188, of pictures of each camera.
        stretch: Whether pictures may be squeezed.

    Raises:
        OtherlaneError: No such camera, or no such size.
    """
    clip, views = renderer.clip, []
    for stream in chosen_streams(clip, names):
        images = clip.cameras[stream]
        if size is None:
            camera = scaled_camera(images.camera, renderer.scale)
        else:
            camera = sized(images.camera, size, stretch=stretch)
        views.append(View(stream=stream, name=images.name, camera=camera))
    return tuple(views)


def planned_tasks(
    renderer: Renderer, edited: EditedScene, views: Sequence[View], frames: str | None
) -> tuple[list[int], tuple[Task, ...]]:
    """Numbers of the frames, and the pictures of all cameras, frame by frame.

    Args:
        renderer: Whose light and clip it is.
        edited: Who is where and when.
        views: Of the cameras.
        frames: Which, as a user writes it (`parse_frames`); all when left out.

    Raises:
        OtherlaneError: The frames cannot be read, or reach beyond the scenario's window.
    """
    clip = renderer.clip
    leading = clip.cameras[views[0].stream].time_us
    window = (leading >= edited.start_us) & (leading <= edited.end_us)
    numbers, tasks = parse_frames(frames, np.flatnonzero(window)), list[Task]()
    for view in views:
        path = edited.ego.mounted(clip.cameras[view.stream].ego_from_camera)
        times = _times_of(clip.cameras[view.stream].time_us, leading, edited)
        shown = [number for number in numbers if number in times]
        for number, following in zip(shown, [*shown[1:], None], strict=True):
            later = None if following is None else times[following]
            shot = _shot(renderer, edited, view, path, times[number], later)
            tasks.append(Task(key=f"{number:06d}.{view.name}", shot=shot))
    return numbers, tuple(sorted(tasks, key=lambda task: task.key))


def _shot(
    renderer: Renderer,
    edited: EditedScene,
    view: View,
    path: Trajectory,
    time_us: int,
    next_time_us: int | None,
) -> Shot:
    still = view.camera.readout_us == 0
    return Shot(
        camera=view.camera,
        stream=view.stream,
        world_from_camera=path.at(np.array([time_us]))[0] if still else path,
        time_us=time_us,
        next_time_us=next_time_us,
        actors=edited.actors,
        assets=dict(edited.assets),
        light=renderer.light,
        camera_look=edited.camera,
    )


def _times_of(
    time_us: Int64[np.ndarray, "n"], leading_us: Int64[np.ndarray, "m"], edited: EditedScene
) -> dict[int, int]:
    """Frame -> when a camera took its picture of it [µs]: the two are nearest to each other."""
    apart = np.abs(time_us[:, None] - leading_us[None, :])
    picture, frame = apart.argmin(axis=0), apart.argmin(axis=1)
    return {
        number: int(time_us[picture[number]])
        for number in range(len(leading_us))
        if frame[picture[number]] == number
        and edited.start_us <= time_us[picture[number]] <= edited.end_us
    }
