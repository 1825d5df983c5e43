"""What stands beside the road: lamp posts, traffic signs, bollards and bins.

Rest coordinates, metres, z up. Signs face traffic that drives towards +x.
"""

import numpy as np

from scenes.semantics import Semantic
from scenes.worlds.models.mesh import Mesh, Surface, boxes, join, triangles, tube
from scenes.worlds.models.roads import GRASS_M, KERB_M, ROAD_M

_STEEL = (0.30, 0.31, 0.32)


def lamp_post(x: float, y: float, inward: float) -> Mesh:
    """A post with an arm over the road."""
    z = np.linspace(0.0, 7.2, 8)
    post = np.stack([np.full(8, x), np.full(8, y), KERB_M + z], axis=1)
    bow = np.linspace(0.0, 1.0, 8)
    arm = np.stack(
        [np.full(8, x), y + inward * 1.7 * bow, KERB_M + 7.2 + 0.5 * np.sin(bow * np.pi / 2)],
        axis=1,
    )
    head = np.array([x - 0.13, y + inward * 1.9 - 0.35, KERB_M + 7.6])
    return join(
        [
            tube(post, np.linspace(0.095, 0.06, 8), Surface.PLAIN, (0.12, 0.14, 0.13)),
            tube(post[:2] * [1, 1, 0.6], np.array([0.13, 0.13]), Surface.PLAIN, (0.10, 0.12, 0.11)),
            tube(arm, np.linspace(0.05, 0.04, 8), Surface.PLAIN, (0.12, 0.14, 0.13), 8),
            boxes(head, head + [0.26, 0.7, 0.12], Surface.PLAIN, (0.35, 0.35, 0.34)),
        ]
    )


def _polygon(
    centre: np.ndarray, radius: float, sides: int, turn: float, forward: float, colour: tuple
) -> Mesh:
    """A regular polygon that faces -x, `forward` metres before `centre`."""
    angle = turn + 2.0 * np.pi * np.arange(sides) / sides
    ring = np.stack([0 * angle - forward, np.cos(angle), np.sin(angle)], axis=1) * [
        1,
        radius,
        radius,
    ]
    index = np.arange(sides)
    fan = np.stack([np.full(sides, sides), np.roll(index, -1), index], axis=1)
    vertices = np.concatenate([ring, [[-forward, 0.0, 0.0]]]) + centre
    return triangles(vertices, fan, Surface.SIGN, colour)


def sign_faces(kind: int, x: float, y: float) -> list[Mesh]:
    """The faces of one sign: speed limit, warning, parking or a direction."""
    top = np.array([x, y, KERB_M + 2.35])
    red, white, blue, black = (
        (0.45, 0.02, 0.02),
        (0.72, 0.72, 0.70),
        (0.02, 0.10, 0.36),
        (0.02,) * 3,
    )
    if kind == 0:
        digits = [[-0.012, -0.17, -0.11], [-0.012, 0.03, -0.11]]
        ends = [[-0.008, -0.03, 0.11], [-0.008, 0.17, 0.11]]
        return [
            _polygon(top, 0.33, 24, 0.0, 0.0, red),
            _polygon(top, 0.25, 24, 0.0, 0.006, white),
            boxes(top + digits, top + ends, Surface.SIGN, black),
        ]
    if kind == 1:
        mark = boxes(top + [-0.014, -0.03, -0.1], top + [-0.01, 0.03, 0.14], Surface.SIGN, black)
        return [
            _polygon(top, 0.46, 3, np.pi / 2, 0.0, red),
            _polygon(top, 0.31, 3, np.pi / 2, 0.006, white),
            mark,
        ]
    if kind == 2:
        stem = boxes(top + [-0.012, 0.05, -0.2], top + [-0.008, 0.12, 0.2], Surface.SIGN, white)
        bowl = [_polygon(top + [0, 0.0, 0.08], r, 16, 0.0, f, c) for r, f, c in _P_BOWL]
        return [_polygon(top, 0.42, 4, np.pi / 4, 0.0, blue), *bowl, stem]
    board = boxes(top + [-0.01, -0.75, -0.28], top + [0.0, 0.25, 0.28], Surface.SIGN, blue)
    lines = [[-0.016, -0.65, 0.07], [-0.016, -0.65, -0.17], [-0.016, 0.0, -0.17]]
    ends = [[-0.012, -0.05, 0.15], [-0.012, -0.25, -0.09], [-0.012, 0.16, 0.17]]
    return [board, boxes(top + lines, top + ends, Surface.SIGN, white)]


_P_BOWL = ((0.14, 0.006, (0.72, 0.72, 0.70)), (0.075, 0.009, (0.02, 0.10, 0.36)))


def _bollards(seed: int) -> Mesh:
    """Bollards and bins along the right pavement."""
    rng = np.random.default_rng([seed, 3])
    x = np.arange(3.0, 120.0, 8.0) + rng.uniform(-2, 2, 15)
    low = np.stack([x, np.full(15, GRASS_M[0][0] - 0.5), np.full(15, KERB_M)], axis=1)
    size = np.where(rng.uniform(size=(15, 1)) < 0.4, [0.45, 0.4, 0.95], [0.11, 0.11, 0.85])
    green = np.where(size[:, :1] > 0.2, [[0.06, 0.12, 0.08]], [[0.13, 0.13, 0.14]])
    return boxes(low, low + size, Surface.PLAIN, green)


def furniture(seed: int) -> Mesh:
    """All of it, from a seed."""
    rng = np.random.default_rng([seed, 4])
    posts, faces = [_bollards(seed)], []
    for x in np.arange(-42.0, 205.0, 24.0):
        posts.append(lamp_post(x + rng.uniform(-1, 1), ROAD_M[0] - 0.55, 1.0))
        posts.append(lamp_post(x + 12.0 + rng.uniform(-1, 1), ROAD_M[1] + 0.55, -1.0))
    for index, x in enumerate(np.arange(12.0, 170.0, 15.5)):
        at, side = x + rng.uniform(-3, 3), ROAD_M[1] + 0.5 if index % 4 == 3 else ROAD_M[0] - 0.6
        pole = np.array([[at + 0.04, side, KERB_M], [at + 0.04, side, KERB_M + 2.75]])
        posts.append(tube(pole, np.array([0.035, 0.035]), Surface.PLAIN, _STEEL, 8))
        faces += sign_faces(int(rng.integers(4)), at, side)
    return join(
        [
            join(posts).labelled(Semantic.POLE),
            join(faces).labelled(Semantic.TRAFFIC_SIGN),
        ]
    )
