"""What KITTI's layouts share: numbered pictures, calibration tables and pose tables.

KITTI's cameras are rectified pinholes; `P2` and its like are the 3x4 projections of the common
rectified frame of camera 0, with pixel centres on whole numbers. Pose files hold one 3x4
world_from_camera a line, row by row, in metres.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from scenes.errors import DriveError
from scenes.importers.formats.text_tables import (
    Limit,
    Line,
    finite_numbers,
    number_table,
    read_lines,
)
from scenes.importers.plausibility.lens import principal_point_problem
from scenes.motion.geometry import rigid, rigid_problem
from scenes.sensors.camera import Camera
from scenes.sensors.images import SUFFIXES, check_whole, image_size

MAX_PICTURES = 100_000
"""Longest drive that is read: three hours at 10 Hz."""
MAX_ENTRIES = 1_000_000
"""Most files in one folder."""
MAX_NAMED = 10
"""Most names that an error lists."""
CALIBRATION = Limit(lines=1000, size=2**20, why="a camera")


@dataclass(frozen=True, kw_only=True, slots=True)
class Pictures:
    """The numbered pictures of one camera."""

    folder: Path
    """Where they lie."""
    first: int
    """Number of the first one; the others follow without a gap."""
    files: tuple[Path, ...]
    """In the order of their numbers."""
    width: int
    """Width of each [px]."""
    height: int
    """Height of each [px]."""

    @property
    def numbers(self) -> range:
        """Their numbers."""
        return range(self.first, self.first + len(self.files))

    @property
    def limit(self) -> Limit:
        """Of a table with one line a picture."""
        return Limit.of(len(self.files), "pictures", lines=2)


def choose_sequence(folder: Path, wanted: str | None, fix: str) -> str:
    """Name of the one sequence (a folder in `folder`) that is meant.

    Args:
        folder: Holds one folder a sequence.
        wanted: Which one, or None where there is only one.
        fix: What to try where `folder` is missing.

    Raises:
        DriveError: There is none, several and none is wanted, or not that one.
    """
    if not folder.is_dir():
        raise DriveError(folder, "does not exist, or is no folder", fix)
    names = sorted(
        entry.name for entry in _entries(folder) if entry.name[:1] != "." and entry.is_dir()
    )
    if not names:
        raise DriveError(folder, "holds no sequence", "a folder of pictures in it")
    if wanted is None and len(names) > 1:
        wrong = f"holds {len(names)} sequences: {_listed(names)}"
        raise DriveError(folder, wrong, f"--sequence {names[0]}, or another of them")
    if wanted is not None and wanted not in names:
        raise DriveError(folder, f"has no sequence {wanted!r}", f"one of {_listed(names)}")
    return wanted or names[0]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """What is in a folder, in no order.

    Raises:
        DriveError: It holds too much, or cannot be read.
    """
    try:
        with os.scandir(folder) as found:
            for count, entry in enumerate(found):
                if count >= MAX_ENTRIES:
                    wrong = f"holds more than {MAX_ENTRIES:,} files"
                    raise DriveError(folder, wrong, "a folder of one drive")
                yield entry
    except OSError as error:
        raise DriveError(folder, f"cannot be read ({error})", "check its permissions") from error


def read_pictures(folder: Path, fix: str) -> Pictures:
    """The numbered pictures of a folder; headers and ends are read, pixels are not.

    Raises:
        DriveError: None, a gap in the numbers, unequal sizes, or a damaged picture.
    """
    if not folder.is_dir():
        raise DriveError(folder, "does not exist, or is no folder", fix)
    names = [entry.name for entry in _entries(folder)]
    names = sorted(name for name in names if name.lower().endswith(SUFFIXES) and name[0] != ".")
    if not names:
        raise DriveError(folder, "holds no pictures (zero frames)", f"{'/'.join(SUFFIXES)} files")
    if len(names) > MAX_PICTURES:
        wrong = f"holds {len(names):,} pictures, more than {MAX_PICTURES:,}"
        raise DriveError(folder, wrong, "a shorter drive")
    numbered = sorted((_frame_number(folder / name), folder / name) for name in names)
    for (before, _), (number, path) in zip(numbered[:-1], numbered[1:], strict=True):
        if number != before + 1:
            wrong = f"is frame {number}, but the one before is frame {before}"
            raise DriveError(path, wrong, "frame numbers without gaps or repetitions")
    width, height = image_size(numbered[0][1])
    for _, path in numbered:
        size = image_size(path)
        if size != (width, height):
            wrong = f"is {size[0]}x{size[1]}, the first picture {width}x{height}"
            raise DriveError(path, wrong, "pictures of one size")
        check_whole(path)
    return Pictures(
        folder=folder,
        first=numbered[0][0],
        files=tuple(path for _, path in numbered),
        width=width,
        height=height,
    )


def _frame_number(path: Path) -> int:
    if not (path.stem.isascii() and path.stem.isdigit()):
        raise DriveError(path, "is not named by a frame number", "names such as 000042.png")
    return int(path.stem)


def read_projection(path: Path, name: str) -> Float64[np.ndarray, "3 4"]:
    """A projection such as P2 of a calibration file: K [I | offset].

    Raises:
        DriveError: It is missing, or not the projection of a rectified pinhole.
    """
    fix = f"KITTI's calibration file, with a line '{name}: ' and 12 numbers"
    lines = read_lines(path, fix, CALIBRATION)
    found = [line for line in lines if line.words[0].rstrip(":") == name]
    if not found:
        raise DriveError(path, f"has no {name}", fix)
    line = found[0]
    projection = np.array(finite_numbers(line, name, line.words[1:], 12)).reshape(3, 4)
    fx, fy = projection[0, 0], projection[1, 1]
    if fx <= 0 or fy <= 0:
        wrong = f"{name} has focal lengths {fx:g} and {fy:g} px"
        raise DriveError(line.place, wrong, "positive focal lengths (entries 1 and 6)")
    bare = projection[:, :3] - [[fx, 0, projection[0, 2]], [0, fy, projection[1, 2]], [0, 0, 1]]
    if np.any(bare):
        wrong = f"{name} is singular or skewed: its last row must be 0 0 1, its skew 0"
        raise DriveError(line.place, wrong, "the projection of a rectified camera")
    return projection


def kitti_camera(projection: Float64[np.ndarray, "3 4"], pictures: Pictures, where: Path) -> Camera:
    """Intrinsics of a projection, for the pictures it took.

    Raises:
        DriveError: The principal point cannot be that of such pictures.
    """
    camera = Camera(
        width=pictures.width,
        height=pictures.height,
        fx=float(projection[0, 0]),
        fy=float(projection[1, 1]),
        cx=float(projection[0, 2]) + 0.5,  # KITTI puts pixel centres on whole numbers
        cy=float(projection[1, 2]) + 0.5,
    )
    check_principal_point(camera, where)
    return camera


def check_principal_point(camera: Camera, where: object) -> None:
    """Whether a calibration can belong to pictures of that size.

    Raises:
        DriveError: The principal point lies outside the picture, or off its middle on both axes.
    """
    if problem := principal_point_problem(camera):
        raise DriveError(where, *problem)


def camera_from_rectified(projection: Float64[np.ndarray, "3 4"]) -> Float64[np.ndarray, "4 4"]:
    """From the rectified frame of camera 0 to the camera of `projection` [m]."""
    return rigid(np.eye(3), np.linalg.solve(projection[:, :3], projection[:, 3]))


def read_poses(path: Path, pictures: Pictures) -> Float64[np.ndarray, "n 4 4"]:
    """world_from_camera of each picture [m].

    Raises:
        DriveError: Not one pose a picture, or one that is not finite or not rigid.
    """
    fix = "one line of 12 numbers a picture: world_from_camera, 3x4, row by row, metres"
    lines = read_lines(path, fix, pictures.limit)
    poses = np.zeros((len(lines), 4, 4))
    poses[:, :3] = number_table(lines, "a pose", 12).reshape(-1, 3, 4)
    poses[:, 3, 3] = 1.0
    for line, pose in zip(lines, poses, strict=True):
        if problem := rigid_problem(pose[None]):
            raise DriveError(line.place, problem.replace("pose 0", "the pose"), "a rotation matrix")
    check_count(lines, "poses", pictures, path)
    return poses


def check_count(lines: Sequence[Line], what: str, pictures: Pictures, path: Path) -> None:
    """Whether there is one line a picture.

    Raises:
        DriveError: The counts disagree.
    """
    if len(lines) != len(pictures.files):
        wrong = f"has {len(lines)} {what}, but there are {len(pictures.files)} pictures"
        raise DriveError(path, wrong, f"one line for each picture in {pictures.folder}")
