"""Whether a camera's calibration belongs to pictures of their size.

A calibration for pictures of another size has its principal point off the middle by the same
ratio on both axes; cropping moves it along the axis that is cut, and a crop on two sides looks
like another size: unless that is half or twice, only the pictures' motion tells. And pictures move
as their lens makes them: where the camera drives, a wrong size shows in where the motion comes
from, a wrong focal length in how pictures turn.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from scenes.errors import DriveError
from scenes.importers.plausibility.seen_motion import (
    BETTER,
    POOR_PX,
    SHOWN,
    Fit,
    Pair,
    explains,
    fit_of,
)
from scenes.sensors.camera import Camera

OFF_BOTH = 1.35
"""Principal points further out than the middle times this, or nearer than the middle by it, on
both axes may be of another size. KITTI's crops have 0.92 to 0.99 times the middle, nuScenes' lie
within 1.1, and the ratio of sizes that people make is 1.5, 2 or more."""
CERTAIN = 1.8
"""Beyond this they are: nobody cuts all but a quarter of a picture ..."""
ALIKE = 1.1
"""... if both axes agree within this; KITTI's own differ by 1.07."""
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
    resized = _resized(camera, CERTAIN)
    if resized is not None and share.max() < ALIKE * share.min():
        return _off_both(camera, resized), f"{fix}: fx, fy, cx, cy times {resized:.2g}"
    if np.any(share <= 0.0) or np.any(share >= 1.0):
        return f"{place} is outside {size}", fix
    if np.any(np.abs(share - 0.5) > 0.5 - EDGE_SHARE):
        return f"{place} is at the edge of {size}", fix
    return None


def _resized(camera: Camera, off: float) -> float | None:
    """The usual ratio of sizes nearest to where a principal point lies; None if it is not `off`.

    KITTI's own principal points are a little off the middle, so that it is not exact.
    """
    twice = np.array([2.0 * camera.cx / camera.width, 2.0 * camera.cy / camera.height])
    if not (np.all(twice > off) or (np.all(twice > 0.0) and np.all(twice < 1.0 / off))):
        return None
    return min(USUAL_SIZES.tolist(), key=lambda size: abs(np.log(size * twice)).max())


def _off_both(camera: Camera, resized: float) -> str:
    return (
        f"the principal point ({camera.cx:g}, {camera.cy:g}) is off the middle of the pictures of "
        f"{camera.width}x{camera.height} on both axes, as if the pictures were {resized:.2g} times "
        "as large as what was calibrated, or cropped on two sides"
    )


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
    resized = _resized(camera, OFF_BOTH)
    if not pairs:
        return None if resized is None else _off_both(camera, resized)
    given = fit_of(pairs, camera, world_from_camera)
    if given.typical_px <= POOR_PX:
        return None
    if resized is not None:
        other = next(_others(camera, np.array([resized])))
        best = fit_of(pairs, other.camera, world_from_camera)
        # Two things say the same, so that it need not fit as well as where it stands alone.
        if best.typical_before >= SHOWN and BETTER * best.typical_px < given.typical_px:
            raise _moves_as(where, other, given, best)
    other = _best_of(pairs[::2], camera, world_from_camera)
    best = fit_of(pairs, other.camera, world_from_camera)
    if explains(best, given):
        raise _moves_as(where, other, given, best)
    return _badly(given, best, f"at {camera.width // pairs[0].shrunk} px of width", other.what)


def _badly(given: Fit, best: Fit, size: str, what: str) -> str | None:
    """A note where nothing explains a bad fit, or something a fair one better."""
    nearer = best.typical_px <= POOR_PX and best.typical_before >= SHOWN
    nearer = nearer and BETTER_NOTED * best.typical_px < given.typical_px
    if given.typical_px <= NOTED_PX and not nearer:
        return None
    note = (
        f"the pictures do not move as the poses and the calibration say: {given.typical_px:.1f} px "
        f"off (median, {size})"
    )
    return f"{note}; {best.typical_px:.1f} px if {what}" if nearer else note


def _moves_as(where: object, other: Rescaled, given: Fit, best: Fit) -> DriveError:
    wrong = (
        f"the pictures move as if {other.what}: they are {given.typical_px:.1f} px off the "
        f"motion that poses and calibration say, and would be {best.typical_px:.1f}"
    )
    return DriveError(where, wrong, other.repair)


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


MISTAKES = (
    (
        "size", ("fx", "fy", "cx", "cy"),
        "they were {scale:.2g} times as large as what was calibrated",
        "fx, fy, cx, cy times {scale:.2g}, or the pictures at their calibrated size "
        "({width:.0f}x{height:.0f})",
    ),
    (
        "focal length", ("fx", "fy"),
        "their focal length were {scale:.2g} times the given one",
        "fx, fy of {fx:.0f}, {fy:.0f} px, or the calibration of this camera",
    ),
    (
        "width", ("fx", "cx"),
        "they were {scale:.2g} times as wide as what was calibrated",
        "fx, cx times {scale:.2g}, or the pictures at their calibrated width",
    ),
    (
        "height", ("fy", "cy"),
        "they were {scale:.2g} times as high as what was calibrated",
        "fy, cy times {scale:.2g}, or the pictures at their calibrated height",
    ),
)  # fmt: skip
"""Kinds of wrong calibrations: which numbers are off by one scale, what that means, the repair."""


def _others(camera: Camera, scales: Float64[np.ndarray, "k"]) -> Iterator[Rescaled]:
    """Calibrations that a mistake would have replaced by the given one."""
    for scale in scales.tolist():
        width, height = camera.width / scale, camera.height / scale
        for kind, names, what, repair in MISTAKES:
            other = replace(camera, **{name: scale * getattr(camera, name) for name in names})
            said = {"scale": scale, "width": width, "height": height}
            yield Rescaled(
                camera=other, scale=scale, kind=kind, what=what.format(**said),
                repair=repair.format(**said, fx=other.fx, fy=other.fy),
            )  # fmt: skip
