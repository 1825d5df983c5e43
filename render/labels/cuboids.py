"""Boxes of road users as a picture sees them: what part is in view, where, and how much is cut off.

Boxes are clipped against the near plane and the edges of the view before they are projected, so
nothing behind the camera ever reaches a pixel. The plane z = 1 of the camera carries areas: on
it, straight lines stay straight whatever the lens does. Lenses that see beside and behind
themselves, or fold in or near the picture, have no such plane: `render.labels.fisheye_boxes` is
for them.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float64

from render.labels.fisheye_boxes import FACES, seen_faces_px, seen_points_px, share_outside
from scenes.actor import Actor
from scenes.motion.geometry import box_corners, invert, transform_points
from scenes.motion.trajectory import Trajectory
from scenes.safety.encounters import fixtures, standing_pose
from scenes.sensors.camera import Camera, project_world

NEAR_M = 0.1
"""What is nearer to the camera than this (planar z) is not projected."""
BORDER_STEPS = 32
"""Points along each image border that bound the view of a distorting lens."""
EDGE_STEPS = 8
"""Pieces of a box edge that a distorting lens bends."""

Pose = Float64[np.ndarray, "4 4"]
Polygon = Float64[np.ndarray, "_ 3"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ActorBox:
    """One road user at one moment, some part of whose box is in view."""

    index: int
    """Its id in instance maps (see `instance_numbers`)."""
    actor: Actor
    world_from_box: Pose
    camera_from_box: Pose
    """Where camera and box are while the row of the box's centre is exposed."""
    rendered: bool
    """Whether the picture shows it: it stands where it was recorded, or has a field of its own."""
    own_field: bool
    """Whether it has a field of its own, apart from the static scene."""
    outline_px: Float64[np.ndarray, "k 2"]
    """Convex outline of the part of the box that is in view [px]."""
    truncation: float
    """Share of the projected box that lies outside the image, 0 to 1."""


def boxes_in_view(
    actors: Sequence[Actor],
    camera: Camera,
    world_from_camera: Pose | Trajectory,
    time_us: int,
    with_field: Collection[int] = (),
    recorded: Sequence[Actor] | None = None,
) -> tuple[ActorBox, ...]:
    """Every road user with some part of its box in view, in the order of `actors`.

    One that stands still as it was recorded is in its place for good, as it is in the static
    scene. All others are where they are at `time_us`, and absent when nobody knows.

    Args:
        actors: Road users as staged.
        camera: Of the picture.
        world_from_camera: Its pose, or its trajectory where rows have their own times.
        time_us: When the first row is exposed [µs].
        with_field: Ids of those who have fields of their own, whether they are there or not.
        recorded: The clip's own road users; `actors` are these when left out.
    """
    known = actors if recorded is None else recorded
    numbers, found = instance_numbers(actors, known), []
    in_place = fixtures(actors, known)
    for actor in actors:
        own, stands = actor.id in with_field, actor.id in in_place
        world_from_box = standing_pose(actor) if stands else actor.at(time_us)
        if world_from_box is None:
            continue
        at_us = time_at_point(camera, world_from_camera, time_us, world_from_box[:3, 3])
        there = None if stands or at_us == time_us else actor.at(at_us)
        pose = _camera_at(world_from_camera, at_us)
        camera_from_box = invert(pose) @ (world_from_box if there is None else there)
        outline = outline_px(camera, camera_from_box, actor.size_m)
        if len(outline) < 3:
            continue
        found.append(
            ActorBox(
                index=numbers[actor.id],
                actor=actor,
                world_from_box=world_from_box,
                camera_from_box=camera_from_box,
                rendered=own or stands,
                own_field=own,
                outline_px=outline,
                truncation=truncation(camera, camera_from_box, actor.size_m),
            )
        )
    return tuple(found)


def instance_numbers(actors: Sequence[Actor], recorded: Sequence[Actor]) -> dict[int, int]:
    """Id of a road user -> its number in instance maps.

    It is its place among the clip's road users, from 1, whoever of them is left; those who were
    inserted come after them.
    """
    ids = dict.fromkeys([actor.id for actor in (*recorded, *actors)])
    return {number: place for place, number in enumerate(ids, start=1)}


def time_at_point(
    camera: Camera,
    world_from_camera: Pose | Trajectory,
    time_us: int,
    point_world: Float64[np.ndarray, "3"],
) -> int:
    """When the row that shows a world point is exposed [µs]."""
    if camera.readout_us == 0:
        return time_us
    row = project_world(camera, point_world[None], world_from_camera, time_us)[:, 1]
    row = np.nan_to_num(row, nan=0.5 * camera.height)
    return time_us + round(float(camera.row_offset_us(row)[0]))


def _camera_at(world_from_camera: Pose | Trajectory, time_us: int) -> Pose:
    if isinstance(world_from_camera, Trajectory):
        return world_from_camera.at(np.array([time_us]))[0]
    return world_from_camera


def outline_px(
    camera: Camera, camera_from_box: Pose, size_m: Float64[np.ndarray, "3"]
) -> Float64[np.ndarray, "k 2"]:
    """Convex outline of the part of a box that is in view [px]; empty where none is."""
    if is_bounded_by_lens(camera):
        return convex_hull(seen_points_px(camera, camera_from_box, size_m))
    x0, y0, x1, y1 = view_on_plane(camera)
    sides = [[1, 0, -x0], [-1, 0, x1], [0, 1, -y0], [0, -1, y1]]
    points = _clipped_faces(camera_from_box, size_m, np.array(sides), camera)
    if not len(points):
        return np.zeros((0, 2))
    pixels = camera.project(points)
    return convex_hull(np.clip(pixels, 0.0, [camera.width, camera.height]))


def truncation(camera: Camera, camera_from_box: Pose, size_m: Float64[np.ndarray, "3"]) -> float:
    """Share of the box's projection (its upright rectangle on z = 1) that the image cuts off.

    Where the lens bounds the view, it cuts off a share of the solid angle that the box fills.
    """
    if is_bounded_by_lens(camera):
        return share_outside(camera, camera_from_box, size_m)
    points = _clipped_faces(camera_from_box, size_m, np.zeros((0, 3)), camera)
    if not len(points):
        return 1.0
    plane = points[:, :2] / points[:, 2:]
    low, high = plane.min(axis=0), plane.max(axis=0)
    x0, y0, x1, y1 = view_on_plane(camera)
    inside = np.clip(np.minimum(high, [x1, y1]) - np.maximum(low, [x0, y0]), 0.0, None)
    area = float(np.prod(high - low))
    return float(np.clip(1.0 - np.prod(inside) / area, 0.0, 1.0)) if area > 0 else 1.0


@cache
def is_bounded_by_lens(camera: Camera) -> bool:
    """Whether no rectangle on the plane z = 1 holds the view: of fisheyes, and beside a fold."""
    if camera.fisheye or not camera.distortion:
        return camera.fisheye
    x0, y0, x1, y1 = view_on_plane(camera)
    corners = np.array([[x0, y0, 1.0], [x0, y1, 1.0], [x1, y0, 1.0], [x1, y1, 1.0]])
    return not bool(np.isfinite(camera.project(corners)).all())


@cache
def view_on_plane(camera: Camera) -> tuple[float, float, float, float]:
    """The rectangle x0, y0, x1, y1 on the plane z = 1 that holds the whole view; NaN for none."""
    share = np.linspace(0.0, 1.0, BORDER_STEPS + 1 if camera.distortion else 2)
    x, y = share * camera.width, share * camera.height
    across = [np.stack([x, np.full_like(x, edge)], -1) for edge in (0.0, camera.height)]
    down = [np.stack([np.full_like(y, edge), y], -1) for edge in (0.0, camera.width)]
    inpainted_border = camera.unproject(np.concatenate(across + down))[:, :2]
    (x0, y0), (x1, y1) = inpainted_border.min(axis=0), inpainted_border.max(axis=0)
    return float(x0), float(y0), float(x1), float(y1)


def faces_px(
    camera: Camera, camera_from_box: Pose, size_m: Float64[np.ndarray, "3"]
) -> list[Float64[np.ndarray, "k 2"]]:
    """The box's faces (bottom, top, and the four sides) as polygons [px], for drawing."""
    if is_bounded_by_lens(camera):
        return seen_faces_px(camera, camera_from_box, size_m)
    polygons = [clipped(face, _near()) for face in _faces(camera_from_box, size_m)]
    pixels = [camera.project(_bent(p, camera)) if len(p) else np.zeros((0, 2)) for p in polygons]
    return [face[np.isfinite(face).all(axis=1)] for face in pixels]  # none far beside the view


def convex_hull(points: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "k 2"]:
    """Corners of the convex hull, in order (Andrew's monotone chain)."""
    ordered = np.unique(points, axis=0)
    if len(ordered) < 3:
        return ordered
    return np.concatenate([_chain(ordered), _chain(ordered[::-1])])


def _chain(ordered: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "k 2"]:
    kept: list[np.ndarray] = []
    for point in ordered:
        while len(kept) > 1:
            (ax, ay), (bx, by) = kept[-1] - kept[-2], point - kept[-2]
            if ax * by - ay * bx > 0:
                break
            kept.pop()
        kept.append(point)
    return np.array(kept[:-1])  # the other half starts with the last one


def _near() -> Float64[np.ndarray, "3"]:
    return np.array([0.0, 0.0, 1.0])


def _faces(camera_from_box: Pose, size_m: Float64[np.ndarray, "3"]) -> list[Polygon]:
    corners = transform_points(camera_from_box, box_corners(size_m))
    return [corners[list(face)] for face in FACES]


def _clipped_faces(
    camera_from_box: Pose,
    size_m: Float64[np.ndarray, "3"],
    sides: Float64[np.ndarray, "s 3"],
    camera: Camera,
) -> Float64[np.ndarray, "n 3"]:
    """Corners of what is left of each face in front of the near plane and inside the sides."""
    left = [np.zeros((0, 3))]
    for face in _faces(camera_from_box, size_m):
        polygon = clipped(face, _near())
        for side in sides:
            polygon = clipped(polygon, side)
        left.append(_bent(polygon, camera))
    return np.concatenate(left)


def clipped(polygon: Polygon, plane: Float64[np.ndarray, "3"]) -> Polygon:
    """The part of a convex polygon with plane . p >= 0 (near plane: z >= NEAR_M)."""
    if not len(polygon):
        return polygon
    offset = NEAR_M if plane[0] == plane[1] == 0.0 else 0.0
    height = polygon @ plane - offset
    kept = []
    for i in range(len(polygon)):
        j = (i + 1) % len(polygon)
        if height[i] >= 0:
            kept.append(polygon[i])
        if (height[i] >= 0) != (height[j] >= 0):
            share = height[i] / (height[i] - height[j])
            kept.append(polygon[i] + share * (polygon[j] - polygon[i]))
    return np.array(kept).reshape(-1, 3)


def _bent(polygon: Polygon, camera: Camera) -> Polygon:
    """More points along each edge where the lens bends straight lines."""
    if not camera.distortion or not len(polygon):
        return polygon
    share = np.arange(EDGE_STEPS)[None, :, None] / EDGE_STEPS
    following = np.roll(polygon, -1, axis=0)
    return (polygon[:, None] * (1 - share) + following[:, None] * share).reshape(-1, 3)
