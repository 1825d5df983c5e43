"""The pictures of one camera of a drive: where they lie, when they were taken, what they hide.

A stream refers to its pictures and never holds pixels, so opening and pickling it is cheap.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8

from scenes.errors import DriveError
from scenes.motion.geometry import rigid_problem
from scenes.sensors.camera import Camera
from scenes.sensors.image_masks import decode_mask
from scenes.sensors.images import Decoded, decode, may_hide
from scenes.sensors.unlabelled import Unlabelled
from scenes.storage.contents import read_content
from scenes.storage.file_names import name_problem
from scenes.work.short_repr import short_repr


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ImageStream:
    """The pictures of one camera."""

    name: str
    """Name of the camera, unique in a clip."""
    camera: Camera
    """Intrinsics, for the pictures as they were recorded."""
    ego_from_camera: Float64[np.ndarray, "4 4"]
    """Where the camera is mounted [m]."""
    time_us: Int64[np.ndarray, "n"]
    """Time of each picture [µs], that of the line that is read first; increasing."""
    files: tuple[Path, ...]
    """One picture for each time."""
    exposure: Float64[np.ndarray, "n"]
    """Exposure of each picture relative to the others, positive; all 1 where unknown."""
    unlabelled: Unlabelled | None = None
    """Where the drive left road users unlabelled; None where it does not say."""
    contents: tuple[str, ...] = ()
    """What each file held when the clip was saved (`scenes.storage.contents`), empty where it was
    not there; nothing before that."""
    mask: Path | None = None
    """A picture of the camera's size, 0 where every picture shows the ego itself, its bonnet or
    mount, and nothing of the world (`scenes.sensors.image_masks`); None where none does."""
    mask_content: str = ""
    """What the mask held when the clip was saved, as `contents` says it."""

    __repr__ = short_repr

    def __post_init__(self) -> None:
        if (problem := name_problem(self.name)) is not None:
            raise ValueError(f"camera {self.name!r}: its name {problem}")
        if not len(self.time_us) == len(self.files) == len(self.exposure) > 0:
            raise ValueError(f"camera {self.name}: times, files and exposures differ in number")
        if len(self.contents) not in (0, len(self.files)):
            raise ValueError(f"camera {self.name}: files and contents differ in number")
        if np.any(np.diff(self.time_us) <= 0):
            raise ValueError(f"camera {self.name}: time_us must increase")
        if problem := rigid_problem(self.ego_from_camera[None]):
            raise ValueError(f"camera {self.name}: ego_from_camera: {problem}")
        if not np.all(np.isfinite(self.exposure)) or np.any(self.exposure <= 0):
            raise ValueError(f"camera {self.name}: exposure must be finite and positive")
        regions = self.unlabelled
        if regions is not None and np.any(regions.frame_index >= len(self)):
            raise ValueError(f"camera {self.name}: a region names a picture that does not exist")

    def __len__(self) -> int:
        return len(self.files)

    def read(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """One picture, sRGB.

        Raises:
            DriveError: It is missing, replaced, damaged, or not of the camera's size.
        """
        return self.read_masked(index)[0]

    def may_hide(self, index: int) -> bool:
        """Whether a picture has alpha or a mask, from its header; nothing is decoded.

        Raises:
            DriveError: As `read`.
        """
        return self.mask is not None or may_hide(self.files[index])

    def opaque(self, index: int) -> Bool[np.ndarray, "h w"] | None:
        """Which pixels neither alpha nor the mask hides; None where all are shown.

        Raises:
            DriveError: As `read`.
        """
        return self.read_masked(index)[1] if may_hide(self.files[index]) else self.read_mask()

    def read_mask(self) -> Bool[np.ndarray, "h w"] | None:
        """Which pixels the mask does not hide; None where there is no mask.

        Raises:
            DriveError: It is missing, replaced, no such picture, or not of the camera's size.
        """
        if self.mask is None:
            return None
        data = read_content(self.mask, self.mask_content or None)
        return decode_mask(data, self.mask, self.camera.width, self.camera.height)

    def read_masked(self, index: int) -> Decoded:
        """One picture, sRGB, and which of its pixels neither alpha nor the mask hides.

        None where all are shown.

        Raises:
            DriveError: As `read`, or as `read_mask`.
        """
        path = self.files[index]
        data = read_content(path, self.contents[index] if self.contents else None)
        image, opaque = decode(data, path)
        if image.shape[:2] != (self.camera.height, self.camera.width):
            size = f"{image.shape[1]}x{image.shape[0]}"
            wanted = f"{self.camera.width}x{self.camera.height}"
            raise DriveError(
                self.files[index], f"is {size}, its camera {wanted}", "import the drive again"
            )
        mask = self.read_mask()
        return image, mask if opaque is None else opaque if mask is None else opaque & mask
