"""Lane marks in the ground plane: are they where they are, once, and as sharp?

A picture is looked up at the points of a square grid on the road's surface (a bird's-eye view).
Paint is what is brighter than the road around it and narrower than 0.7 m (a white top-hat). Found
marks are compared with true ones, each of which may be 0.2 m away. The detector misses some even
in a perfect picture, so its score on the true picture is always given beside.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

from render.prove.target import Target
from scenes.motion.geometry import invert, transform_points
from scenes.road.ground import Ground
from scenes.semantics import Semantic
from scenes.sensors.camera import Camera
from scenes.sensors.images import linear_from_srgb

CELL_M = 0.1
"""Side of the cells of the grid."""
TOLERANCE_CELLS = 2
"""Marks match within this many cells: 0.2 m."""
HALF_WIDTH_M, NEAR_M, FAR_M = 8.0, 2.0, 25.0
"""The grid reaches this far to either side, and from so far to so far ahead of the camera."""
ACROSS_M = 0.1
"""Nothing is looked for where a pixel is wider than this: a line would be lost between two."""
WIDEST_CELLS = 7
"""Wider than this is no mark, but sunlight."""
CONTRAST = 1.45
"""Paint sends back this much more light than the road around it, at the least."""
MIN_CELLS = 40
"""With less paint in view (0.4 m2), there is no score."""
ROAD = (Semantic.GROUND, Semantic.ROAD, Semantic.LANE_MARKING)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RoadGrid:
    """Points of the road that a view shows, on a square grid seen from above."""

    pixels: Float64[np.ndarray, "r c 2"]
    """Where each point is in the picture [px]."""
    valid: Bool[np.ndarray, "r c"]
    """The picture shows road there, and it counts."""
    paint: Bool[np.ndarray, "r c"]
    """There is paint, in truth."""
    seen: Bool[np.ndarray, "r c"]
    """Some recorded picture shows it (all, where truth does not say)."""


def road_grid(target: Target, ground: Ground, counts: Bool[np.ndarray, "h w"]) -> RoadGrid:
    """The road ahead of a view."""
    camera, pose = target.camera, target.world_from_camera
    far_m = max(min(FAR_M, ACROSS_M * camera.fx), NEAR_M + CELL_M)
    points_m = _grid_points(pose, ground, far_m)
    pixels, in_view = _project(camera, pose, points_m)
    row, column = _nearest(pixels, in_view)
    here = (row, column)
    road = np.isin(target.semantic[here], ROAD)
    seen = np.ones(in_view.shape, bool) if target.seen is None else target.seen[here]
    valid = in_view & road & counts[here]
    return RoadGrid(
        pixels=pixels,
        valid=valid,
        paint=valid & (target.semantic[here] == Semantic.LANE_MARKING),
        seen=seen,
    )


def _grid_points(
    pose: Float64[np.ndarray, "4 4"], ground: Ground, far_m: float
) -> Float64[np.ndarray, "r c 3"]:
    """Points of the road [m, world]; NaN where the ground's height is not known."""
    ahead = pose[:2, 2] / max(float(np.linalg.norm(pose[:2, 2])), 1e-9)
    left = np.array([-ahead[1], ahead[0]])
    along, across = np.meshgrid(
        np.arange(NEAR_M, far_m, CELL_M), np.arange(-HALF_WIDTH_M, HALF_WIDTH_M, CELL_M),
        indexing="ij",
    )  # fmt: skip
    xy = pose[:2, 3] + along[..., None] * ahead + across[..., None] * left
    height = ground.height_m(xy[..., 0].ravel(), xy[..., 1].ravel()).reshape(along.shape)
    return np.concatenate([xy, height[..., None]], axis=-1)


def _project(
    camera: Camera, pose: Float64[np.ndarray, "4 4"], points_m: Float64[np.ndarray, "r c 3"]
) -> tuple[Float64[np.ndarray, "r c 2"], Bool[np.ndarray, "r c"]]:
    """Pixels of points, and which of them lie in the picture."""
    in_camera = transform_points(invert(pose), points_m)
    in_front = in_camera[..., 2] > 0.1  # False for NaN
    safe = np.where(in_front[..., None], in_camera, [0.0, 0.0, 1.0])
    pixels = camera.project(safe.reshape(-1, 3)).reshape(*safe.shape[:-1], 2)
    size = [camera.width, camera.height]
    with np.errstate(invalid="ignore"):
        inside = np.all((pixels >= 0.5) & (pixels <= np.array(size) - 0.5), axis=-1)
    return pixels, in_front & inside


def _nearest(
    pixels: Float64[np.ndarray, "r c 2"], in_view: Bool[np.ndarray, "r c"]
) -> tuple[Int64[np.ndarray, "r c"], Int64[np.ndarray, "r c"]]:
    """Row and column of each point's pixel; the first pixel for those out of view."""
    whole = np.where(in_view[..., None], pixels, 0.0).astype(np.int64)
    return whole[..., 1], whole[..., 0]


def found_paint(image: Float[np.ndarray, "h w 3"], grid: RoadGrid) -> Bool[np.ndarray, "r c"]:
    """Where a picture (sRGB in 0..1) shows paint: narrow, and brighter than the road around."""
    light = _looked_up(linear_from_srgb(image.astype(np.float64)).mean(axis=-1), grid)
    low = _window(np.where(grid.valid, light, np.inf), np.minimum, WIDEST_CELLS)
    opened = _window(np.where(np.isfinite(low), low, -np.inf), np.maximum, WIDEST_CELLS)
    return grid.valid & (light > CONTRAST * opened)


def _looked_up(light: Float64[np.ndarray, "h w"], grid: RoadGrid) -> Float64[np.ndarray, "r c"]:
    """The picture at the points of the grid, linear between pixel centres."""
    x, y = np.moveaxis(np.where(grid.valid[..., None], grid.pixels, 0.5) - 0.5, -1, 0)
    rows, columns = light.shape
    i = np.clip(np.floor(y).astype(int), 0, rows - 2)
    j = np.clip(np.floor(x).astype(int), 0, columns - 2)
    down, along = y - i, x - j
    top = light[i, j] * (1 - along) + light[i, j + 1] * along
    bottom = light[i + 1, j] * (1 - along) + light[i + 1, j + 1] * along
    return top * (1 - down) + bottom * down


def _window(
    values: Float64[np.ndarray, "r c"], choose: np.ufunc, side: int
) -> Float64[np.ndarray, "r c"]:
    """The least or the greatest of the square around each cell; the grid goes on as it ends."""
    for axis in (0, 1):
        pad = [(side // 2, side // 2) if axis == k else (0, 0) for k in (0, 1)]
        wide = np.pad(values, pad, mode="edge")
        windows = np.lib.stride_tricks.sliding_window_view(wide, side, axis=axis)
        values = choose.reduce(windows, axis=-1)
    return values


def f1(
    found: Bool[np.ndarray, "r c"], paint: Bool[np.ndarray, "r c"], part: Bool[np.ndarray, "r c"]
) -> float:
    """Harmonic mean of precision and recall in `part` of the grid; NaN where it has no paint.

    A cell is right if one of the other kind is within the tolerance, in that part or not.
    """
    if (paint & part).sum() < MIN_CELLS:
        return float("nan")
    right = (found & part & _reach(paint)).sum() / max(int((found & part).sum()), 1)
    recalled = (paint & part & _reach(found)).sum() / (paint & part).sum()
    return float(2.0 * right * recalled / max(right + recalled, 1e-9))


def _reach(mask: Bool[np.ndarray, "r c"]) -> Bool[np.ndarray, "r c"]:
    """Cells within the tolerance of one that is set, by distance."""
    reach, result = TOLERANCE_CELLS, np.zeros_like(mask)
    padded = np.pad(mask, reach)
    rows, columns = mask.shape
    for down in range(-reach, reach + 1):
        for along in range(-reach, reach + 1):
            if down**2 + along**2 <= reach**2:
                top, left = reach + down, reach + along
                result |= padded[top : top + rows, left : left + columns]
    return result
