"""The seam between renderers and all that is made of what they render: `Shot` in, `Buffers` out.

A shot says what picture is wanted: camera, poses, road users, light. A renderer answers with named
per-pixel arrays, those that were requested and no more. How it finds them (marching through
fields, merging road users, anti-aliasing, shading) is its own business; labels, exporters, previews
and jobs know nothing else. The radiance field is one renderer (`recon.rendering.renderer`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from recon.data.training_data import pixel_angle
from recon.lighting.daylight import Daylight
from scenes.actor import Actor
from scenes.clip import Clip
from scenes.motion.trajectory import Trajectory
from scenes.sensors.camera import Camera, camera_rays
from scenes.sensors.camera_look import NEUTRAL, CameraLook
from scenes.work.memoize import memoized
from scenes.work.short_repr import short_repr

Pose = Float64[np.ndarray, "4 4"]

UNDERBODY = -1
"""In the channel `instance`: the ground under a vehicle, as the vehicle's own field shows it."""

CHANNELS = MappingProxyType(
    {
        "linear": "float32 [h w 3], linear radiance, sky included, on the clip's mean exposure",
        "shown": "float32 [h w 3], sRGB in 0..1 of the same, as the camera shows it",
        "opacity": "float32 [h w], share of light that the scene absorbs",
        "range_m": "float32 [h w], first surface along each ray [m]; inf for sky",
        "normal": "float64 [h w 3], unit normal of that surface (world); NaN where there is none",
        "instance": "int64 [h w], k where the pixel shows the own field of road user k (from 1) of "
        "the shot, 0 for none, `UNDERBODY` for the ground under a vehicle",
        "support": "uint8 [h w], of the surface of road users with fields: 2 where training "
        "pictures showed it, 1 where only its mirror image, else 0",
        "observed": "bool [h w], whether training pictures showed the same from a comparable side "
        "and distance",
    }
)
"""Every channel that a renderer may be asked to render, and what it holds. Pixels in which the lens
sees nothing are black, transparent, infinitely far, unobserved, and nobody's."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Shot:
    """One picture to be rendered."""

    camera: Camera
    """Intrinsics of the picture."""
    stream: int = 0
    """The clip's camera whose mounting and photometry apply."""
    world_from_camera: Pose | Trajectory
    """Pose of the camera [m], or its trajectory where lines have their own times."""
    time_us: int
    """When the first line is exposed [µs]."""
    next_time_us: int | None = None
    """When the next picture of the same camera is taken [µs]; None where there is none."""
    actors: tuple[Actor, ...] = ()
    """Road users, where they are to be."""
    assets: Mapping[int, str] = field(default_factory=dict)
    """Which asset an actor looks like, by id; like itself when left out."""
    light: Daylight = field(default_factory=Daylight.unknown)
    """What lights the scene; `Renderer.light` is that of the recording."""
    camera_look: CameraLook = NEUTRAL
    """What the camera makes of the light."""

    __repr__ = short_repr

    def pose_at(self, time_us: int) -> Pose:
        """Of the camera [m]."""
        if isinstance(self.world_from_camera, Trajectory):
            return self.world_from_camera.at(np.array([time_us]))[0]
        return self.world_from_camera.copy()

    @property
    def middle(self) -> Pose:
        """Pose of the camera while the middle of the picture is exposed."""
        return self.pose_at(self.time_us + self.camera.readout_us // 2)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Buffers:
    """What a renderer found for every pixel of a shot."""

    channels: Mapping[str, Tensor]
    """Those requested, by name (see `CHANNELS`), on the CPU."""
    modelled: frozenset[int] = frozenset()
    """Ids of the shot's road users that are drawn apart from the static scene."""

    __repr__ = short_repr

    def __getitem__(self, name: str) -> Tensor:
        if name not in self.channels:
            requested = ", ".join(self.channels) or "nothing"
            raise KeyError(f"channel {name!r} was not requested, only {requested}")
        return self.channels[name]


@runtime_checkable
class Renderer(Protocol):
    """Whatever answers a shot with buffers, and knows the drive that it was made from."""

    @property
    def clip(self) -> Clip:
        """The drive."""
        ...

    @property
    def light(self) -> Daylight:
        """What lit the drive while it was recorded."""
        ...

    @property
    def scale(self) -> float:
        """Size of the pictures that it was made from, over that of the recorded ones."""
        ...

    @property
    def version(self) -> str:
        """What the bits of its pictures depend on besides scene and machine, in a word."""
        ...

    @property
    def modelled_ids(self) -> frozenset[int]:
        """Recorded road users that are drawn apart from the static scene, so can be edited."""
        ...

    @property
    def doubtful_actors(self) -> Mapping[int, str]:
        """Recorded road users that are not shown as recorded, by id, and why in words."""
        ...

    def render(self, shot: Shot, channels: Collection[str]) -> Buffers:
        """What every pixel of a shot shows.

        Args:
            shot: What picture is wanted.
            channels: Names in `CHANNELS`.

        Raises:
            OtherlaneError: An asset of the shot cannot be drawn.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PixelRays:
    """Rays through the centres of a shot's pixels, row by row.

    A ray that the lens lacks is a copy of another one, so that all are finite: `blind` says which.
    """

    origins_m: Float64[Tensor, "n 3"]
    """Where they start (world)."""
    directions: Float64[Tensor, "n 3"]
    """Unit directions (world)."""
    cosine: Float64[Tensor, "n"]
    """Of each ray and the camera's axis: planar z = range * cosine, 0 or less beside and behind;
    NaN where the lens sees nothing."""
    angle: Float[Tensor, "n"]
    """That each pixel spans [rad]."""
    time_us: Int64[Tensor, "n"]
    """When each pixel is exposed."""
    blind: Bool[Tensor, "n"]
    """Where the lens sees nothing."""


@memoized(1)
def pixel_rays(shot: Shot) -> PixelRays:
    """The rays of a shot; kept for the next one who asks, who must not change them.

    Raises:
        ValueError: The lens sees nothing in the picture.
    """
    pixels = shot.camera.pixel_centres().reshape(-1, 2)
    origins, directions = camera_rays(shot.camera, pixels, shot.world_from_camera, shot.time_us)
    cosine, angle = shot.camera.directions(pixels)[:, 2], pixel_angle(shot.camera)
    blind = np.isnan(cosine)
    if blind.all():
        raise ValueError("the lens of the camera sees nothing in the picture")
    for each in (origins, directions, angle):
        each[blind] = each[~blind][0]
    return PixelRays(
        origins_m=torch.from_numpy(origins),
        directions=torch.from_numpy(directions),
        cosine=torch.from_numpy(cosine),
        angle=torch.from_numpy(angle).float(),
        time_us=exposure_times(shot.camera, pixels, shot.time_us),
        blind=torch.from_numpy(blind),
    )


def exposure_times(
    camera: Camera, pixels: Float64[np.ndarray, "n 2"], time_us: int
) -> Int64[Tensor, "n"]:
    """When pixels are exposed [µs], the first line being exposed at `time_us`."""
    offset_us = np.round(camera.readout_offset_us(pixels)).astype(np.int64)
    return torch.from_numpy(time_us + offset_us)
