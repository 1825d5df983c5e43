"""Road users stand on the ground, wherever an edit puts them.

Whoever is put elsewhere keeps the height above the ground, and the tilt against it, of the place
it comes from. Where the ground there is not known, its box stands on the ground; where the ground
is not known at the new place, it keeps its own height and tilt.
"""

import numpy as np
from jaxtyping import Bool, Float64

from scenes.motion.geometry import rigid
from scenes.road.ground import Ground

STEP_M = 1.0
"""Slopes are measured over this much to either side."""
AROUND_M = STEP_M * np.array([[0.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
"""Where the road's height is asked for: at a place and around it, along x and y."""


def yaw_of(poses: Float64[np.ndarray, "n 4 4"]) -> Float64[np.ndarray, "n"]:
    """Heading of each pose in plan view [rad]."""
    return np.arctan2(poses[:, 1, 0], poses[:, 0, 0])


def on_plane(
    place_m: Float64[np.ndarray, "n 3"],
    normal: Float64[np.ndarray, "n 3"],
    yaw: Float64[np.ndarray, "n"],
) -> Float64[np.ndarray, "n 4 4"]:
    """Poses at places with z along the normal and x above the heading `yaw` [rad]."""
    up = normal / np.linalg.norm(normal, axis=1, keepdims=True)
    ahead = np.stack([np.cos(yaw), np.sin(yaw)], axis=1)
    rise = -np.sum(up[:, :2] * ahead, axis=1) / up[:, 2]
    forward = np.concatenate([ahead, rise[:, None]], axis=1)
    forward /= np.linalg.norm(forward, axis=1, keepdims=True)
    return rigid(np.stack([forward, np.cross(up, forward), up], axis=2), place_m)


def on_ground(
    ground: Ground, xy_m: Float64[np.ndarray, "n 2"], yaw: Float64[np.ndarray, "n"]
) -> tuple[Float64[np.ndarray, "n 4 4"], Bool[np.ndarray, "n"]]:
    """Frames on the road at places of the world, and which of them are known."""
    around = xy_m + AROUND_M[:, None]
    height_m, ahead, back, left, right = ground.height_m(around[..., 0], around[..., 1])
    known = np.isfinite(height_m)
    slope = np.nan_to_num(np.stack([ahead - back, left - right], axis=1) / (2.0 * STEP_M))
    normal = np.concatenate([-slope, np.ones((len(xy_m), 1))], axis=1)
    place = np.concatenate([xy_m, np.where(known, height_m, 0.0)[:, None]], axis=1)
    return on_plane(place, normal, yaw), known


def settled(
    poses: Float64[np.ndarray, "n 4 4"],
    before: Float64[np.ndarray, "n 4 4"],
    height_m: float,
    ground: Ground | None,
) -> Float64[np.ndarray, "n 4 4"]:
    """Poses of a box, as high above the ground and as tilted against it as it was.

    Args:
        poses: Where the box is put; its height and tilt count where the ground is not known.
        before: A pose that each comes from.
        height_m: Height of the box, which stands on the ground where the ground under `before`
            is not known [m].
        ground: Road height; None is nowhere known.
    """
    if ground is None:
        return poses
    there, known = on_ground(ground, poses[:, :2, 3], yaw_of(poses))
    here, was_known = on_ground(ground, before[:, :2, 3], yaw_of(before))
    above = np.where(was_known, before[:, 2, 3] - here[:, 2, 3], 0.5 * height_m)
    tilt = np.swapaxes(here[:, :3, :3], 1, 2) @ before[:, :3, :3]
    tilt = np.where(was_known[:, None, None], tilt, np.eye(3))
    place = there[:, :3, 3].copy()
    place[:, 2] += above
    return np.where(known[:, None, None], rigid(there[:, :3, :3] @ tilt, place), poses)
