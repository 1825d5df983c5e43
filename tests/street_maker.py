"""A street of textured walls whose pictures move as they must, in KITTI's layouts.

The world is a camera's that looks along the street: x right, y down, z forward, in metres.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from scenes.motion.geometry import invert, rigid, rotation_exp
from tests.kitti_maker import row, write

WIDTH, HEIGHT, FOCAL_PX = 320, 104, 180.0
GROUND_M, SIDE_M, FAR_M = 1.65, 7.0, 120.0
"""How deep the ground lies below the camera, how far the walls stand off, and where it ends."""
LONGEST_M, OCTAVES = 4.0, 5
"""Largest spots of the texture; each finer one is half as large."""


def drive(count: int, step_m: float, turn_rad: float = 0.0) -> np.ndarray:
    """world_from_camera of a car that goes ahead and turns right by `turn_rad` in all."""
    yaw = np.linspace(0.0, turn_rad, count)
    rotation = rotation_exp(yaw[:, None] * [0.0, 1.0, 0.0])
    # The chord of an arc lies halfway between the headings of its ends.
    heading = 0.5 * (yaw[:-1] + yaw[1:])
    steps = step_m * np.stack([np.sin(heading), np.zeros(count - 1), np.cos(heading)], axis=1)
    return rigid(rotation, np.concatenate([np.zeros((1, 3)), np.cumsum(steps, axis=0)]))


def picture(world_from_camera: np.ndarray, focal_px: float = FOCAL_PX) -> np.ndarray:
    """What a camera with its principal point in the middle sees, 8-bit grey."""
    x = (np.arange(WIDTH) + 0.5 - WIDTH / 2) / focal_px
    y = (np.arange(HEIGHT) + 0.5 - HEIGHT / 2) / focal_px
    ray = np.stack([*np.meshgrid(x, y), np.ones((HEIGHT, WIDTH))], axis=-1)
    ray = ray @ world_from_camera[:3, :3].T
    eye = world_from_camera[:3, 3]
    with np.errstate(divide="ignore"):
        along = np.stack(
            [
                (GROUND_M - eye[1]) / ray[..., 1],
                (SIDE_M - eye[0]) / ray[..., 0],
                (-SIDE_M - eye[0]) / ray[..., 0],
                (FAR_M - eye[2]) / ray[..., 2],
            ]
        )
    along[~(along > 0)] = np.inf
    wall = along.argmin(axis=0)
    depth = along.min(axis=0)
    place = eye + depth[..., None] * ray
    u = np.where((wall == 1) | (wall == 2), place[..., 1], place[..., 0])
    v = np.where(wall == 3, place[..., 1], place[..., 2])
    return _texture(u, v, wall, depth / focal_px)


def _texture(u: np.ndarray, v: np.ndarray, wall: np.ndarray, pixel_m: np.ndarray) -> np.ndarray:
    """Noise of all sizes but those that a pixel cannot show."""
    table = np.random.default_rng(5).random((128, 128))
    grey = np.zeros(u.shape)
    for octave in range(OCTAVES):
        size = LONGEST_M / 2**octave
        shown = np.clip(size / (3.0 * pixel_m) - 1.0, 0.0, 1.0)
        grey += shown * (_noise(table, u / size + 31.7 * wall, v / size + 17.3 * octave) - 0.5)
    return np.clip(128.0 + 110.0 * grey, 0, 255).astype(np.uint8)


def _noise(table: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    i, j = np.floor(u).astype(int), np.floor(v).astype(int)
    a, b = u - i, v - j

    def at(di: int, dj: int) -> np.ndarray:
        return table[(i + di) % 128, (j + dj) % 128]

    low = at(0, 0) * (1 - a) + at(1, 0) * a
    high = at(0, 1) * (1 - a) + at(1, 1) * a
    return low * (1 - b) + high * b


def make_tracking(
    root: Path,
    said: np.ndarray,
    seen: np.ndarray | None = None,
    shown: float = 1.0,
    labels: tuple[str, ...] = (),
) -> Path:
    """A KITTI tracking drive.

    Args:
        root: Its folder.
        said: What its pose file says.
        seen: world_from_camera of each picture; they are flat, and say nothing, when left out.
        shown: Size of the pictures in shares of what the calibration is for.
        labels: Lines of its label file.
    """
    folder = root / "image_02" / "0003"
    folder.mkdir(parents=True)
    flat = np.full((HEIGHT, WIDTH), 128, np.uint8)
    for index in range(len(said)):
        image = Image.fromarray(flat if seen is None else picture(seen[index]))
        if shown != 1.0:
            image = image.resize(
                (round(shown * WIDTH), round(shown * HEIGHT)), Image.Resampling.BOX
            )
        image.save(folder / f"{index:06d}.png")
    write(root / "calib" / "0003.txt", [f"P2: {row(projection())}"])
    write(root / "poses" / "0003.txt", [row(pose[:3]) for pose in said])
    write(root / "label_02" / "0003.txt", list(labels))
    return root


def walking(said: np.ndarray, step_m: float, track: int = 1, kind: str = "Pedestrian") -> list[str]:
    """Labels of somebody who goes along the street, so far from picture to picture."""
    lines = []
    for frame, pose in enumerate(said):
        x, y, z = pose[:3, :3].T @ ([3.0, GROUND_M, 15.0 + step_m * frame] - pose[:3, 3])
        box = f"1.8 0.6 0.5 {x:.6f} {y:.6f} {z:.6f} 0.0"
        lines.append(f"{frame} {track} {kind} 0 0 0 1 2 3 4 {box}")
    return lines


def projection(focal_px: float = FOCAL_PX) -> np.ndarray:
    """KITTI's P2: pixel centres on whole numbers."""
    middle = [[focal_px, 0, WIDTH / 2 - 0.5], [0, focal_px, HEIGHT / 2 - 0.5], [0, 0, 1]]
    return np.column_stack([middle, np.zeros(3)])


def in_axes(poses: np.ndarray, theirs_from_camera: np.ndarray) -> np.ndarray:
    """Poses of the same body in other axes: world_from_theirs."""
    return poses @ invert(rigid(theirs_from_camera, np.zeros(3)))
