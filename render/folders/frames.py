"""Frames on disk, as `render` writes them and exporters read them.

    dataset.json                 what was rendered, from what, under which licence
    labels.jsonl                   one JSON object a picture, by increasing key (000012.front)
    frames/front/000012.rgb.png    and one picture for each pixel label that is stored as one
    frames/front/000012.npz        the other pixel labels, compressed

`render.labels.table` says what each label is and in which type it is stored, `dataset.json` which
pixel labels are there. Equal pictures give equal bytes. Maps of ids are palette pictures as long as
ids are below 256 (else 16-bit grey): what readers return that apply the palette, as OpenCV and
imageio do, are colours; Pillow returns the ids, and so does `read_pixels`.
"""

import io
import json
import zipfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from jaxtyping import UInt8

from render.json_value import Json
from render.labels.palettes import palettes
from render.labels.record_types import record_problem
from render.labels.table import PIXEL_LABELS, PIXEL_NAMES
from scenes.errors import OtherlaneError
from scenes.sensors.camera import Camera
from scenes.sensors.images import MAX_PIXELS, sizes_judged_here
from scenes.storage.arrays import DAMAGE, read_arrays
from scenes.storage.files import read_own, write_whole
from scenes.storage.manifests import parsed

FRAMES, RECORDS, DATASET = "frames", "labels.jsonl", "dataset.json"
ZLIB_LEVEL = 1
"""Part of what the bytes are. The noise of renderings hardly compresses: level 6 costs 2 to 8
times as much, saves nothing on arrays and 15 % on pictures."""


def frame_file(key: str, ending: str) -> str:
    """Name of one file of a picture: one folder for each camera, one name for each frame."""
    frame, _, camera = key.partition(".")
    return f"{FRAMES}/{camera}/{frame}.{ending}"


def frame_files(key: str, labels: Collection[str] = PIXEL_NAMES) -> tuple[str, ...]:
    """Names of all files of one picture with these pixel labels, relative to the folder."""
    held = [label for label in PIXEL_LABELS if label.name in labels]
    pictures = [frame_file(key, f"{x.name}.png") for x in held if x.stored == "png"]
    archive = [frame_file(key, "npz")] if any(x.stored == "npz" for x in held) else []
    return (*pictures, *archive)


def encode_frame(key: str, pixels: Mapping[str, np.ndarray]) -> dict[str, bytes]:
    """The files of one picture, by name; of those pixel labels that there are."""
    held = [label for label in PIXEL_LABELS if label.name in pixels]
    files = {
        frame_file(key, f"{x.name}.png"): png_bytes(pixels[x.name], palettes().get(x.name))
        for x in held
        if x.stored == "png"
    }
    arrays = {label.name: pixels[label.name] for label in held if label.stored == "npz"}
    return files | ({frame_file(key, "npz"): npz_bytes(arrays)} if arrays else {})


def npz_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    """What `np.savez_compressed` writes, at our level: it does not let callers choose one."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=ZLIB_LEVEL) as archive:
        for name, values in arrays.items():
            # Entries opened by their names alone carry no clock: equal arrays give equal bytes.
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, values, allow_pickle=False)
    return buffer.getvalue()


def png_bytes(image: np.ndarray, palette: bytes | None = None) -> bytes:
    """A lossless picture: uint8 [h, w] or [h, w, 3], or uint16 [h, w].

    Args:
        image: What it shows.
        palette: Colours of ids in turn, red, green and blue each; used where it has enough.
    """
    import imageio.v3 as iio

    if palette is not None and image.max(initial=0) < len(palette) // 3:
        return _palette_png(image.astype(np.uint8), palette)
    png = iio.imwrite(
        "<bytes>", image, extension=".png", plugin="pillow", compress_level=ZLIB_LEVEL
    )
    assert isinstance(png, bytes)
    return png


def _palette_png(ids: UInt8[np.ndarray, "h w"], palette: bytes) -> bytes:
    from PIL import Image

    picture, file = Image.fromarray(ids), io.BytesIO()
    picture.putpalette(palette)
    picture.save(file, format="PNG", compress_level=ZLIB_LEVEL)
    return file.getvalue()


def write_records(folder: Path, records: Sequence[Mapping[str, Json]]) -> None:
    """Write `labels.jsonl`, by increasing key."""
    ordered = sorted(records, key=lambda record: record["key"])
    lines = [json.dumps(record, sort_keys=True, allow_nan=False) + "\n" for record in ordered]
    write_whole(folder / RECORDS, "".join(lines).encode())


def read_records(folder: Path) -> list[dict[str, Json]]:
    """The labels of every picture, by increasing key, of the types that the table says.

    Raises:
        OtherlaneError: There are none, or they are damaged: twice, out of order, of other types.
    """
    path, fix = folder / RECORDS, "render again"
    if not path.exists():
        raise OtherlaneError(folder, f"has no {RECORDS}", "a folder that render made")
    records = list[dict[str, Json]]()
    for number, line in enumerate(read_own(path, fix).splitlines(), start=1):
        where = f"{path}:{number}"
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise OtherlaneError(where, f"is damaged ({error})", fix) from error
        if (problem := record_problem(record)) is not None:
            raise OtherlaneError(where, f"is damaged ({problem})", fix)
        if records and record["key"] <= (before := records[-1]["key"]):
            wrong = f"is of {record['key']} after {before}: keys must increase"
            raise OtherlaneError(where, wrong, fix)
        records.append(record)
    if not records:
        raise OtherlaneError(path, "holds no record of any picture", fix)
    return records


class _Dataset(msgspec.Struct):
    """What everybody may rely on in `dataset.json`."""

    drive: str
    licence: str
    otherlane: str
    inputs: dict[str, str]
    config: dict[str, Any]
    keep_rejected: bool = False
    pixel_labels: list[str] = []


def read_dataset(folder: Path) -> dict[str, Json]:
    """What a folder of frames was made from, and its licence.

    Raises:
        OtherlaneError: It does not say, or is damaged.
    """
    path, fix = folder / DATASET, "render again"
    if not path.exists():
        raise OtherlaneError(folder, f"has no {DATASET}", "a folder that render made")
    data = read_own(path, fix)
    parsed(data, path, _Dataset, fix)
    return json.loads(data)


def stored_labels(folder: Path) -> tuple[str, ...]:
    """Names of the pixel labels that a folder of frames holds (`render --labels`).

    Frames that lie in a folder without `dataset.json` hold all.

    Raises:
        OtherlaneError: It is damaged.
    """
    if not (folder / DATASET).is_file():
        return PIXEL_NAMES
    held = read_dataset(folder).get("pixel_labels", PIXEL_NAMES)
    return tuple(name for name in PIXEL_NAMES if name in held)


def lacking(where: object, held: Sequence[str], lacks: Sequence[str]) -> OtherlaneError:
    """What to say where pixel labels are needed that are not stored."""
    wrong = f"holds no {' and no '.join(lacks)} (its pixel labels: {', '.join(held) or 'none'})"
    ordered = [name for name in PIXEL_NAMES if name in (*held, *lacks)]
    return OtherlaneError(where, wrong, f"otherlane render with --labels {' '.join(ordered)}")


def camera_of(record: Mapping[str, Json]) -> Camera:
    """The camera that a picture's labels describe."""
    said = record["camera"]
    return Camera(
        width=said["width"],
        height=said["height"],
        fx=said["fx"],
        fy=said["fy"],
        cx=said["cx"],
        cy=said["cy"],
        distortion=tuple(said["distortion"]),
        readout_us=said["readout_us"],
        readout=said["readout"],
        lens=said["lens"],
    )


def read_pixels(
    folder: Path, key: str, names: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
    """Pixel labels of one picture by name; all that are stored when `names` is left out.

    Raises:
        OtherlaneError: One is not stored, or a file is missing or damaged.
    """
    held = stored_labels(folder)
    wanted = [x for x in PIXEL_LABELS if x.name in (held if names is None else names)]
    if lacks := [x.name for x in wanted if x.name not in held]:
        raise lacking(folder, held, lacks)
    values: dict[str, np.ndarray] = {}
    try:
        for label in wanted:
            if label.stored == "png":
                path = folder / frame_file(key, f"{label.name}.png")
                values[label.name] = _read_png(path).astype(label.dtype)
        archived = [label.name for label in wanted if label.stored == "npz"]
        if archived:
            values |= read_arrays((folder / frame_file(key, "npz")).read_bytes(), archived)
    except (SyntaxError, *DAMAGE) as error:
        fix = "render again"
        raise OtherlaneError(folder / FRAMES / key, f"is damaged ({error})", fix) from error
    return values


def _read_png(path: Path) -> np.ndarray:
    from PIL import Image

    try:
        with sizes_judged_here(), Image.open(path, formats=("PNG",)) as image:
            if image.width * image.height > MAX_PIXELS:  # before a pixel is decoded
                raise ValueError(f"{image.width}x{image.height} is too large")
            return np.asarray(image)
    except Image.DecompressionBombError as error:
        raise ValueError(f"is too large ({error})") from error
