"""COLMAP's text models: which camera took the pictures, from where, and the points they share.

The format is COLMAP's "Output Format" page: cameras.txt, images.txt (camera_from_world as a unit
quaternion and a translation, ids in no particular order) and points3D.txt. COLMAP puts pixel
centres at +0.5, as we do.
"""

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Float64

from scenes.clip import SparsePoints
from scenes.errors import DriveError
from scenes.importers.formats.text_tables import (
    Limit,
    Line,
    each_line,
    finite_number,
    finite_numbers,
    read_lines,
    whole_number,
    whole_numbers,
)
from scenes.motion.geometry import invert, rigid, transform_points
from scenes.sensors.camera import Camera

FIX = "COLMAP's text model (colmap model_converter --output_type TXT), or no colmap folder"

MAX_ERROR_PX = 1.5
"""Points that fit their pictures worse than this are left out."""
MIN_TRACK = 3
"""So are points seen by fewer pictures: two views agree on any point along their epipolar line.

Three are enough: on a 65 m street drive, the points on the road lie 2.5 cm (median) off its plane
with three views and 2.8 cm with six, and six leave a quarter of them.
"""
MAX_POSE_GAP_M = 0.1
"""How far a model's cameras may be from the drive's poses; the two must be one world."""
MAX_POSE_GAP_RAD = 0.01
"""And how far their axes may be turned."""

CAMERAS = Limit(lines=20_000, size=4 * 2**20, why="a model's cameras")
PICTURE_BYTES, PICTURE_POINTS = 4 * 2**20, 50_000
"""What a picture may take of a model, on average: 8192 points, COLMAP's most unless told
otherwise, take 300 kB of images.txt, and less of points3D.txt."""

PARAMETERS = {
    "SIMPLE_PINHOLE": ("f", "cx", "cy"),
    "PINHOLE": ("fx", "fy", "cx", "cy"),
    "SIMPLE_RADIAL": ("f", "cx", "cy", "k1"),
    "RADIAL": ("f", "cx", "cy", "k1", "k2"),
    "OPENCV": ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2"),
    "FULL_OPENCV": ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"),
}
"""COLMAP's camera models that are special cases of ours, and the order of their parameters."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ColmapImage:
    """One picture of a model."""

    line: Line
    """Where it stands in images.txt."""
    camera_id: int
    """Which camera took it."""
    camera_from_world: Float64[np.ndarray, "4 4"]
    """Its pose [m]."""
    frame: int
    """Which picture of the drive it is."""


def read_colmap_camera(folder: Path, images: Mapping[int, ColmapImage]) -> Camera:
    """The camera that took all pictures of a model.

    Raises:
        DriveError: There are several, or it is damaged or of a model that is not known here.
    """
    path = folder / "cameras.txt"
    cameras = {
        whole_number(line, "CAMERA_ID", line.words[0]): line
        for line in read_lines(path, FIX, CAMERAS, comment="#")
    }
    used = {image.camera_id for image in images.values()}
    if len(used) != 1:
        wrong = f"has pictures of {len(used)} cameras ({sorted(used)})"
        raise DriveError(folder / "images.txt", wrong, "a model of one camera")
    (camera_id,) = used
    if camera_id not in cameras:
        raise DriveError(path, f"has no camera {camera_id}, which images.txt names", FIX)
    return _camera(cameras[camera_id])


def _camera(line: Line) -> Camera:
    if len(line.words) < 4:
        wrong = f"takes CAMERA_ID MODEL WIDTH HEIGHT PARAMS, here are {len(line.words)} words"
        raise DriveError(line.place, wrong, FIX)
    model = line.words[1]
    if model not in PARAMETERS:
        fix = f"one of {', '.join(PARAMETERS)}: undistort the pictures"
        raise DriveError(line.place, f"camera model {model} is not known", fix)
    names = PARAMETERS[model]
    values = finite_numbers(line, f"{model} parameters", line.words[4:], len(names))
    number = dict(zip(names, values, strict=True))
    distortion = [number.get(name, 0.0) for name in ("k1", "k2", "p1", "p2")]
    distortion += [number[name] for name in ("k3", "k4", "k5", "k6") if name in number]
    try:
        return Camera(
            width=whole_number(line, "WIDTH", line.words[2]),
            height=whole_number(line, "HEIGHT", line.words[3]),
            fx=number.get("fx", number.get("f", 0.0)),
            fy=number.get("fy", number.get("f", 0.0)),
            cx=number["cx"],
            cy=number["cy"],
            distortion=tuple(distortion) if any(distortion) else (),
        )
    except ValueError as error:
        raise DriveError(line.place, f"impossible camera: {error}", FIX) from error


def read_colmap_images(folder: Path, frames: Mapping[str, int]) -> dict[int, ColmapImage]:
    """The pictures of a model by their ids.

    Args:
        folder: The model.
        frames: Index of each picture of the drive by its file name; ids say nothing about order.

    Raises:
        DriveError: Damaged, empty, or it names pictures that the drive has not.
    """
    path = folder / "images.txt"
    images: dict[int, ColmapImage] = {}
    # Every other line lists the points of the picture above it; points3D.txt repeats who saw what,
    # so those long lines are never parsed. They may be empty, hence told apart by their words.
    limit = Limit.of(len(frames), "pictures", lines=2, size=PICTURE_BYTES)
    for line in _image_lines(path, limit):
        image_id = whole_number(line, "IMAGE_ID", line.words[0])
        name = PurePosixPath(" ".join(line.words[9:])).name
        if name not in frames:
            fix = "the model of these pictures, or no colmap folder"
            raise DriveError(line.place, f"names picture {name!r}, which the drive has not", fix)
        if image_id in images:
            raise DriveError(line.place, f"IMAGE_ID {image_id} is there twice", FIX)
        pose = [
            finite_number(line, field, word)
            for field, word in zip(
                ("QW", "QX", "QY", "QZ", "TX", "TY", "TZ"), line.words[1:8], strict=True
            )
        ]
        images[image_id] = ColmapImage(
            line=line.bare,
            camera_id=whole_number(line, "CAMERA_ID", line.words[8]),
            camera_from_world=rigid(_rotation(line, pose[:4]), np.array(pose[4:])),
            frame=frames[name],
        )
    if not images:
        raise DriveError(path, "names no pictures", FIX)
    return images


def _image_lines(path: Path, limit: Limit) -> Iterator[Line]:
    for line in each_line(path, FIX, limit, comment="#"):
        is_points = line.words[-1].lstrip("-").isdigit()  # else it ends with a file's name
        if (is_points and len(line.words) % 3) or (not is_points and len(line.words) < 10):
            wrong = "is neither IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME nor X Y POINT3D_ID ..."
            raise DriveError(line.place, wrong, FIX)
        if not is_points:
            yield line


def _rotation(line: Line, quaternion: list[float]) -> Float64[np.ndarray, "3 3"]:
    """Rotation of a unit quaternion (w, x, y, z)."""
    length = float(np.linalg.norm(quaternion))
    if abs(length - 1.0) > 1e-3:
        wrong = f"QW QX QY QZ has length {length:g}, so it is no rotation"
        raise DriveError(line.place, wrong, "a quaternion of length 1")
    w, (x, y, z) = quaternion[0] / length, np.array(quaternion[1:]) / length
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.eye(3) + 2.0 * w * cross + 2.0 * cross @ cross


def check_same_world(
    images: Mapping[int, ColmapImage],
    world_from_camera: Float64[np.ndarray, "n 4 4"],
    poses: Path,
) -> None:
    """Whether a model and the drive's poses put the cameras at the same places.

    Raises:
        DriveError: They do not, so that the points would not fit the poses.
    """
    for image in images.values():
        turn = image.camera_from_world @ world_from_camera[image.frame]
        angle = float(np.arccos(np.clip(0.5 * (np.trace(turn[:3, :3]) - 1.0), -1.0, 1.0)))
        gap = invert(image.camera_from_world)[:3, 3] - world_from_camera[image.frame, :3, 3]
        gap_m = float(np.linalg.norm(gap))
        if gap_m > MAX_POSE_GAP_M or angle > MAX_POSE_GAP_RAD:
            wrong = (
                f"its camera is {gap_m:.2f} m and {np.degrees(angle):.2f} degrees off pose "
                f"{image.frame} of {poses}"
            )
            fix = "a model in the metres and the world of the poses, or no colmap folder"
            raise DriveError(image.line.place, wrong, fix)


def read_colmap_points(
    folder: Path,
    images: Mapping[int, ColmapImage],
    ours_from_world: Float64[np.ndarray, "4 4"],
) -> SparsePoints:
    """The well-seen points of a model (`MAX_ERROR_PX`, `MIN_TRACK`), in our world.

    Raises:
        DriveError: Damaged, empty, or seen by pictures that the model has not.
    """
    path = folder / "points3D.txt"
    limit = Limit.of(len(images), "pictures", lines=PICTURE_POINTS, size=PICTURE_BYTES)
    # a long drive has millions of points, so that numbers are kept and not objects
    positions, errors, tracks, lengths = array("d"), array("f"), array("i"), array("i")
    count = 0
    for line in each_line(path, FIX, limit, comment="#"):
        count += 1
        position, error_px, track = _point(line, images)
        if len(track) >= MIN_TRACK and 0.0 <= error_px < MAX_ERROR_PX:
            positions.extend(position)
            errors.append(error_px)
            tracks.extend(track)
            lengths.append(len(track))
    if not count:
        raise DriveError(path, "holds no points", FIX)
    if not lengths:
        wrong = f"none of its {count} points is under {MAX_ERROR_PX} px in {MIN_TRACK} views"
        raise DriveError(path, wrong, "a better model, or no colmap folder")
    point_index = np.repeat(np.arange(len(lengths), dtype=np.int32), np.array(lengths))
    position_m = np.array(positions, dtype=np.float64).reshape(-1, 3)
    return SparsePoints(
        position_m=transform_points(ours_from_world, position_m),
        error_px=np.array(errors, dtype=np.float32),
        point_index=point_index,
        frame_index=np.array(tracks, dtype=np.int32),
    )


def _point(line: Line, images: Mapping[int, ColmapImage]) -> tuple[list[float], float, list[int]]:
    """Position [m], error [px] and the frames that saw it, each once, in order."""
    words = line.words
    if len(words) < 8 or len(words) % 2:
        wrong = f"takes POINT3D_ID X Y Z R G B ERROR and pairs, here are {len(words)} words"
        raise DriveError(line.place, wrong, FIX)
    position = finite_numbers(line, "X Y Z", words[1:4], 3)
    seen_by = set(whole_numbers(line, "IMAGE_ID", words[8::2]))
    if foreign := seen_by - images.keys():
        wrong = f"is seen by IMAGE_ID {min(foreign)}, which images.txt has not"
        raise DriveError(line.place, wrong, FIX)
    frames = sorted({images[image_id].frame for image_id in seen_by})
    return position, finite_number(line, "ERROR", words[7]), frames
