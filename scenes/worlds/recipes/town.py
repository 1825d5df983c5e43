"""Streets between houses: a curve, an avenue, rows of parked cars, a night and a wet day.

Each recipe is a pure function of its seed and of how many seconds it lasts. The ego drives in the
right lane, d = 0, from s = 0 on; rest coordinates [m].
"""

from dataclasses import dataclass, replace

import numpy as np

from scenes.semantics import Semantic
from scenes.worlds.light.lighting import Lamp
from scenes.worlds.models.mesh import Mesh, join
from scenes.worlds.models.roads import Mark
from scenes.worlds.models.world import Body, World
from scenes.worlds.recipes.centre_line import CentreLine, from_curvature
from scenes.worlds.recipes.plan import ASPHALT, STONES, lawn, pavement, strip_distance
from scenes.worlds.recipes.road import Road, broken, details, lane_lines, line_mark, outline, zebra
from scenes.worlds.recipes.roadside import (
    horizon,
    house_row,
    lamp_row,
    sign_row,
    strip_ground,
    tree_row,
    tufts,
)
from scenes.worlds.recipes.sun import daylight, night
from scenes.worlds.recipes.traffic import (
    body,
    ego_drive,
    headlights,
    parked,
    parked_row,
    steady,
    walker,
)

ONCOMING_M = 3.4
"""Middle of the lane that leads the other way, in d."""
COMES_M, LARGE_M, RIDES_M = 3.1, 2.85, 4.9
"""Where cars, what is larger, and cyclists keep in it, so that one passes the other."""
BEHIND_M = 45.0
"""How far streets reach back behind the start."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Street:
    """What a street between houses is like."""

    speed_mps: float
    edge_m: tuple[float, float] = (-4.0, 7.6)
    """Right and left kerb, in d."""
    free_m: tuple[float, float] = (-1.75, 5.25)
    """Where traffic drives: between the edge lines."""
    lawn_m: float = 1.7
    """Width of the grass behind the kerb; trees stand there."""
    wide_m: float = 4.4
    """From the kerb to the houses."""
    trees_m: float = 12.0
    """Between two trees."""
    tree_size: float = 1.0
    crossing_m: float | None = None
    """Where a zebra crossing begins, in s."""


def _line(seed: int, length_m: float, radius_m: float, stream: int) -> CentreLine:
    """A road that winds: straight, then bends of about `radius_m`, first to a random side."""
    rng = np.random.default_rng([seed, 70, stream])
    side, s, bend = float(rng.choice([-1.0, 1.0])), [-BEHIND_M - 30.0, 12.0], [0.0, 0.0]
    while s[-1] < length_m:
        turn = side / (radius_m * rng.uniform(0.9, 1.2))
        arc = min(radius_m * 0.75, rng.uniform(35.0, 60.0))
        s += [s[-1] + 18.0, s[-1] + 18.0 + arc, s[-1] + 36.0 + arc, s[-1] + 42.0 + arc]
        bend += [turn, turn, 0.0, 0.0]
        side = -side
    return from_curvature(s, bend)


def _marks(street: Street, span_m: tuple[float, float]) -> tuple[Mark, ...]:
    """A dashed middle line, edge lines, and the zebra crossing."""
    middle, zebras, gaps = 0.5 * (street.free_m[0] + street.free_m[1]), [], []
    if street.crossing_m is not None:
        zebras = [zebra(street.crossing_m, street.free_m)]
        gaps = [(street.crossing_m - 1.0, street.crossing_m + 4.2)]
    lines = [line_mark(span_m, middle, dashes=(3.0, 9.0))]
    lines += [line_mark(span_m, d) for d in street.free_m]
    return (*(piece for line in lines for piece in broken(line, gaps)), *zebras)


def _road(street: Street, line: CentreLine, span_m: tuple[float, float]) -> Road:
    return Road(
        line=line,
        span_m=span_m,
        edge_m=street.edge_m,
        marks=_marks(street, span_m),
        lanes_m=(0.0, ONCOMING_M),
    )


def _scenery(
    seed: int, street: Street, line: CentreLine, span_m: tuple[float, float]
) -> tuple[Mesh, tuple[Lamp, ...]]:
    """Ground, houses, trees, grass, lamps and signs of a street; the lamps may be lit."""
    right, left = street.edge_m
    far = (right - street.wide_m, left + street.wide_m)
    bands = [ASPHALT, STONES, lawn(street.lawn_m), pavement(street.wide_m + 0.6)]
    parts = [
        strip_ground(
            line,
            span_m,
            (far[0] - 0.5, far[1] + 0.5),
            lambda at: strip_distance(at[:, 1], right, left),
            bands,
        ),
        house_row(seed, line, span_m, far[0]),
        house_row(seed, line, span_m, far[1]),
        horizon(seed, (60.0, 0.0), max(1.0, span_m[1] / 230.0)),
        sign_row(seed, line, (20.0, span_m[1]), right - 0.6, 26.0),
    ]
    lamps: tuple[Lamp, ...] = ()
    for kerb, side in ((right, -1.0), (left, 1.0)):
        row, lit = _verge(seed, street, line, span_m[1], kerb, side)
        parts += row
        lamps += lit
    return join(parts), lamps


def _verge(
    seed: int, street: Street, line: CentreLine, end_m: float, kerb: float, side: float
) -> tuple[list[Mesh], tuple[Lamp, ...]]:
    """Trees, grass and lamps behind one kerb; `side` is 1 on the left."""
    near = (-8.0, end_m - 70.0)
    strip = sorted((kerb + side * 0.45, kerb + side * (street.lawn_m - 0.3)))
    green = sorted((kerb + side * 0.2, kerb + side * (street.lawn_m - 0.05)))
    long, deep = (-30.0 + 3.0 * side, end_m), (strip[0], strip[1])
    posts, lit = lamp_row(line, (-28.0 + 7.0 * side, end_m), kerb + side * 0.5, 28.0)
    parts = [
        tree_row(seed, line, long, deep, street.trees_m, near, street.tree_size),
        tufts(seed, line, near, (green[0], green[1]), int(40 * (near[1] - near[0]))),
        posts,
    ]
    return parts, lit


def _people(seed: int, street: Street, line: CentreLine, seconds: float, first: int) -> list[Body]:
    """Pedestrians on both pavements, one before a house, and a cyclist who comes."""
    rng = np.random.default_rng([seed, 71])
    right = street.edge_m[0] - street.lawn_m - 0.55
    left = street.edge_m[1] + street.lawn_m + 0.55
    people = []
    for index in range(5):
        sway, pace = rng.uniform(-0.1, 0.1), float(rng.choice([-1.0, 1.0]) * rng.uniform(1.1, 1.6))
        # Those who come keep to the houses, those who go to the kerb.
        d = (right, left)[index % 2] + (-1.0, 1.0)[index % 2] * (1.1 * (pace < 0) + sway)
        start = 9.0 + 13.0 * index + rng.uniform(-3, 3)
        people.append(walker(first + index, int(rng.integers(1000)), line, seconds, start, d, pace))
    ride = steady(seconds, float(rng.uniform(58.0, 66.0)), -4.6)
    made = int(rng.integers(1000))
    rider = body(first + 5, Semantic.CYCLIST, made, line, ride, RIDES_M, reverse=True)
    return [*people, rider]


def _traffic(
    seed: int, line: CentreLine, seconds: float, speed_mps: float, big: Semantic
) -> list[Body]:
    """One who leads, one that comes, and somebody large behind it."""
    rng = np.random.default_rng([seed, 72])
    ahead = steady(seconds, float(rng.uniform(24.0, 30.0)), 1.08 * speed_mps)
    comes = steady(seconds, float(rng.uniform(78.0, 86.0)), -0.8 * speed_mps)
    large = steady(seconds, float(comes[0] + rng.uniform(24.0, 30.0)), -0.8 * speed_mps)
    kinds = (Semantic.CAR, Semantic.CAR, big)
    return [
        body(
            1 + i,
            kinds[i],
            int(rng.integers(1000)),
            line,
            s,
            (0.0, COMES_M, LARGE_M)[i],
            reverse=i > 0,
        )
        for i, s in enumerate((ahead, comes, large))
    ]


def _world(
    recipe: str, seed: int, seconds: float, street: Street, line: CentreLine, big: Semantic
) -> World:
    """A street with everybody in it, by day."""
    span = (-BEHIND_M, street.speed_mps * seconds + 110.0)
    scenery, _ = _scenery(seed, street, line, span)
    bodies = _traffic(seed, line, seconds, street.speed_mps, big)
    people = _people(seed, street, line, seconds, 4)
    rows = []
    for kerb, side in ((street.edge_m[0], 1.0), (street.edge_m[1], -1.0)):
        first = 10 + 100 * int(side < 0)
        rows += parked_row(first, seed, line, (-20.0, span[1] - 30.0), kerb, side)
    if street.crossing_m is not None:
        low, high = street.crossing_m - 6.0, street.crossing_m + 9.0
        where = [one.actor.trajectory.world_from_body[0, :2, 3] for one in rows]
        block = line.at(np.array([low, high]), np.array([0.0, 0.0])).mean(axis=0)
        reach = 0.5 * (high - low) + 3.0
        rows = [
            one
            for one, at in zip(rows, where, strict=True)
            if float(np.linalg.norm(at - block)) > reach
        ]
    road = _road(street, line, span)
    return World(
        recipe=recipe,
        seed=seed,
        scenery=scenery,
        bodies=(*bodies, *people, *rows),
        road=details(seed, [road]),
        ego=ego_drive(line, seed, seconds, street.speed_mps),
        lighting=daylight(seed),
        lane_lines=lane_lines([road]),
        drivable_m=(outline(line, span, *street.edge_m),),
    )


def curve(seed: int, seconds: float = 4.0) -> World:
    """A street that bends, with clothoids between the straights and the arcs."""
    street = Street(speed_mps=11.0)
    line = _line(seed, 11.0 * seconds + 170.0, 62.0, 0)
    return _world("curve", seed, seconds, street, line, Semantic.BUS)


def tree_avenue(seed: int, seconds: float = 4.0) -> World:
    """Large trees close on both sides, and their shadows on the road."""
    street = Street(
        speed_mps=12.5,
        edge_m=(-2.1, 5.5),
        lawn_m=2.4,
        wide_m=5.6,
        trees_m=7.5,
        tree_size=1.32,
    )
    line = _line(seed, 12.5 * seconds + 170.0, 420.0, 1)
    whole = _world("tree_avenue", seed, seconds, street, line, Semantic.TRUCK)
    bodies = tuple(one for one in whole.bodies if one.actor.id < 10)  # nobody parks here
    return replace(whole, bodies=bodies, lighting=daylight(seed, hours=(11.0, 13.0)))


def night_street(seed: int, seconds: float = 4.0) -> World:
    """A street at night: lamps above it, headlights on it."""
    street = Street(speed_mps=11.5, crossing_m=52.0)
    line = _line(seed, 11.5 * seconds + 170.0, 300.0, 2)
    whole = _world("night_street", seed, seconds, street, line, Semantic.BUS)
    span = (-BEHIND_M, street.speed_mps * seconds + 110.0)
    _, lamps = _scenery(seed, street, line, span)
    return replace(whole, lighting=night(seed, (*lamps, *headlights(whole.bodies))))


def wet_street(seed: int, seconds: float = 4.0) -> World:
    """After rain, under one grey layer of cloud."""
    street = Street(speed_mps=11.0, crossing_m=47.0)
    line = _line(seed, 11.0 * seconds + 170.0, 260.0, 3)
    whole = _world("wet_street", seed, seconds, street, line, Semantic.TRUCK)
    return replace(whole, lighting=daylight(seed, overcast=1.0), wetness=0.75)


BAY_M = (2.55, 5.0)
"""Width and depth of a parking bay."""


def parking_row(seed: int, seconds: float = 4.0) -> World:
    """Bays on both sides in which cars stand across the road, some nose first."""
    edge = (-2.0 - BAY_M[1], 5.4 + BAY_M[1])
    street = Street(speed_mps=8.5, edge_m=edge, free_m=(-1.9, 5.3), trees_m=15.0)
    line = _line(seed, 8.5 * seconds + 170.0, 500.0, 4)
    whole = _world("parking_row", seed, seconds, street, line, Semantic.VAN)
    span = (-BEHIND_M, street.speed_mps * seconds + 110.0)
    base = _road(street, line, span)
    bays = [
        Mark(low_m=(span[0], d), high_m=(span[1], d + BAY_M[1]), dash_m=0.12, period_m=BAY_M[0])
        for d in (edge[0], edge[1] - BAY_M[1])
    ]
    road = replace(base, marks=(*base.marks, *bays))
    rng, cars = np.random.default_rng([seed, 73]), []
    for side, kerb in ((1.0, edge[0]), (-1.0, edge[1])):
        first = span[0] + BAY_M[0] * np.ceil((-15.0 - span[0]) / BAY_M[0])
        for s in np.arange(first, min(span[1] - 35.0, 190.0), BAY_M[0]):
            if rng.uniform() < 0.78:
                turn = float(rng.choice([0.5, -0.5]) * np.pi + rng.normal(0, 0.02))
                at = float(s) + 0.06 + 0.5 * BAY_M[0] + float(rng.normal(0, 0.08))
                d = kerb + side * (0.5 * BAY_M[1] + rng.uniform(-0.1, 0.05))
                cars.append(parked(10 + len(cars), int(rng.integers(1000)), line, at, d, turn))
    kept = [one for one in whole.bodies if one.actor.id < 10]
    return replace(
        whole, bodies=(*kept, *cars), road=details(seed, [road]), lane_lines=lane_lines([road])
    )
