"""Time to collision, limits and overlaps of a `resolved.json`, by other means than the package's.

Nothing of `scenes` is used: polygons are cut apart by projecting their corners, and the future is
walked through in steps of a millisecond.
"""

from typing import Any

import numpy as np

STEP_S = 0.001
HORIZON_S = 0.5
"""How much longer than the least time known so far the future is walked through."""


def track(user: dict[str, Any], at_us: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Place, heading and their rates at times, from the poses of a file by straight lines."""
    time_us = np.array(user["time_us"], dtype=np.float64)
    pose = np.array(user["world_from_body"])
    yaw = np.unwrap(np.arctan2(pose[:, 1, 0], pose[:, 0, 0]))

    def state(t: np.ndarray) -> np.ndarray:
        columns = (pose[:, 0, 3], pose[:, 1, 3], yaw)
        return np.stack([np.interp(t, time_us, column) for column in columns], axis=-1)

    before = np.maximum(at_us - 10_000.0, time_us[0])
    after = np.minimum(at_us + 10_000.0, time_us[-1])
    rate = (state(after) - state(before)) / ((after - before) * 1e-6)[:, None]
    return state(at_us), rate, np.array(user["size_m"])[:2]


def ahead(state: np.ndarray, rate: np.ndarray, after_s: np.ndarray) -> np.ndarray:
    """Where a body is after some times [instants, times, 3] if its motion goes on."""
    spin = rate[:, None, 2]
    spin = np.where(np.abs(spin) < 1e-9, 1e-9, spin)
    turned = spin * after_s
    along, across = np.sin(turned) / spin, (1.0 - np.cos(turned)) / spin
    vx, vy = rate[:, None, 0], rate[:, None, 1]
    x = state[:, None, 0] + along * vx - across * vy
    y = state[:, None, 1] + across * vx + along * vy
    return np.stack([x, y, state[:, None, 2] + turned], axis=-1)


def corners(state: np.ndarray, size: np.ndarray) -> np.ndarray:
    """The four corners of boxes [..., 4, 2]."""
    signs = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * size / 2
    c, s = np.cos(state[..., 2])[..., None], np.sin(state[..., 2])[..., None]
    x = state[..., 0, None] + c * signs[:, 0] - s * signs[:, 1]
    y = state[..., 1, None] + s * signs[:, 0] + c * signs[:, 1]
    return np.stack([x, y], axis=-1)


def overlapping(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Whether two quadrilaterals overlap, by projecting all corners on all sides' normals."""
    meet = np.ones(a.shape[:-2], dtype=bool)
    for polygon in (a, b):
        for k in (0, 1):
            side = polygon[..., k + 1, :] - polygon[..., k, :]
            normal = np.stack([-side[..., 1], side[..., 0]], axis=-1)[..., None, :]
            shadow_a, shadow_b = np.sum(a * normal, axis=-1), np.sum(b * normal, axis=-1)
            meet &= shadow_a.max(-1) > shadow_b.min(-1)
            meet &= shadow_b.max(-1) > shadow_a.min(-1)
    return meet


def min_ttc_s(resolved: dict[str, Any], actor: int, every_us: int = 20_000) -> float:
    """Least time to collision of the ego with one actor in the window [s]."""
    (other,) = (one for one in resolved["actors"] if one["id"] == actor)
    start, end = resolved["window_us"]
    at_us = np.append(np.arange(start, end, every_us), end)
    (ego, ego_rate, ego_size), (them, their_rate, their_size) = (
        track(user, at_us) for user in (resolved["ego"], other)
    )
    horizon = resolved["requested"]["min_ttc_s"] + HORIZON_S
    after = np.arange(0.0, horizon, STEP_S)
    least = np.inf
    for first in range(0, len(at_us), 16):
        part = slice(first, first + 16)
        meet = overlapping(
            corners(ahead(ego[part], ego_rate[part], after), ego_size),
            corners(ahead(them[part], their_rate[part], after), their_size),
        )
        hit = meet.any(axis=1)
        if hit.any():
            least = min(least, after[np.argmax(meet, axis=1)][hit].min())
    return float(least)


def overlaps(resolved: dict[str, Any], actor: int) -> tuple[bool, bool]:
    """Whether the ego overlaps an actor at the start, and at any time, in steps of 1 ms."""
    (other,) = (one for one in resolved["actors"] if one["id"] == actor)
    start, end = resolved["window_us"]
    at_us = np.arange(start, end, 1000)
    boxes = []
    for user in (resolved["ego"], other):
        state, _, size = track(user, at_us)
        boxes.append(corners(state, size))
    meet = overlapping(*boxes)
    return bool(meet[0]), bool(meet.any())


LIMITS = {  # curvature, lateral, accelerating, braking, speed: by class, as data sheets have them
    "CAR": (0.18, 4.0, 5.0, 9.0, 70.0),
    "VAN": (0.16, 3.5, 3.5, 8.0, 50.0),
    "TRUCK": (0.1, 2.5, 1.5, 6.0, 28.0),
    "BUS": (0.1, 2.5, 1.5, 6.0, 28.0),
    "CYCLIST": (0.5, 3.5, 2.0, 5.0, 14.0),
    "PERSON": (4.0, 4.0, 4.0, 5.0, 7.0),
}


def breaks_a_limit(user: dict[str, Any], slack: float = 1.05) -> bool:
    """Whether somebody's poses, differenced as they are, break a limit of its class."""
    seconds = np.array(user["time_us"]) * 1e-6
    place = np.array(user["world_from_body"])[:, :2, 3]
    velocity = np.gradient(place, seconds, axis=0)
    rate = np.gradient(velocity, seconds, axis=0)
    speed = np.hypot(*velocity.T)
    unit = velocity / np.maximum(speed, 0.5)[:, None]
    forward = np.sum(rate * unit, axis=1)
    lateral = np.abs(unit[:, 0] * rate[:, 1] - unit[:, 1] * rate[:, 0])
    bend = np.where(speed > 1.0, lateral / np.maximum(speed, 1.0) ** 2, 0.0)
    inner = slice(2, -2)  # one-sided differences at the ends
    got = (bend, lateral, forward, -forward, speed)
    bounds = LIMITS[user["class"]]
    return any(x[inner].max() > slack * most for x, most in zip(got, bounds, strict=True))
