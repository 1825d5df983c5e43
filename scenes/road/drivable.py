"""Where one can drive: yes, no, or nobody knows.

The answer is a grid along the path of the recording car. What the car drove over is drivable.
To either side of that, the road is followed outwards through depth evidence until it ends: at a
kerb, a wall or grass (no), or where nothing was measured (unknown). Returns from road users say
nothing about the road under them. A polygon that the user gives replaces all of this.

Places are world x, y [m].
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Bool, Float, Float64, Int8, Int64

from scenes.clip import Clip
from scenes.road.ground import BEYOND_M, HALF_WIDTH_M, Ground, fit_ground, path_coordinates
from scenes.road.static_points import measured_points
from scenes.work.short_repr import short_repr


class Answer(IntEnum):
    """Whether a place is drivable."""

    UNKNOWN = -1
    NO = 0
    YES = 1


BIN_M = 0.25
"""Width of a cell across the road; as long as the ground's stations are apart."""
BINS = round(2 * HALF_WIDTH_M / BIN_M)
MARGIN_M = 0.3
"""Beside the car's body, this much is road in any case: mirrors passed over it."""
LEAST_POINTS = 3
"""Fewer returns than this say nothing about a cell."""
STEP_M = 0.06
"""The road ends where its surface rises or falls by more than this between cells."""
ROUGH_M = 0.12
"""And where the middle half of a cell's heights spread over more than this."""
GAP_M = 1.5
"""The road is followed across gaps in the evidence up to this wide."""
TALL_M = 0.6
"""Returns further than this from the ground are not of its surface."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DrivableSurface:
    """Where one can drive; ask it with `contains`."""

    path: Ground
    """Whose stations and path coordinates the grid has."""
    cells: Int8[np.ndarray, "stations bins"]
    """An `Answer` for each station, from `HALF_WIDTH_M` to the right to as much to the left."""
    polygon_m: Float64[np.ndarray, "k 2"] | None
    """What the user said, instead."""
    note: str
    """Where the answers come from."""

    __repr__ = short_repr

    def contains(self, xy_m: Float[np.ndarray, "n 2"]) -> Int8[np.ndarray, "n"]:
        """An `Answer` for each place."""
        if self.polygon_m is not None:
            return inside_polygon(self.polygon_m, xy_m).astype(np.int8)
        station_m, left_m = path_coordinates(xy_m, self.path)
        spacing_m = self.path.station_m[1] - self.path.station_m[0]
        row = np.round((station_m - self.path.station_m[0]) / spacing_m)
        column = np.floor((left_m + HALF_WIDTH_M) / BIN_M)
        known = (row >= 0) & (row < len(self.cells)) & (column >= 0) & (column < BINS)
        answers = np.full(len(xy_m), Answer.UNKNOWN, dtype=np.int8)
        answers[known] = self.cells[row[known].astype(int), column[known].astype(int)]
        return answers


def drivable_surface(
    clip: Clip,
    ground: Ground | None = None,
    polygon_m: Float64[np.ndarray, "k 2"] | None = None,
) -> DrivableSurface:
    """What the drive says about where one can drive.

    Args:
        clip: The drive.
        ground: Its road, for those who have it; fitted when left out.
        polygon_m: What the user says is drivable, in place of all evidence [m].
    """
    ground = fit_ground(clip) if ground is None else ground
    cells = np.full((len(ground.station_m), BINS), Answer.UNKNOWN, dtype=np.int8)
    if polygon_m is not None:
        note = "the polygon that was given"
        return DrivableSurface(path=ground, cells=cells, polygon_m=polygon_m, note=note)
    median_m, spread_m = _heights(ground, clip)
    measured = int(np.isfinite(median_m).sum())
    centre = BINS // 2
    swath = int(np.ceil((0.5 * float(clip.ego_size_m[1]) + MARGIN_M) / BIN_M))
    half_m = 0.5 * (ground.station_m[1] - ground.station_m[0])
    driven = ground.station_m <= ground.station_m[-1] - BEYOND_M + half_m
    driven &= ground.station_m >= -half_m
    for row in range(len(cells)):
        for side in (1, -1):
            columns = np.arange(centre if side > 0 else centre - 1, BINS if side > 0 else -1, side)
            cells[row, columns] = _outwards(median_m[row, columns], spread_m[row, columns])
        if driven[row]:
            cells[row, centre - swath : centre + swath] = Answer.YES
    note = f"what the car drove over, and the road around it in {measured} measured cells"
    if measured == 0:
        note = "what the car drove over; the drive has no depth evidence of anything beside it"
    return DrivableSurface(path=ground, cells=cells, polygon_m=None, note=note)


def inside_polygon(
    polygon_m: Float64[np.ndarray, "k 2"], xy_m: Float[np.ndarray, "n 2"]
) -> Bool[np.ndarray, "n"]:
    """Whether places lie in a polygon: a ray to the right crosses it an odd number of times."""
    a, b = polygon_m, np.roll(polygon_m, -1, axis=0)
    x, y = xy_m[:, :1], xy_m[:, 1:]
    spans = (a[:, 1] > y) != (b[:, 1] > y)
    rise = np.where(b[:, 1] == a[:, 1], 1.0, b[:, 1] - a[:, 1])
    at = a[:, 0] + (y - a[:, 1]) / rise * (b[:, 0] - a[:, 0])
    return np.sum(spans & (at > x), axis=1) % 2 == 1


def _heights(
    ground: Ground, clip: Clip
) -> tuple[Float64[np.ndarray, "stations bins"], Float64[np.ndarray, "stations bins"]]:
    """Median height over the ground of each cell's returns, and the spread of their middle half.

    NaN where there are too few.
    """
    points = measured_points(clip)
    station_m, left_m = path_coordinates(points[:, :2], ground)
    slope = np.interp(station_m, ground.station_m, ground.cross_slope)
    road = np.interp(station_m, ground.station_m, ground.path_height_m) + slope * left_m
    height_m = points[:, 2] - road
    spacing_m = ground.station_m[1] - ground.station_m[0]
    row = np.round((station_m - ground.station_m[0]) / spacing_m).astype(np.int64)
    column = np.floor((left_m + HALF_WIDTH_M) / BIN_M).astype(np.int64)
    count = len(ground.station_m)
    kept = (row >= 0) & (row < count) & (column >= 0) & (column < BINS)
    kept = np.flatnonzero(kept & (np.abs(height_m) < TALL_M))
    cell, height_m = row[kept] * BINS + column[kept], height_m[kept]
    order = np.lexsort((height_m, cell))
    return _quartiles(cell[order], height_m[order], count)


def _quartiles(
    cell: Int64[np.ndarray, "n"], height_m: Float64[np.ndarray, "n"], count: int
) -> tuple[Float64[np.ndarray, "stations bins"], Float64[np.ndarray, "stations bins"]]:
    """Of heights that are sorted by cell, then by height."""
    median, spread = np.full(count * BINS, np.nan), np.full(count * BINS, np.nan)
    cells, first, points = np.unique(cell, return_index=True, return_counts=True)
    enough = points >= LEAST_POINTS
    cells, first, points = cells[enough], first[enough], points[enough]
    low, middle, high = (height_m[first + (points * k) // 4] for k in (1, 2, 3))
    median[cells], spread[cells] = middle, high - low
    return median.reshape(count, BINS), spread.reshape(count, BINS)


def _outwards(
    median_m: Float64[np.ndarray, "k"], spread_m: Float64[np.ndarray, "k"]
) -> Int8[np.ndarray, "k"]:
    """Answers from the path to one side, cell by cell."""
    answers = np.full(len(median_m), Answer.UNKNOWN, dtype=np.int8)
    level_m, seen, on_road = 0.0, 0, True
    for index, (median, spread) in enumerate(
        zip(median_m.tolist(), spread_m.tolist(), strict=True)
    ):
        if median != median:  # NaN: nothing was measured here
            continue
        on_road &= (index - seen) * BIN_M <= GAP_M + BIN_M
        smooth = abs(median - level_m) <= STEP_M and spread <= ROUGH_M
        if on_road and smooth:
            answers[seen : index + 1] = Answer.YES
            level_m, seen = 0.5 * (level_m + median), index
        elif not smooth:
            answers[index] = Answer.NO
            on_road = False
    return answers
