"""A roundabout with four arms, an island, and a ring that is painted in polar coordinates."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float64

from scenes.motion.geometry import translation
from scenes.semantics import Semantic
from scenes.worlds.models.mesh import Mesh, join
from scenes.worlds.models.plants import tree
from scenes.worlds.models.roads import Mark
from scenes.worlds.models.world import Body, World
from scenes.worlds.recipes.centre_line import CentreLine, from_curvature, straight
from scenes.worlds.recipes.junctions import (
    BANDS,
    EDGE_M,
    MIDDLE_M,
    ONCOMING_M,
    REACH_M,
    SIDE_OFFSET_M,
    blocks,
    furniture,
    junction_ground,
    kept,
    painted,
    side_rest,
    walkers,
)
from scenes.worlds.recipes.plan import (
    GroundPlan,
    smooth_union,
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
from scenes.worlds.recipes.roadside import tufts
from scenes.worlds.recipes.sun import daylight
from scenes.worlds.recipes.surroundings import houses_between, trees_around
from scenes.worlds.recipes.traffic import body, ego_drive, steady

RING_OFFSET_M = 10000.0
"""Where the ring is painted."""
RING_M = (16.0, 24.0)
"""Inner and outer radius of the roundabout."""
HALF_M = MIDDLE_M - EDGE_M[0]
"""Half the width of an arm."""
ARM_M = REACH_M + 12.0
"""How far the side arms reach."""
_CORNERS_DEG = (33.0, 57.0, 123.0, 147.0, 213.0, 237.0, 303.0, 327.0)
"""Where houses stand between the arms."""
_TREES = ((25.0, 22, True), (34.0, 16, True), (52.0, 44, False), (66.0, 60, False))
"""Rings of trees: radius, how many, whether finely leaved."""
_TURN_IN_M, _CIRCLE_M = 30.0, 20.0
"""Radii of the way in, and on the ring."""


def _through(at_m: float, length_m: float) -> CentreLine:
    """The ego's way: right into the ring, half around it, right out of it, straight on."""
    short, swap = 8.0, 16.0  # lengths of the clothoids at the ends and between the arcs

    def line(arc: float, ring: float) -> CentreLine:
        steps = [short, arc, swap, ring, swap, arc, short]
        s = np.concatenate([[0.0], np.cumsum(steps)])
        right, left = -1.0 / _TURN_IN_M, 1.0 / _CIRCLE_M
        bend = [0.0, right, right, left, left, right, right, 0.0]
        return from_curvature([-200.0, *s.tolist(), s[-1] + length_m], [0.0, *bend, 0.0])

    def ring_of(arc: float) -> float:
        turned = (0.5 * short + arc + 0.5 * swap) / _TURN_IN_M - 0.5 * swap / _CIRCLE_M
        return 2.0 * _CIRCLE_M * turned

    low, high, depth = 0.0, 40.0, _CIRCLE_M - MIDDLE_M
    way = line(low, 1.0)
    for _ in range(50):  # how long to turn right, so that the ring is met
        arc = 0.5 * (low + high)
        way = line(arc, max(ring_of(arc), 0.1))
        deep = -float(way.xy_m[:, 1].min())
        low, high = (arc, high) if deep < depth else (low, arc)
    lowest = int(np.argmin(way.xy_m[:, 1]))
    begin = float(way.xy_m[lowest, 0])
    return replace(way, xy_m=way.xy_m + [at_m - begin, 0.0], s_m=way.s_m + at_m - begin)


def _polar(p: np.ndarray, at: float) -> np.ndarray:
    """Distance of points to the middle of the island."""
    return np.hypot(p[:, 0] - at, p[:, 1] - MIDDLE_M)


def _round_plan(at: float) -> GroundPlan:
    """Ring and arms, wide where they meet."""

    def plan(p: np.ndarray) -> np.ndarray:
        arms = np.minimum(np.abs(p[:, 1] - MIDDLE_M), np.abs(p[:, 0] - at)) - HALF_M
        radius = _polar(p, at)
        return np.maximum(smooth_union(arms, radius - RING_M[1], 13.0), RING_M[0] - radius)

    return plan


def _round_ground(plan: GroundPlan, span: tuple[float, float], at: float) -> Mesh:
    """The ground, painted by the ring or by the nearest arm."""

    def to_ring(p: np.ndarray) -> np.ndarray:
        turn = np.mod(np.arctan2(p[:, 0] - at, MIDDLE_M - p[:, 1]), 2 * np.pi)
        return np.stack([RING_OFFSET_M + _CIRCLE_M * turn, _CIRCLE_M - _polar(p, at)], axis=1)

    def which(p: np.ndarray) -> np.ndarray:
        upright = np.abs(p[:, 1] - MIDDLE_M) > np.abs(p[:, 0] - at)
        return np.where(_polar(p, at) < RING_M[1] + 0.5, 2, upright.astype(int))

    far = (MIDDLE_M - ARM_M, MIDDLE_M + ARM_M)
    soil = junction_ground(plan, span, far, BANDS)
    return painted(soil, which, (lambda p: p, side_rest(at), to_ring))


def roundabout(seed: int, seconds: float = 4.0) -> World:
    """Four arms and an island; the ego takes the second exit."""
    rng = np.random.default_rng([seed, 92])
    speed, at = 8.0, float(rng.uniform(44.0, 48.0))
    span = (-45.0, max(speed * seconds + 60.0, at + 75.0))
    main = straight()
    side = straight(start_m=(at, MIDDLE_M), yaw=np.pi / 2)
    ring = from_curvature([0.0, 2 * np.pi * _CIRCLE_M], [1 / _CIRCLE_M] * 2)
    ring = replace(ring, xy_m=ring.xy_m + [at, MIDDLE_M - _CIRCLE_M])
    plan = _round_plan(at)
    soil = _round_ground(plan, span, at)
    scenery = [soil, *_round_scenery(seed, main, side, plan, span, at)]
    roads = _round_roads(main, side, ring, span, at)
    way = _through(at, span[1] + 80.0)
    return World(
        recipe="roundabout",
        seed=seed,
        scenery=join(scenery),
        bodies=tuple(_round_traffic(seed, seconds, speed, way, main, side)),
        road=details(seed, roads),
        ego=ego_drive(way, seed, seconds, speed),
        lighting=daylight(seed),
        lane_lines=lane_lines(roads),
        drivable_m=(
            outline(main, (span[0], at - RING_M[1]), *EDGE_M),
            outline(main, (at + RING_M[1], span[1]), *EDGE_M),
            outline(side, (-ARM_M, -RING_M[1]), -HALF_M, HALF_M),
            outline(side, (RING_M[1], ARM_M), -HALF_M, HALF_M),
            *_sectors(ring),
        ),
    )


def _sectors(ring: CentreLine) -> tuple[Float64[np.ndarray, "_ 2"], ...]:
    """The ring in eight pieces, none of which has a hole."""
    cut = np.linspace(ring.s_m[0], ring.s_m[-1], 9)
    out, inner = _CIRCLE_M - RING_M[1], _CIRCLE_M - RING_M[0]
    return tuple(
        outline(ring, (float(a), float(b)), out, inner)
        for a, b in zip(cut[:-1], cut[1:], strict=True)
    )


def _round_roads(
    main: CentreLine, side: CentreLine, ring: CentreLine, span: tuple[float, float], at: float
) -> list[Road]:
    """Arms and ring with their lines."""
    clear = RING_M[1] + 4.0
    arm, around = (-ARM_M, ARM_M), (0.0, 2 * np.pi * _CIRCLE_M)
    inside, out = _CIRCLE_M - RING_M[0], _CIRCLE_M - RING_M[1]
    ring_marks = (
        line_mark(around, inside - 0.4),
        line_mark(around, out + 0.3, dashes=(1.0, 2.0)),
    )
    return [
        Road(
            line=main,
            span_m=span,
            edge_m=EDGE_M,
            marks=_main_marks(span, (at - clear, at + clear)),
            lanes_m=(0.0, ONCOMING_M),
        ),
        Road(
            line=side,
            span_m=arm,
            edge_m=(-HALF_M, HALF_M),
            marks=tuple(broken(line_mark(arm, 0.0, dashes=(3.0, 6.0)), [(-clear, clear)])),
            lanes_m=(-1.8, 1.8),
            offset_m=SIDE_OFFSET_M,
        ),
        Road(
            line=ring,
            span_m=around,
            edge_m=(out, inside),
            marks=ring_marks,
            lanes_m=(0.0,),
            offset_m=RING_OFFSET_M,
        ),
    ]


def _main_marks(span: tuple[float, float], inner: tuple[float, float]) -> tuple[Mark, ...]:
    """The lines of the main road, which end at the ring, two zebras, and where to give way."""
    return (
        *broken(line_mark(span, MIDDLE_M, dashes=(3.0, 6.0)), [inner]),
        *broken(line_mark(span, EDGE_M[0] + 0.3), [(inner[0] - 10.0, inner[1] + 10.0)]),
        *broken(line_mark(span, EDGE_M[1] - 0.3), [(inner[0] - 10.0, inner[1] + 10.0)]),
        zebra(inner[0] - 9.0, EDGE_M),
        zebra(inner[1] + 6.0, EDGE_M),
        stop_line(inner[0] - 0.5, EDGE_M[0] - 1.2, MIDDLE_M - 0.1, dashed=True),
    )


def _round_scenery(
    seed: int,
    main: CentreLine,
    side: CentreLine,
    plan: GroundPlan,
    span: tuple[float, float],
    at: float,
) -> list[Mesh]:
    """Houses around, what stands along the main road, and trees and a hedge on the island."""
    rng = np.random.default_rng([seed, 93])
    houses = [m for d in (EDGE_M[0] - 4.4, EDGE_M[1] + 4.4) for m in blocks(seed, main, span, d)]
    for d in (-8.3, 8.3):
        for low in (-ARM_M, 36.0):
            houses += blocks(seed + 5, side, (low, low + 18.0), d)
    island = []
    for _ in range(9):
        turn, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.0, 10.5)
        spot = np.array([at + reach * np.cos(turn), MIDDLE_M + reach * np.sin(turn), 0.1])
        island.append(tree(rng, np.zeros(3), near=True).placed(translation(spot)))
    grass = tufts(seed, main, (at - 9.0, at + 9.0), (MIDDLE_M - 9.0, MIDDLE_M + 9.0), 2500)
    flat = join(furniture(seed, main, span, (at - 38.0, at + 38.0)))
    town, middle = kept(houses, plan, 3.2), (at, MIDDLE_M)
    town += houses_between(seed, plan, middle, 37.0, _CORNERS_DEG, town)
    town += trees_around(seed, plan, middle, _TREES, town)
    return [*town, flat, join(island).labelled(Semantic.VEGETATION), grass]


def _round_traffic(
    seed: int,
    seconds: float,
    speed: float,
    way: CentreLine,
    main: CentreLine,
    side: CentreLine,
) -> list[Body]:
    """One ahead on the same way, one that waits on each side arm, people on the pavements."""
    rng = np.random.default_rng([seed, 94])
    made = [int(x) for x in rng.integers(1000, size=6)]
    still = steady(seconds, 0.0, 0.0)
    gate = RING_M[1] + 9.0
    bodies = [
        body(1, Semantic.CAR, made[0], way, steady(seconds, 20.0, 1.05 * speed), 0.0),
        body(2, Semantic.BUS, made[1], side, still - gate - 6.0, -1.8),
        body(3, Semantic.CAR, made[2], side, still + gate, 1.8, reverse=True),
        body(4, Semantic.CAR, made[3], main, still - 30.0, ONCOMING_M, True),
    ]
    spots = [(12.0, -4.6, -1.3), (9.0, 8.7, -1.2), (17.0, -5.6, -1.1)]
    return [*bodies, *walkers(seed, main, seconds, 5, spots)]
