"""The mouth of a tunnel: a road with two lanes that goes into a hill."""

import numpy as np

from scenes.semantics import Semantic
from scenes.worlds.lighting import Lamp
from scenes.worlds.mesh import Mesh
from scenes.worlds.recipes.centre_line import CentreLine
from scenes.worlds.recipes.open_road import BEHIND_M, LANE_M, flow, open_world, winding
from scenes.worlds.recipes.plan import ASPHALT, lawn, strip_distance
from scenes.worlds.recipes.road import Road, line_mark
from scenes.worlds.recipes.roadside import horizon, sign, strip_ground, tree_row, tufts
from scenes.worlds.recipes.works import (
    guard_rail,
    tunnel,
)
from scenes.worlds.world import World

EDGE_M = (-2.5, 6.2)
"""Right and left edge of the carriageway, in d."""
MOUTH_M = 52.0
"""Where the tunnel begins, in s."""


def _beside(d_m: float, side: float) -> tuple[float, float]:
    """From 5 to 16 m beyond d, away from a road that lies on the `side` of it."""
    low, high = sorted((d_m - 5.0 * side, d_m - 16.0 * side))
    return low, high


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
            # The hill beside the portal is wooded.
            tree_row(seed + 1, line, (mouth + 3.0, end), _beside(d, side), 4.5, (0.0, 0.0), 1.7),
        ]
    return scenery


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
