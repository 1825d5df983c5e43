"""Time to collision of two boxes that both keep their velocity and yaw rate.

Conservative advancement: while the boxes are apart along a side of one of them, they cannot touch
before that gap has closed, and it closes no faster than its rate now and the greatest change of
that rate allow. Go there, look again. No touch is skipped, however short, and the last steps are
Newton's: uniform straight motion takes two or three.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from scenes.safety.definitions import Moving, Size, Values

HORIZON_S = 10.0
"""Touches further in the future than this are not foreseen."""
TOUCH_M = 1e-9
"""A gap this small is a touch."""
LONGEST_S, LONGEST_TURN = 0.5, 0.15
"""The longest step: as long as no box turns by more than `LONGEST_TURN` [rad] meanwhile, but no
shorter than `LONGEST_S`; bounds on what changes hold for this long."""
MOST_STEPS = 400
"""Boxes that have not touched by then pass each other within less than a micrometre."""

Row = Float64[np.ndarray, "n"]
Both = Float64[np.ndarray, "2 n"]
"""A row for each of the two boxes."""
Sides = Float64[np.ndarray, "2 2 n"]
"""A row for each axis, along and across, of each box."""


def time_to_collision_s(
    a: Moving, size_a_m: Size, b: Moving, size_b_m: Size, horizon_s: float = HORIZON_S
) -> Values:
    """How long until two boxes first touch, moment by moment [s]; inf beyond the horizon.

    Args:
        a: One box; its velocity turns with it, so with a yaw rate it goes round a circle.
        size_a_m: Length, width, height [m].
        b: The other; shapes of `a` and `b` are broadcast.
        size_b_m: Its size [m].
        horizon_s: How far to look.
    """
    shape = np.broadcast_shapes(a.yaw.shape, b.yaw.shape)
    pair = _pair(a, size_a_m, b, size_b_m, shape)
    count = pair.apart_m.shape[1]
    ttc, at, index = np.full(count, np.inf), np.zeros(count), np.arange(count)
    for _ in range(MOST_STEPS):
        gap, step = pair.look(at)
        touching = gap <= TOUCH_M
        ttc[index[touching]] = at[touching]
        at = at + step
        left = ~touching & (at <= horizon_s)
        if not left.any():
            break
        if not left.all():
            pair, at, index = pair.only(left), at[left], index[left]
    return ttc.reshape(shape)


def least_time_to_collision_s(
    a: Moving, size_a_m: Size, b: Moving, size_b_m: Size, horizon_s: float = HORIZON_S
) -> tuple[float, int]:
    """The least time to collision of all moments [s], and the number of the first that has it.

    Arguments as above. Moments whose touch is further away than a known one are left alone.
    """
    pair = _pair(a, size_a_m, b, size_b_m, np.broadcast_shapes(a.yaw.shape, b.yaw.shape))
    count = pair.apart_m.shape[1]
    at, index, least = np.zeros(count), np.arange(count), (np.inf, 0)
    for _ in range(MOST_STEPS):
        gap, step = pair.look(at)
        touching = gap <= TOUCH_M
        if touching.any():
            first = int(np.argmin(np.where(touching, at, np.inf)))
            least = min(least, (float(at[first]), int(index[first])))
        at = at + step
        left = ~touching & (at <= min(horizon_s, least[0]))
        if not left.any():
            break
        if not left.all():
            pair, at, index = pair.only(left), at[left], index[left]
    return least


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Pair:
    """Two boxes at many moments, flat, ready to be moved on."""

    apart_m: Both
    """From a to b: x, then y [m]."""
    velocity_x: Both
    velocity_y: Both
    half_rate: Both
    """Half the yaw rate [rad/s]."""
    heading_x: Both
    heading_y: Both
    half_long: Both
    half_wide: Both
    """Halves of length and width [m]."""

    def only(self, which: Bool[np.ndarray, "n"]) -> "_Pair":
        """Some of the moments."""
        return _Pair(**{name: getattr(self, name)[:, which] for name in self.__slots__})

    def look(self, at_s: Row) -> tuple[Row, Row]:
        """The widest gap after some time [m], and how long it cannot have closed for [s]."""
        cosine, sine, chord_s = _turned(self.half_rate, at_s)
        # On a circle, the chord points half the turn away from the tangent.
        ux = cosine * self.velocity_x - sine * self.velocity_y
        uy = sine * self.velocity_x + cosine * self.velocity_y
        gone_x, gone_y = chord_s * ux, chord_s * uy
        x, y = self.apart_m[0] + gone_x[1] - gone_x[0], self.apart_m[1] + gone_y[1] - gone_y[0]
        now_x, now_y = cosine * ux - sine * uy, sine * ux + cosine * uy
        vx, vy = now_x[1] - now_x[0], now_y[1] - now_y[0]
        c2, s2 = cosine * cosine - sine * sine, 2.0 * sine * cosine
        ahead_x = c2 * self.heading_x - s2 * self.heading_y
        ahead_y = s2 * self.heading_x + c2 * self.heading_y
        cos_between = np.abs(ahead_x[0] * ahead_x[1] + ahead_y[0] * ahead_y[1])
        sin_between = np.abs(ahead_x[0] * ahead_y[1] - ahead_y[0] * ahead_x[1])
        long, wide = self.half_long[::-1], self.half_wide[::-1]  # of the other one
        along, across = x * ahead_x + y * ahead_y, y * ahead_x - x * ahead_y
        place = np.array([along, across])
        reach = np.array([
            self.half_long + cos_between * long + sin_between * wide,
            self.half_wide + sin_between * long + cos_between * wide,
        ])  # fmt: skip
        apart = np.abs(place) - reach
        rate = 2.0 * self.half_rate
        swept = np.array([vx * ahead_x + vy * ahead_y, vy * ahead_x - vx * ahead_y])
        swept += rate * np.array([across, -along])
        change, longest_s = self._change(x, y, vx, vy)
        sway = np.abs(rate[1] - rate[0]) * np.hypot(long, wide)
        step = _closed_after(apart, sway - np.sign(place) * swept, change).max(axis=(0, 1))
        return apart.max(axis=(0, 1)), np.minimum(step, longest_s)

    def _change(self, x: Row, y: Row, vx: Row, vy: Row) -> tuple[Both, Row]:
        """The most that the rates of each box's gaps change [m/s²], and for how long [s]."""
        rate = 2.0 * np.abs(self.half_rate)
        longest_s = LONGEST_TURN / np.maximum(rate.max(axis=0), LONGEST_TURN / HORIZON_S)
        longest_s = np.maximum(longest_s, LONGEST_S)
        bending = (rate * np.hypot(self.velocity_x, self.velocity_y)).sum(axis=0)
        # The most that speed and distance can be until the step is over.
        speed = np.hypot(vx, vy) + longest_s * bending
        far = np.hypot(x, y) + longest_s * speed
        return bending + rate * (2.0 * speed + rate * far), longest_s


def _closed_after(gap_m: Sides, closing_mps: Sides, change_mps2: Both) -> Sides:
    """The earliest that gaps can close if their rates change at most so fast [s]; 0 if closed."""
    gap = np.maximum(gap_m, 0.0)
    under = closing_mps + np.sqrt(closing_mps * closing_mps + 2.0 * change_mps2 * gap)
    return 2.0 * gap / np.maximum(under, 1e-12)


def _turned(half_rate: Both, at_s: Row) -> tuple[Both, Both, Both]:
    """Cosine and sine of half the turn, and the length of the chord per metre a second."""
    half = half_rate * at_s
    sine = np.sin(half)
    small = np.abs(half) < 1e-4
    share = np.where(small, 1.0 - half * half / 6.0, sine / np.where(small, 1.0, half))
    return np.cos(half), sine, share * at_s


def _pair(a: Moving, size_a_m: Size, b: Moving, size_b_m: Size, shape: tuple[int, ...]) -> _Pair:
    def both(of_a: Values, of_b: Values) -> Both:
        rows = np.empty((2, *shape))
        rows[0], rows[1] = of_a, of_b
        return rows.reshape(2, -1)

    apart_m = b.place_m - a.place_m
    return _Pair(
        apart_m=both(apart_m[..., 0], apart_m[..., 1]),
        velocity_x=both(a.velocity_mps[..., 0], b.velocity_mps[..., 0]),
        velocity_y=both(a.velocity_mps[..., 1], b.velocity_mps[..., 1]),
        half_rate=0.5 * both(a.yaw_rate, b.yaw_rate),
        heading_x=both(np.cos(a.yaw), np.cos(b.yaw)),
        heading_y=both(np.sin(a.yaw), np.sin(b.yaw)),
        half_long=0.5 * both(size_a_m[..., 0], size_b_m[..., 0]),
        half_wide=0.5 * both(size_a_m[..., 1], size_b_m[..., 1]),
    )
