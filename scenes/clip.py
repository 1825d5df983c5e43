"""A clip: one window of one recorded drive, ready to be reconstructed and edited.

The world is right-handed, z up, in metres, its origin near the first pose. The ego frame (ISO
8855) is x forward, y left, z up, with its origin on the ground under the rear axle where the
drive says so, else on the ground under the camera. A clip refers to its pictures and sweeps; it
never holds pixels, so opening and pickling it is cheap.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64

from scenes.actor import Actor
from scenes.errors import DriveError, OtherlaneError
from scenes.motion.geometry import rigid_problem
from scenes.motion.trajectory import Trajectory
from scenes.sensors.image_stream import ImageStream
from scenes.sensors.lidar import Lidar, Sweep
from scenes.sensors.lidar_files import NPZ, READERS, TURNING, read_sweep
from scenes.sensors.sparse_points import SparsePoints
from scenes.storage.arrays import DAMAGE
from scenes.storage.contents import check_contents, read_content
from scenes.work.short_repr import short_repr
from scenes.work.suggestions import advice

AS_WRITTEN = "restore it, or write it as LidarStream.files says and import again"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LidarStream:
    """The sweeps of one lidar."""

    name: str
    """Name of the lidar, unique in a clip."""
    lidar: Lidar
    """Beam pattern."""
    ego_from_lidar: Float64[np.ndarray, "4 4"]
    """Where the lidar is mounted [m]."""
    time_us: Int64[np.ndarray, "n"]
    """Start of each sweep [µs], increasing."""
    files: tuple[Path, ...]
    """One for each sweep: .npz with xyz_m, offset_us and intensity in the types of `Sweep`, or as
    `reader` says."""
    contents: tuple[str, ...] = ()
    """What each file held when the clip was saved (`scenes.storage.contents`), empty where it was
    not there; nothing before that."""
    reader: str = NPZ
    """The format of the files, one of `scenes.sensors.lidar_files.READERS`."""
    turn_us: Int64[np.ndarray, "n"] | None = None
    """How long each turn took, where the times of returns follow from their azimuth [µs]; None
    where files carry them, or the drive has compensated the car's motion."""

    __repr__ = short_repr

    def __post_init__(self) -> None:
        if not len(self.time_us) == len(self.files) > 0:
            raise ValueError(f"lidar {self.name}: times and files differ in number")
        if len(self.contents) not in (0, len(self.files)):
            raise ValueError(f"lidar {self.name}: files and contents differ in number")
        if np.any(np.diff(self.time_us) <= 0):
            raise ValueError(f"lidar {self.name}: time_us must increase")
        if problem := rigid_problem(self.ego_from_lidar[None]):
            raise ValueError(f"lidar {self.name}: ego_from_lidar: {problem}")
        if self.reader not in READERS:
            raise ValueError(f"lidar {self.name}: no reader is named {self.reader!r}")
        if self.turn_us is not None and self.reader not in TURNING:
            raise ValueError(f"lidar {self.name}: {self.reader} carries the times of its returns")
        if self.turn_us is not None and (
            len(self.turn_us) != len(self) or np.any(self.turn_us <= 0)
        ):
            raise ValueError(f"lidar {self.name}: turn_us must be positive, one for each sweep")

    def __len__(self) -> int:
        return len(self.files)

    def chosen(self, kept: Int64[np.ndarray, "m"]) -> "LidarStream":
        """Some of the sweeps, in order."""
        return replace(
            self, time_us=self.time_us[kept], files=tuple(self.files[i] for i in kept),
            contents=tuple(self.contents[i] for i in kept if self.contents),
            turn_us=None if self.turn_us is None else self.turn_us[kept],
        )  # fmt: skip

    def read(self, index: int) -> Sweep:
        """One sweep.

        Raises:
            DriveError: It is missing, replaced or damaged.
        """
        path = self.files[index]
        data = read_content(path, self.contents[index] if self.contents else None)
        turn_us = None if self.turn_us is None else int(self.turn_us[index])
        try:
            return read_sweep(self.reader, data, turn_us)
        except DAMAGE as error:
            raise DriveError(path, f"is damaged ({error})", AS_WRITTEN) from error


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Clip:
    """Everything that one recorded drive says about one stretch of road and time."""

    name: str
    """Name of the drive."""
    source: str
    """The importer or program that made it."""
    licence: str
    """What the drive's owner allows; it travels into everything made from it."""
    ego: Trajectory
    """`world_from_ego`."""
    ego_size_m: Float64[np.ndarray, "3"]
    """Length, width, height of the recording car [m]."""
    ego_front_m: float
    """From the ego origin forward to the front bumper [m]."""
    cameras: tuple[ImageStream, ...]
    """At least one; sparse points name them by their place here."""
    lidars: tuple[LidarStream, ...] = ()
    points: SparsePoints | None = None
    """Depth evidence of drives without a lidar."""
    actors: tuple[Actor, ...] = ()
    """Other road users, by increasing id."""
    to_sun: Float64[np.ndarray, "3"] | None = None
    """Unit vector towards the sun (world axes), as place and time of the recording have it; None
    where they are not known, or the sun was down."""
    notes: tuple[str, ...] = field(default=())
    """What a user of the clip should know: what was assumed, what is missing."""
    drive: Path | None = None
    """Folder of the recording, in which the files lie; the nearest that holds them all where None.
    Where it is on this machine is no part of what the clip is."""
    imported: Path | None = None
    """Folder of the files that the importer made, which belong to the clip and not to the drive;
    None where it made none. Likewise no part of what the clip is."""

    __repr__ = short_repr

    def __post_init__(self) -> None:
        if not self.cameras:
            raise ValueError("a clip needs at least one camera")
        names = [stream.name for stream in (*self.cameras, *self.lidars)]
        if len(set(names)) < len(names):
            raise ValueError(f"sensor names must differ, got {names}")
        ids = [actor.id for actor in self.actors]
        if ids != sorted(set(ids)):
            raise ValueError(f"actors must have increasing ids, got {ids}")
        if not np.all(np.isfinite(self.ego_size_m)) or np.any(self.ego_size_m <= 0):
            raise ValueError(f"impossible ego size {self.ego_size_m}")
        if self.to_sun is not None and not np.isclose(np.linalg.norm(self.to_sun), 1.0, atol=1e-6):
            raise ValueError(f"to_sun must be a unit vector, got {self.to_sun}")
        if self.points is not None and not self._has_seen(self.points):
            raise ValueError("an observation names a picture that does not exist")

    def _has_seen(self, points: SparsePoints) -> bool:
        """Whether every observation names a picture of a camera."""
        known = np.zeros(len(points.frame_index), dtype=bool)
        for index, stream in enumerate(self.cameras):
            there = (points.frame_index >= 0) & (points.frame_index < len(stream))
            known |= points.seen_by(index) & there
        return bool(known.all())

    def camera_index(self, name: str, where: str = "camera") -> int:
        """The place of the camera of that name among `cameras`.

        Raises:
            OtherlaneError: There is none; `where` the name was written is said.
        """
        known = [stream.name for stream in self.cameras]
        if name not in known:
            wrong = f"{name!r} is no camera of {self.name}"
            raise OtherlaneError(where, wrong, advice(name, known, "cameras"))
        return known.index(name)

    def world_from_camera(self, stream: int, time_us: int) -> Float64[np.ndarray, "4 4"]:
        """Pose of a camera at any time of the drive [m]."""
        ego = self.ego.at(np.array([time_us]))[0]
        return ego @ self.cameras[stream].ego_from_camera

    def check_contents(self, *, absent: bool = False) -> None:
        """Whether pictures, masks and sweeps hold what they held when the clip was saved.

        Those that have not changed since they were last looked at are not read.

        Args:
            absent: Whether files may be missing.

        Raises:
            DriveError: One is missing, or was replaced.
        """
        streams = [stream for stream in (*self.cameras, *self.lidars) if stream.contents]
        files = [path for stream in streams for path in stream.files]
        contents = [content for stream in streams for content in stream.contents]
        for stream in self.cameras:
            if stream.mask is not None and stream.mask_content:
                files.append(stream.mask)
                contents.append(stream.mask_content)
        check_contents(files, contents, absent=absent)

    def drive_files(self) -> tuple[Path, ...]:
        """Every file of the drive that the clip refers to: pictures, sweeps and masks."""
        files = [path for stream in (*self.cameras, *self.lidars) for path in stream.files]
        return (*files, *(stream.mask for stream in self.cameras if stream.mask is not None))
