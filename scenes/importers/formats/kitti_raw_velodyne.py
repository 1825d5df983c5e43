"""KITTI raw's Velodyne sweeps: an HDL-64E whose points carry no times and are not compensated.

`velodyne_points/timestamps.txt` says when the scanner faced forward, which triggered the cameras;
`timestamps_start.txt` and `timestamps_end.txt` when each turn began and ended, facing backwards.
`scenes.sensors.lidar_files` derives the time of each point from these and its azimuth.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64, Int64

from scenes.clip import LidarStream
from scenes.errors import DriveError
from scenes.importers.formats.kitti_raw_times import Frames, read_times
from scenes.sensors.lidar import Lidar
from scenes.sensors.lidar_files import KITTI

NAME, FOLDER = "velodyne", "velodyne_points"
TURN_US = 100_000
"""KITTI's Velodyne turns at 10 Hz."""
SHORTEST_US, LONGEST_US = 50_000, 200_000
"""An HDL-64E turns 5 to 20 times a second; what is said beyond that is no turn."""
SLACK_US = 5_000
"""The scanner faces forward within its turn, but for this."""
POINT_BYTES = 16

# Velodyne's data sheet: 32 beams a third of a degree apart from +2 degrees down, and 32 half a
# degree apart below them; 0.1728 degrees from firing to firing at 10 Hz.
UPPER = np.radians(2.0 - np.arange(32) / 3.0)
LOWER = np.radians(-8.83 - np.arange(32) / 2.0)
HDL_64E = Lidar(
    elevation_rad=(*UPPER.tolist(), *LOWER.tolist()),
    azimuth_steps=2083,
    period_us=TURN_US,
    max_range_m=120.0,
)


def velodyne_stream(
    frames: Frames, ego_from_velo: Float64[np.ndarray, "4 4"]
) -> tuple[LidarStream, str]:
    """The sweeps of a drive, and a note of how their points are timed; times are as in `frames`.

    Raises:
        DriveError: A file is no sweep, or the times of turns are malformed.
    """
    for path in frames.files:
        if (size := path.stat().st_size) == 0 or size % POINT_BYTES:
            wrong = f"has {size} bytes, which are no points of {POINT_BYTES}"
            raise DriveError(path, wrong, "float32 x y z reflectance, point after point")
    usual_us = _usual_us(frames)
    start_us, turn_us, said = frames.time_us - usual_us // 2, np.full(len(frames), usual_us), None
    if (turns := _said_turns(frames)) is not None:
        begin_us, end_us = turns
        said = _is_sane(frames.time_us, begin_us, end_us)
        start_us = np.where(said, begin_us, start_us)
        turn_us = np.where(said, end_us - begin_us, turn_us)
        if np.any(np.diff(start_us) <= 0):
            said[:] = False
            start_us, turn_us = frames.time_us - usual_us // 2, np.full(len(frames), usual_us)
    stream = LidarStream(
        name=NAME,
        lidar=HDL_64E,
        ego_from_lidar=ego_from_velo,
        time_us=start_us,
        files=frames.files,
        reader=KITTI,
        turn_us=turn_us,
    )
    return stream, _note(said, usual_us)


def _usual_us(frames: Frames) -> int:
    """Time of a turn by the times at which the scanner faced forward [µs]."""
    if len(frames) < 2:
        return TURN_US
    # the mean of the steps around the middle one: some copies round their times to 10 ms
    step_us = np.diff(frames.time_us) / np.diff(frames.number)
    near = np.abs(step_us / np.median(step_us) - 1.0) < 0.25
    usual_us = round(float(step_us[near].mean()))
    return usual_us if SHORTEST_US <= usual_us <= LONGEST_US else TURN_US


def _said_turns(frames: Frames) -> tuple[Int64[np.ndarray, "n"], Int64[np.ndarray, "n"]] | None:
    """When each turn began and ended, where the drive says so; 0 where it lacks a line [µs]."""
    paths = [frames.folder / f"timestamps_{which}.txt" for which in ("start", "end")]
    if not all(path.is_file() for path in paths):
        return None
    start, end = (_of(path, frames) for path in paths)
    return start, end


def _of(path: Path, frames: Frames) -> Int64[np.ndarray, "n"]:
    times = {number: time_us for number, (_, time_us) in read_times(path).items()}
    return np.array([times.get(number, 0) for number in frames.number.tolist()], dtype=np.int64)


def _is_sane(
    forward_us: Int64[np.ndarray, "n"],
    start_us: Int64[np.ndarray, "n"],
    end_us: Int64[np.ndarray, "n"],
) -> Bool[np.ndarray, "n"]:
    turn_us = end_us - start_us
    lasts = (turn_us >= SHORTEST_US) & (turn_us <= LONGEST_US)
    return lasts & (start_us <= forward_us + SLACK_US) & (forward_us <= end_us + SLACK_US)


def _note(said: Bool[np.ndarray, "n"] | None, usual_us: int) -> str:
    note = (
        "lidar points are not compensated for the car's motion; each is timed by its azimuth, "
        "clockwise from behind"
    )
    if said is not None and said.all():
        return f"{note}, from the start to the end of its turn"
    assumed = f"turns are taken to last {usual_us * 1e-3:.1f} ms, with the middle facing forward"
    if said is None:
        return f"{note}; {assumed}: the drive does not say when they start and end"
    return f"{note}; {int((~said).sum())} {assumed}: the drive's times of them cannot be"
