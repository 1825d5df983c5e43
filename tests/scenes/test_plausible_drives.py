"""Drives that are right, real ones and worlds: no false alarm."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenes.clip import Clip, ImageStream
from scenes.errors import DriveError
from scenes.importers import import_clip
from scenes.importers.plausibility import check_clip
from scenes.importers.plausibility.conventions import CAR_AXES, OPENGL_AXES
from scenes.importers.plausibility.seen_motion import Fit, fit_of, see_motion
from scenes.motion.geometry import invert, rigid, rotation_exp
from scenes.storage.clip_files import load_clip
from scenes.worlds.record.recorder import Recording, _clip
from scenes.worlds.record.sample import sample_path
from tests import kitti_maker as maker
from tests import street_maker as street

PICTURES, STEP_M = 9, 1.0


def fit(clip: Clip, index: int = 0) -> Fit | None:
    """How a clip's pictures fit it; None where they say nothing."""
    stream = clip.cameras[index]
    poses = clip.ego.at(stream.time_us) @ stream.ego_from_camera
    pairs = see_motion(stream, poses)
    return fit_of(pairs, stream.camera, poses) if pairs else None


def settle(clip: Clip) -> None:
    """A true clip: nothing is refused, nothing is noted, and every camera's motion fits well."""
    checked = check_clip(clip, clip.name)
    assert checked.notes == clip.notes
    for index in range(len(clip.cameras)):
        found = fit(clip, index)
        if found is not None:
            print(f"{clip.name} {clip.cameras[index].name}: {found.off_px}, {found.before}")


def test_the_sample_drive_is_plausible() -> None:
    clip = load_clip(sample_path())
    settle(clip)
    found = fit(clip)
    assert found is not None
    assert max(found.off_px) < 0.4
    assert min(found.before) > 0.7


@pytest.mark.parametrize("recipe", ["crossing", "motorway", "parking_row", "roundabout"])
def test_the_worlds_are_plausible(recipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their ways, speeds, rigs, road users; what pictures of them say, the sample drive tells."""
    grey = np.full((192, 640, 3), 128, np.uint8)
    monkeypatch.setattr(ImageStream, "read_masked", lambda *_: (grey, None))
    clip = _clip(Recording(recipe=recipe, frames=100, rig="surround"), Path("nowhere"))
    *notes, unseen = check_clip(clip, recipe).notes
    assert tuple(notes) == clip.notes
    # Grey pictures show nothing, and that is all there is to say of them.
    assert "could not be compared with the calibration" in unseen


@pytest.mark.drives
@pytest.mark.parametrize(
    "drive", ["kitti-tracking kitti_tracking_0002", "kitti-odometry kitti_odometry_06"]
)
def test_real_drives_are_plausible(drive: str, drives: Path) -> None:
    fmt, folder = drive.split()
    clip = import_clip(fmt, drives / folder)
    settle(replace(clip, notes=()))
    found = fit(clip)
    assert found is not None
    assert found.typical_px < 0.4
    assert found.typical_before > 0.8


def odometry(root: Path, files: list[Path], projection: str, poses: np.ndarray, times_s) -> Path:
    """A view of another recording in KITTI odometry's layout."""
    folder = root / "sequences" / "01"
    (folder / "image_2").mkdir(parents=True)
    for index, file in enumerate(files):
        (folder / "image_2" / f"{index:06d}{file.suffix}").symlink_to(file.resolve())
    maker.write(folder / "calib.txt", [f"P2: {projection}"])
    maker.write(folder / "times.txt", [f"{time:.6f}" for time in times_s])
    maker.write(root / "poses" / "01.txt", [maker.row(pose[:3]) for pose in poses])
    return root


def table(path: Path) -> dict[str, str]:
    rows = (line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
    return {name: rest.strip() for name, rest in rows}


def numbers(text: str) -> np.ndarray:
    return np.array(text.split(), dtype=np.float64)


def raw_poses(day: Path, drive: Path) -> np.ndarray:
    """world_from_camera 0 (rectified), from GPS and IMU, as KITTI's devkit has it."""
    to_velodyne, to_camera = (
        rigid(numbers(rows["R"]).reshape(3, 3), numbers(rows["T"]))
        for rows in (table(day / "calib_imu_to_velo.txt"), table(day / "calib_velo_to_cam.txt"))
    )
    rectify = numbers(table(day / "calib_cam_to_cam.txt")["R_rect_00"]).reshape(3, 3)
    camera_from_imu = rigid(rectify, np.zeros(3)) @ to_camera @ to_velodyne
    oxts = np.array([numbers(f.read_text()) for f in sorted((drive / "oxts" / "data").iterdir())])
    latitude, longitude, altitude, roll, pitch, yaw = oxts[:, :6].T
    scale = 6378137.0 * np.cos(np.radians(latitude[0]))
    east = scale * np.radians(longitude)
    north = scale * np.log(np.tan(np.pi * (90.0 + latitude) / 360.0))
    turn = np.eye(3)
    for angle, axis in ((yaw, [0.0, 0.0, 1.0]), (pitch, [0.0, 1.0, 0.0]), (roll, [1.0, 0.0, 0.0])):
        turn = turn @ rotation_exp(angle[:, None] * axis)
    poses = rigid(turn, np.stack([east, north, altitude], axis=1)) @ invert(camera_from_imu)
    return invert(poses[0]) @ poses


@pytest.mark.drives
@pytest.mark.parametrize("camera", ["00", "01", "02", "03"])
def test_the_raw_drive_is_plausible(camera: str, drives: Path, tmp_path: Path) -> None:
    day = drives / "kitti_raw_0001" / "2011_09_26"
    drive = day / "2011_09_26_drive_0001_sync"
    files = sorted((drive / f"image_{camera}" / "data").iterdir())
    projection = table(day / "calib_cam_to_cam.txt")[f"P_rect_{camera}"]
    times_s = 0.1 * np.arange(len(files))
    root = odometry(tmp_path, files, projection, raw_poses(day, drive), times_s)
    clip = import_clip("kitti-odometry", root)
    settle(replace(clip, notes=()))
    found = fit(clip)
    assert found is not None
    assert found.typical_px < 0.4
    assert found.typical_before > 0.8


@pytest.mark.drives
def test_the_raw_drive_in_a_queue_is_plausible(drives: Path, tmp_path: Path) -> None:
    """It has no poses: straight on at the pace of its README, which is all that we know."""
    day = drives / "kitti_raw_lidar" / "2011_09_26"
    files = sorted(next(day.glob("*_sync")).glob("image_02/data/*"))
    projection = table(day / "calib_cam_to_cam.txt")["P_rect_02"]
    poses = street.drive(len(files), 0.2)
    root = odometry(tmp_path, files, projection, poses, 0.1 * np.arange(len(files)))
    clip = import_clip("kitti-odometry", root)
    assert any("could not be measured" in note for note in clip.notes)


@pytest.mark.drives
@pytest.mark.parametrize("shown", [0.5, 0.75])
def test_the_real_drive_at_another_size_is_refused_with_it(
    shown: float, drives: Path, tmp_path: Path
) -> None:
    root = tmp_path / "drive"
    shutil.copytree(drives / "kitti_odometry_06", root)
    for file in (root / "sequences" / "06" / "image_0").iterdir():
        with Image.open(file) as image:
            size = (round(shown * image.width), round(shown * image.height))
            small = image.resize(size, Image.Resampling.BOX)
        file.unlink()
        small.save(file, compress_level=1)
    with pytest.raises(DriveError, match=f"{shown:g} times as large"):
        import_clip("kitti-odometry", root)


@pytest.mark.drives
@pytest.mark.parametrize("wrong", ["inverse", "opengl", "lidar", "reversed"])
def test_the_real_drive_with_other_poses(wrong: str, drives: Path, tmp_path: Path) -> None:
    source, root = drives / "kitti_odometry_06", tmp_path / "drive"
    rows = np.loadtxt(source / "poses" / "06.txt").reshape(-1, 3, 4)
    poses = np.concatenate([rows, np.tile([[[0.0, 0.0, 0.0, 1.0]]], (len(rows), 1, 1))], axis=1)
    files = sorted((source / "sequences" / "06" / "image_0").iterdir())
    projection = table(source / "sequences" / "06" / "calib.txt")["P0"]
    times_s = 0.1 * np.arange(len(files))
    if wrong == "reversed":
        clip = import_clip(
            "kitti-odometry", odometry(root, files[::-1], projection, poses[::-1], times_s)
        )
        assert any("reverses over 100 %" in note for note in clip.notes)
        return
    harm, name = {
        "inverse": (invert, "these look like camera_from_world"),
        "opengl": (lambda p: street.in_axes(p, OPENGL_AXES), "these look like OpenGL's axes"),
        "lidar": (lambda p: street.in_axes(p, CAR_AXES), "x forward, y left, z up"),
    }[wrong]
    with pytest.raises(DriveError, match="does not travel the way it looks") as caught:
        import_clip("kitti-odometry", odometry(root, files, projection, harm(poses), times_s))
    assert name in caught.value.wrong
