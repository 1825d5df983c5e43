"""Guard rails, barriers, cones, gantries, traffic lights and tunnels.

Built in rest coordinates of a centre line, or about their own origin, x along the road [m].
"""

import numpy as np

from scenes.semantics import Semantic
from scenes.worlds.models.mesh import Mesh, Surface, boxes, join, patch, quads, tube
from scenes.worlds.recipes.centre_line import CentreLine

_ZINC, _CONCRETE = (0.36, 0.37, 0.38), (0.40, 0.39, 0.37)
_RED, _WHITE, _ORANGE = (0.50, 0.03, 0.02), (0.72, 0.72, 0.70), (0.62, 0.16, 0.01)


def _along(span_m: tuple[float, float], step_m: float) -> np.ndarray:
    count = int(np.ceil((span_m[1] - span_m[0]) / step_m)) + 1
    line = np.zeros((count, 3))
    line[:, 0] = np.linspace(*span_m, count)
    return line


def guard_rail(line: CentreLine, span_m: tuple[float, float], d_m: float, towards: float) -> Mesh:
    """A steel beam of the usual wave shape on posts; `towards` is the road's side, 1 or -1."""
    wave = [(0.0, 0.44), (0.06, 0.48), (0.06, 0.54), (0.0, 0.60), (0.06, 0.66), (0.06, 0.72)]
    profile = np.array([[0.0, d_m + towards * out, z] for out, z in [*wave, (0.0, 0.76)]])
    order = profile if towards < 0 else profile[::-1]
    beam = patch(_along(span_m, 1.0), order, Surface.PLAIN, _ZINC)
    s = np.arange(span_m[0], span_m[1], 2.0)
    low = np.stack([s, np.full(len(s), d_m - 0.05), np.full(len(s), -0.1)], axis=1)
    posts = boxes(low, low + [0.06, 0.1, 0.82], Surface.PLAIN, (0.28, 0.29, 0.30))
    return line.bent(join([beam, posts])).labelled(Semantic.POLE)


def concrete_wall(line: CentreLine, span_m: tuple[float, float], d_m: float, high_m: float = 0.85):
    """A barrier with sloping feet."""
    half = [(-0.30, 0.0), (-0.28, 0.08), (-0.13, 0.30), (-0.09, high_m)]
    profile = [*half, *[(-y, z) for y, z in half[::-1]]]
    across = np.array([[0.0, d_m - y, z] for y, z in profile])
    wall = patch(_along(span_m, 1.0), across[::-1], Surface.STONE, _CONCRETE)
    return line.bent(wall).labelled(Semantic.BUILDING)


def cone(line: CentreLine, s_m: float, d_m: float) -> Mesh:
    """A traffic cone with two white bands."""
    z = np.array([0.03, 0.22, 0.34, 0.50, 0.60, 0.75])
    radius = 0.19 - 0.2 * z
    parts = [
        tube(np.stack([0 * z, 0 * z, z], 1)[i : i + 2], radius[i : i + 2], Surface.SIGN, colour, 14)
        for i, colour in enumerate((_ORANGE, _WHITE, _ORANGE, _WHITE, _ORANGE))
    ]
    foot = boxes(
        np.array([-0.21, -0.21, 0.0]), np.array([0.21, 0.21, 0.035]), Surface.PLAIN, (0.05,) * 3
    )
    return line.standing(join([*parts, foot]).labelled(Semantic.POLE), s_m, d_m, 0.0)


def beacon(line: CentreLine, s_m: float, d_m: float, leans: float) -> Mesh:
    """A board on a foot with slanting red and white stripes that say which way to pass."""
    parts = [
        boxes(np.array([-0.2, -0.4, 0.0]), np.array([0.2, 0.4, 0.1]), Surface.PLAIN, (0.05,) * 3),
        boxes(np.array([0.0, -0.125, 0.1]), np.array([0.03, 0.125, 1.15]), Surface.PLAIN, _WHITE),
    ]
    for z in np.arange(0.2, 1.0, 0.3):
        slant = 0.12 * leans
        quad = [(-0.125, z - slant), (0.125, z + slant), (0.125, z + 0.15 + slant)]
        quad.append((-0.125, z + 0.15 - slant))
        # Seen by those who come, y runs to the left.
        corners = np.array([[-0.004, y, up] for y, up in quad])[::-1]
        parts.append(quads(corners[None], Surface.SIGN, _RED))
    return line.standing(join(parts).labelled(Semantic.TRAFFIC_SIGN), s_m, d_m, 0.0)


def barricade(line: CentreLine, s_m: float, d_m: tuple[float, float]) -> Mesh:
    """A striped plank on two legs across a closed lane, with lamps."""
    edge = np.arange(d_m[0], d_m[1], 0.3)
    parts = []
    for z in (0.55, 0.95):
        low = np.stack([0 * edge, edge, 0 * edge + z], axis=1)
        colour = np.where((np.arange(len(edge)) % 2 == 0)[:, None], _RED, _WHITE)
        parts.append(boxes(low, low + [0.03, 0.3, 0.2], Surface.SIGN, colour))
    for y in (d_m[0] + 0.2, d_m[1] - 0.2):
        post = np.array([0.03, y, 0.0])
        parts.append(boxes(post, post + [0.05, 0.05, 1.2], Surface.PLAIN, _ZINC))
        parts.append(
            boxes(post + [0, 0, 1.2], post + [0.09, 0.12, 1.38], Surface.SIGN, (0.75, 0.4, 0.02))
        )
    return line.standing(join(parts).labelled(Semantic.TRAFFIC_SIGN), s_m, 0.0, 0.0)


def gantry(line: CentreLine, s_m: float, d_m: tuple[float, float], boards: int) -> Mesh:
    """A bridge of tubes over a motorway with blue direction boards."""
    posts = [
        tube(np.array([[0, d, 0.0], [0, d, 6.9]]), np.full(2, 0.17), Surface.PLAIN, _ZINC, 10)
        for d in d_m
    ]
    for z in (5.9, 6.7):
        beam = np.array([[0.0, d_m[0], z], [0.0, d_m[1], z]])
        posts.append(tube(beam, np.full(2, 0.11), Surface.PLAIN, _ZINC, 8))
    faces = []
    for d in np.linspace(d_m[0] + 3.4, d_m[1] - 2.6, boards):
        low = np.array([-0.25, d - 1.6, 5.5])
        faces.append(boxes(low, low + [0.1, 3.2, 2.2], Surface.SIGN, (0.02, 0.10, 0.36)))
        text = np.array([[-0.02, 0.4, 1.5], [-0.02, 0.4, 0.95], [-0.02, 1.4, 0.4]])
        size = np.array([[0.01, 2.3, 0.26], [0.01, 1.5, 0.26], [0.01, 0.3, 0.3]])
        faces.append(boxes(low + text, low + text + size, Surface.SIGN, _WHITE))
    whole = [join(posts).labelled(Semantic.POLE), join(faces).labelled(Semantic.TRAFFIC_SIGN)]
    return line.standing(join(whole), s_m, 0.0, 0.0)


def traffic_light(line: CentreLine, s_m: float, d_m: float, lit: int, yaw: float = 0.0) -> Mesh:
    """Three lamps on a pole for those who drive along the line; `lit` counts from above."""
    pole = tube(
        np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 3.4]]),
        np.full(2, 0.06),
        Surface.PLAIN,
        (0.10,) * 3,
        10,
    )
    case = boxes(
        np.array([-0.22, -0.16, 2.4]), np.array([-0.04, 0.16, 3.4]), Surface.PLAIN, (0.03,) * 3
    )
    colours = ((0.85, 0.04, 0.02), (0.85, 0.45, 0.02), (0.03, 0.70, 0.25))
    lamps = []
    for index, colour in enumerate(colours):
        turn = 2.0 * np.pi * np.arange(12) / 12
        z = 3.22 - 0.32 * index
        disc = np.stack([0 * turn - 0.23, 0.11 * np.sin(turn), z + 0.11 * np.cos(turn)], axis=1)
        shade = colour if index == lit else tuple(0.12 * c for c in colour)
        centre = np.broadcast_to([-0.23, 0.0, z], disc.shape)
        fan = np.stack([centre, np.roll(disc, -1, axis=0), disc, centre], axis=1)
        lamps.append(quads(fan, Surface.SIGN, shade))
    whole = [join([pole, case]).labelled(Semantic.POLE)]
    whole.append(join(lamps).labelled(Semantic.TRAFFIC_SIGN))
    return line.standing(join(whole), s_m, d_m, 0.12, yaw)


def tunnel(line: CentreLine, span_m: tuple[float, float], d_m: tuple[float, float]) -> Mesh:
    """A concrete tube from a portal in a hillside; the road runs through it."""
    right, left, top = d_m[0], d_m[1], 5.6
    arch = np.linspace(0.0, np.pi, 13)
    middle, half = 0.5 * (right + left), 0.5 * (left - right)
    roof = [(middle + half * np.cos(a), 3.6 + (top - 3.6) * np.sin(a)) for a in arch]
    ring = [(right, 0.0), (right, 1.2), (right, 2.4), *roof[::-1], (left, 2.4), (left, 1.2)]
    ring = np.array([[0.0, y, z] for y, z in [*ring, (left, 0.0)]])
    walls = patch(_along(span_m, 1.5), ring, Surface.STONE, (0.46, 0.45, 0.42))
    tiles = [
        boxes(
            np.array([span_m[0], y - 0.02, 0.9]),
            np.array([span_m[1], y + 0.02, 2.6]),
            Surface.PLASTER,
            (0.6, 0.58, 0.52),
        )
        for y in d_m
    ]
    # The face of the portal, above and beside the opening.
    upper = np.array([[0.0, y, 8.2] for y in ring[:, 1]])
    face = np.stack([ring[:-1], ring[1:], upper[1:], upper[:-1]], axis=1)
    for y0, y1 in ((right - 9.0, right), (left, left + 9.0)):
        cells = np.linspace(y0, y1, 7)
        low = np.array([[0.0, y, 0.0] for y in cells])
        high = np.array([[0.0, y, 8.2] for y in cells])
        face = np.concatenate([face, np.stack([low[:-1], low[1:], high[1:], high[:-1]], axis=1)])
    face = face[:, ::-1] + [span_m[0], 0.0, 0.0]
    cap = boxes(
        np.array([span_m[0] - 0.35, right - 9.0, 8.2]),
        np.array([span_m[0] + 0.5, left + 9.0, 8.6]),
        Surface.STONE,
        _CONCRETE,
    )
    s = np.arange(span_m[0] + 3.0, span_m[1], 6.0)
    low = np.stack([s, np.full(len(s), middle - 0.2), np.full(len(s), top - 0.12)], axis=1)
    lights = boxes(low, low + [1.4, 0.4, 0.08], Surface.PLAIN, (0.85, 0.8, 0.65))
    parts = [walls, *tiles, quads(face, Surface.STONE, (0.42, 0.40, 0.36)), cap, lights]
    return line.bent(join(parts)).labelled(Semantic.BUILDING)
