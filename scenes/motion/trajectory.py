"""Where a rigid body was, and when.

`world_from_body` takes body coordinates to world coordinates, so that neighbouring
names cancel: `world_from_camera = world_from_body @ body_from_camera`. Body axes are x
forward, y left, z up. Lengths are metres; times are whole microseconds of the clip.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int64

from scenes.motion.geometry import interpolate_rigid, rigid_problem
from scenes.work.short_repr import short_repr


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Trajectory:
    """Poses of one body; never empty, strictly increasing in time."""

    time_us: Int64[np.ndarray, "n"]
    """Time of each pose [µs]."""
    world_from_body: Float64[np.ndarray, "n 4 4"]
    """Rigid transforms, translation [m]."""

    __repr__ = short_repr

    def __post_init__(self) -> None:
        if len(self.time_us) == 0 or np.any(np.diff(self.time_us) <= 0):
            raise ValueError(f"time_us must be non-empty and increasing, got {self.time_us}")
        if len(self.time_us) != len(self.world_from_body):
            raise ValueError(
                f"{len(self.time_us)} times but {len(self.world_from_body)} poses in a trajectory"
            )
        if problem := rigid_problem(self.world_from_body):
            raise ValueError(f"world_from_body: {problem}")

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Trajectory)
            and np.array_equal(self.time_us, other.time_us)
            and np.array_equal(self.world_from_body, other.world_from_body)
        )

    def __len__(self) -> int:
        return len(self.time_us)

    def at(self, time_us: Int64[np.ndarray, "m"]) -> Float64[np.ndarray, "m 4 4"]:
        """Poses at other times: straight lines and geodesics between knots, held at the ends."""
        return interpolate_rigid(self.time_us, self.world_from_body, time_us)

    def place_m(self, time_us: int) -> Float64[np.ndarray, "3"]:
        """Where `at` says it is at another time [m]; how it is turned takes longer."""
        places = self.world_from_body[:, :3, 3].T
        return np.array([np.interp(time_us, self.time_us, each) for each in places])

    def shifted_left(self, offset_m: Float64[np.ndarray, "n"]) -> "Trajectory":
        """Every pose moved along its own y axis; headings are kept."""
        moved = self.world_from_body.copy()
        moved[:, :3, 3] += offset_m[:, None] * self.world_from_body[:, :3, 1]
        return replace(self, world_from_body=moved)

    def mounted(self, body_from_sensor: Float64[np.ndarray, "4 4"]) -> "Trajectory":
        """The trajectory of a sensor that is bolted to this body."""
        return replace(self, world_from_body=self.world_from_body @ body_from_sensor)

    def travelled_m(self) -> Float64[np.ndarray, "n"]:
        """Path length from the first pose to each [m]."""
        steps = np.linalg.norm(np.diff(self.world_from_body[:, :3, 3], axis=0), axis=1)
        return np.concatenate([[0.0], np.cumsum(steps)])

    def distance_m(self, place_m: Float64[np.ndarray, "3"]) -> float:
        """How far a place is from the nearest point of the path, straight between poses [m]."""
        knots = self.world_from_body[:, :3, 3]
        start, along = knots[:-1], np.diff(knots, axis=0)
        length2 = np.maximum(np.sum(along**2, axis=1), 1e-12)
        share = np.clip(np.sum((place_m - start) * along, axis=1) / length2, 0.0, 1.0)
        feet = np.concatenate([knots[:1], start + share[:, None] * along])
        return float(np.linalg.norm(feet - place_m, axis=1).min())

    def speed_mps(self) -> Float64[np.ndarray, "n"]:
        """Speed at each pose by central differences [m/s]; 0 for a single pose."""
        if len(self) == 1:
            return np.zeros(1)
        seconds = self.time_us * 1e-6
        return np.linalg.norm(np.gradient(self.world_from_body[:, :3, 3], seconds, axis=0), axis=1)
