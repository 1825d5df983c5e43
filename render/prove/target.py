"""Exact truth of a view at the size of a scene's pictures: what a render is compared with.

A scene is trained on smaller pictures than a world is recorded at. Colours are averaged over
areas in linear light; ranges, ids and normals are those at the centres of the smaller pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32, UInt8

from scenes.actor import Actor
from scenes.edits import ActorEdit
from scenes.errors import OtherlaneError
from scenes.sensors.camera import Camera
from scenes.sensors.images import resize_linear, srgb_from_linear
from scenes.worlds.truth.perturbations import AXES
from scenes.worlds.truth.truth_files import TruthView
from scenes.worlds.truth.truth_store import picture_of

DEPTH_EDGE = 1.2
"""Neighbouring pixels whose ranges differ by more than this factor show different surfaces."""
MOVING_MARGIN_PX = 3
"""Pixels this near to a moving road user do not count."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Target:
    """What a view should look like, at a scene's size."""

    axis: str
    """What was perturbed; `lateral` for views of older truth."""
    amount: float
    """By how much, in the axis' own unit."""
    time_us: int
    camera: Camera
    world_from_camera: Float64[np.ndarray, "4 4"]
    photo: Float32[np.ndarray, "h w 3"]
    """sRGB in 0..1."""
    range_m: Float64[np.ndarray, "h w"]
    """Infinite for the sky."""
    instance: Int32[np.ndarray, "h w"]
    """Id of the actor, -1 for none."""
    semantic: UInt8[np.ndarray, "h w"]
    normal: Float32[np.ndarray, "h w 3"] | None
    """World; 0 for the sky; None where truth does not say."""
    seen: Bool[np.ndarray, "h w"] | None
    """Some recorded picture shows this surface point; None where truth does not say."""
    edits: tuple[ActorEdit, ...] = ()
    """What the drive is to be asked for, where edits of road users made the world."""
    photo_before: Float32[np.ndarray, "h w 3"] | None = None
    """The photo without the edits; None where there are none."""
    instance_before: Int32[np.ndarray, "h w"] | None = None
    """Ids without the edits; None where there are none."""

    def counts(self, actors: Sequence[Actor]) -> Bool[np.ndarray, "h w"]:
        """Pixels of the standing scene: away from what moves, which is scored apart."""
        moving = [actor.id for actor in actors if actor.is_moving]
        return ~grown(np.isin(self.instance, moving), MOVING_MARGIN_PX)


def target_of(view: TruthView, camera: Camera) -> Target:
    """The truth of a view as `camera`, the truth's own but with fewer pixels, would see it.

    Raises:
        OtherlaneError: Road users were changed, and the view does not say by which edits.
    """
    kind = AXES[view.axis].kind if view.axis in AXES else None
    if kind == "actor" and not view.edits:
        fix = "remove its files, and `prove` writes it again"
        raise OtherlaneError(f"truth of {view.axis}", "is of an older version", fix)
    range_m, nearest = _at_centres(view.range_m, camera.width, camera.height)
    normal, seen = view.normal, view.seen
    before, was = view.linear_before, view.instance_before
    return Target(
        axis=view.axis or "lateral",
        amount=view.shift_m if view.amount is None else view.amount,
        time_us=view.time_us,
        camera=camera,
        world_from_camera=view.world_from_camera,
        photo=_photo(view.rgb, camera),
        range_m=range_m,
        instance=view.instance[nearest],
        semantic=view.semantic[nearest],
        normal=None if normal is None else normal[nearest].astype(np.float32),
        seen=None if seen is None else seen[nearest],
        edits=view.edits,
        photo_before=None if before is None else _photo(picture_of(before), camera),
        instance_before=None if was is None else was[nearest],
    )


def _photo(
    rgb: UInt8[np.ndarray, "rows columns 3"], camera: Camera
) -> Float32[np.ndarray, "h w 3"]:
    shown = srgb_from_linear(resize_linear(rgb, camera.width, camera.height))
    return shown.clip(0, 1).astype(np.float32)


def grown(mask: Bool[np.ndarray, "h w"], by: int) -> Bool[np.ndarray, "h w"]:
    """Every pixel within `by` rows and columns of one that is set."""
    padded = np.pad(mask, by)  # the far side of the picture is not near
    side = 2 * by + 1
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side))
    return np.logical_or.reduce(windows, axis=(2, 3))


def _at_centres(
    range_m: Float32[np.ndarray, "rows columns"], width: int, height: int
) -> tuple[Float64[np.ndarray, "h w"], tuple[np.ndarray, ...]]:
    """Truth's range at the pixel centres of a smaller picture, and an index of the nearest pixels.

    Centres may lie between truth's pixels (on their corners, at half the size). Inverse range is
    nearly linear across a surface, so it is interpolated; at depth edges the nearest pixel
    decides.
    """
    rows, columns = range_m.shape
    y, x = (np.arange(height) + 0.5) * rows / height, (np.arange(width) + 0.5) * columns / width
    nearest = np.ix_(y.astype(int), x.astype(int))
    with np.errstate(divide="ignore"):
        inverse = 1.0 / range_m.astype(np.float64)
        (top, bottom, down), (left, right, along) = _between(y, rows), _between(x, columns)
        corners = np.stack([inverse[np.ix_(i, j)] for i in (top, bottom) for j in (left, right)])
        shares = np.stack([np.outer(v, h) for v in (1 - down, down) for h in (1 - along, along)])
        edge = corners.max(axis=0) > DEPTH_EDGE * corners.min(axis=0)
        small_m = 1.0 / np.where(edge, inverse[nearest], np.sum(shares * corners, axis=0))
    return small_m, nearest


def _between(place_px: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels whose centres lie before and after each place, and how far from the one it is."""
    from_first = np.clip(place_px - 0.5, 0.0, size - 1.0)
    before = np.floor(from_first).astype(int)
    return before, np.minimum(before + 1, size - 1), from_first - before
