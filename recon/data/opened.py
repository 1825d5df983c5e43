"""Recorded pictures opened at the size of a training, without what alpha or a mask hides.

A pixel that is less than opaque, or masked, anywhere in its area shows nothing: it does not train,
is not scored, and is no evidence. Where no picture has alpha or a mask, this costs nothing.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64

from scenes.clip import Clip, ImageStream
from scenes.sensors.camera import Camera, project_world
from scenes.sensors.images import resize_linear, resize_opaque


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Opened:
    """One recorded picture."""

    linear: Float[np.ndarray, "h w 3"]
    """Linear light."""
    hidden: Bool[np.ndarray, "h w"]
    """Pixels that are not opaque all over."""


def open_picture(images: ImageStream, frame: int, camera: Camera) -> Opened:
    """A picture at the size of `camera`.

    Raises:
        DriveError: It cannot be read.
    """
    rgb, opaque = images.read_masked(frame)
    size = camera.width, camera.height
    return Opened(linear=resize_linear(rgb, *size), hidden=~resize_opaque(opaque, *size))


def hidden_pixels(images: ImageStream, frame: int, camera: Camera) -> Bool[np.ndarray, "h w"]:
    """Pixels of a picture, at the size of `camera`, that are not opaque all over.

    Raises:
        DriveError: It cannot be read.
    """
    return ~resize_opaque(images.opaque(frame), camera.width, camera.height)


def is_shown(
    clip: Clip, stream: int, frame: int, points_m: Float64[np.ndarray, "n 3"]
) -> Bool[np.ndarray, "n"]:
    """Which world points neither the alpha of a picture nor its camera's mask hides.

    Raises:
        DriveError: The picture cannot be read.
    """
    images = clip.cameras[stream]
    opaque = images.opaque(frame)
    shown = np.ones(len(points_m), dtype=bool)
    if opaque is None:
        return shown
    track = clip.ego.mounted(images.ego_from_camera)
    pixels = project_world(images.camera, points_m, track, int(images.time_us[frame]))
    with np.errstate(invalid="ignore"):  # NaN is not inside
        inside = np.all((pixels >= 0) & (pixels < opaque.shape[::-1]), axis=1)
    column, row = pixels[inside].astype(np.int64).T
    shown[inside] = opaque[row, column]
    return shown
