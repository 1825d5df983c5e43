"""Spinning lidars: which way the beams point, and what one sweep returned.

The sensor's frame is x forward, y left, z up; azimuth runs from x towards y. Each return has its
own time, because the car moves while the beams turn.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int32

from scenes.work.short_repr import short_repr


@dataclass(frozen=True, kw_only=True, slots=True)
class Lidar:
    """The pattern of a spinning lidar."""

    elevation_rad: tuple[float, ...]
    """Elevation of each beam, up positive [rad]."""
    azimuth_steps: int
    """Firings per turn."""
    period_us: int
    """Time of one turn [µs]."""
    max_range_m: float
    """Returns beyond this are dropped [m]."""

    def __post_init__(self) -> None:
        if not self.elevation_rad or self.azimuth_steps < 1:
            raise ValueError("a lidar needs at least one beam and one firing per turn")
        if self.period_us < 0 or self.max_range_m <= 0:
            raise ValueError(f"impossible period {self.period_us} or range {self.max_range_m}")

    def directions(self) -> Float64[np.ndarray, "azimuths beams 3"]:
        """Unit direction of every firing in the sensor's frame, in firing order."""
        azimuth = np.linspace(np.pi, -np.pi, self.azimuth_steps, endpoint=False)[:, None]
        elevation = np.array(self.elevation_rad)[None, :]
        flat = np.cos(elevation)
        x, y = flat * np.cos(azimuth), flat * np.sin(azimuth)
        return np.stack([x, y, np.broadcast_to(np.sin(elevation), x.shape)], axis=-1)

    def offsets_us(self) -> Int32[np.ndarray, "azimuths"]:
        """Time of each firing after the start of the turn [µs]."""
        share = np.arange(self.azimuth_steps) / self.azimuth_steps
        return np.round(share * self.period_us).astype(np.int32)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Sweep:
    """The returns of one turn, in the sensor's frame at the time of each return."""

    xyz_m: Float32[np.ndarray, "n 3"]
    """Where the beam was returned [m]."""
    offset_us: Int32[np.ndarray, "n"]
    """Time of each return after the sweep's time [µs]; 0 when the drive has compensated it."""
    intensity: Float32[np.ndarray, "n"]
    """Returned share of the light, 0 to 1; 0 where unknown."""

    __repr__ = short_repr

    def __post_init__(self) -> None:
        if not len(self.xyz_m) == len(self.offset_us) == len(self.intensity):
            raise ValueError("a sweep's xyz_m, offset_us and intensity differ in length")
        if not np.all(np.isfinite(self.xyz_m)):
            raise ValueError("a sweep has returns that are not finite")
