"""What stands beside a road of any shape: ground, houses, trees, grass, lamps, signs, the horizon.

Everything is placed by rest coordinates (s, d) of a centre line [m].
"""

from collections.abc import Sequence

import numpy as np

from scenes.motion.geometry import translation
from scenes.semantics import Semantic
from scenes.worlds.light.lighting import Lamp
from scenes.worlds.models.buildings import house
from scenes.worlds.models.furniture import lamp_post, sign_faces
from scenes.worlds.models.mesh import Mesh, Surface, join, patch, triangles, tube
from scenes.worlds.models.plants import hedge, hills, tree
from scenes.worlds.recipes.centre_line import CentreLine
from scenes.worlds.recipes.plan import KERB_M, Band, GroundPlan, grid, ground

LAMP_WARM = np.array([135.0, 104.0, 62.0])
"""Irradiance of a street lamp at a metre."""
FINE_M = (0.8, 0.45)
"""Triangles of the ground along and across a road; soft shadows need them small."""


def strip_ground(
    line: CentreLine,
    span_m: tuple[float, float],
    reach_m: tuple[float, float],
    plan: GroundPlan,
    bands: Sequence[Band],
) -> Mesh:
    """Ground on both sides of one road; `reach_m` is how far it goes to the right and left."""
    corners = grid((span_m[0], reach_m[0]), (span_m[1], reach_m[1]), FINE_M)
    return line.bent(ground(corners, plan, bands))


def horizon(seed: int, middle_m: tuple[float, float], scale: float = 1.0) -> Mesh:
    """Hills all around, and the plain under everything."""
    ring = hills(seed)
    where = np.diag([scale, scale, 1.0 + 0.3 * (scale - 1.0), 1.0])
    where[:3, 3] = [middle_m[0] - 60.0 * scale, middle_m[1], 0.0]
    line = np.linspace(-800.0, 800.0, 41) * scale
    flat = np.zeros((41, 3))
    along, across = flat.copy(), flat.copy()
    along[:, 0], across[:, 1] = line + middle_m[0], line + middle_m[1]
    across[:, 2] = -0.15  # below everything that lies on it
    plain = patch(along, across, Surface.GRASS, (0.5, 0.5, 0.5), Semantic.TERRAIN)
    return join([ring.placed(where).labelled(Semantic.VEGETATION), plain])


def house_row(
    seed: int,
    line: CentreLine,
    span_m: tuple[float, float],
    d_m: float,
    gap_share: float = 0.3,
) -> Mesh:
    """Houses that face the road; those at positive d stand on its left."""
    rng = np.random.default_rng([seed, 64, int(d_m > 0)])
    row, s = [], span_m[0] + rng.uniform(0, 5)
    while s < span_m[1] - 8.0:
        width = float(rng.uniform(9.0, 16.0))
        about = house(rng, width).placed(translation(np.array([-0.5 * width, 0.0, 0.0])))
        turn = np.pi if d_m > 0 else 0.0
        row.append(line.standing(about, s + 0.5 * width, d_m, KERB_M, turn))
        s += width + (float(rng.uniform(3.0, 9.0)) if rng.uniform() < gap_share else 0.1)
    return join(row)


def tree_row(
    seed: int,
    line: CentreLine,
    span_m: tuple[float, float],
    d_m: tuple[float, float],
    every_m: float,
    near_m: tuple[float, float],
    size: float = 1.0,
) -> Mesh:
    """Trees between two distances from the middle; finely leaved within `near_m` of s."""
    rng = np.random.default_rng([seed, 65, int(1000 + 10 * d_m[0])])
    row = []
    for s in np.arange(span_m[0], span_m[1], every_m):
        at, d = float(s + rng.uniform(-0.15, 0.15) * every_m), float(rng.uniform(*d_m))
        one = tree(rng, np.zeros(3), near=bool(near_m[0] < at < near_m[1]))
        grown = one.placed(np.diag([size, size, size, 1.0]))
        if rng.uniform() < 0.92:
            row.append(line.standing(grown, at, d, 0.0, float(rng.uniform(0, 6.28))))
    return join(row).labelled(Semantic.VEGETATION)


def hedge_row(seed: int, line: CentreLine, span_m: tuple[float, float], d_m: float, high_m: float):
    """A hedge along the road, in pieces of 6 m."""
    rng = np.random.default_rng([seed, 66, int(1000 + d_m)])
    pieces = [
        hedge(rng, np.array([s, d_m, 0.0]), np.array([s + 6.0, d_m + 0.8, high_m]))
        for s in np.arange(span_m[0], span_m[1], 6.0)
    ]
    return line.bent(join(pieces)).labelled(Semantic.VEGETATION)


def tufts(
    seed: int,
    line: CentreLine,
    span_m: tuple[float, float],
    d_m: tuple[float, float],
    count: int,
    z_m: float = KERB_M,
    tall: float = 1.0,
) -> Mesh:
    """Blades of grass, single triangles that lean."""
    rng = np.random.default_rng([seed, 67, int(1000 + 10 * d_m[0])])
    root = np.stack(
        [rng.uniform(*span_m, count), rng.uniform(*d_m, count), np.full(count, z_m)], axis=1
    )
    turn, height = rng.uniform(0, 2 * np.pi, count), tall * rng.uniform(0.05, 0.17, count)
    wide = np.stack([np.cos(turn), np.sin(turn), np.zeros(count)], 1) * 0.02
    lean = rng.normal(0, 0.05, (count, 3)) * [1, 1, 0] + height[:, None] * [0, 0, 1]
    corners = np.stack([root - wide, root + wide, root + lean], axis=1).reshape(-1, 3)
    green = rng.uniform(0.6, 1.25, (count, 1)) * [0.10, 0.17, 0.035]
    faces = np.arange(3 * count).reshape(-1, 3)
    return line.bent(triangles(corners, faces, Surface.LEAF, green, Semantic.TERRAIN))


def lamp_row(
    line: CentreLine, span_m: tuple[float, float], d_m: float, every_m: float
) -> tuple[Mesh, tuple[Lamp, ...]]:
    """Posts with arms over the road, and the light that they give at night."""
    inward, posts, lamps = -float(np.sign(d_m)), [], []
    for s in np.arange(span_m[0], span_m[1], every_m):
        posts.append(line.standing(lamp_post(0.0, 0.0, inward), float(s), d_m, 0.0))
        place = line.at(np.array([s]), np.array([d_m + inward * 1.9]))[0]
        lamps.append(
            Lamp(
                position_m=np.array([*place, KERB_M + 7.55]),
                direction=np.array([0.0, 0.0, -1.0]),
                spread_rad=1.25,
                intensity=LAMP_WARM,
            )
        )
    return join(posts).labelled(Semantic.POLE), tuple(lamps)


def sign(line: CentreLine, kind: int, s_m: float, d_m: float) -> Mesh:
    """A traffic sign on a pole, which faces those who drive along the line."""
    pole = np.array([[0.04, 0.0, 0.0], [0.04, 0.0, KERB_M + 2.75]])
    post = tube(pole, np.array([0.035, 0.035]), Surface.PLAIN, (0.30, 0.31, 0.32), 8)
    faces = join(sign_faces(kind, 0.0, 0.0)).labelled(Semantic.TRAFFIC_SIGN)
    return line.standing(join([post.labelled(Semantic.POLE), faces]), s_m, d_m, 0.0)


def sign_row(
    seed: int, line: CentreLine, span_m: tuple[float, float], d_m: float, every_m: float
) -> Mesh:
    """Signs of all kinds, one now and then."""
    rng = np.random.default_rng([seed, 68, int(1000 + d_m)])
    return join(
        [
            sign(line, int(rng.integers(4)), float(s + rng.uniform(-3, 3)), d_m)
            for s in np.arange(span_m[0], span_m[1], every_m)
        ]
    )
