"""Boxes of KITTI drives fall where KITTI's own projection puts them, whatever COLMAP says.

The projection here is KITTI's development kit's: its corners, its P2, its pixel centres on whole
numbers. Ours are at +0.5, and so are COLMAP's.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from render.exporters import kitti
from render.labels.cuboids import boxes_in_view
from scenes.clip import Clip
from scenes.importers import import_clip
from scenes.importers.formats.kitti_colmap import MAX_LEFT_PX, turn_between
from scenes.importers.formats.kitti_text import kitti_camera, read_pictures, read_projection
from scenes.motion.geometry import box_corners, invert, rigid, rotation_exp, transform_points
from scenes.sensors.camera import Camera
from tests import kitti_maker as maker

CAMERAS, IMAGES = Path("colmap/cameras.txt"), Path("colmap/images.txt")


def kitti_corners(words: list[str]) -> np.ndarray:
    """Corners of a tracking label in the rectified frame, as KITTI's kit computes them [m]."""
    height, width, length, x, y, z, turn = map(float, words[10:17])
    across = np.array([1, 1, -1, -1, 1, 1, -1, -1]) * length / 2
    down = np.array([0, 0, 0, 0, -1, -1, -1, -1]) * height
    along = np.array([1, -1, -1, 1, 1, -1, -1, 1]) * width / 2
    c, s = np.cos(turn), np.sin(turn)
    rotation = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    return (rotation @ np.stack([across, down, along])).T + [x, y, z]


def kitti_pixels(projection: np.ndarray, points: np.ndarray) -> np.ndarray:
    homogeneous = np.column_stack([points, np.ones(len(points))]) @ projection.T
    return homogeneous[:, :2] / homogeneous[:, 2:]


def compared(root: Path, name: str, clip: Clip) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Of each labelled box wholly before the camera: KITTI's pixels, and ours as KITTI counts."""
    lines = (root / "calib" / f"{name}.txt").read_text().splitlines()
    row = next(line for line in lines if line.startswith("P2:"))
    projection = np.array(row.split()[1:], dtype=float).reshape(3, 4)
    actors = {actor.id: actor for actor in clip.actors}
    stream, first = clip.cameras[0], int(clip.cameras[0].files[0].stem)
    for line in (root / "label_02" / f"{name}.txt").read_text().splitlines():
        words = line.split()
        if words[2] == "DontCare" or kitti_corners(words)[:, 2].min() < 1.0:
            continue
        time_us = int(stream.time_us[int(words[0]) - first])
        actor = actors[int(words[1])]
        pose = actor.at(time_us)
        assert pose is not None
        camera_from_box = invert(clip.world_from_camera(0, time_us)) @ pose
        ours = stream.camera.project(transform_points(camera_from_box, box_corners(actor.size_m)))
        yield kitti_pixels(projection, kitti_corners(words)), ours - 0.5


def apart_px(theirs: np.ndarray, ours: np.ndarray) -> float:
    """The same eight corners, in two orders."""
    return float(np.linalg.norm(theirs[:, None] - ours[None], axis=2).min(axis=1).max())


def half_pixel_slip(root: Path) -> np.ndarray:
    """The model, solved with KITTI's numbers as they stand: its poses are turned to make up."""
    calibration = read_projection(root / "calib/0007.txt", "P2")
    pictures = read_pictures(root / "image_02/0007", "")
    calibrated = kitti_camera(calibration, pictures, root)
    for word, value in ((6, maker.CENTRE_PX[0] - 0.5), (7, maker.CENTRE_PX[1] - 0.5)):
        maker.change_word(root / CAMERAS, 1, word, str(value))
    model = replace(calibrated, cx=calibrated.cx - 0.5, cy=calibrated.cy - 0.5)
    calibrated_from_model = invert(turn_between(model, calibrated)[0])
    turned = maker.poses() @ calibrated_from_model
    write_poses(root, turned)
    lines = (root / IMAGES).read_text().splitlines()
    for place in range(1, len(lines), 2):
        words = lines[place].split()
        camera_from_world = invert(turned[int(Path(words[9]).stem)])
        words[1:5] = [f"{v:.15e}" for v in quaternion(camera_from_world[:3, :3])]
        words[5:8] = [f"{v:.15e}" for v in camera_from_world[:3, 3]]
        lines[place] = " ".join(words)
    (root / IMAGES).write_text("\n".join(lines) + "\n")
    return turned


def write_poses(root: Path, poses: np.ndarray) -> None:
    rows = (" ".join(f"{v:.15e}" for v in pose[:3].ravel()) for pose in poses)
    (root / "poses/0007.txt").write_text("".join(f"{row}\n" for row in rows))


def quaternion(rotation: np.ndarray) -> list[float]:
    """w, x, y, z of a small turn."""
    w = 0.5 * np.sqrt(1.0 + np.trace(rotation))
    skew = rotation - rotation.T
    return [w, *(np.array([skew[2, 1], skew[0, 2], skew[1, 0]]) / (4.0 * w))]


def converted(root: Path) -> None:
    """The model as it should be: KITTI's numbers plus 0.5."""
    assert maker.CENTRE_PX[0] == float((root / CAMERAS).read_text().split()[-2])


DRIVES: dict[str, tuple[Callable[[Path], object], str]] = {
    "converted": (converted, "which are the COLMAP model's too"),
    "half a pixel off": (half_pixel_slip, "nobody added 0.5"),
}


@pytest.mark.parametrize("name", DRIVES)
def test_synthetic_boxes_fall_where_kitti_projects_them(tmp_path: Path, name: str) -> None:
    change, said = DRIVES[name]
    change(root := maker.make_tracking(tmp_path))
    clip = import_clip("kitti-tracking", root)
    pairs = list(compared(root, "0007", clip))
    assert len(pairs) == maker.FRAMES + 1
    assert max(apart_px(*pair) for pair in pairs) < 0.01
    assert any(said in note for note in clip.notes)


@pytest.mark.parametrize("name", DRIVES)
def test_points_stay_where_the_pictures_saw_them(tmp_path: Path, name: str) -> None:
    DRIVES[name][0](root := maker.make_tracking(tmp_path))
    clip = import_clip("kitti-tracking", root)
    assert clip.points is not None
    for frame, pose in enumerate(maker.poses()):
        seen = maker.points() - pose[:3, 3]
        pictured = maker.FOCAL_PX * seen[:, :2] / seen[:, 2:] + maker.CENTRE_PX
        world_from_camera = clip.world_from_camera(0, int(clip.cameras[0].time_us[frame]))
        local = transform_points(invert(world_from_camera), clip.points.position_m)
        assert np.abs(clip.cameras[0].camera.project(local) - pictured).max() < 1e-4


def test_poses_from_elsewhere_are_not_turned(tmp_path: Path) -> None:
    root = maker.make_tracking(tmp_path)
    turned = half_pixel_slip(root) @ rigid(rotation_exp(np.array([0.0, 2e-3, 0.0])), np.zeros(3))
    write_poses(root, turned)
    clip = import_clip("kitti-tracking", root)
    assert any("are not the model's and are kept" in note for note in clip.notes)
    assert max(apart_px(*pair) for pair in compared(root, "0007", clip)) < 0.01
    first = invert(clip.world_from_camera(0, 0))
    for time_us, pose in zip(clip.cameras[0].time_us.tolist(), turned, strict=True):
        now = first @ clip.world_from_camera(0, time_us)
        np.testing.assert_allclose(now, invert(turned[0]) @ pose, atol=1e-9)


def test_a_lens_that_no_turn_makes_up_for_keeps_its_poses(tmp_path: Path) -> None:
    root = maker.make_tracking(tmp_path)
    for word in (4, 5):
        maker.change_word(root / CAMERAS, 1, word, "51.9")
    clip = import_clip("kitti-tracking", root)
    assert clip.cameras[0].camera.fx == 51.9
    (note,) = (note for note in clip.notes if "intrinsics" in note)
    assert "boxes may be so far off KITTI's own projection" in note
    assert max(apart_px(*pair) for pair in compared(root, "0007", clip)) < 2.0


def test_a_turn_leaves_little_of_half_a_pixel() -> None:
    ours = Camera(width=1242, height=375, fx=721.5, fy=721.5, cx=610.06, cy=173.35)
    theirs = Camera(width=1242, height=375, fx=721.5, fy=721.5, cx=609.56, cy=172.85)
    turn, left_px = turn_between(theirs, ours)
    assert 0.1 < left_px < MAX_LEFT_PX
    assert np.degrees(np.linalg.norm(turn[:3, :3] - np.eye(3))) < 0.1
    same, nothing = turn_between(ours, ours)
    np.testing.assert_allclose(same, np.eye(4), atol=1e-12)
    assert nothing < 1e-9


@pytest.mark.parametrize("name", DRIVES)
def test_what_is_exported_is_in_kittis_convention_again(tmp_path: Path, name: str) -> None:
    DRIVES[name][0](root := maker.make_tracking(tmp_path))
    clip = import_clip("kitti-tracking", root)
    time_us, camera = 0, clip.cameras[0].camera
    pose = clip.world_from_camera(0, time_us)
    record = {
        "camera": {x: getattr(camera, x) for x in ("width", "height", "fx", "fy", "cx", "cy")},
        "world_from_camera": pose.tolist(),
        "world_from_ego": (pose @ invert(clip.cameras[0].ego_from_camera)).tolist(),
    }
    rows = {x.split(":")[0]: x.split()[1:] for x in kitti.calib_text(record).splitlines()}
    exported = np.array(rows["P2"], dtype=float).reshape(3, 4)
    recorded = read_projection(root / "calib/0007.txt", "P2")
    np.testing.assert_allclose(exported[:, :3], recorded[:, :3], atol=1e-9)
    theirs = next(iter(compared(root, "0007", clip)))[0]
    for box in boxes_in_view(clip.actors, camera, pose, time_us):
        if box.actor.id == 3:
            item = {
                "box_2d": [1.0, 1.0, 2.0, 2.0],
                "camera_from_box": box.camera_from_box.tolist(),
                "size_m": box.actor.size_m.tolist(),
                "class": "CAR",
                "truncation": 0.0,
                "occlusion": 0,
                "ignore_region": None,
                "rendered": True,
                "ignored": None,
            }
            text = kitti.label_text({**record, "objects": [item]})
            words = ["0", "3", *text.split()]
            assert apart_px(theirs, kitti_pixels(exported, kitti_corners(words))) < 0.01
            return
    raise AssertionError("the parked car is not in view")


@pytest.mark.drives
def test_real_boxes_fall_where_kitti_projects_them(drives: Path) -> None:
    root = drives / "kitti_tracking_0002"
    clip = import_clip("kitti-tracking", root)
    pairs = list(compared(root, "0002", clip))
    assert len(pairs) > 80
    assert max(apart_px(*pair) for pair in pairs) < 0.01
    assert any("nobody added 0.5" in note for note in clip.notes)
    camera, moving = clip.cameras[0].camera, [actor for actor in clip.actors if actor.is_moving]
    for time_us in clip.cameras[0].time_us[33::6].tolist():  # and so do the labels of who moves
        pose = clip.world_from_camera(0, time_us)
        for box in boxes_in_view(moving, camera, pose, time_us):
            there = box.actor.at(time_us)
            assert there is not None
            np.testing.assert_allclose(box.camera_from_box, invert(pose) @ there, atol=1e-9)
