"""KITTI raw: up to four rectified cameras, Velodyne sweeps, GPS/IMU poses and tracklets.

Layout: see `formats.kitti_raw_drive`. Pictures of "sync" drives are rectified, so that `P_rect_0X`
is their projection. Sweeps are read where they lie. The world's z is up, its origin the ego's first
pose, its x where the ego heads there; the ego's origin is on the road under the rear axle, its axes
are the IMU's. Every sensor has its own times: poses at them are interpolated.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64, Int64

from scenes.actor import Actor
from scenes.clip import Clip, ImageStream, LidarStream
from scenes.errors import DriveError
from scenes.importers.formats.kitti_car import EGO_FRONT_M, EGO_SIZE_M, LICENCE, REAR_AXLE_M
from scenes.importers.formats.kitti_raw_calib import CAM, IMU_BEHIND_M, IMU_HEIGHT_M, Rig, read_rig
from scenes.importers.formats.kitti_raw_drive import choose_cameras, find_drive
from scenes.importers.formats.kitti_raw_oxts import read_oxts
from scenes.importers.formats.kitti_raw_times import Frames, read_frames, read_times
from scenes.importers.formats.kitti_raw_tracklets import actors_of, read_tracklets
from scenes.importers.formats.kitti_raw_velodyne import FOLDER, velodyne_stream
from scenes.importers.formats.kitti_text import Pictures, kitti_camera
from scenes.motion.geometry import interpolate_rigid, invert, rigid, yaw_rotation
from scenes.motion.trajectory import Trajectory
from scenes.sensors.images import SUFFIXES, check_whole, image_size

BEYOND_US = 150_000
"""Poses are carried on for so long before the first packet and after the last [µs]."""
OXTS_FIX = (
    "the drive with its oxts folder; or KITTI odometry's layout, with poses from elsewhere "
    "(--fmt kitti-odometry)"
)
TRACKLETS = "tracklet_labels.xml"


def import_clip(
    root: Path, sequence: str | None = None, cameras: tuple[str, ...] | None = None
) -> Clip:
    """Index one drive of KITTI raw.

    Args:
        root: Folder of the drive, of its date, or the folder above.
        sequence: Which drive, where there are several: its name, or the number in it.
        cameras: Which of image_00 to image_03; all that are there where None.

    Raises:
        DriveError: Something is missing, malformed or impossible; the file and line are named.
    """
    drive = find_drive(root, sequence)
    names = choose_cameras(drive, cameras)
    if not (drive / "oxts").is_dir():
        raise DriveError(drive, "has no oxts, so that nobody knows where the car was", OXTS_FIX)
    rig = read_rig(drive.parent if (drive.parent / CAM).is_file() else drive)
    oxts = read_frames(drive / "oxts", (".txt",), "packets")
    ego = _ego(oxts, rig)
    notes = list(oxts.notes)
    streams = tuple(_camera(drive / name, rig, ego, notes) for name in names)
    lidars = _lidars(drive, rig, ego, notes)
    ego = _covering(ego, (*streams, *lidars))
    actors = _actors(drive, names, rig, ego, notes)
    zero_us = int(ego.time_us[0])
    return Clip(
        name=f"kitti-raw-{drive.name}",
        source="scenes.importers.kitti_raw",
        licence=LICENCE,
        ego=_since(ego, zero_us),
        ego_size_m=np.array(EGO_SIZE_M),
        ego_front_m=REAR_AXLE_M + EGO_FRONT_M,
        cameras=tuple(replace(each, time_us=each.time_us - zero_us) for each in streams),
        lidars=tuple(replace(each, time_us=each.time_us - zero_us) for each in lidars),
        actors=tuple(
            replace(actor, trajectory=_since(actor.trajectory, zero_us)) for actor in actors
        ),
        notes=(
            f"the ego origin is on the road under the rear axle, {IMU_BEHIND_M} m ahead of the "
            f"IMU and {IMU_HEIGHT_M} m below it (KITTI's figures), in the middle under the "
            "Velodyne; its axes are the IMU's",
            "the world's z is up, its x where the car heads at first; poses are GPS/IMU's",
            "exposure is unknown and taken as constant",
            *notes,
        ),
    )


def _since(path: Trajectory, zero_us: int) -> Trajectory:
    return replace(path, time_us=path.time_us - zero_us)


def _ego(oxts: Frames, rig: Rig) -> Trajectory:
    """`world_from_ego` at the packets [m]; times are as in `Frames`."""
    enu_from_ego = read_oxts(oxts.files) @ invert(rig.ego_from_imu)
    first = enu_from_ego[0]
    level = yaw_rotation(np.array(np.arctan2(first[1, 0], first[0, 0])))
    world_from_enu = invert(rigid(level, first[:3, 3]))
    return Trajectory(time_us=oxts.time_us, world_from_body=world_from_enu @ enu_from_ego)


def _camera(folder: Path, rig: Rig, ego: Trajectory, notes: list[str]) -> ImageStream:
    """One camera; what is odd about it is added to the notes."""
    projection = rig.projection(folder.name)
    frames = read_frames(folder, SUFFIXES, "pictures")
    pictures = _pictures(frames)
    said = rig.size(folder.name)
    if said is not None and said != (pictures.width, pictures.height):
        wrong = f"is {pictures.width}x{pictures.height}, S_rect of {rig.folder / CAM} "
        fix = "rectified pictures at their calibrated size, or S_rect and P_rect of their size"
        raise DriveError(frames.files[0], f"{wrong}{said[0]}x{said[1]}", fix)
    notes += frames.notes
    kept = _known(frames.time_us, ego, folder, "pictures", notes)
    return ImageStream(
        name=folder.name,
        camera=kitti_camera(projection, pictures, rig.folder / CAM),
        ego_from_camera=rig.ego_from_camera(projection),
        time_us=frames.time_us[kept],
        files=tuple(frames.files[i] for i in np.flatnonzero(kept)),
        exposure=np.ones(int(kept.sum())),
    )


def _pictures(frames: Frames) -> Pictures:
    """The pictures of a camera, whose headers and ends are read."""
    width, height = image_size(frames.files[0])
    for path in frames.files:
        size = image_size(path)
        if size != (width, height):
            wrong = f"is {size[0]}x{size[1]}, the first picture {width}x{height}"
            raise DriveError(path, wrong, "pictures of one size")
        check_whole(path)
    return Pictures(
        folder=frames.folder, first=int(frames.number[0]), files=frames.files,
        width=width, height=height,
    )  # fmt: skip


def _lidars(drive: Path, rig: Rig, ego: Trajectory, notes: list[str]) -> tuple[LidarStream, ...]:
    """The Velodyne, if the drive has its sweeps."""
    if not (drive / FOLDER).is_dir():
        notes.append("no depth evidence: the drive has no velodyne_points")
        return ()
    frames = read_frames(drive / FOLDER, (".bin",), "sweeps")
    stream, note = velodyne_stream(frames, rig.ego_from_velo)
    notes += [*frames.notes, note]
    assert stream.turn_us is not None
    ends_us = stream.time_us + stream.turn_us
    kept = _known(np.stack([stream.time_us, ends_us]), ego, drive / FOLDER, "sweeps", notes)
    return (stream.chosen(np.flatnonzero(kept)),)


def _known(
    time_us: Int64[np.ndarray, "*k n"],
    ego: Trajectory,
    folder: Path,
    what: str,
    notes: list[str],
) -> Bool[np.ndarray, "n"]:
    """Which frames were taken while poses are known.

    Raises:
        DriveError: None was.
    """
    known = (time_us >= ego.time_us[0] - BEYOND_US) & (time_us <= ego.time_us[-1] + BEYOND_US)
    known = known.reshape(-1, time_us.shape[-1]).all(axis=0)
    if not known.any():
        wrong = f"has no {what} of the times of oxts"
        raise DriveError(folder / "timestamps.txt", wrong, "times of the same clock as oxts's")
    if not known.all():
        notes.append(f"{int((~known).sum())} {what} of {folder.name} are left out: no oxts then")
    return known


def _covering(ego: Trajectory, streams: Sequence[ImageStream | LidarStream]) -> Trajectory:
    """The ego's path, carried on at its last speeds to where the first and last sensor needs it."""
    first_us = min(int(stream.time_us[0]) for stream in streams)
    last_us = max(
        int(each.time_us[-1])
        + (
            int(each.turn_us[-1])
            if isinstance(each, LidarStream) and each.turn_us is not None
            else 0
        )
        for each in streams
    )
    if len(ego) < 2:
        return ego
    times, poses = ego.time_us, ego.world_from_body
    if first_us < times[0]:
        poses = np.concatenate([_beyond(times[1::-1], poses[1::-1], first_us), poses])
        times = np.concatenate([[first_us], times])
    if last_us > times[-1]:
        poses = np.concatenate([poses, _beyond(times[-2:], poses[-2:], last_us)])
        times = np.concatenate([times, [last_us]])
    return Trajectory(time_us=times, world_from_body=poses)


def _beyond(
    times: Int64[np.ndarray, "2"], poses: Float64[np.ndarray, "2 4 4"], time_us: int
) -> Float64[np.ndarray, "1 4 4"]:
    """The pose after the second one, at a time, were the body to go on as from the first to it."""
    again = poses[1] @ invert(poses[0]) @ poses[1]
    whole_us, part_us = abs(int(times[1] - times[0])), abs(time_us - int(times[1]))
    steps = -(-part_us // whole_us)
    found = [poses[1], again]
    for _ in range(steps - 1):
        found.append(found[-1] @ invert(found[-2]) @ found[-1])
    at = np.arange(len(found), dtype=np.int64) * whole_us
    return interpolate_rigid(at, np.stack(found), np.array([part_us]))


def _actors(
    drive: Path, names: Sequence[str], rig: Rig, ego: Trajectory, notes: list[str]
) -> tuple[Actor, ...]:
    """The drive's tracklets, if it has any; they were drawn when the Velodyne faced forward."""
    path = drive / TRACKLETS
    if not path.is_file():
        notes.append(f"no boxes: the drive has no {TRACKLETS}; what moved is not marked")
        return ()
    timed = drive / FOLDER / "timestamps.txt"
    times = read_times(timed if timed.is_file() else drive / names[0] / "timestamps.txt")
    number = np.array(list(times), dtype=np.int64)
    time_us = np.array([each for _, each in times.values()], dtype=np.int64)
    kept = _known(time_us, ego, timed.parent, "moments of tracklets", notes)
    number, time_us = number[kept], time_us[kept]
    world_from_velo = ego.at(time_us) @ rig.ego_from_velo
    tracklets = read_tracklets(path)
    actors, lost = actors_of(tracklets, number, time_us, world_from_velo, path)
    notes.append("boxes are KITTI's tracklets, drawn where the left colour camera saw them")
    if lost:
        notes.append(f"{lost} boxes are left out: they are of frames that the drive has not")
    return actors
