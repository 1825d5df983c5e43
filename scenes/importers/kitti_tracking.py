"""KITTI tracking: colour pictures, boxes of road users, poses, and COLMAP's points.

Layout: `image_02/<seq>/*.png`, `calib/<seq>.txt`, `label_02/<seq>.txt`, and what KITTI does not
give: `poses/<seq>.txt` (world_from_camera 2, KITTI odometry's format, metres) and, if there is
one, the COLMAP text model `colmap/<seq>/` or `colmap/` in the same world. KITTI's pixel centres lie
on whole numbers, COLMAP's at +0.5 as ours: `formats.kitti_colmap` says whose camera counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from scenes.clip import Clip, SparsePoints
from scenes.errors import DriveError
from scenes.importers.formats.colmap_text import (
    MAX_ERROR_PX,
    MIN_TRACK,
    ColmapImage,
    check_same_world,
    read_colmap_camera,
    read_colmap_images,
    read_colmap_points,
)
from scenes.importers.formats.kitti_boxes import (
    Boxes,
    actors_of,
    read_boxes,
    tracks_with_gaps,
    unlabelled_of,
)
from scenes.importers.formats.kitti_car import (
    EGO_FRONT_M,
    EGO_SIZE_M,
    FRAME_HZ,
    LICENCE,
    kitti_ride,
)
from scenes.importers.formats.kitti_colmap import Settled, intrinsics_gap, settle_camera
from scenes.importers.formats.kitti_text import (
    Pictures,
    camera_from_rectified,
    check_principal_point,
    choose_sequence,
    kitti_camera,
    read_pictures,
    read_poses,
    read_projection,
)
from scenes.sensors.camera import Camera

LAYOUT = "the folder that holds image_02, calib, label_02 and poses"
MAX_INTRINSICS_GAP_PX = 2.0
"""How far COLMAP's intrinsics may be from the calibration's."""


def import_clip(root: Path, sequence: str | None = None, rate: float | None = None) -> Clip:
    """Index one sequence of a KITTI tracking drive.

    Args:
        root: Folder of the drive.
        sequence: Which one, where there are several.
        rate: Pictures a second, which the format does not say [Hz]; None is KITTI's 10.

    Raises:
        DriveError: Something is missing, malformed or impossible; the file and line are named.
    """
    name = choose_sequence(root / "image_02", sequence, LAYOUT)
    pictures = read_pictures(root / "image_02" / name, LAYOUT)
    calibration, poses = root / "calib" / f"{name}.txt", root / "poses" / f"{name}.txt"
    projection = read_projection(calibration, "P2")
    camera = kitti_camera(projection, pictures, calibration)
    recorded_from_camera = read_poses(poses, pictures)
    boxes = read_boxes(root / "label_02" / f"{name}.txt", pictures.numbers)
    model = _read_model(root, name, pictures, camera)
    hz = FRAME_HZ if rate is None else rate
    time_us = np.round(np.arange(len(pictures.files)) * (1e6 / hz)).astype(np.int64)
    settled = Settled(camera=camera)
    if model is not None:
        settled = settle_camera(camera, model.camera, model.images, recorded_from_camera)
    turned = recorded_from_camera @ settled.given_from_camera
    ride = kitti_ride("image_02", settled.camera, pictures, time_us, turned, poses)
    points = None
    if model is not None:
        check_same_world(model.images, recorded_from_camera, poses)
        points = read_colmap_points(model.folder, model.images, ride.ours_from_recorded)
    world_from_calibrated = ride.world_from_camera() @ settled.camera_from_calibrated
    world_from_rectified = world_from_calibrated @ camera_from_rectified(projection)
    unlabelled = unlabelled_of(boxes, pictures.numbers, settled.camera, world_from_rectified)
    return Clip(
        name=f"kitti-tracking-{name}",
        source="scenes.importers.kitti_tracking",
        licence=LICENCE,
        ego=ride.ego,
        ego_size_m=np.array(EGO_SIZE_M),
        ego_front_m=EGO_FRONT_M,
        cameras=(replace(ride.stream, unlabelled=unlabelled),),
        points=points,
        actors=actors_of(boxes, pictures.numbers, time_us, world_from_rectified),
        notes=(
            *ride.notes,
            _time_note(rate),
            *_box_notes(boxes),
            *_point_notes(points, settled),
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A COLMAP text model of the pictures."""

    folder: Path
    """Where it lies."""
    camera: Camera
    """The intrinsics that its poses were solved with."""
    images: Mapping[int, ColmapImage]
    """Its pictures by id."""


def _read_model(root: Path, name: str, pictures: Pictures, calibrated: Camera) -> Model | None:
    """The drive's model, if it has one; its camera agrees with the calibration."""
    folders = (root / "colmap" / name, root / "colmap")
    folder = next((folder for folder in folders if folder.is_dir()), None)
    if folder is None:
        return None
    images = read_colmap_images(folder, {path.name: i for i, path in enumerate(pictures.files)})
    camera, where = read_colmap_camera(folder, images), folder / "cameras.txt"
    if (camera.width, camera.height) != (pictures.width, pictures.height):
        wrong = f"the camera has {camera.width}x{camera.height} px"
        fix = f"the model of the pictures, which have {pictures.width}x{pictures.height}"
        raise DriveError(where, wrong, fix)
    check_principal_point(camera, where)
    field, gap_px = intrinsics_gap(camera, calibrated)
    if gap_px > MAX_INTRINSICS_GAP_PX:
        fix = f"a model solved within {MAX_INTRINSICS_GAP_PX:g} px of the calibration"
        raise DriveError(where, f"{field} is {gap_px:.1f} px off the calibration's", fix)
    return Model(folder=folder, camera=camera, images=images)


def _time_note(rate: float | None) -> str:
    if rate is None:
        return f"times are assumed: {FRAME_HZ:g} Hz from the first picture, KITTI's rate"
    return f"times are as was asked for: {rate:g} Hz from the first picture"


def _box_notes(boxes: Boxes) -> tuple[str, ...]:
    gaps = ", ".join(str(track) for track in tracks_with_gaps(boxes))
    return (
        "boxes are KITTI's, only where its camera saw them; its "
        f"{len(boxes.ignored)} DontCare regions are kept as ignore regions",
        *(
            (
                f"rotation_y of {boxes.turned_back} boxes was beyond half a turn, as trackers "
                "count on, and is turned back",
            )
            if boxes.turned_back
            else ()
        ),
        *((f"boxes of tracks {gaps} are interpolated over gaps",) if gaps else ()),
    )


def _point_notes(points: SparsePoints | None, settled: Settled) -> tuple[str, ...]:
    if points is None:
        return ("no depth evidence: the drive has no colmap folder",)
    return (
        settled.note,
        f"depth evidence: {len(points.position_m)} COLMAP points under {MAX_ERROR_PX} px seen by "
        f"{MIN_TRACK} pictures or more; held-out pictures helped to triangulate them",
    )
