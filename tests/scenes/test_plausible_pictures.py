"""Pictures move as their calibration and poses say, or are refused with what would explain them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenes.clip import Clip, ImageStream
from scenes.errors import DriveError
from scenes.importers import import_clip
from scenes.importers.plausibility import check_clip
from scenes.importers.plausibility.lens import principal_point_problem
from scenes.importers.plausibility.matching import find_corners, match
from scenes.importers.plausibility.seen_motion import PAIRS, Fit, Pair, fit_of, see_motion
from scenes.motion.geometry import invert, rotation_exp
from scenes.motion.trajectory import Trajectory
from scenes.sensors.camera import Camera
from scenes.sensors.images import Decoded
from scenes.worlds.record.rigs import RIGS, mounts
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
    assert sum("could not be compared with the calibration" in note for note in clip.notes) == 1


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
        replace(plain, lens="kannala-brandt", distortion=(-0.02, 0.004, 0.0, 0.0)),
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
    # Without pictures, nothing is said of what they show ...
    for file in (root / "image_02" / "0003").iterdir():
        Image.new("L", (street.WIDTH, street.HEIGHT), 128).save(tmp_path / file.name)
    flat = strangers_clip(root, drive[::-1], mount)
    blank = replace(
        flat.cameras[0], files=tuple(tmp_path / Path(f).name for f in flat.cameras[0].files)
    )
    with pytest.raises(DriveError, match="pictures do not tell whether the car reversed"):
        check_clip(replace(flat, cameras=(blank,)), root)
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


CROPPED = (street.WIDTH * 7 // 10, street.HEIGHT * 7 // 10)


def cropped(root: Path) -> Path:
    """Only the left 70 % and the top 70 % of each picture; the calibration stays right."""
    for file in (root / "image_02" / "0003").iterdir():
        with Image.open(file) as image:
            part = image.crop((0, 0, *CROPPED))
        part.save(file)
    return root


def test_a_crop_on_two_sides_is_told_from_another_size_by_pictures(tmp_path: Path) -> None:
    camera = Camera(width=896, height=560, fx=900.0, fy=900.0, cx=640.0, cy=400.0)
    assert principal_point_problem(camera) is None
    drive = street.drive(PICTURES, STEP_M, 0.1)
    seen = import_clip(
        "kitti-tracking", cropped(street.make_tracking(tmp_path / "a", drive, drive))
    )
    assert fit(seen) is not None
    assert not any("principal point" in note or "do not move" in note for note in seen.notes)
    flat = import_clip("kitti-tracking", cropped(street.make_tracking(tmp_path / "b", drive)))
    assert any("or cropped on two sides" in note for note in flat.notes)


# What it costs


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    files: list[Path] = []
    read = ImageStream.read_masked

    def counted(stream: ImageStream, index: int) -> Decoded:
        files.append(stream.files[index])
        return read(stream, index)

    monkeypatch.setattr(ImageStream, "read_masked", counted)
    return files


def test_a_long_drive_costs_no_more_pictures_than_a_short_one(
    tmp_path: Path, decoded: list[Path]
) -> None:
    root = street.make_tracking(tmp_path, street.drive(600, STEP_M))
    import_clip("kitti-tracking", root)
    assert 0 < len(decoded) <= 2 * PAIRS
