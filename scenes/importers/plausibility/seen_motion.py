"""How pictures move, and whether a camera and its poses explain it.

Of two pictures taken a little apart, places that show the same must lie on each other's epipolar
lines, and before both cameras (Longuet-Higgins 1981). Where the camera stands, where nothing is
sharp, or where pictures are too far apart to be matched, they say nothing.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, UInt8

from scenes.clip import ImageStream
from scenes.importers.plausibility.matching import find_corners, match
from scenes.motion.geometry import invert
from scenes.sensors.camera import Camera

PAIRS = 8
"""Pairs of pictures that are matched, however long the drive."""
PAIR_M = 1.0
"""A pair is at least this far apart [m] ..."""
MAX_PAIR_M = 4.0
"""... and at most this far, beyond which near things cannot be matched."""
LOOK_AHEAD = 1000
"""Pictures among which the second of a pair is looked for."""
WORK_PX = 1000
"""Wider pictures are matched at a whole fraction of their size, so that they are not."""
MIN_MATCHES = 40
"""Pairs with fewer matches do not count."""
MIN_PAIRS = 2
"""Fewer pairs than this say nothing."""
PARALLAX_RAD = np.radians(0.3)
"""Places that are seen under a smaller angle from both ends may be anywhere along their ray."""

POOR_PX = 0.6
"""Epipolar distance that is not a good fit; real drives have 0.2 to 0.35 [px]."""
BETTER = 3.0
"""Another reading explains the pictures better if it fits them so many times as well ..."""
MOST_PAIRS = 0.75
"""... in this share of the pairs ..."""
SHOWN = 0.7
"""... and puts this share of all places before the camera."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Pair:
    """Matches of two pictures."""

    first: int
    """Index of the earlier picture."""
    second: int
    """Index of the later one."""
    first_px: Float64[np.ndarray, "m 2"]
    """Where things were in the earlier picture [px] ..."""
    second_px: Float64[np.ndarray, "m 2"]
    """... and in the later one [px]."""
    shrunk: int
    """What the pictures were divided by to be matched."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """How well a camera and its poses explain the pictures' motion."""

    off_px: tuple[float, ...]
    """Of each pair: distance from the epipolar line (median), at the size that was matched [px]."""
    before: tuple[float, ...]
    """Of each pair: the share of places that lie before both cameras."""

    @property
    def typical_px(self) -> float:
        """Distance from the epipolar line of the middle pair [px]."""
        return float(np.median(self.off_px))

    @property
    def typical_before(self) -> float:
        """The share of the middle pair; 0.5 where nothing moved enough to say."""
        return float(np.median(self.before))


def see_motion(
    stream: ImageStream, world_from_camera: Float64[np.ndarray, "n 4 4"], pairs: int = PAIRS
) -> tuple[Pair, ...]:
    """Matches of a few pairs of pictures, spread over the drive; empty where they say nothing.

    Args:
        stream: The pictures, of which two are decoded for each pair.
        world_from_camera: Pose of each [m]; only distances are taken from it.
        pairs: At most so many.

    Raises:
        DriveError: One of the pictures is missing or damaged.
    """
    shrunk = -(-stream.camera.width // WORK_PX)
    found = []
    for first, second in _apart(world_from_camera[:, :3, 3], pairs):
        one, other = (find_corners(*_grey(stream, i, shrunk)) for i in (first, second))
        at, then = match(one, other)
        if len(at) >= MIN_MATCHES:
            found.append(
                Pair(
                    first=first,
                    second=second,
                    first_px=at * shrunk,
                    second_px=then * shrunk,
                    shrunk=shrunk,
                )
            )
    return tuple(found) if len(found) >= MIN_PAIRS else ()


def _grey(
    stream: ImageStream, index: int, shrunk: int
) -> tuple[UInt8[np.ndarray, "h w"], Bool[np.ndarray, "h w"] | None]:
    """A smaller picture, and which of its pixels are wholly opaque; None where all are."""
    from PIL import Image

    picture, opaque = stream.read_masked(index)
    grey = np.asarray(Image.fromarray(picture).convert("L").reduce(shrunk))
    if opaque is None:
        return grey, None
    return grey, np.asarray(Image.fromarray(opaque).convert("L").reduce(shrunk)) == 255


def _apart(place_m: Float64[np.ndarray, "n 3"], pairs: int) -> list[tuple[int, int]]:
    """Pairs of pictures some `PAIR_M` apart, evenly spread over the distance travelled."""
    step_m = np.linalg.norm(np.diff(place_m, axis=0), axis=1)
    travelled_m = np.concatenate([[0.0], np.cumsum(step_m)])
    found: list[tuple[int, int]] = []
    for start_m in np.linspace(0.0, travelled_m[-1], pairs + 2)[1:-1]:
        first = int(np.searchsorted(travelled_m, start_m, side="right")) - 1
        after = slice(first + 1, first + 1 + LOOK_AHEAD)
        apart_m = np.linalg.norm(place_m[after] - place_m[first], axis=1)
        far = np.flatnonzero(apart_m >= PAIR_M)
        if len(far) and apart_m[far[0]] <= MAX_PAIR_M:
            pair = (first, first + 1 + int(far[0]))
            if pair not in found:
                found.append(pair)
    return found


def fit_of(
    pairs: tuple[Pair, ...], camera: Camera, world_from_camera: Float64[np.ndarray, "n 4 4"]
) -> Fit:
    """How well a camera and poses explain what the pictures show.

    Args:
        pairs: At least one.
        camera: Its intrinsics, for pictures of the size that was matched.
        world_from_camera: Pose of each picture [m].
    """
    each = [
        _explained(
            pair, camera, invert(world_from_camera[pair.second]) @ world_from_camera[pair.first]
        )
        for pair in pairs
    ]
    return Fit(off_px=tuple(off for off, _ in each), before=tuple(share for _, share in each))


def explains(best: Fit, given: Fit) -> bool:
    """Whether another reading of a drive fits its pictures, and this one does not."""
    better = np.array(given.off_px) > BETTER * np.array(best.off_px)
    return (
        best.typical_px <= POOR_PX < given.typical_px
        and given.typical_px > BETTER * best.typical_px
        and float(np.mean(better)) >= MOST_PAIRS
        and best.typical_before >= SHOWN
    )


def _explained(
    pair: Pair, camera: Camera, second_from_first: Float64[np.ndarray, "4 4"]
) -> tuple[float, float]:
    """Distance from the epipolar line (median) [px], and the share before both cameras.

    A place at range r along `ahead` lies at s along `later`: s later = r turned + shift.
    """
    turned = camera.directions(pair.first_px) @ second_from_first[:3, :3].T
    later, shift = camera.directions(pair.second_px), second_from_first[:3, 3]
    seen = np.isfinite(turned).all(axis=1) & np.isfinite(later).all(axis=1)
    if not seen.any():
        return np.inf, 0.5
    turned, later = turned[seen], later[seen]
    off = _off_line_px(np.cross(shift, turned), later, camera) / pair.shrunk
    across = np.cross(later, turned)
    near = np.linalg.norm(across, axis=1) > PARALLAX_RAD
    before = (np.sum(across * np.cross(shift, later), axis=1) > 0) & (
        np.sum(across * np.cross(shift, turned), axis=1) > 0
    )
    return float(np.median(off)), float(np.mean(before[near])) if near.sum() >= 10 else 0.5


def _off_line_px(
    normal: Float64[np.ndarray, "m 3"], ray: Float64[np.ndarray, "m 3"], camera: Camera
) -> Float64[np.ndarray, "m"]:
    """Distance of rays from planes through the camera, along the picture [px].

    Pictures are flat, unless a wide lens took them.
    """
    off = np.abs(np.sum(normal * ray, axis=1))
    if not camera.is_perspective:
        length = np.linalg.norm(normal, axis=1) / np.sqrt(camera.fx * camera.fy)
    else:
        length = np.hypot(normal[:, 0] / camera.fx, normal[:, 1] / camera.fy) * ray[:, 2]
    return off / np.maximum(length, 1e-12)
