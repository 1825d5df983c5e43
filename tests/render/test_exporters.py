"""What exporters write is what others read: KITTI's text by its own rules, COCO by an evaluator."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

from render.exporters import export, find_exporter, kitti, pictures_of
from render.exporters.coco import ANNOTATIONS, IMAGES, polygon_mask
from render.exporters.outlines import polygons
from render.exporters.rle import decode, encode, mask_of_runs, run_lengths
from render.folders.frames import RECORDS, read_pixels, read_records
from scenes.errors import OtherlaneError
from scenes.importers import import_clip
from scenes.motion.geometry import box_corners, invert, rigid, yaw_rotation
from tests.render.analytic import CAMERA, FRAMES, LICENCE

CAMERA_SAYS = {"width": 1242, "height": 375}
FIELDS: tuple[str, ...] = (
    "truncated", "occluded", "alpha", "left", "top", "right", "bottom", "height", "width", "length",
    "x", "y", "z", "turn",
)  # fmt: skip


def parsed(text: str) -> list[dict[str, Any]]:
    """KITTI's object labels, read as its development kit reads them."""
    lines = [line.split() for line in text.splitlines()]
    assert all(len(words) == 15 for words in lines)
    return [
        {"type": words[0]} | dict(zip(FIELDS, map(float, words[1:]), strict=True))
        for words in lines
    ]


def kitti_corners(label: dict) -> np.ndarray:
    """The eight corners in the camera, as KITTI's development kit computes them."""
    length, width, height = label["length"], label["width"], label["height"]
    x = np.array([1, 1, -1, -1, 1, 1, -1, -1]) * length / 2
    y = np.array([0, 0, 0, 0, -1, -1, -1, -1]) * height
    z = np.array([1, -1, -1, 1, 1, -1, -1, 1]) * width / 2
    c, s = math.cos(label["turn"]), math.sin(label["turn"])
    rotation = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    return rotation @ np.stack([x, y, z]) + np.array([[label["x"]], [label["y"]], [label["z"]]])


def test_kitti_boxes_are_ours(frames_folder: Path) -> None:
    for record in read_records(frames_folder):
        text = (frames_folder / f"exports/kitti/label_2/{record['key'][:6]}.txt").read_text()
        labels = parsed(text)
        ignored = [item for item in record["objects"] if item["ignored"] is not None]
        drawn = [item for item in record["objects"] if item["box_2d"] is not None]
        shown = [item for item in drawn if item["ignored"] is None]
        assert [x["type"] for x in labels][len(shown) :] == ["DontCare"] * len(ignored)
        for label, item in zip(labels, shown, strict=False):
            box = np.array([label[name] for name in ("left", "top", "right", "bottom")])
            high = [CAMERA.width - 1, CAMERA.height - 1] * 2
            np.testing.assert_allclose(box, np.clip(np.array(item["box_2d"]) - 0.5, 0, high))
            pose, size = np.array(item["camera_from_box"]), np.array(item["size_m"])
            ours = pose[:3, :3] @ box_corners(size).T + pose[:3, 3:]
            theirs = kitti_corners(label)
            distance = np.linalg.norm(ours[:, :, None] - theirs[:, None, :], axis=0)
            assert distance.min(axis=1).max() < 1e-5  # the same corners, in another order
            assert label["occluded"] in (0, 1, 2)
            alpha = label["turn"] - math.atan2(label["x"], label["z"])
            assert abs(math.remainder(label["alpha"] - alpha, 2 * math.pi)) < 2e-6
            assert -math.pi <= label["alpha"] <= math.pi


def test_kitti_numbers_survive_reading_and_writing(frames_folder: Path) -> None:
    folder = frames_folder / "exports/kitti/label_2"
    assert len(list(folder.iterdir())) == FRAMES
    for path in folder.iterdir():
        for line in path.read_text().splitlines():
            words = line.split()
            numbers = [f"{float(word):.6f}" for word in (words[1], *words[3:])]
            assert [words[0], numbers[0], words[2], *numbers[1:]] == words


def test_kitti_calibration_projects_as_the_camera_does(frames_folder: Path) -> None:
    record = read_records(frames_folder)[1]
    text = (frames_folder / "exports/kitti/calib/000001.txt").read_text()
    rows = {
        line.split(":")[0]: np.array(line.split()[1:], dtype=float)
        for line in text.split("\n")
        if line
    }
    assert set(rows) == {"P0", "P1", "P2", "P3", "R0_rect", "Tr_velo_to_cam", "Tr_imu_to_velo"}
    ahead = np.array([12.0, 1.5, 0.3, 1.0])
    camera = rows["Tr_velo_to_cam"].reshape(3, 4) @ ahead
    pixel = rows["P2"].reshape(3, 4) @ np.append(camera, 1.0)
    ego = np.array(record["world_from_ego"]) @ ahead
    local = np.linalg.inv(np.array(record["world_from_camera"])) @ ego
    np.testing.assert_allclose(pixel[:2] / pixel[2] + 0.5, CAMERA.project(local[:3]), atol=1e-9)


def test_kitti_carries_pictures_and_licence(frames_folder: Path) -> None:
    folder = frames_folder / "exports/kitti"
    assert (folder / "LICENCE.txt").read_text() == f"{LICENCE}\n"
    ours = (frames_folder / "frames/front/000000.rgb.png").read_bytes()
    assert (folder / "image_2/000000.png").read_bytes() == ours


@pytest.mark.parametrize("lens", [{"distortion": [0.1, 0.0, 0.0, 0.0]}, {"fisheye": True}])
def test_kitti_knows_no_lens_distortion(lens: dict, frames_folder: Path, tmp_path: Path) -> None:
    record = read_records(frames_folder)[0]
    record["camera"] |= lens
    (tmp_path / RECORDS).write_text(json.dumps(record))
    (tmp_path / "dataset.json").write_text((frames_folder / "dataset.json").read_text())
    with pytest.raises(OtherlaneError, match="lens distortion"):
        export("kitti", pictures_of([tmp_path]), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_lens_that_distorts_nothing_is_a_pinhole() -> None:
    assert kitti.check(CAMERA) is None
    assert kitti.check(replace(CAMERA, distortion=(0.0, 0.0, 0.0, 0.0))) is None
    assert kitti.check(replace(CAMERA, distortion=(0.0, 0.0, 0.001, 0.0))) is not None


@pytest.mark.parametrize("yaw", [0.0, 0.5, math.pi / 2, 3.0, -3.0])
def test_kitti_turns_against_our_yaw(yaw: float) -> None:
    camera_from_world = np.linalg.inv(
        rigid(np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]), np.zeros(3))
    )
    world_from_box = rigid(yaw_rotation(np.array(yaw)), np.array([10.0, 0.0, 0.0]))
    item = {
        "box_2d": [1.0, 2.0, 3.0, 4.0],
        "camera_from_box": (camera_from_world @ world_from_box).tolist(),
        "size_m": [4.0, 2.0, 1.0],
        "class": "BUS",
        "truncation": 0.0,
        "occlusion": 0,
        "rendered": True,
        "ignored": None,
        "ignore_region": None,
    }
    record = {"objects": [item], "camera": {"width": 100, "height": 50}}
    (label,) = parsed(kitti.label_text(record))
    # A car that drives ahead (yaw 0) is turned by -90 degrees in KITTI, as in its own labels.
    assert abs(math.remainder(label["turn"] - (-math.pi / 2 - yaw), 2 * math.pi)) < 1e-5
    assert label["type"] == "Misc"


masks = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12))


@given(masks)
def test_run_lengths_come_back(mask: np.ndarray) -> None:
    assert np.array_equal(mask_of_runs(run_lengths(mask), *mask.shape), mask)
    encoded = encode(mask)
    assert encoded["size"] == list(mask.shape)
    assert np.array_equal(decode(str(encoded["counts"])), run_lengths(mask))


@given(masks)
def test_run_lengths_are_those_of_the_coco_api(mask: np.ndarray) -> None:
    mask_api = pytest.importorskip("faster_coco_eval.core.mask")
    theirs = mask_api.encode(np.asfortranarray(mask.astype(np.uint8)))
    counts = theirs["counts"]
    text = counts.decode() if isinstance(counts, bytes) else counts
    assert encode(mask)["counts"] == text


def test_a_tiny_ignore_region_is_one_pixel() -> None:
    outline = [[3.6, 2.6], [3.9, 2.6], [3.9, 2.9]]
    assert np.argwhere(polygon_mask(outline, (5, 6))).tolist() == [[2, 3]]
    square = [[1.0, 1.0], [4.0, 1.0], [4.0, 3.0], [1.0, 3.0]]
    assert polygon_mask(square, (5, 6)).sum() == 6
    assert polygon_mask(square[::-1], (5, 6)).sum() == 6


def test_coco_says_what_we_say(frames_folder: Path) -> None:
    content = json.loads((frames_folder / "exports/coco" / ANNOTATIONS).read_text())
    assert content["licenses"] == [{"id": 1, "name": LICENCE, "url": ""}]
    assert len(content["images"]) == FRAMES
    ids = {image["id"]: image["file_name"] for image in content["images"]}
    keys = {image["id"]: image["frame"] for image in content["images"]}
    records = {record["key"]: record for record in read_records(frames_folder)}
    assert sorted(keys.values()) == sorted(records)
    for number, name in ids.items():
        ours = (frames_folder / frame_file(keys[number], "rgb.png")).read_bytes()
        assert (frames_folder / "exports/coco" / IMAGES / name).read_bytes() == ours
    crowds = 0
    for note in content["annotations"]:
        record = records[keys[note["image_id"]]]
        key = record["key"]
        encoded = note["segmentation"] if note["iscrowd"] else note["rle"]
        mask = mask_of_runs(decode(encoded["counts"]), *encoded["size"])
        assert mask.sum() == note["area"]
        (item,) = (x for x in record["objects"] if x["track_id"] == note["track_id"])
        crowds += note["iscrowd"]
        assert note["iscrowd"] == (item["ignored"] is not None)
        if not note["iscrowd"]:
            ours = read_pixels(frames_folder, key, ["instance"])["instance"] == item["instance"]
            assert np.array_equal(mask, ours)
            assert note["segmentation"] == polygons(mask)
            left, top, wide, high = note["bbox"]
            assert [left, top, left + wide, top + high] == item["box_2d"]
    assert 0 < crowds < len(content["annotations"])


@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_ground_truth_against_itself_is_perfect(frames_folder: Path, kind: str) -> None:
    faster = pytest.importorskip("faster_coco_eval")
    path = frames_folder / "exports/coco" / ANNOTATIONS
    truth = faster.COCO(str(path))
    found = [
        {key: note[key] for key in ("image_id", "category_id", "bbox", "segmentation")}
        | {"score": 1.0}
        for note in json.loads(path.read_text())["annotations"]
        if not note["iscrowd"]
    ]
    evaluation = faster.COCOeval_faster(truth, truth.loadRes(found), kind)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1.0)
    assert evaluation.stats[8] == pytest.approx(1.0)


def test_exporters_are_found_by_name() -> None:
    assert find_exporter("kitti") is kitti.EXPORTER
    with pytest.raises(OtherlaneError, match="no exporter has that name"):
        find_exporter("kity")


@pytest.mark.drives
def test_kitti_labels_of_a_real_drive_come_back(drives: Path) -> None:
    root = drives / "kitti_tracking_0002"
    clip = import_clip("kitti-tracking", root)
    images = clip.cameras[0]
    known = {actor.id: actor for actor in clip.actors}
    # KITTI's labels live in camera 0, a few centimetres beside camera 2, whose pictures these are.
    words = (root / "calib/0002.txt").read_text().splitlines()[2].split()
    projection = np.array(words[1:], dtype=float).reshape(3, 4)
    beside = np.linalg.solve(projection[:, :3], projection[:, 3])
    compared = 0
    for line in (root / "label_02/0002.txt").read_text().splitlines():
        frame, track, kind, *numbers = line.split()
        if int(frame) >= len(images) or int(track) not in known:
            continue
        time_us, actor = int(images.time_us[int(frame)]), known[int(track)]
        world_from_box = actor.at(time_us)
        assert world_from_box is not None
        item = {
            "box_2d": [1.0, 1.0, 2.0, 2.0],
            "camera_from_box": invert(clip.world_from_camera(0, time_us)) @ world_from_box,
            "size_m": actor.size_m,
            "class": actor.kind.name,
            "truncation": 0.0,
            "occlusion": 0,
            "rendered": True,
            "ignored": None,
            "ignore_region": None,
        }
        (label,) = parsed(kitti.label_text({"objects": [item], "camera": CAMERA_SAYS}))
        theirs = dict(zip(FIELDS, map(float, numbers), strict=True))
        assert label["type"] == kind
        for name in ("height", "width", "length"):
            assert label[name] == pytest.approx(theirs[name], abs=1e-5)
        for axis, name in enumerate("xyz"):
            assert label[name] == pytest.approx(theirs[name] + beside[axis], abs=2e-3)
        for name in ("turn", "alpha"):
            assert abs(math.remainder(label[name] - theirs[name], 2 * math.pi)) < 2e-2
        compared += 1
    assert compared > 50
