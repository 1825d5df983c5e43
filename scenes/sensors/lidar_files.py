"""Files of one lidar sweep: a closed table of formats, each read where it lies.

`npz` is our own, with a time for each return. `kitti-bin` is float32 x y z reflectance,
`nuscenes-bin` (`.pcd.bin`) float32 x y z intensity ring; neither carries times. Where such a sweep
was not compensated for the motion of the car, the time of a return follows from its azimuth: the
scanner begins its turn facing backwards, turns clockwise seen from above, and ends facing
backwards. That KITTI's does was measured (docs/importing.md): its readme says counter-clockwise.
"""

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float32, Int32

from scenes.sensors.lidar import Sweep
from scenes.storage.arrays import made, read_arrays

NPZ, KITTI, NUSCENES = "npz", "kitti-bin", "nuscenes-bin"
MOST_UNIT = 255.0
"""nuScenes' intensities are bytes."""
ROUNDING = 1e-3
"""Reflectance may be beyond 0 to 1 by this."""


def read_sweep(reader: str, data: bytes, turn_us: int | None = None) -> Sweep:
    """The sweep in a file.

    Args:
        reader: Its format, one of `READERS`.
        data: The file's bytes.
        turn_us: How long the turn took, where the times of returns follow from their azimuth [µs].

    Raises:
        ValueError: It is damaged; a damaged .npz raises one of `scenes.storage.arrays.DAMAGE`.
    """
    return READERS[reader](data, turn_us)


def _npz(data: bytes, turn_us: int | None) -> Sweep:
    del turn_us  # each return has its own time
    return made(Sweep, **read_arrays(data, ("xyz_m", "offset_us", "intensity")))


def _kitti(data: bytes, turn_us: int | None) -> Sweep:
    values = _table(data, 4)
    low, high = float(values[:, 3].min()), float(values[:, 3].max())
    if low < -ROUNDING or high > 1.0 + ROUNDING:
        raise ValueError(f"reflectance of {low:g} to {high:g} is not in 0 to 1")
    return _sweep(values, np.clip(values[:, 3], 0.0, 1.0), turn_us)


def _nuscenes(data: bytes, turn_us: int | None) -> Sweep:
    values = _table(data, 5)
    low, high = float(values[:, 3].min()), float(values[:, 3].max())
    if low < 0.0 or high > MOST_UNIT:
        raise ValueError(f"intensity of {low:g} to {high:g} is not in 0 to {MOST_UNIT:g}")
    return _sweep(values, values[:, 3] / np.float32(MOST_UNIT), turn_us)


def _table(data: bytes, columns: int) -> Float32[np.ndarray, "n columns"]:
    """Little-endian float32, row by row, all finite."""
    row = 4 * columns
    if not data or len(data) % row:
        raise ValueError(f"has {len(data)} bytes, which are no rows of {columns} float32")
    values = np.frombuffer(data, dtype="<f4").astype(np.float32).reshape(-1, columns)
    if not np.all(np.isfinite(values)):
        raise ValueError("holds numbers that are not finite")
    return values


def _sweep(
    values: Float32[np.ndarray, "n columns"],
    intensity: Float32[np.ndarray, "n"],
    turn_us: int | None,
) -> Sweep:
    """Without the beams that did not return, which some programs write as zeros."""
    returned = np.any(values[:, :3] != 0.0, axis=1)
    xyz_m = values[returned, :3].copy()
    offset_us = np.zeros(len(xyz_m), np.int32) if turn_us is None else turned_us(xyz_m, turn_us)
    return Sweep(xyz_m=xyz_m, offset_us=offset_us, intensity=intensity[returned])


def turned_us(xyz_m: Float32[np.ndarray, "n 3"], turn_us: int) -> Int32[np.ndarray, "n"]:
    """When each return came, after the turn began facing backwards [µs]: half a turn is ahead.

    Args:
        xyz_m: Returns in the lidar's frame (x forward, y left, z up).
        turn_us: How long the turn took.
    """
    azimuth = np.arctan2(xyz_m[:, 1], xyz_m[:, 0]).astype(np.float64)
    return np.round((0.5 - azimuth / (2.0 * np.pi)) * turn_us).astype(np.int32)


READERS: Mapping[str, Callable[[bytes, int | None], Sweep]] = {
    NPZ: _npz,
    KITTI: _kitti,
    NUSCENES: _nuscenes,
}
"""Formats of sweeps by name."""
TURNING = frozenset({KITTI, NUSCENES})
"""Those whose returns may get times from their azimuth."""
