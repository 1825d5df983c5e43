"""Who works on a folder: its work in progress lies in a partial folder, held by one process.

That is `.NAME.partial` beside a place that is free, or `.partial` inside a folder that is there.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from scenes.errors import OtherlaneError
from scenes.storage.files import write_json
from scenes.storage.manifests import BESIDE, MANIFEST, finished

OWNER = ".owner.json"
"""In a partial folder: which process works there, and since when."""
INSIDE = ".partial"
ELSEWHERE = "another --out"


def real_place(out: Path) -> Path:
    """Where `out` leads: links are followed, be they dangling."""
    try:
        return out.resolve()
    except (OSError, RuntimeError) as error:
        raise OtherlaneError(out, f"leads nowhere ({error})", ELSEWHERE) from error


def told(partial: Path) -> set[str]:
    """What a partial folder's manifest, if it has one already, says will lie in the folder."""
    try:
        files = finished(partial).files
    except OtherlaneError:
        return set()
    return {Path(name).parts[0] for name in files} | {*BESIDE}


def partial_folder(out: Path) -> Path:
    """Where work in progress for `out` lies: on the same disk, so that renaming is atomic."""
    real = real_place(out)
    beside = real.parent / f".{real.name}.partial"
    inside = real.is_dir() and not (beside.is_dir() and not (real / INSIDE).exists())
    return real / INSIDE if inside or os.path.ismount(real) else beside


@contextmanager
def claimed(out: Path) -> Iterator[Path]:
    """The partial folder, held by this process alone until the end, however that comes."""
    while True:
        partial = partial_folder(out)
        partial.mkdir(parents=True, exist_ok=True)
        handle = os.open(partial, os.O_RDONLY | os.O_DIRECTORY)
        try:
            if not _locked(handle):
                raise _busy(out, partial)
            if not _is_same(partial, handle):
                continue  # another process finished meanwhile, and renamed it
            if (real_place(out) / MANIFEST).is_file():
                wrong = "was made by another process meanwhile"
                raise OtherlaneError(out, wrong, "the same command again, which then sees it")
            gather(partial)
            owner = {"process": os.getpid(), "since": datetime.now().isoformat(" ", "seconds")}
            write_json(partial / OWNER, owner)
            yield partial
            return
        finally:
            _let_go(partial, handle)


def _let_go(partial: Path, handle: int) -> None:
    """Unlock; an empty folder is no work that somebody could go on with."""
    with suppress(OSError):
        if _locked(handle) and _is_same(partial, handle):
            (partial / OWNER).unlink(missing_ok=True)
            partial.rmdir()
    os.close(handle)


def _locked(handle: int) -> bool:
    """Lock an open folder; where the file system knows no locks, nobody is kept out."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _is_same(folder: Path, handle: int) -> bool:
    try:
        return os.path.samestat(folder.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def refuse_busy(out: Path) -> None:
    """Refuse a folder that another process is making."""
    partial = partial_folder(out)
    try:
        handle = os.open(partial, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        if not _locked(handle):
            raise _busy(out, partial)
    finally:
        os.close(handle)


def _busy(out: Path, partial: Path) -> OtherlaneError:
    who = "another process"
    with suppress(OSError, ValueError, KeyError, TypeError):  # it may just be writing that
        said = json.loads((partial / OWNER).read_bytes())
        who = f"process {said['process']} since {said['since']}"
    fix = "wait until it is done, or end that process; or another --out"
    return OtherlaneError(out, f"is being made by {who}", fix)


def gather(partial: Path) -> None:
    """Take back what a run that was killed had already moved out of the partial folder."""
    (partial / OWNER).unlink(missing_ok=True)
    if partial.name != INSIDE:
        return
    for name in told(partial) - {MANIFEST}:
        moved = partial.parent / name
        if os.path.lexists(moved) and not os.path.lexists(partial / name):
            os.replace(moved, partial / name)
