"""Cameras: from points to pixels and back, and the rays that pictures are made of.

Camera axes are x right, y down, z forward. Pixel (0, 0) is the top left pixel and its centre is
at (0.5, 0.5), so an image spans [0, width] x [0, height]. Drives that put pixel centres on whole
numbers (OpenCV, KITTI) must add 0.5 to the principal point at the door.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float64, Int64

from scenes.motion.geometry import invert
from scenes.motion.trajectory import Trajectory
from scenes.sensors.fisheye import fisheye_directions, fisheye_plane, fisheye_solid_angle
from scenes.sensors.lens import distort, magnification, undistort

MAX_DISTORTION = 1e6
"""No coefficient of a lens is larger; those of rational models reach hundreds."""
ROLLING_STEPS = 20
"""Fixed-point steps to find the row, hence the time, at which a point is seen."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Camera:
    """A camera with OpenCV's lens distortion, or a fisheye lens, and a readout time."""

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
    """OpenCV's k1 k2 p1 p2 [k3 [k4 k5 k6]], of a fisheye k1 k2 k3 k4; empty for none."""
    readout_us: int = 0
    """Time from the first row to the last [µs]; 0 is a global shutter."""
    fisheye: bool = False
    """Whether the lens is Kannala and Brandt's (`fisheye`), which may see behind itself."""

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"a camera needs pixels, got {self.width}x{self.height}")
        numbers = (self.fx, self.fy, self.cx, self.cy, *self.distortion)
        if not np.all(np.isfinite(numbers)) or self.fx <= 0 or self.fy <= 0:
            raise ValueError(f"intrinsics must be finite, focal lengths positive, got {numbers}")
        if self.fisheye and len(self.distortion) not in (0, 4):
            raise ValueError(f"a fisheye takes 0 or 4 numbers, got {len(self.distortion)}")
        if len(self.distortion) not in (0, 4, 5, 8):
            raise ValueError(f"distortion takes 0, 4, 5 or 8 numbers, got {len(self.distortion)}")
        if max(map(abs, self.distortion), default=0.0) > MAX_DISTORTION:
            raise ValueError(f"no lens has distortion {self.distortion}")
        if self.readout_us < 0:
            raise ValueError(f"readout_us must not be negative, got {self.readout_us}")

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
        lens is one-to-one (`scenes.sensors.lens`, `scenes.sensors.fisheye`).
        """
        if self.fisheye:
            landing = fisheye_plane(points_camera, self.distortion)
            return landing * [self.fx, self.fy] + [self.cx, self.cy]
        z = points_camera[..., 2]
        with np.errstate(divide="ignore", invalid="ignore"):
            plane = points_camera[..., :2] / np.where(z > 0, z, np.nan)[..., None]
        return distort(plane, self.distortion) * [self.fx, self.fy] + [self.cx, self.cy]

    def directions(self, pixels: Float[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n 3"]:
        """Unit directions of pixels in the camera's frame: multiply by range_m for points.

        Their z is the cosine with the optical axis (z_m = range_m * z), which is 0 or less where
        a fisheye looks sideways or back. NaN where the lens shows nothing: outside of a fisheye's
        image circle, or where only what a perspective lens folds back would land.
        """
        plane = self._on_lens(pixels)
        if self.fisheye:
            return fisheye_directions(plane, self.distortion)
        ahead = _with_z_1(undistort(plane, self.distortion))
        return ahead / np.sqrt(np.einsum("...i,...i->...", ahead, ahead))[..., None]

    def unproject(self, pixels: Float[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n 3"]:
        """Directions of pixels in the camera's frame, scaled to z = 1: multiply by z_m for points.

        NaN where there is none: where the lens shows nothing, and where a fisheye looks sideways
        or back (`directions` knows those too).
        """
        plane = self._on_lens(pixels)
        if not self.fisheye:
            return _with_z_1(undistort(plane, self.distortion))
        found = fisheye_directions(plane, self.distortion)
        return found / np.where(found[..., 2:] > 0.0, found[..., 2:], np.nan)

    def solid_angle_sr(self, pixels: Float[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n"]:
        """Solid angle that a whole pixel around each place covers [sr]; NaN where there is none."""
        plane, area = self._on_lens(pixels), 1.0 / (self.fx * self.fy)
        if self.fisheye:
            return fisheye_solid_angle(plane, self.distortion, area**0.5)
        flat = undistort(plane, self.distortion)
        if self.distortion:
            area = area / magnification(flat, self.distortion)
        # an area on the plane z = 1 is seen under area * cos^3
        return np.asarray(area * np.linalg.norm(_with_z_1(flat), axis=-1) ** -3.0)

    def _on_lens(self, pixels: Float[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n 2"]:
        """Where pixels are, in focal lengths from the principal point."""
        return (pixels - [self.cx, self.cy]) / [self.fx, self.fy]

    def pixel_centres(self) -> Float64[np.ndarray, "h w 2"]:
        """Centre of every pixel [px]."""
        x, y = np.arange(self.width) + 0.5, np.arange(self.height) + 0.5
        return np.stack(np.meshgrid(x, y), axis=-1)

    def row_offset_us(self, y: Float[np.ndarray, "*n"]) -> Float64[np.ndarray, "*n"]:
        """When each image row is exposed, after the first [µs]."""
        return self.readout_us * np.clip(y / self.height, 0.0, 1.0)


def camera_rays(
    camera: Camera,
    pixels: Float[np.ndarray, "n 2"],
    world_from_camera: Float64[np.ndarray, "4 4"] | Trajectory,
    time_us: int = 0,
) -> tuple[Float64[np.ndarray, "n 3"], Float64[np.ndarray, "n 3"]]:
    """Where the rays of `pixels` start [m, world], and their unit directions (world).

    A trajectory of the camera is followed from row to row (rolling shutter), `time_us` being
    the time of the first row; a single pose is a camera that stands still meanwhile.
    """
    directions = camera.directions(pixels)
    if isinstance(world_from_camera, Trajectory):
        at = time_us + np.round(camera.row_offset_us(pixels[:, 1])).astype(np.int64)
        poses = world_from_camera.at(at)
        return poses[:, :3, 3].copy(), np.einsum("nij,nj->ni", poses[:, :3, :3], directions)
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
    row = np.full(len(points_world), 0.5 * camera.height)
    pixels = np.full((len(points_world), 2), np.nan)
    for _ in range(ROLLING_STEPS if camera.readout_us else 1):
        offset = camera.row_offset_us(np.nan_to_num(row))
        at: Int64[np.ndarray, "n"] = time_us + np.round(offset).astype(np.int64)
        inverse = invert(world_from_camera.at(at))
        points = np.einsum("nij,nj->ni", inverse[:, :3, :3], points_world) + inverse[:, :3, 3]
        pixels = camera.project(points)
        if np.array_equal(pixels[:, 1], row, equal_nan=True):
            break
        row = pixels[:, 1]
    return pixels


def _with_z_1(plane: Float64[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n 3"]:
    ahead = np.where(np.isnan(plane[..., :1]), np.nan, 1.0)  # what is nowhere is not ahead
    return np.concatenate([plane, ahead], axis=-1)
