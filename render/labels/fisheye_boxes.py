"""Boxes as a wide lens sees them, which bends every edge and may see beside and behind itself.

The same holds of a perspective lens that folds in or near its picture (`scenes.sensors.lens`).

There is no plane z = 1 that holds its view, so nothing is clipped against planes: points of the
box's surface are projected by the lens itself. Coordinates are the camera's [m], pixels ours.
"""

import numpy as np
from jaxtyping import Bool, Float64

from scenes.motion.geometry import box_corners, invert, transform_points
from scenes.sensors.camera import Camera

PIECES = 24
"""Into how many pieces each side of a face is cut: at 60 degrees, 2.5 each, 0.04 px off at most."""
CELLS = 64
"""Into how many cells along each side a face is cut, each of which is in the picture or not."""
LATTICE = 33
"""Places along each side of the picture whose rays say whether a box is before them."""
BISECTIONS = 30
"""Halvings that find where a line leaves the picture."""
FACES = ((0, 1, 2, 3), (4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7))
"""Corners of each face, in the order of `scenes.motion.geometry.box_corners`."""

Pose = Float64[np.ndarray, "4 4"]


def seen_points_px(
    camera: Camera, camera_from_box: Pose, size_m: Float64[np.ndarray, "3"]
) -> Float64[np.ndarray, "k 2"]:
    """Pixels in the picture of a box that nothing hides [px], its whole extent among them."""
    share = np.linspace(0.0, 1.0, PIECES + 1)
    places = _on_faces(camera_from_box, size_m, share)
    pixels, inside = _landing(camera, places)
    found = [pixels[inside]]
    for one, other in (np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:, :, :-1], np.s_[:, :, 1:]):
        leaves = inside[one] != inside[other]
        starts = np.where(inside[one][leaves][:, None], places[one][leaves], places[other][leaves])
        ends = np.where(inside[one][leaves][:, None], places[other][leaves], places[one][leaves])
        found.append(_last_px(camera, starts, ends))
    found.append(_covered_px(camera, camera_from_box, size_m))
    return np.concatenate(found)


def share_outside(camera: Camera, camera_from_box: Pose, size_m: Float64[np.ndarray, "3"]) -> float:
    """Share of the solid angle under which the camera has a box that is not in the picture."""
    middle = (np.arange(CELLS) + 0.5) / CELLS
    places = _on_faces(camera_from_box, size_m, middle)
    # Areas of cells as vectors; from outside, the faces that look at the camera hide the others.
    corners = transform_points(camera_from_box, box_corners(size_m))
    across = np.array([corners[face[1]] - corners[face[0]] for face in FACES])
    along = np.array([corners[face[3]] - corners[face[0]] for face in FACES])
    normal = np.cross(across, along)
    outwards = np.sum(normal * (places.mean(axis=(1, 2)) - camera_from_box[:3, 3]), axis=1)
    normal *= np.sign(outwards)[:, None]
    away_m = np.linalg.norm(places, axis=-1)
    towards = -np.einsum("fuvi,fi->fuv", places, normal) / np.maximum(away_m, 1e-9) ** 3
    within = bool(np.all(np.abs(invert(camera_from_box)[:3, 3]) < 0.5 * size_m))
    solid_angle = np.abs(towards) if within else np.maximum(towards, 0.0)
    _, inside = _landing(camera, places)
    whole = float(solid_angle.sum())
    return float(np.clip(1.0 - solid_angle[inside].sum() / whole, 0.0, 1.0)) if whole > 0 else 1.0


def seen_faces_px(
    camera: Camera, camera_from_box: Pose, size_m: Float64[np.ndarray, "3"]
) -> list[Float64[np.ndarray, "k 2"]]:
    """The box's faces as polygons [px], for drawing; without what the lens cannot see."""
    share = (np.arange(PIECES) / PIECES)[None, :, None]
    corners = transform_points(camera_from_box, box_corners(size_m))
    polygons = []
    for face in FACES:
        start = corners[list(face)]
        edge = start[:, None] * (1.0 - share) + np.roll(start, -1, axis=0)[:, None] * share
        pixels = camera.project(edge.reshape(-1, 3))
        polygons.append(pixels[np.isfinite(pixels).all(axis=1)])
    return polygons


def _on_faces(
    camera_from_box: Pose, size_m: Float64[np.ndarray, "3"], share: Float64[np.ndarray, "n"]
) -> Float64[np.ndarray, "6 n n 3"]:
    """A grid of points on each face."""
    corners = transform_points(camera_from_box, box_corners(size_m))
    across, along = share[:, None, None], share[None, :, None]
    a, b, _, d = (corners[[face[i] for face in FACES]][:, None, None] for i in range(4))
    return a + across * (b - a) + along * (d - a)


def _landing(
    camera: Camera, places: Float64[np.ndarray, "*n 3"]
) -> tuple[Float64[np.ndarray, "*n 2"], Bool[np.ndarray, "*n"]]:
    """Where points land [px], and which of them do in the picture."""
    pixels = camera.project(places)
    with np.errstate(invalid="ignore"):
        inside = np.all((pixels >= 0.0) & (pixels <= [camera.width, camera.height]), axis=-1)
    return pixels, inside


def _last_px(
    camera: Camera, starts: Float64[np.ndarray, "n 3"], ends: Float64[np.ndarray, "n 3"]
) -> Float64[np.ndarray, "n 2"]:
    """Where lines from points in the picture to others outside leave it [px]."""
    low, high = np.zeros((len(starts), 1)), np.ones((len(starts), 1))
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        _, inside = _landing(camera, starts + middle * (ends - starts))
        low, high = (
            np.where(inside[:, None], middle, low),
            np.where(inside[:, None], high, middle),
        )
    return camera.project(starts + low * (ends - starts))


def _covered_px(
    camera: Camera, camera_from_box: Pose, size_m: Float64[np.ndarray, "3"]
) -> Float64[np.ndarray, "k 2"]:
    """Places all over the picture whose rays meet the box: it may be wider than the view."""
    sides = np.linspace(0.0, camera.width, LATTICE), np.linspace(0.0, camera.height, LATTICE)
    pixels = np.stack(np.meshgrid(*sides), axis=-1).reshape(-1, 2)
    box_from_camera = invert(camera_from_box)
    along = camera.directions(pixels) @ box_from_camera[:3, :3].T
    half = 0.5 * np.asarray(size_m)
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = [(side * half - box_from_camera[:3, 3]) / along for side in (-1.0, 1.0)]
        entry, leave = np.minimum(*ends).max(axis=1), np.maximum(*ends).min(axis=1)
        return pixels[(leave > 0.0) & (leave > entry)]
