"""The unified omnidirectional lens: a sphere seen from beside its centre, through OpenCV's lens.

A point is moved onto the unit sphere about the camera, x, and seen from `xi` behind its centre: it
lies at m = (x, y) / (z + xi) on a plane, which k1 k2 p1 p2 distort as OpenCV's lens does, and lands
that far from the principal point, in units of the focal length (gamma). So `xi` 0 is a perspective
lens, 1 is stereographic. (C. Mei and P. Rives, "Single View Point Omnidirectional Camera
Calibration from Planar Grids", ICRA 2007; KITTI-360 calls the numbers by these names.)

Where `xi` is above 1, |m| grows up to the angle whose cosine is -1 / xi and falls beyond; else it
grows without end towards the angle whose cosine is -xi. Beyond that the lens sees nothing, and
beyond the fold of its distortion neither (`scenes.sensors.lens`).
"""

from functools import partial

import numpy as np
from jaxtyping import Float, Float64

from scenes.sensors.lens import distort, magnification, undistort
from scenes.sensors.radial import Values, radial_solid_angle

Lens = tuple[float, ...]
"""xi k1 k2 p1 p2."""


def mei_problem(lens: Lens) -> str | None:
    """What is wrong with the numbers of a lens, in words; None if nothing is."""
    if len(lens) != 5:
        return f"takes 5 numbers (xi k1 k2 p1 p2), got {len(lens)}"
    return None if lens[0] >= 0.0 else f"takes an xi of 0 or more, got {lens[0]}"


def widest_rad(lens: Lens) -> float:
    """Angle from the axis up to which the sphere is seen once [rad]; a distortion may see less."""
    return float(np.arccos(-_share(lens[0])))


def mei_plane(points_camera: Float[np.ndarray, "*n 3"], lens: Lens) -> Float64[np.ndarray, "*n 2"]:
    """Where points land, in focal lengths from the principal point; NaN where the lens is blind."""
    points = np.asarray(points_camera, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        sphere = points / np.linalg.norm(points, axis=-1)[..., None]
        seen = sphere[..., 2:] > -_share(lens[0])
        middle = sphere[..., :2] / np.where(seen, sphere[..., 2:] + lens[0], np.nan)
    return distort(middle, _distortion(lens))


def mei_rays(plane: Float[np.ndarray, "*n 2"], lens: Lens) -> Float64[np.ndarray, "*n 3"]:
    """Unit directions that land at `plane` (focal lengths); NaN where none does."""
    middle = undistort(plane, _distortion(lens))
    factor = np.asarray(_factor(lens[0], np.hypot(middle[..., 0], middle[..., 1])))[..., None]
    return np.concatenate([factor * middle, factor - lens[0]], axis=-1)


def mei_solid_angle(
    plane: Float[np.ndarray, "*n 2"], lens: Lens, area: float
) -> Float64[np.ndarray, "*n"]:
    """Solid angles [sr] that squares of an `area` (square focal lengths) about `plane` see.

    NaN where there is none; see `scenes.sensors.radial` for the rim of what the sphere shows.
    """
    middle = undistort(plane, _distortion(lens))
    with np.errstate(divide="ignore"):
        area_there = area / magnification(middle, _distortion(lens))
    return radial_solid_angle(middle, area_there, partial(_angle, lens[0]), _rim(lens[0]))


def _share(xi: float) -> float:
    """Minus the cosine of the widest angle."""
    return min(xi, 1.0 / xi) if xi > 0.0 else 0.0


def _rim(xi: float) -> float:
    """What |m| stays below."""
    return float((xi * xi - 1.0) ** -0.5) if xi > 1.0 else np.inf


def _distortion(lens: Lens) -> Lens:
    return lens[1:] if any(lens[1:]) else ()


def _factor(xi: float, radius: Values) -> Values:
    """What takes m to the sphere: (x, y) = factor m, z = factor - xi; NaN where nothing does."""
    square = np.where(radius < _rim(xi), radius, np.nan) ** 2
    with np.errstate(invalid="ignore"):
        return (xi + np.sqrt(1.0 + (1.0 - xi * xi) * square)) / (1.0 + square)


def _angle(xi: float, radius: Values) -> Values:
    """Angle from the axis of what lies at |m| [rad]; NaN where nothing does."""
    factor = _factor(xi, radius)
    return np.arctan2(factor * radius, factor - xi)
