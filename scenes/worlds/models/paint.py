"""The colour of every surface, as a function of where it is hit and how coarsely it is seen.

All octaves fade to their mean below the footprint (`scenes.worlds.models.noise`). Rest coordinates
and footprints [m]; colours are linear and between 0 and 1.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, UInt8

from scenes.worlds.models.markings import marks_coverage, paint_coverage, worn
from scenes.worlds.models.mesh import Surface
from scenes.worlds.models.noise import band, fractal, smoothstep, stripe
from scenes.worlds.models.roads import RoadDetails

_WHITE = np.array([0.62, 0.62, 0.58])
_YELLOW = np.array([0.62, 0.42, 0.03])


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Spots:
    """Points on surfaces, and how large a piece of surface each stands for."""

    surface: UInt8[np.ndarray, "n"]
    rest_m: Float64[np.ndarray, "n 3"]
    normal: Float64[np.ndarray, "n 3"]
    """Unit normal in rest coordinates, on either side."""
    colour: Float[np.ndarray, "n 3"]
    across_m: Float64[np.ndarray, "n"]
    """Footprint across the line of sight [m]."""
    along_m: Float64[np.ndarray, "n"]
    """Footprint along it, longer where surfaces are seen at a slant [m]."""

    def __getitem__(self, pick: np.ndarray) -> "Spots":
        """The chosen spots."""
        return Spots(
            surface=self.surface[pick],
            rest_m=self.rest_m[pick],
            normal=self.normal[pick],
            colour=self.colour[pick],
            across_m=self.across_m[pick],
            along_m=self.along_m[pick],
        )

    def seen_m(self) -> Float64[np.ndarray, "n"]:
        """A round footprint of the same area [m]."""
        return np.sqrt(self.across_m * self.along_m)

    def on_wall(self) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates along a wall and up it [m]."""
        faces_x = np.abs(self.normal[:, 0]) > np.abs(self.normal[:, 1])
        along = np.where(faces_x, self.rest_m[:, 1], self.rest_m[:, 0])
        level = np.abs(self.normal[:, 2]) > 0.7
        return along, np.where(level, self.rest_m[:, 1], self.rest_m[:, 2])


def albedo(spots: Spots, road: RoadDetails) -> Float64[np.ndarray, "n 3"]:
    """Linear albedo of each spot."""
    out = np.array(spots.colour, np.float64)
    ground = np.flatnonzero(spots.surface == Surface.ROAD)
    out[ground] = _road(spots[ground], road)
    for surface, paint in _PAINTS.items():
        pick = np.flatnonzero(spots.surface == surface)
        if len(pick):
            out[pick] = paint(spots[pick])
    return np.clip(out, 0.0, 0.9)


def _road(spots: Spots, road: RoadDetails) -> np.ndarray:
    x, y, seen = spots.rest_m[:, 0], spots.rest_m[:, 1], spots.seen_m()
    shade = road.grey * (1.0 + 0.10 * fractal(x, y, 11.0, 3, seen, seed=1))
    grain = 0.26 * fractal(x, y, 0.16, 3, seen, seed=4) + 0.12 * fractal(x, y, 1.1, 2, seen, seed=9)
    for (x0, y0, x1, y1), factor in zip(road.patches_m, road.patch_shade, strict=True):
        near = np.flatnonzero((x > x0 - 0.5) & (x < x1 + 0.5) & (y > y0 - 0.5) & (y < y1 + 0.5))
        px, py, fx, fy = x[near], y[near], spots.along_m[near], spots.across_m[near]
        inside = stripe(px, x0, x1, fx) * stripe(py, y0, y1, fy)
        rim = stripe(px, x0 - 0.05, x1 + 0.05, fx) * stripe(py, y0 - 0.05, y1 + 0.05, fy) - inside
        shade[near] *= (1.0 + (factor - 1.0) * inside) * (1.0 - 0.55 * rim)
    for lane, low, high in road.lanes_m:  # tyres polish two tracks, oil drips between them
        on = (x >= low) & (x < high)
        for wheel in (-0.8, 0.8):
            shade *= 1.0 + on * 0.07 * np.exp(-(((y - lane - wheel) / 0.28) ** 2))
        shade *= 1.0 - on * 0.12 * np.exp(-(((y - lane) / 0.3) ** 2))
    shade *= (1.0 + grain) * (1.0 - 0.6 * _cracks(x, y, seen))
    colour = shade[:, None] * [1.0, 0.985, 0.96]
    for lid_x, lid_y in road.manholes_m:
        near = np.flatnonzero((np.abs(x - lid_x) < 0.45) & (np.abs(y - lid_y) < 0.45))
        gone = np.hypot(x[near] - lid_x, y[near] - lid_y)
        iron = 0.055 + 0.05 * band(x[near], y[near], 0.05, seen[near], 5)
        colour[near] = np.where((gone < 0.32)[:, None], iron[:, None], colour[near])
        colour[near] *= np.where((gone > 0.32) & (gone < 0.36), 0.5, 1.0)[:, None]
    cover = paint_coverage(x, y, spots.along_m, spots.across_m, road)
    cover = (cover * worn(x, y, seen, road.wear))[:, None]
    dirt = 1.0 + 0.12 * fractal(x, y, 0.5, 3, seen, seed=14)[:, None]
    colour += cover * (_WHITE * dirt - colour)
    yellow = [mark for mark in road.marks or () if mark.yellow]
    if yellow:  # tape, which does not wear
        cover = marks_coverage(x, y, spots.along_m, spots.across_m, yellow)[:, None]
        colour += cover * (_YELLOW * dirt - colour)
    return colour


def _cracks(x: np.ndarray, y: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Thin dark lines where a slow noise crosses zero, in some areas only."""
    ridge = np.abs(fractal(x, y, 2.7, 4, 0.0, seed=17))
    wide = 0.012 + 0.35 * seen
    where = smoothstep(fractal(x, y, 9.0, 2, 0.0, seed=21), 0.05, 0.45)
    return where * np.exp(-((ridge / wide) ** 2)) * (0.012 / wide)


def _pavement(spots: Spots) -> np.ndarray:
    x, y, seen = spots.rest_m[:, 0], spots.rest_m[:, 1], spots.seen_m()
    row = np.floor(y / 0.5)
    column = np.floor(x / 0.75 + 0.5 * (row % 2))
    fade = 1.0 - smoothstep(seen, 0.2, 0.8)
    slab = band(17.0 * column, 13.0 * row, 7.3, 0.0, 2) * fade
    gap = _gaps(x / 0.75 + 0.5 * (row % 2), 0.016, seen / 0.75)
    gap = np.maximum(gap, _gaps(y / 0.5, 0.024, seen / 0.5))
    stain = 0.18 * fractal(x, y, 2.3, 3, seen, 6) + 0.10 * fractal(x, y, 0.12, 2, seen, 11)
    shade = 0.31 * (1.0 + 0.16 * slab + stain) * (1.0 - 0.55 * gap)
    return shade[:, None] * [1.0, 0.97, 0.92]


def _gaps(cell: np.ndarray, wide: float, seen: np.ndarray) -> np.ndarray:
    """Share of the footprint in gaps about whole numbers of `cell`."""
    from_gap = np.abs(cell - np.round(cell))
    return stripe(from_gap, -wide / 2, wide / 2, np.maximum(seen, 0.3 * wide))


def _grass(spots: Spots) -> np.ndarray:
    x, y, seen = spots.rest_m[:, 0], spots.rest_m[:, 1], spots.seen_m()
    tone = 0.28 * fractal(x, y, 1.7, 3, seen, 3) + 0.38 * fractal(x, y, 0.13, 3, seen, 8)
    dry = smoothstep(fractal(x, y, 3.3, 3, seen, 13), 0.1, 0.9)[:, None]
    green = np.array([0.085, 0.135, 0.035]) + dry * np.array([0.09, 0.04, 0.02])
    return green * (1.0 + tone[:, None])


def _plaster(spots: Spots) -> np.ndarray:
    (u, v), seen = spots.on_wall(), spots.seen_m()
    streak = 0.10 * fractal(u * 5.0, v * 0.5, 1.9, 3, seen * 5.0, 5)
    blotch = 0.09 * fractal(u, v, 4.3, 4, seen, 15) + 0.07 * fractal(u, v, 0.11, 2, seen, 19)
    foot = 0.16 * np.exp(-np.maximum(v - 0.1, 0.0) / 0.8)
    return spots.colour * (1.0 + streak + blotch - foot)[:, None]


def _brick(spots: Spots) -> np.ndarray:
    (u, v), seen = spots.on_wall(), spots.seen_m()
    row = np.floor(v / 0.083)
    cell = u / 0.26 + 0.5 * (row % 2)
    fade = 1.0 - smoothstep(seen, 0.05, 0.25)
    tint = band(11.0 * np.floor(cell), 7.0 * row, 5.1, 0.0, 4) * fade
    mortar = np.maximum(_gaps(cell, 0.05, seen / 0.26), _gaps(v / 0.083, 0.15, seen / 0.083))
    stain = 0.16 * fractal(u, v, 2.9, 4, seen, 25) + 0.08 * fractal(u, v, 0.05, 2, seen, 29)
    stones = spots.colour * (1.0 + 0.38 * tint + stain)[:, None]
    return stones + mortar[:, None] * (np.array([0.42, 0.40, 0.36]) - stones)


def _stone(spots: Spots) -> np.ndarray:
    (u, v), seen = spots.on_wall(), spots.seen_m()
    row = np.floor(v / 0.42)
    gap = np.maximum(
        _gaps(u / 0.9 + 0.5 * (row % 2), 0.02, seen / 0.9), _gaps(v / 0.42, 0.04, seen / 0.42)
    )
    tone = 0.14 * fractal(u, v, 0.9, 4, seen, 33) + 0.08 * fractal(u, v, 0.07, 2, seen, 37)
    return spots.colour * ((1.0 + tone) * (1.0 - 0.4 * gap))[:, None]


def _roof(spots: Spots) -> np.ndarray:
    u, v = spots.rest_m[:, 0], spots.rest_m[:, 1] + spots.rest_m[:, 2]
    seen = spots.seen_m()
    rib = _gaps(v / 0.33, 0.22, seen / 0.33) + 0.6 * _gaps(u / 0.22, 0.2, seen / 0.22)
    tone = 0.22 * fractal(u, v, 1.3, 4, seen, 41)
    return spots.colour * ((1.0 + tone) * (1.0 - 0.35 * np.clip(rib, 0, 1)))[:, None]


def _glass(spots: Spots) -> np.ndarray:
    (u, v), seen = spots.on_wall(), spots.seen_m()
    folds = 0.25 * fractal(u * 6.0, v * 0.3, 0.9, 2, seen * 6.0, 45)
    return spots.colour * (1.0 + folds + 0.3 * fractal(u, v, 0.8, 2, seen, 49))[:, None]


def _bark(spots: Spots) -> np.ndarray:
    (u, v), seen = spots.on_wall(), spots.seen_m()
    return spots.colour * (1.0 + 0.5 * fractal(u * 4.0, v * 0.7, 0.12, 3, seen * 4.0, 51))[:, None]


def _distant(spots: Spots) -> np.ndarray:
    u, v = spots.rest_m[:, 0] + spots.rest_m[:, 1], spots.rest_m[:, 2]
    return spots.colour * (1.0 + 0.4 * fractal(u, 1.6 * v, 9.0, 4, spots.seen_m(), 53))[:, None]


_PAINTS = {
    Surface.PAVEMENT: _pavement,
    Surface.GRASS: _grass,
    Surface.PLASTER: _plaster,
    Surface.BRICK: _brick,
    Surface.STONE: _stone,
    Surface.ROOF: _roof,
    Surface.GLASS: _glass,
    Surface.BARK: _bark,
    Surface.DISTANT: _distant,
}
"""Surfaces that are not one colour, the road apart; others carry theirs in the mesh."""
