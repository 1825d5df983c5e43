"""Time to collision of two boxes that both keep their velocity and yaw rate.

Conservative advancement: while the boxes are apart along a side of one of them, they cannot touch
before that gap has closed, and it closes no faster than its rate now and the greatest change of
that rate allow. Go there, look again. No touch is skipped, however short, and the last steps are
Newton's: uniform straight motion takes two or three.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from scenes.safety import Moving, Size, Values

HORIZON_S = 10.0
"""Touches further in the future than this are not foreseen."""
TOUCH_M = 1e-9
"""A gap this small is a touch."""
LONGEST_S = 0.5
"""The longest step: bounds on what changes hold for this long."""
MOST_STEPS = 400
"""Boxes that have not touched by then pass each other within less than a micrometre."""

Row = Float64[np.ndarray, "n"]


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
    count = pair.rows.shape[1]
    ttc, at, index = np.full(count, np.inf), np.zeros(count), np.arange(count)
    for _ in range(MOST_STEPS):
        gap, step = pair.look(at)
        touching = gap <= TOUCH_M
        ttc[index[touching]] = at[touching]
        at = at + step
        left = ~touching & (at <= horizon_s)
        if not left.any():
            break
        pair, at, index = pair.only(left), at[left], index[left]
    return ttc.reshape(shape)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Pair:
    """Two boxes at many moments, flat, ready to be moved on."""

    rows: Float64[np.ndarray, "16 n"]
    """From a to b x, y; of a, then of b: velocity x, y, half the yaw rate, heading x, y; then half
    of length and width of a, of b."""

    def only(self, which: Bool[np.ndarray, "n"]) -> "_Pair":
        """Some of the moments."""
        return _Pair(rows=self.rows[:, which])

    def look(self, at_s: Row) -> tuple[Row, Row]:
        """The widest gap after some time [m], and how long it cannot have closed for [s]."""
        dx, dy, vax, vay, half_a, fax, fay, vbx, vby, half_b, fbx, fby = self.rows[:12]
        long_a, wide_a, long_b, wide_b = self.rows[12:]
        ca, sa, reach_a = _turned(half_a, at_s)
        cb, sb, reach_b = _turned(half_b, at_s)
        # On a circle, the chord points half the turn away from the tangent.
        uax, uay = ca * vax - sa * vay, sa * vax + ca * vay
        ubx, uby = cb * vbx - sb * vby, sb * vbx + cb * vby
        x, y = dx + reach_b * ubx - reach_a * uax, dy + reach_b * uby - reach_a * uay
        vx = (cb * ubx - sb * uby) - (ca * uax - sa * uay)
        vy = (sb * ubx + cb * uby) - (sa * uax + ca * uay)
        c2, s2 = ca * ca - sa * sa, 2.0 * sa * ca
        ax, ay = c2 * fax - s2 * fay, s2 * fax + c2 * fay
        c2, s2 = cb * cb - sb * sb, 2.0 * sb * cb
        bx, by = c2 * fbx - s2 * fby, s2 * fbx + c2 * fby
        cosine, sine = np.abs(ax * bx + ay * by), np.abs(ax * by - ay * bx)
        spin = 2.0 * np.abs(half_b - half_a)
        bending = 2.0 * (np.abs(half_a) * np.hypot(vax, vay) + np.abs(half_b) * np.hypot(vbx, vby))
        # The most that speed and distance can be until the step is over.
        speed = np.hypot(vx, vy) + LONGEST_S * bending
        far = np.hypot(x, y) + LONGEST_S * speed
        gap, step = np.full(len(at_s), -np.inf), np.zeros(len(at_s))
        for nx, ny, half, own_long, own_wide, long, wide in (
            (ax, ay, half_a, long_a, wide_a, long_b, wide_b),
            (bx, by, half_b, long_b, wide_b, long_a, wide_a),
        ):
            rate = 2.0 * half
            along, across = x * nx + y * ny, y * nx - x * ny
            change = bending + np.abs(rate) * (2.0 * speed + np.abs(rate) * far)
            sway = spin * np.hypot(long, wide)
            for place, other, velocity, reach in (
                (along, across, vx * nx + vy * ny, own_long + cosine * long + sine * wide),
                (across, -along, vy * nx - vx * ny, own_wide + sine * long + cosine * wide),
            ):
                apart = np.abs(place) - reach
                closing = sway - np.sign(place) * (velocity + rate * other)
                gap = np.maximum(gap, apart)
                step = np.maximum(step, _closed_after(apart, closing, change))
        return gap, step


def _closed_after(gap_m: Row, closing_mps: Row, change_mps2: Row) -> Row:
    """The earliest that a gap can close if its rate changes at most so fast [s]; 0 if it has."""
    gap = np.maximum(gap_m, 0.0)
    under = closing_mps + np.sqrt(closing_mps**2 + 2.0 * change_mps2 * gap)
    return np.minimum(2.0 * gap / np.maximum(under, 1e-12), LONGEST_S)


def _turned(half_rate: Row, at_s: Row) -> tuple[Row, Row, Row]:
    """Cosine and sine of half the turn, and the length of the chord per metre a second."""
    half = half_rate * at_s
    sine = np.sin(half)
    small = np.abs(half) < 1e-4
    share = np.where(small, 1.0 - half * half / 6.0, sine / np.where(small, 1.0, half))
    return np.cos(half), sine, share * at_s


def _pair(a: Moving, size_a_m: Size, b: Moving, size_b_m: Size, shape: tuple[int, ...]) -> _Pair:
    columns = [b.place_m[..., k] - a.place_m[..., k] for k in (0, 1)]
    for body in (a, b):
        velocity = (body.velocity_mps[..., 0], body.velocity_mps[..., 1])
        columns += [*velocity, 0.5 * body.yaw_rate, np.cos(body.yaw), np.sin(body.yaw)]
    columns += [0.5 * size[..., k] for size in (size_a_m, size_b_m) for k in (0, 1)]
    return _Pair(rows=np.stack([np.broadcast_to(x, shape).reshape(-1) for x in columns]))
