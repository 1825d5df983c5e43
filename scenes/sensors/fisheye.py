"""Kannala and Brandt's lens with four coefficients, as in OpenCV's `fisheye` module.

A direction `theta` away from the optical axis lands `theta_d = theta (1 + k1 theta^2 + k2 theta^4
+ k3 theta^6 + k4 theta^8)` from the principal point, in focal lengths; so a lens may see more than
half of the world. It is one-to-one up to where `theta_d` stops growing, and to the point behind
it at most; beyond that nothing is seen. (J. Kannala and S. S. Brandt, "A generic camera model and
calibration method for conventional, wide-angle, and fish-eye lenses", PAMI 2006.)
"""

from functools import cache

import numpy as np
from jaxtyping import Float, Float64

BISECTIONS, NEWTON_STEPS = 12, 8
"""Steps to find an angle from where it lands: to within a thousandth, then to rounding error."""

Angle = np.ndarray | np.float64 | float
"""Angles [rad] of any shape; numpy makes a number of a single one."""


@cache
def widest_rad(coefficients: tuple[float, ...]) -> float:
    """Angle from the axis up to which the lens is one-to-one [rad], at most pi."""
    k = (*coefficients, *(0.0,) * (4 - len(coefficients)))
    roots = np.roots([9.0 * k[3], 7.0 * k[2], 5.0 * k[1], 3.0 * k[0], 1.0])
    real = roots.real[(np.abs(roots.imag) < 1e-12) & (roots.real > 0.0)]
    return float(min(np.sqrt(real.min(initial=np.inf)), np.pi))


def _landing(theta: Angle, coefficients: tuple[float, ...]) -> Angle:
    square, factor = theta * theta, 0.0 * theta
    for k in reversed(coefficients):
        factor = square * (k + factor)
    return theta * (1.0 + factor)


def _slope(theta: Angle, coefficients: tuple[float, ...]) -> Angle:
    square, slope = theta * theta, 1.0 + 0.0 * theta
    for power, k in enumerate(coefficients, start=1):
        slope = slope + (2 * power + 1) * k * square**power
    return slope


def fisheye_plane(
    points_camera: Float[np.ndarray, "*n 3"], coefficients: tuple[float, ...]
) -> Float64[np.ndarray, "*n 2"]:
    """Where points land, in focal lengths from the principal point; NaN where the lens is blind."""
    points = np.asarray(points_camera, np.float64)
    flat = np.hypot(points[..., 0], points[..., 1])
    theta = np.arctan2(flat, points[..., 2])
    seen = (theta < widest_rad(coefficients)) & (np.linalg.norm(points, axis=-1) > 0.0)
    landing = np.where(seen, _landing(theta, coefficients), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(flat > 0.0, landing / flat, np.where(seen, 0.0, np.nan))
    return points[..., :2] * share[..., None]


def fisheye_directions(
    plane: Float[np.ndarray, "*n 2"], coefficients: tuple[float, ...]
) -> Float64[np.ndarray, "*n 3"]:
    """Unit directions that land at `plane` (focal lengths); NaN outside of the image circle."""
    plane = np.asarray(plane, np.float64)
    landing = np.hypot(plane[..., 0], plane[..., 1])
    theta = _angle(landing, coefficients)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(landing > 0.0, np.sin(theta) / landing, 1.0)
    found = np.concatenate([plane * share[..., None], np.cos(theta)[..., None]], axis=-1)
    return np.where(np.isnan(theta)[..., None], np.nan, found)


def fisheye_solid_angle(
    plane: Float[np.ndarray, "*n 2"], coefficients: tuple[float, ...], side: float
) -> Float64[np.ndarray, "*n"]:
    """Solid angles [sr] that squares of a `side` (focal lengths) about `plane` see.

    NaN outside of the image circle, at whose rim the lens is ever wider: there, the part of the
    square that is inside counts for all of it.
    """
    plane = np.asarray(plane, np.float64)
    landing = np.hypot(plane[..., 0], plane[..., 1])
    theta = _angle(landing, coefficients)
    rim = np.nextafter(_landing(np.float64(widest_rad(coefficients)), coefficients), 0.0)
    low = np.clip(landing - 0.5 * side, 0.0, rim)
    high = np.clip(landing + 0.5 * side, 0.0, rim)
    # a ring of d theta is sin(theta) d theta d phi, and lands on d landing times landing d phi
    with np.errstate(divide="ignore", invalid="ignore"):
        along = (_angle(high, coefficients) - _angle(low, coefficients)) / (high - low)
        around = np.where(landing > 0.0, np.sin(theta) / landing, 1.0)
    return np.asarray(np.where(np.isnan(theta), np.nan, around * along * side * side))


def _angle(landing: Angle, coefficients: tuple[float, ...]) -> Angle:
    """Angle from the axis that lands so far from the principal point [rad]; NaN outside."""
    widest = widest_rad(coefficients)
    inside = landing < _landing(np.float64(widest), coefficients)
    wanted = np.where(inside, landing, 0.0)
    low, high = np.zeros_like(wanted), np.full_like(wanted, widest)
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        short = _landing(middle, coefficients) < wanted
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    theta = 0.5 * (low + high)
    for _ in range(NEWTON_STEPS):
        error = _landing(theta, coefficients) - wanted
        step = error / np.maximum(_slope(theta, coefficients), 1e-6)
        theta = np.clip(theta - step, low, high)
    return np.where(inside, theta, np.nan)
