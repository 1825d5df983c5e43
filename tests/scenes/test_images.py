import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from scenes.errors import DriveError
from scenes.sensors.images import (
    check_whole,
    image_size,
    linear_from_srgb,
    may_hide,
    read_image,
    read_picture,
    resize_linear,
    resize_opaque,
    srgb_from_linear,
)
from tests.strategies import arrays

NOISE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def written(folder: Path, fmt: str, mode: str = "RGB") -> Path:
    path = folder / f"picture.{fmt.lower()}"
    Image.fromarray(NOISE).convert(mode).save(path, format=fmt, **LOSSLESS.get(fmt, {}))
    return path


LOSSLESS = {"WEBP": {"lossless": True}}


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises a picture and holds nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize("fmt", ["PNG", "WEBP"])
def test_what_was_written_is_read(tmp_path: Path, fmt: str) -> None:
    path = written(tmp_path, fmt)
    assert image_size(path) == (60, 40)
    check_whole(path)
    assert_array_equal(read_image(path), NOISE)


def test_a_grey_picture_has_three_equal_channels(tmp_path: Path) -> None:
    image = read_image(written(tmp_path, "PNG", mode="L"))
    assert image.shape == (40, 60, 3)
    assert_array_equal(image[..., 0], image[..., 2])


@pytest.mark.parametrize("fmt", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.999])
def test_a_cut_picture_is_found_without_decoding(tmp_path: Path, fmt: str, kept: float) -> None:
    path = written(tmp_path, fmt)
    check_whole(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(DriveError, match="cut short"):
        check_whole(path)
    if kept < 0.99:  # all pixels may be there although the end is not
        with pytest.raises(DriveError):
            read_image(path)


TRAILERS = {
    "zeros": bytes(70_000),
    "ones": b"\xff" * 5_000,
    "blanks": b" \r\n" * 2_000,
    "a camera's own": b"SEFH" + bytes(range(200)) * 100 + b"SEFT",
    "a video": b"\0\0\0\x18ftypmp42" + np.random.default_rng(5).bytes(300_000),
}


@pytest.mark.parametrize("fmt", ["PNG", "JPEG"])
@pytest.mark.parametrize("trailer", TRAILERS.values(), ids=TRAILERS.keys())
def test_bytes_behind_a_picture_do_no_harm(tmp_path: Path, fmt: str, trailer: bytes) -> None:
    path = written(tmp_path, fmt)
    whole = path.read_bytes()
    path.write_bytes(whole + trailer)
    check_whole(path)
    assert read_image(path).shape == (40, 60, 3)
    path.write_bytes(whole[: len(whole) // 2] + trailer)
    with pytest.raises(DriveError, match="cut short"):
        check_whole(path)


def test_a_file_far_larger_than_a_picture_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "PNG")
    with path.open("r+b") as file:  # it takes no room on the disk
        file.truncate(5_000_000_000)
    for read in (check_whole, read_picture):
        with pytest.raises(DriveError, match="too large \\(5,000,000,000 bytes\\)"):
            read(path)


def test_the_end_of_a_thumbnail_is_not_the_end(tmp_path: Path) -> None:
    path, small = tmp_path / "picture.jpg", BytesIO()
    Image.fromarray(NOISE[:8, :8]).save(small, format="JPEG")
    exif = Image.Exif()
    exif[0x010E] = "a picture"
    Image.fromarray(NOISE).save(path, exif=exif.tobytes() + small.getvalue(), progressive=True)
    whole = path.read_bytes()
    assert whole.count(b"\xff\xd9") == 2
    for kept in (0.6, 0.95):
        path.write_bytes(whole[: int(kept * len(whole))] + bytes(6_000))
        with pytest.raises(DriveError, match="cut short"):
            check_whole(path)
    path.write_bytes(whole + bytes(6_000) + b"x")
    check_whole(path)


@pytest.mark.parametrize("side", [8_001, 10_000, 30_000, 2**31 - 1])
def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path, side: int) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(side, side))
    with pytest.raises(DriveError) as caught:
        read_image(path)
    assert "too large" in caught.value.wrong or "not a readable" in caught.value.wrong


@pytest.mark.parametrize("data", [b"", b"not a picture", b"BM" + bytes(60), png_header(0, 5)])
def test_what_is_no_picture_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(data)
    with pytest.raises(DriveError) as caught:
        image_size(path)
    assert caught.value.where == str(path)


def test_other_formats_and_depths_are_refused(tmp_path: Path) -> None:
    gif, deep = tmp_path / "x.gif", tmp_path / "deep.png"
    Image.fromarray(NOISE).save(gif)
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(deep)
    with pytest.raises(DriveError, match="not a readable picture"):
        image_size(gif)
    with pytest.raises(DriveError, match="mode I;16"):
        image_size(deep)
    with pytest.raises(DriveError, match="does not exist"):
        read_image(tmp_path / "missing.png")
    with pytest.raises(DriveError):
        image_size(tmp_path)


@given(arrays((8,), 0.0, 1.0))
def test_linear_light_and_back(srgb: np.ndarray) -> None:
    assert_allclose(srgb_from_linear(linear_from_srgb(srgb)), srgb, atol=1e-6)


def test_known_values_of_srgb() -> None:
    assert_allclose(linear_from_srgb(np.array([0.0, 0.5, 1.0])), [0.0, 0.21404, 1.0], atol=1e-5)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 12), st.integers(1, 12))
def test_resizing_keeps_the_light(height: int, width: int, rows: int, columns: int) -> None:
    image = NOISE[:height, :width]
    small = resize_linear(image, columns, rows)
    assert small.shape == (rows, columns, 3)
    light = linear_from_srgb(image / 255.0).mean(axis=(0, 1))
    assert_allclose(small.mean(axis=(0, 1)), light, atol=1e-6)


@given(st.integers(1, 5), st.integers(1, 5))
def test_resizing_by_whole_numbers_takes_means_of_blocks(across: int, down: int) -> None:
    image = NOISE[: 6 * down, : 8 * across]
    blocks = linear_from_srgb(image / 255.0).reshape(6, down, 8, across, 3).mean(axis=(1, 3))
    assert_allclose(resize_linear(image, 8, 6), blocks, atol=1e-6)


def test_the_same_size_is_the_same_picture() -> None:
    same = srgb_from_linear(resize_linear(NOISE, 60, 40))
    assert_array_equal(np.round(same * 255.0).astype(np.uint8), NOISE)


def test_a_file_is_not_kept_open(tmp_path: Path) -> None:
    path = written(tmp_path, "PNG")
    image = read_image(path)
    path.unlink()
    assert image.sum() > 0
    assert Image.open(BytesIO(png_header(2, 2))).size == (2, 2)


HOLE = np.zeros((40, 60), dtype=bool)
HOLE[5:20, 10:30] = True


def with_hole(kind: str, folder: Path) -> Path:
    """A picture whose `HOLE` is transparent, or nearly opaque, in one of the ways there are."""
    path = folder / ("hole.webp" if kind == "WEBP" else "hole.png")
    rgba = Image.fromarray(NOISE).convert("RGBA")
    rgba.putalpha(Image.fromarray(np.where(HOLE, 254 if kind == "nearly" else 0, 255).astype("u1")))
    if kind == "LA":
        rgba.convert("LA").save(path)
    elif kind == "P":  # one colour of a palette
        indices = np.where(HOLE, 7, 1 + NOISE[..., 0] % 6).astype(np.uint8)
        palette = Image.fromarray(indices, mode="P")
        palette.putpalette(list(range(24)))
        palette.save(path, transparency=7)
    elif kind == "RGB":  # one colour of all
        image = NOISE.copy()
        image[HOLE] = (1, 2, 3)
        Image.fromarray(image).save(path, transparency=(1, 2, 3))
    else:
        rgba.save(path, lossless=True)
    return path


@pytest.mark.parametrize("kind", ["RGBA", "nearly", "LA", "P", "RGB", "WEBP"])
def test_alpha_below_full_hides(tmp_path: Path, kind: str) -> None:
    path = with_hole(kind, tmp_path)
    assert may_hide(path)
    rgb, opaque = read_picture(path)
    assert opaque is not None
    assert_array_equal(opaque, ~HOLE)
    assert rgb.shape == (40, 60, 3)
    if kind in ("RGBA", "RGB", "WEBP"):
        assert_array_equal(rgb[~HOLE], NOISE[~HOLE])


def test_full_alpha_hides_nothing(tmp_path: Path) -> None:
    for mode in ("RGB", "RGBA", "L", "LA"):
        rgb, opaque = read_picture(written(tmp_path, "PNG", mode))
        assert opaque is None
        assert rgb.shape == (40, 60, 3)
    assert not may_hide(written(tmp_path, "JPEG"))
    assert resize_opaque(None, 7, 5).all()


@given(st.integers(1, 60), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_a_pixel_of_another_size_is_opaque_where_all_its_area_is(
    width: int, height: int, seed: int
) -> None:
    opaque = np.random.default_rng(seed).random((12, 18)) > 0.05
    found = resize_opaque(opaque, width, height)
    for row, column in np.ndindex(height, width):
        rows = slice(row * 12 // height, -(-(row + 1) * 12 // height))
        columns = slice(column * 18 // width, -(-(column + 1) * 18 // width))
        assert found[row, column] == opaque[rows, columns].all()


def test_a_palette_picture_without_its_palette_is_no_bug(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    Image.fromarray(NOISE).convert("P").save(path)
    data = path.read_bytes()
    start = data.index(b"PLTE") - 4
    length = int.from_bytes(data[start : start + 4], "big")
    path.write_bytes(data[:start] + data[start + 12 + length :])
    assert not may_hide(path)
    assert read_image(path).shape == (40, 60, 3)
