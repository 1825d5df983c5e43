"""Which surface points some recorded frame saw, and which were never seen by anyone.

A point was seen if, in some frame, it lay inside the picture, on the side of its surface that
faced the camera, and the first surface on the ray towards it was no nearer than itself. A part of
the sky was seen if some frame looked that way and met nothing. World coordinates, metres.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from scenes.camera import Camera, project_world
from scenes.trajectory import Trajectory
from scenes.worlds.material import SurfacePoints, placed
from scenes.worlds.tracer import Tracer

NEAR_M, NEAR_SHARE = 0.01, 1e-3
"""A surface that is nearer than the point by less than this, plus this share, is the point's."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Eye:
    """One camera of the recording, and where it was."""

    camera: Camera
    path: Trajectory
    """`world_from_camera` over the drive."""
    time_us: Int64[np.ndarray, "frames"]
    """When its frames were taken; the time of the first row."""


def seen_points(
    recorded: Tracer, eyes: Sequence[Eye], points: SurfacePoints, time_us: int
) -> Bool[np.ndarray, "n"]:
    """Whether some frame saw each surface point, in the world as it was recorded.

    Args:
        recorded: The unperturbed world.
        eyes: The recording's cameras.
        points: Points of a perturbed world; one that is new there was never seen.
        time_us: Frames near this time are looked at first; only speed depends on it.
    """
    seen = np.zeros(len(points.owner), bool)
    for eye, frame_us in _frames(eyes, time_us):
        left = np.flatnonzero(~seen)
        if not len(left):
            break
        place, normal = placed(recorded.world, points[left], frame_us)
        seen[left] = _seen_in_frame(recorded, eye, frame_us, place, normal)
    return seen


def seen_sky(
    recorded: Tracer, eyes: Sequence[Eye], directions: Float64[np.ndarray, "n 3"], time_us: int
) -> Bool[np.ndarray, "n"]:
    """Whether some frame saw the sky in each world direction."""
    seen = np.zeros(len(directions), bool)
    for eye, frame_us in _frames(eyes, time_us):
        left = np.flatnonzero(~seen)
        if not len(left):
            break
        pose = eye.path.at(np.array([frame_us], np.int64))[0]
        pixels = eye.camera.project(directions[left] @ pose[:3, :3])
        inside = left[_inside(eye.camera, pixels)]
        origins = np.broadcast_to(pose[:3, 3], (len(inside), 3)).copy()
        when = np.full(len(inside), frame_us, np.int64)
        seen[inside] = ~recorded.blocked(origins, directions[inside], when)
    return seen


def _frames(eyes: Sequence[Eye], time_us: int) -> list[tuple[Eye, int]]:
    """Every frame of every camera, those nearest in time first."""
    frames = [(eye, int(frame)) for eye in eyes for frame in eye.time_us]
    return sorted(frames, key=lambda item: abs(item[1] - time_us))


def _inside(camera: Camera, pixels: Float64[np.ndarray, "n 2"]) -> Bool[np.ndarray, "n"]:
    size = np.array([camera.width, camera.height])
    with np.errstate(invalid="ignore"):
        return np.all((pixels >= 0.0) & (pixels <= size), axis=1)  # NaN is not inside


def _seen_in_frame(
    recorded: Tracer,
    eye: Eye,
    frame_us: int,
    place_m: Float64[np.ndarray, "n 3"],
    normal: Float64[np.ndarray, "n 3"],
) -> Bool[np.ndarray, "n"]:
    """Points that one frame saw; each row at its own time, what moves where it was at the first."""
    pixels = project_world(eye.camera, place_m, eye.path, frame_us)
    inside = np.flatnonzero(_inside(eye.camera, pixels))
    rows = eye.camera.row_offset_us(pixels[inside, 1])
    poses = eye.path.at(frame_us + np.round(rows).astype(np.int64))
    away = place_m[inside] - poses[:, :3, 3]
    range_m = np.linalg.norm(away, axis=1)
    facing = np.einsum("ni,ni->n", away, normal[inside]) < 0.0
    inside, away, range_m = inside[facing], away[facing], range_m[facing]
    origins = poses[facing][:, :3, 3].copy()
    when = np.full(len(inside), frame_us, np.int64)
    first = recorded.cast(origins, away / range_m[:, None], when).range_m
    seen = np.zeros(len(place_m), bool)
    seen[inside] = first > range_m * (1.0 - NEAR_SHARE) - NEAR_M
    return seen
