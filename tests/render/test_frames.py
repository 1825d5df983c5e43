"""Files of frames: arrays come back as they were, and equal arrays are equal bytes."""

import io
import time

import numpy as np
import pytest

from render.frames import npz_bytes

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
