"""Arrays of an .npz archive, whose headers are checked before a byte is unpacked.

An archive of a few megabytes may unpack to terabytes, and an array may say that it has more
elements than its file has bytes: both are found out from the headers alone.
"""

import io
import math
import tokenize
import zipfile
import zlib
from collections.abc import Collection
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np

MOST_BYTES = 1 << 30
"""Largest sum of the arrays of an archive [bytes]."""
DAMAGE = (OSError, KeyError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error)
"""What reading a damaged archive may raise."""
UNREADABLE = (RuntimeError, MemoryError, SyntaxError, tokenize.TokenError)
"""What else zipfile and numpy's reader of headers raise: unknown packings, headers of no sense."""
SUFFIX = ".npy"
What = TypeVar("What")


def read_arrays(
    data: bytes, names: Collection[str] | None = None, most_bytes: int = MOST_BYTES
) -> dict[str, np.ndarray]:
    """Arrays of an archive by name.

    Args:
        data: The archive.
        names: Which arrays; all of them when left out.
        most_bytes: How large they may be together.

    Raises:
        KeyError: One is not there.
        ValueError: Too large, of objects, twice there, or not as large as it says. A damaged
            archive raises one of `DAMAGE`.
    """
    found: dict[str, np.ndarray] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        if len(entries) < len(archive.infolist()):
            raise ValueError("an array is there twice")
        wanted = [name.removesuffix(SUFFIX) for name in entries] if names is None else names
        total = sum(entries[name + SUFFIX].file_size for name in wanted)
        if total > most_bytes:
            raise ValueError(f"unpacks to {total} bytes, more than {most_bytes}")
        for name in wanted:
            entry = entries[name + SUFFIX]
            if entry.flag_bits & 1:
                raise ValueError(f"{name} is encrypted")
            try:
                found[name] = _array(archive, entry)
            except UNREADABLE as error:
                raise ValueError(f"{name}: {error}") from error
    return found


def made(of: type[What], **values: Any) -> What:
    """A dataclass from values that were read, whose arrays have to be as its annotations say.

    Raises:
        ValueError: An array has another type or shape, or the dataclass refuses what it holds.
    """
    wanted = {each.name: each.type for each in fields(of)}  # pyright: ignore[reportArgumentType]
    for name, value in values.items():
        if isinstance(value, np.ndarray) and not isinstance(value, wanted[name]):  # pyright: ignore[reportArgumentType]
            held = f"{name} is {value.dtype} of shape {value.shape}"
            raise ValueError(f"{held}, not {getattr(wanted[name], '__name__', wanted[name])}")
    return of(**values)


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(entry) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0
        if version != (1, 0):
            read = np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file)
        if dtype.hasobject:
            raise ValueError(f"{entry.filename} holds objects")
        size = entry.file_size - file.tell()
        if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != size:
            raise ValueError(f"{entry.filename} has {size} bytes, which is no {dtype} of {shape}")
        values = np.frombuffer(bytearray(file.read()), dtype=dtype)
    return values.reshape(shape, order="F" if fortran else "C")
