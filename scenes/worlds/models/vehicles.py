"""Cars: a lofted body with a cabin of glass, wheels, lamps and plates.

A car's frame is that of its box: origin at the centre, x forward, y left, z up [m]. The box is
the extent of the mesh, exactly.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from scenes.semantics import Semantic
from scenes.worlds.models.mesh import Mesh, Surface, boxes, join, quads, triangles


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """The profile of one kind of car: stations from tail to nose, as shares of its size."""

    kind: Semantic
    size_m: tuple[float, float, float]
    """Nominal length, width, height [m]."""
    x: tuple[float, ...]
    """Where the stations are, 0 tail to 1 nose."""
    belt: tuple[float, ...]
    """Height of the shoulder at each, share of the height."""
    roof: tuple[float, ...]
    """Height of the top at each; where it exceeds the belt there is a cabin."""
    plan: tuple[float, ...]
    """Half width at each, share of the half width."""


HATCH = Shape(
    kind=Semantic.CAR,
    size_m=(4.1, 1.78, 1.48),
    x=(0.0, 0.02, 0.10, 0.22, 0.45, 0.58, 0.74, 0.90, 0.98, 1.0),
    belt=(0.50, 0.62, 0.66, 0.66, 0.65, 0.64, 0.62, 0.56, 0.48, 0.40),
    roof=(0.50, 0.62, 0.88, 0.98, 1.00, 0.97, 0.63, 0.57, 0.48, 0.40),
    plan=(0.86, 0.93, 0.98, 1.00, 1.00, 1.00, 0.99, 0.95, 0.88, 0.80),
)
SEDAN = Shape(
    kind=Semantic.CAR,
    size_m=(4.7, 1.84, 1.44),
    x=(0.0, 0.02, 0.14, 0.30, 0.48, 0.58, 0.72, 0.90, 0.98, 1.0),
    belt=(0.50, 0.63, 0.66, 0.66, 0.65, 0.64, 0.62, 0.55, 0.47, 0.40),
    roof=(0.50, 0.63, 0.69, 0.96, 1.00, 0.97, 0.63, 0.56, 0.47, 0.40),
    plan=(0.86, 0.92, 0.98, 1.00, 1.00, 1.00, 0.99, 0.95, 0.87, 0.78),
)
VAN = Shape(
    kind=Semantic.VAN,
    size_m=(5.1, 1.98, 2.05),
    x=(0.0, 0.01, 0.05, 0.30, 0.55, 0.66, 0.80, 0.90, 0.98, 1.0),
    belt=(0.45, 0.52, 0.54, 0.54, 0.54, 0.54, 0.53, 0.50, 0.42, 0.36),
    roof=(0.45, 0.95, 0.99, 1.00, 1.00, 0.99, 0.70, 0.51, 0.42, 0.36),
    plan=(0.92, 0.97, 1.00, 1.00, 1.00, 1.00, 0.99, 0.96, 0.89, 0.82),
)
SHAPES = (HATCH, SEDAN, VAN)
PAINTS = (
    (0.50, 0.50, 0.51),
    (0.035, 0.04, 0.05),
    (0.42, 0.03, 0.03),
    (0.05, 0.10, 0.28),
    (0.72, 0.72, 0.70),
    (0.16, 0.17, 0.18),
    (0.07, 0.17, 0.12),
    (0.55, 0.40, 0.08),
)


def _sections(shape: Shape) -> Float64[np.ndarray, "stations 6 3"]:
    """Left outline of each station from the sill to the middle of the roof."""
    length, width, height = shape.size_m
    fine = np.unique(np.concatenate([np.linspace(0, 1, 25), shape.x]))
    belt, roof, plan = (
        np.interp(fine, shape.x, line) for line in (shape.belt, shape.roof, shape.plan)
    )
    half = 0.5 * width * plan
    cabin = np.clip((roof - belt) / 0.3, 0.0, 1.0)
    sill = np.where((fine < 0.04) | (fine > 0.95), 0.19, 0.13)
    top = half * (0.80 - 0.10 * cabin)
    outline = [
        (half * 0.94, sill),
        (half, 0.5 * (sill + belt)),
        (half * 0.985, belt - 0.01),
        (half * 0.94 - 0.03 * cabin, belt),
        (top, roof - 0.035 * cabin),
        (0.0 * half, roof),
    ]
    points = [np.stack([(fine - 0.5) * length, y, z * height], axis=1) for y, z in outline]
    return np.stack(points, axis=1)


def _body(shape: Shape, paint: tuple[float, ...]) -> Mesh:
    """Both sides, lofted from station to station; steep parts of the cabin are glass."""
    left = _sections(shape)
    right = left * [1.0, -1.0, 1.0]
    ring = np.concatenate([right, left[:, -2::-1]], axis=1)  # right sill, over the roof, left sill
    a, b = ring[:-1, :-1], ring[:-1, 1:]
    c, d = ring[1:, 1:], ring[1:, :-1]
    corners = np.stack([a, d, c, b], axis=2)
    strips = corners.shape[1]
    tall = (left[:, 4, 2] - left[:, 3, 2]) / shape.size_m[2]
    tall = np.minimum(tall[:-1], tall[1:])
    x = (corners[:, 0, :, 0].mean(axis=1)) / shape.size_m[0] + 0.5
    slope = np.abs(np.diff(left[:, 5, 2])) / np.maximum(np.diff(left[:, 5, 0]), 1e-6)
    screen = (slope > 0.28) & (left[:-1, 5, 2] > 0.6 * shape.size_m[2]) & (tall >= 0)
    screen &= np.maximum(left[:-1, 4, 2], left[1:, 4, 2]) > 0.68 * shape.size_m[2]
    pillar = (np.abs(x - 0.47) < 0.012) | (np.abs(x - 0.24) < 0.014)
    if shape.kind == Semantic.VAN:
        pillar |= x < 0.56  # a panel van: only the cab has side windows
    glass = np.zeros((len(corners), strips), bool)
    glass[:, 3] = glass[:, strips - 4] = (tall > 0.16) & ~pillar
    glass[:, 4] = glass[:, strips - 5] = screen
    glass = glass.reshape(-1)
    corners = corners.reshape(-1, 4, 3)
    half = ring.shape[1] // 2
    caps = []
    for end, turn in ((ring[0], 1), (ring[-1], -1)):
        mirror = end[::-1]
        cap = [end[:half], end[1 : half + 1], mirror[1 : half + 1], mirror[:half]][::turn]
        caps.append(np.stack(cap, axis=1))
    under = np.stack([ring[:-1, 0], ring[:-1, -1], ring[1:, -1], ring[1:, 0]], axis=1)
    return join(
        [
            quads(corners[~glass], Surface.CAR_PAINT, paint),
            quads(corners[glass], Surface.CAR_GLASS, (0.02, 0.022, 0.025)),
            quads(np.concatenate(caps), Surface.CAR_PAINT, paint),
            quads(under, Surface.PLAIN, (0.02, 0.02, 0.02)),
        ]
    )


def _disc(centre: np.ndarray, radius: float, side: float, colour: tuple[float, ...]) -> Mesh:
    """A disc in the x-z plane that faces `side` * y."""
    turn = np.linspace(0.0, 2.0 * np.pi, 25)[:-1]
    ring = centre + radius * np.stack([np.cos(turn), 0 * turn, np.sin(turn)], axis=1)
    ring[:, 2] = np.maximum(ring[:, 2], 0.0)  # arches are wider than wheels, yet end at the sill
    index = np.arange(24)
    fan = np.stack([np.full(24, 24), np.roll(index, -1), index], axis=1)
    faces = fan if side > 0 else fan[:, ::-1]
    return triangles(np.concatenate([ring, centre[None]]), faces, Surface.PLAIN, colour)


def _wheels(shape: Shape) -> Mesh:
    """Four tyres with rims, in dark arches."""
    length, width, height = shape.size_m
    radius = 0.22 * height if shape.kind == Semantic.CAR else 0.165 * height
    parts = []
    for x in (-0.305 * length, 0.315 * length):
        for side in (-1.0, 1.0):
            out = side * 0.5 * width
            for depth, size, shade in (
                (0.985, 1.22, (0.012, 0.012, 0.012)),
                (0.992, 1.0, (0.03, 0.03, 0.032)),
                (0.996, 0.66, (0.45, 0.45, 0.46)),
                (0.998, 0.20, (0.10, 0.10, 0.10)),
            ):
                parts.append(_disc(np.array([x, out * depth, radius]), radius * size, side, shade))
            turn = np.linspace(0.0, 2.0 * np.pi, 21)
            rim = np.stack([x + radius * np.cos(turn), 0 * turn, radius * (1 + np.sin(turn))], 1)
            outer, inner = rim + [0, 0.992 * out, 0], rim + [0, 0.80 * out, 0]
            tread = np.stack([outer[:-1], outer[1:], inner[1:], inner[:-1]], axis=1)
            parts.append(quads(tread, Surface.PLAIN, (0.03, 0.03, 0.032)))
    for k in range(5):  # spokes
        parts += _spokes(shape, radius, 2.0 * np.pi * k / 5)
    return join(parts)


def _spokes(shape: Shape, radius: float, turn: float) -> list[Mesh]:
    """The dark gap between two spokes of every rim."""
    length, width, _ = shape.size_m
    parts = []
    for x in (-0.305 * length, 0.315 * length):
        for side in (-1.0, 1.0):
            centre = np.array([x, side * 0.4985 * width, radius])
            angles = turn + np.array([-0.32, 0.32, 0.2, -0.2])
            reach = radius * np.array([0.58, 0.58, 0.26, 0.26])
            corners = np.stack([reach * np.cos(angles), 0 * angles, reach * np.sin(angles)], axis=1)
            quad = (centre + corners)[:: -1 if side > 0 else 1]
            parts.append(quads(quad[None], Surface.PLAIN, (0.04, 0.04, 0.042)))
    return parts


def _trim(shape: Shape) -> Mesh:
    """Lamps, plates, grille, mirrors."""
    length, width, height = shape.size_m
    front, rear = 0.5 * length, -0.5 * length
    lamp, tail = 0.44 * height, 0.52 * height
    parts: list[tuple[list[float], list[float], tuple[float, ...]]] = []
    for side in (-1.0, 1.0):
        y0, y1 = sorted([side * 0.27 * width, side * 0.40 * width])
        head = [front - 0.2, y0, lamp - 0.08], [front - 0.045, y1, lamp + 0.06]
        back = [rear + 0.02, y0, tail - 0.1], [rear + 0.13, y1, tail + 0.09]
        y0, y1 = sorted([side * 0.44 * width, side * 0.5 * width])
        mirror = [0.14 * length, y0, 0.66 * height], [0.17 * length, y1, 0.74 * height]
        parts.append((*head, (0.75, 0.75, 0.72)))
        parts.append((*back, (0.38, 0.015, 0.015)))
        parts.append((*mirror, (0.05, 0.05, 0.05)))
    for x in (front - 0.03, rear):
        plate = [x, -0.26, 0.27 * height], [x + 0.03, 0.26, 0.27 * height + 0.11]
        parts.append((*plate, (0.68, 0.68, 0.64)))
    grille = [front - 0.12, -0.26 * width, 0.34 * height]
    parts.append((grille, [front - 0.01, 0.26 * width, 0.385 * height], (0.02, 0.02, 0.02)))
    low, high, colour = (np.array(column) for column in zip(*parts, strict=True))
    return boxes(low, high, Surface.PLAIN, colour)


def car(shape: Shape, paint: tuple[float, ...]) -> tuple[Mesh, Float64[np.ndarray, "3"]]:
    """A car about the centre of its box, and the box: length, width, height [m]."""
    whole = join([_body(shape, paint), _wheels(shape), _trim(shape)]).labelled(shape.kind)
    low, high = whole.extent_m()
    centred = np.eye(4)
    centred[:3, 3] = -0.5 * (low + high)
    mesh = whole.placed(centred)
    low, high = mesh.extent_m()
    return mesh, high - low
