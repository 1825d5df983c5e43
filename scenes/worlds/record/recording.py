"""What is recorded of a world, with which sensors, and where those are mounted.

Mounts are in the ego's frame: x forward, y left, z up, origin on the ground under the rear axle.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int64

from scenes.motion.geometry import rigid
from scenes.sensors.camera import Camera, Readout
from scenes.sensors.lidar import Lidar
from scenes.worlds.models.world import World
from scenes.worlds.record import rigs
from scenes.worlds.record.rigs import Mount
from scenes.worlds.trace.sensors import PLAIN, Sensor

FRAME_US = 100_000
"""Between frames, and one turn of the lidar."""
LIDAR_M = (1.2, 0.0, 1.92)
"""Where the lidar is."""
LONGEST = 250
"""Frames: 25 s."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """What is recorded, and how finely."""

    recipe: str = "street"
    """Name of the world's recipe (`scenes.worlds.recipes`)."""
    seed: int = 7
    """Of the world, and of all noise."""
    frames: int = 40
    """Pictures of each camera, and sweeps, 10 a second; at most 250."""
    width: int = 640
    height: int = 192
    rig: str = "mono"
    """Which cameras, one of `scenes.worlds.record.rigs.RIGS`."""
    readout_us: int = 0
    """Time in which the cameras read their lines; 0 is a global shutter."""
    readout: Readout = "top-bottom"
    """In which direction they read them."""
    sensor: Sensor = PLAIN
    """What the cameras add to what they see."""
    azimuth_steps: int = 180
    """Firings of the lidar's 32 beams in a turn."""
    quality: int = 90
    """Of the JPEG files."""
    view_frames: tuple[int, ...] = (12, 28)
    """Frames at which truth is also kept from off the path ..."""
    view_shifts_m: tuple[float, ...] = (0.0, 1.0, 2.0, 3.0)
    """... with the whole rig this far to the left [m]."""

    def __post_init__(self) -> None:
        longest = 40 if self.recipe == "street" else LONGEST
        if not 1 <= self.frames <= longest:
            raise ValueError(f"{self.recipe} is known for 1 to {longest} frames, not {self.frames}")
        if self.readout_us > FRAME_US:
            raise ValueError(f"readout_us must not exceed a frame's {FRAME_US}")

    def world(self) -> World:
        """The world that is driven through, known for at least 4 s.

        Raises:
            OtherlaneError: There is no such recipe.
        """
        from scenes.worlds.recipes import make_world

        return make_world(self.recipe, self.seed, max(4.0, self.frames * FRAME_US * 1e-6))

    def mounts(self) -> tuple[Mount, ...]:
        """The cameras.

        Raises:
            OtherlaneError: There is no such rig.
        """
        mounts = rigs.mounts(self.rig, self.width, self.height, self.readout_us)
        return tuple(replace(x, camera=replace(x.camera, readout=self.readout)) for x in mounts)

    def camera(self) -> Camera:
        """The first camera: a pinhole, 80 degrees wide."""
        return replace(rigs.pinhole(self.width, self.height, self.readout_us), readout=self.readout)

    def lidar(self) -> Lidar:
        """32 beams from 23 degrees below to 10 above the horizon."""
        return Lidar(
            elevation_rad=tuple(np.deg2rad(np.linspace(-23.0, 10.0, 32)).tolist()),
            azimuth_steps=self.azimuth_steps,
            period_us=FRAME_US,
            max_range_m=90.0,
        )

    def time_us(self) -> Int64[np.ndarray, "frames"]:
        """When each frame is taken [µs]."""
        return FRAME_US * np.arange(self.frames, dtype=np.int64)

    def exposure(self, camera: int = 0) -> Float64[np.ndarray, "frames"]:
        """How a camera's exposure drifts; the mean of its logarithm is 0."""
        return self.sensor.exposure(self.frames, camera)


def ego_from_camera() -> Float64[np.ndarray, "4 4"]:
    """Where the first camera of every rig is mounted."""
    return rigid(rigs.FORWARD, np.array(rigs.CAMERA_M))


def ego_from_lidar() -> Float64[np.ndarray, "4 4"]:
    """Where the lidar is mounted."""
    return rigid(np.eye(3), np.array(LIDAR_M))


def camera_pose(world: World, time_us: int, shift_m: float = 0.0) -> Float64[np.ndarray, "4 4"]:
    """`world_from_camera` on the recorded path, or beside it, to the ego's left."""
    shifted = rigid(np.eye(3), np.array([0.0, shift_m, 0.0]))
    return world.ego.at(np.array([time_us]))[0] @ shifted @ ego_from_camera()
