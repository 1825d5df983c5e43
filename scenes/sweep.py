"""Time to collision of two boxes that both keep their velocity and yaw rate.

Conservative advancement: while the boxes are apart by some gap, they cannot touch before they have
covered it at the greatest speed at which any two of their points may approach; go there, look
again. No touch is ever skipped, however short. Near the touch, where the gap falls steadily, the
secant method finds it to a billionth of a metre.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from scenes.safety import Moving, Size, Values, gap_m

HORIZON_S = 10.0
"""Touches further in the future than this are not foreseen."""
NEAR_M = 0.05
"""From this gap on the secant method is tried."""
GRAZE_M = 1e-6
"""Boxes that pass each other this closely count as apart."""
TOUCH_M = 1e-9
"""A gap this small is a touch."""
MOST_STEPS = 2_000
SECANT_STEPS = 8
SHORT_S = 1e-4
"""Over this time the rate at which a gap closes is measured."""


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
    ttc, at = np.full(count, np.inf), np.zeros(count)
    index = np.arange(count)
    for _ in range(MOST_STEPS):
        gap, approach = pair.look(at)
        touching = gap <= TOUCH_M
        ttc[index[touching]] = at[touching]
        near = np.flatnonzero(~touching & (gap < NEAR_M))
        if len(near):
            found_s = _secant(pair.only(near), at[near])
            good = found_s <= horizon_s
            ttc[index[near[good]]] = found_s[good]
            touching[near[np.isfinite(found_s)]] = True
        step = 2.0 * np.maximum(gap, GRAZE_M)
        at = at + step / (approach + np.sqrt(approach**2 + step * pair.bending) + 1e-12)
        left = ~touching & (at <= horizon_s)
        if not left.any():
            break
        pair, at, index = pair.only(left), at[left], index[left]
    return ttc.reshape(shape)


def _secant(pair: "_Pair", start_s: Float64[np.ndarray, "n"]) -> Float64[np.ndarray, "n"]:
    """The touch right after a time at which boxes are nearly touching; inf where there is none."""
    before, here = start_s, start_s + SHORT_S
    gap_before, _ = pair.look(before)
    gap, _ = pair.look(here)
    for _ in range(SECANT_STEPS):
        change = gap_before - gap
        safe = np.where(np.abs(change) > 1e-15, change, 1.0)
        step = np.where(np.abs(change) > 1e-15, gap * (here - before) / safe, 0.0)
        before, gap_before = here, gap
        here = here + np.clip(step, -0.1, 0.1)
        gap, _ = pair.look(here)
    good = (np.abs(gap) <= TOUCH_M) & (here >= start_s - TOUCH_M) & (here < start_s + 0.2)
    # Falling there, or it is the end of an overlap that lies behind.
    later, _ = pair.look(here + SHORT_S)
    return np.where(good & (later < 0.0), np.maximum(here, start_s), np.inf)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Pair:
    """Two boxes at many moments, flat, ready to be moved on."""

    rows: Float64[np.ndarray, "12 n"]
    """From a to b x, y; then of each body velocity x, y, half the yaw rate, heading x, y."""
    spinning: Float64[np.ndarray, "n"]
    """Fastest that any corners move against each other because the boxes turn [m/s]."""
    bending: Float64[np.ndarray, "n"]
    """Fastest that the difference of the velocities changes [m/s²]."""
    size_a_m: Size
    size_b_m: Size

    def only(self, which: Bool[np.ndarray, "n"] | np.ndarray) -> "_Pair":
        """Some of the moments."""
        return _Pair(
            rows=self.rows[:, which], spinning=self.spinning[which], bending=self.bending[which],
            size_a_m=self.size_a_m, size_b_m=self.size_b_m,
        )  # fmt: skip

    def look(
        self, at_s: Float64[np.ndarray, "n"]
    ) -> tuple[Float64[np.ndarray, "n"], Float64[np.ndarray, "n"]]:
        """The gap after some time [m], and the greatest speed at which it may shrink then [m/s]."""
        dx, dy, vax, vay, half_a, fax, fay, vbx, vby, half_b, fbx, fby = self.rows
        ca, sa, reach_a = _turned(half_a, at_s)
        cb, sb, reach_b = _turned(half_b, at_s)
        # On a circle, the chord points half the turn away from the tangent.
        uax, uay = ca * vax - sa * vay, sa * vax + ca * vay
        ubx, uby = cb * vbx - sb * vby, sb * vbx + cb * vby
        x = dx + reach_b * ubx - reach_a * uax
        y = dy + reach_b * uby - reach_a * uay
        c2a, s2a = ca * ca - sa * sa, 2.0 * sa * ca
        c2b, s2b = cb * cb - sb * sb, 2.0 * sb * cb
        ax, ay = c2a * fax - s2a * fay, s2a * fax + c2a * fay
        bx, by = c2b * fbx - s2b * fby, s2b * fbx + c2b * fby
        gap = gap_m(x, y, ax, ay, bx, by, self.size_a_m, self.size_b_m)
        vx = (cb * ubx - sb * uby) - (ca * uax - sa * uay)
        vy = (sb * ubx + cb * uby) - (sa * uax + ca * uay)
        return gap, np.hypot(vx, vy) + self.spinning


def _turned(
    half_rate: Float64[np.ndarray, "n"], at_s: Float64[np.ndarray, "n"]
) -> tuple[Float64[np.ndarray, "n"], Float64[np.ndarray, "n"], Float64[np.ndarray, "n"]]:
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
    rows = np.stack([np.broadcast_to(column, shape).reshape(-1) for column in columns])
    spin_a, spin_b = 2.0 * np.abs(rows[4]), 2.0 * np.abs(rows[9])
    radius_a, radius_b = (0.5 * float(np.hypot(*size[:2])) for size in (size_a_m, size_b_m))
    return _Pair(
        rows=rows,
        spinning=spin_a * radius_a + spin_b * radius_b,
        bending=spin_a * np.hypot(rows[2], rows[3]) + spin_b * np.hypot(rows[7], rows[8]),
        size_a_m=size_a_m,
        size_b_m=size_b_m,
    )
