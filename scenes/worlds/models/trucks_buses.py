"""Trucks and buses: cabs, boxes, windows, doors, axles, lamps.

Built standing at the origin, x forward, y left, z up [m]; the middle of the rear end is x = 0.
"""

import numpy as np
from jaxtyping import Float64

from scenes.motion.geometry import translation
from scenes.semantics import Semantic
from scenes.worlds.models.mesh import Mesh, Surface, boxes, join, quads, tube
from scenes.worlds.models.vehicles import PAINTS

_RUBBER, _STEEL, _DARK = (0.022, 0.022, 0.024), (0.33, 0.33, 0.34), (0.03, 0.03, 0.032)
_GLASS, _WHITE, _RED = (0.02, 0.022, 0.025), (0.75, 0.75, 0.72), (0.42, 0.015, 0.015)
_AMBER = (0.5, 0.2, 0.01)

Boxes = list[tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, ...]]]
"""Low corner, high corner, colour."""


def _blocks(parts: Boxes, surface: Surface = Surface.PLAIN) -> Mesh:
    low, high, colour = (np.array(column) for column in zip(*parts, strict=True))
    return boxes(low, high, surface, colour)


def _axles(x: list[float], width: float, radius: float) -> Mesh:
    """A pair of wheels with rims at each x."""
    parts, half = [], 0.5 * width
    for at in x:
        for side in (-1.0, 1.0):
            y = side * np.array([half - 0.30, half - 0.012, half - 0.006, half - 0.004])
            line = np.stack([0 * y + at, y, 0 * y + radius], axis=1)
            tyre = tube(line[:2], np.array([radius, radius]), Surface.PLAIN, _RUBBER, 24)
            rim = tube(line[1:3], np.full(2, 0.58 * radius), Surface.PLAIN, _STEEL, 16)
            hub = tube(line[2:], np.full(2, 0.2 * radius), Surface.PLAIN, _DARK, 10)
            parts += [tyre, rim, hub]
    return join(parts)


def _panes(x: list[tuple[float, float]], z: tuple[float, float], half: float) -> Mesh:
    """Side windows on both sides, a centimetre proud of the wall, from x to x."""
    quad = []
    for x0, x1 in x:
        left = [(x1, half, z[0]), (x0, half, z[0]), (x0, half, z[1]), (x1, half, z[1])]
        quad.append(left)
        quad.append([(at, -y, up) for at, y, up in left[::-1]])
    return quads(np.array(quad), Surface.CAR_GLASS, _GLASS)


def _front_pane(x: tuple[float, float], z: tuple[float, float], half: float) -> Mesh:
    """A windscreen that leans back from x[0] below to x[1] above."""
    low = [(x[0], -half, z[0]), (x[0], half, z[0])]
    high = [(x[1], half, z[1]), (x[1], -half, z[1])]
    return quads(np.array([[*low, *high]]), Surface.CAR_GLASS, _GLASS)


def _front_wall(x: tuple[float, float, float], z: tuple[float, ...], half: float, paint) -> Mesh:
    """A cab's front in two planes with its cheeks: upright to z[1], leaning back to z[2]."""
    profile = [(x[0], z[0]), (x[0], z[1]), (x[1], z[2]), (x[2], z[2]), (x[2], z[0])]
    ring = np.array([[at, up] for at, up in profile])
    nxt = np.roll(ring, -1, axis=0)
    walls = [
        [(a[0], half, a[1]), (a[0], -half, a[1]), (b[0], -half, b[1]), (b[0], half, b[1])][::-1]
        for a, b in zip(ring, nxt, strict=True)
    ]
    cheek = [(0, 1, 4, 4), (1, 2, 3, 4)]
    for side in (1.0, -1.0):
        for corner in cheek:
            quad = [(ring[i, 0], side * half, ring[i, 1]) for i in corner]
            walls.append(quad[:: -1 if side < 0 else 1])
    return quads(np.array(walls, float), Surface.CAR_PAINT, paint)


def truck(rng: np.random.Generator) -> tuple[Mesh, Float64[np.ndarray, "3"]]:
    """A box truck with two or three axles, about the centre of its box."""
    cargo, height, half = float(rng.uniform(6.0, 8.2)), float(rng.uniform(3.4, 3.8)), 1.24
    paint, box = PAINTS[int(rng.integers(len(PAINTS)))], PAINTS[int(rng.choice([0, 4, 4, 3]))]
    stripe = PAINTS[int(rng.choice([2, 3, 7, 6]))]
    cab, nose = cargo + 0.25, cargo + 2.35
    body: Boxes = [((0.06, -half, 1.05), (cargo, half, height), box)]
    body.append(((0.3, -half - 0.006, 1.9), (cargo - 0.4, half + 0.006, 2.25), stripe))
    axles = [1.5, nose - 1.15] if cargo < 7.2 else [1.2, 2.5, nose - 1.15]
    whole = join(
        [
            _blocks(body, Surface.CAR_PAINT),
            _blocks(_truck_trim(cargo, nose, half, height)),
            _front_wall((nose, nose - 0.28, cab), (0.5, 1.5, 2.75), half - 0.03, paint),
            _front_pane((nose + 0.002, nose - 0.225), (1.52, 2.5), half - 0.17),
            _panes([(cab + 0.75, nose - 0.35)], (1.62, 2.4), half - 0.02),
            _axles(axles, 2.0 * half - 0.04, 0.5),
        ]
    )
    return _about_centre(whole, Semantic.TRUCK)


def _truck_trim(cargo: float, nose: float, half: float, height: float) -> Boxes:
    """Frame, bumpers, plates, underride guards, ribs of the cargo box, lamps and mirrors."""
    trim: Boxes = [
        ((0.15, -0.45, 0.62), (nose - 0.5, 0.45, 0.9), _DARK),
        ((0.0, -half, 0.42), (0.12, half, 0.54), _STEEL),
        ((nose - 0.1, -half + 0.02, 0.32), (nose + 0.06, half - 0.02, 0.66), _DARK),
        ((nose - 0.02, -0.8, 0.95), (nose + 0.012, 0.8, 1.35), _DARK),
        ((0.03, -0.02, 1.1), (0.055, 0.02, height - 0.1), _DARK),
        ((0.0, -0.28, 0.7), (0.04, 0.28, 0.82), _WHITE),
        ((2.4, -half + 0.03, 0.5), (cargo - 2.0, -half + 0.06, 0.98), _STEEL),
        ((2.4, half - 0.06, 0.5), (cargo - 2.0, half - 0.03, 0.98), _STEEL),
    ]
    for x in np.arange(0.9, cargo, 0.9).tolist():
        trim.append(((x, -half - 0.012, 1.1), (x + 0.03, half + 0.012, height - 0.06), _STEEL))
    lamps = (
        (0.75, 1.15, 0.58, 0.8, nose + 0.02, _WHITE),
        (1.15, 1.22, 0.6, 0.8, nose + 0.0, _AMBER),
        (0.85, 1.2, 0.58, 0.78, -0.02, _RED),
        (0.7, 0.85, 0.58, 0.78, -0.02, _AMBER),
        (1.26, 1.44, 1.7, 2.35, nose - 0.25, _DARK),
    )
    return trim + _on_both_sides(lamps, 0.08)


def _on_both_sides(parts: tuple[tuple, ...], thick: float) -> Boxes:
    """Lamps and mirrors, `thick` along x: from y, to y, from z, to z, x, colour of each."""
    found: Boxes = []
    for side in (-1.0, 1.0):
        for y0, y1, z0, z1, x0, colour in parts:
            low, high = sorted([side * y0, side * y1])
            found.append(((x0, low, z0), (x0 + thick, high, z1), colour))
    return found


def bus(rng: np.random.Generator) -> tuple[Mesh, Float64[np.ndarray, "3"]]:
    """A city bus with a row of windows and three doors on its right, about its box's centre."""
    length, height, half = float(rng.uniform(10.8, 12.2)), 3.05, 1.26
    paint = PAINTS[int(rng.choice([2, 3, 4, 6, 7]))]
    skirt = (0.55, 0.55, 0.54) if rng.uniform() < 0.5 else (0.06, 0.07, 0.09)
    windows = [(x, x + 1.28) for x in np.arange(0.5, length - 1.9, 1.4).tolist()]
    doors, panes = _doors((length - 1.5, 0.52 * length, 0.17 * length), half)
    wall = _front_wall((length, length - 0.1, 0.0), (0.3, 1.1, height), half, paint)
    whole = join(
        [
            wall,
            _blocks(_bus_trim(length, half, height, skirt)),
            doors,
            panes,
            _panes([*windows, (length - 1.5, length - 0.3)], (1.25, 2.4), half + 0.008),
            _front_pane((length + 0.006, length - 0.072), (1.05, 2.55), half - 0.08),
            _panes_rear(half - 0.25),
            _axles([2.9, length - 2.7], 2.0 * half - 0.02, 0.48),
        ]
    )
    return _about_centre(whole, Semantic.BUS)


def _bus_trim(length: float, half: float, height: float, skirt: tuple[float, ...]) -> Boxes:
    """Skirt, roof, destination sign, plates, grille, lamps and mirrors."""
    trim: Boxes = [
        ((0.05, -half - 0.005, 0.32), (length - 0.1, half + 0.005, 0.62), skirt),
        ((0.02, -half + 0.05, height), (length * 0.6, half - 0.05, height + 0.2), _WHITE),
        ((length - 0.02, -0.8, 2.62), (length + 0.02, 0.8, 2.9), _DARK),
        ((length + 0.018, -0.55, 2.68), (length + 0.024, 0.3, 2.84), (0.7, 0.38, 0.03)),
        ((length + 0.0, -0.26, 0.5), (length + 0.03, 0.26, 0.62), _WHITE),
        ((-0.01, -0.26, 0.8), (0.03, 0.26, 0.92), _WHITE),
        ((-0.01, -0.9, 1.0), (0.02, 0.9, 1.35), _DARK),
    ]
    lamps = (
        (0.8, 1.18, 0.68, 0.9, length - 0.03, _WHITE),
        (1.18, 1.25, 0.68, 0.9, length - 0.05, _AMBER),
        (0.98, 1.22, 0.8, 1.15, -0.03, _RED),
        (0.98, 1.22, 1.16, 1.3, -0.03, _AMBER),
        (1.28, 1.46, 1.9, 2.5, length + 0.1, _DARK),
    )
    return trim + _on_both_sides(lamps, 0.06)


def _doors(x: tuple[float, ...], half: float) -> tuple[Mesh, Mesh]:
    """Doors of two leaves on the right, from each x on; and their glass."""
    leaves: Boxes = []
    for at in x:
        for leaf in (0.0, 0.62):
            low = (at + leaf, -half - 0.012, 0.4)
            leaves.append((low, (at + leaf + 0.58, -half - 0.002, 2.45), (0.03, 0.03, 0.032)))
    glass = [(low[0] + 0.05, low[0] + 0.53) for low, _, _ in leaves]
    panes = [
        [(a, -half - 0.016, 0.6), (b, -half - 0.016, 0.6), (b, -half - 0.016, 2.35)]
        + [(a, -half - 0.016, 2.35)]
        for a, b in glass
    ]
    return _blocks(leaves), quads(np.array(panes), Surface.CAR_GLASS, _GLASS)


def _panes_rear(half: float) -> Mesh:
    """The window at the back."""
    corners = [
        (-0.008, half, 1.5),
        (-0.008, -half, 1.5),
        (-0.008, -half, 2.45),
        (-0.008, half, 2.45),
    ]
    return quads(np.array([corners]), Surface.CAR_GLASS, _GLASS)


def _about_centre(mesh: Mesh, kind: Semantic) -> tuple[Mesh, Float64[np.ndarray, "3"]]:
    low, high = mesh.extent_m()
    moved = mesh.placed(translation(-0.5 * (low + high))).labelled(kind)
    low, high = moved.extent_m()
    return moved, high - low
