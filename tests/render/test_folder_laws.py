"""Folders whose manifest agrees with their files, but which no verb would have written.

Records that are missing, doubled, reversed or none at all, exports of other pictures, scenarios
that do not add up: whoever makes the manifest fit (`sign_again`) is still found out.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import render.commands
from render.cli import main
from render.exporters.coco import ANNOTATIONS
from render.folders.frames_laws import Settings, unchecked_exports
from scenes.storage.clip_files import save_clip
from scenes.storage.files import read_signed, write_signed
from scenes.storage.manifests import MANIFEST
from tests.clip_maker import make_clip, ride
from tests.harm import sign_again

RECORDS = "labels.jsonl"
REQUEST = """
name = "left"
count = 3
[[edits]]
kind = "lane-change"
offset_m = { min = 2.5, max = 3.0 }
start_us = 500_000
duration_us = 3_000_000
"""


@pytest.fixture
def frames(frames_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(frames_folder, tmp_path / "frames"))


@pytest.fixture
def scenarios(tmp_path: Path) -> Path:
    clip = save_clip(make_clip(ride()), tmp_path / "clip")
    (tmp_path / "left.toml").write_text(REQUEST)
    words = ["perturb", str(clip), "--request", str(tmp_path / "left.toml")]
    assert main([*words, "--out", str(tmp_path / "scenarios")]) == 0
    return tmp_path / "scenarios"


def problems(folder: Path) -> list[str]:
    """What `verify` says once the manifest was made to fit."""
    sign_again(folder)
    return said(folder)


def said(folder: Path) -> list[str]:
    found = render.commands.verify(folder)["problems"]
    assert isinstance(found, list)
    return [f"{problem.where}: {problem.wrong}" for problem in found]


def lines(folder: Path) -> list[str]:
    return (folder / RECORDS).read_text().splitlines(keepends=True)


def write(folder: Path, changed: list[str]) -> None:
    (folder / RECORDS).write_text("".join(changed))


def missing(folder: Path) -> None:
    write(folder, lines(folder)[:-1])


def doubled(folder: Path) -> None:
    write(folder, [*lines(folder)[:2], *lines(folder)[1:]])


def reversed_(folder: Path) -> None:
    write(folder, lines(folder)[::-1])


def none(folder: Path) -> None:
    write(folder, [])


def one_changed(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def harm(folder: Path) -> None:
        held = lines(folder)
        record = json.loads(held[1])
        change(record)
        write(folder, [held[0], json.dumps(record) + "\n", *held[2:]])

    return harm


def deep(folder: Path) -> None:
    write(folder, ["[" * 100_000 + "]" * 100_000 + "\n"])


RECORD_FAULTS: list[tuple[str, Callable[[Path], None], str]] = [
    ("missing", missing, "has no record of 000003.front (1 missing)"),
    ("doubled", doubled, "is of 000001.front after 000001.front"),
    ("reversed", reversed_, "is of 000002.front after 000003.front"),
    ("none", none, "holds no record"),
    ("deep", deep, "labels.jsonl:1: is damaged"),
    ("another key", one_changed(lambda x: x.update(key="000001.off")), "which was not asked for"),
    ("a path as key", one_changed(lambda x: x.update(key="../../x")), "its key is '../../x'"),
    ("time backwards", one_changed(lambda x: x.update(time_us=-1)), "camera front do not increase"),
    ("no camera", one_changed(lambda x: x.pop("camera")), "it has no camera"),
    ("camera of NaN", one_changed(lambda x: x["camera"].update(fx=float("nan"))), "camera.fx"),
    ("no objects", one_changed(lambda x: x.pop("objects")), "no list of objects"),
    ("a pose of 15", one_changed(lambda x: x["world_from_ego"][0].pop()), "world_from_ego is not"),
    ("unknown gate", one_changed(lambda x: x.update(gate="maybe")), "gate is 'maybe'"),
    ("another licence", one_changed(lambda x: x.update(licence="MIT")), "its licence is not that"),
    ("no box", one_changed(lambda x: x["objects"][0].update(size_m=None)), "size_m is not"),
    ("unknown class", one_changed(lambda x: x["objects"][0].update({"class": "UFO"})), "'UFO'"),
]  # fmt: skip


@pytest.mark.parametrize(("harm", "wrong"), [x[1:] for x in RECORD_FAULTS],
                         ids=[x[0] for x in RECORD_FAULTS])  # fmt: skip
def test_records_are_what_was_asked_for(
    harm: Callable[[Path], None], wrong: str, frames: Path
) -> None:
    harm(frames)
    assert any(wrong in problem for problem in problems(frames)), said(frames)


def picture_gone(folder: Path) -> None:
    (folder / "frames/front/000001.rgb.png").unlink()


@pytest.mark.parametrize("harm", [missing, doubled, reversed_, none, deep, picture_gone])
def test_they_are_not_exported_either(
    harm: Callable[[Path], None], frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    harm(frames)
    sign_again(frames)
    assert main(["export", str(frames), "--out", str(tmp_path / "out")]) == 2
    assert "\n  try: render again" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_what_is_there_no_more_is_missed(frames: Path) -> None:
    (frames / "frames/front/000002.semantic.png").unlink()
    (frames / "preview.mp4").unlink()
    found = problems(frames)
    assert "frames/front/000002.semantic.png: is missing: the folder was made to hold it" in found
    assert "preview.mp4: is missing: the folder was made to hold it" in found


def test_what_was_added_belongs_to_nothing(frames: Path) -> None:
    shutil.copy(frames / "frames/front/000002.rgb.png", frames / "frames/front/000007.rgb.png")
    assert any("000007.rgb.png: belongs to nothing" in problem for problem in problems(frames))


def test_a_dataset_of_other_frames_is_found(frames: Path) -> None:
    path = frames / "dataset.json"
    dataset = json.loads(path.read_text())
    dataset["config"]["frames"] = [0, 1]
    path.write_text(json.dumps(dataset))
    assert "dataset.json: its config is not that of the manifest" in problems(frames)


def kitti_labels(folder: Path) -> None:
    path = folder / "exports/kitti/label_2/000001.txt"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))


def kitti_picture_gone(folder: Path) -> None:
    (folder / "exports/kitti/image_2/000001.png").unlink()


def kitti_mapping(folder: Path) -> None:
    path = folder / "exports/kitti/mapping.txt"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def coco(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def harm(folder: Path) -> None:
        path = folder / "exports/coco" / ANNOTATIONS
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return harm


def coco_picture(folder: Path) -> None:
    first, second = sorted((folder / "exports/coco/images").iterdir())[:2]
    shutil.copy(first, second)


@pytest.mark.parametrize(
    ("harm", "wrong"),
    [
        (kitti_labels, "label_2/000001.txt: is not what the picture's record says"),
        (kitti_picture_gone, "image_2/000001.png: is missing"),
        (kitti_mapping, "is not in mapping.txt"),
        (coco(lambda x: x["images"].pop()), "its images are not the files"),
        (coco(lambda x: x["images"].reverse()), "accepted pictures, in order"),
        (coco(lambda x: x["annotations"].pop()), "are not the objects of its record"),
        (coco(lambda x: x["annotations"].append(x["annotations"][0])), "share an id"),
        (coco(lambda x: x.pop("categories")), "cannot be read"),
        (coco_picture, "its pictures are not those that were accepted"),
    ],
)
def test_exports_hold_the_accepted_pictures(
    harm: Callable[[Path], None], wrong: str, frames: Path
) -> None:
    harm(frames)
    assert any(wrong in problem for problem in problems(frames)), said(frames)


@pytest.mark.parametrize(
    "config",
    [
        {}, {"frames": "all"}, {"frames": [-1]}, {"frames": [0], "formats": 7},
        {"frames": [0], "gate": {"min_px": -1}}, {"frames": [0], "gate": {"min_px": "x"}},
    ],
)  # fmt: skip
def test_a_config_of_other_types_is_refused_in_words(
    config: dict[str, Any], frames: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = read_signed(frames / MANIFEST, "")
    write_signed(frames / MANIFEST, {**manifest, "config": config})
    assert main(["verify", str(frames)]) == 2
    said = capsys.readouterr()
    assert "config is damaged" in said.out + said.err


def summary(**changes: object) -> Callable[[Path], object]:
    def harm(folder: Path) -> None:
        path = folder / "summary.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return harm


def resolved(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    def harm(folder: Path) -> None:
        path = folder / "0001/resolved.json"
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return harm


@pytest.mark.parametrize(
    ("harm", "wrong"),
    [
        (lambda x: shutil.rmtree(x / "0001"), "says 3 were accepted, here are 2"),
        (lambda x: shutil.copytree(x / "0001", x / "0002a"), "0002a: is no number"),
        (lambda x: (x / "0001/scenario.xosc").unlink(), "0001/scenario.xosc: is missing"),
        (lambda x: (x / "0001/scenario.xosc").write_text("<a>"), "is no XML"),
        (lambda x: (x / "0001/more.txt").write_text(""), "belongs to no scenario"),
        (lambda x: (x / "0001/scenario.toml").write_text("sede = 7"), "is not a known key"),
        (lambda x: shutil.copy(x / "0000/scenario.toml", x / "0001/scenario.toml"), "is of name"),
        (summary(accepted=2), "were accepted, here are 3"),
        (summary(requested=4), "were requested, the manifest 3"),
        (summary(refused={"jerk": 1}), "not all that were requested"),
        (summary(overlapping=1), "scenarios overlap, these are 0"),
        (summary(accepted="all"), "is damaged"),
        (resolved(lambda x: x["ego"]["time_us"].reverse()), "times do not increase"),
        (resolved(lambda x: x["ego"]["world_from_body"].pop()), "its poses are"),
        (resolved(lambda x: x.pop("window_us")), "is damaged"),
        (resolved(lambda x: x["ego"].update({"class": "UFO"})), "its class is 'UFO'"),
        (resolved(lambda x: x["overlaps"].append({"actor": 99, "time_us": 0})), "overlaps 99"),
    ],
)
def test_scenarios_add_up(harm: Callable[[Path], object], wrong: str, scenarios: Path) -> None:
    assert said(scenarios) == []
    harm(scenarios)
    assert any(wrong in problem for problem in problems(scenarios)), said(scenarios)


def test_an_export_has_a_picture_for_each_label(
    frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for fmt, lost in (("coco", "images"), ("kitti", "label_2")):
        out = tmp_path / fmt
        assert main(["export", str(frames), "--format", fmt, "--out", str(out)]) == 0
        assert said(out) == []
        next((out / lost).iterdir()).unlink()
        assert problems(out) != []
    capsys.readouterr()


def test_a_clip_of_damaged_parts_is_refused(tmp_path: Path) -> None:
    clip = save_clip(make_clip(ride()), tmp_path / "clip")
    assert said(clip) == []
    (clip / "arrays.npz").write_bytes(b"PK\x03\x04")
    assert any("is not a clip" in problem for problem in problems(clip))


def test_formats_that_are_not_installed_are_said_to_be_unchecked() -> None:
    settings = Settings(frames=[0], formats=["coco", "of-somebody"])
    assert unchecked_exports(settings) == ["what exports/of-somebody holds"]
