"""How near two road users came to each other: the definitions, once.

All of it is in plan view (road users share one road, heights are not compared) and between
oriented boxes:

- *collision*: the boxes overlap, so they share some area; touching is not a collision;
- *time to collision*: how long until the boxes first touch, if both kept their velocity (turning
  with the body) and yaw rate from now on; 0 where they touch or overlap, inf where they never do;
- *distance*: between the nearest points of the boxes; 0 where they touch or overlap;
- *post-encroachment time*: the least time between one being at a place and the other being there,
  touching included;
- *headway*: time that the ego needs to reach the rear of what is in its lane ahead, at its speed;
- *required deceleration*: the constant braking that sheds the ego's approach speed just before the
  touch that time to collision foresees.

A box's velocity is the difference of its poses `HALF_STEP_US` before and after, within what is
known: poses are piecewise straight, so anyone gets the same from the same poses.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from scenes.motion.trajectory import Trajectory

HALF_STEP_US = 10_000
"""Velocities are differences over twice this [µs]."""
SLOWEST_MPS = 0.1
"""Below this the ego has no headway."""
NO_AREA_M2 = 1e-12
"""A shared area smaller than half this is taken for a line or a point."""

Size = Float64[np.ndarray, "... 3"]
"""Length, width, height [m]: one for all moments, or one for each."""
Values = Float64[np.ndarray, "..."]
"""One number for each moment; shapes of two boxes are broadcast."""
Turn = Float64[np.ndarray, "*#n"]
"""Cosine or sine of a heading: for all boxes, or one for each."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Moving:
    """One box at many moments: where it is in plan view, and how it moves."""

    place_m: Float64[np.ndarray, "*n 2"]
    """Its centre [m, world]."""
    yaw: Float64[np.ndarray, "*n"]
    """Direction of its length [rad]."""
    velocity_mps: Float64[np.ndarray, "*n 2"]
    """Of its centre [m/s, world]."""
    yaw_rate: Float64[np.ndarray, "*n"]
    """Left positive [rad/s]."""

    @property
    def forward(self) -> Float64[np.ndarray, "*n 2"]:
        """Unit vectors along its length."""
        return np.stack([np.cos(self.yaw), np.sin(self.yaw)], axis=-1)


def moving(boxes: Trajectory, at_us: Int64[np.ndarray, "n"]) -> Moving:
    """A box's motion at times; held at the ends of what is known, and one-sided there.

    A single pose says nothing about motion: velocity and yaw rate are 0 then, and the caller has
    to know whether that is true.
    """
    first, last = int(boxes.time_us[0]), int(boxes.time_us[-1])
    before = np.clip(at_us - HALF_STEP_US, first, max(first, last - HALF_STEP_US))
    after = np.clip(at_us + HALF_STEP_US, min(last, first + HALF_STEP_US), last)
    poses = boxes.at(np.concatenate([before, after, at_us]))
    start, end, now = poses.reshape(3, len(at_us), 4, 4)
    seconds = np.maximum(after - before, 1) * 1e-6
    turn = np.arctan2(
        start[:, 0, 0] * end[:, 1, 0] - start[:, 1, 0] * end[:, 0, 0],
        start[:, 0, 0] * end[:, 0, 0] + start[:, 1, 0] * end[:, 1, 0],
    )
    return Moving(
        place_m=now[:, :2, 3],
        yaw=np.arctan2(now[:, 1, 0], now[:, 0, 0]),
        velocity_mps=(end[:, :2, 3] - start[:, :2, 3]) / seconds[:, None],
        yaw_rate=turn / seconds,
    )


def separation_m(a: Moving, size_a_m: Size, b: Moving, size_b_m: Size) -> Values:
    """The widest gap along a side of either box [m]; negative if and only if they overlap.

    Two rectangles are apart if and only if they are apart along a side of one of them (separating
    axes). At least 0.7 of their distance where they are apart.
    """
    apart, ahead_a, ahead_b = b.place_m - a.place_m, a.forward, b.forward
    return gap_m(
        apart[..., 0], apart[..., 1], ahead_a[..., 0], ahead_a[..., 1],
        ahead_b[..., 0], ahead_b[..., 1], size_a_m, size_b_m,
    )  # fmt: skip


def gap_m(
    x_m: Values,
    y_m: Values,
    cos_a: Turn,
    sin_a: Turn,
    cos_b: Turn,
    sin_b: Turn,
    size_a_m: Size,
    size_b_m: Size,
) -> Values:
    """`separation_m` from a to b of boxes whose headings have these cosines and sines."""
    along_a, across_a = 0.5 * size_a_m[..., 0], 0.5 * size_a_m[..., 1]
    along_b, across_b = 0.5 * size_b_m[..., 0], 0.5 * size_b_m[..., 1]
    c = np.abs(cos_a * cos_b + sin_a * sin_b)
    s = np.abs(cos_a * sin_b - sin_a * cos_b)
    gap = np.abs(x_m * cos_a + y_m * sin_a) - (along_a + c * along_b + s * across_b)
    for gap_along, reach in (
        (y_m * cos_a - x_m * sin_a, across_a + s * along_b + c * across_b),
        (x_m * cos_b + y_m * sin_b, along_b + c * along_a + s * across_a),
        (y_m * cos_b - x_m * sin_b, across_b + s * along_a + c * across_a),
    ):
        gap = np.maximum(gap, np.abs(gap_along) - reach)
    return gap


def boxes_overlap(
    world_from_a: Float64[np.ndarray, "n 4 4"],
    size_a_m: Size,
    world_from_b: Float64[np.ndarray, "n 4 4"],
    size_b_m: Size,
) -> Bool[np.ndarray, "n"]:
    """Whether two boxes overlap in plan view, pose by pose; touching is not overlapping."""
    return separation_m(_still(world_from_a), size_a_m, _still(world_from_b), size_b_m) < 0.0


def _still(world_from_box: Float64[np.ndarray, "n 4 4"]) -> Moving:
    return Moving(
        place_m=world_from_box[:, :2, 3],
        yaw=np.arctan2(world_from_box[:, 1, 0], world_from_box[:, 0, 0]),
        velocity_mps=np.zeros((len(world_from_box), 2)),
        yaw_rate=np.zeros(len(world_from_box)),
    )


def corners_m(box: Moving, size_m: Size) -> Float64[np.ndarray, "*n 4 2"]:
    """Corners in plan view, anticlockwise from the front left [m, world]."""
    signs = (
        0.5 * np.array([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]]) * size_m[..., None, :2]
    )
    forward = box.forward
    left = np.stack([-forward[..., 1], forward[..., 0]], axis=-1)
    along, across = signs[..., :1] * forward[..., None, :], signs[..., 1:] * left[..., None, :]
    return box.place_m[..., None, :] + along + across


def distance_m(a: Moving, size_a_m: Size, b: Moving, size_b_m: Size) -> Values:
    """Between the nearest points of two boxes [m]: one of the two is a corner."""
    nearest = np.minimum(
        _corner_distance_m(a, size_a_m, b, size_b_m), _corner_distance_m(b, size_b_m, a, size_a_m)
    )
    return np.where(separation_m(a, size_a_m, b, size_b_m) > 0.0, nearest, 0.0)


def _corner_distance_m(a: Moving, size_a_m: Size, b: Moving, size_b_m: Size) -> Values:
    """From the nearest corner of b to the box a."""
    apart = corners_m(b, size_b_m) - a.place_m[..., None, :]
    forward = a.forward[..., None, :]
    along = np.abs(np.sum(apart * forward, axis=-1)) - 0.5 * size_a_m[..., None, 0]
    across = apart[..., 1] * forward[..., 0] - apart[..., 0] * forward[..., 1]
    across = np.abs(across) - 0.5 * size_a_m[..., None, 1]
    return np.hypot(np.maximum(along, 0.0), np.maximum(across, 0.0)).min(axis=-1)


def contact_point_m(a: Moving, size_a_m: Size, b: Moving, size_b_m: Size) -> list[float] | None:
    """Centroid of the area that two boxes share at one moment [m, world x y].

    None where they share none: they are apart, or only touch.
    """
    if separation_m(a, size_a_m, b, size_b_m).item() >= 0.0:
        return None
    polygon = corners_m(a, size_a_m).reshape(4, 2)
    corners = corners_m(b, size_b_m).reshape(4, 2)
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        side = end - start
        inside = side[0] * (polygon[:, 1] - start[1]) - side[1] * (polygon[:, 0] - start[0])
        kept: list[np.ndarray] = []
        for i, j in zip(range(len(polygon)), [*range(1, len(polygon)), 0], strict=True):
            if inside[i] >= 0.0:
                kept.append(polygon[i])
            if inside[i] * inside[j] < 0.0:
                share = inside[i] / (inside[i] - inside[j])
                kept.append(polygon[i] + share * (polygon[j] - polygon[i]))
        # They overlap, if by less than rounding: then one corner is as good as in.
        polygon = np.array(kept or [polygon[np.argmax(inside)]])
    return _centroid_m(polygon).tolist()


def _centroid_m(polygon: Float64[np.ndarray, "k 2"]) -> Float64[np.ndarray, "2"]:
    """Centre of the area of a convex polygon; the mean of its corners where it has none."""
    middle = polygon.mean(axis=0)
    start = polygon - middle  # near the origin, where products of coordinates lose nothing
    end = np.roll(start, -1, axis=0)
    twice_m2 = start[:, 0] * end[:, 1] - start[:, 1] * end[:, 0]
    if twice_m2.sum() < NO_AREA_M2:
        return middle
    return middle + twice_m2 @ (start + end) / (3.0 * twice_m2.sum())


def post_encroachment_s(
    a: Moving,
    size_a_m: Size,
    time_a_us: Int64[np.ndarray, "n"],
    b: Moving,
    size_b_m: Size,
    time_b_us: Int64[np.ndarray, "m"],
) -> float:
    """The least time between a being at a place and b being there [s]; inf if they share none.

    Args:
        a: One box, moment by moment.
        size_a_m: Its size [m].
        time_a_us: When [µs]; the answer is as fine as these are dense, and never too small.
            `scenes.safety.min_distance` has one for all times between.
        b: The other box.
        size_b_m: Its size [m].
        time_b_us: When [µs].
    """
    pairs = (len(time_a_us), len(time_b_us))
    spread = [
        Moving(place_m=np.broadcast_to(x.place_m[at], (*pairs, 2)),
               yaw=np.broadcast_to(x.yaw[at], pairs),
               velocity_mps=np.broadcast_to(x.velocity_mps[at], (*pairs, 2)),
               yaw_rate=np.broadcast_to(x.yaw_rate[at], pairs))
        for x, at in ((a, np.s_[:, None]), (b, np.s_[None, :]))
    ]  # fmt: skip
    meet = separation_m(spread[0], size_a_m, spread[1], size_b_m) <= 0.0
    apart_us = np.abs(time_a_us[:, None] - time_b_us[None, :])
    return float(apart_us[meet].min() * 1e-6) if meet.any() else float("inf")


def headway_s(ego: Moving, ego_size_m: Size, other: Moving, other_size_m: Size) -> Values:
    """Time until the ego's front is where the rear of the other is now [s]; inf if not in its lane.

    In its lane is what is ahead and overlaps the ego's width, seen along the ego's heading.
    """
    apart = corners_m(other, other_size_m) - ego.place_m[..., None, :]
    forward = ego.forward[..., None, :]
    ahead = np.sum(apart * forward, axis=-1).min(axis=-1) - 0.5 * ego_size_m[..., 0]
    across = apart[..., 1] * forward[..., 0] - apart[..., 0] * forward[..., 1]
    half = 0.5 * ego_size_m[..., 1]
    in_lane = (across.min(axis=-1) < half) & (across.max(axis=-1) > -half) & (ahead >= 0.0)
    speed = np.sum(ego.velocity_mps * ego.forward, axis=-1)
    in_lane &= speed > SLOWEST_MPS
    return np.where(in_lane, ahead / np.maximum(speed, SLOWEST_MPS), np.inf)


def required_deceleration_mps2(ego: Moving, other: Moving, ttc_s: Values) -> Values:
    """Braking that sheds the ego's approach along its heading in time [m/s²]; 0 if none is needed.

    From the gap g and the approach speed u, u² / (2 g), with g = u x time to collision.
    """
    approach = np.sum((ego.velocity_mps - other.velocity_mps) * ego.forward, axis=-1)
    with np.errstate(divide="ignore"):
        return np.where(np.isfinite(ttc_s), np.maximum(approach, 0.0) / (2.0 * ttc_s), 0.0)
