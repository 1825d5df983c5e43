"""KITTI raw's calibration: where four rectified cameras, the Velodyne and the IMU are on the car.

`calib_cam_to_cam.txt` has for each camera 0X the projection P_rect_0X (from the rectified frame of
camera 0, as in KITTI's other formats) and the size S_rect_0X of its rectified pictures, and in
R_rect_00 the turn from camera 0 to its rectified frame. `calib_velo_to_cam.txt` takes the Velodyne
to camera 0 before it is rectified, `calib_imu_to_velo.txt` the IMU to the Velodyne:

    pixel ~ P_rect_0X R_rect_00 [R|T](velo to cam) [R|T](imu to velo) x_imu
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from scenes.errors import DriveError
from scenes.importers.formats.kitti_text import CALIBRATION, camera_from_rectified, read_projection
from scenes.importers.formats.text_tables import Line, finite_numbers, read_lines
from scenes.motion.geometry import invert, rigid, rigid_problem

CAMERAS = ("image_00", "image_01", "image_02", "image_03")
"""Grey left and right, colour left and right."""
CAM, VELO, IMU = "calib_cam_to_cam.txt", "calib_velo_to_cam.txt", "calib_imu_to_velo.txt"
Pose = Float64[np.ndarray, "4 4"]

# The sensor drawing (see kitti_car): the IMU is 0.05 m behind the rear axle and 0.93 m above the
# road. The middle of the car is taken to be under the Velodyne, as it is under the left cameras in
# KITTI's other formats.
IMU_BEHIND_M, IMU_HEIGHT_M = 0.05, 0.93


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Rig:
    """Where the sensors are."""

    folder: Path
    """Of the calibration."""
    velo_from_imu: Pose
    """From the IMU to the Velodyne [m]."""
    rectified_from_velo: Pose
    """From the Velodyne to the rectified frame of camera 0 [m]."""

    @property
    def ego_from_imu(self) -> Pose:
        """The car's origin is on the road under the rear axle, its axes are the IMU's [m]."""
        left_m = -float(invert(self.velo_from_imu)[1, 3])
        return rigid(np.eye(3), np.array([-IMU_BEHIND_M, left_m, IMU_HEIGHT_M]))

    @property
    def ego_from_velo(self) -> Pose:
        """Where the Velodyne is mounted [m]."""
        return self.ego_from_imu @ invert(self.velo_from_imu)

    def projection(self, camera: str) -> Float64[np.ndarray, "3 4"]:
        """P_rect of a camera.

        Raises:
            DriveError: There is none, or it is not that of a rectified pinhole.
        """
        return read_projection(self.folder / CAM, f"P_rect_{camera[-2:]}")

    def size(self, camera: str) -> tuple[int, int] | None:
        """Width and height of its rectified pictures, S_rect [px]; None where it is not said.

        Raises:
            DriveError: It is no size.
        """
        path, name = self.folder / CAM, f"S_rect_{camera[-2:]}"
        lines = read_lines(path, f"KITTI raw's {CAM}", CALIBRATION)
        line = next((line for line in lines if line.words[0] == f"{name}:"), None)
        if line is None:
            return None
        width, height = finite_numbers(line, name, line.words[1:], 2)
        return round(width), round(height)

    def ego_from_camera(self, projection: Float64[np.ndarray, "3 4"]) -> Pose:
        """Where the camera of a projection is mounted [m]."""
        camera_from_velo = camera_from_rectified(projection) @ self.rectified_from_velo
        return self.ego_from_velo @ invert(camera_from_velo)


def read_rig(folder: Path) -> Rig:
    """The calibration of one day of KITTI raw.

    Raises:
        DriveError: A file or line is missing, or malformed; it is named.
    """
    lines = _lines(folder / CAM)
    rectified = rigid(_rotation(folder / CAM, lines, "R_rect_00"), np.zeros(3))
    return Rig(
        folder=folder,
        velo_from_imu=_transform(folder / IMU),
        rectified_from_velo=rectified @ _transform(folder / VELO),
    )


def _lines(path: Path) -> dict[str, Line]:
    lines = read_lines(path, f"KITTI raw's {path.name}, beside the drive's folder", CALIBRATION)
    return {line.words[0].rstrip(":"): line for line in lines}


def _transform(path: Path) -> Pose:
    """The rigid transform of lines R and T [m]."""
    lines = _lines(path)
    rotation = _rotation(path, lines, "R")
    return rigid(rotation, np.array(_numbers(path, lines, "T", 3)))


def _rotation(path: Path, lines: dict[str, Line], name: str) -> Float64[np.ndarray, "3 3"]:
    """A rotation, made exact: seven digits leave it a little off, and inverses are transposes."""
    said = np.array(_numbers(path, lines, name, 9)).reshape(3, 3)
    if problem := rigid_problem(rigid(said, np.zeros(3))[None]):
        wrong = problem.replace("pose 0", name)
        raise DriveError(lines[name].place, wrong, "a rotation matrix, row by row")
    u, _, v = np.linalg.svd(said)
    return u @ v


def _numbers(path: Path, lines: dict[str, Line], name: str, count: int) -> list[float]:
    if name not in lines:
        fix = f"KITTI raw's {path.name}, with a line '{name}: ' and {count} numbers"
        raise DriveError(path, f"has no {name}", fix)
    return finite_numbers(lines[name], name, lines[name].words[1:], count)
