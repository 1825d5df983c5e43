"""White paint on the road: dashes, edge lines, a double centre line, arrows, a zebra crossing.

Each mark is the share of a footprint that it covers, integrated exactly, so that lines stay thin
and smooth in the distance. Rest coordinates [m].
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float64

from scenes.worlds.models.noise import fractal, repeated, smoothstep, stripe
from scenes.worlds.models.roads import CROSSING_M, FREE_M, LANE_M, ONCOMING_M, Mark, RoadDetails

DASH_M, DASH_PERIOD_M = 4.0, 10.0
LINE_M = 0.13
"""Width of a line."""


def paint_coverage(
    x: Float[np.ndarray, "n"],
    y: Float[np.ndarray, "n"],
    along: Float[np.ndarray, "n"],
    across: Float[np.ndarray, "n"],
    road: RoadDetails,
) -> Float[np.ndarray, "n"]:
    """Share of each footprint (`along` x `across` [m]) under paint, had it not worn."""
    if road.marks is None:
        cover = _street_coverage(x, y, along, across)
    else:
        cover = marks_coverage(x, y, along, across, road.marks)
    for tail in road.arrows_m:
        cover = np.maximum(cover, _arrow(x - tail[0], y - tail[1], along, across))
    return np.clip(cover, 0.0, 1.0)


def marks_coverage(
    x: Float[np.ndarray, "n"],
    y: Float[np.ndarray, "n"],
    along: Float[np.ndarray, "n"],
    across: Float[np.ndarray, "n"],
    marks: Sequence[Mark],
) -> Float[np.ndarray, "n"]:
    """Share of each footprint under any of `marks`, had they not worn."""
    cover = np.zeros(len(x))
    for mark in marks:
        (x0, y0), (x1, y1) = mark.low_m, mark.high_m
        near = np.flatnonzero((x + along > x0) & (x - along < x1))
        px, along_x, across_y = x[near], along[near], across[near]
        py = y[near] - mark.drift_at(px)
        inside = stripe(px, x0, x1, along_x) * stripe(py, y0, y1, across_y)
        if mark.dash_m > 0.0 and mark.across:
            inside *= repeated(py - y0, mark.period_m, mark.dash_m, across_y)
        elif mark.dash_m > 0.0:
            inside *= repeated(px - x0, mark.period_m, mark.dash_m, along_x)
        cover[near] = np.maximum(cover[near], inside)
    return cover


def _street_coverage(
    x: Float[np.ndarray, "n"],
    y: Float[np.ndarray, "n"],
    along: Float[np.ndarray, "n"],
    across: Float[np.ndarray, "n"],
) -> Float[np.ndarray, "n"]:
    """Share of each footprint under the lines of the street of `scenes.worlds.models.roads`."""
    half = 0.5 * LINE_M
    cover = repeated(x, DASH_PERIOD_M, DASH_M, along) * stripe(
        y, LANE_M / 2 - half, LANE_M / 2 + half, across
    )
    centre = 0.5 * (LANE_M + ONCOMING_M)
    outside = 1.0 - stripe(x, CROSSING_M[0] - 0.4, CROSSING_M[1] + 0.4, along)
    for middle in (centre - 0.14, centre + 0.14, FREE_M[0] + 0.06, FREE_M[1]):
        cover += outside * stripe(y, middle - half, middle + half, across)
    zebra = stripe(x, *CROSSING_M, along) * repeated(y - FREE_M[0] - 0.3, 1.0, 0.5, across)
    zebra *= stripe(y, FREE_M[0], FREE_M[1], across)
    halt = CROSSING_M[0] - 1.6
    stop = stripe(x, halt, halt + 0.4, along) * stripe(y, FREE_M[0] + 0.1, centre - 0.3, across)
    return np.maximum(np.maximum(cover, zebra), stop)


def _arrow(
    x: Float64[np.ndarray, "n"],
    y: Float64[np.ndarray, "n"],
    along: Float[np.ndarray, "n"],
    across: Float[np.ndarray, "n"],
) -> Float64[np.ndarray, "n"]:
    """An arrow 4.4 m long that points along x, from its tail."""
    shaft = stripe(x, 0.0, 2.8, along) * stripe(y, -0.09, 0.09, across)
    half = np.clip(0.42 * (4.4 - x) / 1.7, 0.0, 0.42)
    head = stripe(x, 2.7, 4.4, along) * stripe(y, -half, half, across)
    return np.maximum(shaft, head)


def worn(
    x: Float[np.ndarray, "n"],
    y: Float[np.ndarray, "n"],
    footprint: Float[np.ndarray, "n"],
    wear: float,
) -> Float[np.ndarray, "n"]:
    """Share of the paint that is left: large areas fade, small flakes are gone."""
    broad = fractal(x, y, 3.1, 2, footprint, seed=31)
    flakes = fractal(x, y, 0.21, 3, footprint, seed=35)
    gone = smoothstep(0.5 * broad + 0.75 * flakes, 0.75 - 1.1 * wear, 1.35 - 1.1 * wear)
    return 1.0 - 0.85 * gone
