"""KITTI's recording car: its size, how its cameras are mounted, and how they moved.

The car is a Volkswagen Passat B6 estate with four cameras on its roof.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64

from scenes.clip import ImageStream
from scenes.importers.formats.kitti_text import Pictures
from scenes.importers.plausibility.poses import judge_poses
from scenes.motion.geometry import invert, rigid, rotation_exp
from scenes.motion.trajectory import Trajectory
from scenes.sensors.camera import Camera

LICENCE = "CC BY-NC-SA 3.0 (KITTI; Geiger et al., CVPR 2012)"
"""What KITTI's owners allow: https://www.cvlibs.net/datasets/kitti."""
FRAME_HZ = 10.0
"""Pictures a second; the lidar turns at 10 Hz and triggers the cameras."""

# The sensor drawing at https://www.cvlibs.net/datasets/kitti/setup.php: cameras 1.65 m above the
# road, 1.68 m behind the front axle and 1.03 m before the rear axle (wheelbase 2.71 m). The
# calibration agrees: camera 0 is 0.27 + 0.81 m before the IMU, which the drawing puts 0.05 m
# behind the rear axle. The front overhang of a Passat B6 is 0.94 m.
CAMERA_HEIGHT_M = 1.65
"""Cameras above the road."""
REAR_AXLE_M = 1.03
"""From the rear axle forward to under the cameras."""
EGO_SIZE_M = (4.77, 1.82, 1.52)
"""Length, width, height of the car."""
EGO_FRONT_M = 1.68 + 0.94
"""From under the cameras forward to the front bumper."""

EGO_FROM_LEVEL_CAMERA = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
"""Axes of a level camera (x right, y down, z forward) in the car's (x forward, y left, z up)."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Ride:
    """One camera on its car, from the first picture to the last."""

    ours_from_recorded: Float64[np.ndarray, "4 4"]
    """From the drive's world to ours, which is the first ego pose's frame [m]."""
    ego: Trajectory
    """`world_from_ego`, in our world."""
    stream: ImageStream
    """The pictures."""
    notes: tuple[str, ...]
    """What was assumed of the mounting."""

    def world_from_camera(self) -> Float64[np.ndarray, "n 4 4"]:
        """Pose of the camera at each picture, in our world [m]."""
        return self.ego.world_from_body @ self.stream.ego_from_camera


def kitti_ride(
    name: str,
    camera: Camera,
    pictures: Pictures,
    time_us: Int64[np.ndarray, "n"],
    recorded_from_camera: Float64[np.ndarray, "n 4 4"],
    poses: Path,
) -> Ride:
    """The car's path from its camera's.

    Args:
        name: Name of the camera.
        camera: Its intrinsics.
        pictures: What it took.
        time_us: When [µs].
        recorded_from_camera: Where it was then, in the drive's world [m].
        poses: The file that says so.

    Raises:
        DriveError: The camera travels sideways, through the roof or, unless its pictures show a car
            that reverses, backwards.
    """
    stream = ImageStream(
        name=name,
        camera=camera,
        ego_from_camera=np.eye(4),
        time_us=time_us,
        files=pictures.files,
        exposure=np.ones(len(pictures.files)),
    )
    # The cameras are "approximately level" (KITTI's site), but by up to 1.2 degrees not, which over
    # 60 m makes 1.3 m of height.
    judged = judge_poses(recorded_from_camera, stream, poses)
    rotation = rotation_exp(np.array([0.0, judged.pitch, 0.0])) @ EGO_FROM_LEVEL_CAMERA
    ego_from_camera = rigid(rotation, np.array([0.0, 0.0, CAMERA_HEIGHT_M]))
    ours = ego_from_camera @ invert(recorded_from_camera[0])
    return Ride(
        ours_from_recorded=ours,
        ego=Trajectory(
            time_us=time_us, world_from_body=ours @ recorded_from_camera @ invert(ego_from_camera)
        ),
        stream=replace(stream, ego_from_camera=ego_from_camera),
        notes=(
            f"the ego origin is on the ground under the camera, {CAMERA_HEIGHT_M} m below it "
            f"(KITTI's figure); the rear axle is {REAR_AXLE_M} m behind",
            *judged.notes,
            "exposure is unknown and taken as constant",
        ),
    )
