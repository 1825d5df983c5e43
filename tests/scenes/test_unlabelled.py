"""What KITTI left unlabelled stays in the clip: where, and what is known of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from scenes.clip import Clip
from scenes.errors import DriveError
from scenes.importers import import_clip
from scenes.importers.formats.kitti_car import CAMERA_HEIGHT_M
from scenes.sensors.unlabelled import Unlabelled
from scenes.storage.clip_files import load_clip, save_clip
from scenes.storage.clip_layout import same_clip
from tests import kitti_maker as maker

NOWHERE = "-1000 -1000 -1000 -10 -1 -1 -1"
LABELS = Path("label_02/0007.txt")


def drive(folder: Path, *lines: str) -> Path:
    """A drive whose file of labels ends with some lines."""
    root = maker.make_tracking(folder)
    maker.change_lines(root / LABELS, slice(None), lines)
    return root


def regions(clip: Clip) -> Unlabelled:
    found = clip.cameras[0].unlabelled
    assert found is not None
    return found


def test_rectangles_are_kept_in_our_pixels(tmp_path: Path) -> None:
    lines = (
        f"2 -1 DontCare -1 -1 -10 10.25 3 20.5 12.75 {NOWHERE}",
        f"2 -1 DontCare -1 -1 -10 50 -4 90 30 {NOWHERE}",  # more than the picture
        f"5 -1 DontCare -1 -1 -10 70 2 80 9 {NOWHERE}",  # beside the picture
        f"4 -1 DontCare -1 -1 -10 7 2 7 9 {NOWHERE}",  # of no width
    )
    found = regions(import_clip("kitti-tracking", drive(tmp_path, *lines)))
    assert_array_equal(found.frame_index, [0, 2, 2])
    # KITTI's pixel centres lie on whole numbers, ours at +0.5
    assert_allclose(found.rectangle_px[0], [1.5, 2.5, 3.5, 4.5])
    assert_allclose(found.rectangle_px[1], [10.75, 3.5, 21.0, 13.25])
    assert_allclose(found.rectangle_px[2], [50.5, 0.0, maker.WIDTH, maker.HEIGHT])
    assert np.isnan(found.world_from_box).all()
    assert np.isnan(found.size_m).all()
    assert len(found.of_frame(2)) == 2
    assert len(found.of_frame(1)) == 0
    assert len(found.before_frame(2)) == 1


def test_a_known_box_is_kept_where_it_is(tmp_path: Path) -> None:
    line = "1 -1 DontCare -1 -1 -10 10 3 20 12 1.5 1.8 4.2 3.0 1.65 19.0 0.0"
    clip = import_clip("kitti-tracking", drive(tmp_path, line))
    found = regions(clip)
    assert_allclose(found.size_m[1], [4.2, 1.8, 1.5])
    x, y, z = np.array([3.0, 1.65, 19.0]) + maker.OFFSET_M
    place = [z + maker.STEP_M, -x, CAMERA_HEIGHT_M - y + 0.75]  # frame 1 is a step further
    assert_allclose(found.world_from_box[1, :3, 3], place, atol=1e-9)
    assert np.isnan(found.size_m[0]).all()
    assert -1 not in {actor.id for actor in clip.actors}


def test_clips_keep_them(tmp_path: Path) -> None:
    line = "1 -1 DontCare -1 -1 -10 10 3 20 12 1.5 1.8 4.2 3.0 1.65 19.0 0.0"
    clip = import_clip("kitti-tracking", drive(tmp_path, line))
    save_clip(clip, tmp_path / "clip")
    loaded = load_clip(tmp_path / "clip")
    assert same_clip(loaded, clip)
    assert_array_equal(regions(loaded).rectangle_px, regions(clip).rectangle_px)
    other = import_clip("kitti-tracking", drive(tmp_path / "other"))
    assert not same_clip(other, clip)


def test_a_drive_that_marks_nothing_says_so(tmp_path: Path) -> None:
    root = maker.make_tracking(tmp_path)
    (root / LABELS).write_text("")
    assert len(regions(import_clip("kitti-tracking", root))) == 0
    odometry = import_clip("kitti-odometry", maker.make_odometry(tmp_path / "odometry"))
    assert odometry.cameras[0].unlabelled is None  # nobody looked for road users there


def test_clips_of_drives_that_do_not_say_look_as_before(tmp_path: Path) -> None:
    clip = import_clip("kitti-odometry", maker.make_odometry(tmp_path / "drive"))
    save_clip(clip, tmp_path / "clip")
    with np.load(tmp_path / "clip" / "arrays.npz") as arrays:
        assert not [name for name in arrays.files if "unlabelled" in name]
    assert "unlabelled" not in (tmp_path / "clip" / "clip.json").read_text()


@pytest.mark.parametrize(
    ("box", "wrong"),
    [
        (f"20 3 10 12 {NOWHERE}", "inside out"),
        (f"1 3 nan 12 {NOWHERE}", "2D box"),
        ("10 3 20 12 1.5 1.8 4.2 3.0 1.65 1900.0 0.0", "1900 m away"),
    ],
)
def test_regions_that_cannot_be_are_refused(tmp_path: Path, box: str, wrong: str) -> None:
    with pytest.raises(DriveError, match=wrong) as caught:
        import_clip("kitti-tracking", drive(tmp_path, f"1 -1 DontCare -1 -1 -10 {box}"))
    assert str(LABELS) in str(caught.value.where)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rectangle_px": np.array([[5.0, 1.0, 2.0, 3.0]])}, "before the right"),
        ({"frame_index": np.array([-1], np.int32)}, "does not exist"),
    ],
)
def test_impossible_regions_are_refused(change: dict[str, np.ndarray], message: str) -> None:
    sound = {
        "frame_index": np.array([3], np.int32),
        "rectangle_px": np.array([[1.0, 1.0, 2.0, 3.0]]),
        "world_from_box": np.full((1, 4, 4), np.nan),
        "size_m": np.full((1, 3), np.nan),
    }
    with pytest.raises(ValueError, match=message):
        Unlabelled(**(sound | change))


def test_a_region_of_no_picture_is_refused(tmp_path: Path) -> None:
    line = f"4 -1 DontCare -1 -1 -10 1 1 5 5 {NOWHERE}"
    stream = import_clip("kitti-tracking", drive(tmp_path, line)).cameras[0]
    first = {"files": stream.files[:1], "exposure": stream.exposure[:1]}
    with pytest.raises(ValueError, match="does not exist"):
        replace(stream, time_us=stream.time_us[:1], **first)


@pytest.mark.drives
def test_the_real_drives_regions_are_all_there(drives: Path) -> None:
    root = drives / "kitti_tracking_0002"
    clip = import_clip("kitti-tracking", root)
    lines = [x.split() for x in (root / "label_02/0002.txt").read_text().splitlines()]
    theirs = [(int(x[0]), *map(float, x[6:10])) for x in lines if x[2] == "DontCare"]
    found = regions(clip)
    assert len(found) == len(theirs) > 200
    for (frame, *box), index, ours in zip(
        theirs, found.frame_index, found.rectangle_px, strict=True
    ):
        assert index == frame
        inside = np.clip(np.array(box) + 0.5, 0.0, [1242.0, 375.0] * 2)
        assert_allclose(ours, inside, atol=1e-9)
