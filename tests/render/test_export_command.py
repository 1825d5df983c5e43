"""The verb `export`: folders of frames become one data set, whose pictures and ids are unique."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from render.commands import export, verify
from render.exporters import find_exporter, pictures_of
from render.exporters.coco import ANNOTATIONS, IMAGES
from render.folders.frames import read_pixels, read_records
from render.jobs.render_job import FolderPlan, write_folder
from render.labels.gating import is_ignored, is_labelled
from scenes.errors import OtherlaneError
from scenes.storage.clip_files import save_clip
from tests.render.analytic import CAMERAS, FRAMES, LICENCE, street
from tests.render.conftest import analytic_job

SCENARIOS = ("one", "two", "three")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """What `render` makes of three scenarios of one drive; frames have the same numbers in all."""
    root = tmp_path_factory.mktemp("scenarios")
    return tuple(made(root / name, name) for name in SCENARIOS)


def made(folder: Path, scenario: str, **changes: Any) -> Path:
    batch = FolderPlan(
        job=replace(analytic_job(), identity={"scenario": scenario}, **changes),
        clip=street().clip,
        inputs={"scene": "analytic"},
        config={
            "frames": list(range(FRAMES)),
            "cameras": CAMERAS,
            "scenario": {"name": f"{scenario} / lane"},
        },
        formats=("coco",),
        preview=False,
    )
    write_folder(batch, folder)
    return folder


def content_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / ANNOTATIONS).read_text())


def assert_unique(values: list[Any]) -> None:
    assert len(set(values)) == len(values)


def test_coco_of_several_scenarios_is_one_data_set(
    folders: tuple[Path, ...], tmp_path: Path
) -> None:
    out = tmp_path / "coco"
    said = export(folders, out=out, format="coco")
    content = content_of(out)
    pictures, notes = content["images"], content["annotations"]
    assert len(pictures) == said["pictures"] == 3 * FRAMES
    assert_unique([picture["id"] for picture in pictures])
    assert_unique([picture["file_name"] for picture in pictures])
    assert_unique([note["id"] for note in notes])
    assert {path.name for path in (out / IMAGES).iterdir()} == {x["file_name"] for x in pictures}
    assert {note["image_id"] for note in notes} <= {picture["id"] for picture in pictures}
    items = [item for x in folders for record in read_records(x) for item in record["objects"]]
    kept = [note for note in notes if not note["iscrowd"]]
    assert len(kept) == said["labelled_objects"] == sum(map(is_labelled, items))
    assert len(notes) - len(kept) == said["ignore_regions"] == sum(map(is_ignored, items))
    assert [licence["name"] for licence in content["licenses"]] == [LICENCE]
    assert verify(out)["ok"]
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert export(folders, out=out, format="coco") == said
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before
    with pytest.raises(OtherlaneError, match="another format"):
        export(folders, out=out, format="kitti")
    export(folders, out=tmp_path / "again", format="coco")
    for path in filter(Path.is_file, out.rglob("*")):
        assert (tmp_path / "again" / path.relative_to(out)).read_bytes() == path.read_bytes()


def test_what_render_exported_joins_to_the_same(folders: tuple[Path, ...], tmp_path: Path) -> None:
    """Exports of single scenarios can be put together by hand, too."""
    out = tmp_path / "coco"
    export(folders, out=out, format="coco")
    alone = [content_of(folder / "exports/coco") for folder in folders]
    for what in ("images", "annotations"):
        assert [x for content in alone for x in content[what]] == content_of(out)[what]


def test_the_coco_api_reads_it(folders: tuple[Path, ...], tmp_path: Path) -> None:
    faster = pytest.importorskip("faster_coco_eval")
    out = tmp_path / "coco"
    export(folders, out=out, format="coco")
    truth = faster.COCO(str(out / ANNOTATIONS))
    assert len(truth.imgs) == 3 * FRAMES
    names = {f"{name}-lane": folder for name, folder in zip(SCENARIOS, folders, strict=True)}
    compared = 0
    for note in truth.anns.values():
        picture = truth.imgs[note["image_id"]]
        folder = names[picture["file_name"].rsplit("-", 2)[0]]
        pixels = read_pixels(folder, picture["frame"], ["instance"])["instance"]
        record = next(x for x in read_records(folder) if x["key"] == picture["frame"])
        item = next(x for x in record["objects"] if x["track_id"] == note["track_id"])
        if not note["iscrowd"]:
            assert isinstance(note["segmentation"], list)  # polygons
            mask = truth.annToMask(note).astype(bool)
            assert np.array_equal(mask, pixels == item["instance"])
            compared += 1
    assert compared > 3 * FRAMES


def test_kitti_of_several_scenarios_is_numbered_through(
    folders: tuple[Path, ...], tmp_path: Path
) -> None:
    out = tmp_path / "kitti"
    export(folders, out=out, format="kitti")
    numbers = [f"{n:06d}" for n in range(3 * FRAMES)]
    for name, ending in (("image_2", "png"), ("label_2", "txt"), ("calib", "txt")):
        assert sorted(x.name for x in (out / name).iterdir()) == [f"{n}.{ending}" for n in numbers]
    lines = [line.split() for line in (out / "mapping.txt").read_text().splitlines()]
    assert [line[0] for line in lines] == numbers
    pictures = pictures_of(folders)
    assert [line[1] for line in lines] == [picture.name for picture in pictures]
    for number, picture in zip(numbers, pictures, strict=True):
        assert (out / f"image_2/{number}.png").read_bytes() == picture.rgb.read_bytes()
    assert (out / "LICENCE.txt").read_text() == f"{LICENCE}\n"


def test_an_export_may_ask_for_more_pixels(folders: tuple[Path, ...], tmp_path: Path) -> None:
    areas = [x["area"] for x in content_of(folders[0] / "exports/coco")["annotations"]]
    least = sorted(areas)[len(areas) // 2]
    said = export(folders[:1], out=tmp_path / "coco", format="coco", min_px=least)
    notes = content_of(tmp_path / "coco")["annotations"]
    kept = {note["id"]: note for note in notes if not note["iscrowd"]}
    before = content_of(folders[0] / "exports/coco")["annotations"]
    assert kept.keys() == {x["id"] for x in before if not x["iscrowd"] and x["area"] >= least}
    assert len(kept) == said["labelled_objects"]
    for note in notes:  # those who became crowd regions cover what they showed
        was = next(x for x in before if x["id"] == note["id"])
        if note["iscrowd"] and not was["iscrowd"]:
            assert note["ignored"] == f"too small: {was['area']} px of {least}"
            (left, top, wide, high), (x, y, w, h) = note["bbox"], was["bbox"]
            assert left <= x
            assert top <= y
            assert left + wide >= x + w
            assert top + high >= y + h


def _twice(folder: Path) -> tuple[Path, ...]:
    return (folder, folder)


def _copied(folder: Path) -> tuple[Path, ...]:
    copy = folder.with_name("copy")
    if not copy.exists():
        shutil.copytree(folder, copy)
    return (folder, copy)


def _nothing(folder: Path) -> tuple[Path, ...]:
    del folder
    return ()


def _not_frames(folder: Path) -> tuple[Path, ...]:
    clip = save_clip(street().clip, folder.with_name("clip"))
    return (folder, clip)


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (_twice, "of the same scenario as"),
        (_copied, "of the same scenario as"),
        (_nothing, "names no folder"),
        (_not_frames, "holds a clip, not a folder of frames"),
    ],
)
def test_what_is_no_data_set_leaves_nothing(
    chosen: Callable[[Path], tuple[Path, ...]], said: str, folders: tuple[Path, ...], tmp_path: Path
) -> None:
    with pytest.raises(OtherlaneError, match=said):
        export(chosen(folders[0]), out=tmp_path / "out", format="coco")
    assert list(tmp_path.iterdir()) == []


def test_an_exporter_that_misses_a_pixel_label_says_which(tmp_path: Path) -> None:
    assert find_exporter("coco").reads == ("rgb", "instance")
    folder = tmp_path / "frames"
    batch = FolderPlan(
        job=replace(analytic_job(), labels=("rgb", "semantic")),
        clip=street().clip,
        inputs={"scene": "analytic"},
        config={"frames": list(range(FRAMES)), "cameras": CAMERAS},
        preview=False,
    )
    write_folder(batch, folder)
    export((folder,), out=tmp_path / "kitti", format="kitti")
    with pytest.raises(OtherlaneError, match="holds no instance") as refused:
        export((folder,), out=tmp_path / "coco", format="coco")
    assert "--labels rgb instance semantic" in refused.value.fix
    assert not (tmp_path / "coco").exists()


def test_pictures_of_a_scenario_keep_their_names_however_many_are_rendered(
    folders: tuple[Path, ...], tmp_path: Path
) -> None:
    job = replace(analytic_job(), identity={"scenario": "one"})
    batch = FolderPlan(
        job=replace(job, tasks=job.tasks[1:2]),
        clip=street().clip,
        inputs={"scene": "analytic"},
        config={"frames": [1], "cameras": CAMERAS, "scenario": {"name": "one / lane"}},
        preview=False,
    )
    write_folder(batch, tmp_path / "few")
    (few,), many = pictures_of([tmp_path / "few"]), pictures_of(folders[:1])
    assert (few.name, few.number) == (many[1].name, many[1].number)


def test_ids_fit_into_numbers_of_other_programs(folders: tuple[Path, ...]) -> None:
    for picture in pictures_of(folders):
        assert 0 < picture.number < 2**52
        assert int(float(picture.number)) == picture.number
