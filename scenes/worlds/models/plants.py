"""Trees and hedges with every leaf a triangle, so that foliage has true parallax, and far hills.

Leaves gather in clumps along an ellipsoid, as crowns do; light falls between them. Rest
coordinates, metres, z up.
"""

import numpy as np
from jaxtyping import Float64

from scenes.semantics import Semantic
from scenes.worlds.models.mesh import Mesh, Surface, join, quads, triangles, tube
from scenes.worlds.models.roads import FACADE_M, GRASS_M, KERB_M

_GREENS = np.array([[0.075, 0.135, 0.028], [0.10, 0.15, 0.03], [0.055, 0.11, 0.035]])


def _leaves(
    rng: np.random.Generator,
    clumps_m: Float64[np.ndarray, "c 3"],
    spread_m: float,
    count: int,
    size_m: float,
    green: np.ndarray,
) -> Mesh:
    """`count` leaves about each clump, turned at random, lighter towards the top."""
    centre = np.repeat(clumps_m, count, axis=0)
    offset = rng.normal(size=centre.shape)
    offset /= np.linalg.norm(offset, axis=1, keepdims=True)
    radius = spread_m * rng.uniform(0.25, 1.0, (len(centre), 1)) ** 0.5
    centre = centre + offset * radius * [1.0, 1.0, 0.75]
    # Leaves lie roughly along the surface of their clump, which gives crowns their shading.
    normal = offset + 0.7 * rng.normal(size=centre.shape) + [0.0, 0.0, 0.3]
    side = np.cross(normal, rng.normal(size=centre.shape))
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    tip = np.cross(normal, side)
    tip /= np.linalg.norm(tip, axis=1, keepdims=True)
    size = size_m * rng.uniform(0.7, 1.3, (len(centre), 1))
    corners = np.stack(
        [centre - 0.5 * size * side, centre + 0.5 * size * side, centre + 1.1 * size * tip], axis=1
    )
    shade = rng.uniform(0.65, 1.35, (len(centre), 1)) * (1.0 + 0.25 * offset[:, 2:])
    faces = np.arange(3 * len(centre)).reshape(-1, 3)
    colour = np.clip(shade * green * (1 + 0.15 * rng.normal(size=(len(centre), 3))), 0.01, 0.5)
    return triangles(corners.reshape(-1, 3), faces, Surface.LEAF, colour)


def tree(rng: np.random.Generator, root_m: Float64[np.ndarray, "3"], near: bool) -> Mesh:
    """A street tree: a trunk that bends, branches, and a crown of clumps; finer where `near`."""
    height, crown = rng.uniform(6.0, 9.5), rng.uniform(1.7, 2.6)
    fork = 0.34 * height
    bend = rng.normal(0, 0.10, 2)
    share = np.linspace(0.0, 1.0, 7)[:, None]
    trunk = share * [*bend, 0.8 * height] + 0.05 * rng.normal(size=(7, 3)) * [1, 1, 0] * (share > 0)
    parts = [tube(trunk, np.linspace(0.17, 0.05, 7), Surface.BARK, (0.17, 0.13, 0.10), 9)]
    middle = np.array([*bend, 0.66 * height])
    clumps = rng.normal(size=(46 if near else 26, 3))
    clumps /= np.linalg.norm(clumps, axis=1, keepdims=True)
    reach = rng.uniform(0.35, 1.0, (len(clumps), 1)) ** 0.4
    clumps = middle + clumps * reach * [crown, crown, 0.36 * height]
    for end in clumps[:8]:
        start = np.array([0.5 * bend[0], 0.5 * bend[1], rng.uniform(fork, 0.6 * height)])
        line = start + np.linspace(0.0, 1.0, 4)[:, None] * (end - start)
        parts.append(tube(line, np.linspace(0.05, 0.012, 4), Surface.BARK, (0.15, 0.12, 0.09), 5))
    green = _GREENS[int(rng.integers(3))]
    count, size = (120, 0.13) if near else (60, 0.22)
    parts.append(_leaves(rng, clumps, 0.34 * crown, count, size, green))
    where = np.eye(4)
    where[:3, 3] = root_m
    return join(parts).placed(where)


def hedge(rng: np.random.Generator, low_m: np.ndarray, high_m: np.ndarray) -> Mesh:
    """A trimmed hedge between two corners."""
    volume = float(np.prod(high_m - low_m))
    clumps = rng.uniform(low_m, high_m, (max(int(9 * volume), 8), 3))
    return _leaves(rng, clumps, 0.3, 55, 0.10, np.array([0.05, 0.10, 0.025]))


def hills(seed: int) -> Mesh:
    """A ring of wooded hills where the plain meets the sky."""
    rng = np.random.default_rng([seed, 22])
    turn = np.linspace(0.0, 2.0 * np.pi, 181)
    parts = []
    for ring, radius in enumerate((330.0, 480.0)):
        waves = sum(
            rng.uniform(2.0, 7.0) / k * np.sin(k * turn + rng.uniform(0, 6)) for k in range(2, 12)
        )
        height = np.maximum(10.0 + 12.0 * ring + waves, 4.0)
        ring_m = np.stack([60 + radius * np.cos(turn), radius * np.sin(turn), 0 * turn - 1.0], 1)
        top = ring_m + height[:, None] * [0, 0, 1]
        # Wound so that the near side, inside the ring, is the outside.
        quad = np.stack([ring_m[1:], ring_m[:-1], top[:-1], top[1:]], axis=1)
        colour = ((0.07, 0.115, 0.05), (0.10, 0.145, 0.10))[ring]
        parts.append(quads(quad, Surface.DISTANT, colour))
    return join(parts)


def plants(seed: int) -> Mesh:
    """Two rows of trees in the grass strips, hedges behind the houses' gaps, and the hills."""
    parts = [hills(seed)]
    for side, (low, high) in enumerate(GRASS_M):
        rng = np.random.default_rng([seed, 20 + side])
        for x in np.arange(-36.0 + 5.0 * side, 205.0, 12.0):
            at = np.array([x + rng.uniform(-2, 2), rng.uniform(low + 0.4, high - 0.4), KERB_M])
            if rng.uniform() < 0.88:
                parts.append(tree(rng, at, near=bool(-8.0 < x < 100.0)))
    rng = np.random.default_rng([seed, 23])
    for y in (FACADE_M[0] - 3.0, FACADE_M[1] + 2.4):
        parts += [
            hedge(rng, np.array([x, y, 0.0]), np.array([x + 7.0, y + 0.6, 1.7]))
            for x in np.arange(-20.0, 130.0, 7.0)
        ]
    return join(parts).labelled(Semantic.VEGETATION)
