"""Files of frames: arrays come back as they were, and equal arrays are equal bytes."""

import io
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from render.folders.frames import encode_frame, npz_bytes, read_pixels
from render.labels.pixel_labels import PIXEL_LABELS
from scenes.semantics import COLOURS

ARRAYS = {
    "range_m": np.array([[1.5, np.inf], [np.nan, 0.25]], dtype=np.float32),
    "normal": np.random.default_rng(0).normal(size=(4, 5, 3)).astype(np.float16),
}


def test_archives_are_read_by_numpy() -> None:
    with np.load(io.BytesIO(npz_bytes(ARRAYS)), allow_pickle=False) as read:
        assert read.files == list(ARRAYS)
        for name, values in ARRAYS.items():
            assert read[name].dtype == values.dtype
            np.testing.assert_array_equal(read[name], values)


def test_archives_do_not_know_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = npz_bytes(ARRAYS)
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000.0)
    assert npz_bytes(ARRAYS) == now


@pytest.mark.parametrize("name", ["semantic", "instance"])
def test_maps_of_ids_show_colours_and_keep_their_ids(name: str, tmp_path: Path) -> None:
    label = next(x for x in PIXEL_LABELS if x.name == name)
    ids = np.arange(256, dtype=label.dtype).reshape(8, 32)
    (tmp_path / "frames").mkdir()
    for file, content in encode_frame("k", {name: ids}).items():
        (tmp_path / file).write_bytes(content)
    back = read_pixels(tmp_path, "k", [name])[name]
    assert back.dtype == ids.dtype
    assert np.array_equal(back, ids)
    with Image.open(tmp_path / f"frames/k.{name}.png") as picture:
        assert picture.mode == "P"
        assert np.array_equal(np.asarray(picture), ids)
        shown = np.asarray(picture.convert("RGB"))
    named = {(int(kind), colour) for kind, colour in COLOURS.items()}
    if name == "semantic":
        assert {(kind, tuple(shown.reshape(-1, 3)[kind].tolist())) for kind, _ in named} == named
    else:
        assert len(np.unique(shown.reshape(-1, 3), axis=0)) == 256
        assert shown.reshape(-1, 3)[1:].max(axis=-1).min() > 200  # nobody is dark


def test_ids_beyond_a_palette_are_kept_too(tmp_path: Path) -> None:
    ids = np.array([[0, 255], [256, 65535]], dtype=np.uint16)
    (tmp_path / "frames").mkdir()
    for file, content in encode_frame("k", {"instance": ids}).items():
        (tmp_path / file).write_bytes(content)
    back = read_pixels(tmp_path, "k", ["instance"])["instance"]
    assert back.dtype == np.uint16
    assert np.array_equal(back, ids)


def test_equal_maps_are_equal_bytes() -> None:
    ids = np.random.default_rng(0).integers(0, 40, (6, 7)).astype(np.uint8)
    assert encode_frame("k", {"semantic": ids}) == encode_frame("k", {"semantic": ids.copy()})
