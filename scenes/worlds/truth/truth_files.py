"""Exact truth on disk, small: a picture to look at, one page of JSON, one file of arrays a view.

Views that came with older recordings hold less: PNG files of ids, and ranges to 0.01 % as whole
numbers of equal steps of their logarithm. Both read as `TruthView`; what an older view does not
hold is None.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float16, Float32, Float64, Int32, UInt8

from scenes.edits import ActorEdit
from scenes.sensors.camera import Camera
from scenes.sensors.images import read_image
from scenes.work.short_repr import short_repr
from scenes.worlds.models.world import LaneLine
from scenes.worlds.trace.view import View
from scenes.worlds.truth.truth_objects import ObjectTruth

_NEAR_M, _FAR_M, _STEPS = 0.5, 1000.0, 65_000
_SKY = 65_535


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SweepTruth:
    """One turn of a lidar that has no noise and loses nothing within its range."""

    xyz_m: Float32[np.ndarray, "n 3"]
    """Where each beam ended, in the sensor's frame at its own time [m]."""
    offset_us: Int32[np.ndarray, "n"]
    """Time of each after the start of the turn [µs]."""
    semantic: UInt8[np.ndarray, "n"]
    """A `scenes.semantics.Semantic` each."""
    instance: Int32[np.ndarray, "n"]
    """Id of the actor, -1 for none."""

    __repr__ = short_repr


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TruthView:
    """A view of a world from a known pose at one moment (no rolling shutter), at exposure 1.

    Everything but colour is of the point that the ray through the pixel's centre meets.
    """

    time_us: int
    """Clip time [µs]."""
    shift_m: float
    """How far the ego stands left of where it was recorded at that time [m]."""
    world_from_camera: Float64[np.ndarray, "4 4"]
    """Pose [m]."""
    rgb: UInt8[np.ndarray, "h w 3"]
    """sRGB."""
    range_m: Float32[np.ndarray, "h w"]
    """Distance along the ray through each pixel's centre [m]; infinite for the sky."""
    semantic: UInt8[np.ndarray, "h w"]
    """A `scenes.semantics.Semantic` each, at the pixel's centre."""
    instance: Int32[np.ndarray, "h w"]
    """Id of the actor at the pixel's centre, -1 for none."""
    axis: str | None = None
    """What is not as it was recorded; a name of `scenes.worlds.truth.perturbations.AXES`."""
    amount: float | None = None
    """By how much, in the unit of the axis."""
    frame: int | None = None
    """Which frame of the recording was taken at that time."""
    path_m: float | None = None
    """Distance of the camera from the nearest place at which it recorded a frame [m]."""
    camera: Camera | None = None
    linear: Float16[np.ndarray, "h w 3"] | None = None
    """Linear radiance, the mean over each pixel."""
    normal: Float32[np.ndarray, "h w 3"] | None = None
    """Unit normal, world, towards the camera; 0 for the sky."""
    albedo: Float16[np.ndarray, "h w 3"] | None = None
    """Linear; 0 for the sky."""
    flow_px: Float32[np.ndarray, "h w 2"] | None = None
    """How far each surface point moves in the picture to the next frame of the same drive, x
    right, y down; NaN where there is no surface, or it will be where the lens cannot see."""
    stays: Bool[np.ndarray, "h w"] | None = None
    """Whether that point is in the next frame too, with nothing in front of it."""
    shadow: Bool[np.ndarray, "h w"] | None = None
    """Whether the surface faces the sun and something stands between; False without a sun."""
    seen: Bool[np.ndarray, "h w"] | None = None
    """Whether some recorded frame of the clip saw this point; of the sky, this direction."""
    lane_lines: tuple[LaneLine, ...] | None = None
    """Runs of lane lines whose points lie in the picture, in the world; hidden ones count."""
    objects: tuple[ObjectTruth, ...] | None = None
    """Road users that would be in the picture were nothing in front of them."""
    sweep: SweepTruth | None = None
    """What a lidar on the ego would return in the turn that starts now."""
    edits: tuple[ActorEdit, ...] = ()
    """What to ask of the recorded drive to get this, where edits of road users say it all."""
    linear_before: Float16[np.ndarray, "h w 3"] | None = None
    """Linear radiance without the edits; None where there are none."""
    instance_before: Int32[np.ndarray, "h w"] | None = None
    """Ids of actors without the edits; None where there are none."""

    __repr__ = short_repr

    def z_m(self, camera: Camera) -> Float64[np.ndarray, "h w"]:
        """Distance along the optical axis [m], 0 or less beside and behind; infinite for the sky.

        NaN where the lens sees nothing.
        """
        cosine, sky = camera.directions(camera.pixel_centres())[..., 2], np.isinf(self.range_m)
        return np.where(sky, np.inf, np.where(sky, 0.0, self.range_m) * cosine)

    def boxes(self) -> dict[int, tuple[int, int, int, int]]:
        """Of every visible actor: the pixels it spans, left, top, right, bottom (exclusive)."""
        return instance_boxes(self.instance)


def instance_boxes(instance: Int32[np.ndarray, "h w"]) -> dict[int, tuple[int, int, int, int]]:
    """Id -> left, top, right, bottom [px]; right and bottom are exclusive."""
    boxes = {}
    for actor in np.unique(instance[instance >= 0]).tolist():
        row, column = np.nonzero(instance == actor)
        low, high = (int(column.min()), int(row.min())), (int(column.max()), int(row.max()))
        boxes[actor] = (*low, high[0] + 1, high[1] + 1)
    return boxes


def write_instances(path: Path, instance: Int32[np.ndarray, "h w"]) -> None:
    """Ids plus one as a grey PNG; 0 is nobody."""
    from PIL import Image

    if instance.max(initial=0) > 254:
        raise ValueError(f"ids must fit in 8 bits, got {instance.max()}")
    Image.fromarray((instance + 1).astype(np.uint8)).save(path, optimize=True)


def read_instances(path: Path) -> Int32[np.ndarray, "h w"]:
    """What `write_instances` wrote.

    Raises:
        DriveError: It is missing or damaged.
    """
    return read_image(path)[..., 0].astype(np.int32) - 1


def write_view(
    folder: Path, index: int, rgb: UInt8[np.ndarray, "h w 3"], truth: View, about: dict[str, object]
) -> None:
    """Four pictures and a page about them, as beside a recording."""
    from PIL import Image

    stem = folder / f"view_{index}"
    Image.fromarray(rgb).save(f"{stem}.webp", lossless=True, quality=100, method=6)
    Image.fromarray(truth.semantic).save(f"{stem}_semantic.png", optimize=True)
    write_instances(Path(f"{stem}_instance.png"), truth.instance)
    with np.errstate(invalid="ignore"):
        share = np.log(truth.range_m.astype(np.float64) / _NEAR_M) / np.log(_FAR_M / _NEAR_M)
        step = np.round(np.clip(share, 0.0, 1.0) * _STEPS)
    step = np.where(np.isfinite(truth.range_m), step, _SKY).astype(np.uint16)
    Image.fromarray(step).save(f"{stem}_range.png", optimize=True)
    Path(f"{stem}.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def read_view(folder: Path, index: int) -> TruthView:
    """What `write_view` wrote.

    Raises:
        DriveError: A picture is missing or damaged.
    """
    from PIL import Image

    stem = folder / f"view_{index}"
    about = json.loads(Path(f"{stem}.json").read_text(encoding="utf-8"))
    with Image.open(f"{stem}_range.png", formats=("PNG",)) as image:
        step = np.asarray(image).astype(np.float64)
    range_m = _NEAR_M * np.exp(step / _STEPS * np.log(_FAR_M / _NEAR_M))
    return TruthView(
        time_us=int(about["time_us"]),
        shift_m=float(about["shift_m"]),
        world_from_camera=np.array(about["world_from_camera"]),
        rgb=read_image(Path(f"{stem}.webp")),
        range_m=np.where(step == _SKY, np.inf, range_m).astype(np.float32),
        semantic=read_image(Path(f"{stem}_semantic.png"))[..., 0],
        instance=read_instances(Path(f"{stem}_instance.png")),
    )
