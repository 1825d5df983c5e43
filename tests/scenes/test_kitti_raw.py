"""The importer of KITTI raw, against the devkit's formulas written once more, and real drives."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from scenes.clip import Clip
from scenes.commands import import_
from scenes.errors import DriveError
from scenes.importers import import_clip
from scenes.motion.geometry import invert, transform_points
from scenes.semantics import Semantic
from scenes.storage.clip_files import load_clip
from scenes.storage.clip_layout import same_clip
from tests import kitti_raw_maker as maker
from tests.kitti_raw_maker import cut, misnamed, next_day, smaller


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return maker.make_raw(tmp_path_factory.mktemp("raw"))


@pytest.fixture(scope="module")
def clip(drive: Path) -> Clip:
    return import_clip("kitti-raw", drive)


def numbers(path: Path) -> dict[str, np.ndarray]:
    """A calibration file, as the devkit's readCalibFile has it."""
    found = {}
    for line in path.read_text().splitlines():
        name, said = line.split(":", 1)
        if name != "calib_time":
            found[name] = np.array([float(word) for word in said.split()])
    return found


def square(rotation: np.ndarray, offset: np.ndarray) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation.reshape(3, 3), offset
    return matrix


def devkit_pixels(day: Path, camera: int, velo: np.ndarray) -> np.ndarray:
    """run_demoVelodyne: P_rect R_rect Tr_velo_to_cam x; pixel centres on whole numbers."""
    cam, velo_to_cam = numbers(day / "calib_cam_to_cam.txt"), numbers(day / "calib_velo_to_cam.txt")
    rectified = square(cam["R_rect_00"], np.zeros(3))
    chain = cam[f"P_rect_{camera:02d}"].reshape(3, 4) @ rectified
    chain = chain @ square(velo_to_cam["R"], velo_to_cam["T"])
    seen = np.column_stack([velo, np.ones(len(velo))]) @ chain.T
    return seen[:, :2] / seen[:, 2:]


def devkit_poses(files: list[Path]) -> np.ndarray:
    """convertOxtsToPose: pose of the IMU at each packet, in the first one's axes."""
    scale, first, origin, found = None, np.eye(4), np.zeros(3), []
    for path in files:
        lat, lon, alt, rx, ry, rz = (float(word) for word in path.read_text().split()[:6])
        if scale is None:
            scale = math.cos(lat * math.pi / 180)
        east = scale * lon * math.pi * 6378137 / 180
        north = scale * 6378137 * math.log(math.tan((90 + lat) * math.pi / 360))
        c, s = math.cos, math.sin
        about_x = np.array([[1, 0, 0], [0, c(rx), -s(rx)], [0, s(rx), c(rx)]])
        about_y = np.array([[c(ry), 0, s(ry)], [0, 1, 0], [-s(ry), 0, c(ry)]])
        about_z = np.array([[c(rz), -s(rz), 0], [s(rz), c(rz), 0], [0, 0, 1]])
        pose = square(about_z @ about_y @ about_x, np.array([east, north, alt]))
        if not found:
            first = np.linalg.inv(square(pose[:3, :3], np.zeros(3)))
            origin = pose[:3, 3].copy()
        pose[:3, 3] -= origin
        found.append(first @ pose)
    return np.array(found)


def pixels(clip: Clip, camera: int, velo: np.ndarray) -> np.ndarray:
    """Where a clip's camera sees points of its lidar, at one time."""
    stream, time_us = clip.cameras[camera], int(clip.cameras[camera].time_us[3])
    world_from_lidar = clip.ego.at(np.array([time_us]))[0] @ clip.lidars[0].ego_from_lidar
    camera_from_lidar = invert(clip.world_from_camera(camera, time_us)) @ world_from_lidar
    return stream.camera.project(transform_points(camera_from_lidar, velo))


def imu(clip: Clip, velo_from_imu: np.ndarray, files: int) -> np.ndarray:
    """Pose of the IMU at each packet, in the first one's axes."""
    time_us = clip.ego.time_us[1 : 1 + files]  # the first pose is where the first turn began
    poses = clip.ego.at(time_us) @ clip.lidars[0].ego_from_lidar @ velo_from_imu
    return invert(poses[:1]) @ poses


@pytest.mark.parametrize("camera", range(4))
def test_every_camera_sees_the_lidar_where_the_devkit_has_it(
    camera: int, drive: Path, clip: Clip
) -> None:
    velo = np.random.default_rng(camera).uniform([4, -20, -2], [60, 20, 3], (500, 3))
    theirs = devkit_pixels(drive.parent, camera, velo)
    assert_allclose(pixels(clip, camera, velo) - 0.5, theirs, rtol=0, atol=1e-6)


def test_poses_are_the_devkits(drive: Path, clip: Clip) -> None:
    theirs = devkit_poses(sorted((drive / "oxts" / "data").glob("*.txt")))
    ours = imu(clip, maker.VELO_FROM_IMU, maker.FRAMES)
    assert_allclose(ours[:, :3, 3], theirs[:, :3, 3], rtol=0, atol=1e-9)
    assert_allclose(ours[:, :3, :3], theirs[:, :3, :3], rtol=0, atol=1e-12)


def test_the_world_is_level_and_begins_at_the_first_pose(clip: Clip) -> None:
    first = clip.ego.world_from_body[1]
    assert_allclose(first[:3, 3], 0.0, atol=1e-9)
    assert first[1, 0] == pytest.approx(0.0, abs=1e-12)
    # the third row of Rz Ry Rx knows no yaw: up is the Earth's
    up = [-math.sin(maker.PITCH), math.sin(maker.ROLL) * math.cos(maker.PITCH),
          math.cos(maker.ROLL) * math.cos(maker.PITCH)]  # fmt: skip
    assert_allclose(first[2, :3], up, atol=1e-9)
    assert clip.lidars[0].ego_from_lidar[1, 3] == pytest.approx(0.0, abs=1e-12)
    imu_in_ego = (clip.lidars[0].ego_from_lidar @ maker.VELO_FROM_IMU)[:3, 3]
    assert_allclose(imu_in_ego[[0, 2]], [-0.05, 0.93], atol=1e-12)


def test_every_sensor_has_its_own_times(clip: Clip) -> None:
    assert [stream.name for stream in clip.cameras] == list(maker.CAMERAS)
    zero_us = int(clip.cameras[0].time_us[0])
    steps_us = np.arange(maker.FRAMES) * maker.STEP_US
    for stream in clip.cameras:
        assert_array_equal(stream.time_us - zero_us, steps_us + maker.LATER_US.get(stream.name, 0))
        assert stream.read(0).shape == (maker.HEIGHT, maker.WIDTH, 3)
    begin_us = maker.LATER_US["velodyne_points"] + maker.START_US
    assert_array_equal(clip.lidars[0].time_us - zero_us, steps_us + begin_us)
    assert clip.lidars[0].turn_us is not None
    assert_array_equal(clip.lidars[0].turn_us, maker.END_US - maker.START_US)
    assert clip.ego.time_us[0] == clip.lidars[0].time_us[0] == 0


def test_a_grey_camera_reads_as_equal_channels(clip: Clip) -> None:
    picture = clip.cameras[0].read(2)
    assert_array_equal(picture[..., 0], picture[..., 1])
    assert np.any(clip.cameras[2].read(2)[..., 0] != clip.cameras[2].read(2)[..., 1])


def test_points_of_all_turns_meet_once_each_has_its_time(clip: Clip) -> None:
    lidar, timed, untimed = clip.lidars[0], [], []
    for index, start_us in enumerate(lidar.time_us):
        sweep = lidar.read(index)
        for found, when_us in ((timed, sweep.offset_us.astype(np.int64)), (untimed, np.array([0]))):
            poses = clip.ego.at(start_us + when_us) @ lidar.ego_from_lidar
            found.append(np.einsum("nij,nj->ni", poses, np.c_[sweep.xyz_m, np.ones(200)])[:, :3])
    assert np.ptp(np.array(timed), axis=0).max() < 1e-3
    assert np.ptp(np.array(untimed), axis=0).max() > 0.1


def test_tracklets_stand_where_their_sweep_has_them(clip: Clip) -> None:
    car, person = clip.actors
    assert (car.kind, person.kind) == (Semantic.CAR, Semantic.PERSON)
    assert_allclose(car.size_m, [4.2, 1.8, 1.5])
    assert (len(car.trajectory), len(person.trajectory)) == (4, 2)
    lidar = clip.lidars[0]
    forward_us = lidar.time_us - maker.START_US
    assert_array_equal(car.trajectory.time_us, forward_us[1:5])
    for k, pose in enumerate(car.trajectory.world_from_body):
        box = square(np.eye(3), np.array([10.0 + 0.1 * k, 2.0, -1.7 + 0.75]))
        c, s = math.cos(0.3), math.sin(0.3)
        box[:2, :2] = [[c, -s], [s, c]]
        world_from_velo = clip.ego.at(forward_us[1 + k : 2 + k])[0] @ lidar.ego_from_lidar
        assert_allclose(pose, world_from_velo @ box, atol=1e-9)


@pytest.mark.parametrize("up", [0, 1, 2])
def test_the_drive_its_day_or_the_folder_above_will_do(up: int, drive: Path) -> None:
    root = (drive, *drive.parents)[up]
    assert len(import_clip("kitti-raw", root).cameras) == 4
    assert len(import_clip("kitti-raw", root, "0007", cameras=("image_02",)).cameras) == 1


def test_some_of_the_cameras(drive: Path) -> None:
    clip = import_clip("kitti-raw", drive, cameras=("image_03", "image_01"))
    assert [stream.name for stream in clip.cameras] == ["image_01", "image_03"]
    with pytest.raises(DriveError, match="has no camera 'image_3'") as caught:
        import_clip("kitti-raw", drive, cameras=("image_3",))
    assert "--cameras image_03" in caught.value.fix


def test_formats_of_one_camera_take_no_choice(tmp_path: Path) -> None:
    from tests.kitti_maker import make_odometry

    with pytest.raises(DriveError, match="kitti-odometry takes no choice of cameras"):
        import_clip("kitti-odometry", make_odometry(tmp_path), cameras=("image_02",))


def test_the_command_imports_some_cameras(drive: Path, tmp_path: Path) -> None:
    import_(drive, tmp_path / "clip", "kitti-raw", cameras=("image_02", "image_03"))
    saved = load_clip(tmp_path / "clip")
    assert [stream.name for stream in saved.cameras] == ["image_02", "image_03"]
    assert saved.lidars[0].reader == "kitti-bin"
    assert len(saved.lidars[0].read(1).xyz_m) == 200
    again = import_clip("kitti-raw", drive, cameras=("image_02", "image_03"))
    assert same_clip(saved, again)


def test_several_drives_are_told_apart(tmp_path: Path) -> None:
    one = maker.make_raw(tmp_path)
    other = one.with_name(one.name.replace("0007", "0051"))
    shutil.copytree(one, other)
    with pytest.raises(DriveError, match="holds 2 drives") as caught:
        import_clip("kitti-raw", tmp_path)
    assert one.name in caught.value.fix
    assert import_clip("kitti-raw", tmp_path, "0051").name.endswith(other.name)
    with pytest.raises(DriveError, match="has no drive '0052'"):
        import_clip("kitti-raw", tmp_path, "0052")


def copy(drive: Path, into: Path) -> Path:
    shutil.copytree(drive.parent, into / maker.DAY)
    return into / maker.DAY / drive.name


def test_what_is_missing_is_noted_and_the_rest_imported(drive: Path, tmp_path: Path) -> None:
    root = copy(drive, tmp_path)
    for name in ("image_01/data/0000000003.png", "velodyne_points/data/0000000004.bin",
                 "oxts/data/0000000002.txt"):  # fmt: skip
        (root / name).unlink()
    found = import_clip("kitti-raw", root)
    assert [len(stream) for stream in found.cameras] == [8, 7, 8, 8]
    assert len(found.lidars[0]) == 7
    for note in ("image_01 lacks the pictures of frames 3", "oxts lacks the packets of frames 2",
                 "velodyne_points lacks the sweeps of frames 4"):  # fmt: skip
        assert note in found.notes
    whole = import_clip("kitti-raw", drive)  # on a straight line, the pose between is the same
    assert_allclose(found.ego.at(whole.ego.time_us), whole.ego.world_from_body, atol=1e-8)


def test_gaps_in_time_are_noted(drive: Path, tmp_path: Path) -> None:
    root = copy(drive, tmp_path)
    path = root / "image_02" / "timestamps.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:-1], lines[-1].replace("13:02:26.68", "13:02:26.8")]))
    (note,) = [each for each in import_clip("kitti-raw", root).notes if "gaps" in each]
    assert note.startswith("image_02 has 1 gaps in time: the longest is 0.2")


def test_turns_that_cannot_be_are_assumed(drive: Path, tmp_path: Path) -> None:
    root = copy(drive, tmp_path)
    velodyne = root / "velodyne_points"
    shutil.copy(velodyne / "timestamps.txt", velodyne / "timestamps_start.txt")
    shutil.copy(velodyne / "timestamps.txt", velodyne / "timestamps_end.txt")
    (lidar,) = (found := import_clip("kitti-raw", root)).lidars
    assert lidar.turn_us is not None
    assert_array_equal(lidar.turn_us, maker.STEP_US)
    assert_array_equal(lidar.time_us - found.cameras[0].time_us, -1_000 - maker.STEP_US // 2)
    assert any("8 turns are taken to last 103.0 ms" in note for note in found.notes)


def test_pictures_beyond_the_packets_are_left_out(drive: Path, tmp_path: Path) -> None:
    root = copy(drive, tmp_path)
    for frame in (5, 6, 7):
        (root / "oxts" / "data" / f"{frame:010d}.txt").unlink()
    found = import_clip("kitti-raw", root)
    assert [len(stream) for stream in found.cameras] == [6, 6, 6, 6]
    assert "2 pictures of image_00 are left out: no oxts then" in found.notes


def replaced(name: str, old: str, new: str) -> Callable[[Path], None]:
    def harm(drive: Path) -> None:
        path = drive / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))

    return harm


def written(name: str, text: str) -> Callable[[Path], None]:
    return lambda drive: maker.write(drive / name, text)


def removed(name: str) -> Callable[[Path], None]:
    def harm(drive: Path) -> None:
        path = drive / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return harm


WRONG: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "no poses": (removed("oxts"), "has no oxts", maker.DRIVE),
    "no packets": (removed("oxts/data"), "does not exist", "oxts/data"),
    "a short packet": (written("oxts/data/0000000001.txt", "1 2 3"), "30 numbers", "01.txt:1"),
    "a packet of words": (
        replaced("oxts/data/0000000001.txt", "116", "x116"), "not a number", "0000000001.txt:1"
    ),
    "a packet at the pole": (
        replaced("oxts/data/0000000001.txt", "49.", "89."), "no place in degrees", "01.txt:1"
    ),
    "an empty packet": (written("oxts/data/0000000001.txt", ""), "holds 0 lines", "01.txt"),
    "no calibration": (removed("../calib_cam_to_cam.txt"), "does not exist", "calib_cam_to_cam"),
    "no lidar mounting": (removed("../calib_velo_to_cam.txt"), "does not exist", "velo_to_cam"),
    "no turn": (replaced("../calib_velo_to_cam.txt", "R:", "Q:"), "has no R", "velo_to_cam"),
    "no rotation": (
        written("../calib_imu_to_velo.txt", "R: 1 0 0 0 1 0 0 0 2\nT: 0 0 0"),
        "R is not a rotation", "calib_imu_to_velo.txt:1",
    ),
    "no projection": (replaced("../calib_cam_to_cam.txt", "P_rect_03", "P"), "no P_rect_03", "cam"),
    "no timestamps": (removed("image_03/timestamps.txt"), "does not exist", "image_03"),
    "no time": (
        replaced("image_01/timestamps.txt", "13:02:26.067689", "noon"), "no date and time", ":2"
    ),
    "the 31st of September": (
        replaced("image_01/timestamps.txt", "09-26", "09-31"), "no such day", "timestamps.txt:1"
    ),
    "time runs backwards": (
        replaced("image_01/timestamps.txt", "13:02:26.170689", "13:02:25.1"), "not after", ":3"
    ),
    "too few times": (
        written("image_01/timestamps.txt", "2011-09-26 13:02:25.9646"), "no line 2", "01.png"
    ),
    "pictures of another size": (smaller, "S_rect", "image_02"),
    "no pictures": (removed("image_02/data"), "does not exist", "image_02/data"),
    "a picture without number": (
        misnamed, "frame number", "x.png",
    ),
    "half a point": (cut, "no points of 16", "0000000003.bin"),
    "other days": (
        next_day, "times of oxts", "timestamps.txt",
    ),
}  # fmt: skip
"""What is done to a drive, what is said of it, and what of the place."""


@pytest.mark.parametrize("what", WRONG)
def test_a_broken_drive_is_refused_by_name(what: str, drive: Path, tmp_path: Path) -> None:
    harm, wrong, where = WRONG[what]
    root = copy(drive, tmp_path)
    harm(root)
    with pytest.raises(DriveError, match=wrong) as caught:
        import_clip("kitti-raw", root)
    assert where in caught.value.where
    assert caught.value.fix


def test_pictures_as_they_were_taken_are_refused(drive: Path, tmp_path: Path) -> None:
    root = copy(drive, tmp_path)
    extract = root.rename(root.with_name(root.name.replace("_sync", "_extract")))
    with pytest.raises(DriveError, match="neither rectified nor synchronized"):
        import_clip("kitti-raw", extract)


def test_no_drive_at_all(tmp_path: Path) -> None:
    with pytest.raises(DriveError, match="holds no drive"):
        import_clip("kitti-raw", tmp_path)


@pytest.mark.drives
def test_a_real_drive_is_plausible(drives: Path) -> None:
    root = drives / "kitti_raw_0001"
    if not root.is_dir():
        pytest.skip(f"no {root}")
    clip = import_clip("kitti-raw", root)
    assert [len(stream) for stream in (*clip.cameras, *clip.lidars)] == [60] * 5
    assert clip.ego.travelled_m()[-1] == pytest.approx(71.2, abs=0.1)
    right = clip.cameras[2].ego_from_camera[:3, 3] - clip.cameras[3].ego_from_camera[:3, 3]
    assert right[1] == pytest.approx(0.533, abs=0.002)
    assert not any("pictures do not move" in note for note in clip.notes)
    day = root / "2011_09_26"
    packets = sorted(day.glob("*_sync/oxts/data/*.txt"))
    velo = numbers(day / "calib_imu_to_velo.txt")
    ours = imu(clip, square(velo["R"], velo["T"]), len(packets))
    assert_allclose(ours, devkit_poses(packets), rtol=0, atol=2e-5)  # seven digits of a rotation
    points = clip.lidars[0].read(20).xyz_m.astype(np.float64)
    points = points[(points[:, 0] > 4.0) & (np.abs(points[:, 1]) < points[:, 0])]
    for camera in range(4):
        theirs = devkit_pixels(day, camera, points)
        assert np.abs(pixels(clip, camera, points) - 0.5 - theirs).max() < 1e-3


@pytest.mark.drives
def test_a_real_drive_without_poses_is_refused(drives: Path) -> None:
    root = drives / "kitti_raw_lidar"
    if not root.is_dir():
        pytest.skip(f"no {root}")
    with pytest.raises(DriveError, match="has no oxts"):
        import_clip("kitti-raw", root)
