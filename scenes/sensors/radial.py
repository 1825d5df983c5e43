"""What lenses that are the same all around their axis share, whatever their formula.

Such a lens is a function from the angle `theta` off the axis to how far from the principal point a
direction lands (focal lengths), and its inverse, up to the widest angle it is one-to-one to.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Float64
from numpy.polynomial import Polynomial

BISECTIONS, NEWTON_STEPS = 12, 8
"""Steps to invert a lens: to within a thousandth of its width, then to rounding error."""
FARTHEST = 1e9
"""Focal lengths from the axis beyond which a fold is none."""

Values = np.ndarray | np.float64 | float
"""Angles [rad] or radii (focal lengths) of any shape; numpy makes a number of a single one."""
Curve = Callable[[Values], Values]


def radial_plane(
    points_camera: Float[np.ndarray, "*n 3"], landing: Curve, widest_rad: float
) -> Float64[np.ndarray, "*n 2"]:
    """Where points land, in focal lengths from the principal point.

    Args:
        points_camera: In the camera's frame [m].
        landing: Radius of an angle.
        widest_rad: Points this far off the axis, or further, are not seen: NaN.
    """
    points = np.asarray(points_camera, np.float64)
    flat = np.hypot(points[..., 0], points[..., 1])
    theta = np.arctan2(flat, points[..., 2])
    seen = (theta < widest_rad) & (np.linalg.norm(points, axis=-1) > 0.0)
    radius = np.where(seen, landing(theta), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(flat > 0.0, radius / flat, np.where(seen, 0.0, np.nan))
    return points[..., :2] * share[..., None]


def radial_rays(plane: Float[np.ndarray, "*n 2"], angle: Curve) -> Float64[np.ndarray, "*n 3"]:
    """Unit directions that land at `plane`; NaN where `angle` of the radius is."""
    plane = np.asarray(plane, np.float64)
    radius = np.hypot(plane[..., 0], plane[..., 1])
    theta = np.asarray(angle(radius))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(radius > 0.0, np.sin(theta) / radius, 1.0)
    found = np.concatenate([plane * share[..., None], np.cos(theta)[..., None]], axis=-1)
    return np.where(np.isnan(theta)[..., None], np.nan, found)


def radial_solid_angle(
    plane: Float[np.ndarray, "*n 2"],
    area: Float[np.ndarray, "*n"] | float,
    angle: Curve,
    rim: float,
) -> Float64[np.ndarray, "*n"]:
    """Solid angles [sr] that squares of an `area` (square focal lengths) about `plane` see.

    NaN where `angle` is. At the `rim` (a radius) a lens is ever wider: there, the part of the
    square that is inside counts for all of it.
    """
    plane = np.asarray(plane, np.float64)
    radius = np.hypot(plane[..., 0], plane[..., 1])
    theta, rim = np.asarray(angle(radius)), np.nextafter(rim, 0.0)
    # a ring of d theta is sin(theta) d theta d phi, and lands on d radius times radius d phi
    with np.errstate(divide="ignore", invalid="ignore"):
        side = area**0.5
        low = np.clip(radius - 0.5 * side, 0.0, rim)
        high = np.clip(radius + 0.5 * side, 0.0, rim)
        along = (angle(high) - angle(low)) / (high - low)
        around = np.where(radius > 0.0, np.sin(theta) / radius, 1.0)
        return np.asarray(np.where(np.isnan(theta), np.nan, around * along * side * side))


def first_root(polynomial: Polynomial) -> float:
    """The smallest positive root of a polynomial that is 1 at 0; inf if there is none."""
    # of 1 / r, so that the leading coefficient is that 1 and not the smallest of them all
    roots = np.asarray(Polynomial(polynomial.coef[::-1]).roots(), np.complex128)
    inverse = roots.real[np.abs(roots.imag) < 1e-12].max(initial=0.0)
    return float(1.0 / inverse) if inverse > FARTHEST**-1 else np.inf


def inverted(wanted: Values, value: Curve, slope: Curve, top: float) -> np.ndarray:
    """Where in 0 to `top` a curve that grows from 0 has a value; NaN where it has not."""
    inside = np.asarray(wanted < value(np.float64(top)))
    wanted = np.where(inside, wanted, 0.0)
    low, high = np.zeros_like(wanted), np.full_like(wanted, top)
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        short = value(middle) < wanted
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    at = 0.5 * (low + high)
    for _ in range(NEWTON_STEPS):
        error = value(at) - wanted
        step = error / np.maximum(slope(at), 1e-6)
        at = np.clip(at - step, low, high)
    return np.where(inside, at, np.nan)
