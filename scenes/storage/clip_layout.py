"""The layout of a clip on disk: its structure (JSON values) and its numbers (arrays), packed apart.

Files are named as they lie in the drive's folder, wherever that is; those that the importer made
begin with a slash, and lie in the clip's own folder `imported`.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from scenes.actor import Actor
from scenes.clip import Clip, ImageStream, LidarStream, SparsePoints
from scenes.motion.trajectory import Trajectory
from scenes.semantics import Semantic
from scenes.sensors.camera import Camera
from scenes.sensors.lidar import Lidar
from scenes.sensors.lidar_files import NPZ
from scenes.sensors.unlabelled import Unlabelled
from scenes.storage.arrays import made
from scenes.storage.file_names import path_text, text_of


@dataclass(frozen=True, kw_only=True)
class ImageHeader:
    """The part of an `ImageStream` that is not numbers."""

    name: str
    camera: Camera
    files: tuple[str, ...]
    """As they lie in the drive's folder ..."""
    contents: tuple[str, ...]
    """... and what each holds (`scenes.storage.contents`)."""
    mask: str | None
    """The mask's file likewise ..."""
    mask_content: str
    """... and what it holds."""


@dataclass(frozen=True, kw_only=True)
class LidarHeader:
    """The part of a `LidarStream` that is not numbers."""

    name: str
    lidar: Lidar
    files: tuple[str, ...]
    """As they lie in the drive's folder ..."""
    contents: tuple[str, ...]
    """... and what each holds (`scenes.storage.contents`)."""
    reader: str = NPZ
    """Their format (`scenes.sensors.lidar_files`)."""


@dataclass(frozen=True, kw_only=True)
class ActorHeader:
    """The part of an `Actor` that is not numbers."""

    id: int
    kind: str


@dataclass(frozen=True, kw_only=True)
class Header:
    """The part of a clip that is not numbers."""

    version: int
    name: str
    source: str
    licence: str
    ego_front_m: float
    cameras: tuple[ImageHeader, ...]
    lidars: tuple[LidarHeader, ...]
    has_points: bool
    actors: tuple[ActorHeader, ...]
    notes: tuple[str, ...]


UNLABELLED = ("frame_index", "rectangle_px", "world_from_box", "size_m")
"""Arrays of a camera's unlabelled regions."""
VERSION = 3
"""Version of a clip's two files; a clip of another one is refused."""
POINTS = ("position_m", "error_px", "point_index", "frame_index")
"""Arrays of sparse points, beside `stream_index` where they have it."""


def pack(clip: Clip, root: Path | None = None) -> tuple[Header, dict[str, np.ndarray]]:
    """Structure and numbers of a clip; files are named as they lie in `root`, its drive."""
    root = root or drive_of(clip)
    arrays: dict[str, np.ndarray] = {"ego_size_m": clip.ego_size_m}
    arrays |= _pack_trajectory("ego", clip.ego)
    if clip.to_sun is not None:
        arrays["to_sun"] = clip.to_sun
    for i, images in enumerate(clip.cameras):
        arrays[f"camera{i}/time_us"] = images.time_us
        arrays[f"camera{i}/ego_from_camera"] = images.ego_from_camera
        arrays[f"camera{i}/exposure"] = images.exposure
        if images.unlabelled is not None:
            for name in UNLABELLED:
                arrays[f"camera{i}/unlabelled/{name}"] = getattr(images.unlabelled, name)
    for i, sweeps in enumerate(clip.lidars):
        arrays[f"lidar{i}/time_us"] = sweeps.time_us
        arrays[f"lidar{i}/ego_from_lidar"] = sweeps.ego_from_lidar
        if sweeps.turn_us is not None:
            arrays[f"lidar{i}/turn_us"] = sweeps.turn_us
    if clip.points is not None:
        for name in POINTS:
            arrays[f"points/{name}"] = getattr(clip.points, name)
        if clip.points.stream_index is not None:
            arrays["points/stream_index"] = clip.points.stream_index
    for i, actor in enumerate(clip.actors):
        arrays[f"actor{i}/size_m"] = actor.size_m
        arrays |= _pack_trajectory(f"actor{i}", actor.trajectory)
    header = Header(
        version=VERSION,
        name=clip.name,
        source=clip.source,
        licence=clip.licence,
        ego_front_m=clip.ego_front_m,
        cameras=tuple(
            ImageHeader(
                name=s.name,
                camera=s.camera,
                files=_named(s.files, root, clip.imported),
                contents=s.contents,
                mask=_named((s.mask,), root, clip.imported)[0] if s.mask else None,
                mask_content=s.mask_content,
            )
            for s in clip.cameras
        ),
        lidars=tuple(
            LidarHeader(
                name=s.name,
                lidar=s.lidar,
                contents=s.contents,
                reader=s.reader,
                files=_named(s.files, root, clip.imported),
            )
            for s in clip.lidars
        ),
        has_points=clip.points is not None,
        actors=tuple(ActorHeader(id=a.id, kind=a.kind.name) for a in clip.actors),
        notes=clip.notes,
    )
    return header, arrays


def same_clip(clip: Clip, other: Clip) -> bool:
    """Whether two clips consist of the same; contents count where both know them."""
    known = all(stream.contents for each in (clip, other) for stream in _streams(each))
    one, two = (each if known else _without_contents(each) for each in (clip, other))
    (header, arrays), (other_header, other_arrays) = pack(one), pack(two)
    same = arrays.keys() == other_arrays.keys() and header == other_header
    return same and all(
        np.array_equal(values, other_arrays[key], equal_nan=values.dtype.kind == "f")
        for key, values in arrays.items()
    )


def _streams(clip: Clip) -> tuple[ImageStream | LidarStream, ...]:
    return (*clip.cameras, *clip.lidars)


def _without_contents(clip: Clip) -> Clip:
    cameras = tuple(replace(stream, contents=(), mask_content="") for stream in clip.cameras)
    lidars = tuple(replace(stream, contents=()) for stream in clip.lidars)
    return replace(clip, cameras=cameras, lidars=lidars)


def _pack_trajectory(name: str, path: Trajectory) -> dict[str, np.ndarray]:
    return {f"{name}/time_us": path.time_us, f"{name}/world_from_body": path.world_from_body}


def _named(files: tuple[Path, ...], root: Path, imported: Path | None) -> tuple[str, ...]:
    def name(path: Path) -> str:
        if imported is not None and path.is_relative_to(imported):
            return "/" + text_of(path.relative_to(imported))
        return text_of(path.relative_to(root))

    return tuple(name(path.absolute()) for path in files)


def drive_of(clip: Clip) -> Path:
    """The folder in which all files of a clip lie: what it says itself, or the nearest there is."""
    files = [path.absolute() for path in clip.drive_files()]
    if clip.imported is not None:
        files = [path for path in files if not path.is_relative_to(clip.imported)]
        if not files:
            return clip.drive or clip.imported
    if clip.drive is not None and all(path.is_relative_to(clip.drive) for path in files):
        return clip.drive
    return Path(os.path.commonpath([path.parent for path in files]))


def unpack(
    header: Header, arrays: dict[str, np.ndarray], root: Path, imported: Path | None = None
) -> Clip:
    """The inverse of `pack`.

    Args:
        header: Structure.
        arrays: Numbers.
        root: Folder of the drive.
        imported: Folder of what the importer made, if there is any.

    Raises:
        KeyError: The two do not fit.
        ValueError: Likewise, or an array has another type or shape.
    """

    def files(names: tuple[str, ...]) -> tuple[Path, ...]:
        return tuple(
            imported / path_text(name[1:])
            if name.startswith("/") and imported is not None
            else root / path_text(name)
            for name in names
        )

    cameras = tuple(
        made(
            ImageStream,
            name=item.name,
            camera=item.camera,
            files=files(item.files),
            contents=item.contents,
            ego_from_camera=arrays[f"camera{i}/ego_from_camera"],
            time_us=arrays[f"camera{i}/time_us"],
            exposure=arrays[f"camera{i}/exposure"],
            unlabelled=_unpack_unlabelled(i, arrays),
            mask=None if item.mask is None else files((item.mask,))[0],
            mask_content=item.mask_content,
        )
        for i, item in enumerate(header.cameras)
    )
    lidars = tuple(
        made(
            LidarStream,
            name=item.name,
            lidar=item.lidar,
            files=files(item.files),
            contents=item.contents,
            ego_from_lidar=arrays[f"lidar{i}/ego_from_lidar"],
            time_us=arrays[f"lidar{i}/time_us"],
            reader=item.reader,
            turn_us=arrays.get(f"lidar{i}/turn_us"),
        )
        for i, item in enumerate(header.lidars)
    )
    actors = tuple(
        made(
            Actor,
            id=item.id,
            kind=Semantic[item.kind],
            size_m=arrays[f"actor{i}/size_m"],
            trajectory=_unpack_trajectory(f"actor{i}", arrays),
        )
        for i, item in enumerate(header.actors)
    )
    points = {name: arrays[f"points/{name}"] for name in POINTS} if header.has_points else {}
    if points and "points/stream_index" in arrays:
        points["stream_index"] = arrays["points/stream_index"]
    return made(
        Clip,
        name=header.name,
        source=header.source,
        licence=header.licence,
        ego=_unpack_trajectory("ego", arrays),
        ego_size_m=arrays["ego_size_m"],
        ego_front_m=header.ego_front_m,
        cameras=cameras,
        lidars=lidars,
        points=made(SparsePoints, **points) if points else None,
        actors=actors,
        to_sun=arrays.get("to_sun"),
        notes=header.notes,
        drive=root,
        imported=imported,
    )


def _unpack_unlabelled(camera: int, arrays: dict[str, np.ndarray]) -> Unlabelled | None:
    """Clips of drives that do not say hold none of these arrays, and keep their hashes."""
    if f"camera{camera}/unlabelled/{UNLABELLED[0]}" not in arrays:
        return None
    return made(
        Unlabelled, **{name: arrays[f"camera{camera}/unlabelled/{name}"] for name in UNLABELLED}
    )


def _unpack_trajectory(name: str, arrays: dict[str, np.ndarray]) -> Trajectory:
    return made(
        Trajectory,
        time_us=arrays[f"{name}/time_us"],
        world_from_body=arrays[f"{name}/world_from_body"],
    )
