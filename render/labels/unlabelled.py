"""Where a picture shows what the drive left unlabelled: its ignore regions.

In a recorded view they are the drive's own rectangles. In any other view of the same moment they
are carried along: by the 3D box where the drive knows one, else by the surfaces that the scene has
in the rectangle, as seen from where it was recorded. Both hold more than they must, rather than
less: a surface in front of what was meant is carried along, too.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float64

from recon.rendering.shot import Renderer, Shot, pixel_rays
from render.labels.cuboids import Pose, clipped, convex_hull, outline_px
from scenes.clip import ImageStream
from scenes.motion.geometry import invert
from scenes.motion.trajectory import Trajectory
from scenes.sensors.camera import Camera, project_world
from scenes.sensors.unlabelled import Unlabelled

NOT_LABELLED = "not labelled in the drive"
BY_BOX = "not labelled in the drive, carried here by its box"
BY_DEPTH = "not labelled in the drive, carried here by the scene's depth"

SAME_PLACE_M, SAME_TURN = 0.01, 1e-3
"""A camera so near to a recorded pose [m, and rad], at a recorded time, is the recorded view."""
SAME_TIME_US = 1_000
NEAR_TIME_US = 60_000
"""Another view's regions are those of a picture so near in time [µs]."""
ACROSS = 16
"""Rays along each side of a rectangle that is carried by depth."""
FAR_M = 2_000.0
"""Where rays that meet nothing are taken to end [m]."""
LEAST_PX = 1.0
"""Smaller areas [square px] are left out: less than a pixel of the region is in view."""

Region = dict[str, object]
Polygon = Float64[np.ndarray, "k 2"]


def ignore_regions(renderer: Renderer, shot: Shot) -> tuple[Region, ...]:
    """Convex polygons [px] in which a picture shows what the drive left unlabelled, and why.

    Args:
        renderer: Its clip knows the regions, its surfaces carry them to other views.
        shot: The picture.
    """
    clip, camera, time_us = renderer.clip, shot.camera, shot.time_us
    world_from_camera = shot.world_from_camera
    images = clip.cameras[shot.stream]
    if images.unlabelled is None:
        return ()
    frame = int(np.abs(images.time_us - time_us).argmin())
    off_us = abs(int(images.time_us[frame]) - time_us)
    regions = images.unlabelled.of_frame(frame)
    track = clip.ego.mounted(images.ego_from_camera)
    if off_us <= SAME_TIME_US and _is_recorded(images, track, camera, world_from_camera, time_us):
        scale = np.array([camera.width, camera.height] * 2) / (
            [images.camera.width, images.camera.height] * 2
        )
        corners = [_corners(box) for box in regions.rectangle_px * scale]
        return tuple(_region(polygon, NOT_LABELLED) for polygon in corners)
    if off_us > NEAR_TIME_US:
        return ()
    view = camera, world_from_camera, time_us
    found = []
    for place in range(len(regions)):
        if np.isfinite(regions.size_m[place]).all():
            polygon, reason = _by_box(regions, place, *view), BY_BOX
        else:
            seen = _part(images, track, frame, regions.rectangle_px[place], shot.stream)
            points = _surfaces(renderer, seen)
            polygon, reason = _hull(points, *view), BY_DEPTH
        if _area(polygon) >= LEAST_PX:
            found.append(_region(polygon, reason))
    return tuple(found)


def _region(polygon: Polygon, reason: str) -> Region:
    return {"polygon": polygon.tolist(), "reason": reason}


def _corners(box: Float64[np.ndarray, "4"]) -> Polygon:
    left, top, right, bottom = box
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


def _is_recorded(
    images: ImageStream,
    track: Trajectory,
    camera: Camera,
    world_from_camera: Pose | Trajectory,
    time_us: int,
) -> bool:
    """Whether a picture is taken as a recorded one was, at another size at most."""
    if images.camera.scaled(camera.width, camera.height) != camera:
        return False
    for at_us in {time_us, time_us + camera.readout_us}:
        gap = invert(track.at(np.array([at_us]))[0]) @ _pose_at(world_from_camera, at_us)
        turn = np.linalg.norm(gap[:3, :3] - np.eye(3)) / np.sqrt(2.0)
        if np.linalg.norm(gap[:3, 3]) > SAME_PLACE_M or turn > SAME_TURN:
            return False
    return True


def _pose_at(world_from_camera: Pose | Trajectory, time_us: int) -> Pose:
    if isinstance(world_from_camera, Trajectory):
        return world_from_camera.at(np.array([time_us]))[0]
    return world_from_camera


def _by_box(
    regions: Unlabelled,
    place: int,
    camera: Camera,
    world_from_camera: Pose | Trajectory,
    time_us: int,
) -> Polygon:
    middle = _pose_at(world_from_camera, time_us + camera.readout_us // 2)
    return outline_px(camera, invert(middle) @ regions.world_from_box[place], regions.size_m[place])


def _part(
    images: ImageStream,
    track: Trajectory,
    frame: int,
    rectangle_px: Float64[np.ndarray, "4"],
    stream: int,
) -> Shot:
    """A shot of what a rectangle of a recorded picture showed of the static scene.

    The centres of its outermost pixels lie on the sides of the rectangle.
    """
    left, top, right, bottom = rectangle_px
    whole, between = images.camera, ACROSS - 1
    across, down = (right - left) / between, (bottom - top) / between
    camera = replace(
        whole, width=ACROSS, height=ACROSS, readout_us=0,
        fx=whole.fx / across, fy=whole.fy / down,
        cx=(whole.cx - left) / across + 0.5, cy=(whole.cy - top) / down + 0.5,
    )  # fmt: skip
    middle = np.array([[0.5 * (left + right), 0.5 * (top + bottom)]])
    at_us = int(images.time_us[frame]) + round(float(whole.readout_offset_us(middle)[0]))
    pose = track.at(np.array([at_us]))[0]
    return Shot(camera=camera, stream=stream, world_from_camera=pose, time_us=at_us)


def _surfaces(renderer: Renderer, shot: Shot) -> Float64[np.ndarray, "n 3"]:
    """What every pixel of a shot shows [m, world], as far as its lens shows anything."""
    if np.isnan(shot.camera.directions(shot.camera.pixel_centres())).all():
        return np.zeros((0, 3))
    rays = pixel_rays(shot)
    range_m = renderer.render(shot, ("range_m",))["range_m"].double().view(-1).numpy()
    points = rays.origins_m.numpy() + rays.directions.numpy() * np.minimum(range_m, FAR_M)[:, None]
    return points[~rays.blind.numpy()]


def _hull(
    points_m: Float64[np.ndarray, "n 3"],
    camera: Camera,
    world_from_camera: Pose | Trajectory,
    time_us: int,
) -> Polygon:
    """Convex outline of points as far as they are in the picture; empty where they are not."""
    pixels = project_world(camera, points_m, world_from_camera, time_us)
    hull = convex_hull(pixels[np.isfinite(pixels).all(axis=1)])
    polygon = np.column_stack([hull, np.ones(len(hull))])
    for side in ([1, 0, 0], [-1, 0, camera.width], [0, 1, 0], [0, -1, camera.height]):
        polygon = clipped(polygon, np.array(side, dtype=np.float64))
    return np.clip(polygon[:, :2], 0.0, [camera.width, camera.height])


def _area(polygon: Polygon) -> float:
    """In square pixels."""
    if len(polygon) < 3:
        return 0.0
    (x, y), (u, v) = polygon.T, np.roll(polygon, -1, axis=0).T
    return 0.5 * abs(float(np.sum(x * v - u * y)))
