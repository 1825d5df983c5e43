"""Folders that are either whole or not there, with a manifest that says what made them.

Every verb writes one folder. It is written aside and renamed, so a folder that exists is whole.
The manifest holds the inputs' hashes and the resolved configuration, never a time or a path, so
that equal work gives equal bytes.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from scenes.errors import OtherlaneError

SCHEMA = 1
"""Version of the manifest's layout; a folder with another one is refused."""
MANIFEST = "manifest.json"
LOG = "log.jsonl"
"""What happened and when: lies beside the manifest and is not part of it."""

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """What a folder is made from; equal recipes make equal folders."""

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


def sha256(path: Path) -> str:
    """Hash of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_hash(folder: Path, kind: str) -> str:
    """Hash of a finished folder: of its manifest, which holds the hash of every file.

    Raises:
        OtherlaneError: It is not a finished folder of that kind.
    """
    read_manifest(folder, kind)
    return sha256(folder / MANIFEST)


def read_manifest(folder: Path, kind: str) -> dict[str, Json]:
    """The manifest of a finished folder of that kind.

    Raises:
        OtherlaneError: There is none, it is damaged, or the folder holds something else.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise OtherlaneError(
            folder, f"is not a finished {_named(kind)} (no {MANIFEST})", _remedy(kind)
        )
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise OtherlaneError(path, f"is damaged ({error})", _remedy(kind)) from error
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        raise OtherlaneError(path, f"is not of schema {SCHEMA}", "make it again with this version")
    if manifest.get("kind") != kind:
        held, wanted = _one(manifest.get("kind")), _one(kind)
        raise OtherlaneError(folder, f"holds {held}, not {wanted}", _remedy(kind))
    return manifest


def _one(kind: object) -> str:
    words = _named(kind)
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _named(kind: object) -> str:
    return "folder of frames" if kind == "frames" else str(kind)


def _remedy(kind: str) -> str:
    verb = {
        "clip": "import",
        "scene": "reconstruct",
        "asset": "extract-actor",
        "scenarios": "perturb",
        "frames": "render",
    }
    return f"otherlane {verb.get(kind, kind)} ... to make one"


def is_finished(out: Path, recipe: Recipe) -> bool:
    """Whether `out` is already this very work.

    Raises:
        OtherlaneError: `out` exists but holds something else; the first difference is named.
    """
    if not out.exists():
        return False
    if out.is_dir() and not any(out.iterdir()):
        return False
    if not (out / MANIFEST).is_file():
        what = f"exists and is not {_one(recipe.kind)} (no {MANIFEST})"
        raise OtherlaneError(out, what, "another --out, or remove it")
    try:
        manifest = read_manifest(out, recipe.kind)
    except OtherlaneError as error:
        raise OtherlaneError(error.where, error.wrong, "another --out, or remove it") from error
    for part in ("inputs", "config"):
        was, now = manifest.get(part), _plain(getattr(recipe, part))
        assert isinstance(now, dict)
        if was == now:
            continue
        was = was if isinstance(was, dict) else {}
        name = next((key for key in [*now, *was] if was.get(key) != now.get(key)), part)
        raise OtherlaneError(
            out,
            f"was made with another {name} ({was.get(name)!r}, now {now.get(name)!r})",
            "another --out, or remove this folder",
        )
    return True


def _plain(value: object) -> Json:
    return json.loads(json.dumps(value, sort_keys=True))


def partial_folder(out: Path) -> Path:
    """Where work in progress for `out` lives, beside it (same disk, so renaming is atomic)."""
    return out.parent / f".{out.name}.partial"


@contextmanager
def writing(
    out: Path,
    recipe: Recipe,
    *,
    keep_partial: bool = False,
    about: Mapping[str, object] | None = None,
    unlisted: tuple[str, ...] = (),
) -> Iterator[Path]:
    """A folder to fill; on a clean exit it gets its manifest and becomes `out`.

    On an error it is removed, unless `keep_partial` (for work that can be resumed). `about` is
    read at the end: what else the manifest should say. Files named in `unlisted` are not part
    of the result; the caller removes them.
    """
    partial = partial_folder(out)
    if partial.exists() and not keep_partial:
        shutil.rmtree(partial)
    try:
        partial.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        raise OtherlaneError(out, f"cannot be written ({error})", "another --out") from error
    try:
        yield partial
        _finish(partial, out, recipe, about or {}, {LOG, *unlisted})
    except BaseException:
        if not keep_partial:
            shutil.rmtree(partial, ignore_errors=True)
        raise


def _finish(
    partial: Path, out: Path, recipe: Recipe, about: Mapping[str, object], unlisted: set[str]
) -> None:
    files = sorted(p for p in partial.rglob("*") if p.is_file() and p.name not in unlisted)
    manifest = {
        "schema": SCHEMA,
        "kind": recipe.kind,
        "otherlane": package_version(),
        "inputs": _plain(recipe.inputs),
        "config": _plain(recipe.config),
        "about": _plain(about),
        "files": {path.relative_to(partial).as_posix(): sha256(path) for path in files},
    }
    write_json(partial / MANIFEST, manifest)
    if out.is_dir():  # empty, or is_finished would have spoken
        out.rmdir()
    os.replace(partial, out)


def write_json(path: Path, value: object) -> None:
    """JSON that is the same bytes for equal values."""
    path.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def stray_files(folder: Path, manifest: Mapping[str, Json]) -> list[str]:
    """Files that nobody wrote with the folder: a reader that lists it would take them for data."""
    files = manifest["files"]
    assert isinstance(files, dict)
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(set(found) - {*files, MANIFEST, LOG})


def damaged_files(folder: Path, manifest: Mapping[str, Json]) -> list[str]:
    """Files whose bytes are not those that were written, or that are missing."""
    files = manifest["files"]
    assert isinstance(files, dict)
    whole = {
        name: (folder / name).is_file() and sha256(folder / name) == digest
        for name, digest in files.items()
    }
    return [name for name, good in whole.items() if not good]
