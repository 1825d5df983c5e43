"""A sound folder passes; every kind of damage is named."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import render.commands
from render.exporters.coco import ANNOTATIONS
from render.folders.frames import encode_frame, read_pixels, read_records
from render.folders.verification import frame_problems
from render.labels.gate import LabelGate
from scenes.errors import OtherlaneError
from scenes.storage.clip_files import save_clip
from tests.render.analytic import street


@pytest.fixture
def copy(frames_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(frames_folder, tmp_path / "copy"))


def test_what_render_wrote_is_sound(frames_folder: Path) -> None:
    result = render.commands.verify(frames_folder)
    assert result["ok"], result["problems"]
    assert result["frames"] == 4


@pytest.mark.parametrize("name", ["frames/front/000001.rgb.png", "labels.jsonl", "preview.mp4"])
def test_a_flipped_bit_is_found(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    result = render.commands.verify(copy)
    assert not result["ok"]
    (problem,) = result["problems"]  # pyright: ignore[reportGeneralTypeIssues]
    assert problem.where == name


def test_a_missing_file_is_found(copy: Path) -> None:
    (copy / "exports/coco" / ANNOTATIONS).unlink()
    assert not render.commands.verify(copy)["ok"]


def test_an_added_file_is_found(copy: Path) -> None:
    (copy / "exports/kitti/label_2/999999.txt").write_text("")
    result = render.commands.verify(copy)
    assert not result["ok"]
    (problem,) = result["problems"]  # pyright: ignore[reportGeneralTypeIssues]
    assert problem.where == "exports/kitti/label_2/999999.txt"


Pixels = dict[str, np.ndarray]


def _move_box(record: dict, pixels: Pixels) -> None:
    del pixels
    next(item for item in record["objects"] if item["box_2d"])["box_2d"][2] += 1


def _lose_a_pixel(record: dict, pixels: Pixels) -> None:
    del record
    rows, columns = np.nonzero(pixels["instance"] == 1)
    pixels["instance"][rows[0], columns[0]] = 0


def _stranger(record: dict, pixels: Pixels) -> None:
    del record
    pixels["instance"][pixels["instance"] == 1] = 999


def _other_class(record: dict, pixels: Pixels) -> None:
    del record
    pixels["semantic"][pixels["instance"] == 1] = 22


def _unknown_class(record: dict, pixels: Pixels) -> None:
    del record
    pixels["semantic"][pixels["semantic"] == 2] = 200


def _ray_for_plane(record: dict, pixels: Pixels) -> None:
    del record
    pixels["z_m"][:] = pixels["range_m"]


def _solid_sky(record: dict, pixels: Pixels) -> None:
    del record
    pixels["range_m"][0, 0] = 5.0


def _skewed_pose(record: dict, pixels: Pixels) -> None:
    del pixels
    record["world_from_camera"][0][0] = 0.5


def _behind(record: dict, pixels: Pixels) -> None:
    del pixels
    record["objects"][0]["camera_from_box"][2][3] = -20.0


def _shown_after_all(record: dict, pixels: Pixels) -> None:
    del pixels
    record["objects"][0]["rendered"] = False


def _other_size(record: dict, pixels: Pixels) -> None:
    del pixels
    record["camera"]["width"] = 95


def _no_objects(record: dict, pixels: Pixels) -> None:
    del pixels
    del record["objects"]


def _label_of_a_few_pixels(record: dict, pixels: Pixels) -> None:
    del pixels
    item = next(item for item in record["objects"] if item["ignored"] and item["box_2d"])
    item["ignored"], item["ignore_region"] = None, None


def _ignored_without_a_region(record: dict, pixels: Pixels) -> None:
    del pixels
    next(item for item in record["objects"] if item["box_2d"])["ignored"] = "for no reason"


def _twice(record: dict, pixels: Pixels) -> None:
    del pixels
    record["objects"][1]["instance"] = record["objects"][0]["instance"]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_move_box, "box_2d is not the extent"),
        (_lose_a_pixel, "visible_px"),
        (_stranger, "instance 999 is no object"),
        (_other_class, "its pixels are"),
        (_unknown_class, "ids that the table lacks"),
        (_ray_for_plane, "cosine"),
        (_solid_sky, "disagree about the sky"),
        (_skewed_pose, "not a rotation"),
        (_behind, "behind the camera"),
        (_shown_after_all, "is not rendered but has pixels"),
        (_other_size, "rgb is not uint8 of 95x48 pixels"),
        (_no_objects, "record cannot be read"),
        (_twice, "share an instance"),
        (_label_of_a_few_pixels, "is a label with"),
        (_ignored_without_a_region, "if and only if it is ignored"),
    ],
)
def test_broken_laws_are_named(
    damage: Callable[[dict, Pixels], None], said: str, frames_folder: Path, tmp_path: Path
) -> None:
    record = read_records(frames_folder)[0]
    pixels = {name: x.copy() for name, x in read_pixels(frames_folder, record["key"]).items()}
    damage(record, pixels)
    (tmp_path / "frames" / "front").mkdir(parents=True)
    for name, content in encode_frame(record["key"], pixels).items():
        (tmp_path / name).write_bytes(content)
    problems = frame_problems(tmp_path, json.loads(json.dumps(record)), LabelGate())
    assert any(said in problem.wrong for problem in problems), problems
    assert all(problem.where == "000000.front" for problem in problems)


def test_a_damaged_picture_is_a_problem_not_a_crash(copy: Path) -> None:
    (copy / "frames/front/000000.npz").write_bytes(b"PK\x03\x04")
    (problem,) = frame_problems(copy, read_records(copy)[0])
    assert "is damaged" in problem.wrong


def test_other_folders_are_checked_too(tmp_path: Path) -> None:
    clip = save_clip(street().clip, tmp_path / "clip")
    assert render.commands.verify(clip)["ok"]
    (clip / "arrays.npz").write_bytes(b"")
    assert not render.commands.verify(clip)["ok"]


@pytest.mark.parametrize("content", [None, "{", "[]", '{"kind": 3}', '{"kind": "frames"}'])
def test_what_no_verb_wrote_is_refused(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(OtherlaneError):
        render.commands.verify(tmp_path)
