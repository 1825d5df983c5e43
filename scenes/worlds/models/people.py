"""Pedestrians and cyclists, whose arms and legs swing.

A figure is built standing at the origin, x forward, y left, z up [m], and then centred in the box
that holds it at every moment of its swing.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float64

from scenes.motion.geometry import transform_points, translation
from scenes.semantics import Semantic
from scenes.worlds.models.mesh import Mesh, Surface, boxes, join, triangles, tube
from scenes.worlds.models.world import Limb

_SKIN = ((0.52, 0.33, 0.24), (0.38, 0.22, 0.14), (0.16, 0.085, 0.05))
_CLOTHES = (
    (0.03, 0.05, 0.13), (0.05, 0.05, 0.055), (0.42, 0.05, 0.05), (0.55, 0.52, 0.45),
    (0.06, 0.16, 0.10), (0.50, 0.34, 0.06), (0.20, 0.09, 0.22), (0.24, 0.25, 0.27),
)  # fmt: skip
_LEATHER = (0.035, 0.028, 0.022)
_ACROSS = np.array([0.0, 1.0, 0.0])
_HIP_M, _SWING = 0.90, 0.42
STRIDE_M = 4.0 * _HIP_M * float(np.sin(_SWING))
"""Two steps: so far feet that do not slide bring somebody whose legs swing by `_SWING` [rad]."""
TURN_M = 4.5
"""Way of a bicycle while its pedals go round once."""

Figure = tuple[Mesh, tuple[Limb, ...], Float64[np.ndarray, "3"]]
"""Mesh and limbs about the centre of the box, and the box [m]."""


def _rod(
    points: Sequence[Sequence[float | int]], radii: Sequence[float | int], colour, sides: int = 8
) -> Mesh:
    """A round rod, closed at both ends."""
    line, radius = np.array(points, float), np.array(radii, float)
    back = tube(line[1::-1], radius[1::-1], Surface.PLAIN, colour, sides)
    return join([tube(line, radius, Surface.PLAIN, colour, sides), back])


def ball(
    centre: Sequence[float | int], size: Sequence[float | int], colour, rings: int = 9
) -> Mesh:
    """An ellipsoid with half axes `size`."""
    turn = np.linspace(0.0, np.pi, rings)
    line = np.stack([0 * turn, 0 * turn, -np.cos(turn)], axis=1)
    mesh = tube(line, np.maximum(np.sin(turn), 1e-3), Surface.PLAIN, colour, 12)
    return mesh.placed(np.diag([*size, 1.0])).placed(translation(np.array(centre)))


def ring(centre: Sequence[float | int], radius: float, thick: float, colour) -> Mesh:
    """A tyre in the plane of x and z."""
    turn, small = np.meshgrid(np.linspace(0, 2 * np.pi, 33), np.linspace(0, 2 * np.pi, 7))
    reach = radius + thick * np.cos(small)
    knots = np.stack([reach * np.cos(turn), thick * np.sin(small), reach * np.sin(turn)], axis=-1)
    index = np.arange(knots[..., 0].size).reshape(knots.shape[:2])
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    faces = np.concatenate([np.stack(t, -1).reshape(-1, 3) for t in ((a, b, c), (a, c, d))])
    vertices = knots.reshape(-1, 3) + centre
    return triangles(vertices, faces, Surface.PLAIN, colour)


def _torso(hip_m: float, lean: float, shirt, skin, hair) -> Mesh:
    """Trunk, neck and head above the hips, leaning forward by `lean` metres at the neck."""
    top = hip_m + 0.56
    z = np.array([-0.10, 0.02, 0.18, 0.36, 0.50, 0.56])
    line = np.stack([lean * (z + 0.1) / 0.66, 0 * z, hip_m + z], axis=1)
    radii = np.array([0.12, 0.135, 0.125, 0.145, 0.13, 0.05])
    trunk = tube(line, radii, Surface.PLAIN, shirt, 14)
    wide = np.where(np.arange(3) == 1, 1.45, 1.0)
    parts = [replace(trunk, vertices_m=trunk.vertices_m * wide)]
    head = [lean * 1.12 + 0.02, 0.0, top + 0.19]
    parts += [
        _rod([[lean, 0, top - 0.03], [lean * 1.1, 0, top + 0.1]], [0.055, 0.05], skin),
        ball(head, [0.095, 0.078, 0.125], skin),
        ball([head[0] - 0.022, 0.0, head[2] + 0.03], [0.095, 0.086, 0.115], hair),
        boxes(
            np.array([head[0] + 0.08, -0.012, head[2] - 0.03]),
            np.array([head[0] + 0.115, 0.012, head[2] + 0.01]),
            Surface.PLAIN,
            skin,
        ),
    ]
    return join(parts)


def _leg(
    hip: Sequence[float | int], knee: Sequence[float | int], foot: Sequence[float | int], cloth
) -> Mesh:
    """Thigh, shin and shoe."""
    low = [foot[0], foot[1] - 0.05, foot[2]]
    high = [foot[0] + 0.20, foot[1] + 0.05, foot[2] + 0.09]
    low[0] -= 0.07
    return join(
        [
            _rod([hip, knee], [0.088, 0.062], cloth),
            _rod([knee, [foot[0], foot[1], foot[2] + 0.06]], [0.062, 0.048], cloth),
            boxes(np.array(low), np.array(high), Surface.PLAIN, _LEATHER),
        ]
    )


def _arm(
    shoulder: Sequence[float | int],
    elbow: Sequence[float | int],
    hand: Sequence[float | int],
    cloth,
    skin,
) -> Mesh:
    """Sleeve, forearm and hand."""
    return join(
        [
            _rod([shoulder, elbow], [0.058, 0.046], cloth),
            _rod([elbow, hand], [0.044, 0.032], cloth),
            ball(hand, [0.045, 0.03, 0.055], skin, 5),
        ]
    )


def centred(mesh: Mesh, limbs: tuple[Limb, ...], kind: Semantic) -> Figure:
    """Mesh and limbs about the centre of the box that holds every moment of the swing."""
    extents = [mesh.extent_m()]
    for limb in limbs:
        quarter = np.arange(0, limb.period_us, max(limb.period_us // 64, 1), dtype=np.int64)
        for pose in limb.box_from_limb(quarter):
            moved = transform_points(pose, limb.mesh.vertices_m)
            extents.append((moved.min(axis=0), moved.max(axis=0)))
    low = np.min([low for low, _ in extents], axis=0) - 1e-3  # between the sampled moments
    high = np.max([high for _, high in extents], axis=0) + 1e-3
    middle = 0.5 * (low + high)
    move = translation(-middle)
    limbs = tuple(
        replace(
            limb,
            mesh=limb.mesh.placed(move).labelled(kind),
            hinge_m=limb.hinge_m - middle,
        )
        for limb in limbs
    )
    return mesh.placed(move).labelled(kind), limbs, high - low


def _pick(rng: np.random.Generator, table) -> tuple[float, ...]:
    return table[int(rng.integers(len(table)))]


def pedestrian(rng: np.random.Generator, walks: bool = True) -> Figure:
    """Somebody on foot; one who does not walk still shifts a little."""
    scale, period = rng.uniform(0.93, 1.07), int(rng.integers(950_000, 1_150_000))
    skin, shirt, cloth = _pick(rng, _SKIN), _pick(rng, _CLOTHES), _pick(rng, _CLOTHES)
    hair = tuple((np.array([0.05, 0.03, 0.02]) * rng.uniform(0.3, 4.0)).tolist())
    hip = _HIP_M
    mesh = _torso(hip, 0.03, shirt, skin, hair)
    if rng.uniform() < 0.5:  # a rucksack
        low, high = np.array([-0.30, -0.15, hip + 0.1]), np.array([-0.11, 0.15, hip + 0.52])
        mesh = join([mesh, boxes(low, high, Surface.PLAIN, _pick(rng, _CLOTHES))])
    swing, limbs = (_SWING if walks else 0.035), []
    phase = float(rng.uniform())
    for index, side in enumerate((1.0, -1.0)):
        leg = _leg([0, 0.095 * side, hip], [0.02, 0.1 * side, 0.47], [0, 0.1 * side, 0], cloth)
        arm = _arm(
            [0.02, 0.225 * side, hip + 0.5],
            [0.0, 0.27 * side, hip + 0.22],
            [0.09, 0.27 * side, hip - 0.02],
            shirt,
            skin,
        )
        for part, at, turn in ((leg, hip, swing), (arm, hip + 0.5, 0.8 * swing)):
            back = 0.5 * (index + (part is arm))
            limbs.append(
                Limb(
                    mesh=part.placed(np.diag([scale, scale, scale, 1.0])),
                    hinge_m=scale * np.array([0.0, 0.1 * side, at]),
                    axis=_ACROSS,
                    swing_rad=turn,
                    period_us=period,
                    phase=phase + back,
                    stride_m=scale * STRIDE_M,
                )
            )
    mesh = mesh.placed(np.diag([scale, scale, scale, 1.0]))
    return centred(mesh, tuple(limbs), Semantic.PERSON)


def _bicycle(paint) -> Mesh:
    """Two wheels with spokes, a frame, bars, a saddle and lamps."""
    black, wheel, axle = (0.025, 0.025, 0.027), 0.33, (-0.52, 0.52)
    parts = []
    for x in axle:
        parts.append(ring([x, 0, wheel + 0.015], wheel - 0.012, 0.021, black))
        parts.append(ring([x, 0, wheel + 0.015], wheel - 0.045, 0.012, (0.4, 0.4, 0.4)))
        for turn in np.linspace(0, np.pi, 9)[:-1]:
            reach = (wheel - 0.04) * np.array([np.cos(turn), 0.0, np.sin(turn)])
            hub = np.array([x, 0.0, wheel + 0.015])
            parts.append(
                _rod([(hub - reach).tolist(), (hub + reach).tolist()], [0.003] * 2, (0.3,) * 3, 4)
            )
    crank, saddle, head = [-0.08, 0, 0.29], [-0.24, 0, 0.86], [0.40, 0, 0.86]
    rear, front = [axle[0], 0, wheel], [axle[1], 0, wheel]
    tubes = [(crank, saddle), (crank, head), (saddle, head), (rear, crank), (rear, saddle)]
    tubes += [(head, front), (head, [0.36, 0, 1.02])]
    parts += [_rod([list(a), list(b)], [0.018, 0.018], paint, 6) for a, b in tubes]
    parts.append(_rod([[0.36, -0.27, 1.03], [0.36, 0.27, 1.03]], [0.014] * 2, black, 6))
    parts.append(ball([-0.25, 0, 0.92], [0.13, 0.08, 0.035], black, 5))
    lows = np.array([[0.42, -0.03, 0.90], [-0.50, -0.03, 0.74]])
    highs = lows + [0.06, 0.06, 0.06]
    lamps = boxes(lows, highs, Surface.PLAIN, np.array([[0.8, 0.8, 0.75], [0.45, 0.02, 0.02]]))
    return join([*parts, lamps])


def cyclist(rng: np.random.Generator) -> Figure:
    """A rider on a bicycle, whose legs go up and down."""
    skin, shirt, cloth = _pick(rng, _SKIN), _pick(rng, _CLOTHES), _pick(rng, _CLOTHES)
    helmet, paint = _pick(rng, _CLOTHES), _pick(rng, _CLOTHES)
    body = _torso(1.0, 0.34, shirt, skin, helmet).placed(translation(np.array([-0.22, 0.0, 0.0])))
    arms = [
        _arm([0.10, 0.2 * s, 1.48], [0.22, 0.27 * s, 1.24], [0.36, 0.25 * s, 1.06], shirt, skin)
        for s in (1.0, -1.0)
    ]
    limbs = tuple(
        Limb(
            mesh=_leg(
                [-0.24, 0.1 * side, 0.96],
                [0.16, 0.11 * side, 0.66],
                [-0.06, 0.12 * side, 0.26],
                cloth,
            ),
            hinge_m=np.array([-0.24, 0.1 * side, 0.96]),
            axis=_ACROSS,
            swing_rad=0.2,
            period_us=900_000,
            phase=0.5 * index,
            stride_m=TURN_M,
        )
        for index, side in enumerate((1.0, -1.0))
    )
    return centred(join([_bicycle(paint), body, *arms]), limbs, Semantic.CYCLIST)
