"""What stands around an open place: houses in a circle, and trees wherever there is room."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from scenes.motion.geometry import translation
from scenes.semantics import Semantic
from scenes.worlds.models.mesh import Mesh
from scenes.worlds.models.plants import tree
from scenes.worlds.recipes.centre_line import from_curvature
from scenes.worlds.recipes.plan import GroundPlan
from scenes.worlds.recipes.roadside import house_row


def _footprint(mesh: Mesh) -> np.ndarray:
    """The box about a thing seen from above: low x and y, high x and y [m]."""
    low, high = mesh.extent_m()
    return np.concatenate([low[:2], high[:2]])


def _free(mesh: Mesh, taken: Sequence[np.ndarray]) -> bool:
    """Whether a thing's box overlaps none of the others'."""
    box = _footprint(mesh)
    return not any(np.all(box[:2] < one[2:]) and np.all(one[:2] < box[2:]) for one in taken)


def houses_between(
    seed: int,
    plan: GroundPlan,
    middle_m: tuple[float, float],
    radius_m: float,
    turns_deg: Sequence[float],
    standing: Sequence[Mesh],
) -> list[Mesh]:
    """Houses that face the middle, where neither a road nor what is standing is in their way."""
    circle = from_curvature([0.0, 2 * np.pi * radius_m], [1 / radius_m] * 2)
    # It begins at the lowest point of the circle.
    circle = replace(circle, xy_m=circle.xy_m + [middle_m[0], middle_m[1] - radius_m])
    taken, made = [_footprint(mesh) for mesh in standing], []
    for index, turn in enumerate(np.deg2rad(np.asarray(turns_deg)).tolist()):
        span = (radius_m * turn - 7.5, radius_m * turn + 7.5)
        one = house_row(seed * 37 + index, circle, span, -0.1, 0.0)
        walls = one.vertices_m[one.vertices_m[:, 2] < 5.0, :2]
        if len(one) and plan(walls).min() > 3.2 and _free(one, taken):
            made.append(one)
            taken.append(_footprint(one))
    return made


def trees_around(
    seed: int,
    plan: GroundPlan,
    middle_m: tuple[float, float],
    rings: Sequence[tuple[float, int, bool]],
    standing: Sequence[Mesh],
) -> list[Mesh]:
    """Trees in rings of (radius [m], how many, whether finely leaved), none on a pavement."""
    rng, taken, trees = np.random.default_rng([seed, 96]), [_footprint(one) for one in standing], []
    for reach, count, near in rings:
        for turn in 2 * np.pi * (np.arange(count) + rng.uniform(-0.3, 0.3, count)) / count:
            spot = np.asarray(middle_m) + reach * np.array([np.cos(turn), np.sin(turn)])
            grown = tree(rng, np.zeros(3), near=near).placed(translation(np.array([*spot, 0.1])))
            beside = float(plan(spot[None])[0])
            paved = 1.6 < beside < 4.6
            if beside > (0.5 if near else 6.0) and not paved and _free(grown, taken):
                trees.append(grown.labelled(Semantic.VEGETATION))
    return trees
