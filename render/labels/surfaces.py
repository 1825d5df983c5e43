"""What a pixel shows, from what the drive knows: boxes, the ground, the sky. Nothing is guessed."""

import numpy as np
from jaxtyping import Bool, Float64, Int32

from render.labels.cuboids import ActorBox, Pose
from render.labels.moment import Moment
from scenes.motion.geometry import invert, transform_points
from scenes.road.ground import Ground

BOX_MARGIN_M = 0.15
"""Boxes are grown by this much: people draw them tight, and surfaces are a little off."""
GROUND_M = 0.1
"""A surface within this (or 3 residuals) of the ground's height may be ground."""
UPWARD = 0.7
"""And its normal must point up at least this much (cosine; 45 degrees)."""


def surface_points(moment: Moment) -> Float64[np.ndarray, "h w 3"]:
    """First surface of every pixel [m, world]; not finite for sky."""
    points = moment.origins_m + moment.directions * moment.range_m.double()[..., None]
    return points.numpy()


def road_tolerance_m(ground: Ground) -> float:
    """How far from the fitted height a surface may be and still be road [m]."""
    return GROUND_M if np.isnan(ground.residual_m) else max(GROUND_M, 3.0 * ground.residual_m)


def on_ground(
    points_m: Float64[np.ndarray, "h w 3"], normal: Float64[np.ndarray, "h w 3"], ground: Ground
) -> Bool[np.ndarray, "h w"]:
    """Surfaces at the height of the road that face up, and all that lie below it.

    A road is opaque: who looks at a place under it looks at the road, which a field that is not
    sure of its depth put too low.
    """
    tolerance_m = road_tolerance_m(ground)
    low = np.isfinite(points_m).all(axis=-1)
    low &= points_m[..., 2] <= ground.highest_m + tolerance_m
    x, y, z = points_m[low].T
    above_m = z - ground.height_m(x, y)
    upward = normal[..., 2][low] >= UPWARD  # False where there is no normal
    found = np.zeros(low.shape, bool)
    # comparisons are False where nobody knows the road's height
    found[low] = (upward & (np.abs(above_m) <= tolerance_m)) | (above_m < -tolerance_m)
    return found


def instance_map(moment: Moment) -> Int32[np.ndarray, "h w"]:
    """Index of the road user that each pixel shows, or 0.

    It is the one whose own field the ray meets; else the standing one in whose (grown) box the
    surface lies. Where boxes overlap, the one that holds the point deepest wins. The ground that a
    box stands on is not part of it.
    """
    points_m, shown_by = surface_points(moment), moment.instance_index.numpy()
    found = np.zeros(points_m.shape[:2], dtype=np.int32)
    depth_m = np.full(found.shape, BOX_MARGIN_M)
    for box in moment.boxes:
        if box.own_field:
            mine = (shown_by == box.index) & np.isfinite(points_m).all(axis=-1)
            mine[mine] = ~_stands_on(points_m[mine], box, moment.ground)
            found[mine] = box.index
        if box.own_field or not box.rendered:
            continue
        near = _near(points_m, box)
        outside_m = np.full(found.shape, np.inf)
        outside_m[near] = _outside_m(points_m[near], box)
        mine = (outside_m <= depth_m) & (shown_by == 0)
        mine[mine] = ~_stands_on(points_m[mine], box, moment.ground)
        found[mine], depth_m[mine] = box.index, outside_m[mine]
    return found


def _near(points_m: Float64[np.ndarray, "h w 3"], box: ActorBox) -> Bool[np.ndarray, "h w"]:
    """Points in the ball around the grown box: few are, and the others need no closer look."""
    ball_m = np.linalg.norm(0.5 * box.actor.size_m + BOX_MARGIN_M) + 1e-3  # more than rounding
    x, y, z = np.moveaxis(points_m, -1, 0)
    centre_x, centre_y, centre_z = box.world_from_box[:3, 3]
    squared = (x - centre_x) ** 2 + (y - centre_y) ** 2 + (z - centre_z) ** 2
    return squared <= ball_m**2  # False where there is no surface


def _in_box(points_m: Float64[np.ndarray, "n 3"], box: ActorBox) -> Float64[np.ndarray, "n 3"]:
    return transform_points(invert(box.world_from_box), points_m)


def _outside_m(points_m: Float64[np.ndarray, "n 3"], box: ActorBox) -> Float64[np.ndarray, "n"]:
    """How far points lie outside a box [m]; negative inside."""
    return np.max(np.abs(_in_box(points_m, box)) - 0.5 * box.actor.size_m, axis=-1)


def _stands_on(
    points_m: Float64[np.ndarray, "n 3"], box: ActorBox, ground: Ground
) -> Bool[np.ndarray, "n"]:
    """Which points in or beside a box are the ground it stands on.

    Ground lies at the height of the road, or of the box's bottom; the road user's own surface
    lies at the sides of the box. The nearer of the two decides, so that the line where they meet
    is sharp: normals are at their worst just there.
    """
    local, half = _in_box(points_m, box), 0.5 * box.actor.size_m
    to_side_m = np.abs(np.max(np.abs(local[:, :2]) - half[:2], axis=-1))
    to_bottom_m = np.abs(local[:, 2] + half[2])
    to_bottom_m = np.where(to_bottom_m <= GROUND_M, to_bottom_m, np.inf)
    to_road_m = np.abs(points_m[:, 2] - ground.height_m(points_m[:, 0], points_m[:, 1]))
    to_road_m = np.where(to_road_m <= road_tolerance_m(ground), to_road_m, np.inf)
    return np.minimum(to_bottom_m, to_road_m) < to_side_m


def box_entry_m(
    origins_m: Float64[np.ndarray, "*n 3"],
    directions: Float64[np.ndarray, "*n 3"],
    world_from_box: Pose,
    size_m: Float64[np.ndarray, "3"],
) -> Float64[np.ndarray, "*n"]:
    """Distance at which rays enter a box [m], 0 from inside; inf where they miss it."""
    box_from_world = invert(world_from_box)
    start = transform_points(box_from_world, origins_m)
    along = directions @ box_from_world[:3, :3].T
    corners = 0.5 * np.asarray(size_m)
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = (-corners - start) / along, (corners - start) / along
    # A ray within a slab's plane gives 0/0: that slab does not limit it.
    unlimited = np.isnan(first) | np.isnan(second)
    entry = np.where(unlimited, -np.inf, np.minimum(first, second)).max(axis=-1)
    leave = np.where(unlimited, np.inf, np.maximum(first, second)).min(axis=-1)
    return np.where((leave >= entry) & (leave > 0), np.maximum(entry, 0.0), np.inf)
