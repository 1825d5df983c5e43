"""Regions of recorded pictures in which a drive labels nothing, though road users may be there.

KITTI marks them as DontCare: crowds, what is far, what is half hidden. They say that a detection
in there is neither right nor wrong. Pixels are ours (centres at +0.5), boxes are in the world.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int32


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Unlabelled:
    """Upright rectangles in pictures of one camera, with a 3D box where the drive knows one."""

    frame_index: Int32[np.ndarray, "n"]
    """Which picture of the camera each is in."""
    rectangle_px: Float64[np.ndarray, "n 4"]
    """Left, top, right, bottom edge [px of the recording]."""
    world_from_box: Float64[np.ndarray, "n 4 4"]
    """Pose of the box of what is there [m]; NaN where none is known."""
    size_m: Float64[np.ndarray, "n 3"]
    """Its length, width, height [m]; NaN where none is known."""

    def __post_init__(self) -> None:
        count = len(self.frame_index)
        if {len(self.rectangle_px), len(self.world_from_box), len(self.size_m)} != {count}:
            raise ValueError(
                "frame_index, rectangle_px, world_from_box and size_m differ in length"
            )
        left, top, right, bottom = self.rectangle_px.T
        if not np.all((left < right) & (top < bottom)):
            raise ValueError(
                "a rectangle needs a left edge before the right, a top above the bottom"
            )
        if count and self.frame_index.min() < 0:
            raise ValueError("a region names a picture that does not exist")

    def __len__(self) -> int:
        return len(self.frame_index)

    def of_frame(self, frame: int) -> "Unlabelled":
        """Those in one picture."""
        return self._only(self.frame_index == frame)

    def before_frame(self, frame: int) -> "Unlabelled":
        """Those in the pictures before one."""
        return self._only(self.frame_index < frame)

    def _only(self, keep: np.ndarray) -> "Unlabelled":
        return Unlabelled(
            frame_index=self.frame_index[keep],
            rectangle_px=self.rectangle_px[keep],
            world_from_box=self.world_from_box[keep],
            size_m=self.size_m[keep],
        )
