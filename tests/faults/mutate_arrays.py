"""Ways to harm arrays, tensors and pictures that leave a file which still opens."""

import io
import json
import random
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.faults.mutate_files import ANY, JSON, TEXT, Harm

DTYPES = (
    "float32",
    "float64",
    "float16",
    "int32",
    "int64",
    "uint8",
    "bool",
    "complex128",
    "U8",
    "S3",
)


def _arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _save(path: Path, arrays: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, value in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.asarray(value))
    path.write_bytes(buffer.getvalue())


def _one(path: Path, rng: random.Random) -> tuple[dict[str, Any], str]:
    arrays: dict[str, Any] = _arrays(path)
    return arrays, rng.choice(sorted(arrays))


def other_type(path: Path, rng: random.Random) -> None:
    arrays, name = _one(path, rng)
    with np.errstate(all="ignore"):
        arrays[name] = arrays[name].astype(rng.choice(DTYPES))
    _save(path, arrays)


def other_shape(path: Path, rng: random.Random) -> None:
    arrays, name = _one(path, rng)
    value = arrays[name]
    choices = [
        value.T, value.ravel(), value[None], value[:0], value[:-1] if value.ndim else value[None],
        np.concatenate([value, value]) if value.ndim else value[None], value[..., None],
        value[..., :-1] if value.ndim else value[None, None],
    ]  # fmt: skip
    arrays[name] = rng.choice(choices)
    _save(path, arrays)


def strange_number(path: Path, rng: random.Random) -> None:
    arrays, name = _one(path, rng)
    value = np.array(arrays[name])
    if value.size:
        at = rng.randrange(value.size)
        if value.dtype.kind == "f":
            value.flat[at] = rng.choice((np.nan, np.inf, -np.inf, 1e30, -1.0, 0.0))
        elif value.dtype.kind in "iu":
            value.flat[at] = rng.choice((np.iinfo(value.dtype).max, np.iinfo(value.dtype).min, 7))
    arrays[name] = value
    _save(path, arrays)


def drop_array(path: Path, rng: random.Random) -> None:
    arrays, name = _one(path, rng)
    del arrays[name]
    _save(path, arrays)


def swap_arrays(path: Path, rng: random.Random) -> None:
    arrays, name = _one(path, rng)
    other = rng.choice(sorted(arrays))
    arrays[name], arrays[other] = arrays[other], arrays[name]
    _save(path, arrays)


def pickled(path: Path, rng: random.Random) -> None:
    """Objects, which would run code where they are unpickled."""
    arrays, name = _one(path, rng)
    arrays[name] = np.array([{"x": 1}], dtype=object)
    _save(path, arrays)


def lying_header(path: Path, rng: random.Random) -> None:
    """An array that says it has 10^12 elements."""
    arrays, name = _one(path, rng)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for each, value in arrays.items():
            entry = io.BytesIO()
            np.lib.format.write_array(entry, np.asarray(value))
            data = entry.getvalue()
            if each == name:
                shape = rng.choice(((10**12,), (10**6, 10**6), (-1,), (2**63,)))
                said = {"descr": value.dtype.str, "fortran_order": False, "shape": shape}
                head = (repr(said) + " ").encode()
                data = b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + data[128:]
            archive.writestr(f"{each}.npy", data)
    path.write_bytes(buffer.getvalue())


ARRAYS: tuple[Harm, ...] = (
    other_type, other_type, other_shape, other_shape, strange_number, strange_number, drop_array,
    swap_arrays, pickled, lying_header,
)  # fmt: skip


def _tensors(path: Path) -> tuple[dict[str, Any], bytes]:
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def _save_tensors(path: Path, header: dict[str, Any], body: bytes) -> None:
    said = json.dumps(header).encode()
    path.write_bytes(len(said).to_bytes(8, "little") + said + body)


def lying_tensor(path: Path, rng: random.Random) -> None:
    """Another type, shape or place than that of the bytes."""
    header, body = _tensors(path)
    name = rng.choice([each for each in header if each != "__metadata__"])
    said = header[name]
    changes: tuple[dict[str, Any], ...] = (
        {"dtype": rng.choice(("F16", "I64", "BOOL", "F64", "X7"))},
        {"shape": [*said["shape"], 1]}, {"shape": [10**12]}, {"shape": [-1]}, {"shape": []},
        {"shape": said["shape"][::-1]}, {"data_offsets": [0, 2**60]}, {"data_offsets": [8, 4]},
    )  # fmt: skip
    header[name] = {**said, **rng.choice(changes)}
    _save_tensors(path, header, body)


def drop_tensor(path: Path, rng: random.Random) -> None:
    header, body = _tensors(path)
    del header[rng.choice(sorted(header))]
    _save_tensors(path, header, body)


def strange_tensor(path: Path, rng: random.Random) -> None:
    """Bytes that are NaN, whatever the type."""
    header, body = _tensors(path)
    at = 4 * rng.randrange(max(1, len(body) // 4))
    _save_tensors(path, header, body[:at] + b"\xff\xff\xff\xff" + body[at + 4 :])


def other_metadata(path: Path, rng: random.Random) -> None:
    header, body = _tensors(path)
    meta = header.get("__metadata__", {})
    for key in meta:
        said = json.loads(meta[key]) if meta[key].startswith("{") else {}
        if isinstance(said, dict) and said:
            said[rng.choice(sorted(said))] = rng.choice((None, -1, "x", [], {}, 10**9))
        meta[key] = rng.choice((json.dumps(said), "", "{", "[]"))
    header["__metadata__"] = meta or {"otherlane": "{}"}
    _save_tensors(path, header, body)


def huge_header(path: Path, rng: random.Random) -> None:
    """A header that says it has 2^60 bytes."""
    data = path.read_bytes()
    path.write_bytes(rng.choice((2**60, 2**63, 10**8)).to_bytes(8, "little") + data[8:])


TENSORS: tuple[Harm, ...] = (
    lying_tensor, lying_tensor, lying_tensor, drop_tensor, strange_tensor, strange_tensor,
    other_metadata, other_metadata, huge_header,
)  # fmt: skip


def other_picture(path: Path, rng: random.Random) -> None:
    """A sound picture of another size or kind."""
    with Image.open(path) as image:
        was, size = image.convert("RGB"), image.size
    width, height = size
    name = rng.choice(("size", "mode", "pixels", "turned", "deep", "one pixel", "bits"))
    changed: Image.Image = was
    if name == "size":
        changed = was.resize((width + 1, height))
    elif name == "mode":
        changed = was.convert(rng.choice(("L", "P", "RGBA", "1", "CMYK")))
    elif name == "pixels":
        changed = Image.eval(was, lambda value: 255 - value)
    elif name == "turned":
        changed = was.transpose(Image.Transpose.ROTATE_90)
    elif name == "deep":
        changed = Image.fromarray(np.zeros((height, width), np.uint16))
    elif name == "one pixel":
        changed = was.resize((1, 1))
    changed.save(path, format="TIFF" if changed.mode == "CMYK" else "PNG")


def harms_of(path: Path) -> tuple[Harm, ...]:
    """What can be done to a file of that name."""
    suffix = path.suffix
    if suffix in (".json", ".jsonl"):
        more = (*JSON, *JSON, *TEXT)
    elif suffix in (".txt", ".toml", ".xosc"):
        more = (*TEXT, *TEXT)
    elif suffix == ".npz":
        more = (*ARRAYS, *ARRAYS)
    elif suffix == ".safetensors":
        more = (*TENSORS, *TENSORS)
    elif suffix == ".png":
        more = (other_picture,) * 8
    else:
        more = ()
    return (*ANY, *more)
