"""Clips on disk: clip.json (structure, checked against its types), arrays.npz (numbers).

Pictures and sweeps are named as they lie in the drive's folder, and by what they hold: a clip is
the same wherever its drive lies. `drive.json` beside says where that is on this machine; where it
is missing, the pictures lie in the clip's own folder.
"""

import hashlib
import io
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from scenes.actor import Actor
from scenes.camera import Camera
from scenes.clip import DAMAGE, Clip, ImageStream, LidarStream, SparsePoints
from scenes.contents import contents_of
from scenes.errors import OtherlaneError
from scenes.files import json_bytes, read_own, write_json, write_whole
from scenes.folders import is_finished, writing
from scenes.lidar import Lidar
from scenes.manifests import DRIVE, Finished, Recipe, finished, parsed
from scenes.semantics import Semantic
from scenes.trajectory import Trajectory
from scenes.unlabelled import Unlabelled

HEADER, ARRAYS = "clip.json", "arrays.npz"


@dataclass(frozen=True, kw_only=True)
class ImageHeader:
    """The part of an `ImageStream` that is not numbers."""

    name: str
    camera: Camera
    files: tuple[str, ...]
    """As they lie in the drive's folder ..."""
    contents: tuple[str, ...]
    """... and what each holds (`scenes.contents`)."""


@dataclass(frozen=True, kw_only=True)
class LidarHeader:
    """The part of a `LidarStream` that is not numbers."""

    name: str
    lidar: Lidar
    files: tuple[str, ...]
    """As they lie in the drive's folder ..."""
    contents: tuple[str, ...]
    """... and what each holds (`scenes.contents`)."""


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
VERSION = 2
"""Version of a clip's two files; a clip of another one is refused."""


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
    if clip.points is not None:
        for name in ("position_m", "error_px", "point_index", "frame_index"):
            arrays[f"points/{name}"] = getattr(clip.points, name)
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
                name=s.name, camera=s.camera, files=_named(s.files, root), contents=s.contents
            )
            for s in clip.cameras
        ),
        lidars=tuple(
            LidarHeader(
                name=s.name, lidar=s.lidar, files=_named(s.files, root), contents=s.contents
            )
            for s in clip.lidars
        ),
        has_points=clip.points is not None,
        actors=tuple(ActorHeader(id=a.id, kind=a.kind.name) for a in clip.actors),
        notes=clip.notes,
    )
    return header, arrays


def _pack_trajectory(name: str, path: Trajectory) -> dict[str, np.ndarray]:
    return {f"{name}/time_us": path.time_us, f"{name}/world_from_body": path.world_from_body}


def _named(files: tuple[Path, ...], root: Path) -> tuple[str, ...]:
    return tuple(path.absolute().relative_to(root).as_posix() for path in files)


def drive_of(clip: Clip) -> Path:
    """The folder in which all files of a clip lie: what it says itself, or the nearest there is."""
    files = [path.absolute() for stream in (*clip.cameras, *clip.lidars) for path in stream.files]
    if clip.drive is not None and all(path.is_relative_to(clip.drive) for path in files):
        return clip.drive
    return Path(os.path.commonpath([path.parent for path in files]))


def unpack(header: Header, arrays: dict[str, np.ndarray], root: Path) -> Clip:
    """The inverse of `pack`; raises KeyError or ValueError where the two do not fit."""

    def files(names: tuple[str, ...]) -> tuple[Path, ...]:
        return tuple(root / name for name in names)

    cameras = tuple(
        ImageStream(
            name=item.name,
            camera=item.camera,
            files=files(item.files),
            contents=item.contents,
            ego_from_camera=arrays[f"camera{i}/ego_from_camera"],
            time_us=arrays[f"camera{i}/time_us"],
            exposure=arrays[f"camera{i}/exposure"],
            unlabelled=_unpack_unlabelled(i, arrays),
        )
        for i, item in enumerate(header.cameras)
    )
    lidars = tuple(
        LidarStream(
            name=item.name,
            lidar=item.lidar,
            files=files(item.files),
            contents=item.contents,
            ego_from_lidar=arrays[f"lidar{i}/ego_from_lidar"],
            time_us=arrays[f"lidar{i}/time_us"],
        )
        for i, item in enumerate(header.lidars)
    )
    actors = tuple(
        Actor(
            id=item.id,
            kind=Semantic[item.kind],
            size_m=arrays[f"actor{i}/size_m"],
            trajectory=_unpack_trajectory(f"actor{i}", arrays),
        )
        for i, item in enumerate(header.actors)
    )
    names = ("position_m", "error_px", "point_index", "frame_index")
    points = {name: arrays[f"points/{name}"] for name in names} if header.has_points else None
    return Clip(
        name=header.name,
        source=header.source,
        licence=header.licence,
        ego=_unpack_trajectory("ego", arrays),
        ego_size_m=arrays["ego_size_m"],
        ego_front_m=header.ego_front_m,
        cameras=cameras,
        lidars=lidars,
        points=SparsePoints(**points) if points else None,
        actors=actors,
        to_sun=arrays.get("to_sun"),
        notes=header.notes,
        drive=root,
    )


def _unpack_unlabelled(camera: int, arrays: dict[str, np.ndarray]) -> Unlabelled | None:
    """Clips of drives that do not say hold none of these arrays, and keep their hashes."""
    if f"camera{camera}/unlabelled/{UNLABELLED[0]}" not in arrays:
        return None
    return Unlabelled(**{name: arrays[f"camera{camera}/unlabelled/{name}"] for name in UNLABELLED})


def _unpack_trajectory(name: str, arrays: dict[str, np.ndarray]) -> Trajectory:
    return Trajectory(
        time_us=arrays[f"{name}/time_us"], world_from_body=arrays[f"{name}/world_from_body"]
    )


def save_clip(clip: Clip, folder: Path) -> Path:
    """See `Clip.save`. Saving the same clip again returns at once; another one is refused.

    Raises:
        OtherlaneError: See `Clip.save`.
    """
    clip = _with_contents(clip)
    recipe = Recipe(kind="clip", inputs={"clip": _content_hash(clip)}, config={})
    try:
        there = is_finished(folder, recipe)
    except OtherlaneError as error:
        raise _replaced_since(clip, folder) or error from error
    if there:
        _say_where(clip, folder, folder)  # it may have moved
        return folder
    with writing(folder, recipe) as partial:
        write_clip(clip, partial, folder)
    return folder


def _with_contents(clip: Clip) -> Clip:
    def known(stream: Any) -> Any:
        if stream.contents:
            return stream
        # one that is not there yet is refused whenever it is read
        found = contents_of(stream.files, absent=True)
        return replace(stream, contents=tuple(content or "" for content in found))

    cameras, lidars = tuple(map(known, clip.cameras)), tuple(map(known, clip.lidars))
    return replace(clip, cameras=cameras, lidars=lidars)


def _replaced_since(clip: Clip, folder: Path) -> OtherlaneError | None:
    """That a file of the drive is another one than when it was imported, if that is all."""
    try:
        before = load_clip(folder)
    except OtherlaneError:
        return None
    pairs = zip((*clip.cameras, *clip.lidars), (*before.cameras, *before.lidars), strict=False)
    for now, then in pairs:
        if now.name != then.name or len(now) != len(then):
            return None
        for path, content, other in zip(now.files, now.contents, then.contents, strict=True):
            if content != other:
                wrong = f"is not the file that {folder} was imported from: its content is another"
                return OtherlaneError(path, wrong, "restore it; or another --out")
    return None


def write_clip(clip: Clip, into: Path, folder: Path) -> None:
    """Write a clip's files into `into`, which will later be called `folder`."""
    clip = _with_contents(clip)
    root = _say_where(clip, into, folder)
    header, arrays = pack(clip, root)
    write_json(into / HEADER, _plain(header))
    write_whole(into / ARRAYS, _npz(arrays))


def _say_where(clip: Clip, into: Path, folder: Path) -> Path:
    """Write where the drive of a clip lies, if that is not its own folder; returns where."""
    files = [path.absolute() for stream in (*clip.cameras, *clip.lidars) for path in stream.files]
    for own in (into.absolute(), folder.absolute()):
        if all(path.is_relative_to(own) for path in files):
            return own
    root = drive_of(clip)
    said = json_bytes({"drive": str(root)})
    if not (into / DRIVE).is_file() or (into / DRIVE).read_bytes() != said:
        write_whole(into / DRIVE, said)
    return root


def _plain(header: Header) -> dict[str, Any]:
    """JSON values; what most cameras are not is left out, so that older clips keep their hashes."""
    plain = msgspec.to_builtins(header)
    for stream in plain["cameras"]:
        if not stream["camera"]["fisheye"]:
            del stream["camera"]["fisheye"]
    return plain


def _npz(arrays: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    values: dict[str, Any] = dict(arrays)
    np.savez_compressed(buffer, **values)
    return buffer.getvalue()


def _content_hash(clip: Clip) -> str:
    header, arrays = pack(clip)
    digest = hashlib.sha256(json_bytes(_plain(header)))
    for name in sorted(arrays):
        digest.update(name.encode() + arrays[name].tobytes())
    return digest.hexdigest()


def load_clip(folder: Path, drive: Path | None = None) -> Clip:
    """See `Clip.load`."""
    return read_clip(finished(folder, "clip"), drive)


def read_clip(held: Finished, drive: Path | None = None) -> Clip:
    """The clip in a finished folder: that of a clip, or of a scene.

    Args:
        held: The folder.
        drive: Where the recording lies now, if it has moved.

    Raises:
        OtherlaneError: It is damaged, or the drive is not there.
    """
    folder, fix = held.folder, "import the drive again"
    header = held.parsed(HEADER, Header)
    if header.version != VERSION:
        raise OtherlaneError(folder / HEADER, f"is of version {header.version}", fix)
    root = _root(held, drive)
    try:
        with np.load(io.BytesIO(held.read(ARRAYS)), allow_pickle=False) as arrays:
            return unpack(header, {name: arrays[name] for name in arrays.files}, root)
    except DAMAGE as error:
        raise OtherlaneError(folder, f"is not a clip ({error})", fix) from error


class _Place(msgspec.Struct):
    drive: str


def _root(held: Finished, drive: Path | None) -> Path:
    """Where the files of a clip lie."""
    if drive is not None:
        if not drive.is_dir():
            raise OtherlaneError(drive, "is no folder", "--drive FOLDER, where the drive lies now")
        return drive.resolve()
    path, fix = held.folder / DRIVE, "--drive FOLDER, where the drive lies"
    if not os.path.lexists(path):
        return held.folder.absolute()
    return Path(parsed(read_own(path, fix), path, _Place, fix).drive)
