"""OpenCV's rational lens on the plane z = 1, as far as it is one-to-one.

A polynomial that was fitted to a picture does something anywhere: beyond some angle, most fitted
lenses fold back, so that two directions land on one place. The *fold* is where, going out from the
axis, the determinant of the lens's derivative first falls to 0. Inside of it the derivative, which
is symmetric, is positive definite, so that no two directions land on one place; beyond it the lens
sees nothing: `distort` is NaN there, and so is `undistort` of a place where nothing from inside of
the fold lands. (calib3d, "Detailed Description"; Gale and Nikaido 1965 for why one-to-one.)
"""

from functools import cache

import numpy as np
from jaxtyping import Bool, Float, Float64
from numpy.polynomial import Polynomial

from scenes.sensors.radial import first_root

SIDES = 65
"""Of a lens with a tangential part: directions from the axis that are asked for the fold."""
NEWTON_STEPS = 100
"""Most steps of Newton's method; it has converged long before, but just beside the fold."""
CLOSE, SAME = 1e-14, 1e-10
"""Focal lengths: an error at which steps end, and the largest one of a place that was found."""
LEAST_STEP = 1e-6
"""Where no larger share of a step leads nearer, there is nothing to be found."""

Lens = tuple[float, ...]
"""k1 k2 p1 p2 [k3 [k4 k5 k6]]; empty for none."""


def opencv_problem(lens: Lens) -> str | None:
    """What is wrong with the numbers of a lens, in words; None if nothing is."""
    return None if len(lens) in (0, 4, 5, 8) else f"takes 0, 4, 5 or 8 numbers, got {len(lens)}"


def opencv_plane(
    points_camera: Float[np.ndarray, "*n 3"], lens: Lens
) -> Float64[np.ndarray, "*n 2"]:
    """Where points land, in focal lengths; NaN beyond the fold, and where not in front."""
    z = points_camera[..., 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        plane = points_camera[..., :2] / np.where(z > 0, z, np.nan)[..., None]
    return distort(plane, lens)


def opencv_rays(plane: Float[np.ndarray, "*n 2"], lens: Lens) -> Float64[np.ndarray, "*n 3"]:
    """Directions that land at `plane` (focal lengths), scaled to z = 1; NaN where none does."""
    return _with_z_1(undistort(plane, lens))


def opencv_solid_angle(
    plane: Float[np.ndarray, "*n 2"], lens: Lens, area: float
) -> Float64[np.ndarray, "*n"]:
    """Solid angles [sr] that squares of an `area` (square focal lengths) about `plane` see."""
    flat = undistort(plane, lens)
    spread = area / magnification(flat, lens) if lens else area
    # an area on the plane z = 1 is seen under area * cos^3
    return np.asarray(spread * np.linalg.norm(_with_z_1(flat), axis=-1) ** -3.0)


def _with_z_1(plane: Float64[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n 3"]:
    ahead = np.where(np.isnan(plane[..., :1]), np.nan, 1.0)  # what is nowhere is not ahead
    return np.concatenate([plane, ahead], axis=-1)


def distort(plane: Float[np.ndarray, "*n 2"], lens: Lens) -> Float64[np.ndarray, "*n 2"]:
    """Where directions land, in focal lengths from the principal point; NaN beyond the fold."""
    plane = np.asarray(plane, np.float64)
    if not lens:
        return plane
    return np.where(_before_fold(plane, lens)[..., None], _landing(plane, lens), np.nan)


def undistort(bent: Float[np.ndarray, "*n 2"], lens: Lens) -> Float64[np.ndarray, "*n 2"]:
    """The directions that land at `bent`; NaN where none does.

    Newton's method, a step halved until it leads nearer and stays before the fold.
    """
    bent = np.asarray(bent, np.float64)
    if not lens:
        return bent
    wanted = bent.reshape(-1, 2)
    away = np.linalg.norm(wanted, axis=1)
    nearest = 0.9 * fold_radii(lens).min()
    with np.errstate(divide="ignore", invalid="ignore"):
        plane = wanted * np.where(away > nearest, nearest / away, 1.0)[:, None]
    error = _landing(plane, lens) - wanted
    share, left = np.ones(len(plane)), np.flatnonzero(away <= _reach(lens))
    for _ in range(NEWTON_STEPS):
        size = np.linalg.norm(error[left], axis=1)
        left = left[(size > CLOSE) & (share[left] > LEAST_STEP)]
        if not len(left):
            break
        trial = plane[left] - share[left, None] * _step(plane[left], error[left], lens)
        found = _landing(trial, lens) - wanted[left]
        nearer = np.linalg.norm(found, axis=1) < np.linalg.norm(error[left], axis=1)
        nearer &= _before_fold(trial, lens)
        plane[left[nearer]], error[left[nearer]] = trial[nearer], found[nearer]
        share[left] = np.where(nearer, np.minimum(2.0 * share[left], 1.0), 0.5 * share[left])
    plane[~(np.linalg.norm(error, axis=1) < SAME)] = np.nan
    return plane.reshape(bent.shape)


def magnification(plane: Float[np.ndarray, "*n 2"], lens: Lens) -> Float64[np.ndarray, "*n"]:
    """Area on the sensor over area on the plane z = 1; 0 at the fold."""
    return _determinant(_derivative(np.asarray(plane, np.float64), lens))


@cache
def fold_radii(lens: Lens) -> Float64[np.ndarray, "sides"]:
    """How far from the axis a lens folds, by `side`; inf for never.

    At an azimuth a, with q = p1 sin(a) + p2 cos(a), a radius r lands at r R(r) + 3 q r^2 outwards
    and q' r^2 aside, so that the determinant is (R + r R' + 6 q r) (R + 2 q r) - 4 q'^2 r^2. As
    q^2 + q'^2 = p1^2 + p2^2, it depends on the azimuth by q alone, the side. There are `SIDES` of
    them in equal steps from the least to the largest; one where the lens is the same all around.
    """
    k1, k2, p1, p2, k3, k4, k5, k6 = _numbers(lens)
    top = Polynomial([1.0, 0.0, k1, 0.0, k2, 0.0, k3])
    bottom = Polynomial([1.0, 0.0, k4, 0.0, k5, 0.0, k6])
    r, pole = Polynomial([0.0, 1.0]), first_root(bottom)
    slope = top * bottom + r * (top.deriv() * bottom - top * bottom.deriv())
    if p1 == p2 == 0.0:
        return np.array([min(first_root(slope), pole)])
    aside = 4.0 * r**2 * bottom**3
    none = slope * top - (p1 * p1 + p2 * p2) * aside
    once = r * bottom * (2.0 * slope + 6.0 * bottom * top)
    sides = np.linspace(-1.0, 1.0, SIDES) * np.hypot(p1, p2)
    return np.array([min(first_root(none + q * once + 4.0 * q * q * aside), pole) for q in sides])


@cache
def _reach(lens: Lens) -> float:
    """How far from the principal point anything lands, at most (focal lengths)."""
    radii = fold_radii(lens)
    p1, p2 = lens[2:4]
    azimuth = np.arctan2(p1, p2) + np.arccos(np.linspace(-1.0, 1.0, len(radii)))
    with np.errstate(invalid="ignore"):
        fold = np.stack([np.cos(azimuth), np.sin(azimuth)], axis=-1) * radii[:, None]
        reach = np.linalg.norm(_landing(fold, lens), axis=1).max()
    return float(1.001 * reach) if np.isfinite(reach) else np.inf  # sides are not everywhere


def _before_fold(plane: Float64[np.ndarray, "*n 2"], lens: Lens) -> Bool[np.ndarray, "*n"]:
    radii, away = fold_radii(lens), np.hypot(plane[..., 0], plane[..., 1])
    if len(radii) == 1:
        return np.asarray(away < radii[0])
    p1, p2 = lens[2:4]
    with np.errstate(divide="ignore", invalid="ignore"):
        side = (p1 * plane[..., 1] + p2 * plane[..., 0]) / (np.hypot(p1, p2) * away)
        place = np.nan_to_num(side) * (0.5 * (SIDES - 1)) + 0.5 * (SIDES - 1)
        nearest = np.interp(place, np.arange(SIDES), radii)
        return np.asarray((away < nearest) & (magnification(plane, lens) > 0.0))


def _numbers(lens: Lens) -> tuple[float, ...]:
    return (*lens, *(0.0,) * (8 - len(lens)))


def _landing(plane: Float64[np.ndarray, "*n 2"], lens: Lens) -> Float64[np.ndarray, "*n 2"]:
    """OpenCV's formula, wherever it leads."""
    k1, k2, p1, p2, k3, k4, k5, k6 = _numbers(lens)
    x, y = plane[..., 0], plane[..., 1]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        r2 = x * x + y * y
        top, bottom = 1 + r2 * (k1 + r2 * (k2 + r2 * k3)), 1 + r2 * (k4 + r2 * (k5 + r2 * k6))
        radial = top / bottom
        bent_x = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
        bent_y = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
    return np.stack([bent_x, bent_y], axis=-1)


def _derivative(plane: Float64[np.ndarray, "*n 2"], lens: Lens) -> Float64[np.ndarray, "3 *n"]:
    """Derivative of `_landing`, a symmetric matrix: its entries xx, xy, yy."""
    k1, k2, p1, p2, k3, k4, k5, k6 = _numbers(lens)
    x, y = plane[..., 0], plane[..., 1]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        r2 = x * x + y * y
        top, bottom = 1 + r2 * (k1 + r2 * (k2 + r2 * k3)), 1 + r2 * (k4 + r2 * (k5 + r2 * k6))
        top_slope = k1 + r2 * (2 * k2 + r2 * 3 * k3)
        bottom_slope = k4 + r2 * (2 * k5 + r2 * 3 * k6)
        radial = top / bottom
        twice = 2.0 * (top_slope - radial * bottom_slope) / bottom
        xx = radial + twice * x * x + 2 * p1 * y + 6 * p2 * x
        xy = twice * x * y + 2 * p1 * x + 2 * p2 * y
        yy = radial + twice * y * y + 6 * p1 * y + 2 * p2 * x
    return np.array([xx, xy, yy])


def _determinant(derivative: Float64[np.ndarray, "3 *n"]) -> Float64[np.ndarray, "*n"]:
    xx, xy, yy = derivative
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(xx * yy - xy * xy)


def _step(
    plane: Float64[np.ndarray, "n 2"], error: Float64[np.ndarray, "n 2"], lens: Lens
) -> Float64[np.ndarray, "n 2"]:
    """Newton's step: the derivative's inverse times the error."""
    xx, xy, yy = derivative = _derivative(plane, lens)
    across = np.stack([yy * error[:, 0] - xy * error[:, 1], xx * error[:, 1] - xy * error[:, 0]], 1)
    return across / _determinant(derivative)[:, None]
