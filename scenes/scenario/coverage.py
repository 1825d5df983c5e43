"""What of a request for near-collisions was had, what was not, and why: as text, and as a map.

Scenarios count in the cell where they came out, which is not always the one they were wished for.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from scenes.criticality import FAMILIES
from scenes.criticality.request import (
    ANGLE_EDGES_DEG,
    CLOSING_EDGES_MPS,
    Cell,
    GoalRanges,
    cells,
    spans_of,
)
from scenes.errors import InfeasibleError

if TYPE_CHECKING:
    from scenes.scenario.sampling import Drawn, Refused

Key = tuple[str, int, int, int]
"""Family, and numbers of the cells of time to collision, closing speed and angle."""

ROW_PX, COLUMN_PX, LABEL_PX, TOP_PX, GAP_PX = 18, 30, 210, 54, 14
"""Sizes of the map [px]."""
NEVER, EMPTY, TEXT, RULE = (225, 225, 225), (255, 255, 255), (20, 20, 20), (120, 120, 120)
"""Colours: a family never has this; it was not filled; letters; borders."""
MISSED, LEAST, MOST = (240, 150, 120), (205, 235, 205), (40, 140, 60)
"""Colours: tried in vain; filled once; filled most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Grid:
    """Borders of cells, and what is in them."""

    edges: tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]
    had: Counter[Key]
    why: dict[Key, str]
    """Why a cell that was wished for was not had."""
    possible: frozenset[Key]


def _grid(requested: GoalRanges, made: Sequence["Drawn"], refused: Sequence["Refused"]) -> _Grid:
    edges = (requested.ttc_edges_s(), CLOSING_EDGES_MPS, ANGLE_EDGES_DEG)
    had: Counter[Key] = Counter()
    why: dict[Key, str] = {}
    for one in made:
        if one.cell is not None and one.had is not None:
            had[_key(one.cell.family, one.had, edges)] += 1
            if one.missed is not None:
                why.setdefault(_key(one.cell.family, _middle(one.cell), edges), one.missed)
    for one in refused:
        if one.cell is not None:
            why.setdefault(_key(one.cell.family, _middle(one.cell), edges), one.wrong)
    possible: set[Key] = set()
    for family in requested.families:
        try:
            possible |= {_key(family, _middle(cell), edges) for cell in cells(requested, family)}
        except InfeasibleError:
            continue
    return _Grid(edges=edges, had=had, why=why, possible=frozenset(possible))


def _middle(cell: Cell) -> tuple[float, float, float]:
    spans = (cell.ttc_s, cell.closing_mps, cell.angle_deg)
    ttc, closing, angle = (0.5 * (low + high) for low, high in spans)
    return ttc, closing, angle


def _key(
    family: str, values: tuple[float, float, float], edges: tuple[tuple[float, ...], ...]
) -> Key:
    ttc, closing, angle = (
        int(np.clip(np.searchsorted(border, value, side="right") - 1, 0, max(0, len(border) - 2)))
        for value, border in zip(values, edges, strict=True)
    )
    return family, ttc, closing, angle


def report(requested: GoalRanges, made: Sequence["Drawn"], refused: Sequence["Refused"]) -> str:
    """Which cells were filled, which were not, and why: text for people."""
    grid = _grid(requested, made, refused)
    filled = len(grid.had.keys() & grid.possible)
    lines = [
        f"{len(made)} of {len(made) + len(refused)} scenarios had, {len(refused)} refused.",
        f"{filled} of {len(grid.possible)} cells filled that the families have.",
    ]
    for reason, count in Counter(one.reason for one in refused).most_common():
        lines.append(f"refused {count:6d}  {reason}")
    for family in requested.families:
        has = spans_of(FAMILIES[family], requested)
        lines += ["", f"{family}: {FAMILIES[family].describe}; {has}"]
        for key in sorted({*grid.possible, *grid.had}):
            if key[0] == family:
                count, reason = grid.had[key], grid.why.get(key, "nobody came by: draw more")
                lines.append(f"  {_words(key, grid)}: {count or f'0, {reason}'}")
    return "\n".join(lines) + "\n"


def _words(key: Key, grid: _Grid) -> str:
    units = ("ttc {:.2f}-{:.2f} s", "closing {:g}-{:g} m/s", "angle {:g} to {:g}")
    parts = []
    for index, unit, border in zip(key[1:], units, grid.edges, strict=True):
        parts.append(unit.format(border[index], border[min(index + 1, len(border) - 1)]))
    return ", ".join(parts)


def heat_map(
    requested: GoalRanges, made: Sequence["Drawn"], refused: Sequence["Refused"]
) -> Image.Image:
    """The same as a picture.

    A row is a family and a range of angles, a column a closing speed; each range of times to
    collision is a block of columns.
    """
    grid = _grid(requested, made, refused)
    rows = sorted({(requested.families.index(k[0]), k[3]) for k in {*grid.possible, *grid.had}})
    columns, blocks = len(grid.edges[1]) - 1, max(1, len(grid.edges[0]) - 1)
    width = LABEL_PX + blocks * (columns * COLUMN_PX + GAP_PX)
    image = Image.new("RGB", (width, TOP_PX + (len(rows) + 2) * ROW_PX), EMPTY)
    pen = ImageDraw.Draw(image)
    most = max(grid.had.values(), default=1)
    pen.text((8, 8), "family, angle [deg]", TEXT)
    pen.text((8, 22), "closing speed [m/s] ->", TEXT)
    for block in range(blocks):
        left = LABEL_PX + block * (columns * COLUMN_PX + GAP_PX)
        low, high = grid.edges[0][block], grid.edges[0][min(block + 1, len(grid.edges[0]) - 1)]
        pen.text((left, 8), f"ttc {low:.2f}-{high:.2f} s", TEXT)
        for column in range(columns):
            x = left + column * COLUMN_PX
            pen.text((x, 26), f"{grid.edges[1][column]:g}", TEXT)
            for row, (family, angle) in enumerate(rows):
                y = TOP_PX + row * ROW_PX
                key = (requested.families[family], block, column, angle)
                colour, count = _colour(key, grid, most)
                pen.rectangle((x, y, x + COLUMN_PX - 1, y + ROW_PX - 1), colour, RULE)
                if count:
                    pen.text((x + 4, y + 3), str(count), TEXT)
    for row, (family, angle) in enumerate(rows):
        low, high = grid.edges[2][angle], grid.edges[2][angle + 1]
        words = f"{requested.families[family]}, {low:g} to {high:g}"
        pen.text((8, TOP_PX + row * ROW_PX + 3), words, TEXT)
    foot = "green: had (how many); red: tried in vain (see coverage.txt); grey: not in the family"
    pen.text((8, TOP_PX + len(rows) * ROW_PX + 8), foot, TEXT)
    return image


def _colour(key: Key, grid: _Grid, most: int) -> tuple[tuple[int, int, int], int]:
    count = grid.had[key]
    if count:
        share = np.log1p(count) / np.log1p(most)
        low, high = np.array(LEAST), np.array(MOST)
        red, green, blue = (low + share * (high - low)).astype(int).tolist()
        return (red, green, blue), count
    if key in grid.why:
        return MISSED, 0
    return (EMPTY if key in grid.possible else NEVER), 0
