"""Pictures at the door: sRGB, 8 bits a channel, checked before a byte is decoded.

Decoders are attacked through dimensions and truncation, so the header is read first, and a
picture larger than `MAX_PIXELS` is refused without decoding it. Alpha is a mask: a pixel whose
alpha is less than full shows nothing that counts.
"""

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8

from scenes.errors import DriveError
from scenes.storage.contents import check_file

MAX_PIXELS = 64_000_000
"""Largest picture that is opened [px]."""
FORMATS = ("PNG", "JPEG", "WEBP")
"""The decoders that may run."""
MODES = ("L", "LA", "RGB", "RGBA", "P")
"""The pixels that may be in a picture, by Pillow's names: 8-bit grey or colour."""
LEAST_HIDDEN = 1e-6
"""Share of a pixel's area that may be hidden: none, but for rounding errors."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
"""How files of these formats end."""
MAX_BYTES = 8 * MAX_PIXELS
"""Largest file of a picture that is read: twice what its pixels take without compression."""
CHUNK_BYTES = 2**16
"""Files are read in pieces of this size, from their ends."""
PNG_END, JPEG_END = b"IEND\xaeB`\x82", b"\xff\xd9"
JPEG_MARK = re.compile(rb"\xff+([^\x00\x01\xff\xd0-\xd7])")
"""A mark that begins a segment, or ends the picture."""
PADDING = b"\0\xff \t\r\n"
"""What cameras and copies fill files with behind the picture."""


def image_size(path: Path) -> tuple[int, int]:
    """Width and height [px] from the header; nothing is decoded.

    Raises:
        DriveError: No such file, no file, not a picture, of an unknown kind, or too large.
    """
    return _header(path, path)[0]


def may_hide(path: Path) -> bool:
    """Whether a picture has alpha, from the header; nothing is decoded.

    Raises:
        DriveError: As `image_size`.
    """
    return _header(path, path)[1]


@contextmanager
def sizes_judged_here() -> Iterator[None]:
    """Pillow only warns of pictures that are a little too large; here they are refused."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def _header(source: Path | BytesIO, path: Path) -> tuple[tuple[int, int], bool]:
    """Width and height [px], and whether there is alpha."""
    from PIL import Image, UnidentifiedImageError

    if isinstance(source, Path):
        check_file(source)
    try:
        with sizes_judged_here(), Image.open(source, formats=FORMATS) as image:
            size, mode = image.size, image.mode
            # Pillow's own question asserts that there is a palette, which a file may lack
            has_alpha = mode in ("LA", "RGBA") or "transparency" in image.info
    except FileNotFoundError as error:
        raise DriveError(path, "does not exist", "import the drive again, or restore it") from error
    except UnidentifiedImageError as error:
        raise DriveError(path, "is not a readable picture", _formats()) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise DriveError(path, f"is not a readable picture ({error})", _formats()) from error
    except Image.DecompressionBombError as error:
        raise DriveError(path, f"is too large ({error})", f"at most {MAX_PIXELS} px") from error
    if size[0] * size[1] > MAX_PIXELS:
        raise DriveError(path, f"is too large ({size[0]}x{size[1]})", f"at most {MAX_PIXELS} px")
    if min(size) < 1:
        raise DriveError(path, f"has no pixels ({size[0]}x{size[1]})", "a picture with pixels")
    if mode not in MODES:
        raise DriveError(path, f"has pixels of mode {mode}", "8-bit grey or RGB")
    return size, has_alpha


def check_whole(path: Path) -> None:
    """Whether a picture's end is there; nothing is decoded.

    A copy that broke off has a good header. PNG ends with an IEND chunk, JPEG with an EOI mark,
    and WebP's header says how long the file is. Behind the end there may be padding of any length,
    or, behind a JPEG's, what a camera adds (`_jpeg_ends`).

    Raises:
        DriveError: The file is cut short, or far larger than a picture.
    """
    _check_bytes(path)
    with path.open("rb") as file:
        head, size = file.read(12), file.seek(0, os.SEEK_END)
        if head.startswith(b"\x89PNG"):
            whole = _ending(file, size).endswith(PNG_END) or _png_ends(file, size)
        elif head.startswith(b"\xff\xd8"):
            whole = _ending(file, size).endswith(JPEG_END) or _jpeg_ends(file)
        else:
            whole = size >= 8 + int.from_bytes(head[4:8], "little")
    if not whole:
        raise DriveError(path, "is cut short (its end is missing)", "copy it again")


def _check_bytes(path: Path) -> None:
    if (size := path.stat().st_size) > MAX_BYTES:
        wrong = f"is too large ({size:,} bytes)"
        raise DriveError(path, wrong, f"a picture of at most {MAX_BYTES:,} bytes")


def _ending(file: BufferedReader, size: int) -> bytes:
    """Some bytes of a file, up to its last one that is no padding."""
    for start in range(size - CHUNK_BYTES, -CHUNK_BYTES, -CHUNK_BYTES):
        file.seek(max(0, start - len(PNG_END)))
        kept = file.read(min(start, 0) + CHUNK_BYTES + len(PNG_END)).rstrip(PADDING)
        if kept:
            return kept
    return b""


def _png_ends(file: BufferedReader, size: int) -> bool:
    """Whether the chunks of a PNG lead to its end: something else lies behind it."""
    at = 8
    while at < size:
        file.seek(at)
        head = file.read(8)
        at += 12 + int.from_bytes(head[:4], "big")
        if head[4:] == b"IEND":
            return at <= size
    return False


def _jpeg_ends(file: BufferedReader) -> bool:
    """Whether the segments of a JPEG lead to its end: something else lies behind it.

    In the data between segments, an end mark cannot occur; within a segment, it may be that of a
    thumbnail, so that segments are passed over by their lengths.
    """
    file.seek(0)
    data, at = file.read(3 * MAX_PIXELS), 2  # compressed, no picture takes more than its pixels
    while found := JPEG_MARK.search(data, at):
        at, code = found.end(), found[1]
        if code == JPEG_END[1:]:
            return True
        if code != b"\xd8":
            at += max(2, int.from_bytes(data[at : at + 2], "big"))
    return False


def read_image(path: Path) -> UInt8[np.ndarray, "h w 3"]:
    """The picture as sRGB; a grey one has three equal channels. Alpha is left out.

    Raises:
        DriveError: As `image_size`, or the file is cut short.
    """
    return read_picture(path)[0]


Decoded = tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"] | None]
"""A picture as sRGB, and which pixels are opaque; None where all are."""


def read_picture(path: Path) -> Decoded:
    """The picture as sRGB, and which of its pixels are opaque (None where all are).

    Raises:
        DriveError: As `image_size`, or the file is cut short, or far larger than a picture.
    """
    image_size(path)  # before its bytes are read: they may be many
    _check_bytes(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DriveError(path, f"cannot be read ({error})", "check its permissions") from error
    return decode(data, path)


def decode(data: bytes, path: Path) -> Decoded:
    """As `read_picture`, of the bytes of a file, which is named in errors.

    Raises:
        DriveError: Not a picture, of an unknown kind, too large, or cut short.
    """
    from PIL import Image

    _, has_alpha = _header(BytesIO(data), path)
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as image:
            if not has_alpha:
                return np.asarray(image.convert("RGB")), None
            rgba = np.asarray(image.convert("RGBA"))
    except (OSError, SyntaxError, ValueError) as error:
        raise DriveError(path, f"is cut short or damaged ({error})", "copy it again") from error
    opaque = rgba[..., 3] == 255
    return np.ascontiguousarray(rgba[..., :3]), None if opaque.all() else opaque


def _formats() -> str:
    return f"one of {', '.join(FORMATS)}"


def linear_from_srgb(srgb: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """Linear light of sRGB values in 0..1 (IEC 61966-2-1)."""
    low = srgb <= 0.04045
    return np.where(low, srgb / 12.92, ((np.maximum(srgb, 0.04045) + 0.055) / 1.055) ** 2.4)


def srgb_from_linear(linear: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """sRGB values of linear light; not clipped (IEC 61966-2-1)."""
    low = linear <= 0.0031308
    return np.where(low, linear * 12.92, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055)


def resize_linear(
    image: UInt8[np.ndarray, "h w 3"], width: int, height: int
) -> Float[np.ndarray, "height width 3"]:
    """The picture at another size, averaged over areas in linear light; returns linear light.

    Each output pixel is the exact mean over its area of the input, whatever the ratio, so that
    a smaller picture is what a camera with fewer pixels would have taken.
    """
    linear = linear_from_srgb(np.arange(256) / 255.0).astype(np.float32)[image]
    rows = _area_weights(image.shape[0], height)
    columns = _area_weights(image.shape[1], width)
    return _weighted(_weighted(linear, *rows).swapaxes(0, 1), *columns).swapaxes(0, 1)


def resize_opaque(
    opaque: Bool[np.ndarray, "h w"] | None, width: int, height: int
) -> Bool[np.ndarray, "height width"]:
    """Which pixels of the picture at another size are opaque all over (None: all pixels are)."""
    if opaque is None:
        return np.ones((height, width), dtype=bool)
    hidden = (~opaque)[..., None].astype(np.float32)
    rows, columns = _area_weights(opaque.shape[0], height), _area_weights(opaque.shape[1], width)
    share = _weighted(_weighted(hidden, *rows).swapaxes(0, 1), *columns).swapaxes(0, 1)[..., 0]
    return share < LEAST_HIDDEN


def _area_weights(size: int, wanted: int) -> tuple[np.ndarray, np.ndarray]:
    """Edges of each output cell in input pixels: integral images make the mean exact."""
    edges = np.linspace(0.0, size, wanted + 1)
    return edges[:-1], edges[1:]


def _weighted(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    total = np.concatenate([np.zeros_like(values[:1]), values]).astype(np.float64).cumsum(axis=0)

    def upto(edge: np.ndarray) -> np.ndarray:
        whole = np.minimum(np.floor(edge).astype(np.int64), len(values) - 1)
        part = (edge - whole)[:, None, None]
        return total[whole] * (1.0 - part) + total[whole + 1] * part

    return ((upto(high) - upto(low)) / (high - low)[:, None, None]).astype(np.float32)
