"""Which pixels must not train, and which show sky, from what the drive itself knows.

Nothing here is learned. The sky mask is a cautious heuristic whose only use is a training loss:
it must never claim what is not sky, and may miss much of what is.
"""

import numpy as np
from jaxtyping import Bool, Float, UInt8

from scenes.actor import Actor
from scenes.motion.geometry import box_corners, invert, transform_points
from scenes.sensors.camera import Camera

EDGE_POINTS = 25
"""Points along each edge of a box: a lens may bend edges, so corners are not enough."""
WITHIN = 9
"""Points along each side of a box whose inside a lens that sees no edge is asked for, too."""
KNOWN_SLACK_US = 60_000
"""Drives know an actor at whole frames: half a frame before and after, it is still it [µs]."""
NEAR_M = 0.2
"""What is closer than this in front of the camera is cut off the box [m]."""
EDGES = [
    (0, 1),
    (1, 2),
    (2, 3),
    (3, 0),
    (4, 5),
    (5, 6),
    (6, 7),
    (7, 4),
    (0, 4),
    (1, 5),
    (2, 6),
    (3, 7),
]


def box_extent(
    camera: Camera,
    world_from_camera: Float[np.ndarray, "4 4"],
    world_from_box: Float[np.ndarray, "4 4"],
    size_m: Float[np.ndarray, "3"],
) -> tuple[float, float, float, float] | None:
    """Left, top, right, bottom of a box's projection [px], not clipped; None if behind.

    Nothing counts that lies less than `NEAR_M` in front of the camera (a wide lens sees what is
    beside and behind it, too), or beside what it shows.
    """
    camera_from_box = invert(world_from_camera) @ world_from_box
    corners = transform_points(camera_from_box, box_corners(np.asarray(size_m)))
    points = _edge_points(corners, NEAR_M if camera.is_perspective else -np.inf)
    pixels = camera.project(points)
    shown = np.isfinite(pixels).all(axis=1)
    if not (
        camera.is_perspective and shown.all()
    ):  # it may see a face whose edges are all beyond its circle
        inner = np.stack(np.meshgrid(*[np.linspace(-0.5, 0.5, WITHIN)] * 3), axis=-1) * size_m
        within = transform_points(camera_from_box, inner.reshape(-1, 3))
        within = within[(not camera.is_perspective) | (within[:, 2] >= NEAR_M)]
        pixels = np.concatenate([pixels, camera.project(within)])
        shown = np.isfinite(pixels).all(axis=1)
    pixels = pixels[shown]
    if not len(pixels):
        return None
    left, top = pixels.min(axis=0)
    right, bottom = pixels.max(axis=0)
    return float(left), float(top), float(right), float(bottom)


def _edge_points(corners: Float[np.ndarray, "8 3"], near_m: float) -> Float[np.ndarray, "n 3"]:
    """Points along the edges of a box, as far as they lie `near_m` or more before the camera."""
    start, end = (corners[list(ends)] for ends in zip(*EDGES, strict=True))
    # a box that passes the camera reaches furthest where it is cut: each edge begins there
    with np.errstate(divide="ignore", invalid="ignore"):
        cut = (near_m - start[:, 2]) / (end[:, 2] - start[:, 2])
    first = np.where(start[:, 2] < near_m, cut, 0.0)
    last = np.where(end[:, 2] < near_m, cut, 1.0)
    visible = (start[:, 2] >= near_m) | (end[:, 2] >= near_m)
    share = np.linspace(first[visible], last[visible], EDGE_POINTS)[..., None]
    return (start[visible] * (1.0 - share) + end[visible] * share).reshape(-1, 3)


def visible_extent(
    camera: Camera, world_from_camera: Float[np.ndarray, "4 4"], actor: Actor, time_us: int
) -> tuple[float, float] | None:
    """Width and height of the part of an actor's extent that is inside the picture [px]."""
    pose = actor.at(time_us)
    extent = None if pose is None else box_extent(camera, world_from_camera, pose, actor.size_m)
    if extent is None:
        return None
    left, top, right, bottom = extent
    width = min(right, camera.width) - max(left, 0.0)
    height = min(bottom, camera.height) - max(top, 0.0)
    return (width, height) if width > 0.0 and height > 0.0 else None


def actor_mask(
    camera: Camera,
    world_from_camera: Float[np.ndarray, "4 4"],
    actors: tuple[Actor, ...],
    time_us: int,
    margin_px: float,
) -> Bool[np.ndarray, "h w"]:
    """Pixels that touch the (grown) extent of an actor's box."""
    masked = np.zeros((camera.height, camera.width), dtype=bool)
    for actor in actors:
        pose = actor.at(time_us, slack_us=KNOWN_SLACK_US)
        if pose is None:
            continue
        extent = box_extent(camera, world_from_camera, pose, actor.size_m)
        if extent is None:
            continue
        left, top, right, bottom = extent
        rows = slice(max(0, int(top - margin_px)), max(0, int(np.ceil(bottom + margin_px))))
        columns = slice(max(0, int(left - margin_px)), max(0, int(np.ceil(right + margin_px))))
        masked[rows, columns] = True
    return masked


SKY_ELEVATION = 0.03
"""Sine of the smallest elevation of a sky pixel: 1.7 degrees above the horizon."""
SKY_BRIGHTNESS = 0.55
"""A sky pixel's darkest channel need not be bright, but its brightest must be (sRGB)."""
SKY_RANGE = 0.12
"""Largest difference of brightness between a sky pixel and its neighbours (sRGB)."""


def sky_mask(
    srgb: UInt8[np.ndarray, "h w 3"], elevation: Float[np.ndarray, "h w"]
) -> Bool[np.ndarray, "h w"]:
    """Pixels that are surely sky: high, bright, not warm or green, smooth, and open to the top.

    `elevation` is the sine of each pixel's elevation over the horizon.
    """
    red, green, blue = np.moveaxis(srgb.astype(np.float32) / 255.0, -1, 0)
    bright = np.maximum(np.maximum(red, green), blue)
    hue = (blue >= red - 0.02) & (blue >= green - 0.02)
    padded = np.pad(bright, 1, mode="edge")
    height, width = bright.shape
    around = [padded[i : i + height, j : j + width] for i in range(3) for j in range(3)]
    smooth = np.max(around, axis=0) - np.min(around, axis=0) < SKY_RANGE
    looks = (elevation > SKY_ELEVATION) & (bright > SKY_BRIGHTNESS) & hue & smooth
    # what is under a roof or a branch may be a bright wall: only what is open to the top counts
    return np.logical_and.accumulate(looks, axis=0)
