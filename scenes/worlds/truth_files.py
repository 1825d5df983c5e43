"""Exact truth on disk, small: PNG files of ids, ranges in logarithmic steps, lossless pictures.

A range is kept to 0.01 % as a whole number of equal steps of its logarithm.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, Int32, UInt8

from scenes.camera import Camera
from scenes.images import read_image
from scenes.worlds.view import View

_NEAR_M, _FAR_M, _STEPS = 0.5, 1000.0, 65_000
_SKY = 65_535


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TruthView:
    """A view of a world from a known pose, at exposure 1."""

    time_us: int
    """Clip time [µs]."""
    shift_m: float
    """How far the rig stands left of the recorded path [m]."""
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

    def z_m(self, camera: Camera) -> Float64[np.ndarray, "h w"]:
        """Distance along the optical axis [m]."""
        directions = camera.unproject(camera.pixel_centres())
        return self.range_m / np.linalg.norm(directions, axis=-1)

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
    """Four pictures and a page about them."""
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
