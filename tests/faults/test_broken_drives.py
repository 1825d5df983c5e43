"""Drives that cannot be used: each is refused with where, what and what to try, and no trace."""

import json
import shutil
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from render.cli import main
from tests import kitti_maker as maker
from tests.harm import content, cut, folder_gone, gone, lines, renamed, resized, word

TRACKING, ODOMETRY = "kitti-tracking", "kitti-odometry"
PICTURES = "image_02/0007"
POSES, CALIB, LABELS = "poses/0007.txt", "calib/0007.txt", "label_02/0007.txt"
GREY, TIMES = "sequences/04/image_0", "sequences/04/times.txt"
CAMERAS, IMAGES, POINTS = "colmap/cameras.txt", "colmap/images.txt", "colmap/points3D.txt"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One way in which a drive can be broken, and words of the error that must name it."""

    name: str
    harm: Callable[[Path], object]
    where: str
    wrong: str
    fix: str
    layout: str = TRACKING
    """The drive that is broken ..."""
    fmt: str | None = None
    """... and the importer that is asked, unless it is the layout's."""


def all_resized(root: Path) -> None:
    for file in (root / PICTURES).iterdir():
        resized(file.name, 20, 8)(file.parent)


def emptied(root: Path) -> None:
    for file in (root / PICTURES).iterdir():
        file.unlink()


def deep(root: Path) -> None:
    Image.fromarray(np.zeros((24, 64), np.uint16)).save(root / PICTURES / "000000.png")


def bomb(root: Path) -> None:
    header = struct.pack(">IIBBBBB", 12_000, 12_000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n"
    for kind, body in ((b"IHDR", header), (b"IDAT", b"")):
        check = struct.pack(">I", zlib.crc32(kind + body))
        data += struct.pack(">I", len(body)) + kind + body + check
    (root / PICTURES / "000000.png").write_bytes(data)


def inverted(root: Path) -> None:
    path = root / POSES
    path.write_text("\n".join(f"1 0 0 0 0 1 0 0 0 0 1 {-i}" for i in range(maker.FRAMES)))


def halved(root: Path) -> None:
    for file in (root / PICTURES).iterdir():
        resized(file.name, maker.WIDTH // 2, maker.HEIGHT // 2)(file.parent)


def in_lidar_axes(root: Path) -> None:
    steps = range(maker.FRAMES)
    (root / POSES).write_text("\n".join(f"0 -1 0 0 0 0 -1 0 1 0 0 {i}" for i in steps))


def shortened(root: Path) -> None:
    path = root / TIMES
    path.write_text("\n".join(f"{0.001 * float(row)}" for row in path.read_text().split()))


def swapped_times(root: Path) -> None:
    rows = (root / TIMES).read_text().splitlines()
    rows[2], rows[3] = rows[3], rows[2]
    (root / TIMES).write_text("\n".join(rows))


CAR = "0 3 Car 0 0 0.1 1 2 3 4 1.5 1.8 4.2 3 1.65 20 0"
IDENTITY = "1 0 0 0 0 1 0 0 0 0 1 0"
BOX = (LABELS, 1)
"""The first line of the label file that holds a box."""

FAULTS = [
    # pictures
    Fault(name="no image folder", harm=folder_gone("image_02"),
          where="image_02", wrong="does not exist", fix="holds image_02"),
    Fault(name="no sequence", harm=folder_gone(PICTURES),
          where="image_02", wrong="no sequence", fix="pictures"),
    Fault(name="zero frames", harm=emptied,
          where=PICTURES, wrong="zero frames", fix=".png"),
    Fault(name="a frame is missing", harm=gone(f"{PICTURES}/000003.png"),
          where="000004.png", wrong="the one before is frame 2", fix="without gaps"),
    Fault(name="a frame is there twice", harm=renamed(f"{PICTURES}/000005.png", "4.png"),
          where="4.png", wrong="is frame 4, but the one before is frame 4", fix="without gaps"),
    Fault(name="a picture without a number", harm=renamed(f"{PICTURES}/000005.png", "last.png"),
          where="last.png", wrong="frame number", fix="000042.png"),
    Fault(name="a truncated picture", harm=cut(f"{PICTURES}/000002.png", 0.7),
          where="000002.png", wrong="cut short", fix="copy it again"),
    Fault(name="a picture cut in its header", harm=cut(f"{PICTURES}/000002.png", 0.003),
          where="000002.png", wrong="not a readable picture", fix="PNG"),
    Fault(name="an empty picture", harm=content(f"{PICTURES}/000000.png", b""),
          where="000000.png", wrong="not a readable picture", fix="PNG"),
    Fault(name="a text named .png", harm=content(f"{PICTURES}/000001.png", b"hello"),
          where="000001.png", wrong="not a readable picture", fix="PNG"),
    Fault(name="an oversized picture", harm=bomb,
          where="000000.png", wrong="too large", fix="64000000 px"),
    Fault(name="a 16-bit picture", harm=deep,
          where="000000.png", wrong="mode I;16", fix="8-bit"),
    Fault(name="a picture of another size", harm=resized(f"{PICTURES}/000003.png", 64, 26),
          where="000003.png", wrong="is 64x26, the first picture 64x24", fix="one size"),
    Fault(name="pictures smaller than their calibration", harm=all_resized,
          where=CALIB, wrong="principal point", fix="at their size"),
    Fault(name="pictures half as large as calibrated", harm=halved,
          where=CALIB, wrong="0.5 times as large", fix="fx, fy, cx, cy times 0.5"),
    # calibration
    Fault(name="no calibration", harm=gone(CALIB),
          where=CALIB, wrong="does not exist", fix="P2"),
    Fault(name="no P2", harm=lines(CALIB, slice(0, 2)),
          where=CALIB, wrong="has no P2", fix="12 numbers"),
    Fault(name="a short P2", harm=word(CALIB, 2, 12, ""),
          where=f"{CALIB}:3", wrong="P2 takes 12 numbers, here are 11", fix="12 numbers"),
    Fault(name="NaN in P2", harm=word(CALIB, 2, 4, "nan"),
          where=f"{CALIB}:3", wrong="P2 is nan", fix="finite"),
    Fault(name="a focal length of zero", harm=word(CALIB, 2, 1, "0"),
          where=f"{CALIB}:3", wrong="focal lengths 0 and 50", fix="positive"),
    Fault(name="a negative focal length", harm=word(CALIB, 2, 6, "-50"),
          where=f"{CALIB}:3", wrong="-50 px", fix="positive"),
    Fault(name="a singular P2", harm=word(CALIB, 2, 11, "0"),
          where=f"{CALIB}:3", wrong="singular", fix="rectified camera"),
    Fault(name="a calibration in latin-1", harm=content(CALIB, b"P2: \xb5 1 2"),
          where=CALIB, wrong="not UTF-8", fix="P2"),
    Fault(name="a binary calibration", harm=content(CALIB, b"P2:\x00\x01\x02"),
          where=CALIB, wrong="binary", fix="P2"),
    # poses
    Fault(name="no poses", harm=gone(POSES),
          where=POSES, wrong="does not exist", fix="12 numbers a picture"),
    Fault(name="fewer poses than pictures", harm=lines(POSES, slice(0, -1)),
          where=POSES, wrong="has 5 poses, but there are 6 pictures", fix="each picture"),
    Fault(name="more poses than pictures", harm=lines(POSES, slice(None), IDENTITY),
          where=POSES, wrong="has 7 poses, but there are 6 pictures", fix="each picture"),
    Fault(name="an empty pose file", harm=content(POSES, b""),
          where=POSES, wrong="has 0 poses", fix="each picture"),
    Fault(name="a pose of 11 numbers", harm=word(POSES, 4, 11, ""),
          where=f"{POSES}:5", wrong="takes 12 numbers, here are 11", fix="12 numbers"),
    Fault(name="a pose that is not finite", harm=word(POSES, 2, 3, "inf"),
          where=f"{POSES}:3", wrong="inf", fix="finite"),
    Fault(name="a pose of words", harm=word(POSES, 2, 3, "north"),
          where=f"{POSES}:3", wrong="'north'", fix="a number"),
    Fault(name="a pose that is not a rotation", harm=word(POSES, 2, 0, "1.2"),
          where=f"{POSES}:3", wrong="the pose is not a rotation", fix="rotation"),
    Fault(name="a mirrored pose", harm=word(POSES, 3, 0, "-1"),
          where=f"{POSES}:4", wrong="mirror image", fix="rotation"),
    Fault(name="poses the wrong way round", harm=inverted,
          where=POSES, wrong="does not travel the way it looks", fix="not its inverse"),
    Fault(name="poses in the lidar's axes", harm=in_lidar_axes,
          where=POSES, wrong="x forward, y left, z up", fix="[0 0 1, -1 0 0, 0 -1 0]"),
    # labels
    Fault(name="no labels", harm=gone(LABELS),
          where=LABELS, wrong="does not exist", fix="an empty one"),
    Fault(name="labels of KITTI object", harm=content(LABELS, b"Car 0 0 0 1 2 3 4 1 2 4 3 1 9 0"),
          where=f"{LABELS}:1", wrong="takes 17 words", fix="KITTI tracking"),
    Fault(name="an unknown class", harm=word(*BOX, 2, "Unicorn"),
          where=f"{LABELS}:2", wrong="unknown class 'Unicorn'", fix="Pedestrian"),
    Fault(name="a label of a frame that is not there", harm=word(*BOX, 0, "6"),
          where=f"{LABELS}:2", wrong="labels frame 6, but the pictures are 0 to 5", fix="these"),
    Fault(name="a frame that is no number", harm=word(*BOX, 0, "0.5"),
          where=f"{LABELS}:2", wrong="frame is '0.5'", fix="whole number"),
    Fault(name="a box of no height", harm=word(*BOX, 10, "0"),
          where=f"{LABELS}:2", wrong="height 0", fix="positive"),
    Fault(name="a box of negative width", harm=word(*BOX, 11, "-1.8"),
          where=f"{LABELS}:2", wrong="width -1.8", fix="positive"),
    Fault(name="a box of NaN length", harm=word(*BOX, 12, "nan"),
          where=f"{LABELS}:2", wrong="dimensions is nan", fix="finite"),
    Fault(name="a box in millimetres", harm=word(*BOX, 12, "4200"),
          where=f"{LABELS}:2", wrong="4200 m are too large", fix="metres"),
    Fault(name="a box at infinity", harm=word(*BOX, 13, "-inf"),
          where=f"{LABELS}:2", wrong="location is -inf", fix="finite"),
    Fault(name="a box behind everything", harm=word(*BOX, 15, "-40"),
          where=f"{LABELS}:2", wrong="behind the camera", fix="true place"),
    Fault(name="a box beyond the horizon", harm=word(*BOX, 15, "5000"),
          where=f"{LABELS}:2", wrong="5000 m away", fix="metres"),
    Fault(name="an angle in degrees", harm=word(*BOX, 16, "-90"),
          where=f"{LABELS}:2", wrong="rotation_y of -90", fix="radians"),
    Fault(name="a car without a track", harm=word(*BOX, 1, "-1"),
          where=f"{LABELS}:2", wrong="track id -1", fix="0 or more"),
    Fault(name="a track twice in a frame", harm=lines(LABELS, slice(None), CAR),
          where=LABELS, wrong="track 3 is in frame 0 twice", fix="one box"),
    Fault(name="a track that changes its class", harm=word(*BOX, 2, "Van"),
          where=LABELS, wrong="track 3 is a Car here, a Van before", fix="one class"),
    # the COLMAP model
    Fault(name="a model without points", harm=lines(POINTS, slice(0, 1)),
          where=POINTS, wrong="holds no points", fix="no colmap folder"),
    Fault(name="a model without its points' file", harm=gone(POINTS),
          where=POINTS, wrong="does not exist", fix="no colmap folder"),
    Fault(name="a model of weak points", harm=lines(POINTS, slice(0, 1), "1 0 0 9 1 1 1 0.5 60 0"),
          where=POINTS, wrong="none of its 1 points", fix="better model"),
    Fault(name="a point seen by nobody known", harm=word(POINTS, 3, 8, "99"),
          where=f"{POINTS}:4", wrong="IMAGE_ID 99", fix="text model"),
    Fault(name="a point that is not finite", harm=word(POINTS, 3, 2, "nan"),
          where=f"{POINTS}:4", wrong="X Y Z is nan", fix="finite"),
    Fault(name="a point cut in the middle", harm=cut(POINTS, 0.999),
          where=f"{POINTS}:31", wrong="words", fix="text model"),
    Fault(name="a model of other pictures", harm=word(IMAGES, 1, 9, "unknown.png"),
          where=f"{IMAGES}:2", wrong="'unknown.png'", fix="these pictures"),
    Fault(name="a model in another world", harm=word(IMAGES, 1, 7, "3.5"),
          where=f"{IMAGES}:2", wrong="m and 0.00 degrees off pose 5", fix="world of the poses"),
    Fault(name="a quaternion that is none", harm=word(IMAGES, 1, 1, "2"),
          where=f"{IMAGES}:2", wrong="QW QX QY QZ has length 2", fix="length 1"),
    Fault(name="a line of images.txt cut short", harm=lines(IMAGES, slice(0, 3), "9 1 0 0 0 1.5"),
          where=f"{IMAGES}:4", wrong="is neither IMAGE_ID", fix="text model"),
    Fault(name="a model with another lens", harm=word(CAMERAS, 1, 1, "FISHEYE"),
          where=f"{CAMERAS}:2", wrong="FISHEYE", fix="PINHOLE"),
    Fault(name="a model at another size", harm=word(CAMERAS, 1, 2, "128"),
          where=CAMERAS, wrong="128x24", fix="64x24"),
    Fault(name="a model of another focal length", harm=word(CAMERAS, 1, 4, "53.5"),
          where=CAMERAS, wrong="fx is 3.5 px off", fix="calibration"),
    Fault(name="a model without intrinsics", harm=word(CAMERAS, 1, 7, ""),
          where=f"{CAMERAS}:2", wrong="takes 4 numbers", fix="4 numbers"),
    Fault(name="a binary model", harm=content(IMAGES, b"\x05\x00\x00\x00\x00\x00\x00\x00"),
          where=IMAGES, wrong="binary", fix="--output_type TXT"),
    # KITTI odometry
    Fault(name="no sequences", harm=folder_gone("sequences"), layout=ODOMETRY,
          where="sequences", wrong="does not exist", fix="sequences and poses"),
    Fault(name="no cameras", harm=folder_gone(GREY), layout=ODOMETRY,
          where="sequences/04", wrong="neither image_2 nor image_0", fix="one of these"),
    Fault(name="no times", harm=gone(TIMES), layout=ODOMETRY,
          where=TIMES, wrong="does not exist", fix="seconds"),
    Fault(name="time runs backwards", harm=swapped_times, layout=ODOMETRY,
          where=f"{TIMES}:4", wrong="is not after", fix="increase"),
    Fault(name="time stands still", harm=word(TIMES, 3, 0, "0.2"), layout=ODOMETRY,
          where=f"{TIMES}:4", wrong="time 0.2 s is not after", fix="increase"),
    Fault(name="a time that is not finite", harm=word(TIMES, 3, 0, "nan"), layout=ODOMETRY,
          where=f"{TIMES}:4", wrong="a time is nan", fix="finite"),
    Fault(name="times in nanoseconds", harm=word(TIMES, 5, 0, "1e18"), layout=ODOMETRY,
          where=TIMES, wrong="1e+18 s", fix="seconds"),
    Fault(name="times a thousand times too short", harm=shortened, layout=ODOMETRY,
          where="drive", wrong="would drive at", fix="times as long"),
    Fault(name="fewer times than pictures", harm=lines(TIMES, slice(0, 4)), layout=ODOMETRY,
          where=TIMES, wrong="has 4 times, but there are 6 pictures", fix="each picture"),
    Fault(name="no P0", harm=word("sequences/04/calib.txt", 0, 0, "Q0:"), layout=ODOMETRY,
          where="calib.txt", wrong="has no P0", fix="12 numbers"),
    # what was asked for
    Fault(name="no drive", harm=shutil.rmtree,
          where="drive", wrong="does not exist", fix="recorded drive"),
    Fault(name="no such format", harm=lambda root: root, fmt="kitti-odometer",
          where="drive", wrong="'kitti-odometer'", fix="kitti-odometry"),
    Fault(name="the wrong format", harm=lambda root: root, fmt=ODOMETRY,
          where="sequences", wrong="does not exist", fix="sequences and poses"),
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_broken_drive_is_refused_without_a_trace(
    fault: Fault, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drive, out = tmp_path / "drive", tmp_path / "results" / "clip"
    out.parent.mkdir()
    make = maker.make_odometry if fault.layout == ODOMETRY else maker.make_tracking
    fault.harm(make(drive))
    words = ["import", str(drive), "--out", str(out), "--fmt", fault.fmt or fault.layout]
    assert main([*words, "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert fault.where in error["where"]
    assert fault.wrong in error["wrong"]
    assert fault.fix in error["fix"]
    assert list(out.parent.iterdir()) == []


@pytest.mark.parametrize("fmt", [TRACKING, ODOMETRY])
def test_unbroken_they_are_accepted(
    fmt: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drive, out = tmp_path / "drive", tmp_path / "clip"
    (maker.make_odometry if fmt == ODOMETRY else maker.make_tracking)(drive)
    assert main(["import", str(drive), "--out", str(out), "--fmt", fmt, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == maker.FRAMES
    assert sorted(path.name for path in out.iterdir()) == [
        "arrays.npz",
        "clip.json",
        "drive.json",
        "manifest.json",
    ]


def test_there_are_enough_of_them() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 30


@pytest.mark.parametrize("taken", ["file", "folder", "drive", "other clip"])
def test_what_lies_at_out_is_never_overwritten(
    taken: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drive, out = maker.make_odometry(tmp_path / "drive"), tmp_path / "clip"
    other = maker.make_tracking(tmp_path / "other")
    if taken == "file":
        out.write_text("mine")
    elif taken == "folder":
        out.mkdir()
        (out / "mine.txt").write_text("mine")
    elif taken == "drive":
        out = drive
    else:
        assert main(["import", str(other), "--out", str(out)]) == 0
    before = sorted(path for path in tmp_path.rglob("*"))
    capsys.readouterr()
    assert main(["import", str(drive), "--out", str(out), "--fmt", ODOMETRY]) == 2
    assert "another --out" in capsys.readouterr().err
    assert sorted(path for path in tmp_path.rglob("*")) == before
