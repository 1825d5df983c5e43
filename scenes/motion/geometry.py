"""Rigid transforms, rotations, boxes and distances, in float64 numpy.

`a_from_b` takes coordinates in frame b to coordinates in frame a, so that neighbouring names
cancel: `world_from_camera = world_from_ego @ ego_from_camera`. Lengths are metres, angles
radians.
"""

import numpy as np
from jaxtyping import Float, Float64, Int, Int64

ROTATION_TOLERANCE = 1e-4
"""How far R^T R may stray from the identity (largest entry) before R is not a rotation."""


def rigid(
    rotation: Float[np.ndarray, "*n 3 3"], translation: Float[np.ndarray, "*n 3"]
) -> Float64[np.ndarray, "*n 4 4"]:
    """The 4x4 transforms that rotate, then translate [m]."""
    transform = np.zeros((*rotation.shape[:-2], 4, 4))
    transform[..., :3, :3] = rotation
    transform[..., :3, 3] = translation
    transform[..., 3, 3] = 1.0
    return transform


def translation(offset_m: Float[np.ndarray, "*n 3"]) -> Float64[np.ndarray, "*n 4 4"]:
    """Transforms that only move, by `offset_m` [m]."""
    return rigid(np.broadcast_to(np.eye(3), (*offset_m.shape[:-1], 3, 3)), offset_m)


def invert(a_from_b: Float64[np.ndarray, "*n 4 4"]) -> Float64[np.ndarray, "*n 4 4"]:
    """`b_from_a`, using that the inverse of a rotation is its transpose."""
    rotation = np.swapaxes(a_from_b[..., :3, :3], -1, -2)
    return rigid(rotation, -np.einsum("...ij,...j->...i", rotation, a_from_b[..., :3, 3]))


def transform_points(
    a_from_b: Float64[np.ndarray, "4 4"], points_b: Float[np.ndarray, "*n 3"]
) -> Float[np.ndarray, "*n 3"]:
    """Points of frame b in frame a [m]."""
    return points_b @ a_from_b[:3, :3].T + a_from_b[:3, 3]


def rotation_exp(rotvec: Float[np.ndarray, "*n 3"]) -> Float64[np.ndarray, "*n 3 3"]:
    """Rotation by |rotvec| radians about rotvec (Rodrigues' formula)."""
    angle = np.linalg.norm(rotvec, axis=-1)[..., None, None]
    cross = np.zeros((*rotvec.shape[:-1], 3, 3))
    x, y, z = np.moveaxis(np.asarray(rotvec, dtype=np.float64), -1, 0)
    cross[..., 0, 1], cross[..., 0, 2], cross[..., 1, 2] = -z, y, -x
    cross[..., 1, 0], cross[..., 2, 0], cross[..., 2, 1] = z, -y, x
    sinc = np.sinc(angle / np.pi)  # numpy's sinc(x) is sin(pi x) / (pi x)
    half = np.sinc(angle / (2.0 * np.pi))
    return np.eye(3) + sinc * cross + 0.5 * half**2 * (cross @ cross)


def rotation_log(rotation: Float64[np.ndarray, "*n 3 3"]) -> Float64[np.ndarray, "*n 3"]:
    """Rotation vectors, angle in [0, pi]; the inverse of `rotation_exp`."""
    quaternion = _quaternion(rotation)
    sine = np.linalg.norm(quaternion[..., 1:], axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(sine, quaternion[..., :1])
    # angle / sin(angle/2) tends to 2 for small angles
    scale = np.where(sine < 1e-12, 2.0, angle / np.maximum(sine, 1e-12))
    return quaternion[..., 1:] * scale


def _quaternion(rotation: Float64[np.ndarray, "*n 3 3"]) -> Float64[np.ndarray, "*n 4"]:
    """Unit quaternions (w, x, y, z), w >= 0, accurate at every angle (Shepperd's method)."""
    r = rotation
    trace = np.trace(r, axis1=-2, axis2=-1)
    diagonal = np.diagonal(r, axis1=-2, axis2=-1)
    squared = np.concatenate([(1.0 + trace)[..., None], 1.0 - trace[..., None] + 2 * diagonal], -1)
    off = np.stack(
        [
            r[..., 2, 1] - r[..., 1, 2],
            r[..., 0, 2] - r[..., 2, 0],
            r[..., 1, 0] - r[..., 0, 1],
            r[..., 1, 0] + r[..., 0, 1],
            r[..., 0, 2] + r[..., 2, 0],
            r[..., 2, 1] + r[..., 1, 2],
        ],
        axis=-1,
    )
    wx, wy, wz, xy, xz, yz = np.moveaxis(off, -1, 0)
    w2, x2, y2, z2 = np.moveaxis(squared, -1, 0)
    # Row i of the outer product 4 q_i q is the quaternion up to scale: take the largest row.
    rows = np.stack(
        [
            np.stack([w2, wx, wy, wz], -1),
            np.stack([wx, x2, xy, xz], -1),
            np.stack([wy, xy, y2, yz], -1),
            np.stack([wz, xz, yz, z2], -1),
        ],
        axis=-2,
    )
    best = np.argmax(squared, axis=-1)[..., None, None]
    row = np.take_along_axis(rows, np.broadcast_to(best, (*best.shape[:-1], 4)), -2)[..., 0, :]
    row = row / np.linalg.norm(row, axis=-1, keepdims=True)
    return np.where(row[..., :1] < 0, -row, row)


def interpolate_rigid(
    time_us: Int64[np.ndarray, "n"],
    a_from_b: Float64[np.ndarray, "n 4 4"],
    at_us: Int64[np.ndarray, "m"],
) -> Float64[np.ndarray, "m 4 4"]:
    """Transforms at `at_us`: straight lines in translation, geodesics in rotation.

    Times outside the span take the nearest knot; callers decide whether that is allowed.
    """
    right = np.clip(np.searchsorted(time_us, at_us, side="right"), 1, max(len(time_us) - 1, 1))
    left, right = right - 1, np.minimum(right, len(time_us) - 1)
    span = np.maximum(time_us[right] - time_us[left], 1)
    share = np.clip((at_us - time_us[left]) / span, 0.0, 1.0)[:, None]
    start, end = a_from_b[left], a_from_b[right]
    moved = rigid(start[:, :3, :3], start[:, :3, 3] + share * (end[:, :3, 3] - start[:, :3, 3]))
    inner = np.flatnonzero((share > 0.0) & (share < 1.0))
    if not len(inner):  # pictures are mostly taken at knots
        return np.where((share == 1.0)[..., None], end, start)
    before, after = start[inner][:, :3, :3], end[inner][:, :3, :3]
    turn = rotation_log(np.swapaxes(before, -1, -2) @ after)
    moved[inner, :3, :3] = before @ rotation_exp(share[inner] * turn)
    # Knots are returned as they were given: what is not interpolated must not be rounded.
    moved = np.where((share == 0.0)[..., None], start, moved)
    return np.where((share == 1.0)[..., None], end, moved)


def box_corners(size_m: Float[np.ndarray, "3"]) -> Float64[np.ndarray, "8 3"]:
    """Corners of a box (length x, width y, height z) about its centre, bottom four first."""
    signs = [[x, y, z] for z in (-1, 1) for x, y in ((1, 1), (1, -1), (-1, -1), (-1, 1))]
    return 0.5 * np.array(signs, dtype=np.float64) * size_m


def inside_box(
    world_from_box: Float64[np.ndarray, "4 4"],
    size_m: Float[np.ndarray, "3"],
    points_world: Float[np.ndarray, "*n 3"],
    margin_m: float = 0.0,
) -> np.ndarray:
    """Which points lie in the box, grown by `margin_m` on every side; bool `*n`."""
    return within_box(transform_points(invert(world_from_box), points_world), size_m, margin_m)


def within_box(
    points_box: Float[np.ndarray, "*n 3"],
    size_m: Float[np.ndarray, "3"],
    margin_m: float | Float[np.ndarray, "3"] = 0.0,
) -> np.ndarray:
    """`inside_box` of points in the frame of the box; the margin may differ from axis to axis."""
    return np.all(np.abs(points_box) <= 0.5 * np.asarray(size_m) + margin_m, axis=-1)


def nearest_places(
    xy_m: Float[np.ndarray, "n 2"], to_m: Float[np.ndarray, "m 2"]
) -> Int[np.ndarray, "n"]:
    """For each place of the plane, the number of the nearest of some others."""
    # |a - b|^2 without |a|^2, which is the same for every b
    return np.argmin(np.sum(to_m**2, axis=1) - 2.0 * (xy_m @ to_m.T), axis=1)


def plan_reach_m(size_m: Float[np.ndarray, "*n 3"]) -> Float64[np.ndarray, "*n"] | float:
    """From the middle of a box to its corners in plan view [m]."""
    return 0.5 * np.hypot(size_m[..., 0], size_m[..., 1])


def yaw_rotation(yaw: Float[np.ndarray, "*n"]) -> Float64[np.ndarray, "*n 3 3"]:
    """Rotations about z by `yaw` [rad]."""
    up = np.array([0.0, 0.0, 1.0])
    return rotation_exp(np.asarray(yaw)[..., None] * up)


def rigid_problem(transforms: Float64[np.ndarray, "*n 4 4"]) -> str | None:
    """What keeps these from being rigid transforms, with the index, or None."""
    flat = transforms.reshape(-1, 4, 4)
    finite = np.isfinite(flat).all(axis=(1, 2))
    if not finite.all():
        return f"pose {int(np.argmin(finite))} is not finite"
    rotation = flat[:, :3, :3]
    stray = np.abs(np.swapaxes(rotation, 1, 2) @ rotation - np.eye(3)).max(axis=(1, 2))
    if (stray > ROTATION_TOLERANCE).any():
        worst = int(np.argmax(stray))
        return f"pose {worst} is not a rotation (R^T R is off by {stray[worst]:.1e})"
    mirrored = np.linalg.det(rotation) < 0
    if mirrored.any():
        return f"pose {int(np.argmax(mirrored))} is a mirror image (determinant -1)"
    if np.any(flat[:, 3] != np.array([0.0, 0.0, 0.0, 1.0])):
        return "the last row of a pose is not 0 0 0 1"
    return None
