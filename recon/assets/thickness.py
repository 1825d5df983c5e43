"""Where somebody is solid, and where there is open space beside, for `recon.assets.make_library`.

Triangles of procedural road users overlap, and not all face outward, so what is between the places
where a ray meets them is told from what can be seen: a place that some camera around has in view is
in the open, not inside. World axes, metres.
"""

import numpy as np
from jaxtyping import Bool, Float64, Int64

from scenes.worlds.trace.tracer import Tracer

SKIN_M = 1e-4
"""Rays go on so far behind a surface."""
BEHIND_M = 0.02
"""It is asked whether there is open space so far behind a surface, or half as far as the next."""
LOW_SHARE, LOW = 0.5, 0.25
"""This share of open places is looked for in the lowest part of the box, where wheels are."""
LAYERS = 4
"""Surfaces one behind the other, at most, that are looked behind: more are solid to the end."""


def thickness_m(
    tracer: Tracer,
    number: int,
    rays: tuple[Float64[np.ndarray, "n 3"], Float64[np.ndarray, "n 3"], Int64[np.ndarray, "n"]],
    range_m: Float64[np.ndarray, "n"],
    eyes_m: Float64[np.ndarray, "eyes 3"],
    most_m: float,
    narrow_m: float,
) -> Float64[np.ndarray, "n"]:
    """How far it is, along each ray, from the surface that it meets to where it is in the open.

    Args:
        tracer: The world.
        number: Id of the road user.
        rays: Origins, unit directions, times [us].
        range_m: To the surfaces.
        eyes_m: From where all around one looks.
        most_m: Nobody asks about more.
        narrow_m: Gaps that are narrower than this are as good as solid.

    Returns:
        The thicknesses; `most_m` where it is more.
    """
    origins, directions, time_us = rays
    thick_m = np.full(len(range_m), most_m)
    live, end_m = np.arange(len(range_m)), range_m
    for layer in range(LAYERS):
        start = origins[live] + (end_m + SKIN_M)[:, None] * directions[live]
        ahead = start, directions[live], time_us[live]
        gap_m, ours = _next_surface(tracer, number, ahead)
        leaves = ~ours
        if layer == 0:  # an open sheet: it is solid behind, as far as the road
            thick_m[live[leaves]] = (end_m + gap_m - range_m[live])[leaves]
        else:
            middle = start + np.minimum(0.5 * gap_m, BEHIND_M)[:, None] * directions[live]
            leaves |= (gap_m > narrow_m) & in_view(tracer, middle, time_us[live], eyes_m)
            thick_m[live[leaves]] = (end_m - range_m[live])[leaves]
        end_m = end_m + SKIN_M + gap_m
        near = ~leaves & (end_m - range_m[live] < most_m)
        live, end_m = live[near], end_m[near]
    return np.minimum(thick_m, most_m)


def _next_surface(
    tracer: Tracer,
    number: int,
    rays: tuple[Float64[np.ndarray, "n 3"], Float64[np.ndarray, "n 3"], Int64[np.ndarray, "n"]],
) -> tuple[Float64[np.ndarray, "n"], Bool[np.ndarray, "n"]]:
    """How far it is to what rays meet, and whether that is the same road user."""
    hits = tracer.cast(*rays)
    return hits.range_m, hits.met & (tracer.mesh.instance[hits.face] == number)


def in_view(
    tracer: Tracer,
    points_m: Float64[np.ndarray, "n 3"],
    time_us: Int64[np.ndarray, "n"],
    eyes_m: Float64[np.ndarray, "eyes 3"],
) -> Bool[np.ndarray, "n"]:
    """Which points some eye sees: these are in the open."""
    seen = np.zeros(len(points_m), dtype=bool)
    for eye in eyes_m:
        rest = np.flatnonzero(~seen)
        way = eye - points_m[rest]
        away_m = np.linalg.norm(way, axis=1)
        hidden = tracer.blocked(points_m[rest], way / away_m[:, None], time_us[rest], away_m)
        seen[rest] = ~hidden
    return seen


def open_places(
    tracer: Tracer,
    world_from_box: Float64[np.ndarray, "4 4"],
    size_m: Float64[np.ndarray, "3"],
    eyes_m: Float64[np.ndarray, "eyes 3"],
    count: int,
    random: np.random.Generator,
) -> Float64[np.ndarray, "n 3"]:
    """Places that are in the open, or in the road, all over a box; in its frame.

    Few rays of pictures from above pass under a vehicle: what is never learnt to be empty there is
    full of specks.

    Args:
        tracer: The world, whose road is at z = 0.
        world_from_box: Where the box is; its axes are the world's.
        size_m: Of the box in which places are looked for, whose middle is the other's.
        eyes_m: From where all around one looks.
        count: So many are looked at.
        random: Of numbers.
    """
    places = random.uniform(-0.5, 0.5, (count, 3))
    low = random.uniform(size=count) < LOW_SHARE
    places[low, 2] = LOW * (places[low, 2] + 0.5) - 0.5
    places *= size_m
    points = places + world_from_box[:3, 3]
    is_open = points[:, 2] < 0.0  # seen by nobody, and not a part of anybody
    above = np.flatnonzero(~is_open)
    is_open[above] = in_view(tracer, points[above], np.zeros(len(above), np.int64), eyes_m)
    return places[is_open]
