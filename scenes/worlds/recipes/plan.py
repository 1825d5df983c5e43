"""The ground of a place, cut out of the plane by its distance to the carriageway.

A plan is a function that gives the signed distance [m] from each point of the plane to the edge
of the carriageway, negative on it. Bands follow its level lines: asphalt, kerb, grass, pavement.
Triangles are cut exactly where a (piecewise linear) level line passes, so edges are smooth.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from scenes.semantics import Semantic
from scenes.worlds.models.mesh import Mesh, Surface, join, quads, triangles

GroundPlan = Callable[[np.ndarray], np.ndarray]
"""[n, 2] points -> [n] signed distances to the edge of the carriageway."""
KERB_M = 0.12


@dataclass(frozen=True, kw_only=True, slots=True)
class Band:
    """A strip of ground that follows the edge of the carriageway."""

    to_m: float
    """Where it ends; it begins where the one before it ends."""
    surface: Surface
    semantic: Semantic
    z_m: float = KERB_M
    colour: tuple[float, float, float] = (0.42, 0.41, 0.39)


ASPHALT = Band(to_m=0.0, surface=Surface.ROAD, semantic=Semantic.ROAD, z_m=0.0)
STONES = Band(to_m=0.16, surface=Surface.STONE, semantic=Semantic.SIDEWALK)


def lawn(to_m: float, z_m: float = KERB_M) -> Band:
    """Grass."""
    return Band(to_m=to_m, surface=Surface.GRASS, semantic=Semantic.TERRAIN, z_m=z_m)


def pavement(to_m: float) -> Band:
    """Slabs."""
    return Band(to_m=to_m, surface=Surface.PAVEMENT, semantic=Semantic.SIDEWALK)


def cut(
    corners: Float64[np.ndarray, "n 3 2"], value: Float64[np.ndarray, "n 3"]
) -> tuple[np.ndarray, np.ndarray, Float64[np.ndarray, "k 2 2"]]:
    """Triangles below and above 0, orientation kept, and the line between, below on its left."""
    low = value < 0.0
    count = low.sum(axis=1)
    below, above, line = [corners[count == 3]], [corners[count == 0]], []
    for odd, mine, other in ((1, below, above), (2, above, below)):
        pick = np.flatnonzero(count == odd)
        lone = np.argmax(low[pick] if odd == 1 else ~low[pick], axis=1)
        order = (lone[:, None] + np.arange(3)) % 3
        a, b, c = np.moveaxis(np.take_along_axis(corners[pick], order[..., None], 1), 1, 0)
        va, vb, vc = np.moveaxis(np.take_along_axis(value[pick], order, 1), 1, 0)
        p = a + (va / (va - vb))[:, None] * (b - a)
        q = a + (va / (va - vc))[:, None] * (c - a)
        mine.append(np.stack([a, p, q], axis=1))
        other += [np.stack([p, b, c], axis=1), np.stack([p, c, q], axis=1)]
        line.append(np.stack([p, q] if odd == 1 else [q, p], axis=1))
    return np.concatenate(below), np.concatenate(above), np.concatenate(line)


def grid(
    low_m: Sequence[float], high_m: Sequence[float], cell_m: Sequence[float]
) -> Float64[np.ndarray, "n 3 2"]:
    """The triangles of a grid over a rectangle, counter-clockwise."""
    lines = [
        np.linspace(a, b, max(int(np.ceil((b - a) / c)), 1) + 1)
        for a, b, c in zip(low_m, high_m, cell_m, strict=True)
    ]
    x, y = np.meshgrid(*lines, indexing="ij")
    knots = np.stack([x, y], axis=-1)
    a, b, c, d = knots[:-1, :-1], knots[1:, :-1], knots[1:, 1:], knots[:-1, 1:]
    return np.stack([np.stack(t, axis=2) for t in ((a, b, c), (a, c, d))], 2).reshape(-1, 3, 2)


def ground(corners: Float64[np.ndarray, "n 3 2"], plan: GroundPlan, bands: Sequence[Band]) -> Mesh:
    """All bands over the given triangles, steps between them included; painted where they are."""
    parts, rest = [], corners
    for band, beyond in zip(bands, [*bands[1:], None], strict=True):
        value = plan(rest.reshape(-1, 2)).reshape(-1, 3) - band.to_m
        value = np.where(np.abs(value) < 1e-9, 1e-9, value)  # no slivers at grid points
        inside, rest, line = cut(rest, value)
        flat = np.full((*inside.shape[:2], 1), band.z_m)
        vertices = np.concatenate([inside, flat], axis=2).reshape(-1, 3)
        faces = np.arange(len(vertices)).reshape(-1, 3)
        parts.append(triangles(vertices, faces, band.surface, band.colour, band.semantic))
        if beyond is not None and beyond.z_m != band.z_m:
            parts.append(_step(line, band, beyond))
        if len(rest) == 0:
            break
    return join([part for part in parts if len(part)])


def _step(line: Float64[np.ndarray, "k 2 2"], band: Band, beyond: Band) -> Mesh:
    """The upright face between two bands; it looks towards the lower one."""
    p, q = (line[:, 1], line[:, 0]) if beyond.z_m > band.z_m else (line[:, 0], line[:, 1])
    corners = [(p, band.z_m), (q, band.z_m), (q, beyond.z_m), (p, beyond.z_m)]
    quad = np.stack([np.column_stack([at, np.full(len(at), z)]) for at, z in corners], axis=1)
    return quads(quad, beyond.surface, beyond.colour, beyond.semantic)


def smooth_union(one: np.ndarray, other: np.ndarray, radius_m: float) -> np.ndarray:
    """Distance to either of two shapes, inner corners rounded by `radius_m`."""
    corner = radius_m - np.hypot(np.maximum(radius_m - one, 0.0), np.maximum(radius_m - other, 0.0))
    return np.where((one < radius_m) & (other < radius_m), corner, np.minimum(one, other))


def strip_distance(
    d_m: Float64[np.ndarray, "n"],
    low_m: Float64[np.ndarray, "n"] | float,
    high_m: Float64[np.ndarray, "n"] | float,
) -> Float64[np.ndarray, "n"]:
    """Distance to a road between two edges, that may vary along it slowly."""
    return np.maximum(low_m - d_m, d_m - high_m)
