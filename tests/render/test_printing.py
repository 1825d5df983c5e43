"""Results as text and as JSON."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from render.printing import JsonLines, as_json, as_text


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    frame: int
    psnr_db: float


def test_json_says_paths_arrays_records_and_numbers_it_does_not_have() -> None:
    result = {
        "out": Path("a/b"),
        "psnr_db": np.float32(20.5),
        "size": np.array([2, 3]),
        "rows": (Row(frame=0, psnr_db=float("inf")),),
    }
    assert json.loads(as_json(result)) == {
        "out": "a/b",
        "psnr_db": 20.5,
        "size": [2, 3],
        "rows": [{"frame": 0, "psnr_db": None}],
    }


def test_what_json_cannot_say_is_a_bug() -> None:
    with pytest.raises(TypeError, match="object"):
        as_json({"what": object()})


def test_text_lines_up_keys_and_columns() -> None:
    rows = [Row(frame=0, psnr_db=20.123456), Row(frame=100, psnr_db=float("nan"))]
    assert as_text({"ok": True, "scene": "s", "rows": rows}) == "\n".join(
        ["ok     yes", "scene  s", "rows", "  frame  psnr_db", "  0      20.12", "  100    -"]
    )


def test_a_log_line_is_json_with_its_numbers() -> None:
    record = logging.LogRecord("otherlane.train", logging.INFO, "", 0, "step %d", (7,), None)
    record.otherlane = {"psnr_db": 20.0}
    line = json.loads(JsonLines().format(record))
    assert line["message"] == "step 7"
    assert line["psnr_db"] == 20.0
