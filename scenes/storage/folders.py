"""Folders that are either whole or not there.

Every verb writes one folder. Work lies aside, in a folder that only one process may hold, until it
is whole: `.NAME.partial` beside a place that is free, which is then renamed, or `.partial` inside
a folder that is there and empty, such as a mounted volume, whose manifest then comes last.
"""

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from scenes.errors import OtherlaneError
from scenes.storage.claims import (
    ELSEWHERE,
    INSIDE,
    OWNER,
    claimed,
    gather,
    partial_folder,
    real_place,
    refuse_busy,
    told,
)
from scenes.storage.files import (
    ASIDE,
    Json,
    is_plain,
    json_bytes,
    remove_asides,
    sha256,
    system_errors_typed,
    write_signed,
)
from scenes.storage.manifests import (
    BESIDE,
    LOG,
    MANIFEST,
    SCHEMA,
    Provenance,
    finished,
    is_systems,
    one,
    package_version,
)

NO_NAMELESS = (errno.EOPNOTSUPP, errno.ENOTSUP, errno.EISDIR, errno.ENOENT, errno.EINVAL)
"""What systems say that know no files without names."""


def check_out(out: Path, kind: str | None = None) -> None:
    """Whether a folder can be made, before the first second of work.

    Args:
        out: Where it is to be.
        kind: What it will hold; where None, it is one that work of many kinds goes on in.

    Raises:
        OtherlaneError: It is a file, holds something else, cannot be written, or another process
            makes it.
    """
    real = real_place(out)
    with system_errors_typed(out):
        if os.path.lexists(real) and not real.is_dir():
            fix = f"{ELSEWHERE}, or remove it" if is_plain(real) else ELSEWHERE
            raise OtherlaneError(out, "is no folder", fix)
        if kind is not None and real.is_dir() and not _is_ours(real):
            if not (real / MANIFEST).is_file():
                wrong = f"exists and is not {one(kind)} (no {MANIFEST})"
                raise OtherlaneError(out, wrong, f"{ELSEWHERE}, or remove it")
            return  # which one it is, `is_finished` knows
        above = real
        while not os.path.lexists(above):
            above = above.parent
        if not above.is_dir():
            raise OtherlaneError(out, f"cannot be made: {above} is no folder", ELSEWHERE)
        longest = os.pathconf(above, "PC_NAME_MAX")
        name = partial_folder(out).name
        if len(os.fsencode(name)) > longest:
            wrong = f"cannot be made: {name!r} is longer than {longest} bytes"
            raise OtherlaneError(out, wrong, "a shorter name")
        _try(out, above)
    refuse_busy(out)


def _try(out: Path, above: Path) -> None:
    """Write there: nothing else knows all that may forbid it."""
    try:
        _write_nothing(above)
    except OSError as error:
        wrong = f"cannot be made: nothing can be written in {above} ({error.strerror})"
        raise OtherlaneError(out, wrong, f"{ELSEWHERE}, or other permissions") from error


def _write_nothing(folder: Path) -> None:
    """Make a file without a name, of which a kill leaves nothing; else a folder for a moment."""
    flag = getattr(os, "O_TMPFILE", None)
    if flag is not None:
        try:
            os.close(os.open(folder, flag | os.O_WRONLY, 0o600))
        except OSError as error:
            if error.errno not in NO_NAMELESS:
                raise
        else:
            return
    trial = folder / f".{os.getpid()}{ASIDE}"
    trial.mkdir()
    trial.rmdir()


def _is_ours(folder: Path) -> bool:
    """Whether a folder is empty, or holds our own unfinished work and nothing else."""
    names = {path.name for path in folder.iterdir() if not is_systems(path)}
    if not names:
        return True
    return INSIDE in names and MANIFEST not in names and names - {INSIDE} <= told(folder / INSIDE)


def is_finished(out: Path, provenance: Provenance) -> bool:
    """Whether `out` is already this very work.

    Raises:
        OtherlaneError: `out` holds something else (the first difference is named), cannot be made,
            or is being made by another process.
    """
    real = real_place(out)
    if not (real / MANIFEST).is_file():
        check_out(out, provenance.kind)
        return False
    try:
        held = finished(real, provenance.kind)
    except OtherlaneError as error:
        raise OtherlaneError(out, error.wrong, f"{ELSEWHERE}, or remove it") from error
    for part in ("inputs", "config"):
        was, now = getattr(held, part), _plain(getattr(provenance, part))
        assert isinstance(now, dict)
        if was == now:
            continue
        name = next(key for key in [*now, *was] if was.get(key) != now.get(key))
        raise OtherlaneError(
            out,
            f"was made with another {name} ({was.get(name)!r}, now {now.get(name)!r})",
            f"{ELSEWHERE}, or remove this folder",
        )
    shutil.rmtree(real / INSIDE, ignore_errors=True)  # all that a kill left to do
    return True


def _plain(value: object) -> Json:
    return json.loads(json_bytes(value))


@contextmanager
def writing(
    out: Path,
    provenance: Provenance | Callable[[], Provenance],
    *,
    resumable: Callable[[Path], bool] | None = None,
    about: Mapping[str, object] | None = None,
    unlisted: tuple[str, ...] = (),
) -> Iterator[Path]:
    """A folder to fill; on a clean exit it gets its manifest and becomes `out`.

    Args:
        out: Where the folder is to be.
        provenance: What it is made from; asked for at the end where only the work itself tells.
        resumable: Says of what an earlier run left whether one can go on with it; it is removed
            where not. What is written then stays when this run fails. Where None, it does not.
        about: Read at the end: what else the manifest should say.
        unlisted: Files that are not part of the result; the caller removes them.

    Raises:
        OtherlaneError: The system refuses to write, or another process works on it.
    """
    with system_errors_typed(out), claimed(out) as partial:
        if resumable is None or not (_is_empty(partial) or resumable(partial)):
            clear(partial)
        remove_asides(partial)
        try:
            yield partial
            made_from = provenance() if callable(provenance) else provenance
            _finish(partial, real_place(out), made_from, about or {}, {LOG, *unlisted})
        except BaseException:
            if resumable is None:
                with suppress(OSError):  # the first error is the one to tell
                    gather(partial)
                    shutil.rmtree(partial)
            raise


def _is_empty(partial: Path) -> bool:
    return _names(partial) <= {OWNER}


def clear(partial: Path) -> None:
    """Remove everything in a partial folder but the sign of who works there."""
    for path in partial.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != OWNER:
            path.unlink()


def _finish(
    partial: Path,
    out: Path,
    provenance: Provenance,
    about: Mapping[str, object],
    unlisted: set[str],
) -> None:
    """Write the manifest and give the folder its name."""
    remove_asides(partial)
    for name in (MANIFEST, OWNER):  # a run that was killed here has left its manifest
        (partial / name).unlink(missing_ok=True)
    _prune(partial)
    left_out = {*BESIDE, *unlisted}
    found = ((path.relative_to(partial).as_posix(), path) for path in sorted(partial.rglob("*")))
    files = {name: path for name, path in found if is_plain(path) and name not in left_out}
    manifest = {
        "schema": SCHEMA,
        "kind": provenance.kind,
        "otherlane": package_version(),
        "inputs": _plain(provenance.inputs),
        "config": _plain(provenance.config),
        "about": _plain(about),
        "files": {name: sha256(path) for name, path in files.items()},
    }
    write_signed(partial / MANIFEST, manifest)
    if partial.name != INSIDE:
        with suppress(FileNotFoundError):  # there and empty, or is_finished would have spoken
            out.rmdir()
        os.replace(partial, out)
        return
    names = told(partial) & _names(partial) - {MANIFEST}
    for name in [*sorted(names), MANIFEST]:
        os.replace(partial / name, out / name)
    shutil.rmtree(partial)  # with what is no part of the result


def _prune(folder: Path) -> None:
    """Remove folders that hold no file: none may be in a finished folder that it does not list."""
    for root, _, _ in os.walk(folder, topdown=False):
        if Path(root) != folder and not _names(Path(root)):
            Path(root).rmdir()


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}
