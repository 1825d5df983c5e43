"""Files of our own: written whole or not at all, signed where nothing else vouches for them.

What the system refuses (a full disk, a folder that may only be read) becomes one kind of error
here: where, what the system said, what to try.
"""

import errno
import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from scenes.errors import OtherlaneError

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]

CHECKSUM = "checksum"
"""In a signed file: the hash of all else that it says."""
ASIDE = ".tmp"
"""How files end that are being written; what a kill leaves of them is removed."""
MOST_BYTES = 1 << 30
"""Largest file of our own that is read; the state of the largest training takes half of it."""
ADVICE = {
    errno.ENOSPC: "free some space, then run the same command again",
    errno.EDQUOT: "free some of the quota, then run the same command again",
    errno.EFBIG: "a file system (or ulimit -f) that allows larger files, then the same command",
    errno.EROFS: "a place that can be written to",
    errno.EACCES: "a place that you may read and write, or other permissions",
    errno.EPERM: "a place that you may read and write, or other permissions",
    errno.EIO: "look after the disk or its connection, then run the same command again",
    errno.ESTALE: "look after the connection to the file server, then the same command again",
    errno.ENAMETOOLONG: "a shorter name",
    errno.ELOOP: "a path whose links lead somewhere",
    errno.EMFILE: "a higher limit of open files (ulimit -n)",
    errno.ENFILE: "a higher limit of open files",
    errno.ENOMEM: "more memory, or fewer workers",
    errno.ENOENT: "look whether something else removed it, then run the same command again",
}
"""What to try, by what the system said."""


def system_error(error: OSError, where: object) -> OtherlaneError:
    """What the system said, for users; `where` is named if the system does not say where."""
    said = error.strerror or str(error) or type(error).__name__
    place = where if error.filename is None else error.filename
    place = os.fsdecode(place) if isinstance(place, bytes) else place
    fix = ADVICE.get(error.errno or 0, "look after that place, then run the same command again")
    return OtherlaneError(place, f"cannot be read or written ({said})", fix)


@contextmanager
def system_errors_typed(where: object) -> Iterator[None]:
    """Raise what the system says meanwhile as our own error; `where` as in `system_error`.

    A closed pipe is none of them: nobody wants to read any more, and that is no error of files.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise system_error(error, where) from error


def write_whole(path: Path, content: bytes) -> None:
    """Write a file through another one beside it, so that `path` is whole or as it was."""
    aside = path.with_name(f".{path.name}.{os.getpid()}{ASIDE}")
    try:
        aside.write_bytes(content)
        os.replace(aside, path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def remove_asides(folder: Path) -> None:
    """Remove what a kill left of files that were being written, in a folder and all below it."""
    for path in folder.rglob(f".*{ASIDE}"):
        path.unlink()


def json_bytes(value: object) -> bytes:
    """JSON that is the same bytes for equal values."""
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()


def write_json(path: Path, value: object) -> None:
    """Write JSON that is the same bytes for equal values."""
    write_whole(path, json_bytes(value))


def write_signed(path: Path, value: Mapping[str, object]) -> None:
    """Write a JSON object with a checksum of its own."""
    digest = hashlib.sha256(json_bytes(value)).hexdigest()
    write_json(path, {**value, CHECKSUM: digest})


def read_signed(path: Path, fix: str) -> dict[str, Json]:
    """What `write_signed` wrote, without the checksum.

    Args:
        path: The file.
        fix: What to try where it is damaged.

    Raises:
        OtherlaneError: It is no file, or not byte for byte what was written.
    """
    data = read_own(path, fix)
    try:
        held = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise OtherlaneError(path, f"is damaged ({error})", fix) from error
    if not isinstance(held, dict) or CHECKSUM not in held:
        raise OtherlaneError(path, "is damaged (it has no checksum)", fix)
    rest = {key: value for key, value in held.items() if key != CHECKSUM}
    digest = hashlib.sha256(json_bytes(rest)).hexdigest()
    # the same bytes again: spaces, repeated keys and longer numbers are no part of the values
    if held[CHECKSUM] != digest or json_bytes(held) != data:
        raise OtherlaneError(path, "is damaged (its checksum differs)", fix)
    return rest


def read_own(path: Path, fix: str) -> bytes:
    """The bytes of a file of ours.

    Raises:
        OtherlaneError: It is missing, no plain file, too large, or cannot be read.
    """
    with system_errors_typed(path):
        if not path.is_file():  # a link to one will do: stores of large files make such
            there = os.path.lexists(path)
            wrong = "is not a plain file" if there else "does not exist"
            raise OtherlaneError(path, wrong, fix)
        if (size := path.stat().st_size) > MOST_BYTES:
            raise OtherlaneError(path, f"is too large ({size} bytes)", fix)
        return path.read_bytes()


def is_plain(path: Path) -> bool:
    """Whether a path is a file itself: no link to one, no folder, pipe or device."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def sha256(path: Path) -> str:
    """Hash of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
