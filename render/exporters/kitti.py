"""KITTI's object layout: image_2, label_2, calib, one file a picture.

KITTI's tools know pictures by numbers of six digits. Pictures of one camera of one folder keep
theirs; those of several are numbered through, and `mapping.txt` says, a line each, which number is
which: number, name (as in our COCO exports), key (frame and camera). Each picture has a calibration
of its own.

What is converted, from our conventions to KITTI's: pixel centres lie on whole numbers (0.5 is
subtracted from boxes and principal points); `location` is the middle of the box's bottom; a box
turns about the camera's y axis only, so pitch and roll are lost; dimensions are height, width,
length. KITTI's camera already is x right, y down, z forward. Classes that KITTI lacks are `Misc`.
A road user that is ignored is a `DontCare` region, as is what the drive left unlabelled; one that
no pixel shows is left out.
Calibration: P2 is the camera, Tr_velo_to_cam takes the car's frame (as a lidar's: x forward, y
left, z up) to the camera.
"""

import math
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from render.exporters.exporter import Exporter, Picture
from render.exporters.kitti_laws import kitti_numbers, laws
from render.json_value import Json
from render.labels.gating import is_ignored, is_labelled
from scenes.motion.geometry import invert
from scenes.sensors.camera import Camera

TYPES = {
    "CAR": "Car",
    "VAN": "Van",
    "TRUCK": "Truck",
    "TRAM": "Tram",
    "PERSON": "Pedestrian",
    "SITTING_PERSON": "Person_sitting",
    "CYCLIST": "Cyclist",
}
"""Our class names -> KITTI's; all others are `Misc`."""
DIGITS = 6
"""Decimals of every number, as in KITTI's tracking labels."""
UNKNOWN_BOX = (-1.0, -1.0, -1.0, -1000.0, -1000.0, -1000.0, -10.0)
"""Dimensions, location and rotation of a DontCare region."""


def check(camera: Camera) -> str | None:
    """KITTI describes pinhole cameras only."""
    bent = not camera.is_perspective or any(camera.distortion)
    return "KITTI's layout has no lens distortion, and this camera has" if bent else None


def write(pictures: Sequence[Picture], out: Path) -> None:
    """Write pictures, labels and calibration in KITTI's object layout."""
    for name in ("image_2", "label_2", "calib"):
        (out / name).mkdir(parents=True)
    mapping = []
    for key, picture in zip(kitti_numbers(pictures), pictures, strict=True):
        record = picture.record
        shutil.copyfile(picture.rgb, out / "image_2" / f"{key}.png")
        (out / "label_2" / f"{key}.txt").write_text(label_text(record), encoding="ascii")
        (out / "calib" / f"{key}.txt").write_text(calib_text(record), encoding="ascii")
        mapping.append(f"{key} {picture.name} {record['key']}\n")
    (out / "mapping.txt").write_text("".join(mapping), encoding="utf-8")
    licences = dict.fromkeys(f"{picture.dataset['licence']}\n" for picture in pictures)
    (out / "LICENCE.txt").write_text("".join(licences), encoding="utf-8")


def label_text(record: Mapping[str, Json]) -> str:
    """One line for each object, DontCare regions last."""
    camera = record["camera"]
    shown = [_shown(item, camera) for item in record["objects"] if is_labelled(item)]
    ignored = [_ignored(item, camera) for item in record["objects"] if is_ignored(item)]
    unlabelled = [
        _ignored({"ignore_region": region["polygon"]}, camera)
        for region in record.get("ignore_regions", ())
    ]
    return "".join(line + "\n" for line in (*shown, *ignored, *unlabelled))


def _shown(item: Mapping[str, Json], camera: Mapping[str, Json]) -> str:
    camera_from_box = np.array(item["camera_from_box"])
    length, width, height = item["size_m"]
    bottom = camera_from_box @ np.array([0.0, 0.0, -0.5 * height, 1.0])
    along = camera_from_box[:3, 0]
    turn = math.atan2(-along[2], along[0])
    alpha = wrapped(turn - math.atan2(bottom[0], bottom[2]))
    box = _kitti_box(item["box_2d"], camera)
    numbers = (alpha, *box, height, width, length, *bottom[:3], turn)
    kind = TYPES.get(item["class"], "Misc")
    return _line(kind, item["truncation"], item["occlusion"], numbers)


def _ignored(item: Mapping[str, Json], camera: Mapping[str, Json]) -> str:
    outline = np.array(item["ignore_region"])
    box = _kitti_box([*outline.min(axis=0), *outline.max(axis=0)], camera)
    return _line("DontCare", -1.0, -1, (-10.0, *box, *UNKNOWN_BOX))


def _kitti_box(box: Sequence[float], camera: Mapping[str, Json]) -> list[float]:
    """Edges with pixel centres on whole numbers; KITTI's boxes end at the outermost centres."""
    largest = (camera["width"] - 1, camera["height"] - 1) * 2
    return [min(max(edge - 0.5, 0.0), float(high)) for edge, high in zip(box, largest, strict=True)]


def _line(kind: str, truncated: float, occluded: int, numbers: Sequence[float]) -> str:
    # adding 0.0 turns -0.0, which prints as another text, into 0.0
    words = [f"{round(number, DIGITS) + 0.0:.{DIGITS}f}" for number in (truncated, *numbers)]
    return " ".join([kind, words[0], str(occluded), *words[1:]])


def wrapped(angle: float) -> float:
    """The same angle in -pi..pi [rad]."""
    return math.remainder(angle, 2.0 * math.pi)


def calib_text(record: Mapping[str, Json]) -> str:
    """Projection matrices and transforms; numbers read back exactly."""
    camera = record["camera"]
    fx, fy, cx, cy = (camera[name] for name in ("fx", "fy", "cx", "cy"))
    projection = np.array([[fx, 0, cx - 0.5, 0], [0, fy, cy - 0.5, 0], [0, 0, 1, 0]], dtype=float)
    camera_from_ego = invert(np.array(record["world_from_camera"])) @ np.array(
        record["world_from_ego"]
    )
    rows = {f"P{index}": projection for index in range(4)}
    rows |= {"R0_rect": np.eye(3), "Tr_velo_to_cam": camera_from_ego[:3]}
    rows |= {"Tr_imu_to_velo": np.eye(4)[:3]}
    lines = [f"{name}: {' '.join(f'{v:.17g}' for v in m.ravel())}\n" for name, m in rows.items()]
    return "".join(lines)


EXPORTER = Exporter(
    write=write,
    check=check,
    laws=partial(laws, labels=label_text, calib=calib_text),
    copies=True,
)
