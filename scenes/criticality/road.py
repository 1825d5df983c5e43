"""The road that families stage their encounters on: along the recorded path of the ego, and beside.

A place on it is a station (length of the way from the first pose) and a distance to the left.
Before the first pose and beyond the last the road goes straight on.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from scenes.motion.geometry import nearest_places
from scenes.motion.smoothing import steady
from scenes.motion.spline import Spline, spline
from scenes.motion.trajectory import Trajectory

SPACING_M = 4.0
"""Between knots: shorter than any bend, longer than what is left of the noise."""
BEFORE_M, BEYOND_M = 200.0, 400.0
"""How far the road is known to go straight on: as far as anybody in an encounter comes from."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Road:
    """A smooth line through the world."""

    curve: Spline
    """World x, y [m] by station [m]."""

    @staticmethod
    def along(ego: Trajectory) -> "Road":
        """The road that a car drove."""
        place = steady(ego).world_from_body[:, :2, 3]
        ahead = ego.world_from_body[[0, -1], :2, 0]
        ahead = ahead / np.linalg.norm(ahead, axis=1, keepdims=True)
        kept = [place[0]]
        for point in place[1:]:
            if np.sum((point - kept[-1]) ** 2) >= SPACING_M**2:
                kept.append(point)
        if len(kept) > 2:
            ahead = np.array([kept[1] - kept[0], kept[-1] - kept[-2]]) / SPACING_M
        reach = np.arange(SPACING_M, BEYOND_M, SPACING_M)[:, None]
        before = kept[0] - reach[reach[:, 0] <= BEFORE_M][::-1] * ahead[0]
        points = np.concatenate([before, kept, kept[-1] + reach * ahead[1]])
        steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
        station = np.concatenate([[0.0], np.cumsum(steps)])
        return Road(curve=spline(station - station[len(before)], points))

    def frame(
        self, station_m: Float64[np.ndarray, "*n"]
    ) -> tuple[Float64[np.ndarray, "*n 2"], Float64[np.ndarray, "*n 2"]]:
        """Places on the line [m], and unit vectors along it."""
        middle, ahead = self.curve.with_slope_at(station_m.reshape(-1))
        ahead = ahead / np.hypot(ahead[:, :1], ahead[:, 1:])
        shape = (*station_m.shape, 2)
        return middle.reshape(shape), ahead.reshape(shape)

    def station_m(self, xy_m: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n"]:
        """Stations of the feet of places near the line [m]."""
        knots = self.curve.values
        nearest = nearest_places(xy_m, knots)
        station = self.curve.knots[nearest]
        for _ in range(3):  # Newton's steps: the line hardly bends between knots
            middle, ahead = self.frame(station)
            station = station + np.sum((xy_m - middle) * ahead, axis=1)
        return station
