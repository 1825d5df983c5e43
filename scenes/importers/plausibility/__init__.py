"""What any recorded drive must look like to be one: checked at the door, for every importer.

Cars travel the way they look, at speeds that cars have; so do other road users; and pictures move
as the camera and its poses say. What cannot be is refused, with what would repair it; what is only
odd, and what could not be measured, becomes a note of the clip.
"""

from dataclasses import replace

import numpy as np

from scenes.clip import Clip, ImageStream
from scenes.errors import DriveError
from scenes.importers.plausibility.conventions import OPENGL
from scenes.importers.plausibility.lens import check_lens, principal_point_problem
from scenes.importers.plausibility.poses import AS_GOOD, backwards_of, shows_reversing
from scenes.importers.plausibility.seen_motion import (
    MAX_PAIR_M,
    MOST_PAIRS,
    PAIRS,
    POOR_PX,
    SHOWN,
    Pair,
    explains,
    fit_of,
    see_motion,
)
from scenes.importers.plausibility.speeds import check_speeds
from scenes.importers.plausibility.travel import Travel, check_reach, travel_of
from scenes.motion.geometry import invert
from scenes.motion.trajectory import Trajectory

AHEAD = np.array([1.0, 0.0, 0.0])
"""Where a car looks, in its own axes."""
FEWEST_PAIRS = 3
"""Pairs of pictures that are looked at of each camera, however many there are."""
OPPOSITE = 0.3
"""Share of places before the camera below which pictures move the other way than the poses;
so must most of the pairs."""

Seen = tuple[ImageStream, np.ndarray, tuple[Pair, ...]]
"""A camera, its pose at each picture [m], and what its pictures show."""


def check_clip(clip: Clip, where: object, rate_is_given: bool = False) -> Clip:
    """The clip, with notes of what is odd; decodes a few of its pictures.

    Args:
        clip: What an importer made.
        where: What an error names.
        rate_is_given: Whether its format carries no times, so that `--rate` says them.

    Raises:
        DriveError: Somebody is too fast, the car travels sideways, a principal point or the motion
            of the pictures does not belong to the calibration or to the poses; or one of the
            pictures that were looked at is damaged.
    """
    check_reach(clip.ego.world_from_body, where)
    notes: list[str | None] = [*check_speeds(clip, where, rate_is_given)]
    for stream in clip.cameras:
        if problem := principal_point_problem(stream.camera):
            raise DriveError(f"{where}: camera {stream.name}", *problem)
    backwards = _backwards(clip, where)
    count = max(PAIRS // len(clip.cameras), FEWEST_PAIRS)
    seen: list[Seen] = []
    for stream in clip.cameras:
        poses = _poses(clip.ego, stream)
        seen.append((stream, poses, see_motion(stream, poses, count)))
        _check_direction(seen[-1][2], stream, poses, f"{where}: camera {stream.name}")
    # one camera that shows the car reverse is proof: others may look at nothing sharp
    if backwards and not any(shows_reversing(pairs, at, poses) for at, poses, pairs in seen):
        wrong = f"the car{backwards_of(any(pairs for _, _, pairs in seen))}"
        raise DriveError(where, wrong, "poses whose x axis points ahead (y left, z up)")
    for stream, poses, pairs in seen:
        notes.append(check_lens(pairs, stream.camera, poses, f"{where}: camera {stream.name}"))
    unseen = [stream.name for stream, _, pairs in seen if not pairs]
    if unseen:
        notes.append(_not_compared(unseen))
    return replace(clip, notes=(*clip.notes, *(note for note in notes if note)))


def _not_compared(cameras: list[str]) -> str:
    return (
        f"the pictures of {', '.join(cameras)} could not be compared with the calibration: they "
        f"lie over {MAX_PAIR_M:g} m apart, stand, or show nothing sharp"
    )


def _poses(ego: Trajectory, stream: ImageStream) -> np.ndarray:
    """Pose of a camera when the middle line of each picture was read [m]."""
    return ego.at(stream.time_us + stream.camera.readout_us // 2) @ stream.ego_from_camera


def _backwards(clip: Clip, where: object) -> bool:
    """Whether the car travels mostly backwards; forwards or backwards it must."""
    travel = travel_of(clip.ego.world_from_body)
    ahead, back = travel.along(AHEAD)
    if not travel.measured or _stands(travel, clip.ego.world_from_body):
        return False
    if ahead + back <= 0.5:
        wrong = "the car travels sideways, or through the ground, most of the way"
        raise DriveError(where, wrong, "poses in the car's axes: x forward, y left, z up")
    return back > ahead


def _stands(travel: Travel, world_from_body: np.ndarray) -> bool:
    """Whether a car only wanders, and does not drive steadily once its poses are inverted."""
    return travel.drifts and travel_of(invert(invert(world_from_body[:1]) @ world_from_body)).drifts


def _check_direction(
    pairs: tuple[Pair, ...], stream: ImageStream, poses: np.ndarray, where: str
) -> None:
    """Whether pictures move the way of the poses, or as another reading of them says."""
    if not pairs:
        return
    given = fit_of(pairs, stream.camera, poses)
    opposite = float(np.mean(np.array(given.before) < OPPOSITE)) >= MOST_PAIRS
    if not opposite and given.typical_px <= POOR_PX:
        return
    from_first = invert(poses[:1]) @ poses
    readings = (
        (from_first[::-1], "their order were reversed", "pictures in the order of the poses"),
        (invert(from_first), "they were inverted", "world_from_camera, not its inverse"),
        (OPENGL.ours(poses), "axes were OpenGL's", "camera axes x right, y down, z forward"),
    )
    fits = [(fit_of(pairs, stream.camera, read), what, fix) for read, what, fix in readings]
    good = [each for each in fits if each[0].typical_before >= SHOWN]
    best_px = min((fit.typical_px for fit, _, _ in good), default=np.inf)
    alike = [each for each in good if each[0].typical_px <= min(POOR_PX, AS_GOOD * best_px)]
    if opposite or any(explains(fit, given) for fit, _, _ in alike):
        wrong = "the pictures move another way than the poses say"
        if not alike:
            raise DriveError(where, wrong, "the poses of these pictures, in their order")
        as_if = ", or as if ".join(what for _, what, _ in alike)
        raise DriveError(where, f"{wrong}: as if {as_if}", "; ".join(fix for _, _, fix in alike))
