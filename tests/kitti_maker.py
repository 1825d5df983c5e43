"""Small synthetic drives in KITTI's layouts, whose truth is known, and tools to break them."""

from pathlib import Path

import numpy as np
from PIL import Image

from scenes.motion.geometry import rigid, rotation_exp

FRAMES, WIDTH, HEIGHT = 6, 64, 24
FOCAL_PX, CENTRE_PX = 50.0, (32.0, 12.0)
STEP_M = 1.0
OFFSET_M = np.array([0.06, 0.002, 0.003])
"""From the rectified camera 0 to camera 2: x_cam2 = x_cam0 + OFFSET_M."""
CAR_M = np.array([3.0, 1.65, 20.0])
"""Bottom centre of the parked car, seen by camera 0 of the first frame."""
CAR_SIZE_M = (4.2, 1.8, 1.5)
CAR_YAW = -0.5 * np.pi
"""KITTI's rotation_y of a car that faces the way the camera looks."""
TRACKS = {"tracking": "0007", "odometry": "04"}


def poses(pitch: float = 0.0) -> np.ndarray:
    """recorded_from_camera: straight ahead, the camera looking `pitch` below the travel."""
    travel = rotation_exp(np.array([pitch, 0.0, 0.0])) @ [0.0, 0.0, STEP_M]
    place_m = np.outer(np.arange(FRAMES), travel)
    return rigid(np.tile(np.eye(3), (FRAMES, 1, 1)), place_m)


def points(count: int = 30) -> np.ndarray:
    """Points that every picture sees, in the recorded world [m]."""
    rng = np.random.default_rng(0)
    return rng.uniform([-2.0, -1.0, 15.0], [2.0, 1.0, 40.0], (count, 3))


def make_tracking(root: Path, pitch: float = 0.0, colmap: bool = True, first: int = 0) -> Path:
    """A KITTI tracking drive: a parked car (track 3, a gap in frame 3) and a pedestrian (5)."""
    name = TRACKS["tracking"]
    _pictures(root / "image_02" / name, "RGB", first)
    write(root / "calib" / f"{name}.txt", _calibration(("P0", "P1", "P2", "P3")))
    write(root / "poses" / f"{name}.txt", [row(pose[:3]) for pose in poses(pitch)])
    write(root / "label_02" / f"{name}.txt", _labels(first))
    if colmap:
        _colmap(root / "colmap", pitch, first)
    return root


def make_odometry(root: Path, pitch: float = 0.0, colour: bool = False) -> Path:
    """A KITTI odometry drive, grey unless `colour`."""
    name = TRACKS["odometry"]
    folder = root / "sequences" / name
    _pictures(folder / "image_0", "L")
    if colour:
        _pictures(folder / "image_2", "RGB")
    write(folder / "calib.txt", _calibration(("P0", "P1", "P2", "P3")))
    write(folder / "times.txt", [f"{0.1 * i:.6e}" for i in range(FRAMES)])
    write(root / "poses" / f"{name}.txt", [row(pose[:3]) for pose in poses(pitch)])
    return root


def change_word(path: Path, line: int, word: int, value: str) -> None:
    """Replace one word of one line (both from 0; negative ones from the end)."""
    lines = path.read_text().splitlines()
    words = lines[line].split()
    words[word] = value
    lines[line] = " ".join(words)
    path.write_text("\n".join(lines) + "\n")


def change_lines(path: Path, keep: slice, add: tuple[str, ...] = ()) -> None:
    """Keep some lines of a file, and add others at its end."""
    path.write_text("\n".join([*path.read_text().splitlines()[keep], *add]) + "\n")


def _pictures(folder: Path, mode: str, first: int = 0) -> None:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(1)
    for i in range(first, first + FRAMES):
        image = Image.fromarray(rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8))
        image.convert(mode).save(folder / f"{i:06d}.png")


def _calibration(names: tuple[str, ...]) -> list[str]:
    """All cameras are alike and, but for P2, at the same place."""
    lines = []
    for name in names:
        # KITTI puts pixel centres on whole numbers.
        matrix = [[FOCAL_PX, 0, CENTRE_PX[0] - 0.5], [0, FOCAL_PX, CENTRE_PX[1] - 0.5], [0, 0, 1]]
        offset = np.array(matrix) @ (OFFSET_M if name == "P2" else np.zeros(3))
        lines.append(f"{name}: {row(np.column_stack([matrix, offset]))}")
    return [*lines, f"R_rect {row(np.eye(3))}", "Tr_velo_cam 0 0 0"]


def _labels(first: int) -> list[str]:
    lines = [f"{first} -1 DontCare -1 -1 -10 1 2 3 4 -1000 -1000 -1000 -10 -1 -1 -1"]
    length, width, height = CAR_SIZE_M
    for i in range(FRAMES):
        if i != 3:
            x, y, z = CAR_M - [0.0, 0.0, STEP_M * i]
            lines.append(
                f"{first + i} 3 Car 0 0 0.1 1 2 3 4 {height} {width} {length} {x} {y} {z} {CAR_YAW}"
            )
        if i < 2:
            lines.append(f"{first + i} 5 Pedestrian 0 0 0 1 2 3 4 1.8 0.6 0.5 -3 1.65 12 0.0")
    return lines


def _colmap(folder: Path, pitch: float, first: int) -> None:
    """A model without error, whose ids are not in the order of the frames."""
    model = f"1 PINHOLE {WIDTH} {HEIGHT} {FOCAL_PX} {FOCAL_PX} {CENTRE_PX[0]} {CENTRE_PX[1]}"
    write(folder / "cameras.txt", ["# CAMERA_ID MODEL WIDTH HEIGHT PARAMS[]", model])
    ids = {frame: 10 * FRAMES - 7 * frame for frame in range(FRAMES)}
    images = ["# IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME"]
    for frame, pose in reversed(list(enumerate(poses(pitch)))):
        x, y, z = -pose[:3, 3]
        images.append(f"{ids[frame]} 1 0 0 0 {x} {y} {z} 1 {first + frame:06d}.png")
        seen = points() - pose[:3, 3]
        pixels = FOCAL_PX * seen[:, :2] / seen[:, 2:] + CENTRE_PX
        words = [f"{u:.4f} {v:.4f} {i + 1}" for i, (u, v) in enumerate(pixels)]
        images.append(" ".join(words))
    write(folder / "images.txt", images)
    lines = ["# POINT3D_ID X Y Z R G B ERROR TRACK[]"]
    for i, (x, y, z) in enumerate(points()):
        track = " ".join(f"{ids[frame]} {i}" for frame in range(FRAMES))
        lines.append(f"{i + 1} {x} {y} {z} 9 9 9 0.5 {track}")
    write(folder / "points3D.txt", lines)


def row(values: np.ndarray) -> str:
    return " ".join(f"{value:.12e}" for value in values.ravel())


def write(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
