"""Other road users: what they are, how large, and where they were.

A box's frame has its origin at the centre of the box, x along its length, y to its left, z up.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from scenes.motion.trajectory import Trajectory
from scenes.semantics import ACTOR_KINDS, Semantic
from scenes.work.memoize import memoized
from scenes.work.short_repr import short_repr

MOVING_MPS = 0.7
"""Slower than this is standing still: tracked boxes of parked cars jitter by as much [m/s]."""
MOVING_M = 0.5
"""And it must also have left its first place by this much [m]."""
MOVING_WINDOW_US = 1_000_000
"""Speed is measured over this long, or over the whole track where that is shorter [µs]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Actor:
    """One road user with an oriented box in time."""

    id: int
    """Track id of the drive, unique in a clip, not negative."""
    kind: Semantic
    """What it is; one of `scenes.semantics.ACTOR_KINDS`."""
    size_m: Float64[np.ndarray, "3"]
    """Length, width, height [m]."""
    trajectory: Trajectory
    """`world_from_box` for as long as the drive knows it."""

    __repr__ = short_repr

    def __post_init__(self) -> None:
        if self.id < 0:
            raise ValueError(f"an actor's id must not be negative, got {self.id}")
        if self.kind not in ACTOR_KINDS:
            raise ValueError(f"actor {self.id}: {self.kind!r} is not a kind of actor")
        if not np.all(np.isfinite(self.size_m)) or np.any(self.size_m <= 0):
            raise ValueError(f"actor {self.id}: impossible size {self.size_m}")

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Actor)
            and (self.id, self.kind) == (other.id, other.kind)
            and np.array_equal(self.size_m, other.size_m)
            and self.trajectory == other.trajectory
        )

    def at(self, time_us: int, slack_us: int = 0) -> Float64[np.ndarray, "4 4"] | None:
        """`world_from_box` at a time, or None when the drive does not know it then.

        `slack_us` holds the first and last pose for that much longer.
        """
        times = self.trajectory.time_us
        if not times[0] - slack_us <= time_us <= times[-1] + slack_us:
            return None
        return self.trajectory.at(np.array([time_us]))[0]

    @property
    def is_moving(self) -> bool:
        """Whether it drove or walked at any time while it was known.

        It left its first place by more than `MOVING_M`, and over some second (or over its whole
        track, if that is shorter) it was faster than `MOVING_MPS`.
        """
        return _moves(self.trajectory)


@memoized(512)
def _moves(path: Trajectory) -> bool:
    """See `Actor.is_moving`."""
    times = path.time_us
    if len(times) == 1:
        return False
    place = path.world_from_body[:, :3, 3]
    if np.linalg.norm(place - place[0], axis=1).max() <= MOVING_M:
        return False
    window = min(MOVING_WINDOW_US, int(times[-1] - times[0]))
    ends = np.searchsorted(times, times + window)
    starts = np.flatnonzero(ends < len(times))
    ends = ends[starts]
    seconds = (times[ends] - times[starts]) * 1e-6
    moved_m = np.linalg.norm(place[ends] - place[starts], axis=1)
    return bool(np.any(moved_m / seconds > MOVING_MPS))
