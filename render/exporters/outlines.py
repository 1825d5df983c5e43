"""Masks as polygons: corners lie on pixel corners, and the polygons' union is the mask, exactly.

COCO's polygons are filled one by one and have no holes. What is connected only at a corner becomes
several polygons; what has holes is cut from top to bottom through them, into pieces without holes
that share the cut.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Int64

Ring = Int64[np.ndarray, "n 2"]
"""Corners x, y of a closed polygon in turn [px]; pixels left of it (y down) are outside."""


def polygons(mask: Bool[np.ndarray, "h w"]) -> list[list[int]]:
    """Polygons x, y, x, y, ... [px] that do not overlap and cover a mask; none for an empty one."""
    return [ring.ravel().tolist() for ring in _without_holes(mask, np.zeros(2, dtype=np.int64))]


def _without_holes(mask: Bool[np.ndarray, "h w"], origin: Int64[np.ndarray, "2"]) -> Iterator[Ring]:
    """The outer ring of each part of a mask whose left upper corner lies at `origin`."""
    for part, corner in _parts(mask):
        rings = outlines(part)
        holes = sorted(ring[:, 0].min() for ring in rings if _area(ring) < 0)
        if not holes:
            (ring,) = rings
            yield ring + corner + origin
            continue
        cut = int(holes[len(holes) // 2])  # the middle one, so that cuts nest little
        yield from _without_holes(part[:, :cut], corner + origin)
        yield from _without_holes(part[:, cut:], corner + origin + [cut, 0])


def outlines(mask: Bool[np.ndarray, "h w"]) -> list[Ring]:
    """Borders between a mask and what is not: around it clockwise (y down), in holes against it.

    Pixels that touch at a corner only are apart.
    """
    following = _following(mask)
    rings = []
    while following:
        start = next(iter(following))
        at, along, ring = start, None, []
        while along is None or at != start or _turned(following, at, along) is not None:
            way = _turned(following, at, along)
            assert way is not None  # borders are closed
            following[at].remove(way)
            if not following[at]:
                del following[at]
            if way != along:
                ring.append(at)
            at, along = (at[0] + way[0], at[1] + way[1]), way
        rings.append(np.array(ring, dtype=np.int64))
    return rings


Point = tuple[int, int]


def _turned(ways: dict[Point, list[Point]], at: Point, along: Point | None) -> Point | None:
    """Where a border goes on: to the right where there are two ways; None where it is closed."""
    found = ways.get(at, [])
    if along is None or len(found) < 2:
        return found[0] if found else None
    right = (-along[1], along[0])
    return right if right in found else found[0]


def _following(mask: Bool[np.ndarray, "h w"]) -> dict[Point, list[Point]]:
    """Each corner on a border -> the steps that leave it, the mask at their right (y down)."""
    padded = np.pad(mask, 1)
    inner = padded[1:-1, 1:-1]
    sides = (  # where the neighbour is, from which corner of the pixel, in which direction
        (padded[:-2, 1:-1], (0, 0), (1, 0)),
        (padded[1:-1, 2:], (1, 0), (0, 1)),
        (padded[2:, 1:-1], (1, 1), (-1, 0)),
        (padded[1:-1, :-2], (0, 1), (0, -1)),
    )
    steps: dict[Point, list[Point]] = {}
    for neighbour, (x, y), way in sides:
        for row, column in np.argwhere(inner & ~neighbour).tolist():
            steps.setdefault((column + x, row + y), []).append(way)
    return steps


def _area(ring: Ring) -> float:
    """Positive for a ring that runs clockwise (y down) [px]."""
    following = np.roll(ring, -1, axis=0)
    return 0.5 * float(np.sum(ring[:, 0] * following[:, 1] - following[:, 0] * ring[:, 1]))


def _parts(
    mask: Bool[np.ndarray, "h w"],
) -> Iterator[tuple[Bool[np.ndarray, "_ _"], Int64[np.ndarray, "2"]]]:
    """Parts that are connected side by side, each cut out, and where its corner is [px]."""
    runs = _runs(mask)
    for members in _connected(runs):
        rows, starts, ends = runs[members].T
        top, left = int(rows.min()), int(starts.min())
        part = np.zeros((int(rows.max()) - top + 1, int(ends.max()) - left), dtype=bool)
        for row, start, end in zip(rows - top, starts - left, ends - left, strict=True):
            part[row, start:end] = True
        yield part, np.array([left, top], dtype=np.int64)


def _runs(mask: Bool[np.ndarray, "h w"]) -> Int64[np.ndarray, "n 3"]:
    """Row, first column and end of each run of pixels, by rows."""
    steps = np.diff(np.pad(mask.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    rows, starts = np.nonzero(steps == 1)
    return np.stack([rows, starts, np.nonzero(steps == -1)[1]], axis=-1).astype(np.int64)


def _connected(runs: Int64[np.ndarray, "n 3"]) -> list[list[int]]:
    """Which runs hang together, over rows; each part by its first run."""
    parent = list(range(len(runs)))

    def root(of: int) -> int:
        while parent[of] != of:
            parent[of] = parent[parent[of]]
            of = parent[of]
        return of

    above, held = 0, runs.tolist()
    for here, (row, start, end) in enumerate(held):
        while held[above][0] < row - 1 or (held[above][0] == row - 1 and held[above][2] <= start):
            above += 1
        other = above
        while held[other][0] == row - 1 and held[other][1] < end:
            first, second = sorted((root(other), root(here)))
            parent[second] = first
            other += 1
    parts: dict[int, list[int]] = {}
    for run in range(len(held)):
        parts.setdefault(root(run), []).append(run)
    return list(parts.values())
