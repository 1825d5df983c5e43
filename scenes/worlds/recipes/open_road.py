"""Roads without houses: motorway, slip road, roadworks.

Each recipe is a pure function of its seed and of how many seconds it lasts. The ego's lane is
d = 0, the one to its left d = 3.7; the other carriageway lies beyond the median [m].
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from scenes.semantics import Semantic
from scenes.worlds.light.lighting import Lamp
from scenes.worlds.models.mesh import Mesh, join
from scenes.worlds.models.roads import Mark
from scenes.worlds.models.world import Body, World
from scenes.worlds.recipes.centre_line import CentreLine, from_curvature
from scenes.worlds.recipes.plan import ASPHALT, GroundPlan, lawn, strip_distance
from scenes.worlds.recipes.road import Road, details, lane_lines, line_mark, outline
from scenes.worlds.recipes.roadside import hedge_row, horizon, sign, strip_ground, tree_row, tufts
from scenes.worlds.recipes.sun import daylight
from scenes.worlds.recipes.traffic import body, ego_drive, steady
from scenes.worlds.recipes.works import (
    barricade,
    beacon,
    concrete_wall,
    cone,
    gantry,
    guard_rail,
)

LANE_M = 3.7
NEAR_M = (-4.6, 6.3)
"""Edges of the ego's carriageway: hard shoulder, two lanes, a strip."""
FAR_M = (9.3, 20.2)
"""Edges of the other one."""
BEHIND_M = 60.0
_DASHES = (6.0, 18.0)


def winding(seed: int, length_m: float, stream: int) -> CentreLine:
    """A fast road: bends of about a kilometre."""
    rng = np.random.default_rng([seed, 80, stream])
    s, bend = [-BEHIND_M - 60.0, 0.0], [0.0, 0.0]
    while s[-1] < length_m:
        s += [s[-1] + 60.0, s[-1] + 140.0, s[-1] + 200.0]
        turn = float(rng.choice([-1.0, 1.0]) * rng.uniform(0.0006, 0.0012))
        bend += [turn, turn, 0.0]
    return from_curvature(s, bend)


def _two_ways(at: np.ndarray) -> np.ndarray:
    """Distance to either carriageway."""
    d = at[:, 1]
    return np.minimum(strip_distance(d, *NEAR_M), strip_distance(d, *FAR_M))


def _roads(line: CentreLine, span_m: tuple[float, float]) -> list[Road]:
    """Both carriageways with their lines."""
    near = [
        line_mark(span_m, -0.5 * LANE_M, width_m=0.2),
        line_mark(span_m, 0.5 * LANE_M, dashes=_DASHES, width_m=0.15),
        line_mark(span_m, 1.5 * LANE_M, width_m=0.2),
    ]
    first = FAR_M[0] + 0.75
    far = [
        line_mark(span_m, first, width_m=0.2),
        line_mark(span_m, first + LANE_M, dashes=_DASHES, width_m=0.15),
        line_mark(span_m, first + 2 * LANE_M, width_m=0.2),
    ]
    lanes = (first + 0.5 * LANE_M, first + 1.5 * LANE_M)
    return [
        Road(line=line, span_m=span_m, edge_m=NEAR_M, marks=tuple(near), lanes_m=(0.0, LANE_M)),
        Road(line=line, span_m=span_m, edge_m=FAR_M, marks=tuple(far), lanes_m=lanes),
    ]


def _verges(
    seed: int,
    line: CentreLine,
    span_m: tuple[float, float],
    right_m: float = NEAR_M[0],
    rail_from_m: float | None = None,
) -> list[Mesh]:
    """Rails, grass, bushes, trees and the horizon beside a motorway."""
    near = (-10.0, span_m[1] - 60.0)
    rail = (span_m[0] if rail_from_m is None else rail_from_m, span_m[1])
    blades = int(30 * (near[1] - near[0]))
    return [
        guard_rail(line, rail, right_m - 0.9, 1.0),
        guard_rail(line, span_m, NEAR_M[1] + 0.8, -1.0),
        guard_rail(line, span_m, FAR_M[0] - 0.8, 1.0),
        guard_rail(line, span_m, FAR_M[1] + 0.9, -1.0),
        tufts(seed, line, near, (right_m - 4.0, right_m - 0.1), blades, -0.03, 2.0),
        tufts(seed, line, near, (NEAR_M[1] + 0.1, FAR_M[0] - 0.1), blades, -0.03, 1.6),
        hedge_row(seed, line, (span_m[0], span_m[1]), right_m - 7.0, 1.6),
        hedge_row(seed, line, (span_m[0], span_m[1]), FAR_M[1] + 6.0, 1.9),
        tree_row(seed, line, span_m, (right_m - 15.0, right_m - 8.5), 8.0, near, 1.2),
        tree_row(seed, line, span_m, (FAR_M[1] + 8.0, FAR_M[1] + 15.0), 9.0, (0.0, 0.0), 1.3),
        horizon(seed, (60.0, 0.0), max(1.0, span_m[1] / 230.0)),
    ]


def flow(
    seed: int,
    line: CentreLine,
    seconds: float,
    speed_mps: float,
    places: Sequence[tuple[Semantic, float, float, float]],
) -> list[Body]:
    """Road users as (kind, start s, d, speed relative to the ego's; negative comes towards it)."""
    rng = np.random.default_rng([seed, 81])
    bodies = []
    for index, (kind, start, d, pace) in enumerate(places):
        path = steady(seconds, start + float(rng.uniform(-2, 2)), pace * speed_mps)
        made = int(rng.integers(1000))
        bodies.append(body(1 + index, kind, made, line, path, d, reverse=pace < 0))
    return bodies


_FAR_SLOW, _FAR_FAST = FAR_M[0] + 0.75 + 1.5 * LANE_M, FAR_M[0] + 0.75 + 0.5 * LANE_M
_MOTORWAY = (
    (Semantic.CAR, 34.0, 0.0, 1.02),
    (Semantic.TRUCK, 62.0, 0.0, 1.01),
    (Semantic.CAR, 20.0, LANE_M, 1.08),
    (Semantic.VAN, -18.0, LANE_M, 1.05),
    (Semantic.TRUCK, 95.0, _FAR_SLOW, -0.85),
    (Semantic.CAR, 150.0, _FAR_FAST, -1.1),
    (Semantic.BUS, 140.0, _FAR_SLOW, -0.85),
    (Semantic.CAR, 210.0, _FAR_FAST, -1.1),
)


def open_world(
    recipe: str,
    seed: int,
    seconds: float,
    speed_mps: float,
    line: CentreLine,
    roads: list[Road],
    scenery: list[Mesh],
    bodies: Sequence[Body],
    lamps: tuple[Lamp, ...] = (),
) -> World:
    """A world without houses, by day."""
    return World(
        recipe=recipe,
        seed=seed,
        scenery=join(scenery),
        bodies=tuple(bodies),
        road=details(seed, roads, wear=0.3, grey=0.15, repairs_per_m=0.09),
        ego=ego_drive(line, seed, seconds, speed_mps),
        lighting=daylight(seed, lamps=lamps),
        lane_lines=lane_lines(roads),
        drivable_m=tuple(outline(road.line, road.span_m, *road.edge_m) for road in roads),
    )


def motorway(seed: int, seconds: float = 4.0) -> World:
    """Two carriageways with rails between them, a gantry, trucks, and cars that overtake."""
    speed = 28.0
    span = (-BEHIND_M, speed * seconds + 160.0)
    line = winding(seed, span[1] + 40.0, 0)
    reach, bands = (NEAR_M[0] - 8.0, FAR_M[1] + 8.0), [ASPHALT, lawn(9.0, -0.03)]
    scenery = [strip_ground(line, span, reach, _two_ways, bands)]
    scenery += _verges(seed, line, span)
    scenery.append(gantry(line, 120.0, (NEAR_M[0] - 1.8, NEAR_M[1] + 1.5), 2))
    bodies = flow(seed, line, seconds, speed, _MOTORWAY)
    roads = _roads(line, span)
    return open_world("motorway", seed, seconds, speed, line, roads, scenery, bodies)


def _slip_plan(start_m: float, drift_m: float, long_m: float) -> GroundPlan:
    """Two carriageways, of which the right edge of the nearer one is pushed out by a slip road."""
    edge = Mark(low_m=(start_m, 0.0), high_m=(start_m + long_m, 1.0), drift_m=drift_m)

    def plan(at: np.ndarray) -> np.ndarray:
        s, d = at[:, 0], at[:, 1]
        low = NEAR_M[0] + edge.drift_at(s)
        return np.minimum(strip_distance(d, low, NEAR_M[1]), strip_distance(d, *FAR_M))

    return plan


def slip_road(seed: int, seconds: float = 4.0) -> World:
    """An exit: a lane opens on the right and leads away from the motorway."""
    speed, out, start, long = 24.0, -3.9, 20.0, 70.0
    span = (-BEHIND_M, speed * seconds + 150.0)
    line = winding(seed, span[1] + 40.0, 1)
    reach, bands = (NEAR_M[0] - 13.0, FAR_M[1] + 8.0), [ASPHALT, lawn(9.0, -0.03)]
    scenery = [strip_ground(line, span, reach, _slip_plan(start, out, long), bands)]
    scenery += _verges(seed, line, span, NEAR_M[0] + out - 0.3)
    scenery += [sign(line, 3, start + 30.0, NEAR_M[0] + out - 0.6)]
    opens = Mark(low_m=(start, 0.0), high_m=(start + long, 1.0), drift_m=out)
    for index, s in enumerate(np.arange(-10.0, start + 0.75 * long, 5.0).tolist()):
        edge_m = NEAR_M[0] + float(opens.drift_at(np.array([s + 5.0]))[0]) - 0.1
        blades = int(45 * (edge_m - NEAR_M[0] - out))
        deep = (NEAR_M[0] + out, edge_m)
        scenery.append(tufts(seed + index, line, (s, s + 5.0), deep, blades, -0.03, 2.0))
    near, far = _roads(line, span)
    edge, middle, inner = near.marks
    exit_lane = [
        replace(edge, high_m=(start, edge.high_m[1])),
        line_mark((start, start + long), -0.5 * LANE_M, width_m=0.2, drift_m=out + 0.35),
        line_mark((start + long, span[1]), -0.5 * LANE_M + out + 0.35, width_m=0.2),
        line_mark(
            (start + 35.0, start + long + 40.0), -0.5 * LANE_M, dashes=(3.0, 6.0), width_m=0.3
        ),
        line_mark((start + long + 40.0, span[1]), -0.5 * LANE_M, width_m=0.3),
    ]
    low = (NEAR_M[0] + out, near.edge_m[1])
    near = replace(
        near, edge_m=low, marks=(*exit_lane, middle, inner), lanes_m=(0.0, LANE_M, -LANE_M)
    )
    leaves = (Semantic.CAR, 72.0, -LANE_M + 0.1, 1.0)
    places = (*_MOTORWAY[:1], *_MOTORWAY[2:], leaves)
    bodies = flow(seed, line, seconds, speed, places)
    whole = open_world("slip_road", seed, seconds, speed, line, [near, far], scenery, bodies)
    s = np.arange(span[0], span[1], 1.0)
    edge_low = NEAR_M[0] + opens.drift_at(s)
    drivable = outline(line, (float(s[0]), float(s[-1])), edge_low, np.full(len(s), NEAR_M[1]))
    return replace(whole, drivable_m=(drivable, *whole.drivable_m[1:]))


def roadworks(seed: int, seconds: float = 4.0) -> World:
    """The left lane is closed: yellow lines, beacons, cones, a barricade and a concrete wall."""
    speed, start, shift = 15.0, 25.0, -0.9
    span = (-BEHIND_M, speed * seconds + 140.0)
    line = winding(seed, span[1] + 40.0, 2)
    reach, bands = (NEAR_M[0] - 8.0, FAR_M[1] + 8.0), [ASPHALT, lawn(9.0, -0.03)]
    scenery = [strip_ground(line, span, reach, _two_ways, bands), *_verges(seed, line, span)]
    near, far = _roads(line, span)
    yellow = [
        line_mark((start - 20.0, start + 30.0), 1.45 * LANE_M, yellow=True, drift_m=-3.6),
        line_mark((start + 30.0, span[1]), 1.45 * LANE_M - 3.6, yellow=True),
        line_mark((start - 20.0, start + 30.0), -1.75, yellow=True, drift_m=shift),
        line_mark((start + 30.0, span[1]), -1.75 + shift, yellow=True),
    ]
    near = replace(near, marks=(*near.marks, *yellow))
    taper = Mark(low_m=(start - 20.0, 0.0), high_m=(start + 30.0, 1.0), drift_m=-3.3)
    for s in np.arange(start - 14.0, min(span[1] - 40.0, start + 160.0), 5.5):
        d = 1.45 * LANE_M + 0.3 + float(taper.drift_at(np.array([s]))[0])
        scenery.append(
            beacon(line, float(s), d + 0.3, 1.0)
            if s < start + 30.0
            else cone(line, float(s), d + 0.25)
        )
    scenery.append(barricade(line, start + 38.0, (2.8, 5.6)))
    scenery.append(concrete_wall(line, (start + 60.0, span[1]), 2.9))
    scenery += [sign(line, kind, s, NEAR_M[0] - 0.5) for kind, s in ((1, 12.0), (0, 30.0))]
    digger = ((Semantic.TRUCK, start + 78.0, 4.75, 0.0), (Semantic.VAN, start + 55.0, 4.7, 0.0))
    moving = ((Semantic.CAR, 30.0, 0.0, 1.03), *_MOTORWAY[4:7])
    bodies = flow(seed, line, seconds, speed, (*moving, *digger))
    return open_world("roadworks", seed, seconds, speed, line, [near, far], scenery, bodies)
