"""Depth evidence of drives without a lidar: points triangulated from their pictures."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32, UInt8

from scenes.work.short_repr import short_repr


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SparsePoints:
    """Points triangulated from the pictures, with the pictures that saw them."""

    position_m: Float64[np.ndarray, "points 3"]
    """Where they are in the world [m]."""
    error_px: Float32[np.ndarray, "points"]
    """Mean reprojection error [px]."""
    point_index: Int32[np.ndarray, "observations"]
    """For each observation, which point was seen ..."""
    frame_index: Int32[np.ndarray, "observations"]
    """... and by which picture ..."""
    stream_index: UInt8[np.ndarray, "observations"] | None = None
    """... of which camera of the clip; of the first where None."""

    __repr__ = short_repr

    def __post_init__(self) -> None:
        if len(self.position_m) != len(self.error_px):
            raise ValueError("position_m and error_px differ in length")
        if len(self.point_index) != len(self.frame_index):
            raise ValueError("point_index and frame_index differ in length")
        if self.stream_index is not None and len(self.stream_index) != len(self.frame_index):
            raise ValueError("stream_index and frame_index differ in length")
        if not np.all(np.isfinite(self.position_m)):
            raise ValueError("sparse points must be finite")
        if len(self.point_index) and not (
            0 <= self.point_index.min() and self.point_index.max() < len(self.position_m)
        ):
            raise ValueError("an observation names a point that does not exist")

    def only(
        self, kept: Int32[np.ndarray, "m"], seen: Bool[np.ndarray, "observations"]
    ) -> "SparsePoints":
        """Some of the points (increasing), and those observations, all of points that are kept."""
        place = np.full(len(self.position_m), -1, dtype=np.int32)
        place[kept] = np.arange(len(kept), dtype=np.int32)
        return SparsePoints(
            position_m=self.position_m[kept],
            error_px=self.error_px[kept],
            point_index=place[self.point_index[seen]],
            frame_index=self.frame_index[seen],
            stream_index=None if self.stream_index is None else self.stream_index[seen],
        )

    def seen_by(self, stream: int) -> Bool[np.ndarray, "observations"]:
        """Which observations are those of a camera, by its place in `Clip.cameras`."""
        if self.stream_index is None:
            return np.full(len(self.frame_index), stream == 0)
        return self.stream_index == stream
