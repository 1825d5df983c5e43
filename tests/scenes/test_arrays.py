"""Archives of arrays: read as numpy writes them, refused before they are unpacked."""

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from scenes.errors import DriveError, OtherlaneError
from scenes.storage.arrays import DAMAGE, read_arrays
from scenes.storage.clip_files import load_clip, save_clip
from scenes.storage.contents import check_file
from tests.actor_fields_maker import peopled_drive
from tests.harm import sign_again


def archive(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # pyright: ignore[reportArgumentType]
    return buffer.getvalue()


def entry(data: bytes, name: str = "a.npy") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr(name, data)
    return buffer.getvalue()


def header(shape: str, descr: str = "'<f8'") -> bytes:
    said = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(said).to_bytes(2, "little") + said


@pytest.mark.parametrize(
    "value",
    [
        np.arange(6.0).reshape(2, 3), np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.zeros((0, 4, 4)), np.array(7), np.array(["a", "bc"]), np.array([True]),
    ],
)  # fmt: skip
def test_what_numpy_writes_is_read(value: np.ndarray) -> None:
    found = read_arrays(archive(value=value, other=np.zeros(3)))
    assert set(found) == {"value", "other"}
    assert found["value"].dtype == value.dtype
    np.testing.assert_array_equal(found["value"], value)
    assert set(read_arrays(archive(value=value, other=np.zeros(3)), ["other"])) == {"other"}


@pytest.mark.parametrize(
    "data",
    [
        b"", b"PK\x03\x04", archive(a=np.zeros(3))[:-5],
        entry(header("(1000000000000,)")), entry(header("(-1,)")), entry(header("(3,)") + bytes(8)),
        entry(header("(1,)") + bytes(16)), entry(header("(1,)", "'|O'") + bytes(8)),
        entry(header("(1")), entry(header("[" * 4000)), entry(b"\x93NUMPY\x07\x00\x00\x00"),
        entry(b"no array"),
    ],
)  # fmt: skip
def test_damage_is_what_readers_expect(data: bytes) -> None:
    with pytest.raises(DAMAGE):
        read_arrays(data)


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    data = entry(header("(2097152,)") + bytes(1 << 24))
    assert len(data) < 1 << 16
    with pytest.raises(ValueError, match="unpacks to 16777"):
        read_arrays(data, most_bytes=1 << 20)


def test_a_name_that_is_there_twice_is_refused() -> None:
    buffer = io.BytesIO(archive(a=np.zeros(3)))
    with zipfile.ZipFile(buffer, "a") as made, pytest.warns(UserWarning, match="Duplicate"):
        made.writestr("a.npy", b"")
    with pytest.raises(ValueError, match="twice"):
        read_arrays(buffer.getvalue())


@pytest.mark.parametrize("place", ["/dev/zero", "folder", "pipe"])
def test_what_never_ends_is_no_file(place: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DriveError, match="is no file"):
        check_file(tmp_path / place)


def test_a_link_to_a_file_is_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("file")
    check_file(tmp_path / "link")
    check_file(tmp_path / "missing")  # whoever opens it says so


def other_types(value: np.ndarray) -> list[np.ndarray]:
    kinds = ("complex128", "U8", "float32", "int8", "float64", "bool")
    return [value.astype(kind) for kind in kinds if value.dtype != kind]


def other_shapes(value: np.ndarray) -> list[np.ndarray]:
    return [value[None], value[..., None], value[..., :-1], np.concatenate([value, value])]


@pytest.mark.parametrize("change", [other_types, other_shapes])
def test_a_clip_of_other_arrays_is_refused(
    change: Callable[[np.ndarray], list[np.ndarray]], tmp_path: Path
) -> None:
    clip = save_clip(peopled_drive(tmp_path / "pictures"), tmp_path / "clip")
    whole = read_arrays((clip / "arrays.npz").read_bytes())
    for name, value in whole.items():
        for other in change(value):
            (clip / "arrays.npz").write_bytes(archive(**(whole | {name: other})))
            sign_again(clip)
            with pytest.raises(OtherlaneError, match="is not a clip"):
                load_clip(clip)
