"""KITTI raw's GPS/IMU packets as poses: one file of 30 numbers a frame.

Latitude, longitude [degrees], altitude [m], roll, pitch, yaw [rad], and what is not used here:
speeds, accelerations, rates and accuracies. A place is Mercator's projection of its latitude and
longitude, at the scale of the first packet's latitude, as the devkit has it (latToScale,
latlonToMercator and convertOxtsToPose; Geiger et al., IJRR 2013, section 4): x is east, y north, z
up. Axes of the IMU are x forward, y left, z up.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from scenes.errors import DriveError
from scenes.importers.formats.kitti_text import CALIBRATION
from scenes.importers.formats.text_tables import Line, finite_numbers, read_lines
from scenes.motion.geometry import rigid

EARTH_M = 6378137.0
"""Radius of the Earth, as the devkit has it."""
COLUMNS = 30
"""Numbers of a packet."""
MAX_LATITUDE = 85.0
"""Mercator's projection has no poles [degrees]."""
FIX = "KITTI raw's packet: one line of 30 numbers, latitude and longitude in degrees first"


def read_oxts(files: Sequence[Path]) -> Float64[np.ndarray, "n 4 4"]:
    """Pose of the IMU in east, north, up at each packet [m]; the first is at the origin.

    Raises:
        DriveError: A packet is missing or malformed, or is nowhere on Earth; its file is named.
    """
    packets = np.stack([_packet(path) for path in files])
    place_m = mercator_m(packets[:, 0], packets[:, 1], packets[:, 2])
    return rigid(turned(packets[:, 3:6]), place_m - place_m[0])


def mercator_m(
    latitude: Float64[np.ndarray, "n"],
    longitude: Float64[np.ndarray, "n"],
    altitude_m: Float64[np.ndarray, "n"],
) -> Float64[np.ndarray, "n 3"]:
    """Places at the scale of the first latitude [m], from degrees and metres."""
    # term by term the devkit's: in another order, north differs by nanometres
    scale = np.cos(latitude[0] * np.pi / 180.0)
    east = scale * longitude * np.pi * EARTH_M / 180.0
    north = scale * EARTH_M * np.log(np.tan((90.0 + latitude) * np.pi / 360.0))
    return np.stack([east, north, altitude_m], axis=1)


def turned(angles: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3 3"]:
    """Rz(yaw) Ry(pitch) Rx(roll) of roll, pitch, yaw [rad]."""
    (sr, sp, sy), (cr, cp, cy) = np.sin(angles).T, np.cos(angles).T
    rows = [
        [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
        [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
        [-sp, cp * sr, cp * cr],
    ]
    return np.moveaxis(np.array(rows), -1, 0)


def _packet(path: Path) -> Float64[np.ndarray, "columns"]:
    lines = read_lines(path, FIX, CALIBRATION)
    if len(lines) != 1:
        raise DriveError(path, f"holds {len(lines)} lines, not one", FIX)
    (line,) = lines
    packet = np.array(finite_numbers(line, "a packet", line.words, COLUMNS))
    _check(line, packet)
    return packet


def _check(line: Line, packet: Float64[np.ndarray, "columns"]) -> None:
    latitude, longitude = packet[:2]
    if abs(latitude) > MAX_LATITUDE or abs(longitude) > 180.0:
        wrong = f"latitude {latitude:g}, longitude {longitude:g} is no place in degrees"
        raise DriveError(line.place, wrong, FIX)
    if np.abs(packet[3:6]).max() > 2.0 * np.pi:
        wrong = f"roll, pitch, yaw of {packet[3]:g}, {packet[4]:g}, {packet[5]:g}: degrees?"
        raise DriveError(line.place, wrong, "radians")
