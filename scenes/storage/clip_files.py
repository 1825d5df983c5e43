"""Clips on disk: clip.json (structure, checked against its types), arrays.npz (numbers).

Pictures and sweeps are named as they lie in the drive's folder, and by what they hold: a clip is
the same wherever its drive lies. `drive.json` beside says where that is on this machine; where it
is missing, the pictures lie in the clip's own folder. What an importer had to convert lies in the
clip's folder `imported`; a scene's `drive.json` says where that is.
"""

import hashlib
import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from scenes.clip import Clip, ImageStream
from scenes.errors import OtherlaneError
from scenes.storage.arrays import DAMAGE, read_arrays
from scenes.storage.clip_layout import VERSION, Header, drive_of, pack, unpack
from scenes.storage.contents import contents_of
from scenes.storage.file_names import path_text, text_of
from scenes.storage.files import json_bytes, read_own, system_errors_typed, write_json, write_whole
from scenes.storage.folders import is_finished, writing
from scenes.storage.manifests import DRIVE, MANIFEST, Finished, Provenance, finished, parsed

HEADER, ARRAYS = "clip.json", "arrays.npz"
IMPORTED = "imported"
"""Folder, in a clip's own, of what its importer made."""


def save_clip(clip: Clip, folder: Path) -> Path:
    """See `Clip.save`. Saving the same clip again returns at once; another one is refused.

    Raises:
        OtherlaneError: See `Clip.save`.
    """
    clip = _with_contents(clip)
    provenance = _provenance(clip)
    try:
        there = is_finished(folder, provenance)
    except OtherlaneError as error:
        raise _replaced_since(clip, folder) or error from error
    if there:
        _say_where(clip, folder, folder)  # it may have moved
        return folder
    with writing(folder, provenance) as partial:
        write_clip(clip, partial, folder)
    return folder


def save_imported(make: Callable[[Path], Clip], folder: Path) -> Clip:
    """Write a clip whose importer makes files of its own: they become part of the folder.

    Args:
        make: Imports the drive, and makes files in the empty folder that it is given.
        folder: Of the clip.

    Returns:
        The clip, as loaded.

    Raises:
        OtherlaneError: See `Clip.save`; what `make` raises.
    """
    folder = folder.absolute()
    if (folder / MANIFEST).is_file():  # whether it is this very clip, only making it tells
        with _beside(folder) as aside:
            clip = _with_contents(make(aside))
            is_finished(folder, _provenance(clip))
        saved = load_clip(folder, clip.drive)
        _say_where(saved, folder, folder)  # the drive may have moved
        return saved
    made: list[Provenance] = []
    with writing(folder, made.pop) as partial:
        work = partial / IMPORTED
        work.mkdir()
        clip = _with_contents(make(work))
        made.append(_provenance(clip))
        write_clip(clip, partial, folder)
    return load_clip(folder)


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """An empty folder on the same disk, for a while."""
    with system_errors_typed(folder):
        name = tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".again", dir=folder.parent)
    try:
        yield Path(name)
    finally:
        shutil.rmtree(name, ignore_errors=True)


def _provenance(clip: Clip) -> Provenance:
    return Provenance(kind="clip", inputs={"clip": _content_hash(clip)}, config={})


def _with_contents(clip: Clip) -> Clip:
    def known(stream: Any) -> Any:
        if stream.contents:
            return stream
        # one that is not there yet is refused whenever it is read
        found = contents_of(stream.files, absent=True)
        return replace(stream, contents=tuple(content or "" for content in found))

    cameras, lidars = tuple(map(known, clip.cameras)), tuple(map(known, clip.lidars))
    return replace(clip, cameras=tuple(map(_with_mask_content, cameras)), lidars=lidars)


def _with_mask_content(stream: ImageStream) -> ImageStream:
    if stream.mask is None or stream.mask_content:
        return stream
    (found,) = contents_of([stream.mask], absent=True)
    return replace(stream, mask_content=found or "")


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
                return _replaced(path, folder)
    for now, then in zip(clip.cameras, before.cameras, strict=False):
        if now.mask and then.mask and now.mask_content != then.mask_content:
            return _replaced(now.mask, folder)
    return None


def _replaced(path: Path, folder: Path) -> OtherlaneError:
    wrong = f"is not the file that {folder} was imported from: its content is another"
    return OtherlaneError(path, wrong, "restore it; or another --out")


def write_clip(clip: Clip, into: Path, folder: Path) -> None:
    """Write a clip's files into `into`, which will later be called `folder`."""
    clip = _with_contents(clip)
    root = _say_where(clip, into, folder)
    header, arrays = pack(clip, root)
    write_json(into / HEADER, msgspec.to_builtins(header))
    write_whole(into / ARRAYS, _npz(arrays))


def _say_where(clip: Clip, into: Path, folder: Path) -> Path:
    """Write where the drive of a clip lies, if that is not its own folder; returns where."""
    files = [path.absolute() for path in clip.drive_files()]
    owns = (into.absolute(), folder.absolute())
    for own in owns:
        if clip.imported is None and all(path.is_relative_to(own) for path in files):
            return own
    root = drive_of(clip)
    places = {"drive": text_of(root)}
    if clip.imported is not None and clip.imported not in [own / IMPORTED for own in owns]:
        places["imported"] = text_of(clip.imported)
    said = json_bytes(places)
    if not (into / DRIVE).is_file() or (into / DRIVE).read_bytes() != said:
        write_whole(into / DRIVE, said)
    return root


def _npz(arrays: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    values: dict[str, Any] = dict(arrays)
    np.savez_compressed(buffer, **values)
    return buffer.getvalue()


def _content_hash(clip: Clip) -> str:
    header, arrays = pack(clip)
    digest = hashlib.sha256(json_bytes(msgspec.to_builtins(header)))
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
    root, imported = _places(held, header, drive)
    try:
        return unpack(header, read_arrays(held.read(ARRAYS)), root, imported)
    except DAMAGE as error:
        raise OtherlaneError(folder, f"is not a clip ({error})", fix) from error


class _Place(msgspec.Struct):
    drive: str
    imported: str | None = None


def _places(held: Finished, header: Header, drive: Path | None) -> tuple[Path, Path | None]:
    """Where the drive of a clip lies, and where what its importer made does, if it made any."""
    path, fix = held.folder / DRIVE, "--drive FOLDER, where the drive lies"
    said = None
    if os.path.lexists(path):
        said = parsed(read_own(path, fix), path, _Place, fix)
    root = held.folder.absolute() if said is None else Path(path_text(said.drive))
    if drive is not None:
        if not drive.is_dir():
            raise OtherlaneError(drive, "is no folder", "--drive FOLDER, where the drive lies now")
        root = drive.resolve()
    names = [name for stream in (*header.cameras, *header.lidars) for name in stream.files]
    names += [stream.mask for stream in header.cameras if stream.mask is not None]
    if not any(name.startswith("/") for name in names):
        return root, None
    if said is None or said.imported is None:
        return root, held.folder.absolute() / IMPORTED
    return root, Path(path_text(said.imported))
