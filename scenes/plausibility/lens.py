"""Whether a camera's calibration belongs to pictures of their size.

A calibration for pictures of another size has its principal point off the middle by the same
ratio on both axes; cropping moves it along the axis that is cut. And pictures move as their lens
makes them: where the camera drives, a wrong size shows in where the motion comes from, a wrong
focal length in how pictures turn.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from scenes.camera import Camera
from scenes.errors import DriveError
from scenes.plausibility.seen_motion import POOR_PX, SHOWN, Fit, Pair, explains, fit_of

OFF_BOTH = 1.35
"""Principal points further out than the middle times this, or nearer than the middle by it, on
both axes are of another size. KITTI's crops have 0.92 to 0.99 times the middle, nuScenes' lie
within 1.1, and the ratio of sizes that people make is 1.5, 2 or more."""
USUAL_SIZES = np.array([0.2, 0.25, 0.3, 1 / 3, 0.4, 0.5, 0.6, 2 / 3, 0.75, 0.8,
                        1.25, 4 / 3, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0])  # fmt: skip
"""Ratios by which people resize pictures."""
EDGE_SHARE = 0.05
"""Nor does any picture have its principal point this near to its edge, in shares of its size."""
NOTED_PX = 1.0
"""Pictures that are further off the motion that is said are noted [px]."""
BETTER_NOTED = 1.5
"""A calibration that fits so many times as well is worth a note."""
SCALES = np.unique(np.concatenate([np.geomspace(0.2, 5.0, 81), USUAL_SIZES]))
"""Sizes that are tried: at most 4 % apart ..."""
AS_GOOD = 1.15
"""Sizes that fit within this ratio are told apart by how usual they are."""
COARSE = 4
"""... but first every so many of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rescaled:
    """A calibration for pictures of another size, or of another focal length."""

    camera: Camera
    scale: float
    """By how much."""
    kind: str
    """What of it is another."""
    what: str
    """What that means."""
    repair: str
    """What the user can do where it fits."""


def principal_point_problem(camera: Camera) -> tuple[str, str] | None:
    """What is wrong with a principal point, and what to try; None where nothing is."""
    place = f"the principal point ({camera.cx:g}, {camera.cy:g})"
    size = f"the pictures of {camera.width}x{camera.height}"
    share = np.array([camera.cx / camera.width, camera.cy / camera.height])
    fix = "the calibration of these pictures, at their size"
    if np.all(2.0 * share > OFF_BOTH) or np.all(2.0 * share < 1.0 / OFF_BOTH):
        # KITTI's own principal points are a little off the middle: take the nearest usual ratio.
        resized = min(USUAL_SIZES.tolist(), key=lambda size: abs(np.log(2.0 * size * share)).max())
        wrong = (
            f"{place} is off the middle of {size} on both axes, as if the pictures were "
            f"{resized:.2g} times as large as what was calibrated"
        )
        return wrong, f"{fix}: fx, fy, cx, cy times {resized:.2g}"
    if np.any(share <= 0.0) or np.any(share >= 1.0):
        return f"{place} is outside {size}", fix
    if np.any(np.abs(share - 0.5) > 0.5 - EDGE_SHARE):
        return f"{place} is at the edge of {size}", fix
    return None


def check_lens(
    pairs: tuple[Pair, ...],
    camera: Camera,
    world_from_camera: Float64[np.ndarray, "n 4 4"],
    where: object,
) -> str | None:
    """Whether the pictures' motion belongs to the calibration; a note where it fits badly.

    Args:
        pairs: Matches of the pictures; empty where they say nothing.
        camera: The calibration.
        world_from_camera: Pose of each picture [m].
        where: What an error names.

    Raises:
        DriveError: Another size or focal length explains it, and this one does not.
    """
    if not pairs:
        return None
    given = fit_of(pairs, camera, world_from_camera)
    if given.typical_px <= POOR_PX:
        return None
    other = _best_of(pairs[::2], camera, world_from_camera)
    best = fit_of(pairs, other.camera, world_from_camera)
    if explains(best, given):
        wrong = (
            f"the pictures move as if {other.what}: they are {given.typical_px:.1f} px off the "
            f"motion that poses and calibration say, and would be {best.typical_px:.1f}"
        )
        raise DriveError(where, wrong, other.repair)
    nearer = best.typical_px <= POOR_PX and best.typical_before >= SHOWN
    nearer = nearer and BETTER_NOTED * best.typical_px < given.typical_px
    if given.typical_px <= NOTED_PX and not nearer:
        return None
    note = (
        f"the pictures do not move as the poses and the calibration say: {given.typical_px:.1f} px "
        f"off (median, at {camera.width // pairs[0].shrunk} px of width)"
    )
    return f"{note}; {best.typical_px:.1f} px if {other.what}" if nearer else note


def _best_of(
    pairs: tuple[Pair, ...], camera: Camera, world_from_camera: Float64[np.ndarray, "n 4 4"]
) -> Rescaled:
    """The calibration that fits best: the best of a few, then of those around it."""
    found: list[tuple[Fit, Rescaled]] = []
    scales = SCALES[::COARSE]
    for _ in range(2):
        found += [
            (fit_of(pairs, other.camera, world_from_camera), other)
            for other in _others(camera, scales)
        ]
        best = min(found, key=lambda each: each[0].typical_px)
        nearby = np.abs(np.log(SCALES / best[1].scale)) < np.log(SCALES[COARSE] / SCALES[0])
        scales = SCALES[nearby]
    best = min(found, key=lambda each: each[0].typical_px)
    alike = [
        each
        for each in found
        if each[0].typical_px <= AS_GOOD * best[0].typical_px and each[1].kind == best[1].kind
    ]
    return min(alike, key=lambda each: np.abs(np.log(USUAL_SIZES / each[1].scale)).min())[1]


def _others(camera: Camera, scales: Float64[np.ndarray, "k"]) -> Iterator[Rescaled]:
    """Calibrations that a mistake would have replaced by the given one."""
    for scale in scales.tolist():
        fx, fy, cx, cy = (scale * value for value in (camera.fx, camera.fy, camera.cx, camera.cy))
        yield Rescaled(
            scale=scale,
            camera=replace(camera, fx=fx, fy=fy, cx=cx, cy=cy),
            kind="size",
            what=f"they were {scale:.2g} times as large as what was calibrated",
            repair=f"fx, fy, cx, cy times {scale:.2g}, or the pictures at their calibrated size "
            f"({camera.width / scale:.0f}x{camera.height / scale:.0f})",
        )
        yield Rescaled(
            scale=scale,
            camera=replace(camera, fx=fx, fy=fy),
            kind="focal length",
            what=f"their focal length were {scale:.2g} times the given one",
            repair=f"fx, fy of {fx:.0f}, {fy:.0f} px, or the calibration of this camera",
        )
        yield Rescaled(
            scale=scale,
            camera=replace(camera, fx=fx, cx=cx),
            kind="width",
            what=f"they were {scale:.2g} times as wide as what was calibrated",
            repair=f"fx, cx times {scale:.2g}, or the pictures at their calibrated width",
        )
        yield Rescaled(
            scale=scale,
            camera=replace(camera, fy=fy, cy=cy),
            kind="height",
            what=f"they were {scale:.2g} times as high as what was calibrated",
            repair=f"fy, cy times {scale:.2g}, or the pictures at their calibrated height",
        )
