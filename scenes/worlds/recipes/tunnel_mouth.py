"""The mouth of a tunnel: a road with two lanes that goes into a hill."""

import numpy as np

from scenes.semantics import Semantic
from scenes.worlds.light.lighting import Lamp
from scenes.worlds.models.mesh import Mesh, Surface, quads, triangles
from scenes.worlds.models.plants import tree
from scenes.worlds.models.world import World
from scenes.worlds.recipes.centre_line import CentreLine
from scenes.worlds.recipes.open_road import BEHIND_M, LANE_M, flow, open_world, winding
from scenes.worlds.recipes.plan import ASPHALT, grid, lawn, strip_distance
from scenes.worlds.recipes.road import Road, line_mark
from scenes.worlds.recipes.roadside import horizon, sign, strip_ground, tree_row, tufts
from scenes.worlds.recipes.works import (
    guard_rail,
    tunnel,
)

EDGE_M = (-2.5, 6.2)
"""Right and left edge of the carriageway, in d."""
MOUTH_M = 52.0
"""Where the tunnel begins, in s."""
_FACE_M, _PORTAL_M = 0.5 * (EDGE_M[1] - EDGE_M[0]) + 9.3, 8.25
"""Half the width of the portal, and its height."""


def _hill_m(s_m: np.ndarray, d_m: np.ndarray) -> np.ndarray:
    """Height of the hill: level with the portal's top at its face, and higher behind it."""
    beside = np.maximum(np.abs(d_m - 0.5 * (EDGE_M[0] + EDGE_M[1])) - _FACE_M, 0.0)
    bumps = 0.5 * np.sin(0.31 * s_m + 0.2 * d_m) + 0.4 * np.sin(0.17 * s_m - 0.43 * d_m)
    behind = s_m - MOUTH_M
    rise = 9.0 * (1.0 - np.exp(-behind / 14.0)) + bumps * np.minimum(behind / 5.0, 1.0)
    return np.maximum(_PORTAL_M + rise - 0.55 * beside, -0.2)


def _hill(seed: int, line: CentreLine, end: float) -> list[Mesh]:
    """Grass above the tunnel, and walls that hold it beside the portal."""
    middle, wide = 0.5 * (EDGE_M[0] + EDGE_M[1]), _FACE_M + 34.0
    corners = grid((MOUTH_M, middle - wide), (end, middle + wide), (2.0, 2.0)).reshape(-1, 2)
    vertices = np.column_stack([corners, _hill_m(corners[:, 0], corners[:, 1])])
    faces = np.arange(len(vertices)).reshape(-1, 3)
    grass = triangles(vertices, faces, Surface.GRASS, (0.5, 0.5, 0.5), Semantic.TERRAIN)
    parts = [grass]
    for side in (-1.0, 1.0):
        d = middle + side * np.linspace(_FACE_M, _FACE_M + _PORTAL_M / 0.55, 10)
        d = np.sort(d)[::-1]  # seen by those who come
        foot = np.stack([0 * d + MOUTH_M, d, 0 * d - 0.2], axis=1)
        top = foot * [1.0, 1.0, 0.0]
        top[:, 2] = _hill_m(top[:, 0], d) + 0.1
        wall = np.stack([foot[:-1], foot[1:], top[1:], top[:-1]], axis=1)
        parts.append(quads(wall, Surface.STONE, (0.42, 0.40, 0.36), Semantic.BUILDING))
    blades = np.random.default_rng([seed, 97]).uniform(
        [MOUTH_M + 0.3, middle - 20.0], [MOUTH_M + 9.0, middle + 20.0], (1500, 2)
    )
    parts.append(_blades(seed, blades))
    return [line.bent(part) for part in parts]


def _blades(seed: int, root_m: np.ndarray) -> Mesh:
    """Tall grass on the edge of the hill."""
    rng = np.random.default_rng([seed, 98])
    root = np.column_stack([root_m, _hill_m(root_m[:, 0], root_m[:, 1])])
    tip = root + np.column_stack(
        [rng.normal(0, 0.1, (len(root), 2)), rng.uniform(0.1, 0.5, len(root))]
    )
    wide = np.array([0.0, 0.03, 0.0])
    corners = np.stack([root + wide, root - wide, tip], axis=1).reshape(-1, 3)
    green = rng.uniform(0.6, 1.25, (len(root), 1)) * [0.10, 0.17, 0.035]
    faces = np.arange(len(corners)).reshape(-1, 3)
    return triangles(corners, faces, Surface.LEAF, green, Semantic.VEGETATION)


def _forest(seed: int, line: CentreLine, end: float) -> list[Mesh]:
    """Trees all over the hill."""
    rng, middle = np.random.default_rng([seed, 99]), 0.5 * (EDGE_M[0] + EDGE_M[1])
    trees = []
    for behind in np.arange(3.0, min(end - MOUTH_M, 75.0), 6.0):
        for beside in np.arange(-36.0, 36.1, 6.0):
            s, d = np.array([MOUTH_M + behind, middle + beside]) + rng.uniform(-2.2, 2.2, 2)
            height = float(_hill_m(np.array([s]), np.array([d]))[0])
            grown = tree(rng, np.zeros(3), near=bool(behind < 10.0))
            size = float(rng.uniform(0.8, 1.3))
            grown = grown.placed(np.diag([size, size, size, 1.0])).labelled(Semantic.VEGETATION)
            trees.append(line.standing(grown, float(s), float(d), height - 0.1))
    return trees


def _scenery(seed: int, line: CentreLine, span: tuple[float, float], end: float) -> list[Mesh]:
    """Ground, the tunnel, rails and trees before it, and a wooded hill above it."""
    edge, mouth = EDGE_M, MOUTH_M
    scenery = [
        strip_ground(
            line,
            span,
            (edge[0] - 9.0, edge[1] + 9.0),
            lambda at: strip_distance(at[:, 1], *edge),
            [ASPHALT, lawn(9.5, -0.03)],
        ),
        tunnel(line, (mouth, end), (edge[0] - 0.3, edge[1] + 0.3)),
        horizon(seed, (60.0, 0.0), max(1.0, span[1] / 230.0)),
        sign(line, 0, 20.0, edge[0] - 0.8),
        sign(line, 1, 36.0, edge[0] - 0.8),
    ]
    for side, d in ((1.0, edge[0] - 0.8), (-1.0, edge[1] + 0.8)):
        far = sorted((d - side * 1.5, d - side * 8.0))
        scenery += [
            guard_rail(line, (span[0], mouth - 1.0), d, side),
            tufts(seed, line, (-10.0, mouth - 1.0), (far[0], far[1]), 2600, -0.03, 2.2),
            tree_row(seed, line, (span[0], mouth - 2.0), (far[0], far[1]), 6.0, (-8.0, mouth)),
        ]
    return [*scenery, *_hill(seed, line, end), *_forest(seed, line, end)]


def tunnel_mouth(seed: int, seconds: float = 4.0) -> World:
    """A road with two lanes that goes into a hill."""
    speed = 17.0
    span = (-BEHIND_M, speed * seconds + 150.0)
    line = winding(seed, span[1] + 40.0, 3)
    end = span[1] - 20.0
    scenery = _scenery(seed, line, span, end)
    road = Road(
        line=line,
        span_m=span,
        edge_m=EDGE_M,
        marks=(
            line_mark(span, EDGE_M[0] + 0.6),
            line_mark(span, 1.85, dashes=(4.0, 8.0)),
            line_mark(span, EDGE_M[1] - 0.6),
        ),
        lanes_m=(0.0, LANE_M),
    )
    places = (
        (Semantic.CAR, 26.0, 0.0, 1.04),
        (Semantic.TRUCK, 96.0, LANE_M, -0.75),
        (Semantic.CAR, 126.0, LANE_M, -0.75),
    )
    bodies = flow(seed, line, seconds, speed, places)
    lamps = tuple(
        Lamp(
            position_m=np.array([*line.at(np.array([s]), np.array([1.85]))[0], 5.3]),
            direction=np.array([0.0, 0.0, -1.0]),
            spread_rad=1.4,
            intensity=np.array([30.0, 27.0, 20.0]),
        )
        for s in np.arange(MOUTH_M + 3.7, min(end, MOUTH_M + 100.0), 12.0)
    )
    return open_world("tunnel_mouth", seed, seconds, speed, line, [road], scenery, bodies, lamps)
