"""Results as text and as JSON."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from render.console.printing import JsonLines, as_json, as_text
from render.console.spoken import verification_text


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
    assert as_text({"ok": True, "scene": "s", "rows": rows}).splitlines() == [
        "ok     yes",
        "scene  s",
        "rows",
        "          PSNR",
        "  frame   [dB]",
        "      0  20.12",
        "    100      -",
    ]


def test_a_log_line_is_json_with_its_numbers() -> None:
    record = logging.LogRecord("otherlane.train", logging.INFO, "", 0, "step %d", (7,), None)
    record.otherlane = {"psnr_db": 20.0}
    line = json.loads(JsonLines().format(record))
    assert line["message"] == "step 7"
    assert line["psnr_db"] == 20.0


SCORES = {
    "actors": {
        "boxes": 3, "psnr_db": 26.0, "without_psnr_db": 24.5, "psnr_db_median": 26.2,
        "without_psnr_db_median": 24.4,
        "per_actor": {"1": {"boxes": 3, "psnr_db": 26.0, "without_psnr_db": 24.5}},
    },
    "all": {"psnr_db": 22.0},
    "backend": "native",
    "beside": {"left": {"psnr_db": 20.0, "psnr_affine_db": 21.0, "ssim": 0.5, "flip": 0.2,
                        "depth_abs_rel": None, "beside_m": 0.5, "frames": 5}},
    "depth_abs_rel": 0.0456,
    "extrapolation": {"psnr_db": 18.9, "psnr_db_median": 18.8, "psnr_affine_db": 19.9,
                      "ssim": 0.5, "flip": 0.25, "depth_abs_rel": 0.07, "frames": 1},
    "flip": 0.155,
    "frames": 4,
    "off_path": [{"shift_m": shift, "psnr_db": 24.0 - shift, "psnr_affine_db": 24.0, "flip": 0.1,
                  "depth_abs_rel": 0.065, "box_iou": 0.9, "views": 2} for shift in (0.0, 3.0)],
    "per_frame": [{"camera": "front", "frame": 8, "psnr_db": 24.0},
                  {"camera": "front", "frame": 0, "psnr_db": 18.9}],
    "psnr_affine_db": 23.86,
    "psnr_affine_db_median": 23.5,
    "psnr_db": 23.81,
    "psnr_db_median": 23.45,
    "recipe": "preview",
    "resolution": [320, 96],
    "seed": 0,
    "ssim": 0.703,
    "steps": 800,
    "train_seconds": 73.6,
    "a_new_list": [{"what": "said all the same"}],
    "out": "scene.evaluation",
}  # fmt: skip


@pytest.mark.parametrize("width", [60, 80, 200])
def test_an_evaluation_says_its_headline_first_in_lines_that_fit(width: int) -> None:
    lines = as_text(SCORES, "evaluate", width).splitlines()
    assert lines[0].startswith("23.81 dB PSNR on 4 pictures of 320x96")
    assert all(len(line) <= width for line in lines)
    text = "\n".join(lines)
    wanted = ("median 23.45", "gain 1.50 dB", "Worst picture: front 0", "said all", "3 m left")
    for words in wanted:
        assert words in " ".join(text.split())
    assert "psnr_affine_db" not in text
    if width >= 80:
        top = next(i for i, line in enumerate(lines) if line.startswith("  where"))
        places = [line.split()[0] for line in lines[top + 1 : top + 6]]
        assert places == ["recorded", "at", "camera", "0", "3"]


def test_a_scene_without_truth_or_road_users_is_said_too() -> None:
    bare = SCORES | {"actors": None, "beside": None, "extrapolation": None, "depth_abs_rel": None}
    bare.pop("off_path")
    text = as_text(bare, "evaluate", 80)
    assert "depth error  " not in text
    assert "Road users" not in text
    bare.pop("psnr_db_median")  # scores of an older version, or of no picture that shows anything
    bare["per_frame"] = [{"camera": "front", "frame": 8, "psnr_db": None}] * 2
    assert "median 23" not in as_text(bare, "evaluate", 80)


def test_doctor_says_first_whether_it_works_and_then_what_does_not() -> None:
    def check(name: str, works: bool, optional: bool = False) -> dict[str, object]:
        remedy = "" if works else "pip install " + "something " * 12
        return {
            "name": name,
            "works": works,
            "optional": optional,
            "found": "1.0",
            "remedy": remedy,
        }

    good = [check("python", True), check("cuda device", False, optional=True)]
    lines = as_text({"ok": True, "checks": good}, "doctor", 80).splitlines()
    assert lines[0] == "Everything that otherlane needs works here. It does without cuda device."
    assert any(line.startswith("  --  cuda device") for line in lines)
    assert all(len(line) <= 80 for line in lines)
    bad = as_text({"ok": False, "checks": [*good, check("torch", False)]}, "doctor", 80)
    assert bad.startswith("otherlane does not work here: torch.")
    assert "  NO  torch" in bad
    assert "try: pip install something" in bad


def test_verify_says_whether_it_is_sound() -> None:
    whole = {"ok": True, "folder": "f", "kind": "frames", "files": 48, "frames": 1,
             "problems_found": 0, "problems": []}  # fmt: skip
    said = as_text(whole, "verify", 200)
    assert said.startswith("Whole and sound: 48 files of f (frames)")
    assert "the labels of 1 frame keep" in said
    broken = whole | {"ok": False, "problems_found": 2,
                      "problems": [{"where": "a", "wrong": "is missing"}]}  # fmt: skip
    lines = as_text(broken, "verify", 200).splitlines()
    assert lines == ["NOT sound: 2 problems in 48 files of f (frames).",
                     "  a: is missing", "  ... and 1 more"]  # fmt: skip


def test_long_values_and_wide_tables_fit() -> None:
    result = {"notes": ["one " * 30, "two " * 30], "table": [{"a" * 30: "b" * 30, "c" * 30: 1.5}]}
    lines = as_text(result, width=50).splitlines()
    assert all(len(line) <= 50 for line in lines)
    assert " ".join(lines).split().count("two") == 30


def test_verify_says_what_it_could_not_check() -> None:
    result = {
        "ok": True, "folder": "out", "kind": "frames", "files": 3, "frames": 1,
        "problems_found": 0, "problems": [], "unchecked": ["the sky is far (needs range_m)"],
    }  # fmt: skip
    said = verification_text(result, 80)
    assert "Not checked, for want of pixel labels: the sky is far (needs range_m)." in said
    assert "Not checked" not in verification_text({**result, "unchecked": []}, 80)
