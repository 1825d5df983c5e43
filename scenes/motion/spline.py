"""A smooth curve through given points: the cubic spline without a break at its outer knots.

Twice continuously differentiable, so what drives along it has no jumps of acceleration; of four
points or more it reproduces every cubic. Units are those of what is put in.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from scenes.work.short_repr import short_repr


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Spline:
    """Values between knots; beyond them the curve goes straight on."""

    knots: Float64[np.ndarray, "n"]
    """Where the values are given, increasing."""
    values: Float64[np.ndarray, "n d"]
    """What the curve goes through, to the bit."""
    slopes: Float64[np.ndarray, "n d"]
    """Its first derivative there."""

    __repr__ = short_repr

    def at(self, wanted: Float64[np.ndarray, "m"]) -> Float64[np.ndarray, "m d"]:
        """The curve at other places."""
        if len(self.knots) == 1:
            return self.values + (wanted - self.knots)[:, None] * self.slopes
        cell, share, width = self._cells(wanted)
        a, b = self.values[cell], self.values[cell + 1]
        rise_a, rise_b = width * self.slopes[cell], width * self.slopes[cell + 1]
        bent = a + share * (
            rise_a + share * (3.0 * (b - a) - 2.0 * rise_a - rise_b
                              + share * (2.0 * (a - b) + rise_a + rise_b))
        )  # fmt: skip
        bent = np.where(share == 1.0, b, bent)  # knots come back as they were given
        beyond = wanted - np.clip(wanted, self.knots[0], self.knots[-1])
        end = np.where(beyond[:, None] < 0, self.slopes[0], self.slopes[-1])
        return bent + beyond[:, None] * end

    def slope_at(self, wanted: Float64[np.ndarray, "m"]) -> Float64[np.ndarray, "m d"]:
        """Its first derivative at other places."""
        if len(self.knots) == 1:
            return np.broadcast_to(self.slopes, (len(wanted), self.slopes.shape[1])).copy()
        cell, share, width = self._cells(wanted)
        chord = (self.values[cell + 1] - self.values[cell]) / width
        a, b = self.slopes[cell], self.slopes[cell + 1]
        return a + share * (6.0 * chord - 4.0 * a - 2.0 * b + 3.0 * share * (a + b - 2.0 * chord))

    def with_slope_at(
        self, wanted: Float64[np.ndarray, "m"]
    ) -> tuple[Float64[np.ndarray, "m d"], Float64[np.ndarray, "m d"]]:
        """What `at` and `slope_at` say, but for rounding, for less than both."""
        if len(self.knots) == 1:
            return self.at(wanted), self.slope_at(wanted)
        cell, share, width = self._cells(wanted)
        a, slope_a, slope_b = self.values[cell], self.slopes[cell], self.slopes[cell + 1]
        chord = (self.values[cell + 1] - a) / width
        lean, bend = 3.0 * chord - 2.0 * slope_a - slope_b, slope_a + slope_b - 2.0 * chord
        slope = slope_a + share * (2.0 * lean + 3.0 * share * bend)
        place = a + share * width * (slope_a + share * (lean + share * bend))
        beyond = wanted - np.clip(wanted, self.knots[0], self.knots[-1])
        return place + beyond[:, None] * slope, slope

    def curvature_at(self, wanted: Float64[np.ndarray, "m"]) -> Float64[np.ndarray, "m d"]:
        """Its second derivative at other places within the knots."""
        if len(self.knots) == 1:
            return np.zeros((len(wanted), self.slopes.shape[1]))
        cell, share, width = self._cells(wanted)
        chord = (self.values[cell + 1] - self.values[cell]) / width
        a, b = self.slopes[cell], self.slopes[cell + 1]
        return (6.0 * chord - 4.0 * a - 2.0 * b + 6.0 * share * (a + b - 2.0 * chord)) / width

    def _cells(self, wanted: Float64[np.ndarray, "m"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Interval of each place, its share of the way through it, and the interval's width."""
        inside = np.clip(wanted, self.knots[0], self.knots[-1])
        cell = np.searchsorted(self.knots, inside, side="right") - 1
        cell = np.clip(cell, 0, len(self.knots) - 2)
        width = self.knots[cell + 1] - self.knots[cell]
        return cell, ((inside - self.knots[cell]) / width)[:, None], width[:, None]


def spline(knots: Float64[np.ndarray, "n"], values: Float64[np.ndarray, "n d"]) -> Spline:
    """The curve through `values`; a parabola through three, a line through two.

    Raises:
        ValueError: There are no knots, or they do not increase.
    """
    if len(knots) == 0 or np.any(np.diff(knots) <= 0):
        raise ValueError("the knots of a spline must be non-empty and increasing")
    return Spline(knots=knots, values=values, slopes=_slopes(knots, values))


def _slopes(
    knots: Float64[np.ndarray, "n"], values: Float64[np.ndarray, "n d"]
) -> Float64[np.ndarray, "n d"]:
    if len(knots) == 1:
        return np.zeros_like(values)
    width = np.diff(knots)
    chord = np.diff(values, axis=0) / width[:, None]
    if len(knots) == 2:
        return np.concatenate([chord, chord])
    bend = (chord[1:] - chord[:-1]) / (knots[2:] - knots[:-2])[:, None]
    if len(knots) == 3:
        lean = bend * width[:, None]
        return np.concatenate([chord[:1] - lean[:1], chord[:1] + lean[:1], chord[1:] + lean[1:]])
    first, last = knots[2] - knots[0], knots[-1] - knots[-3]
    low = np.concatenate([width[1:], [last]])
    middle = np.concatenate([width[1:2], 2.0 * (width[:-1] + width[1:]), width[-2:-1]])
    high = np.concatenate([[first], width[:-1]])
    inner = 3.0 * (width[1:, None] * chord[:-1] + width[:-1, None] * chord[1:])
    start = (width[0] + 2.0 * first) * width[1] * chord[0] + width[0] ** 2 * chord[1]
    end = width[-1] ** 2 * chord[-2] + (2.0 * last + width[-1]) * width[-2] * chord[-1]
    right = np.concatenate([start[None] / first, inner, end[None] / last])
    return _tridiagonal(low, middle, high, right)


def _tridiagonal(
    low: Float64[np.ndarray, "k"],
    middle: Float64[np.ndarray, "n"],
    high: Float64[np.ndarray, "k"],
    right: Float64[np.ndarray, "n d"],
) -> Float64[np.ndarray, "n d"]:
    """Solve a tridiagonal system by elimination; in plain floats, which are faster one by one."""
    below, pivot, above = low.tolist(), middle.tolist(), high.tolist()
    for i in range(1, len(pivot)):
        below[i - 1] /= pivot[i - 1]
        pivot[i] -= below[i - 1] * above[i - 1]
    columns: list[list[float]] = []
    for column in right.T.tolist():
        for i in range(1, len(pivot)):
            column[i] -= below[i - 1] * column[i - 1]
        column[-1] /= pivot[-1]
        for i in range(len(pivot) - 2, -1, -1):
            column[i] = (column[i] - above[i] * column[i + 1]) / pivot[i]
        columns.append(column)
    return np.array(columns).T
