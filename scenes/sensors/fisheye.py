"""Kannala and Brandt's lens with four coefficients, as in OpenCV's `fisheye` module.

A direction `theta` away from the optical axis lands `theta_d = theta (1 + k1 theta^2 + k2 theta^4
+ k3 theta^6 + k4 theta^8)` from the principal point, in focal lengths; so a lens may see more than
half of the world. It is one-to-one up to where `theta_d` stops growing, and to the point behind
it at most; beyond that nothing is seen. (J. Kannala and S. S. Brandt, "A generic camera model and
calibration method for conventional, wide-angle, and fish-eye lenses", PAMI 2006.)
"""

from functools import cache, partial

import numpy as np
from jaxtyping import Float, Float64
from numpy.polynomial import Polynomial

from scenes.sensors.radial import (
    Values,
    first_root,
    inverted,
    radial_plane,
    radial_rays,
    radial_solid_angle,
)

Lens = tuple[float, ...]
"""k1 k2 k3 k4; empty for none."""


def fisheye_problem(lens: Lens) -> str | None:
    """What is wrong with the numbers of a lens, in words; None if nothing is."""
    return None if len(lens) in (0, 4) else f"takes 0 or 4 numbers, got {len(lens)}"


@cache
def widest_rad(lens: Lens) -> float:
    """Angle from the axis up to which the lens is one-to-one [rad], at most pi."""
    k = (*lens, *(0.0,) * (4 - len(lens)))
    of_square = Polynomial([1.0, 3.0 * k[0], 5.0 * k[1], 7.0 * k[2], 9.0 * k[3]])
    return float(min(first_root(of_square) ** 0.5, np.pi))


def fisheye_plane(
    points_camera: Float[np.ndarray, "*n 3"], lens: Lens
) -> Float64[np.ndarray, "*n 2"]:
    """Where points land, in focal lengths from the principal point; NaN where the lens is blind."""
    return radial_plane(points_camera, partial(_landing, lens), widest_rad(lens))


def fisheye_rays(plane: Float[np.ndarray, "*n 2"], lens: Lens) -> Float64[np.ndarray, "*n 3"]:
    """Unit directions that land at `plane` (focal lengths); NaN outside of the image circle."""
    return radial_rays(plane, partial(_angle, lens))


def fisheye_solid_angle(
    plane: Float[np.ndarray, "*n 2"], lens: Lens, area: float
) -> Float64[np.ndarray, "*n"]:
    """Solid angles [sr] that squares of an `area` (square focal lengths) about `plane` see.

    NaN outside of the image circle; see `scenes.sensors.radial` for its rim.
    """
    rim = float(_landing(lens, np.float64(widest_rad(lens))))
    return radial_solid_angle(plane, area, partial(_angle, lens), rim)


def _landing(lens: Lens, theta: Values) -> Values:
    square, factor = theta * theta, 0.0 * theta
    for k in reversed(lens):
        factor = square * (k + factor)
    return theta * (1.0 + factor)


def _slope(lens: Lens, theta: Values) -> Values:
    square, slope = theta * theta, 1.0 + 0.0 * theta
    for power, k in enumerate(lens, start=1):
        slope = slope + (2 * power + 1) * k * square**power
    return slope


def _angle(lens: Lens, landing: Values) -> Values:
    """Angle from the axis that lands so far from the principal point [rad]; NaN outside."""
    return inverted(landing, partial(_landing, lens), partial(_slope, lens), widest_rad(lens))
