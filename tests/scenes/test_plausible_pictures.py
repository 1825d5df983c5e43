"""Pictures move as their calibration and poses say, or are refused with what would explain them."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenes.camera import Camera
from scenes.clip import Clip, ImageStream
from scenes.errors import DriveError
from scenes.geometry import invert, rigid, rotation_exp
from scenes.importers import import_clip
from scenes.plausibility import check_clip
from scenes.plausibility.conventions import CAR_AXES, OPENGL_AXES
from scenes.plausibility.lens import principal_point_problem
from scenes.plausibility.matching import find_corners, match
from scenes.plausibility.seen_motion import PAIRS, Fit, Pair, fit_of, see_motion
from scenes.trajectory import Trajectory
from scenes.worlds.recorder import Recording, _clip
from scenes.worlds.rigs import RIGS, mounts
from scenes.worlds.sample import sample_path
from tests import kitti_maker as maker
from tests import street_maker as street

PICTURES, STEP_M = 9, 1.0


def fit(clip: Clip, index: int = 0) -> Fit | None:
    """How a clip's pictures fit it; None where they say nothing."""
    stream = clip.cameras[index]
    poses = clip.ego.at(stream.time_us) @ stream.ego_from_camera
    pairs = see_motion(stream, poses)
    return fit_of(pairs, stream.camera, poses) if pairs else None


@pytest.mark.parametrize("turn", [0.0, 0.4])
def test_a_true_drive_fits_and_is_noted_nowhere(turn: float, tmp_path: Path) -> None:
    drive = street.drive(PICTURES, STEP_M, turn)
    clip = import_clip("kitti-tracking", street.make_tracking(tmp_path, drive, drive))
    found = fit(clip)
    assert found is not None
    assert found.typical_px < 0.5
    assert found.typical_before > 0.8
    assert not any("do not move" in note for note in clip.notes)


@pytest.mark.parametrize("shown", [0.5, 0.75, 1.5, 2.0])
def test_pictures_of_another_size_are_refused_with_it(shown: float, tmp_path: Path) -> None:
    drive = street.drive(PICTURES, STEP_M, 0.1)
    root = street.make_tracking(tmp_path, drive, drive, shown)
    with pytest.raises(DriveError, match=f"{shown:g} times as large") as caught:
        import_clip("kitti-tracking", root)
    assert f"fx, fy, cx, cy times {shown:g}" in caught.value.fix
    # What is advised helps.
    fx, cx, cy = (shown * value for value in (street.FOCAL_PX, street.WIDTH / 2, street.HEIGHT / 2))
    matrix = np.array([[fx, 0, cx - 0.5, 0], [0, fx, cy - 0.5, 0], [0, 0, 1, 0]])
    maker.write(root / "calib" / "0003.txt", [f"P2: {maker.row(matrix)}"])
    assert not any("do not move" in each for each in import_clip("kitti-tracking", root).notes)


def test_a_resized_drive_whose_principal_point_was_moved_is_told_by_its_motion(
    tmp_path: Path,
) -> None:
    """Half-size pictures, cx and cy halved, the focal length forgotten: turning tells."""
    drive = street.drive(2 * PICTURES, 0.5, 0.8)
    root = street.make_tracking(tmp_path, drive, drive)
    maker.write(root / "calib" / "0003.txt", [f"P2: {maker.row(street.projection(360.0))}"])
    with pytest.raises(DriveError, match=r"focal length were 0\.5 times") as caught:
        import_clip("kitti-tracking", root)
    assert "fx, fy of 18" in caught.value.fix or "fx, fy of 17" in caught.value.fix


def test_a_focal_length_that_nothing_shows_is_not_guessed(tmp_path: Path) -> None:
    """Straight ahead, every focal length explains the motion."""
    drive = street.drive(PICTURES, STEP_M)
    root = street.make_tracking(tmp_path, drive, drive)
    maker.write(root / "calib" / "0003.txt", [f"P2: {maker.row(street.projection(300.0))}"])
    assert not any("do not move" in each for each in import_clip("kitti-tracking", root).notes)


def test_pictures_in_reverse_order_are_refused(tmp_path: Path) -> None:
    drive = street.drive(PICTURES, STEP_M)
    root = street.make_tracking(tmp_path, drive, drive[::-1])
    with pytest.raises(DriveError, match="as if their order were reversed") as caught:
        import_clip("kitti-tracking", root)
    assert "pictures in the order of the poses" in caught.value.fix


def test_poses_of_another_drive_are_noted(tmp_path: Path) -> None:
    """Nothing explains them, so nothing is claimed but that they do not fit."""
    seen, said = street.drive(2 * PICTURES, 0.5, 0.6), street.drive(2 * PICTURES, 0.5, -0.2)
    root = street.make_tracking(tmp_path, said, seen)
    notes = import_clip("kitti-tracking", root).notes
    assert any("do not move as the poses" in note for note in notes)


@pytest.mark.parametrize("pictures", ["flat", "noise", "still"])
def test_pictures_that_say_nothing_are_accepted(pictures: str, tmp_path: Path) -> None:
    drive = street.drive(PICTURES, STEP_M if pictures != "still" else 0.01)
    root = street.make_tracking(tmp_path, drive, drive if pictures == "still" else None)
    rng = np.random.default_rng(3)
    if pictures == "noise":
        for file in (root / "image_02" / "0003").iterdir():
            image = rng.integers(0, 256, (street.HEIGHT, street.WIDTH), dtype=np.uint8)
            Image.fromarray(image).save(file)
    clip = import_clip("kitti-tracking", root)
    assert fit(clip) is None
    assert not any("do not move" in note for note in clip.notes)


def test_corners_are_found_where_they_are_to_a_fraction_of_a_pixel() -> None:
    """The same texture, seen 3.4 px further right and 1.8 px further down."""
    fine = street.picture(street.drive(2, 1.0)[0], 4.0 * street.FOCAL_PX)
    image = Image.fromarray(fine).resize(
        (2 * street.WIDTH, 2 * street.HEIGHT), Image.Resampling.BICUBIC
    )
    moved = image.transform(
        image.size, Image.Transform.AFFINE, (1, 0, -3.4, 0, 1, -1.8), Image.Resampling.BICUBIC
    )
    here, there = match(find_corners(np.asarray(image)), find_corners(np.asarray(moved)))
    assert len(here) > 100
    assert np.median(np.abs(there - here - [3.4, 1.8])) < 0.15


def test_what_a_picture_hides_has_no_corners() -> None:
    grey = street.picture(np.eye(4))
    opaque = np.ones(grey.shape, dtype=bool)
    opaque[30:70, 100:200] = False
    everywhere, beside = find_corners(grey), find_corners(grey, opaque)
    assert (~opaque[everywhere.row, everywhere.column]).sum() > 5
    assert opaque[beside.row, beside.column].all()
    assert len(beside.row) > 20


def test_the_fit_is_nil_for_exact_matches() -> None:
    """Epipolar geometry against projection: whatever the lens, exact matches are 0 px off."""
    rng = np.random.default_rng(0)
    points = rng.uniform([-8.0, -2.0, 6.0], [8.0, 2.0, 40.0], (300, 3))
    poses = street.drive(2, 1.5, 0.1)
    plain = Camera(width=640, height=320, fx=300.0, fy=310.0, cx=330.0, cy=150.0)
    lenses = (
        plain,
        replace(plain, distortion=(-0.2, 0.05, 0.001, -0.001)),
        replace(plain, fisheye=True, distortion=(-0.02, 0.004, 0.0, 0.0)),
    )
    for camera in lenses:
        first, second = (camera.project((points - pose[:3, 3]) @ pose[:3, :3]) for pose in poses)
        pair = Pair(first=0, second=1, first_px=first, second_px=second, shrunk=1)
        right = fit_of((pair,), camera, poses)
        assert right.typical_px < 1e-6
        assert right.typical_before == 1.0
        assert fit_of((pair,), camera, poses[::-1]).typical_before < 0.6
        shifted = replace(pair, second_px=second + [0.0, 2.0])
        assert 0.5 < fit_of((shifted,), camera, poses).typical_px <= 2.1


def strangers_clip(root: Path, world_from_camera: np.ndarray, ego_from_camera: np.ndarray) -> Clip:
    """What an importer of another package could hand over."""
    clip = import_clip("kitti-tracking", root)
    ego = Trajectory(
        time_us=clip.ego.time_us, world_from_body=world_from_camera @ invert(ego_from_camera)
    )
    return replace(
        clip, ego=ego, cameras=(replace(clip.cameras[0], ego_from_camera=ego_from_camera),)
    )


def test_what_other_importers_hand_over_is_checked_too(tmp_path: Path) -> None:
    drive = street.drive(PICTURES, STEP_M)
    root = street.make_tracking(tmp_path, drive, drive)
    mount = import_clip("kitti-tracking", root).cameras[0].ego_from_camera
    assert check_clip(strangers_clip(root, drive, mount), root).notes
    with pytest.raises(DriveError, match="sideways, or through the ground"):
        check_clip(strangers_clip(root, drive, np.eye(4)), root)
    back = mount.copy()
    back[:3, :3] = rotation_exp(np.array([0.0, 0.0, np.pi])) @ mount[:3, :3]
    # A camera that looks back, on a car that drives ahead, is what its pictures do not show ...
    with pytest.raises(DriveError, match="the pictures move another way"):
        check_clip(strangers_clip(root, drive[::-1], back), root)
    # ... and one on a car that reverses is.
    assert check_clip(strangers_clip(root, drive, back), root).notes


# Principal points


@pytest.mark.parametrize(
    ("size", "centre"),
    [
        ((1242, 375), (609.6, 172.9)),
        ((1226, 370), (601.9, 183.1)),
        ((1392, 512), (690.0, 240.0)),
        ((397, 120), (195.3, 55.8)),
        ((1600, 900), (816.3, 491.5)),
        ((1920, 1280), (950.0, 640.0)),
        ((1242, 250), (609.6, 47.9)),  # KITTI with its sky cut off
        ((600, 375), (80.0, 172.9)),  # the right half of a picture
    ],
)
def test_real_principal_points_and_crops_pass(
    size: tuple[int, int], centre: tuple[float, float]
) -> None:
    camera = Camera(width=size[0], height=size[1], fx=721.5, fy=721.5, cx=centre[0], cy=centre[1])
    assert principal_point_problem(camera) is None


@pytest.mark.parametrize("rig", RIGS)
def test_the_rigs_of_worlds_pass(rig: str) -> None:
    assert all(principal_point_problem(mount.camera) is None for mount in mounts(rig, 640, 192))


@pytest.mark.parametrize("times", [0.25, 0.5, 2.0, 3.0])
def test_the_principal_point_of_another_size_names_it(times: float) -> None:
    camera = Camera(
        width=round(1242 * times), height=round(375 * times),
        fx=721.5, fy=721.5, cx=609.6, cy=172.9,
    )  # fmt: skip
    problem = principal_point_problem(camera)
    assert problem is not None
    assert f"as if the pictures were {times:.2g} times as large" in problem[0]
    assert f"fx, fy, cx, cy times {times:.2g}" in problem[1]


# What it costs


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    files: list[Path] = []
    read = ImageStream.read

    def counted(stream: ImageStream, index: int) -> np.ndarray:
        files.append(stream.files[index])
        return read(stream, index)

    monkeypatch.setattr(ImageStream, "read", counted)
    return files


def test_a_long_drive_costs_no_more_pictures_than_a_short_one(
    tmp_path: Path, decoded: list[Path]
) -> None:
    root = street.make_tracking(tmp_path, street.drive(600, STEP_M))
    import_clip("kitti-tracking", root)
    assert 0 < len(decoded) <= 2 * PAIRS


# Drives that are right: no false alarm


def settle(clip: Clip) -> None:
    """A true clip: nothing is refused, nothing is noted, and every camera's motion fits well."""
    checked = check_clip(clip, clip.name)
    assert checked.notes == clip.notes
    for index in range(len(clip.cameras)):
        found = fit(clip, index)
        if found is not None:
            print(f"{clip.name} {clip.cameras[index].name}: {found.off_px}, {found.before}")


def test_the_sample_drive_is_plausible() -> None:
    clip = Clip.load(sample_path())
    settle(clip)
    found = fit(clip)
    assert found is not None
    assert max(found.off_px) < 0.4
    assert min(found.before) > 0.7


@pytest.mark.parametrize("recipe", ["crossing", "motorway", "parking_row", "roundabout"])
def test_the_worlds_are_plausible(recipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their ways, speeds, rigs, road users; what pictures of them say, the sample drive tells."""
    grey = np.full((192, 640, 3), 128, np.uint8)
    monkeypatch.setattr(ImageStream, "read", lambda *_: grey)
    clip = _clip(Recording(recipe=recipe, frames=100, rig="surround"), Path("nowhere"))
    assert check_clip(clip, recipe).notes == clip.notes


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
