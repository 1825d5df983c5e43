"""Clips on disk: clip.json (structure, checked against its types), arrays.npz (numbers).

Pictures and sweeps inside the clip's folder are referred to by relative paths, so that the
folder can be moved; others by absolute ones.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from scenes.actor import Actor
from scenes.camera import Camera
from scenes.clip import DAMAGE, Clip, ImageStream, LidarStream, SparsePoints
from scenes.errors import OtherlaneError
from scenes.file_names import path_text, text_of
from scenes.folders import Recipe, is_finished, read_manifest, sha256, write_json, writing
from scenes.lidar import Lidar
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


@dataclass(frozen=True, kw_only=True)
class LidarHeader:
    """The part of a `LidarStream` that is not numbers."""

    name: str
    lidar: Lidar
    files: tuple[str, ...]


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
VERSION = 1
"""Version of a clip's two files; a clip of another one is refused."""


def pack(clip: Clip, folder: Path | None = None) -> tuple[Header, dict[str, np.ndarray]]:
    """Structure and numbers of a clip; files inside `folder` become relative."""
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
            ImageHeader(name=s.name, camera=s.camera, files=_named(s.files, folder))
            for s in clip.cameras
        ),
        lidars=tuple(
            LidarHeader(name=s.name, lidar=s.lidar, files=_named(s.files, folder))
            for s in clip.lidars
        ),
        has_points=clip.points is not None,
        actors=tuple(ActorHeader(id=a.id, kind=a.kind.name) for a in clip.actors),
        notes=clip.notes,
    )
    return header, arrays


def _pack_trajectory(name: str, path: Trajectory) -> dict[str, np.ndarray]:
    return {f"{name}/time_us": path.time_us, f"{name}/world_from_body": path.world_from_body}


def _named(files: tuple[Path, ...], folder: Path | None) -> tuple[str, ...]:
    absolute = [path.absolute() for path in files]
    if folder is None:
        return tuple(text_of(path) for path in absolute)
    root = folder.absolute()
    return tuple(
        text_of(path.relative_to(root) if path.is_relative_to(root) else path) for path in absolute
    )


def unpack(header: Header, arrays: dict[str, np.ndarray], folder: Path) -> Clip:
    """The inverse of `pack`; raises KeyError or ValueError where the two do not fit."""

    def files(names: tuple[str, ...]) -> tuple[Path, ...]:
        return tuple(folder.absolute() / path_text(name) for name in names)

    cameras = tuple(
        ImageStream(
            name=item.name,
            camera=item.camera,
            files=files(item.files),
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
    """See `Clip.save`. Saving the same clip again returns at once; another one is refused."""
    recipe = Recipe(kind="clip", inputs={"clip": _content_hash(clip)}, config={})
    if is_finished(folder, recipe):
        return folder
    with writing(folder, recipe) as partial:
        write_clip(clip, partial, folder)
    return folder


def write_clip(clip: Clip, into: Path, folder: Path) -> None:
    """Write a clip's two files into `into`, which will later be called `folder`."""
    header, arrays = pack(clip, folder)
    write_json(into / HEADER, _plain(header))
    (into / ARRAYS).write_bytes(_npz(arrays))


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
    import hashlib

    header, arrays = pack(clip)
    digest = hashlib.sha256(msgspec.json.encode(_plain(header)))
    for name in sorted(arrays):
        digest.update(name.encode() + arrays[name].tobytes())
    return digest.hexdigest()


def load_clip(folder: Path) -> Clip:
    """See `Clip.load`."""
    manifest = read_manifest(folder, "clip")
    return read_clip(folder, manifest.get("files"))


def read_clip(folder: Path, digests: Any) -> Clip:
    """The clip whose two files lie in `folder`, checked against their hashes."""
    fix = "import the drive again"
    for name in (HEADER, ARRAYS):
        path = folder / name
        if not path.is_file():
            raise OtherlaneError(folder, f"has no {name}", fix)
        if not isinstance(digests, dict) or digests.get(name) != sha256(path):
            raise OtherlaneError(path, "is not what was written (its hash differs)", fix)
    try:
        header = msgspec.json.decode((folder / HEADER).read_bytes(), type=Header)
        if header.version != VERSION:
            raise OtherlaneError(folder / HEADER, f"is of version {header.version}", fix)
        with (folder / ARRAYS).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return unpack(header, {name: arrays[name] for name in arrays.files}, folder)
    except (msgspec.DecodeError, *DAMAGE) as error:
        raise OtherlaneError(folder, f"is not a clip ({error})", fix) from error
