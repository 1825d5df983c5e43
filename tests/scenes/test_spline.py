import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from scenes.motion.spline import spline

uneven = st.lists(st.floats(0.1, 3.0), min_size=0, max_size=30).map(
    lambda steps: np.concatenate([[0.0], np.cumsum(steps)])
)
coefficients = st.tuples(*[st.floats(-2.0, 2.0)] * 4)


@given(uneven, st.integers(0, 10**6))
def test_goes_through_its_knots_to_the_bit(knots: np.ndarray, seed: int) -> None:
    values = np.random.default_rng(seed).standard_normal((len(knots), 2))
    assert spline(knots, values).at(knots).tobytes() == values.tobytes()


@given(uneven, coefficients)
def test_is_the_polynomial_that_its_knots_lie_on(
    knots: np.ndarray, known: tuple[float, ...]
) -> None:
    of = np.polynomial.Polynomial(known[: min(4, len(knots))])
    curve = spline(knots, of(knots)[:, None])
    at = np.linspace(0.0, knots[-1], 50)
    if len(knots) > 1:
        scale = max(1.0, abs(of(at)).max())
        assert_allclose(curve.at(at)[:, 0], of(at), atol=1e-9 * scale)
        assert_allclose(curve.slope_at(at)[:, 0], of.deriv()(at), atol=1e-7 * scale)
        assert_allclose(curve.curvature_at(at)[:, 0], of.deriv(2)(at), atol=1e-5 * scale)


@given(uneven, st.integers(0, 10**6), st.lists(st.floats(-5.0, 60.0), min_size=1))
def test_place_and_slope_together_are_what_each_is_alone(
    knots: np.ndarray, seed: int, at: list[float]
) -> None:
    curve = spline(knots, np.random.default_rng(seed).standard_normal((len(knots), 2)))
    place, slope = curve.with_slope_at(np.array(at))
    scale = max(1.0, abs(curve.at(np.array(at))).max(), abs(slope).max())
    assert_allclose(place, curve.at(np.array(at)), atol=1e-9 * scale)
    assert_allclose(slope, curve.slope_at(np.array(at)), atol=1e-9 * scale)


@given(uneven.filter(lambda knots: len(knots) > 4), st.integers(0, 10**6))
def test_has_no_jump_in_its_second_derivative(knots: np.ndarray, seed: int) -> None:
    curve = spline(knots, np.random.default_rng(seed).standard_normal((len(knots), 1)))
    inner, step = knots[1:-1], 1e-7
    scale = abs(curve.curvature_at(knots)).max()
    for of in (curve.at, curve.slope_at, curve.curvature_at):
        assert_allclose(of(inner - step), of(inner + step), atol=1e-4 * scale)


def test_beyond_its_knots_it_goes_straight_on() -> None:
    curve = spline(np.array([0.0, 1.0, 2.0]), np.array([[0.0], [1.0], [4.0]]))
    assert_allclose(curve.at(np.array([3.0, -1.0]))[:, 0], [8.0, 0.0], atol=1e-12)
    still = spline(np.array([1.0]), np.array([[5.0]]))
    assert still.at(np.array([0.0, 9.0])).tolist() == [[5.0], [5.0]]


@pytest.mark.parametrize("knots", [[], [0.0, 0.0], [1.0, 0.0]])
def test_needs_increasing_knots(knots: list[float]) -> None:
    with pytest.raises(ValueError, match="increasing"):
        spline(np.array(knots), np.zeros((len(knots), 1)))
