"""What the drive left unlabelled is no negative: in its own view, in others, and in exports."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recon.rendering.shot import Shot
from render.exporters import coco, kitti, pictures_of
from render.folders.frames import RECORDS, encode_frame, read_records, write_records
from render.folders.verification import frame_problems
from render.labels.unlabelled import BY_BOX, BY_DEPTH, NOT_LABELLED, Region, ignore_regions
from render.views.frame import Frame
from scenes.importers import import_clip
from scenes.motion.geometry import box_corners, invert, rigid, transform_points, yaw_rotation
from scenes.motion.trajectory import Trajectory
from scenes.sensors.camera import Camera, camera_rays, project_world
from scenes.sensors.unlabelled import Unlabelled
from tests.render.analytic import CAMERA, EGO_FROM_CAMERA, AnalyticScene, street
from tests.viewing import render_view

RECTANGLES = np.array([[20.25, 18.5, 31.0, 26.75], [60.0, 24.0, 96.0, 40.0], [5.0, 5.0, 9.0, 9.0]])
FRAMES = np.array([1, 1, 2], np.int32)
TIME_US = 100_000
BOX = rigid(np.eye(3), np.array([12.0, -1.0, 0.8]))
SIZE = np.array([3.0, 1.6, 1.6])


def unlabelled(box: bool = False) -> Unlabelled:
    pose, size = np.full((3, 4, 4), np.nan), np.full((3, 3), np.nan)
    if box:
        pose[1], size[1] = BOX, SIZE
    return Unlabelled(frame_index=FRAMES, rectangle_px=RECTANGLES, world_from_box=pose, size_m=size)


def scene(box: bool = False, camera: Camera = CAMERA) -> AnalyticScene:
    found = street(camera)
    stream = replace(found.clip.cameras[0], unlabelled=unlabelled(box))
    return AnalyticScene(clip=replace(found.clip, cameras=(stream,)))


def beside(found: AnalyticScene, left_m: float, turn: float = 0.0) -> np.ndarray:
    """`world_from_camera` of frame 1, had the ego been further left and turned."""
    aside = rigid(yaw_rotation(np.array(turn)), np.array([0.0, left_m, 0.0]))
    return found.clip.ego.at(np.array([TIME_US]))[0] @ aside @ EGO_FROM_CAMERA


def frame_of(found: AnalyticScene, pose: np.ndarray, camera: Camera = CAMERA) -> Frame:
    return render_view(found, camera, pose, time_us=TIME_US)


def corners(box: np.ndarray) -> list[list[float]]:
    left, top, right, bottom = box.tolist()
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def holds(polygon: np.ndarray, points: np.ndarray, slack_px: float) -> np.ndarray:
    inside = np.ones(len(points), dtype=bool)
    area = np.sum(
        np.cross(
            np.column_stack([polygon, np.zeros(len(polygon))]),
            np.column_stack([np.roll(polygon, -1, 0), np.zeros(len(polygon))]),
        )[:, 2]
    )
    for a, b in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        side = (b - a)[0] * (points - a)[:, 1] - (b - a)[1] * (points - a)[:, 0]
        inside &= np.sign(area) * side >= -slack_px * np.linalg.norm(b - a)
    return inside


def test_the_recorded_view_has_the_drives_rectangles() -> None:
    found = scene()
    frame = frame_of(found, found.clip.world_from_camera(0, TIME_US))
    said = frame.labels["ignore_regions"]
    assert [region["reason"] for region in said] == [NOT_LABELLED] * 2
    assert [region["polygon"] for region in said] == [corners(box) for box in RECTANGLES[:2]]
    later = render_view(found, CAMERA, found.clip.world_from_camera(0, 200_000), time_us=200_000)
    assert [x["polygon"] for x in later.labels["ignore_regions"]] == [corners(RECTANGLES[2])]
    first = render_view(found, CAMERA, found.clip.world_from_camera(0, 0), time_us=0)
    assert first.labels["ignore_regions"] == []


def test_at_another_size_they_are_scaled() -> None:
    found = scene()
    small = CAMERA.scaled(48, 24)
    frame = frame_of(found, found.clip.world_from_camera(0, TIME_US), small)
    said = frame.labels["ignore_regions"]
    assert [region["polygon"] for region in said] == [corners(box / 2) for box in RECTANGLES[:2]]


def test_a_drive_that_does_not_say_has_none() -> None:
    found = street()
    assert frame_of(found, beside(found, 0.0)).labels["ignore_regions"] == []


@pytest.mark.parametrize(("left_m", "turn"), [(1.5, 0.0), (-2.0, 0.05), (0.0, -0.15), (0.3, 0.0)])
def test_other_views_carry_what_the_recorded_one_shows_there(left_m: float, turn: float) -> None:
    found = scene()
    pose = beside(found, left_m, turn)
    said = frame_of(found, pose).labels["ignore_regions"]
    assert {region["reason"] for region in said} == {BY_DEPTH}
    recorded = found.clip.world_from_camera(0, TIME_US)
    every = CAMERA.pixel_centres().reshape(-1, 2)
    carried = 0
    for box in RECTANGLES[:2]:
        within = np.all((every > box[:2]) & (every < box[2:]), axis=1)
        frame = frame_of(found, recorded)
        solid = within & np.isfinite(frame.range_m.ravel())
        start, along = camera_rays(CAMERA, every[solid], recorded)
        points = start + along * frame.range_m.ravel()[solid][:, None]
        pixels = project_world(CAMERA, points, pose)
        pixels = pixels[np.all((pixels >= 0.0) & (pixels <= [96.0, 48.0]), axis=1)]
        if len(pixels) < 10:
            continue
        # the surface that the recorded rectangle showed lies in a region here
        share = max(holds(np.array(x["polygon"]), pixels, 1.0).mean() for x in said)
        assert share > 0.97
        carried += 1
    assert carried >= 1
    assert all(np.array(x["polygon"]).min() >= 0.0 for x in said)


def regions_of(
    found: AnalyticScene, camera: Camera, pose: np.ndarray | Trajectory, time_us: int = TIME_US
) -> tuple[Region, ...]:
    shot = Shot(camera=camera, world_from_camera=pose, time_us=time_us)
    return ignore_regions(found, shot)


def test_a_known_box_is_carried_by_its_box() -> None:
    found = scene(box=True)
    pose = beside(found, 1.5)
    by_depth, by_box = frame_of(found, pose).labels["ignore_regions"]
    assert (by_depth["reason"], by_box["reason"]) == (BY_DEPTH, BY_BOX)
    pixels = CAMERA.project(transform_points(invert(pose) @ BOX, box_corners(SIZE)))
    polygon = np.array(by_box["polygon"])
    np.testing.assert_allclose(polygon.min(axis=0), pixels.min(axis=0), atol=1e-6)
    np.testing.assert_allclose(polygon.max(axis=0), pixels.max(axis=0), atol=1e-6)


def test_what_is_out_of_view_is_left_out() -> None:
    found = scene(box=True)
    assert frame_of(found, beside(found, 0.0, np.pi)).labels["ignore_regions"] == []
    recorded = found.clip.world_from_camera(0, TIME_US)
    assert regions_of(found, CAMERA, recorded, TIME_US + 10_000_000) == ()
    near = regions_of(found, CAMERA, recorded, TIME_US + 20_000)
    assert {region["reason"] for region in near} == {BY_DEPTH, BY_BOX}


def test_a_rolling_shutter_is_followed() -> None:
    rolling = replace(CAMERA, readout_us=30_000)
    found = scene(camera=rolling)
    track = found.clip.ego.mounted(EGO_FROM_CAMERA)
    said = regions_of(found, rolling, track)
    assert [region["polygon"] for region in said] == [corners(box) for box in RECTANGLES[:2]]
    aside = found.clip.ego.shifted_left(np.full(len(found.clip.ego.time_us), 0.5))
    other = regions_of(found, rolling, aside.mounted(EGO_FROM_CAMERA))
    assert {region["reason"] for region in other} == {BY_DEPTH}


def written(found: AnalyticScene, folder: Path, pose: np.ndarray) -> Path:
    """A folder of one picture, as exporters read it."""
    frame = frame_of(found, pose)
    record = {"key": "000000.front", "objects": [dict(x) for x in frame.objects], **frame.labels}
    (folder / "frames" / "front").mkdir(parents=True)
    for name, content in encode_frame("000000.front", frame.pixels).items():
        (folder / name).write_bytes(content)
    write_records(folder, [json.loads(json.dumps(record))])
    about = {"licence": "CC0-1.0", "drive": "street", "otherlane": "0", "inputs": {}, "config": {}}
    (folder / "dataset.json").write_text(json.dumps(about))
    return folder


@pytest.mark.parametrize("left_m", [0.0, 1.0])
def test_kitti_has_them_as_dontcare(tmp_path: Path, left_m: float) -> None:
    found = scene()
    frames = written(found, tmp_path / "frames", beside(found, left_m))
    kitti.write(pictures_of([frames]), tmp_path / "kitti")
    lines = [
        line.split() for line in (tmp_path / "kitti/label_2/000000.txt").read_text().splitlines()
    ]
    (record,) = read_records(frames)
    said = [np.array(region["polygon"]) for region in record["ignore_regions"]]
    assert len(said) == 2
    ignored = [words for words in lines if words[0] == "DontCare"]
    hidden = [item for item in record["objects"] if item["ignore_region"]]
    assert len(ignored) == len(said) + len(hidden)
    for words, polygon in zip(ignored[len(hidden) :], said, strict=True):
        box = np.array(words[4:8], dtype=float)
        edges = np.concatenate([polygon.min(axis=0), polygon.max(axis=0)]) - 0.5
        np.testing.assert_allclose(box, np.clip(edges, 0.0, [95.0, 47.0] * 2), atol=1e-6)


def test_coco_leaves_them_out_of_every_score(tmp_path: Path) -> None:
    found = scene()
    frames = written(found, tmp_path / "frames", beside(found, 0.0))
    coco.write(pictures_of([frames]), tmp_path / "coco")
    content = json.loads((tmp_path / "coco" / coco.ANNOTATIONS).read_text())
    regions = [note for note in content["annotations"] if note["track_id"] == -1]
    assert all(note["iscrowd"] == 1 for note in regions)
    assert len(regions) == 2 * len(content["categories"])
    assert len({note["id"] for note in content["annotations"]}) == len(content["annotations"])
    left, top, width, height = regions[0]["bbox"]
    # whole pixels whose centres lie inside
    assert [left, top, left + width, top + height] == [20.0, 18.0, 31.0, 27.0]
    faster = pytest.importorskip("faster_coco_eval")
    truth = faster.COCO(str(tmp_path / "coco" / coco.ANNOTATIONS))
    right = [
        {key: note[key] for key in ("image_id", "category_id", "bbox")} | {"score": 0.5}
        for note in content["annotations"]
        if not note["iscrowd"]
    ]
    stranger = {
        "image_id": content["images"][0]["id"],
        "bbox": [22.0, 19.0, 6.0, 6.0],
        "score": 0.9,
    }
    wrong = [stranger | {"category_id": kind["id"]} for kind in content["categories"]]
    evaluation = faster.COCOeval_faster(truth, truth.loadRes([*right, *wrong]), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1.0)


def test_verify_reads_them(tmp_path: Path) -> None:
    found = scene()
    folder = written(found, tmp_path, beside(found, 1.0))
    (record,) = read_records(folder)
    assert frame_problems(folder, record) == []
    record["ignore_regions"][0]["polygon"][0][0] = 97.5
    (problem,) = frame_problems(folder, record)
    assert "leaves the picture" in problem.wrong
    record["ignore_regions"] = [{"polygon": [[1.0, 1.0], [2.0, 2.0]], "reason": NOT_LABELLED}]
    (problem,) = frame_problems(folder, record)
    assert "no polygon" in problem.wrong
    assert (folder / RECORDS).is_file()


@pytest.mark.drives
def test_every_real_region_is_exported_where_kitti_has_it(drives: Path) -> None:
    root = drives / "kitti_tracking_0002"
    clip = import_clip("kitti-tracking", root)
    lines = [x.split() for x in (root / "label_02/0002.txt").read_text().splitlines()]
    stream, exported = clip.cameras[0], 0
    about = {"width": stream.camera.width, "height": stream.camera.height}
    for frame, time_us in enumerate(stream.time_us.tolist()):
        pose = clip.world_from_camera(0, time_us)
        said = regions_of(AnalyticScene(clip=clip), stream.camera, pose, time_us)
        text = kitti.label_text({"camera": about, "objects": [], "ignore_regions": said})
        ours = [np.array(line.split()[4:8], dtype=float) for line in text.splitlines()]
        theirs = [x[6:10] for x in lines if x[2] == "DontCare" and int(x[0]) == frame]
        assert len(ours) == len(theirs)
        for box, other in zip(ours, theirs, strict=True):
            wanted = np.clip(np.array(other, dtype=float), 0.0, [1241.0, 374.0] * 2)
            np.testing.assert_allclose(box, wanted, atol=1e-6)
        exported += len(ours)
    assert exported == 234
