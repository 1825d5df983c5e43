"""Houses: facades with real relief (recessed windows, frames, sills, balconies), walls and roofs.

A facade is made in its own frame: s along the wall, d outwards, z up [m]; (s, d, z) is
right-handed when d points to the left of s. Placing it turns the whole house.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from scenes.motion.geometry import rigid, yaw_rotation
from scenes.semantics import Semantic
from scenes.worlds.models.mesh import Mesh, Surface, boxes, join, quads
from scenes.worlds.models.roads import FACADE_M, KERB_M, SPAN_M

RECESS_M = 0.2
"""How deep windows sit in the wall."""

_WALLS = [
    (Surface.PLASTER, (0.62, 0.55, 0.42)),
    (Surface.PLASTER, (0.66, 0.64, 0.58)),
    (Surface.BRICK, (0.36, 0.16, 0.11)),
    (Surface.PLASTER, (0.55, 0.38, 0.28)),
    (Surface.BRICK, (0.42, 0.30, 0.20)),
    (Surface.PLASTER, (0.42, 0.50, 0.52)),
    (Surface.STONE, (0.50, 0.46, 0.38)),
    (Surface.PLASTER, (0.68, 0.60, 0.36)),
]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Openings:
    """Cells of a facade, each a piece of wall around one opening [m]."""

    cell: Float64[np.ndarray, "n 4"]
    """s and z of the low corner, then of the high one."""
    hole: Float64[np.ndarray, "n 4"]
    """The same for the opening."""


def _rectangles(low: np.ndarray, high: np.ndarray, depth: np.ndarray | float) -> np.ndarray:
    """Quads facing outwards (d), between (s, z) corners; [n, 4, 3]."""
    d = np.broadcast_to(depth, low[:, 0].shape)
    corners = [(low[:, 0], low[:, 1]), (low[:, 0], high[:, 1]), (high[:, 0], high[:, 1])]
    corners.append((high[:, 0], low[:, 1]))
    # Seen from outside s runs to the left, so this order is counter-clockwise.
    return np.stack([np.stack([s, d, z], axis=1) for s, z in corners], axis=1)


def _walls(openings: _Openings, surface: Surface, colour: tuple[float, ...]) -> Mesh:
    """The eight pieces of wall around every hole, and the four sides of the recess."""
    cell, hole = openings.cell, openings.hole
    s = np.stack([cell[:, 0], hole[:, 0], hole[:, 2], cell[:, 2]], axis=1)
    z = np.stack([cell[:, 1], hole[:, 1], hole[:, 3], cell[:, 3]], axis=1)
    pieces = [
        _rectangles(np.stack([s[:, i], z[:, j]], 1), np.stack([s[:, i + 1], z[:, j + 1]], 1), 0.0)
        for i in range(3)
        for j in range(3)
        if (i, j) != (1, 1)
    ]
    frame = _rectangles(hole[:, :2], hole[:, 2:], 0.0)
    back = frame - [0.0, RECESS_M, 0.0]
    for k in range(4):
        nxt = (k + 1) % 4
        pieces.append(
            np.stack([frame[:, k], back[:, k], back[:, nxt], frame[:, nxt]], axis=1)[:, ::-1]
        )
    return quads(np.concatenate(pieces), surface, colour)


def _frames(openings: _Openings, colour: tuple[float, ...]) -> Mesh:
    """Window frames with a mullion and a transom, and sills."""
    low, high = openings.hole[:, :2], openings.hole[:, 2:]
    middle, bar = 0.5 * (low[:, 0] + high[:, 0]), 0.055
    upper = low[:, 1] + 0.68 * (high[:, 1] - low[:, 1])
    bars = [
        (low[:, 0], low[:, 0] + bar, low[:, 1], high[:, 1]),
        (high[:, 0] - bar, high[:, 0], low[:, 1], high[:, 1]),
        (middle - bar / 2, middle + bar / 2, low[:, 1], high[:, 1]),
        (low[:, 0], high[:, 0], low[:, 1], low[:, 1] + bar),
        (low[:, 0], high[:, 0], high[:, 1] - bar, high[:, 1]),
        (low[:, 0], high[:, 0], upper - bar / 2, upper + bar / 2),
    ]
    deep, out = np.full(len(low), -RECESS_M), np.full(len(low), -RECESS_M + 0.06)
    lows = np.concatenate([np.stack([a, deep, c], axis=1) for a, _, c, _ in bars])
    highs = np.concatenate([np.stack([b, out, d], axis=1) for _, b, _, d in bars])
    sill_low = np.stack([low[:, 0] - 0.08, deep, low[:, 1] - 0.08], axis=1)
    sill_high = np.stack([high[:, 0] + 0.08, np.full(len(low), 0.1), low[:, 1]], axis=1)
    return join(
        [
            boxes(lows, highs, Surface.PLAIN, colour),
            boxes(sill_low, sill_high, Surface.STONE, (0.5, 0.48, 0.44)),
        ]
    )


def _panes(openings: _Openings, rng: np.random.Generator) -> Mesh:
    """Glass, behind which rooms are dark, curtained or shuttered."""
    low, high = openings.hole[:, :2], openings.hole[:, 2:]
    kind = rng.uniform(size=(len(low), 1))
    dark = np.array([0.018, 0.02, 0.024]) * rng.uniform(0.6, 2.5, (len(low), 1))
    curtain = np.array([0.45, 0.43, 0.38]) * rng.uniform(0.4, 1.0, (len(low), 1))
    colour = np.where(kind < 0.68, dark, curtain)
    return quads(_rectangles(low, high, -RECESS_M + 0.01), Surface.GLASS, colour)


def _balconies(openings: _Openings, rng: np.random.Generator) -> Mesh:
    """Slabs with railings in front of some openings, in whole columns."""
    column = np.round(openings.cell[:, 0], 3)
    chosen = rng.choice(np.unique(column), max(len(np.unique(column)) // 3, 1), replace=False)
    pick = np.isin(column, chosen) & (openings.cell[:, 1] > 3.0)
    cell = openings.cell[pick]
    zero, out = np.zeros(len(cell)), np.full(len(cell), 0.95)
    base = openings.hole[pick, 1] - 0.35
    left, right = cell[:, 0] + 0.25, cell[:, 2] - 0.25
    lows = [np.stack([left, zero, base - 0.14], 1), np.stack([left, out - 0.05, base + 0.9], 1)]
    highs = [np.stack([right, out, base], 1), np.stack([right, out, base + 0.95], 1)]
    for share in np.linspace(0.0, 1.0, 13):
        s = left + share * (right - left - 0.03)
        lows.append(np.stack([s, out - 0.04, base], 1))
        highs.append(np.stack([s + 0.03, out - 0.01, base + 0.9], 1))
    colour = np.repeat(
        [[0.4, 0.39, 0.37], [0.06, 0.06, 0.065]], [len(cell), 14 * len(cell)], axis=0
    )
    return boxes(np.concatenate(lows), np.concatenate(highs), Surface.PLAIN, colour)


def _shell(width: float, height: float, depth: float, wall: tuple, roof: tuple) -> Mesh:
    """Sides, cornices, plinth and a pitched roof behind the facade."""
    surface, colour = wall
    levels = np.linspace(0.0, height, 7)
    deep = np.linspace(-depth, 0.0, 5)
    sides = []
    for z0, z1 in zip(levels[:-1], levels[1:], strict=True):
        for d0, d1 in zip(deep[:-1], deep[1:], strict=True):
            quad = [[0, d0, z0], [0, d0, z1], [0, d1, z1], [0, d1, z0]]
            sides.append(quad[::-1])
            sides.append([[width, *corner[1:]] for corner in quad])
    ridge, eave = height + 0.32 * depth, 0.35
    slope = [[0, eave, height], [width, eave, height], [width, -depth / 2, ridge]]
    slope = [*slope, [0, -depth / 2, ridge]]
    back = [[width, -depth, height], [0, -depth, height], [0, -depth / 2, ridge]]
    back = [*back, [width, -depth / 2, ridge]]
    gable = [[0, 0, height], [0, -depth / 2, ridge], [0, -depth / 2, ridge], [0, -depth, height]]
    gables = [gable, [[width, *corner[1:]] for corner in gable][::-1]]
    cornice_low = [[0, 0, height - 0.35], [0, 0, 3.55], [0, 0, 0.0]]
    cornice_high = [[width, 0.38, height], [width, 0.13, 3.8], [width, 0.05, 0.5]]
    return join(
        [
            quads(np.array([*sides, *gables], float), surface, colour),
            quads(np.array([slope, back], float), Surface.ROOF, roof),
            boxes(np.array(cornice_low), np.array(cornice_high), Surface.STONE, (0.5, 0.47, 0.42)),
        ]
    )


def _openings(rng: np.random.Generator, width: float, floors: int) -> tuple[_Openings, _Openings]:
    """The ground floor (doors and shop windows) and the floors above it."""
    bays = max(int(width / rng.uniform(2.5, 3.3)), 2)
    edge = np.linspace(0.0, width, bays + 1)
    wide, tall = rng.uniform(0.38, 0.48) * width / bays, rng.uniform(1.55, 1.85)
    low, high = [], []
    for floor in range(floors):
        z = 0.0 if floor == 0 else 3.7 + 3.1 * (floor - 1)
        top = 3.7 if floor == 0 else z + 3.1
        for left, right in zip(edge[:-1], edge[1:], strict=True):
            middle, half, sill, head = 0.5 * (left + right), 0.5 * wide, z + 0.85, z + 0.85 + tall
            if floor == 0 and rng.uniform() < 0.22:
                half, sill, head = 0.55, 0.05, 2.45  # a door
            elif floor == 0:
                half, sill, head = 0.38 * (right - left), 0.75, 2.85
            cell = [left, z, right, top, middle - half, sill, middle + half, head]
            (low if floor == 0 else high).append(cell)
    lower, upper = np.array(low), np.array(high)
    return tuple(_Openings(cell=part[:, :4], hole=part[:, 4:]) for part in (lower, upper))  # pyright: ignore[reportReturnType]


def house(rng: np.random.Generator, width: float) -> Mesh:
    """One house, its facade from (0, 0, 0) to (width, 0, 0), facing d > 0."""
    floors = int(rng.integers(3, 6))
    wall = _WALLS[int(rng.integers(len(_WALLS)))]
    trim = ((0.62, 0.61, 0.58), (0.16, 0.10, 0.07), (0.30, 0.32, 0.31))[int(rng.integers(3))]
    lower, upper = _openings(rng, width, floors)
    base = (Surface.STONE, (0.44, 0.41, 0.36)) if rng.uniform() < 0.5 else wall
    height = 3.7 + 3.1 * (floors - 1)
    roof = ((0.22, 0.10, 0.075), (0.11, 0.115, 0.13))[int(rng.integers(2))]
    parts = [_walls(lower, *base), _walls(upper, *wall)]
    for openings in (lower, upper):
        parts += [_frames(openings, trim), _panes(openings, rng)]
    if rng.uniform() < 0.6:
        parts.append(_balconies(upper, rng))
    parts.append(_shell(width, height, float(rng.uniform(9, 12)), wall, roof))
    return join(parts).labelled(Semantic.BUILDING)


def houses(seed: int) -> Mesh:
    """Two rows of houses with gaps, and one row across the far end of the street."""
    rows = []
    for side, (yaw, y) in enumerate(((0.0, FACADE_M[0]), (np.pi, FACADE_M[1]))):
        rng = np.random.default_rng([seed, 10 + side])
        x = SPAN_M[0] + rng.uniform(0, 5)
        while x < SPAN_M[1] - 8.0:
            width = float(rng.uniform(9.0, 16.0))
            # Turned by pi a house grows towards -x, so it is put down by its other end.
            start = np.array([x + (width if side else 0.0), y, KERB_M])
            rows.append(house(rng, width).placed(rigid(yaw_rotation(np.array(yaw)), start)))
            x += width + (float(rng.uniform(3.0, 8.0)) if rng.uniform() < 0.28 else 0.0)
    rng = np.random.default_rng([seed, 12])
    for y in np.arange(-30.0, 40.0, 14.2):
        start = np.array([SPAN_M[1] + 14.0, y, 0.0])
        rows.append(house(rng, 14.0).placed(rigid(yaw_rotation(np.array(np.pi / 2)), start)))
    return join(rows)
