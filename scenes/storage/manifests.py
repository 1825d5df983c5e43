"""What a finished folder says of itself, and whether it is true.

The manifest holds the inputs' hashes, the resolved configuration and the hash of every file, never
a time or a path, so that equal work gives equal bytes. It carries its own checksum.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec

from scenes.errors import OtherlaneError
from scenes.storage.files import Json, is_plain, read_own, read_signed, sha256, system_errors_typed

SCHEMA = 3
"""Version of the manifest's layout; a folder with another one is refused."""
MANIFEST = "manifest.json"
LOG = "log.jsonl"
"""What happened and when ..."""
DRIVE = "drive.json"
"""... and where the drive lies on this machine: beside the manifest, and no part of it."""
BESIDE = (MANIFEST, LOG, DRIVE)
"""Files of a finished folder that its manifest does not list."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """What a folder is made from; equal ones make equal folders."""

    kind: str
    """What the folder holds: clip, scene, scenarios, frames, ..."""
    inputs: Mapping[str, str]
    """Name of each input, and the hash of its content."""
    config: Mapping[str, object]
    """The resolved configuration (JSON values)."""


def package_version() -> str:
    """Version of otherlane, or "source" when it runs uninstalled."""
    try:
        return version("otherlane")
    except PackageNotFoundError:
        return "source"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Finished:
    """A finished folder: the one door through which its files are read."""

    folder: Path
    kind: str
    inputs: Mapping[str, str]
    config: Mapping[str, Any]
    about: Mapping[str, Any]
    files: Mapping[str, str]
    """Name -> hash of every file but `BESIDE`."""

    def read(self, name: str) -> bytes:
        """The bytes of one of its files.

        Raises:
            OtherlaneError: It is missing, or not what was written.
        """
        path, fix = self.folder / name, remedy(self.kind)
        if name not in self.files:
            raise OtherlaneError(self.folder, f"has no {name}", fix)
        data = read_own(path, fix)
        if hashlib.sha256(data).hexdigest() != self.files[name]:
            raise OtherlaneError(path, "is not what was written (its hash differs)", fix)
        return data

    def parsed(self, name: str, of: Any) -> Any:
        """What one of its JSON files says, as a type.

        Raises:
            OtherlaneError: It is missing, not what was written, or says something else.
        """
        return parsed(self.read(name), self.folder / name, of, remedy(self.kind))

    def check(self, *names: str) -> None:
        """Whether what was written can be read; of all files when none is named.

        Raises:
            OtherlaneError: The first one that is not.
        """
        for name in names or self.files:
            path = self.folder / name
            with system_errors_typed(path):
                whole = path.is_file() and sha256(path) == self.files[name]
            if not whole:
                wrong = "is not what was written (its hash differs, or it is missing)"
                raise OtherlaneError(path, wrong, remedy(self.kind))

    def damaged(self) -> list[str]:
        """Files that are not as they were written, or that are missing; links are not."""
        return [name for name in self.files if not self._is_whole(name)]

    def strays(self) -> list[str]:
        """What nobody wrote with the folder: a reader that lists it would take it for data.

        That is files, links, pipes, and folders in which the manifest names no file.
        """
        known = {*self.files, *BESIDE}
        folders = {up.as_posix() for name in self.files for up in Path(name).parents}
        found = []
        with system_errors_typed(self.folder):
            for root, below, names in os.walk(self.folder, onerror=_raise):
                at = Path(root)
                below[:] = [name for name in below if not is_systems(at / name)]
                links = [name for name in below if (at / name).is_symlink()]
                for name in [*names, *below]:
                    said = (at / name).relative_to(self.folder).as_posix()
                    is_folder = name in below and name not in links
                    if said not in (folders if is_folder else known):
                        found.append(said)
        # a link in the place of a file would be read, but it is not what was written
        beside = (name for name in BESIDE if os.path.lexists(self.folder / name))
        return sorted({*found, *(name for name in beside if not is_plain(self.folder / name))})

    def _is_whole(self, name: str) -> bool:
        path = self.folder / name
        with system_errors_typed(path):
            return is_plain(path) and sha256(path) == self.files[name]


def _raise(error: OSError) -> None:
    raise error


def is_systems(path: Path) -> bool:
    """Whether a folder is one that file systems make in their root, and nobody put there."""
    return path.name == "lost+found" and path.parent.is_mount()


def parsed(data: bytes, where: Path, of: Any, fix: str) -> Any:
    """What JSON says, as a type.

    Raises:
        OtherlaneError: It is no JSON, or says something else.
    """
    try:
        return msgspec.convert(json.loads(data), of)  # msgspec's own reader knows no surrogates
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise OtherlaneError(where, f"is damaged ({error})", fix) from error


class _Page(msgspec.Struct, forbid_unknown_fields=True):
    """The layout of a manifest."""

    schema: int
    kind: str
    otherlane: str
    inputs: dict[str, str]
    config: dict[str, Any]
    about: dict[str, Any]
    files: dict[str, str]


def finished(folder: Path, kind: str | None = None) -> Finished:
    """A finished folder, of a kind.

    Args:
        folder: The folder.
        kind: What it has to hold; anything when left out.

    Raises:
        OtherlaneError: It is not finished, its manifest is damaged, or it holds something else.
    """
    path, fix = folder / MANIFEST, remedy(kind)
    with system_errors_typed(path):
        if not (folder.is_dir() and os.path.lexists(path)):
            what = "folder" if kind is None else named(kind)
            raise OtherlaneError(folder, f"is not a finished {what} (no {MANIFEST})", fix)
    page = _page(path, fix)
    if kind is not None and page.kind != kind:
        wrong = f"holds {one(page.kind)}, not {one(kind)}"
        raise OtherlaneError(folder, wrong, fix)
    return Finished(
        folder=folder, kind=page.kind, inputs=page.inputs, config=page.config, about=page.about,
        files=page.files,
    )  # fmt: skip


def _page(path: Path, fix: str) -> _Page:
    try:
        held = read_signed(path, fix)
    except OtherlaneError:
        _refuse_other_schema(path, fix)
        raise
    _check_schema(held, path)
    try:
        page = msgspec.convert(held, _Page)
    except msgspec.ValidationError as error:
        raise OtherlaneError(path, f"is damaged ({error})", fix) from error
    for name in page.files:
        if name.startswith("/") or ".." in Path(name).parts:
            raise OtherlaneError(path, f"names {name!r}, which is not in the folder", fix)
    return page


def _refuse_other_schema(path: Path, fix: str) -> None:
    """Older manifests had no checksum: that is no damage."""
    try:
        held = json.loads(read_own(path, fix))
    except (ValueError, RecursionError):
        return
    if not isinstance(held, dict) or held.get("schema") != SCHEMA:
        _check_schema(held if isinstance(held, dict) else {}, path)


def _check_schema(held: Mapping[str, Json], path: Path) -> None:
    if held.get("schema") != SCHEMA:
        kind = held.get("kind")
        again = remedy(kind) if isinstance(kind, str) else "make it again with this version"
        raise OtherlaneError(path, f"is not of schema {SCHEMA}: another version wrote it", again)


def folder_hash(folder: Path, kind: str) -> str:
    """Hash of a finished folder: of its manifest, which holds the hash of every file.

    Raises:
        OtherlaneError: It is not a finished folder of that kind.
    """
    finished(folder, kind)
    return sha256(folder / MANIFEST)


def one(kind: str) -> str:
    """A kind with its article."""
    words = named(kind)
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def named(kind: str) -> str:
    """A kind in words."""
    return {"frames": "folder of frames"}.get(kind, kind)


def remedy(kind: str | None) -> str:
    """Which command makes a folder of a kind."""
    verb = {
        "clip": "import",
        "scene": "reconstruct",
        "asset": "extract-actor",
        "scenarios": "perturb",
        "frames": "render",
        "evaluation": "evaluate",
        "proof": "prove",
        None: "import, reconstruct, extract-actor, perturb, render or export",
    }.get(kind, kind)
    return f"otherlane {verb} ... to make one"
