"""What files of a drive hold, by hash: a picture that was replaced under its name is another one.

Hashes are remembered for as long as a file is the same to the file system: device, inode, size and
the times of its last changes, one of which (ctime) no program can set. A file that changed a moment
ago may change again within the same tick of the clock, so its hash is not remembered.
"""

import hashlib
import os
import sqlite3
import stat
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from scenes.errors import DriveError
from scenes.storage.files import system_error
from scenes.work.phases import counted

MEMORY = "contents.sqlite"
SETTLED_NS = 2_000_000_000
"""So long ago a file must have changed for its hash to be remembered."""
MOST_REMEMBERED = 2_000_000
"""Files; the oldest are forgotten."""
THREADS = 4
TABLE = "CREATE TABLE IF NOT EXISTS hashes (file TEXT PRIMARY KEY, hash TEXT NOT NULL)"
FORGET = "DELETE FROM hashes WHERE rowid <= (SELECT max(rowid) FROM hashes) - ?"
RESTORE = "--drive FOLDER where the drive has moved; or restore it, or import the drive again"


def content_of(data: bytes) -> str:
    """Size and sha256 of a file's bytes, such as `1042:9f86d0...`."""
    return f"{len(data)}:{hashlib.sha256(data).hexdigest()}"


def check_file(path: Path) -> None:
    """Whether a path is a file, or a link to one: others never end, or wait for a writer.

    Raises:
        DriveError: It is a folder, pipe or device.
    """
    with suppress(OSError, ValueError):  # whoever opens it says so
        if not stat.S_ISREG(path.stat().st_mode):
            raise _no_file(path)


def _no_file(path: Path) -> DriveError:
    return DriveError(path, "is no file but a folder, pipe or device", RESTORE)


def read_content(path: Path, content: str | None) -> bytes:
    """The bytes of a file of a drive.

    Args:
        path: The file.
        content: What it has to hold, as `content_of` says it; anything where None.

    Raises:
        DriveError: It cannot be read, or holds something else.
    """
    check_file(path)
    with _errors_named(path):
        if content is not None and not content.startswith(f"{path.stat().st_size}:"):
            raise _replaced(path)
        data = path.read_bytes()
    if content is not None and content_of(data) != content:
        raise _replaced(path)
    return data


@contextmanager
def _errors_named(path: Path) -> Iterator[None]:
    """What the system says of a file of the drive, as an error of the drive."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DriveError(path, "does not exist", RESTORE) from error
    except OSError as error:
        said = system_error(error, path)
        raise DriveError(path, said.wrong, said.fix) from error


def _replaced(path: Path) -> DriveError:
    wrong = "is not the file that was imported: its content is another"
    return DriveError(path, wrong, "restore it, or import the drive again, as another clip")


def contents_of(paths: Sequence[Path], *, absent: bool = False) -> list[str | None]:
    """`content_of` each file; those that did not change since last time are not read again.

    Args:
        paths: The files.
        absent: Whether files may be missing: None is said of them.

    Raises:
        DriveError: One is missing or cannot be read.
    """
    states = [_state(path, absent) for path in paths]
    with _memory() as memory:
        known = _recall(memory, [state for state in states if state])
        found = [known.get(state) if state else None for state in states]
        new = [i for i, state in enumerate(states) if state and found[i] is None]
        with ThreadPoolExecutor(THREADS) as pool:  # hashing lets other threads run
            hashes = pool.map(_hash, [paths[i] for i in new])
            for i, content in zip(
                new, counted(hashes, "hashing files of the drive", len(new)), strict=True
            ):
                found[i] = content
        _remember(memory, {states[i]: found[i] for i in new if _settled(paths[i], states[i])})
    return found


def check_contents(paths: Sequence[Path], contents: Sequence[str], *, absent: bool = False) -> None:
    """Whether files hold what they held when they were imported.

    Args:
        paths: The files.
        contents: Of each, as `content_of` says it.
        absent: Whether files may be missing.

    Raises:
        DriveError: The first that does not.
    """
    for path, held, wanted in zip(paths, contents_of(paths, absent=absent), contents, strict=True):
        # what is remembered may have been damaged
        if held not in (None, wanted) and _hash(path) != wanted:
            raise _replaced(path)


def _state(path: Path, absent: bool) -> str:
    """What the file system tells a file apart by; empty where it is missing and may be."""
    with _errors_named(path):
        try:
            now = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            if absent:
                return ""
            raise
    if not stat.S_ISREG(now.st_mode):
        raise _no_file(path)
    return f"{now.st_dev}:{now.st_ino}:{now.st_size}:{now.st_mtime_ns}:{now.st_ctime_ns}"


def _settled(path: Path, state: str) -> bool:
    """Whether a file that was just read had been left alone for a while, and still is."""
    changed_ns = max(int(part) for part in state.split(":")[-2:])
    return time.time_ns() - changed_ns > SETTLED_NS and _state(path, absent=True) == state


def _hash(path: Path) -> str:
    with _errors_named(path), path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return f"{file.tell()}:{digest}"


@contextmanager
def _memory() -> Iterator[sqlite3.Connection | None]:
    """Where hashes are remembered, in the user's cache folder; None where that cannot be."""
    memory = None
    with suppress(RuntimeError):  # there may be no home
        home = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
        memory = _opened(home / "otherlane")
    if memory is None:
        yield None
        return
    with closing(memory):
        yield memory


def _opened(folder: Path) -> sqlite3.Connection | None:
    memory = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        memory = sqlite3.connect(folder / MEMORY, timeout=5.0, isolation_level=None)
        memory.execute(TABLE)
    except sqlite3.OperationalError:  # locked, or not to be written
        pass
    except sqlite3.DatabaseError:  # damaged: begin another one
        with suppress(OSError):
            (folder / MEMORY).unlink()
    except OSError:
        pass
    else:
        return memory
    if memory is not None:
        memory.close()
    return None


def _recall(memory: sqlite3.Connection | None, states: Sequence[str]) -> dict[str, str]:
    if memory is None:
        return {}
    found: dict[str, str] = {}
    with suppress(sqlite3.Error):  # damaged: as good as empty
        for start in range(0, len(states), 500):
            some = states[start : start + 500]
            marks = ",".join("?" * len(some))
            query = f"SELECT file, hash FROM hashes WHERE file IN ({marks})"  # noqa: S608
            found.update(memory.execute(query, some).fetchall())
    return found


def _remember(memory: sqlite3.Connection | None, found: dict[str, str | None]) -> None:
    if memory is None or not found:
        return
    with suppress(sqlite3.Error):
        memory.execute("BEGIN")
        memory.executemany("INSERT OR REPLACE INTO hashes VALUES (?, ?)", list(found.items()))
        memory.execute(FORGET, (MOST_REMEMBERED,))
        memory.execute("COMMIT")
