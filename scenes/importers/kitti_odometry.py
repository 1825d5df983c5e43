"""KITTI odometry: pictures, times and poses of a drive, without boxes or depth.

Layout: `sequences/<seq>/image_2` (colour) or `image_0` (grey), `sequences/<seq>/calib.txt` and
`times.txt`, and `poses/<seq>.txt` (world_from_camera 0, metres).
"""

from pathlib import Path

import numpy as np
from jaxtyping import Int64

from scenes.clip import Clip
from scenes.errors import DriveError
from scenes.importers.formats.kitti_car import EGO_FRONT_M, EGO_SIZE_M, LICENCE, kitti_ride
from scenes.importers.formats.kitti_text import (
    Pictures,
    camera_from_rectified,
    check_count,
    choose_sequence,
    kitti_camera,
    read_pictures,
    read_poses,
    read_projection,
)
from scenes.importers.formats.text_tables import number_table, read_lines
from scenes.motion.geometry import invert

LAYOUT = "the folder that holds sequences and poses"
CAMERAS = {"image_2": "P2", "image_0": "P0"}
"""The left cameras, colour before grey, and their projections."""
MAX_TIME_S = 1e12
"""Times beyond this do not fit into whole microseconds."""


def import_clip(root: Path, sequence: str | None = None) -> Clip:
    """Index one sequence of a KITTI odometry drive.

    Raises:
        DriveError: Something is missing, malformed or impossible; the file and line are named.
    """
    name = choose_sequence(root / "sequences", sequence, LAYOUT)
    folder = root / "sequences" / name
    camera_name = next((key for key in CAMERAS if (folder / key).is_dir()), None)
    if camera_name is None:
        raise DriveError(folder, f"has neither {' nor '.join(CAMERAS)}", "one of these folders")
    pictures = read_pictures(folder / camera_name, LAYOUT)
    projection = read_projection(folder / "calib.txt", CAMERAS[camera_name])
    camera = kitti_camera(projection, pictures, folder / "calib.txt")
    time_us = _read_times(folder / "times.txt", pictures)
    poses = root / "poses" / f"{name}.txt"
    # Poses are camera 0's, which is the rectified frame.
    recorded_from_rectified = read_poses(poses, pictures)
    recorded_from_camera = recorded_from_rectified @ invert(camera_from_rectified(projection))
    ride = kitti_ride(camera_name, camera, pictures, time_us, recorded_from_camera, poses)
    return Clip(
        name=f"kitti-odometry-{name}",
        source="scenes.importers.kitti_odometry",
        licence=LICENCE,
        ego=ride.ego,
        ego_size_m=np.array(EGO_SIZE_M),
        ego_front_m=EGO_FRONT_M,
        cameras=(ride.stream,),
        notes=(*ride.notes, "no depth evidence, no boxes: what moved is not marked"),
    )


def _read_times(path: Path, pictures: Pictures) -> Int64[np.ndarray, "n"]:
    """Time of each picture [µs]."""
    lines = read_lines(path, "one time in seconds a line, one line a picture", pictures.limit)
    times_s = number_table(lines, "a time", 1)[:, 0]
    check_count(lines, "times", pictures, path)
    if np.abs(times_s).max() > MAX_TIME_S:
        raise DriveError(path, f"has times of {np.abs(times_s).max():g} s", "times in seconds")
    time_us = np.round(times_s * 1e6).astype(np.int64)
    backwards = np.flatnonzero(np.diff(time_us) <= 0)
    if len(backwards):
        line, before = lines[backwards[0] + 1], lines[backwards[0]]
        wrong = f"time {line.words[0]} s is not after {before.words[0]} s"
        raise DriveError(line.place, wrong, "times that increase from picture to picture")
    return time_us
