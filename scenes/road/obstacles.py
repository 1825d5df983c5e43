"""What a drive measured that nobody can drive through, and where it measured anything at all.

Lidar returns and triangulated points are *evidence* of something solid, but for those on road
users, and those where the recording car itself drove. A body that sweeps over `LEAST_POINTS` or
more of them, more than `LOW_M` above its bottom, goes through a wall, a hedge or a tree: single
points there are mistakes of the triangulation (on a real drive the recording car itself swept one
in 71 m). Whoever knows more than the clip, such as a reconstructed field, is another `Evidence`.

World frame [m].
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float64

from scenes.clip import Clip
from scenes.motion.geometry import inside_box, plan_reach_m, within_box
from scenes.road.grids import Raster, Slices
from scenes.road.ground import UNSEEN_HALF_WIDTH_M
from scenes.road.static_points import measured_points
from scenes.safety.boxes import ego_boxes
from scenes.work.memoize import memoized

LOW_M = 0.4
"""What is no higher than this above the bottom of a box is kerb, grass or noise of the road."""
LEAST_POINTS = 3
"""Fewer points than this in all that a box sweeps say nothing."""
BESIDE_M = 0.1
"""Nobody passes a wall nearer than this."""
SPARE_M = 0.05
"""Heights are judged by so much to the safe side: a box that leans is upright to others [m]."""
MOST_POINTS = 1_000_000
"""More evidence is thinned evenly."""
PADDING_M = 0.2
"""How much wider than its body the way of the recording car is free."""
STEP_US = 20_000
"""Spacing of the poses at which the recording car's own way is looked at [µs]."""
FAR_M = 120.0
"""Nobody is staged further from the recorded way than this; triangulations are that wrong."""
AROUND_M = 1.5
"""A place with a measured point this near, in whole cells, is measured. Where a drive measured
nothing at all, what is as near to a way that somebody drove as `UNSEEN_HALF_WIDTH_M` counts as
known, as it does for the ground."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """Something solid where a body would be."""

    x_m: float
    """Where: world x [m]."""
    y_m: float
    """World y [m]."""
    height_m: float
    """How high it reaches above the bottom of the body, inside it [m]."""
    pose: int
    """Number of the pose at which the body is in it."""
    what: str
    """What says so."""

    def describe(self) -> str:
        """Where and what, in words."""
        return f"at {self.x_m:.1f}, {self.y_m:.1f} stands something that reaches {self.what}"


@runtime_checkable
class Evidence(Protocol):
    """Whoever knows where solid things are."""

    def inside(
        self, world_from_box: Float64[np.ndarray, "n 4 4"], size_m: Float64[np.ndarray, "3"]
    ) -> Found | None:
        """The first solid thing in what a box sweeps.

        Args:
            world_from_box: Its poses, dense in time, or only those that are asked about.
            size_m: Length, width, height [m].
        """
        ...

    def measured(self, xy_m: Float64[np.ndarray, "n 2"]) -> Bool[np.ndarray, "n"]:
        """Whether anything is known of places in plan view [m]."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Obstacles:
    """The evidence that a clip holds."""

    points_m: Float64[np.ndarray, "n 3"]
    """Solid points, by increasing x [m]."""
    slices: Slices
    """The same for a quick look."""
    known: Raster
    """Where anything was measured, or driven over."""

    @property
    def is_empty(self) -> bool:
        """Whether the drive measured nothing."""
        return len(self.points_m) == 0

    def inside(
        self, world_from_box: Float64[np.ndarray, "n 4 4"], size_m: Float64[np.ndarray, "3"]
    ) -> Found | None:
        """See `Evidence.inside`."""
        suspect = np.flatnonzero(
            self.slices.may_hold(world_from_box, size_m, LOW_M - SPARE_M, BESIDE_M)
        )
        if not len(suspect):
            return None
        poses = world_from_box[suspect]
        points = self._near(poses, size_m)
        reach_m = 0.5 * float(np.linalg.norm(size_m)) + BESIDE_M
        firsts = np.searchsorted(points[:, 0], poses[:, 0, 3] - reach_m)
        lasts = np.searchsorted(points[:, 0], poses[:, 0, 3] + reach_m)
        margin_m, hits = np.array([BESIDE_M, BESIDE_M, SPARE_M]), set[int]()
        low_m = LOW_M - (0.5 * float(size_m[2]) + SPARE_M)
        for number, pose, first, last in zip(suspect, poses, firsts, lasts, strict=True):
            local = (points[first:last] - pose[:3, 3]) @ pose[:3, :3]
            within = within_box(local, size_m, margin_m)
            within &= local[:, 2] > low_m  # both ends by the spare
            hits.update((first + np.flatnonzero(within)).tolist())
            if len(hits) >= LEAST_POINTS:
                return _told(points[sorted(hits)], int(number), pose, size_m)
        return None

    def measured(self, xy_m: Float64[np.ndarray, "n 2"]) -> Bool[np.ndarray, "n"]:
        """See `Evidence.measured`."""
        return self.known.at(xy_m)

    def _near(
        self, poses: Float64[np.ndarray, "n 4 4"], size_m: Float64[np.ndarray, "3"]
    ) -> Float64[np.ndarray, "m 3"]:
        """The points that some of the boxes could hold."""
        reach_m = float(plan_reach_m(size_m)) + 2 * BESIDE_M
        low, high = poses[:, :3, 3].min(axis=0) - reach_m, poses[:, :3, 3].max(axis=0) + reach_m
        low[2] -= size_m[2]
        high[2] += size_m[2]
        first, last = np.searchsorted(self.points_m[:, 0], [low[0], high[0]])
        some = self.points_m[first:last]
        return some[np.all((some >= low) & (some <= high), axis=1)]


def _told(
    points_m: Float64[np.ndarray, "k 3"],
    number: int,
    pose: Float64[np.ndarray, "4 4"],
    size_m: Float64[np.ndarray, "3"],
) -> Found:
    above = points_m[:, 2] - pose[2, 3] + 0.5 * size_m[2]
    x_m, y_m, _ = np.median(points_m, axis=0).tolist()
    return Found(
        x_m=x_m, y_m=y_m, height_m=float(above.max()), pose=number,
        what=f"{above.max():.1f} m up ({len(points_m)} measured points or more)",
    )  # fmt: skip


@memoized(8)
def obstacles(clip: Clip) -> Obstacles:
    """The evidence of a clip, ready to be asked."""
    points = measured_points(clip, MOST_POINTS)
    boxes = ego_boxes(clip.ego, clip)
    first, last = (int(time_us) for time_us in boxes.time_us[[0, -1]])
    poses = boxes.at(np.append(np.arange(first, last, STEP_US), last))
    low, high = poses[:, :2, 3].min(axis=0) - FAR_M, poses[:, :2, 3].max(axis=0) + FAR_M
    points = points[np.all((points[:, :2] >= low) & (points[:, :2] <= high), axis=1)]
    tracks = [actor.trajectory.world_from_body[:, :2, 3] for actor in clip.actors]
    seen = np.concatenate([points[:, :2], poses[:, :2, 3], *tracks])
    known = Raster.around(seen, AROUND_M if len(points) else UNSEEN_HALF_WIDTH_M)
    points = points[np.argsort(points[:, 0], kind="stable")]
    solid = points[~_driven_through(points, poses, clip.ego_size_m)]
    return Obstacles(points_m=solid, slices=Slices.of(solid), known=known)


def _driven_through(
    points_m: Float64[np.ndarray, "n 3"],
    poses: Float64[np.ndarray, "k 4 4"],
    size_m: Float64[np.ndarray, "3"],
) -> Bool[np.ndarray, "n"]:
    """Which points, sorted by x, the recording car's body passed over: nothing solid is there."""
    hit = np.zeros(len(points_m), dtype=bool)
    gone = np.linalg.norm(np.diff(poses[:, :2, 3], axis=0), axis=1)
    poses = poses[np.concatenate([[True], gone > 0.0])]
    reach_m = 0.5 * float(np.linalg.norm(size_m)) + 2 * PADDING_M
    firsts = np.searchsorted(points_m[:, 0], poses[:, 0, 3] - reach_m)
    lasts = np.searchsorted(points_m[:, 0], poses[:, 0, 3] + reach_m)
    for pose, first, last in zip(poses, firsts, lasts, strict=True):
        hit[first:last] |= inside_box(pose, size_m, points_m[first:last], PADDING_M)
    return hit
