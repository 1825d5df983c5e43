"""Which camera a KITTI drive with a COLMAP model has: the calibration's, or the model's.

KITTI's calibration puts pixel centres on whole numbers, COLMAP at +0.5, as we do. A model that was
solved with KITTI's numbers as they stand has its principal point half a pixel to the left of, and
above, where the calibration has it; its poses make up for that by a turn. KITTI's boxes were drawn
and projected with the calibration. So the rule: **the calibration wins, and poses that are the
model's are turned to fit it**, unless more than `MAX_LEFT_PX` would remain between the two
somewhere in the picture. Then the lenses differ by more than a turn: the poses keep the camera
they were solved with, and boxes are turned instead.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64

from scenes.importers.formats.colmap_text import ColmapImage
from scenes.motion.geometry import rigid
from scenes.sensors.camera import Camera

SAME_PX = 1e-3
"""Intrinsics nearer than this are the same ones."""
MAX_LEFT_PX = 0.5
"""A turn makes up for a moved principal point but for less than this, at KITTI's focal lengths."""
HALF_PIXEL_PX = 0.05
"""A principal point within this of half a pixel off on both axes was not converted."""
SAME_POSES_RAD = 1e-4
"""Poses whose turns are nearer than this (median) to the model's are its own."""
ACROSS, DOWN = 41, 15
"""Places in the picture at which the two cameras are compared."""

Pose = Float64[np.ndarray, "4 4"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Settled:
    """The camera of a drive, and how its given poses become that camera's."""

    camera: Camera
    given_from_camera: Pose = field(default_factory=lambda: np.eye(4))
    """A pure turn: poses of `camera` are the given ones times this."""
    camera_from_calibrated: Pose = field(default_factory=lambda: np.eye(4))
    """The turn to the calibrated camera, in which KITTI's boxes stand."""
    note: str = ""
    """Which it is and why, for the user of the clip."""


def settle_camera(
    calibrated: Camera,
    model: Camera,
    images: Mapping[int, ColmapImage],
    recorded_from_camera: Float64[np.ndarray, "n 4 4"],
) -> Settled:
    """Apply the rule above.

    Args:
        calibrated: The calibration's camera, in our convention.
        model: The COLMAP model's.
        images: The model's pictures.
        recorded_from_camera: The drive's poses.
    """
    which, gap_px = intrinsics_gap(model, calibrated)
    if gap_px < SAME_PX and model.distortion == calibrated.distortion:
        note = "intrinsics are the calibration's, which are the COLMAP model's too"
        return Settled(camera=calibrated, note=note)
    said = f"the COLMAP model's differ by up to {gap_px:.2g} px ({which})"
    if _half_a_pixel_off(model, calibrated):
        said += ", as KITTI's numbers do where nobody added 0.5 for COLMAP's pixel centres"
    calibration = f"intrinsics are the calibration's, with which KITTI projects its boxes; {said}"
    if not _are_the_models(images, recorded_from_camera):
        note = f"{calibration}; the poses are not the model's and are kept"
        return Settled(camera=calibrated, note=note)
    turn, left_px = turn_between(model, calibrated)
    if left_px > MAX_LEFT_PX:
        note = (
            f"intrinsics are the COLMAP model's, which the poses were solved with; {said}, of "
            f"which a turn leaves {left_px:.2f} px: boxes may be so far off KITTI's own projection"
        )
        blind = float(np.isnan(model.directions(model.pixel_centres())[..., 0]).mean())
        if blind:
            note += f"; its lens folds: {100 * blind:.1f} % of the pixels show nothing"
        return Settled(camera=model, camera_from_calibrated=turn, note=note)
    degrees = np.degrees(np.linalg.norm(turn[:3, :3] - np.eye(3)) / np.sqrt(2.0))
    note = (
        f"{calibration}; its poses are turned by {degrees:.3f} degrees to fit, which leaves "
        f"{left_px:.2f} px at most"
    )
    return Settled(camera=calibrated, given_from_camera=turn, note=note)


def intrinsics_gap(camera: Camera, other: Camera) -> tuple[str, float]:
    """The intrinsic that differs most, and by how much [px]."""
    gaps = {
        name: abs(getattr(camera, name) - getattr(other, name)) for name in ("fx", "fy", "cx", "cy")
    }
    worst = max(gaps, key=lambda name: gaps[name])
    return worst, gaps[worst]


def turn_between(model: Camera, calibrated: Camera) -> tuple[Pose, float]:
    """`model_from_calibrated`, and the most that is left between the two anywhere [px].

    It is the rotation under which the rays that the two cameras give to the same pixels agree best
    (Kabsch 1976).
    """
    x, y = np.linspace(0.0, model.width, ACROSS), np.linspace(0.0, model.height, DOWN)
    pixels = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    theirs, ours = model.directions(pixels), calibrated.directions(pixels)
    shown = np.isfinite(theirs + ours).all(axis=1)  # a lens may fold in the corners
    pixels, theirs, ours = pixels[shown], theirs[shown], ours[shown]
    u, _, v = np.linalg.svd(theirs.T @ ours)
    flip = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ v))])
    rotation = u @ flip @ v
    back = calibrated.project(theirs @ rotation)
    return rigid(rotation, np.zeros(3)), float(np.linalg.norm(back - pixels, axis=1).max())


def _half_a_pixel_off(model: Camera, calibrated: Camera) -> bool:
    off = np.array([calibrated.cx - model.cx, calibrated.cy - model.cy])
    return bool(np.all(np.abs(off - 0.5) < HALF_PIXEL_PX))


def _are_the_models(
    images: Mapping[int, ColmapImage], recorded_from_camera: Float64[np.ndarray, "n 4 4"]
) -> bool:
    """Whether the drive's poses are those that the model solved, and not from elsewhere."""
    turns = []
    for image in images.values():
        pose = recorded_from_camera[image.frame]
        relative = (pose @ image.camera_from_world)[:3, :3]
        turns.append(np.linalg.norm(relative - np.eye(3)) / np.sqrt(2.0))
    return float(np.median(turns)) < SAME_POSES_RAD
