"""Rigs: which cameras look where. The first is the same in all: it looks ahead, 80 degrees wide.

`mono` is that one alone; `stereo` has a second one 0.54 m to its right, as KITTI; `surround` has
six, of which the three that look back are fisheyes and the one at the rear sees 190 degrees.
Mounts are in the ego's frame: x forward, y left, z up, origin on the ground under the rear axle.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from scenes.errors import OtherlaneError
from scenes.motion.geometry import rigid, yaw_rotation
from scenes.sensors.camera import Camera

CAMERA_M = (1.5, 0.0, 1.65)
"""Where the first camera is, in the ego's frame."""
BASELINE_M = 0.54
"""Between the cameras of `stereo`."""
FORWARD = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
"""Rotation `ego_from_camera` of a camera that looks along x."""
LENS = (-0.02, 0.004, -0.0005, 0.0)
"""Kannala and Brandt's coefficients of the fisheyes."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Mount:
    """A camera of a rig, and where it is."""

    name: str
    camera: Camera
    ego_from_camera: Float64[np.ndarray, "4 4"]


def pinhole(width: int, height: int, readout_us: int = 0, focal: float = 0.596) -> Camera:
    """A camera without distortion; `focal` is in widths, 0.596 being 80 degrees."""
    return Camera(
        width=width,
        height=height,
        fx=focal * width,
        fy=focal * width,
        cx=0.5 * width,
        cy=0.5 * height,
        readout_us=readout_us,
    )


def fisheye(width: int, height: int, readout_us: int, across_rad: float) -> Camera:
    """A fisheye that sees `across_rad` from its left edge to its right one."""
    half = 0.5 * across_rad
    square = half * half
    landing = half * (1.0 + square * (LENS[0] + square * (LENS[1] + square * LENS[2])))
    focal = float(0.5 * width / landing)
    return Camera(
        width=width,
        height=height,
        fx=focal,
        fy=focal,
        cx=0.5 * width,
        cy=0.5 * height,
        distortion=LENS,
        readout_us=readout_us,
        lens="kannala-brandt",
    )


def _looking(yaw_deg: float, at_m: tuple[float, float, float]) -> Float64[np.ndarray, "4 4"]:
    return rigid(yaw_rotation(np.array(np.deg2rad(yaw_deg))) @ FORWARD, np.array(at_m))


def _mono(width: int, height: int, readout_us: int) -> tuple[Mount, ...]:
    camera = pinhole(width, height, readout_us)
    return (Mount(name="front", camera=camera, ego_from_camera=_looking(0.0, CAMERA_M)),)


def _stereo(width: int, height: int, readout_us: int) -> tuple[Mount, ...]:
    first = _mono(width, height, readout_us)[0]
    beside = (CAMERA_M[0], CAMERA_M[1] - BASELINE_M, CAMERA_M[2])
    second = Mount(name="right", camera=first.camera, ego_from_camera=_looking(0.0, beside))
    return (first, second)


def _surround(width: int, height: int, readout_us: int) -> tuple[Mount, ...]:
    wide = pinhole(width, height, readout_us, focal=0.5)
    side = fisheye(width, height, readout_us, np.deg2rad(130.0))
    rear = fisheye(width, height, readout_us, np.deg2rad(190.0))
    others = (
        ("front_left", wide, 55.0, (1.3, 0.5, 1.6)),
        ("front_right", wide, -55.0, (1.3, -0.5, 1.6)),
        ("back_left", side, 110.0, (1.0, 0.6, 1.6)),
        ("back_right", side, -110.0, (1.0, -0.6, 1.6)),
        ("back", rear, 180.0, (-0.7, 0.0, 1.4)),
    )
    return _mono(width, height, readout_us) + tuple(
        Mount(name=name, camera=camera, ego_from_camera=_looking(yaw_deg, at_m))
        for name, camera, yaw_deg, at_m in others
    )


RIGS: dict[str, Callable[[int, int, int], tuple[Mount, ...]]] = {
    "mono": _mono,
    "stereo": _stereo,
    "surround": _surround,
}
"""By name: the mounts, given width, height and readout time [µs] of every camera."""


def mounts(rig: str, width: int, height: int, readout_us: int = 0) -> tuple[Mount, ...]:
    """The cameras of a rig.

    Raises:
        OtherlaneError: No rig has that name.
    """
    if rig not in RIGS:
        raise OtherlaneError("rig", f"none is called {rig!r}", f"one of {', '.join(RIGS)}")
    return RIGS[rig](width, height, readout_us)
