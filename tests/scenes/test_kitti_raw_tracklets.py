"""Tracklets of KITTI raw: XML that nobody has to trust."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from scenes.errors import DriveError
from scenes.importers.formats import kitti_raw_tracklets
from scenes.importers.formats.kitti_raw_tracklets import actors_of, read_tracklets
from tests.kitti_raw_maker import boost

GOOD = boost((("Car", 3, 2), ("Person (sitting)", 0, 1)))
DECLARED = "<!DOCTYPE boost_serialization>"
LAUGHS = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10 if i else "ha"}">' for i in range(10))


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "tracklet_labels.xml"
    path.write_text(text)
    return path


def test_tracklets_are_read_as_boost_writes_them(tmp_path: Path) -> None:
    car, person = read_tracklets(written(tmp_path, GOOD))
    assert (car.name, car.first_frame, car.size_m) == ("Car", 3, (4.2, 1.8, 1.5))
    assert (person.name, len(person.velo_from_box)) == ("Person (sitting)", 1)
    assert_allclose(car.velo_from_box[1, :3, 3], [10.1, 2.0, -1.7 + 0.75])
    assert_allclose(np.arctan2(car.velo_from_box[:, 1, 0], car.velo_from_box[:, 0, 0]), 0.3)


def test_no_tracklets_are_none(tmp_path: Path) -> None:
    assert read_tracklets(written(tmp_path, boost(()))) == ()


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        (DECLARED, f"<!DOCTYPE boost_serialization [{LAUGHS}]>", "document type"),
        (DECLARED, '<!DOCTYPE boost_serialization SYSTEM "file:///etc/passwd">', "document type"),
        (DECLARED, '<!DOCTYPE boost_serialization PUBLIC "a" "http://b">', "document type"),
        (DECLARED, "<!DOCTYPE html>", "document type"),
        ("<h>1.5</h>", "<h>&l9;</h>", "damaged XML"),
        ("<h>1.5</h>", "<h>high</h>", "h is 'high', which is not a number"),
        ("<h>1.5</h>", "<h>-1.5</h>", "impossible dimensions"),
        ("<h>1.5</h>", "<h>inf</h>", "h is inf"),
        ("<l>4.2</l>", "<l>420</l>", "impossible dimensions"),
        ("<l>4.2</l>", "", "that has no l"),
        ("<tx>10.0</tx>", "<tx>1e5</tx>", "over 500 m away"),
        ("<tx>10.0</tx>", "", "that has no tx"),
        ("<rz>0.3</rz>", "<rz>90</rz>", "degrees"),
        (">Car<", ">Unicorn<", "unknown class 'Unicorn'"),
        ("<first_frame>3", "<first_frame>3.5", "not a whole number"),
        ("<first_frame>3", "<first_frame>-3", "from frame -3"),
        (">Car<", f">{'C' * 2000}<", "longer than 1000"),
        ("<h>1.5</h>", "<a>" * 20 + "</a>" * 20, "deep"),
        ("</tracklets>", "", "damaged XML"),
        ("<?xml", "\0<?xml", "damaged XML"),
        ('encoding="UTF-8"', 'encoding="klingon"', "damaged XML"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(
    old: str, new: str, wrong: str, tmp_path: Path
) -> None:
    assert old in GOOD
    path = written(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(DriveError, match=wrong) as caught:
        read_tracklets(path)
    assert str(path) in caught.value.where
    assert caught.value.fix


def test_no_poses_are_no_tracklet(tmp_path: Path) -> None:
    with pytest.raises(DriveError, match="has 0 poses"):
        read_tracklets(written(tmp_path, boost((("Car", 3, 0),))))


def test_too_large_a_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kitti_raw_tracklets, "MAX_BYTES", 100)
    with pytest.raises(DriveError, match="more than 100"):
        read_tracklets(written(tmp_path, GOOD))


def test_boxes_of_frames_that_are_not_there_are_counted(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    frames = np.array([0, 1, 2, 3])
    poses = np.tile(np.eye(4), (4, 1, 1))
    (car, _), lost = actors_of(read_tracklets(path), frames, frames * 100_000, poses, path)
    assert lost == 1
    assert car.trajectory.time_us.tolist() == [300_000]
    with pytest.raises(DriveError, match="tracklet 0 is in frames 3 to 4"):
        actors_of(read_tracklets(path), frames[:2], frames[:2] * 100_000, poses[:2], path)
