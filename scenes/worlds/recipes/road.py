"""A road along a centre line: edges, lanes, paint; and what follows from them.

Rest coordinates (s, d) of each road are painted at x = s + `offset_m`, y = d, so that the roads
of a junction do not share their paint. Metres.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from scenes.worlds.models.roads import Mark, RoadDetails
from scenes.worlds.models.world import LaneLine
from scenes.worlds.recipes.centre_line import CentreLine

LINE_M = 0.13
"""Width of a line."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Road:
    """One road of a place."""

    line: CentreLine
    span_m: tuple[float, float]
    """From where to where, in s."""
    edge_m: tuple[float, float]
    """Right and left edge of the carriageway, in d."""
    marks: tuple[Mark, ...] = ()
    """What is painted, in (s, d)."""
    lanes_m: tuple[float, ...] = (0.0,)
    """Middles of its lanes, in d."""
    offset_m: float = 0.0
    """Where it is painted."""


def line_mark(
    span_m: tuple[float, float],
    d_m: float,
    dashes: tuple[float, float] | None = None,
    width_m: float = LINE_M,
    drift_m: float = 0.0,
    yellow: bool = False,
) -> Mark:
    """A line along the road; `dashes` are their length and period."""
    return Mark(
        low_m=(span_m[0], d_m - 0.5 * width_m),
        high_m=(span_m[1], d_m + 0.5 * width_m),
        dash_m=dashes[0] if dashes else 0.0,
        period_m=dashes[1] if dashes else 1.0,
        drift_m=drift_m,
        yellow=yellow,
        divides_lanes=True,
    )


def zebra(s_m: float, edge_m: tuple[float, float], length_m: float = 3.2) -> Mark:
    """A crossing for pedestrians."""
    low, high = (s_m, edge_m[0] + 0.3), (s_m + length_m, edge_m[1] - 0.2)
    return Mark(low_m=low, high_m=high, dash_m=0.5, period_m=1.0, across=True)


def stop_line(s_m: float, low_m: float, high_m: float, dashed: bool = False) -> Mark:
    """Where to halt, or where to give way."""
    return Mark(low_m=(s_m, low_m), high_m=(s_m + 0.4, high_m), dash_m=0.5 * dashed, across=dashed)


def broken(mark: Mark, gaps_m: Sequence[tuple[float, float]]) -> list[Mark]:
    """A line along the road without what lies within the gaps."""
    left, pieces = mark.low_m[0], []
    for low, high in sorted(gaps_m):
        if low > left:
            pieces.append((left, low))
        left = max(left, high)
    pieces.append((left, mark.high_m[0]))
    return [
        replace(mark, low_m=(a, mark.low_m[1]), high_m=(b, mark.high_m[1]))
        for a, b in pieces
        if b - a > 0.5
    ]


def details(
    seed: int,
    roads: Sequence[Road],
    wear: float = 0.4,
    grey: float = 0.135,
    arrows_m: Sequence[tuple[float, float]] = (),
    repairs_per_m: float = 0.2,
) -> RoadDetails:
    """Paint, repairs, lids and tyre tracks of all roads together."""
    rng = np.random.default_rng([seed, 61])
    patches, lids, lanes, marks = [np.zeros((0, 4))], [np.zeros((0, 2))], [], []
    for road in roads:
        low, high = np.array(road.span_m) + road.offset_m
        count = int(repairs_per_m * (high - low))
        corner = rng.uniform([low, road.edge_m[0]], [high, road.edge_m[1]], (count, 2))
        size = rng.uniform([0.8, 0.5], [9.0, 2.2], (count, 2))
        # Repairs end at the edge, and they are kept off the paint of other roads.
        top = np.minimum(corner + size, [high, road.edge_m[1]])
        patches.append(np.concatenate([corner, top], axis=1))
        holes = int(0.35 * count)
        lid = rng.uniform([low, road.edge_m[0] + 1.5], [high, road.edge_m[1] - 1.0], (holes, 2))
        lids.append(lid)
        lanes += [(d, low, high) for d in road.lanes_m]
        marks += [_shifted(mark, road.offset_m) for mark in road.marks]
    patches_m = np.concatenate(patches)
    return RoadDetails(
        patches_m=patches_m,
        patch_shade=rng.uniform(0.62, 1.32, len(patches_m)),
        manholes_m=np.concatenate(lids),
        arrows_m=np.reshape(np.array(arrows_m, np.float64), (-1, 2)),
        wear=wear,
        marks=tuple(marks),
        lanes_m=tuple(lanes),
        grey=grey,
    )


def _shifted(mark: Mark, by_m: float) -> Mark:
    low, high = (mark.low_m[0] + by_m, mark.low_m[1]), (mark.high_m[0] + by_m, mark.high_m[1])
    return replace(mark, low_m=low, high_m=high)


def lane_lines(roads: Sequence[Road]) -> tuple[LaneLine, ...]:
    """Every painted line that divides or borders lanes, as a polyline in the world."""
    lines = []
    for road in roads:
        for mark in road.marks:
            if mark.divides_lanes:
                length = mark.high_m[0] - mark.low_m[0]
                s = np.linspace(mark.low_m[0], mark.high_m[0], int(np.ceil(length / 0.8)) + 1)
                d = 0.5 * (mark.low_m[1] + mark.high_m[1]) + mark.drift_at(s)
                points = np.column_stack([road.line.at(s, d), np.zeros(len(s))])
                lines.append(LaneLine(points_m=points, dashed=mark.dash_m > 0.0))
    return tuple(lines)


def outline(
    line: CentreLine,
    span_m: tuple[float, float],
    low_m: float | Float64[np.ndarray, "n"],
    high_m: float | Float64[np.ndarray, "n"],
    step_m: float = 1.0,
) -> Float64[np.ndarray, "_ 2"]:
    """The polygon between two edges of a road, counter-clockwise."""
    count = (
        len(low_m) if isinstance(low_m, np.ndarray) else int((span_m[1] - span_m[0]) / step_m) + 2
    )
    s = np.linspace(*span_m, count)
    right = line.at(s, np.broadcast_to(low_m, s.shape))
    left = line.at(s, np.broadcast_to(high_m, s.shape))
    return np.concatenate([right, left[::-1]])
