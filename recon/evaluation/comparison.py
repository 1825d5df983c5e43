"""A recorded picture beside what a scene shows in its place."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32

from scenes.work.short_repr import short_repr


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Comparison:
    """A held-out picture and what the scene shows in its place, sRGB in 0..1."""

    photo: Float32[np.ndarray, "h w 3"]
    render: Float32[np.ndarray, "h w 3"]
    counts: Bool[np.ndarray, "h w"]
    """Pixels that are scored."""
    hidden: Bool[np.ndarray, "h w"] | None = None
    """Pixels that the photo's alpha or mask hides; None for none."""

    __repr__ = short_repr
