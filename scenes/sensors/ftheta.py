"""The f-theta lens: a polynomial between the angle off the axis and the distance in the picture.

Two models, which differ in what the polynomial is of (k1 is 1: focal lengths are chosen so):

    ftheta           radius = theta + k2 theta^2 + k3 theta^3 + k4 theta^4 + k5 theta^5
    ftheta-inverse   theta = radius + k2 radius^2 + k3 radius^3 + k4 radius^4 + k5 radius^5

A direction at the azimuth phi then lands at (X + d Y, e X + Y) focal lengths from the principal
point, with (X, Y) = radius (cos phi, sin phi). The last number is the angle up to which the lens
was calibrated [rad]; it sees nothing beyond, nor beyond where its polynomial stops growing.
(NVIDIA's NCore and DriveSim: `angle_to_pixeldist_poly`, `pixeldist_to_angle_poly`, `linear_cde`
and `max_angle`, in pixels; `ftheta_intrinsics` takes them.)
"""

from collections.abc import Sequence
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
"""k2 k3 k4 k5 d e widest; empty for an equidistant lens."""
DEGREE = 5
"""Of the polynomial."""
NONE = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, float(np.pi))


def ftheta_intrinsics(
    polynomial: Sequence[float],
    inverse: bool,
    linear: tuple[float, float, float] = (1.0, 0.0, 0.0),
    widest_rad: float = float(np.pi),
) -> tuple[float, float, Lens]:
    """Focal lengths fx, fy [px] and the lens of a calibration in pixels.

    Args:
        polynomial: Coefficients by increasing power, the first (a constant) being 0: radius [px] of
            an angle [rad], or the other way round.
        inverse: Whether it is an angle of a radius (the lens `ftheta-inverse`).
        linear: c, d, e: a place (X, Y) [px] is moved to (c X + d Y, e X + Y).
        widest_rad: Angle up to which it was calibrated [rad].

    Raises:
        ValueError: The polynomial has a constant, a higher degree, or does not grow at 0.
    """
    first, slope, *others = (*polynomial, *(0.0,) * (DEGREE + 1 - len(polynomial)))
    if first != 0.0 or slope <= 0.0 or any(others[DEGREE - 1 :]):
        raise ValueError(f"an f-theta polynomial grows from 0, of degree 5, got {polynomial}")
    focal_px = 1.0 / slope if inverse else slope
    c, d, e = linear
    powers = range(2, DEGREE + 1)
    scales = (focal_px**n if inverse else 1.0 / focal_px for n in powers)
    numbers = (float(k * scale) for k, scale in zip(others, scales, strict=False))
    lens = (*numbers, d / c, e, min(float(widest_rad), float(np.pi)))
    return float(c * focal_px), float(focal_px), lens


def ftheta_problem(lens: Lens) -> str | None:
    """What is wrong with the numbers of a lens, in words; None if nothing is."""
    if len(lens) not in (0, len(NONE)):
        return f"takes 0 or 7 numbers (k2 k3 k4 k5 d e widest), got {len(lens)}"
    *_, d, e, widest = lens or NONE
    if d * e >= 1.0:
        return f"has d and e that mirror or flatten the picture: {d}, {e}"
    return None if 0.0 < widest <= np.pi else f"sees from 0 to pi rad at most, got {widest}"


def widest_rad(lens: Lens, inverse: bool = False) -> float:
    """Angle from the axis up to which the lens sees [rad], at most pi."""
    edge = _edge(lens or NONE, inverse)
    return min(float(_value(lens or NONE, edge)), (lens or NONE)[-1]) if inverse else edge


def ftheta_plane(
    points_camera: Float[np.ndarray, "*n 3"], lens: Lens, inverse: bool = False
) -> Float64[np.ndarray, "*n 2"]:
    """Where points land, in focal lengths from the principal point; NaN where the lens is blind."""
    lens = lens or NONE
    plane = radial_plane(
        points_camera, _root_of(lens, True) if inverse else partial(_value, lens),
        widest_rad(lens, inverse),
    )  # fmt: skip
    return plane @ _linear(lens).T


def ftheta_rays(
    plane: Float[np.ndarray, "*n 2"], lens: Lens, inverse: bool = False
) -> Float64[np.ndarray, "*n 3"]:
    """Unit directions that land at `plane` (focal lengths); NaN outside of the image circle."""
    lens = lens or NONE
    return radial_rays(_round(plane, lens), partial(_angle, lens, inverse))


def ftheta_solid_angle(
    plane: Float[np.ndarray, "*n 2"], lens: Lens, area: float, inverse: bool = False
) -> Float64[np.ndarray, "*n"]:
    """Solid angles [sr] that squares of an `area` (square focal lengths) about `plane` see.

    NaN outside of the image circle; see `scenes.sensors.radial` for its rim.
    """
    lens = lens or NONE
    edge = _edge(lens, inverse)
    rim = edge if inverse else float(_value(lens, edge))
    area = area / float(np.linalg.det(_linear(lens)))
    return radial_solid_angle(_round(plane, lens), area, partial(_angle, lens, inverse), rim)


def _linear(lens: Lens) -> Float64[np.ndarray, "2 2"]:
    return np.array([[1.0, lens[4]], [lens[5], 1.0]])


def _round(plane: Float[np.ndarray, "*n 2"], lens: Lens) -> Float64[np.ndarray, "*n 2"]:
    """Where it would land without d and e."""
    return np.asarray(plane, np.float64) @ np.linalg.inv(_linear(lens)).T


def _coefficients(lens: Lens) -> list[float]:
    return [0.0, 1.0, *lens[:4]]


def _value(lens: Lens, at: Values) -> Values:
    return Polynomial(_coefficients(lens))(at)


def _slope(lens: Lens, at: Values) -> Values:
    return Polynomial(_coefficients(lens)).deriv()(at)


@cache
def _edge(lens: Lens, inverse: bool) -> float:
    """Up to where the polynomial is used: an angle [rad], or a radius where it is the inverse."""
    polynomial = Polynomial(_coefficients(lens))
    turn = first_root(polynomial.deriv())
    return min(turn, first_root(1.0 - polynomial / lens[-1]) if inverse else lens[-1])


def _root_of(lens: Lens, inverse: bool) -> partial[np.ndarray]:
    """The polynomial turned round."""
    return partial(
        inverted, value=partial(_value, lens), slope=partial(_slope, lens),
        top=_edge(lens, inverse),
    )  # fmt: skip


def _angle(lens: Lens, inverse: bool, radius: Values) -> Values:
    """Angle from the axis that lands so far from the principal point [rad]; NaN outside."""
    if not inverse:
        return _root_of(lens, inverse)(radius)
    return np.where(radius < _edge(lens, inverse), _value(lens, radius), np.nan)
