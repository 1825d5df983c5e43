"""Whether somebody solved for meets recorded road users at any time, not only at compared ones.

Boxes are compared at a few moments first. A gap that can close between two of them is looked into
a millisecond at a time, and there it must be wider than what it can close by in half of that.
"""

import numpy as np
from jaxtyping import Bool, Float64, Int, Int64

from scenes.actor import Actor
from scenes.criticality.drive import EVERY, Others
from scenes.criticality.setting import STEP_US
from scenes.criticality.solve import part
from scenes.motion.geometry import plan_reach_m
from scenes.safety.definitions import Moving, gap_m, separation_m

FINE_US = 1_000
"""Spacing of the moments at which those are compared who come near each other [µs]."""
FASTER = 1.1
"""How much faster than at any compared moment two may come nearer between them."""


def met(
    others: Others, size_m: Float64[np.ndarray, "3"], box: Moving, time_us: Int64[np.ndarray, "n"]
) -> Bool[np.ndarray, "a"]:
    """Which recorded road users a box overlaps while they are known.

    Args:
        others: Recorded road users in the window.
        size_m: Length, width, height of the box [m].
        box: Where it is.
        time_us: And when: times of the window, `STEP_US` apart.
    """
    coarse = part(box, np.s_[::EVERY])
    gap = separation_m(others.boxes, others.size_m, coarse, size_m)
    hit = np.any((gap <= 0.0) & others.known, axis=1)
    closing = FASTER * _closing_mps(others, size_m, coarse).max(axis=1)
    # Each moment stands for those that are nearest to it; the last also for the window's rest.
    reach_us = STEP_US * max(0.5 * EVERY, (len(time_us) - 1) % EVERY)
    near = gap <= closing[:, None] * reach_us * 1e-6
    for index in np.flatnonzero(near.any(axis=1) & ~hit):
        moments = _around(time_us, np.flatnonzero(near[index]), round(reach_us))
        tight_m = closing[index] * 0.5 * FINE_US * 1e-6
        hit[index] = _touches(others.actors[index], size_m, box, time_us, moments, tight_m)
    return hit


def _closing_mps(
    others: Others, size_m: Float64[np.ndarray, "3"], box: Moving
) -> Float64[np.ndarray, "a t"]:
    """The most by which gaps can close, at the moments that are compared."""
    apart_m = np.linalg.norm(others.boxes.place_m - box.place_m, axis=-1)
    reach_m = plan_reach_m(others.size_m) + plan_reach_m(size_m)
    turning = np.abs(others.boxes.yaw_rate) + np.abs(box.yaw_rate)
    straight = np.linalg.norm(others.boxes.velocity_mps - box.velocity_mps, axis=-1)
    # Turning moves what is far away faster; who is further away than this is not near.
    return straight + turning * (np.minimum(apart_m, 2.0 * reach_m) + reach_m)


def _around(
    time_us: Int64[np.ndarray, "n"], near: Int[np.ndarray, "k"], reach_us: int
) -> Int64[np.ndarray, "m"]:
    """Moments of the window around some of those that were compared [µs]."""
    offsets = np.arange(-reach_us, reach_us + FINE_US, FINE_US)
    moments = np.unique(time_us[::EVERY][near][:, None] + offsets)
    return moments[(moments >= time_us[0]) & (moments <= time_us[-1])]


def _touches(
    actor: Actor,
    size_m: Float64[np.ndarray, "3"],
    box: Moving,
    time_us: Int64[np.ndarray, "n"],
    at_us: Int64[np.ndarray, "m"],
    tight_m: float,
) -> bool:
    """Whether a box is as near to an actor, at one of some moments, as `tight_m`."""
    track = actor.trajectory.time_us
    at_us = at_us[(at_us >= track[0]) & (at_us <= track[-1])]
    if len(at_us) == 0:
        return False
    columns = (*box.place_m.T, np.unwrap(box.yaw))
    x_m, y_m, yaw = (np.interp(at_us, time_us, column) for column in columns)
    poses = actor.trajectory.at(at_us)
    ahead = poses[:, :2, 0].T / np.hypot(*poses[:, :2, 0].T)
    gap = gap_m(
        x_m - poses[:, 0, 3], y_m - poses[:, 1, 3], ahead[0], ahead[1], np.cos(yaw), np.sin(yaw),
        actor.size_m, size_m,
    )  # fmt: skip
    return bool(np.any(gap <= tight_m))
