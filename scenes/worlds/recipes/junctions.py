"""Where roads meet: what junctions share, and a crossing with traffic lights.

Plans are drawn in world coordinates, where the main road runs along x with the ego's lane at
y = 0; each other road is painted far away in rest coordinates, so that paint is never shared [m].
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from scenes.semantics import Semantic
from scenes.worlds.models.mesh import Mesh, join
from scenes.worlds.models.world import Body, World
from scenes.worlds.recipes.centre_line import CentreLine, straight
from scenes.worlds.recipes.plan import (
    ASPHALT,
    STONES,
    GroundPlan,
    grid,
    ground,
    lawn,
    pavement,
    smooth_union,
    strip_distance,
)
from scenes.worlds.recipes.road import (
    Road,
    broken,
    details,
    lane_lines,
    line_mark,
    outline,
    stop_line,
    zebra,
)
from scenes.worlds.recipes.roadside import horizon, house_row, lamp_row, sign_row, tree_row, tufts
from scenes.worlds.recipes.sun import daylight
from scenes.worlds.recipes.traffic import body, ego_drive, steady, walker
from scenes.worlds.recipes.works import traffic_light

EDGE_M = (-2.1, 5.6)
"""Kerbs of the main road; the oncoming lane is in the middle of what is left."""
ONCOMING_M, MIDDLE_M = 3.5, 1.75
SIDE_OFFSET_M = 5000.0
"""Where the other road is painted."""
SIDE_HALF_M = 3.9
"""Half its width."""
HALT_M = SIDE_HALF_M + 7.0
"""How far from the middle of the crossing one halts."""
REACH_M = 42.0
"""How far side roads reach."""
BANDS = (ASPHALT, STONES, lawn(1.5), pavement(4.4), lawn(60.0))

Rest = Callable[[np.ndarray], np.ndarray]
"""[n, 2] plan -> [n, 2] rest coordinates of one road."""


def painted(mesh: Mesh, which: Callable[[np.ndarray], np.ndarray], rests: Sequence[Rest]) -> Mesh:
    """The ground, each triangle painted by the road that `which` names for its middle."""
    corners = mesh.vertices_m[mesh.faces]
    road = which(corners[..., :2].mean(axis=1))
    rest = corners.reshape(-1, 3).copy()
    for index, to_rest in enumerate(rests):
        mine = np.repeat(road == index, 3)
        rest[mine, :2] = to_rest(rest[mine, :2])
    faces = np.arange(len(rest), dtype=np.int32).reshape(-1, 3)
    return replace(mesh, vertices_m=corners.reshape(-1, 3), rest_m=rest, faces=faces)


def junction_ground(
    plan: GroundPlan, span_m: tuple[float, float], y_m: tuple[float, float], bands: Sequence
) -> Mesh:
    """Fine near the roads, coarse beyond."""
    corners = grid((span_m[0], y_m[0]), (span_m[1], y_m[1]), (0.7, 0.5))
    near = plan(corners.mean(axis=1)) < 8.0
    wide = grid((span_m[0], y_m[0]), (span_m[1], y_m[1]), (4.0, 4.0))
    fine = ground(corners[near], plan, bands)
    # What is coarse lies a hand below, so that the two need not fit together.
    value = plan(wide.reshape(-1, 2)).reshape(-1, 3).min(axis=1)
    rough = ground(wide[value > 4.6], plan, (lawn(0.0), lawn(60.0, 0.06)))
    return join([fine, rough])


def kept(mesh_rows: Sequence[Mesh], plan: GroundPlan, clear_m: float) -> list[Mesh]:
    """Those that stand nowhere closer to a carriageway than `clear_m`."""
    kept = []
    for mesh in mesh_rows:
        low, high = mesh.extent_m()
        edge = np.linspace(0.0, 1.0, 9)[:, None]
        box = np.array([[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]])
        ring = np.concatenate(
            [a + edge * (b - a) for a, b in zip(box, np.roll(box, -1, 0), strict=True)]
        )
        if plan(ring).min() > clear_m:
            kept.append(mesh)
    return kept


def blocks(seed: int, line: CentreLine, span_m: tuple[float, float], d_m: float) -> list[Mesh]:
    """Houses one by one, so that those in the way can be left out."""
    return [
        house_row(seed * 31 + index, line, (s, s + 19.0), d_m)
        for index, s in enumerate(np.arange(span_m[0], span_m[1], 19.0).tolist())
    ]


def walkers(seed: int, line: CentreLine, seconds: float, first: int, spots: Sequence) -> list[Body]:
    """People on foot, each at (s, d) with a speed."""
    rng = np.random.default_rng([seed, 90])
    return [
        walker(first + i, int(rng.integers(1000)), line, seconds, s, d, pace)
        for i, (s, d, pace) in enumerate(spots)
    ]


def furniture(
    seed: int, line: CentreLine, span_m: tuple[float, float], gap_m: tuple[float, float]
) -> list[Mesh]:
    """Trees, lamps, signs and grass along the main road, away from the junction."""
    parts = []
    for stretch in ((span_m[0] + 8.0, gap_m[0]), (gap_m[1], span_m[1])):
        for kerb, side in ((EDGE_M[0], -1.0), (EDGE_M[1], 1.0)):
            d = sorted((kerb + 0.6 * side, kerb + 1.3 * side))
            near = (-8.0, span_m[1] - 60.0)
            parts.append(tree_row(seed, line, stretch, (d[0], d[1]), 11.0, near))
            blades = int(40 * (stretch[1] - stretch[0]))
            parts.append(tufts(seed, line, stretch, (d[0] - 0.3, d[1] + 0.1), blades))
            parts.append(lamp_row(line, (stretch[0] + 5.0, stretch[1]), kerb + 0.5 * side, 26.0)[0])
    parts.append(sign_row(seed, line, (4.0, max(gap_m[0], 5.0)), EDGE_M[0] - 0.6, 24.0))
    parts.append(horizon(seed, (60.0, 0.0), max(1.0, span_m[1] / 230.0)))
    return parts


def _crossing_roads(
    main: CentreLine, side: CentreLine, span: tuple[float, float], at: float
) -> list[Road]:
    """Both streets with their lines, which end before the junction."""
    before, beyond = at - HALT_M, at + HALT_M
    inner = (before - 4.2, beyond + 4.2)
    road = Road(
        line=main,
        span_m=span,
        edge_m=EDGE_M,
        lanes_m=(0.0, ONCOMING_M),
        marks=(
            *broken(line_mark(span, MIDDLE_M, dashes=(3.0, 9.0)), [inner]),
            *broken(line_mark(span, EDGE_M[0] + 0.35), [inner]),
            *broken(line_mark(span, EDGE_M[1] - 0.35), [inner]),
            zebra(before + 0.6, EDGE_M, 3.0),
            zebra(beyond - 3.6, EDGE_M, 3.0),
            stop_line(before - 1.4, EDGE_M[0] + 0.3, MIDDLE_M - 0.2),
            stop_line(beyond + 1.0, MIDDLE_M + 0.2, EDGE_M[1] - 0.3),
        ),
    )
    other = Road(
        line=side,
        span_m=(-REACH_M, REACH_M),
        edge_m=(-SIDE_HALF_M, SIDE_HALF_M),
        lanes_m=(-1.8, 1.8),
        offset_m=SIDE_OFFSET_M,
        marks=(
            *broken(line_mark((-REACH_M, REACH_M), 0.0, dashes=(3.0, 6.0)), [(-HALT_M, HALT_M)]),
            stop_line(-HALT_M - 0.4, -SIDE_HALF_M + 0.3, -0.2),
            stop_line(HALT_M, 0.2, SIDE_HALF_M - 0.3),
        ),
    )
    return [road, other]


def _crossing_traffic(
    seed: int, seconds: float, speed: float, main: CentreLine, side: CentreLine, at: float
) -> list[Body]:
    """One ahead, a bus and a cyclist that come, three who wait, people on the pavements."""
    rng = np.random.default_rng([seed, 95])
    made = [int(x) for x in rng.integers(1000, size=8)]
    still = steady(seconds, 0.0, 0.0)
    bodies = [
        body(1, Semantic.CAR, made[0], main, steady(seconds, 26.0, 1.1 * speed), 0.0),
        body(2, Semantic.BUS, made[1], main, steady(seconds, 96.0, -8.0), 3.1, True),
        body(3, Semantic.CAR, made[2], side, still - HALT_M - 3.2, -1.8),
        body(4, Semantic.VAN, made[3], side, still + HALT_M + 3.4, 1.8, reverse=True),
        body(5, Semantic.CAR, made[4], side, still + HALT_M + 9.6, 1.8, reverse=True),
        body(6, Semantic.CYCLIST, made[5], main, steady(seconds, 62.0, -4.5), 5.0, True),
    ]
    spots = [(14.0, -4.4, 1.3), (20.0, 9.1, -1.2), (at + 14.0, -5.5, -1.4), (at + 18.0, 8.0, 1.2)]
    return bodies + walkers(seed, main, seconds, 7, spots)


def side_rest(at_m: float) -> Rest:
    """Where the other road, which crosses at x = `at_m`, is painted."""
    return lambda p: np.stack([p[:, 1] - MIDDLE_M + SIDE_OFFSET_M, at_m - p[:, 0]], axis=1)


def _crossing_plan(at: float) -> GroundPlan:
    """Two straight roads with rounded corners between them."""

    def plan(point: np.ndarray) -> np.ndarray:
        along = strip_distance(point[:, 1], *EDGE_M)
        return smooth_union(along, np.abs(point[:, 0] - at) - SIDE_HALF_M, 6.0)

    return plan


def _crossing_ground(plan: GroundPlan, span: tuple[float, float], at: float) -> Mesh:
    """The ground, painted by the side road where that is not the main road's."""

    def which(p: np.ndarray) -> np.ndarray:
        off = (strip_distance(p[:, 1], *EDGE_M) > 0.3).astype(int)
        return off * (np.abs(p[:, 0] - at) < SIDE_HALF_M + 6.0)

    far = (MIDDLE_M - REACH_M, MIDDLE_M + REACH_M)
    soil = junction_ground(plan, span, far, BANDS)
    return painted(soil, which, (lambda p: p, side_rest(at)))


def _crossing_scenery(
    seed: int, main: CentreLine, side: CentreLine, span: tuple[float, float], at: float
) -> Mesh:
    """Ground, houses, what stands along the main road, and the traffic lights."""
    plan = _crossing_plan(at)
    houses = [
        mesh for d in (EDGE_M[0] - 4.4, EDGE_M[1] + 4.4) for mesh in blocks(seed, main, span, d)
    ]
    for d in (-SIDE_HALF_M - 4.4, SIDE_HALF_M + 4.4):
        houses += blocks(seed + 7, side, (16.0, REACH_M - 8.0), d)
        houses += blocks(seed + 9, side, (-REACH_M, -24.0), d)
    scenery = [
        _crossing_ground(plan, span, at),
        *kept(houses, plan, 3.2),
        *furniture(seed, main, span, (at - 16.0, at + 16.0)),
        traffic_light(main, at - HALT_M, EDGE_M[0] - 0.5, 2),
        traffic_light(main, at + HALT_M, EDGE_M[1] + 0.5, 2, np.pi),
        traffic_light(side, -HALT_M + 1.0, -SIDE_HALF_M - 0.5, 0),
        traffic_light(side, HALT_M - 1.0, SIDE_HALF_M + 0.5, 0, np.pi),
    ]
    return join(scenery)


def crossing(seed: int, seconds: float = 4.0) -> World:
    """Two streets cross; the ego has green, others wait, a cyclist comes, people walk."""
    rng = np.random.default_rng([seed, 91])
    speed, at = 11.0, float(rng.uniform(40.0, 46.0))
    span = (-45.0, speed * seconds + 110.0)
    main, side = straight(), straight(start_m=(at, MIDDLE_M), yaw=np.pi / 2)
    roads = _crossing_roads(main, side, span, at)
    middle = (at - SIDE_HALF_M - 1.8, at + SIDE_HALF_M + 1.8)  # where corners are rounded
    return World(
        recipe="crossing",
        seed=seed,
        scenery=_crossing_scenery(seed, main, side, span, at),
        bodies=tuple(_crossing_traffic(seed, seconds, speed, main, side, at)),
        road=details(seed, roads, arrows_m=[(at - HALT_M - 14.0, 0.0)]),
        ego=ego_drive(main, seed, seconds, speed),
        lighting=daylight(seed),
        lane_lines=lane_lines(roads),
        drivable_m=(
            outline(main, span, *EDGE_M),
            outline(side, (-REACH_M, REACH_M), -SIDE_HALF_M, SIDE_HALF_M),
            outline(main, middle, EDGE_M[0] - 1.8, EDGE_M[1] + 1.8),
        ),
    )
