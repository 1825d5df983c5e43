"""Two grids over places of the world that answer quickly, and never wrongly say that all is clear.

World x, y, z [m].
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, UInt64

CELL_M = 0.25
"""Width of a cell; more where the world would have too many."""
MOST_CELLS = 2_000_000
SLICES = 64
"""Heights are told apart this finely: one bit each."""
RADII_M = (0.6, 1.2, 2.2, 4.0)
"""Discs for which the grid is made: a body is covered by some of the smallest that do."""
MOST_DISCS = 8


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Raster:
    """A set of places in plan view."""

    low_m: Float64[np.ndarray, "2"]
    """World x, y of its corner [m]."""
    cell_m: float
    """Width of a cell [m]."""
    held: Bool[np.ndarray, "rows columns"]
    """Which cells are in it, by x, then y."""

    @staticmethod
    def around(xy_m: Float[np.ndarray, "n 2"], reach_m: float) -> "Raster":
        """All places near to some: as near as `reach_m`, and at most a cell and a bit further."""
        if not len(xy_m):
            empty = np.zeros((1, 1), dtype=bool)
            return Raster(low_m=np.zeros(2), cell_m=1.0, held=empty)
        low, high = xy_m.min(axis=0) - 2 * reach_m, xy_m.max(axis=0) + 2 * reach_m
        cell_m = max(0.5 * reach_m, float(np.sqrt(np.prod(high - low) / MOST_CELLS)))
        shape = np.ceil((high - low) / cell_m).astype(np.int64) + 1
        held = np.zeros(shape.tolist(), dtype=bool)
        index = ((xy_m - low) / cell_m).astype(np.int64)
        held[index[:, 0], index[:, 1]] = True
        return Raster(low_m=low, cell_m=cell_m, held=_spread(held, round(reach_m / cell_m)))

    def at(self, xy_m: Float[np.ndarray, "n 2"]) -> Bool[np.ndarray, "n"]:
        """Whether places are in the set."""
        index, inside = _cells(xy_m, self.low_m, self.cell_m, self.held.shape)
        return inside & self.held[index[:, 0], index[:, 1]]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Slices:
    """At which heights anything is near a place."""

    low_m: Float64[np.ndarray, "3"]
    """Lowest x, y, z [m]."""
    cell_m: float
    """Width of a cell [m]."""
    slice_m: float
    """Height of a slice [m]."""
    near: tuple[UInt64[np.ndarray, "rows columns"], ...]
    """For each of `RADII_M`, a bit for every slice in which some point is as near as that."""

    @staticmethod
    def of(points_m: Float64[np.ndarray, "n 3"]) -> "Slices":
        """Of some points."""
        if not len(points_m):
            nothing = np.zeros((1, 1), dtype=np.uint64)
            return Slices(
                low_m=np.zeros(3), cell_m=1.0, slice_m=1.0, near=tuple(nothing for _ in RADII_M)
            )
        margin = np.array([RADII_M[-1], RADII_M[-1], 0.0]) + 1.0
        low, high = points_m.min(axis=0) - margin, points_m.max(axis=0) + margin
        cell_m = max(CELL_M, float(np.sqrt(np.prod((high - low)[:2]) / MOST_CELLS)))
        slice_m = max(CELL_M, float(high[2] - low[2]) / SLICES)
        shape = np.ceil((high - low)[:2] / cell_m).astype(np.int64) + 1
        index = ((points_m - low) / [cell_m, cell_m, slice_m]).astype(np.int64)
        bits = np.zeros(shape.tolist(), dtype=np.uint64)
        ones = np.uint64(1) << np.minimum(index[:, 2], SLICES - 1).astype(np.uint64)
        np.bitwise_or.at(bits, (index[:, 0], index[:, 1]), ones)
        near = tuple(_spread(bits, int(np.ceil(radius / cell_m)) + 1) for radius in RADII_M)
        return Slices(low_m=low, cell_m=cell_m, slice_m=slice_m, near=near)

    def may_hold(
        self,
        world_from_box: Float64[np.ndarray, "n 4 4"],
        size_m: Float64[np.ndarray, "3"],
        from_m: float,
        beside_m: float,
    ) -> Bool[np.ndarray, "n"]:
        """Which boxes may hold a point; those that are not told hold none.

        Args:
            world_from_box: Poses of the box.
            size_m: Length, width, height [m].
            from_m: Points no higher than this above its bottom do not count.
            beside_m: Points this near to its sides do.
        """
        discs, grid = _covered(size_m, beside_m)
        lengths = (np.arange(discs) + 0.5) / discs - 0.5
        centres = world_from_box[:, None, :2, 3] + (
            lengths[:, None] * size_m[0] * world_from_box[:, None, :2, 0]
        )
        shape = self.near[grid].shape
        index, inside = _cells(centres.reshape(-1, 2), self.low_m[:2], self.cell_m, shape)
        bits = np.where(inside, self.near[grid][index[:, 0], index[:, 1]], np.uint64(0))
        # A tilted box reaches up and down by what its length and width rise.
        tilt = np.abs(world_from_box[:, 2, :2]) @ (0.5 * size_m[:2] + beside_m)
        middle = world_from_box[:, 2, 3]
        bottom = middle - 0.5 * size_m[2] + from_m - tilt - 0.1
        top = middle + 0.5 * size_m[2] + tilt + 0.1
        wanted = self._mask(bottom, top)
        return np.any(bits.reshape(-1, discs) & wanted[:, None] != 0, axis=1)

    def _mask(
        self, bottom_m: Float64[np.ndarray, "n"], top_m: Float64[np.ndarray, "n"]
    ) -> UInt64[np.ndarray, "n"]:
        """A bit for every slice between two heights."""
        low, high = (
            np.clip(np.floor((z - self.low_m[2]) / self.slice_m), -1, SLICES)
            for z in (bottom_m, top_m)
        )
        ones = ~np.uint64(0)
        first = np.clip(low, 0, SLICES - 1).astype(np.uint64)
        last = np.clip(high, 0, SLICES - 1).astype(np.uint64)
        mask = (ones << first) & (ones >> (np.uint64(SLICES - 1) - last))
        return np.where((high < 0) | (low >= SLICES), np.uint64(0), mask)


def _covered(size_m: Float64[np.ndarray, "3"], beside_m: float) -> tuple[int, int]:
    """How many discs cover a box, and which of `RADII_M` they have."""
    half_wide = 0.5 * float(size_m[1]) + beside_m
    for grid, radius in enumerate(RADII_M):
        for discs in range(1, MOST_DISCS + 1):
            if np.hypot(half_wide, 0.5 * float(size_m[0]) / discs + beside_m) <= radius:
                return discs, grid
    return int(np.ceil(float(size_m[0]) / RADII_M[-1])), len(RADII_M) - 1


def _cells(
    xy_m: Float[np.ndarray, "n 2"],
    low_m: Float64[np.ndarray, "2"],
    cell_m: float,
    shape: tuple[int, ...],
) -> tuple[Int64[np.ndarray, "n 2"], Bool[np.ndarray, "n"]]:
    """The cell of each place, and whether there is one."""
    index = np.floor((xy_m - low_m) / cell_m).astype(np.int64)
    inside = np.all((index >= 0) & (index < shape), axis=1)
    return np.where(inside[:, None], index, 0), inside


def _spread(held: np.ndarray, cells: int) -> np.ndarray:
    """What is held within so many cells along either axis."""
    for axis in (0, 1):
        out = held.copy()
        for step in range(1, min(cells, held.shape[axis] - 1) + 1):
            ahead = [slice(None)] * 2
            back = [slice(None)] * 2
            ahead[axis], back[axis] = slice(step, None), slice(None, -step)
            out[tuple(ahead)] |= held[tuple(back)]
            out[tuple(back)] |= held[tuple(ahead)]
        held = out
    return held
