"""Road users and lane lines in a view: boxes, and how much of each is to be seen.

Pixels have their centres at +0.5. A box in a picture is left, top, right, bottom [px]; the last
two are exclusive, so a box of whole pixels is as wide as the pixels it holds.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int32

from scenes.motion.geometry import invert, transform_points
from scenes.semantics import Semantic
from scenes.sensors.camera import Camera, camera_rays, project_world
from scenes.worlds.models.mesh import Mesh, join
from scenes.worlds.models.surface_points import part_pose
from scenes.worlds.models.world import Body, LaneLine, World
from scenes.worlds.trace.mitsuba_door import Triangles

Box = tuple[float, float, float, float]

FINEST = 8
"""Rays along each side of a pixel when the extent of a small road user is looked for."""
MOST_RAYS = 200_000
"""Rays that are spent on one extent; large road users are looked at less finely."""
FAR_M = 200.0
"""Road users beyond this are left out [m]."""
LINE_FAR_M = 100.0
"""Lane lines beyond this are left out [m]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ObjectTruth:
    """One road user in a view; `None` boxes are those of which nothing is to be seen."""

    id: int
    """Of its actor; the id in the view's instances."""
    kind: Semantic
    box2d_px: Box | None
    """Extent of its pixels in the view, whole pixels."""
    whole2d_px: Box
    """Extent that it has in the picture with nothing in front of it, to a fraction of a pixel."""
    world_from_box: Float64[np.ndarray, "4 4"]
    """Centre and axes of its 3D box [m]."""
    size_m: Float64[np.ndarray, "3"]
    """Length, width, height of its 3D box [m]."""
    visible_px: int
    """Pixels in the view."""
    alone_px: int
    """Pixels in the view of it alone, all of them in the picture."""

    @property
    def visible_share(self) -> float:
        """Visible pixels over the pixels of the road user alone."""
        return self.visible_px / max(self.alone_px, 1)


def objects_in_view(
    world: World,
    camera: Camera,
    world_from_camera: Float64[np.ndarray, "4 4"],
    time_us: int,
    instance: Int32[np.ndarray, "h w"],
) -> tuple[ObjectTruth, ...]:
    """Every road user that would be in the picture were nothing in front of it, by id."""
    found = []
    for body in sorted(world.bodies, key=lambda body: body.actor.id):
        pose = part_pose(body, 0, np.array([time_us], np.int64))[0]
        if np.linalg.norm(pose[:3, 3] - world_from_camera[:3, 3]) > FAR_M:
            continue
        alone_px, whole = extent_alone(
            posed_mesh(body, time_us), camera, invert(pose) @ world_from_camera
        )
        if whole is None or alone_px == 0:
            continue
        row, column = np.nonzero(instance == body.actor.id)
        box = None
        if len(row):
            box = (column.min(), row.min(), column.max() + 1, row.max() + 1)
        found.append(
            ObjectTruth(
                id=body.actor.id,
                kind=body.actor.kind,
                box2d_px=None if box is None else _box(box),
                whole2d_px=whole,
                world_from_box=pose.copy(),
                size_m=body.actor.size_m,
                visible_px=len(row),
                alone_px=alone_px,
            )
        )
    return tuple(found)


def _box(numbers: tuple[object, ...] | np.ndarray) -> Box:
    left, top, right, bottom = (float(number) for number in np.array(numbers, np.float64))
    return left, top, right, bottom


def posed_mesh(body: Body, time_us: int) -> Mesh:
    """The body and its limbs at a time, in the frame of its box."""
    when = np.array([time_us], np.int64)
    limbs = (limb.mesh.moved(limb.box_from_limb(when)[0]) for limb in body.limbs)
    return join([body.mesh, *limbs])


def extent_alone(
    mesh: Mesh, camera: Camera, mesh_from_camera: Float64[np.ndarray, "4 4"]
) -> tuple[int, Box | None]:
    """How many pixel centres a lone mesh covers, and its extent in the picture, by rays.

    The extent is that of rays on a grid finer than pixels, grown by half a step of the grid; it
    is None where no ray meets the mesh.
    """
    left, top, right, bottom = _window(mesh, camera, mesh_from_camera)
    if right <= left or bottom <= top:
        return 0, None
    triangles = Triangles(mesh)
    area = (right - left) * (bottom - top)
    centres = _met(triangles, camera, mesh_from_camera, (left, top, right, bottom), 1)
    grid = int(np.clip(np.sqrt(MOST_RAYS / area), 1, FINEST))
    met = (
        centres
        if grid == 1
        else _met(triangles, camera, mesh_from_camera, (left, top, right, bottom), grid)
    )
    if not met.any():
        return 0, None
    row, column = np.nonzero(met)
    extent = np.array([column.min(), row.min(), column.max() + 1, row.max() + 1]) / grid
    return int(centres.sum()), _box(extent + [left, top, left, top])


def _window(
    mesh: Mesh, camera: Camera, mesh_from_camera: Float64[np.ndarray, "4 4"]
) -> tuple[int, int, int, int]:
    """Whole pixels outside of which the mesh cannot be; empty where it is not in the picture."""
    vertices = transform_points(invert(mesh_from_camera), mesh.vertices_m)
    size = np.array([camera.width, camera.height])
    ahead = vertices[:, 2] > 0.05
    if camera.is_perspective and not ahead.any():
        return 0, 0, 0, 0
    pixels = camera.project(vertices)
    if not camera.is_perspective or not ahead.all() or not np.isfinite(pixels).all():
        return 0, 0, camera.width, camera.height
    # A lens bends the edges of triangles, by far less than this.
    low = np.clip(np.floor(pixels.min(axis=0)) - 2, 0, size).astype(int)
    high = np.clip(np.ceil(pixels.max(axis=0)) + 2, 0, size).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _met(
    triangles: Triangles,
    camera: Camera,
    mesh_from_camera: Float64[np.ndarray, "4 4"],
    window: tuple[int, int, int, int],
    grid: int,
) -> np.ndarray:
    """Which rays of a window meet the mesh, `grid` x `grid` of them a pixel."""
    left, top, right, bottom = window
    x = left + (np.arange((right - left) * grid) + 0.5) / grid
    y = top + (np.arange((bottom - top) * grid) + 0.5) / grid
    pixels = np.stack(np.meshgrid(x, y), axis=-1)
    origins, directions = camera_rays(camera, pixels.reshape(-1, 2), mesh_from_camera)
    sighted = np.isfinite(directions).all(axis=1)
    met = np.zeros(len(origins), bool)
    met[sighted] = triangles.blocked(origins[sighted], directions[sighted])
    return met.reshape(pixels.shape[:2])


def lane_lines_in_view(
    lines: tuple[LaneLine, ...], camera: Camera, world_from_camera: Float64[np.ndarray, "4 4"]
) -> tuple[LaneLine, ...]:
    """Every run of points of a line that lies in the picture and is near; hidden ones count."""
    size = np.array([camera.width, camera.height])
    runs = []
    for line in lines:
        pixels = project_world(camera, line.points_m, world_from_camera)
        near = np.linalg.norm(line.points_m - world_from_camera[:3, 3], axis=1) < LINE_FAR_M
        with np.errstate(invalid="ignore"):
            inside = near & np.all((pixels >= 0.0) & (pixels <= size), axis=1)
        edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(int)))
        runs += [
            LaneLine(points_m=line.points_m[start:end], dashed=line.dashed)
            for start, end in zip(edges[::2], edges[1::2], strict=True)
            if end - start > 1
        ]
    return tuple(runs)
