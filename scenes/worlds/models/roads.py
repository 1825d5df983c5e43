"""The ground of the street: lanes, kerbs, pavements, grass, and what is painted on the road.

Built straight along x in rest coordinates (metres): the ego's lane is centred on y = 0, one more
lane leads the same way on its left, then come an oncoming lane and parking on both sides. The
carriageway is exactly the plane z = 0.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from scenes.semantics import Semantic
from scenes.worlds.models.mesh import Mesh, Surface, join, patch, triangles

LANE_M = 3.25
"""Width of a lane."""
ROAD_M = (-4.0, 10.3)
"""The carriageway in y, kerb to kerb; nothing stands between the parked cars."""
FREE_M = (-1.7, 8.2)
"""Where moving traffic drives, in y: between the two rows of parked cars."""
ONCOMING_M = 2.0 * LANE_M
"""Centre of the oncoming lane in y."""
FACADE_M = (-8.2, 14.4)
"""Where the walls of the two rows of houses stand, in y."""
GRASS_M = ((-5.5, -4.15), (10.45, 11.8))
"""Strips of grass with trees, in y."""
SPAN_M = (-60.0, 215.0)
"""The street in x."""
KERB_M = 0.12
"""Height of the pavements."""
CROSSING_M = (47.0, 50.2)
"""The zebra crossing, in x."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """A painted rectangle along the axes of rest coordinates, or a row of them."""

    low_m: tuple[float, float]
    """Corner with the smaller x and y."""
    high_m: tuple[float, float]
    """The opposite one."""
    dash_m: float = 0.0
    """Length of each piece; 0 paints all of it."""
    period_m: float = 1.0
    """From the start of a piece to that of the next."""
    across: bool = False
    """Whether pieces follow each other along y, as in a zebra crossing, instead of along x."""
    drift_m: float = 0.0
    """How far y has moved, smoothly, at the end in x; for tapers and shifted lanes."""
    yellow: bool = False
    """Roadworks paint in yellow, over what is white."""
    divides_lanes: bool = False
    """Whether it separates or borders lanes."""

    def drift_at(self, x_m: np.ndarray) -> np.ndarray:
        """How far y has moved at `x_m`, without a kink at either end."""
        share = np.clip((x_m - self.low_m[0]) / (self.high_m[0] - self.low_m[0]), 0.0, 1.0)
        return self.drift_m * share**3 * (10.0 - 15.0 * share + 6.0 * share**2)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RoadDetails:
    """What makes one road differ from another; rest coordinates [m]."""

    patches_m: Float64[np.ndarray, "p 4"]
    """Repairs: x and y of the low corner, then of the high one."""
    patch_shade: Float64[np.ndarray, "p"]
    """Their albedo relative to the road's."""
    manholes_m: Float64[np.ndarray, "m 2"]
    """Centres of iron lids."""
    arrows_m: Float64[np.ndarray, "a 2"]
    """Tails of the painted arrows, which point along x."""
    wear: float
    """Share of the paint that is gone, 0 to 1."""
    marks: tuple[Mark, ...] | None = None
    """All that is painted, arrows apart; None for the street of this module."""
    lanes_m: tuple[tuple[float, float, float], ...] = (
        (0.0, -np.inf, np.inf),
        (LANE_M, -np.inf, np.inf),
        (ONCOMING_M, -np.inf, np.inf),
    )
    """Where tyres have polished the road: y of a lane's middle, and from where to where in x."""
    grey: float = 0.135
    """Albedo of the asphalt."""


def road_details(seed: int) -> RoadDetails:
    """Repairs, lids, arrows and wear, from a seed."""
    rng = np.random.default_rng([seed, 1])
    low = np.stack([rng.uniform(-30, 150, 46), rng.uniform(-3.6, 8.5, 46)], axis=1)
    size = np.stack([rng.uniform(0.8, 9.0, 46), rng.uniform(0.5, 2.2, 46)], axis=1)
    lids = np.stack([np.arange(-20.0, 150.0, 13.0), rng.uniform(-1.2, 6.5, 14)], axis=1)
    arrows = [[x, y] for x in (14.0, 33.0, 64.0, 96.0) for y in (0.0, LANE_M)]
    return RoadDetails(
        patches_m=np.concatenate([low, low + size], axis=1),
        patch_shade=rng.uniform(0.62, 1.32, 46),
        manholes_m=lids + rng.uniform(-3, 3, (14, 1)) * [1.0, 0.0],
        arrows_m=np.array(arrows) + rng.uniform(-1, 1, (8, 1)) * [1.0, 0.0],
        wear=float(rng.uniform(0.35, 0.55)),
    )


def _line(values: np.ndarray, axis: int) -> np.ndarray:
    """Points along one axis."""
    line = np.zeros((len(values), 3))
    line[:, axis] = values
    return line


def _strip(
    along: np.ndarray, y: tuple[float, float], z: float, surface: Surface, semantic: Semantic
) -> Mesh:
    """A level strip of ground, finely cut so that soft shadows have room."""
    across = _line(np.linspace(*y, max(int((y[1] - y[0]) / 0.4), 2) + 1), 1)
    across[:, 2] = z
    return patch(_line(along, 0), across, surface, (0.5, 0.5, 0.5), semantic)


def _kerb(along: np.ndarray, y: float, outward: float) -> Mesh:
    """A kerb stone's face and top; `outward` is the side of y on which the pavement lies."""
    profile = np.array(
        [[0, y, 0], [0, y + 0.02 * outward, KERB_M], [0, y + 0.15 * outward, KERB_M]]
    )
    order = profile if outward > 0 else profile[::-1]
    return patch(_line(along, 0), order, Surface.STONE, (0.42, 0.41, 0.39), Semantic.SIDEWALK)


def _grass(seed: int) -> Mesh:
    """Tufts: single triangles that lean, dense near the drive and absent far away."""
    rng = np.random.default_rng([seed, 2])
    count = 9000
    side = rng.integers(0, 2, count)
    low, high = np.array(GRASS_M)[side].T
    root = np.stack([rng.uniform(-8, 95, count), rng.uniform(low, high), np.full(count, KERB_M)], 1)
    turn, height = rng.uniform(0, 2 * np.pi, count), rng.uniform(0.05, 0.17, count)
    wide = np.stack([np.cos(turn), np.sin(turn), np.zeros(count)], 1) * 0.02
    lean = rng.normal(0, 0.05, (count, 3)) * [1, 1, 0] + height[:, None] * [0, 0, 1]
    corners = np.stack([root - wide, root + wide, root + lean], axis=1)
    green = rng.uniform(0.6, 1.25, (count, 1)) * [0.10, 0.17, 0.035]
    faces = np.arange(3 * count).reshape(-1, 3)
    return triangles(corners.reshape(-1, 3), faces, Surface.LEAF, green, Semantic.TERRAIN)


def ground(seed: int) -> Mesh:
    """Carriageway, kerbs, pavements and grass, and the plain beyond the houses."""
    along = np.arange(SPAN_M[0], SPAN_M[1] + 0.25, 0.5)
    coarse = np.linspace(-700.0, 900.0, 33)
    around = patch(
        _line(coarse, 0),
        _line(coarse - 100.0, 1) + [0, 0, -0.05],  # below the street, which lies on it
        Surface.GRASS,
        (0.5, 0.5, 0.5),
        Semantic.TERRAIN,
    )
    parts = [
        _strip(along, ROAD_M, 0.0, Surface.ROAD, Semantic.ROAD),
        _kerb(along, ROAD_M[0], -1.0),
        _kerb(along, ROAD_M[1], 1.0),
        around,
        _grass(seed),
    ]
    parts += [_strip(along, y, KERB_M, Surface.GRASS, Semantic.TERRAIN) for y in GRASS_M]
    for y in ((FACADE_M[0] - 0.4, GRASS_M[0][0]), (GRASS_M[1][1], FACADE_M[1] + 0.4)):
        parts.append(_strip(along, y, KERB_M, Surface.PAVEMENT, Semantic.SIDEWALK))
    return join(parts)
