"""Which surface points some recorded frame saw, and which were never seen by anyone.

A point was seen if, in some frame, it lay inside the picture, on the side of its surface that
faced the camera, and the first surface on the ray towards it was no nearer than itself. A part of
the sky was seen if some frame looked that way and met nothing. World coordinates, metres.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

from scenes.motion.trajectory import Trajectory
from scenes.sensors.camera import Camera, project_world
from scenes.worlds.models.surface_points import SurfacePoints, placed
from scenes.worlds.trace.tracer import Tracer

NEAR_M, NEAR_SHARE = 0.01, 1e-3
"""A surface that is nearer than the point by less than this, plus this share, is the point's."""
ROLLING_STEPS = 3
"""Where a moving point is depends on when its line is exposed, and that on where it is."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Eye:
    """One camera of the recording, and where it was."""

    camera: Camera
    path: Trajectory
    """`world_from_camera` over the drive."""
    time_us: Int64[np.ndarray, "frames"]
    """When its frames were taken; the time of the first line."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Likeness:
    """How a point is looked at, and how like that a recorded frame must have looked at it."""

    directions: Float64[np.ndarray, "n 3"]
    """Unit directions in which each point is looked at."""
    range_m: Float64[np.ndarray, "n"]
    """From so far away."""
    side: float
    """Cosine of the largest angle between the two looks."""
    further: float
    """The frame was at most so many times as far away."""

    def of(self, index: Int64[np.ndarray, "m"]) -> "Likeness":
        """That of some of the points."""
        return replace(self, directions=self.directions[index], range_m=self.range_m[index])

    def holds(
        self, away_m: Float64[np.ndarray, "n 3"], range_m: Float64[np.ndarray, "n"]
    ) -> Bool[np.ndarray, "n"]:
        """Whether looks from a frame are like these; `away_m` go from its camera to the points."""
        near = range_m <= self.further * self.range_m
        return near & (np.einsum("ni,ni->n", away_m, self.directions) >= self.side * range_m)


def seen_points(
    recorded: Tracer,
    eyes: Sequence[Eye],
    points: SurfacePoints,
    time_us: int,
    like: Likeness | None = None,
) -> Bool[np.ndarray, "n"]:
    """Whether some frame saw each surface point, in the world as it was recorded.

    Args:
        recorded: The unperturbed world.
        eyes: The recording's cameras.
        points: Points of a perturbed world; one that is new there was never seen.
        time_us: Frames near this time are looked at first; only speed depends on it.
        like: How frames must have looked at them; anyhow when left out.
    """
    seen = np.zeros(len(points.owner), bool)
    for eye, frame_us in _frames(eyes, time_us):
        left = np.flatnonzero(~seen)
        if not len(left):
            break
        alike = None if like is None else like.of(left)
        seen[left] = _seen_in_frame(recorded, eye, frame_us, points[left], alike)
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
        pixels = _sky_pixels(eye, frame_us, directions[left])
        shown = _inside(eye.camera, pixels)
        inside, when = left[shown], _exposed_us(eye.camera, pixels[shown], frame_us)
        origins = eye.path.at(when)[:, :3, 3].copy()
        seen[inside] = ~recorded.blocked(origins, directions[inside], when)
    return seen


def _sky_pixels(
    eye: Eye, frame_us: int, directions: Float64[np.ndarray, "n 3"]
) -> Float64[np.ndarray, "n 2"]:
    """Where one frame shows what is far away in each world direction."""
    pose = eye.path.at(np.array([frame_us], np.int64))[0]
    pixels = eye.camera.project(directions @ pose[:3, :3])
    for _ in range(ROLLING_STEPS if eye.camera.readout_us else 0):
        turn = eye.path.at(_exposed_us(eye.camera, pixels, frame_us))[:, :3, :3]
        pixels = eye.camera.project(np.einsum("ni,nij->nj", directions, turn))
    return pixels


def _frames(eyes: Sequence[Eye], time_us: int) -> list[tuple[Eye, int]]:
    """Every frame of every camera, those nearest in time first."""
    frames = [(eye, int(frame)) for eye in eyes for frame in eye.time_us]
    return sorted(frames, key=lambda item: abs(item[1] - time_us))


def _inside(camera: Camera, pixels: Float64[np.ndarray, "n 2"]) -> Bool[np.ndarray, "n"]:
    size = np.array([camera.width, camera.height])
    with np.errstate(invalid="ignore"):
        return np.all((pixels >= 0.0) & (pixels <= size), axis=1)  # NaN is not inside


def _exposed_us(
    camera: Camera, pixels: Float64[np.ndarray, "n 2"], frame_us: int
) -> Int64[np.ndarray, "n"]:
    """When the lines of pixels are exposed [µs]; the first line's time where there is no pixel."""
    offset_us = np.nan_to_num(camera.readout_offset_us(pixels))
    return frame_us + np.round(offset_us).astype(np.int64)


def _seen_in_frame(
    recorded: Tracer, eye: Eye, frame_us: int, points: SurfacePoints, like: Likeness | None
) -> Bool[np.ndarray, "n"]:
    """Points that one frame saw, each line at its own time, whoever moves included."""
    place_m, normal = placed(recorded.world, points, frame_us)
    pixels = project_world(eye.camera, place_m, eye.path, frame_us)
    for _ in range(ROLLING_STEPS if eye.camera.readout_us else 0):
        when = _exposed_us(eye.camera, pixels, frame_us)
        place_m, normal = placed(recorded.world, points, when)
        pixels = project_world(eye.camera, place_m, eye.path, frame_us)
    inside = np.flatnonzero(_inside(eye.camera, pixels))
    when = _exposed_us(eye.camera, pixels[inside], frame_us)
    start = eye.path.at(when)[:, :3, 3]
    away = place_m[inside] - start
    range_m = np.linalg.norm(away, axis=1)
    facing = np.einsum("ni,ni->n", away, normal[inside]) < 0.0
    if like is not None:
        facing &= like.of(inside).holds(away, range_m)
    inside, away, range_m = inside[facing], away[facing], range_m[facing]
    origins, when = start[facing].copy(), when[facing]
    first = recorded.cast(origins, away / range_m[:, None], when).range_m
    seen = np.zeros(len(place_m), bool)
    seen[inside] = first > range_m * (1.0 - NEAR_SHARE) - NEAR_M
    return seen
