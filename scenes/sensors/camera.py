"""Cameras: from points to pixels and back, and the rays that pictures are made of.

Camera axes are x right, y down, z forward. Pixel (0, 0) is the top left pixel and its centre is
at (0.5, 0.5), so an image spans [0, width] x [0, height]. Drives that put pixel centres on whole
numbers (OpenCV, KITTI) must add 0.5 to the principal point at the door.

A rolling shutter reads its picture line by line: rows from the top or the bottom, or columns from
the left or the right. The time of a picture is that of the line that is read first.
"""

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Float64, Int64

from scenes.motion.geometry import invert
from scenes.motion.trajectory import Trajectory
from scenes.sensors.lens_models import LENSES, LensName

MAX_DISTORTION = 1e6
"""No coefficient of a lens is larger; those of rational models reach hundreds."""
ROLLING_STEPS = 20
"""Fixed-point steps to find the line, hence the time, at which a point is seen."""

TRIES = {0: 0.0, 1: 1.0, 2: 0.25, 3: 0.75}
"""By step: shares of the readout at which a point that was not seen so far is looked for."""

Readout = Literal["top-bottom", "bottom-top", "left-right", "right-left"]
"""From the line that is read first to the one that is read last."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Camera:
    """A camera with a lens of one of the models of `lens_models`, and a readout time."""

    width: int
    """Image width [px]."""
    height: int
    """Image height [px]."""
    fx: float
    """Focal length along x [px]."""
    fy: float
    """Focal length along y [px]."""
    cx: float
    """Principal point, x [px]; pixel centres at +0.5."""
    cy: float
    """Principal point, y [px]; pixel centres at +0.5."""
    distortion: tuple[float, ...] = ()
    """The numbers of the lens, as its model names them (`lens_models`); empty for none."""
    lens: LensName = "opencv"
    """Model of the lens; all but OpenCV's may see beside and behind themselves."""
    readout_us: int = 0
    """Time from the first line to the last [µs]; 0 is a global shutter."""
    readout: Readout = "top-bottom"
    """In which direction lines are read."""

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"a camera needs pixels, got {self.width}x{self.height}")
        numbers = (self.fx, self.fy, self.cx, self.cy, *self.distortion)
        if not np.all(np.isfinite(numbers)) or self.fx <= 0 or self.fy <= 0:
            raise ValueError(f"intrinsics must be finite, focal lengths positive, got {numbers}")
        if self.lens not in LENSES:
            raise ValueError(f"no lens is called {self.lens!r}: {', '.join(LENSES)}")
        if (problem := LENSES[self.lens].problem(self.distortion)) is not None:
            raise ValueError(f"distortion of the lens {self.lens} {problem}")
        if max(map(abs, self.distortion), default=0.0) > MAX_DISTORTION:
            raise ValueError(f"no lens has distortion {self.distortion}")
        if self.readout_us < 0:
            raise ValueError(f"readout_us must not be negative, got {self.readout_us}")
        if self.readout not in get_args(Readout):
            raise ValueError(f"no readout is called {self.readout!r}: {get_args(Readout)}")

    @property
    def is_perspective(self) -> bool:
        """Whether the lens is OpenCV's, which sees what is in front of it, on the plane z = 1."""
        return self.lens == "opencv"

    def scaled(self, width: int, height: int) -> "Camera":
        """The same camera with another number of pixels (the field of view is kept)."""
        x, y = width / self.width, height / self.height
        return replace(
            self,
            width=width,
            height=height,
            fx=self.fx * x,
            fy=self.fy * y,
            cx=self.cx * x,
            cy=self.cy * y,
        )

    def project(self, points_camera: Float[np.ndarray, "*n 3"]) -> Float64[np.ndarray, "*n 2"]:
        """Pixels of points in the camera's frame [px]; NaN where the lens cannot see a point.

        That is, where it is not in front of a perspective lens, or beyond the angle to which the
        lens is one-to-one (see the modules of `scenes.sensors.lens_models`).
        """
        plane = LENSES[self.lens].plane(points_camera, self.distortion)
        return plane * [self.fx, self.fy] + [self.cx, self.cy]

    def directions(self, pixels: Float[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n 3"]:
        """Unit directions of pixels in the camera's frame: multiply by range_m for points.

        Their z is the cosine with the optical axis (z_m = range_m * z), which is 0 or less where
        a wide lens looks sideways or back. NaN where the lens shows nothing: outside of its image
        circle, or where only what a lens folds back would land.
        """
        rays = LENSES[self.lens].rays(self._on_lens(pixels), self.distortion)
        return rays / np.sqrt(np.einsum("...i,...i->...", rays, rays))[..., None]

    def unproject(self, pixels: Float[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n 3"]:
        """Directions of pixels in the camera's frame, scaled to z = 1: multiply by z_m for points.

        NaN where there is none: where the lens shows nothing, and where a wide one looks sideways
        or back (`directions` knows those too).
        """
        rays = LENSES[self.lens].rays(self._on_lens(pixels), self.distortion)
        return rays / np.where(rays[..., 2:] > 0.0, rays[..., 2:], np.nan)

    def solid_angle_sr(self, pixels: Float[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n"]:
        """Solid angle that a whole pixel around each place covers [sr]; NaN where there is none."""
        area = 1.0 / (self.fx * self.fy)
        return LENSES[self.lens].solid_angle(self._on_lens(pixels), self.distortion, area)

    def _on_lens(self, pixels: Float[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n 2"]:
        """Where pixels are, in focal lengths from the principal point."""
        return (pixels - [self.cx, self.cy]) / [self.fx, self.fy]

    def pixel_centres(self) -> Float64[np.ndarray, "h w 2"]:
        """Centre of every pixel [px]."""
        x, y = np.arange(self.width) + 0.5, np.arange(self.height) + 0.5
        return np.stack(np.meshgrid(x, y), axis=-1)

    @property
    def reads_rows(self) -> bool:
        """Whether the lines that are read one after another are rows, or columns."""
        return self.readout in ("top-bottom", "bottom-top")

    @property
    def lines(self) -> int:
        """How many lines there are, numbered as the rows or columns they are."""
        return self.height if self.reads_rows else self.width

    def line_centres(self) -> Float64[np.ndarray, "lines 2"]:
        """The middle of each line [px]."""
        along = np.arange(self.lines) + 0.5
        middle = np.full(self.lines, 0.5 * (self.width if self.reads_rows else self.height))
        return np.stack([middle, along] if self.reads_rows else [along, middle], axis=-1)

    def readout_offset_us(self, pixels: Float[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n"]:
        """When the line of each place in the picture is read, after the first line [µs]."""
        along = pixels[..., 1] / self.height if self.reads_rows else pixels[..., 0] / self.width
        if self.readout in ("bottom-top", "right-left"):
            along = 1.0 - along
        return self.readout_us * np.clip(along, 0.0, 1.0)


def camera_rays(
    camera: Camera,
    pixels: Float[np.ndarray, "n 2"],
    world_from_camera: Float64[np.ndarray, "4 4"] | Trajectory,
    time_us: int = 0,
) -> tuple[Float64[np.ndarray, "n 3"], Float64[np.ndarray, "n 3"]]:
    """Where the rays of `pixels` start [m, world], and their unit directions (world).

    A trajectory of the camera is followed from line to line (rolling shutter), `time_us` being
    the time of the line that is read first; a single pose is a camera that stands still meanwhile.
    """
    directions = camera.directions(pixels)
    if isinstance(world_from_camera, Trajectory):
        at = time_us + np.round(camera.readout_offset_us(pixels)).astype(np.int64)
        first = np.flatnonzero(np.diff(at, prepend=at[:1] - 1))  # of pixels exposed at once
        poses = world_from_camera.at(at[first])
        poses = np.repeat(poses[:, :3], np.diff(first, append=len(at)), axis=0)
        return poses[..., 3].copy(), np.einsum("nij,nj->ni", poses[..., :3], directions)
    origins = np.broadcast_to(world_from_camera[:3, 3], directions.shape).copy()
    return origins, directions @ world_from_camera[:3, :3].T


def project_world(
    camera: Camera,
    points_world: Float[np.ndarray, "n 3"],
    world_from_camera: Float64[np.ndarray, "4 4"] | Trajectory,
    time_us: int = 0,
) -> Float64[np.ndarray, "n 2"]:
    """Pixels of world points [px]; NaN where not in front. The inverse of `camera_rays`."""
    if not isinstance(world_from_camera, Trajectory):
        camera_from_world = invert(world_from_camera)
        return camera.project(points_world @ camera_from_world[:3, :3].T + camera_from_world[:3, 3])
    pixels = np.full((len(points_world), 2), np.nan)
    offset = np.full(len(points_world), 0.5 * camera.readout_us)
    seen_at, left = np.full(len(points_world), np.nan), np.arange(len(points_world))
    for step in range(ROLLING_STEPS if camera.readout_us else 1):
        before = offset[left]
        at: Int64[np.ndarray, "n"] = time_us + np.round(before).astype(np.int64)
        inverse = invert(world_from_camera.at(at))
        points = np.einsum("nij,nj->ni", inverse[:, :3, :3], points_world[left])
        pixels[left] = camera.project(points + inverse[:, :3, 3])
        line_us = camera.readout_offset_us(pixels[left])
        seen_at[left] = np.where(np.isnan(line_us), seen_at[left], before)
        # beside the rim of what a lens shows, the next guess may be out of sight again: halfway
        elsewhere = TRIES.get(step, 0.0) * camera.readout_us
        guess = np.where(np.isnan(seen_at[left]), elsewhere, 0.5 * (seen_at[left] + before))
        offset[left] = np.where(np.isnan(line_us), guess, line_us)
        left = left[offset[left] != before]
        if not len(left):
            break
    return pixels
