"""Whether poses are a camera's in the world, and how far it looks below its travel.

Poses alone tell axes and inverses apart from a camera that travels the way it looks, but not a
car that reverses on a straight road from an inverse: there the pictures must show it.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from scenes.clip import ImageStream
from scenes.errors import DriveError
from scenes.importers.plausibility.conventions import (
    FORWARD,
    Convention,
    likely_conventions,
    looks_along,
    pitch_of,
)
from scenes.importers.plausibility.seen_motion import SHOWN, Pair, explains, fit_of, see_motion
from scenes.importers.plausibility.travel import MIN_STEPS, STEP_M, check_reach, travel_of

Poses = Float64[np.ndarray, "n 4 4"]
"""Poses in the order of time [m]."""

PROVEN_PX = 2.0
"""Poses whose pictures are further off their motion than this are proven by nothing [px]."""
AS_GOOD = 1.3
"""Readings whose pictures fit within this ratio are told apart by nothing."""
NOTICED = 0.02
"""Share of a drive that may be backwards without being mentioned."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What poses say of a camera's mounting."""

    pitch: float
    """How far it looks below the direction of travel; 0 where that could not be measured [rad]."""
    notes: tuple[str, ...]
    """Where that is from, and whether the car reversed."""


def judge_poses(world_from_camera: Poses, stream: ImageStream, where: object) -> Judged:
    """Whether a camera travels the way it looks, and its pitch.

    Args:
        world_from_camera: Its pose at each picture, in the drive's own world [m].
        stream: Its pictures; a few are decoded, and only where poses alone do not tell.
        where: What an error names.

    Raises:
        DriveError: It is nowhere on Earth, or travels sideways, through the roof or, unless its
            pictures show a car that reverses, mostly backwards. The convention that would explain
            the poses is named.
    """
    check_reach(world_from_camera, where)
    travel = travel_of(world_from_camera)
    if not travel.measured or (travel.drifts and not _steady_otherwise(world_from_camera)):
        return _unmeasured()
    if not looks_along(travel):
        likely = likely_conventions(world_from_camera)
        raise _wrong_way(where, _seen(likely, stream, world_from_camera), "")
    ahead, back = travel.along(FORWARD)
    if back > ahead:
        pairs = see_motion(stream, world_from_camera)
        likely = likely_conventions(world_from_camera)
        if not shows_reversing(pairs, stream, world_from_camera, likely):
            likely = _seen(likely, stream, world_from_camera)
            raise _wrong_way(where, likely, ": it" + backwards_of(bool(pairs)))
    pitch = pitch_of(travel)
    looks = (
        f"the camera looks {np.degrees(pitch):.2f} degrees below the direction of travel "
        f"(measured over {travel.length_m:.3g} m); its roll and yaw on the car are taken as 0"
    )
    reverses = f"the car reverses over {100.0 * back:.0f} % of its way"
    return Judged(pitch=pitch, notes=(looks, reverses) if back > NOTICED else (looks,))


def shows_reversing(
    pairs: tuple[Pair, ...],
    stream: ImageStream,
    poses: Poses,
    others: tuple[Convention, ...] = (),
) -> bool:
    """Whether pictures move as the poses of a car that reverses say.

    Args:
        pairs: Matches of the pictures; none are no proof.
        stream: The pictures.
        poses: Of the camera [m].
        others: What the poses may mean instead; one that explains the pictures better is right.
    """
    if not pairs:
        return False
    given = fit_of(pairs, stream.camera, poses)
    fits = [fit_of(pairs, stream.camera, other.ours(poses)) for other in others]
    moves = given.typical_before >= SHOWN and given.typical_px <= PROVEN_PX
    return moves and not any(explains(fit, given) for fit in fits)


def _steady_otherwise(poses: Poses) -> bool:
    """Whether poses that wander are those of a steady drive in another convention."""
    likely = likely_conventions(poses)
    return any(not travel_of(each.ours(poses)).drifts for each in likely)


def _unmeasured() -> Judged:
    note = (
        "the camera's axes and pitch could not be measured: the drive does not travel "
        f"{MIN_STEPS * STEP_M:g} m in one direction; it is taken as level, looking ahead"
    )
    return Judged(pitch=0.0, notes=(note,))


def backwards_of(pictures_say: bool) -> str:
    """What is wrong with a drive that goes backwards, whether or not its pictures were matched."""
    if pictures_say:
        return " travels backwards, and its pictures do not show a car that reverses"
    return " travels backwards, and its pictures do not tell whether the car reversed"


def _seen(
    likely: tuple[Convention, ...], stream: ImageStream, poses: Poses
) -> tuple[Convention, ...]:
    """Of several readings those that the pictures fit best, if they fit any."""
    if len(likely) < 2:
        return likely
    pairs = see_motion(stream, likely[0].ours(poses))
    fits = [fit_of(pairs, stream.camera, each.ours(poses)) for each in likely if pairs]
    ahead = [
        (fit.typical_px, each)
        for fit, each in zip(fits, likely, strict=False)
        if fit.typical_before >= SHOWN
    ]
    if not ahead:
        return likely
    best = min(off for off, _ in ahead)
    return tuple(each for off, each in ahead if off <= AS_GOOD * best)


def _wrong_way(where: object, likely: tuple[Convention, ...], how: str) -> DriveError:
    wrong = f"the camera does not travel the way it looks (z forward, y down){how}"
    wanted = "world_from_camera, not its inverse, and camera axes x right, y down, z forward"
    if not likely:
        return DriveError(where, wrong, wanted)
    names = ", or ".join(each.name for each in likely[:2])
    repairs = ", or ".join(each.repair for each in likely[:2])
    return DriveError(where, f"{wrong}; these look like {names}", f"{repairs}: {wanted}")
