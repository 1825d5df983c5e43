"""Between our frames and nerfstudio's.

Ours: a metric world, z up; camera axes x right, y down, z forward (OpenCV). nerfstudio's: camera
axes x right, y up, z backward (OpenGL), in a scene that is centred on the cameras and scaled so
that they fill [-1, 1], z up too. Pixel centres are at +0.5 in both.
"""

# pyright: reportMissingImports=false

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from nerfstudio.cameras.cameras import Cameras, CameraType
from nerfstudio.cameras.rays import RayBundle
from torch import Tensor

from recon.data.training_data import camera_trajectory, scaled_camera
from recon.rendering.rays import Rays
from scenes.clip import Clip
from scenes.errors import OtherlaneError
from scenes.sensors.camera import Camera

OPENCV_FROM_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
SMALLEST_SCENE_M = 1.0
"""A car that stands still is not blown up beyond this [m]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HostFrame:
    """nerfstudio's scene: the world, shifted and scaled."""

    centre_m: tuple[float, float, float]
    """What lies at its origin, in the world [m]."""
    per_metre: float

    def scene(self, points_m: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 3"]:
        """World points in nerfstudio's scene."""
        return (points_m - torch.tensor(self.centre_m).to(points_m)) * self.per_metre

    def world(self, points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 3"]:
        """The inverse [m]."""
        return points / self.per_metre + torch.tensor(self.centre_m).to(points)

    def transform(self) -> Float[Tensor, "3 4"]:
        """nerfstudio's `dataparser_transform`: the shift, which the scale follows."""
        return torch.cat([torch.eye(3), -torch.tensor(self.centre_m)[:, None]], 1)

    def rays(self, bundle: RayBundle) -> Rays:
        """nerfstudio's rays in the world."""
        return Rays(
            origins_m=self.world(bundle.origins),
            directions=bundle.directions,
            pixel_angle=bundle.pixel_area[..., 0].sqrt(),
        )

    def bundle(self, rays: Rays) -> RayBundle:
        """Our rays in nerfstudio's scene."""
        return RayBundle(
            origins=self.scene(rays.origins_m),
            directions=rays.directions,
            pixel_area=rays.pixel_angle[:, None] ** 2,
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Pictures:
    """Some pictures of a clip."""

    stream: Int64[np.ndarray, "n"]
    """Number of the camera of each ..."""
    frame: Int64[np.ndarray, "n"]
    """... and which of that camera's pictures it is."""

    def __len__(self) -> int:
        return len(self.stream)


def host_frame(clip: Clip) -> HostFrame:
    """The scene of all cameras of a clip."""
    places = [camera_trajectory(clip, i).world_from_body for i in range(len(clip.cameras))]
    place_m = np.concatenate(places)[:, :3, 3]
    low, high = place_m.min(axis=0), place_m.max(axis=0)
    x, y, z = (0.5 * (low + high)).tolist()
    reach_m = max(0.5 * float((high - low).max()), SMALLEST_SCENE_M)
    return HostFrame(centre_m=(x, y, z), per_metre=1.0 / reach_m)


def host_cameras(clip: Clip, pictures: Pictures, frame: HostFrame, scale: float = 1.0) -> Cameras:
    """nerfstudio's cameras of some pictures, shrunk by `scale`.

    A camera of nerfstudio has one pose: with a rolling shutter, that of the middle line. Each
    remembers its picture in its metadata, as `stream` and `frame`.

    Raises:
        OtherlaneError: nerfstudio has no such lens.
    """
    poses, lenses = [], []
    for stream, index in zip(pictures.stream.tolist(), pictures.frame.tolist(), strict=True):
        images = clip.cameras[stream]
        camera = scaled_camera(images.camera, scale)
        middle_us = int(images.time_us[index]) + camera.readout_us // 2
        poses.append(clip.world_from_camera(stream, middle_us) @ OPENCV_FROM_OPENGL)
        lenses.append((camera, _distortion(camera, images.name)))
    world_from_camera = torch.from_numpy(np.stack(poses))
    centres = frame.scene(world_from_camera[:, :3, 3:].mT).mT
    numbers = {
        name: torch.tensor([float(getattr(camera, name)) for camera, _ in lenses])
        for name in ("fx", "fy", "cx", "cy")
    }
    return Cameras(
        camera_to_worlds=torch.cat([world_from_camera[:, :3, :3], centres], 2).float(),
        width=torch.tensor([camera.width for camera, _ in lenses]),
        height=torch.tensor([camera.height for camera, _ in lenses]),
        distortion_params=torch.tensor([distortion for _, distortion in lenses]),
        camera_type=CameraType.PERSPECTIVE,
        metadata={
            "stream": torch.from_numpy(pictures.stream)[:, None],
            "frame": torch.from_numpy(pictures.frame)[:, None],
        },
        **numbers,
    )


def _distortion(camera: Camera, name: str) -> list[float]:
    """nerfstudio's k1 k2 k3 k4 p1 p2 (its k4 is r^8, not OpenCV's)."""
    if not camera.is_perspective:
        wrong = f"has a lens of the model {camera.lens}, which this adapter does not translate"
        raise OtherlaneError(f"camera {name}", wrong, "train the clip with otherlane reconstruct")
    k1, k2, p1, p2, k3, *rational = (*camera.distortion, 0.0, 0.0, 0.0, 0.0, 0.0)[
        : max(5, len(camera.distortion))
    ]
    if any(rational):
        wrong = "has a rational lens model, which nerfstudio does not know"
        raise OtherlaneError(f"camera {name}", wrong, "undistort the pictures, then import again")
    return [k1, k2, k3, 0.0, p1, p2]
