import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from scenes.clip import Clip
from scenes.commands import import_
from scenes.errors import DriveError
from scenes.importers import import_clip, kitti_odometry, kitti_tracking
from scenes.importers.formats.colmap_text import MAX_ERROR_PX, MIN_TRACK
from scenes.importers.formats.kitti_car import CAMERA_HEIGHT_M
from scenes.motion.geometry import box_corners, invert, rotation_exp, transform_points
from scenes.semantics import Semantic
from scenes.storage.clip_files import load_clip
from scenes.storage.clip_layout import same_clip
from tests import kitti_maker as maker

ROOT = Path(__file__).parents[2]


def pixel(clip: Clip, frame: int, points_world: np.ndarray) -> np.ndarray:
    world_from_camera = clip.world_from_camera(0, int(clip.cameras[0].time_us[frame]))
    return clip.cameras[0].camera.project(transform_points(invert(world_from_camera), points_world))


def test_tracking_is_read_as_it_was_made(tmp_path: Path) -> None:
    clip = import_clip("kitti-tracking", maker.make_tracking(tmp_path))
    (stream,) = clip.cameras
    assert len(stream) == maker.FRAMES
    assert [file.name for file in stream.files][:2] == ["000000.png", "000001.png"]
    assert_array_equal(stream.time_us, np.arange(maker.FRAMES) * 100_000)
    camera = stream.camera
    assert (camera.width, camera.height) == (maker.WIDTH, maker.HEIGHT)
    assert (camera.fx, camera.cx, camera.cy) == (maker.FOCAL_PX, *maker.CENTRE_PX)
    assert_allclose(clip.ego.world_from_body[0], np.eye(4), atol=1e-12)
    assert_allclose(clip.ego.world_from_body[:, 0, 3], np.arange(maker.FRAMES) * maker.STEP_M)
    assert "CC BY-NC-SA" in clip.licence
    assert stream.read(0).shape == (maker.HEIGHT, maker.WIDTH, 3)


def test_boxes_stand_on_the_ground_where_they_are(tmp_path: Path) -> None:
    clip = import_clip("kitti-tracking", maker.make_tracking(tmp_path))
    car, person = clip.actors
    assert [(car.id, car.kind), (person.id, person.kind)] == [
        (3, Semantic.CAR),
        (5, Semantic.PERSON),
    ]
    assert_allclose(car.size_m, maker.CAR_SIZE_M)
    x, y, z = maker.CAR_M + maker.OFFSET_M  # seen by camera 2
    expected = np.eye(4)
    expected[:3, 3] = [z, -x, CAMERA_HEIGHT_M - y + 0.5 * maker.CAR_SIZE_M[2]]
    for pose in car.trajectory.world_from_body:
        assert_allclose(pose, expected, atol=1e-9)
    assert len(car.trajectory) == maker.FRAMES - 1
    assert not car.is_moving
    assert any("tracks 3 " in note for note in clip.notes)
    assert any("1 DontCare" in note for note in clip.notes)


def test_a_pedestrian_that_faces_right_has_its_left_ahead(tmp_path: Path) -> None:
    clip = import_clip("kitti-tracking", maker.make_tracking(tmp_path))
    forward, left, up = clip.actors[1].trajectory.world_from_body[0, :3, :3].T
    assert_allclose([forward, left, up], [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-9)


@pytest.mark.parametrize("pitch", [0.0, 0.03, -0.02])
def test_points_fall_where_the_pictures_saw_them(tmp_path: Path, pitch: float) -> None:
    clip = import_clip("kitti-tracking", maker.make_tracking(tmp_path, pitch=pitch))
    assert clip.points is not None
    assert len(clip.points.position_m) == len(maker.points())
    assert len(clip.points.point_index) == maker.FRAMES * len(maker.points())
    for frame, pose in enumerate(maker.poses(pitch)):
        seen = maker.points() - pose[:3, 3]
        expected = maker.FOCAL_PX * seen[:, :2] / seen[:, 2:] + maker.CENTRE_PX
        assert_allclose(pixel(clip, frame, clip.points.position_m), expected, atol=1e-6)
    # Ids in a model are in no order; names are what counts.
    first = clip.points.point_index == 0
    assert sorted(clip.points.frame_index[first].tolist()) == list(range(maker.FRAMES))


def test_weak_points_are_left_out(tmp_path: Path) -> None:
    root = maker.make_tracking(tmp_path)
    model = root / "colmap" / "points3D.txt"
    maker.change_word(model, 1, 7, str(MAX_ERROR_PX + 0.1))
    lines = model.read_text().splitlines()
    lines[2] = " ".join(lines[2].split()[: 8 + 2 * (MIN_TRACK - 1)])
    lines[3] = " ".join(lines[3].split()[:10] * 1 + lines[3].split()[8:10] * 5)  # one view, often
    model.write_text("\n".join(lines))
    points = import_clip("kitti-tracking", root).points
    assert points is not None
    assert len(points.position_m) == len(maker.points()) - 3


@pytest.mark.parametrize("make", [maker.make_tracking, maker.make_odometry])
@pytest.mark.parametrize("pitch", [0.05, -0.02])
def test_a_pitched_camera_does_not_make_the_car_climb(tmp_path: Path, make, pitch: float) -> None:
    fmt = "kitti-tracking" if make is maker.make_tracking else "kitti-odometry"
    clip = import_clip(fmt, make(tmp_path, pitch=pitch))
    assert_allclose(clip.ego.world_from_body[:, 2, 3], 0.0, atol=1e-9)
    assert_allclose(clip.ego.world_from_body[0], np.eye(4), atol=1e-12)
    looks = clip.cameras[0].ego_from_camera[:3, 2]
    expected = rotation_exp(np.array([0.0, pitch, 0.0])) @ [1.0, 0.0, 0.0]
    assert_allclose(looks, expected, atol=1e-9)


def test_a_drive_that_stands_still_is_taken_as_level(tmp_path: Path) -> None:
    root = maker.make_odometry(tmp_path)
    poses = root / "poses" / "04.txt"
    poses.write_text((" ".join(["1 0 0 0 0 1 0 0 0 0 1 0"]) + "\n") * maker.FRAMES)
    clip = import_clip("kitti-odometry", root)
    assert_allclose(clip.cameras[0].ego_from_camera[:3, 2], [1.0, 0.0, 0.0], atol=1e-12)


def test_odometry_is_read_as_it_was_made(tmp_path: Path) -> None:
    clip = import_clip("kitti-odometry", maker.make_odometry(tmp_path))
    (stream,) = clip.cameras
    assert stream.name == "image_0"
    assert stream.read(0).shape == (maker.HEIGHT, maker.WIDTH, 3)
    assert stream.camera.cx == maker.CENTRE_PX[0]
    assert_array_equal(stream.time_us, np.arange(maker.FRAMES) * 100_000)
    assert_allclose(clip.ego.world_from_body[-1, :3, 3], [5.0 * maker.STEP_M, 0.0, 0.0], atol=1e-9)
    assert clip.points is None
    assert clip.actors == ()


def test_colour_is_taken_before_grey(tmp_path: Path) -> None:
    clip = import_clip("kitti-odometry", maker.make_odometry(tmp_path, colour=True))
    assert clip.cameras[0].name == "image_2"
    assert_allclose(clip.ego.world_from_body[:, 0, 3], np.arange(maker.FRAMES), atol=1e-9)


def test_without_a_model_the_calibration_counts(tmp_path: Path) -> None:
    clip = import_clip("kitti-tracking", maker.make_tracking(tmp_path, colmap=False))
    assert clip.points is None
    assert clip.cameras[0].camera.cx == maker.CENTRE_PX[0]
    assert any("no depth evidence" in note for note in clip.notes)


def test_frames_may_start_anywhere(tmp_path: Path) -> None:
    clip = import_clip("kitti-tracking", maker.make_tracking(tmp_path, first=100))
    assert clip.cameras[0].files[0].name == "000100.png"
    assert clip.cameras[0].time_us[0] == 0
    assert clip.actors[0].trajectory.time_us[0] == 0


def test_no_labels_are_fine(tmp_path: Path) -> None:
    root = maker.make_tracking(tmp_path)
    (root / "label_02" / "0007.txt").write_text("")
    assert import_clip("kitti-tracking", root).actors == ()


def test_windows_line_ends_and_hidden_files_are_fine(tmp_path: Path) -> None:
    root = maker.make_tracking(tmp_path)
    for path in root.rglob("*.txt"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    (root / "image_02" / "0007" / "._000000.png").write_bytes(b"macOS")
    assert len(import_clip("kitti-tracking", root).actors) == 2


def test_one_of_several_sequences_must_be_named(tmp_path: Path) -> None:
    root = maker.make_tracking(tmp_path, colmap=False)
    shutil.copytree(root / "image_02" / "0007", root / "image_02" / "0009")
    with pytest.raises(DriveError, match="0007, 0009") as caught:
        import_clip("kitti-tracking", root)
    assert "--sequence" in caught.value.fix
    assert import_clip("kitti-tracking", root, "0007").name == "kitti-tracking-0007"
    with pytest.raises(DriveError, match="no sequence '0008'"):
        import_clip("kitti-tracking", root, "0008")


def test_an_unknown_format_names_the_nearest_and_all(tmp_path: Path) -> None:
    with pytest.raises(DriveError, match="no importer is named 'kiti-track'") as caught:
        import_clip("kiti-track", tmp_path)
    assert caught.value.fix.startswith("--fmt kitti-tracking;")
    assert "kitti-odometry" in caught.value.fix


@pytest.mark.parametrize("make", [maker.make_tracking, maker.make_odometry])
def test_importers_decode_no_picture(tmp_path: Path, make, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is imported is checked by a few pictures, but by `importers.plausibility` alone."""

    def decoded(*_: object) -> None:
        raise AssertionError("a picture was decoded")

    root = make(tmp_path)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decoded)
    importer = kitti_tracking if make is maker.make_tracking else kitti_odometry
    clip = importer.import_clip(root)
    with pytest.raises(AssertionError):
        clip.cameras[0].read(0)


def test_import_writes_a_clip_and_says_what_is_in_it(tmp_path: Path) -> None:
    root = maker.make_tracking(tmp_path / "drive")
    summary = import_(root, out=tmp_path / "clip")
    assert summary["frames"] == maker.FRAMES
    assert summary["duration_s"] == pytest.approx(0.5)
    assert summary["length_m"] == pytest.approx(5.0)
    assert (summary["actors"], summary["points"]) == (2, len(maker.points()))
    clip = load_clip(tmp_path / "clip")
    assert same_clip(clip, import_clip("kitti-tracking", root))
    assert same_clip(pickle.loads(pickle.dumps(clip)), clip)  # noqa: S301
    assert import_(root, out=tmp_path / "clip") == summary


def test_importing_where_the_caller_stands_gives_files_that_are_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker.make_odometry(tmp_path / "drive")
    monkeypatch.chdir(tmp_path / "drive")
    import_(Path(), out=Path("../clip"), fmt="kitti-odometry")
    monkeypatch.chdir("/")
    assert load_clip(tmp_path / "clip").cameras[0].read(0).shape == (24, 64, 3)


@pytest.fixture(scope="module")
def tracking(drives: Path) -> Clip:
    return import_clip("kitti-tracking", drives / "kitti_tracking_0002")


@pytest.mark.drives
def test_a_real_drive_is_indexed_in_a_moment(drives: Path) -> None:
    program = f"""
import time
from pathlib import Path
from scenes.importers import import_clip, kitti_odometry, kitti_tracking
import_clip("kitti-tracking", Path({str(drives / "kitti_tracking_0002")!r}))
print(time.process_time())
"""
    # Elsewhere, because here every call has its shapes checked.
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert float(done.stdout) < 2.0


@pytest.mark.drives
def test_the_real_tracking_drive(tracking: Clip) -> None:
    clip = tracking
    assert len(clip.cameras[0]) == 60
    assert clip.ego.travelled_m()[-1] == pytest.approx(71.2, abs=0.2)
    assert [actor.id for actor in clip.actors] == [0, 1, 2, 3, 5, 10, 11, 12, 13]
    moving = {actor.id for actor in clip.actors if actor.is_moving}
    assert 0 in moving
    assert moving.isdisjoint({1, 10, 11, 12, 13})  # parked, or waiting at the lights
    assert np.abs(clip.ego.world_from_body[:, 2, 3]).max() < 0.25  # a flat street


@pytest.mark.drives
def test_the_real_drives_points_fall_where_its_pictures_saw_them(
    drives: Path, tracking: Clip
) -> None:
    root, clip = drives / "kitti_tracking_0002", tracking
    assert clip.points is not None
    index: dict[int, int] = {}
    for line in (root / "colmap" / "points3D.txt").read_text().splitlines()[1:]:
        words = line.split()
        if float(words[7]) < MAX_ERROR_PX and len(set(words[8::2])) >= MIN_TRACK:
            index[int(words[0])] = len(index)
    assert len(index) == len(clip.points.position_m)
    lines = (root / "colmap" / "images.txt").read_text().splitlines()[2:]
    errors_px = []
    for head, tail in zip(lines[::2], lines[1::2], strict=True):
        seen = np.array(tail.split(), dtype=np.float64).reshape(-1, 3)
        seen = seen[[int(point) in index for point in seen[:, 2]]]
        position_m = clip.points.position_m[[index[int(point)] for point in seen[:, 2]]]
        frame = int(Path(head.split()[-1]).stem)
        errors_px.append(np.linalg.norm(pixel(clip, frame, position_m) - seen[:, :2], axis=1))
    medians = [float(np.median(error)) for error in errors_px]
    every = np.concatenate(errors_px)
    print(
        f"reprojection: median {np.median(every):.3f} px of {len(every)}, worst {max(medians):.3f}"
    )
    assert max(medians) < 1.0


@pytest.mark.drives
def test_the_real_drives_boxes_cover_its_labels(drives: Path, tracking: Clip) -> None:
    root, clip = drives / "kitti_tracking_0002", tracking
    actors = {actor.id: actor for actor in clip.actors}
    overlaps = []
    for line in (root / "label_02" / "0002.txt").read_text().splitlines():
        words = line.split()
        if words[2] == "DontCare":
            continue
        frame, actor = int(words[0]), actors[int(words[1])]
        pose = actor.at(int(clip.cameras[0].time_us[frame]))
        assert pose is not None
        corners = pixel(clip, frame, transform_points(pose, box_corners(actor.size_m)))
        ours = np.clip([corners.min(axis=0), corners.max(axis=0)], 0.0, [1242.0, 375.0])
        theirs = np.array(words[6:10], dtype=np.float64).reshape(2, 2) + 0.5  # as we count
        overlaps.append(_overlap(ours, theirs))
    assert np.median(overlaps) > 0.95
    assert min(overlaps) > 0.6  # label boxes are drawn by hand, these by geometry


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two boxes, each [[left, top], [right, bottom]]."""
    shared = np.prod(np.clip(np.minimum(one[1], other[1]) - np.maximum(one[0], other[0]), 0, None))
    return float(shared / (np.prod(one[1] - one[0]) + np.prod(other[1] - other[0]) - shared))


@pytest.mark.drives
def test_the_real_odometry_drive(drives: Path) -> None:
    clip = import_clip("kitti-odometry", drives / "kitti_odometry_06")
    assert len(clip.cameras[0]) == 51
    assert clip.ego.travelled_m()[-1] == pytest.approx(59.8, abs=0.2)
    # Its camera looks 1.2 degrees down; taken as level, the car would climb by 1.3 m.
    assert np.abs(clip.ego.world_from_body[:, 2, 3]).max() < 0.15
    with Image.open(clip.cameras[0].files[0]) as image:
        assert image.mode == "L"
