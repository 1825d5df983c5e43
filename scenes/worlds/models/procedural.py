"""Road users of every kind, made from a seed."""

import numpy as np
from jaxtyping import Float64

from scenes.errors import OtherlaneError
from scenes.semantics import Semantic
from scenes.worlds.models.mesh import Mesh
from scenes.worlds.models.people import cyclist, pedestrian
from scenes.worlds.models.trucks_buses import bus, truck
from scenes.worlds.models.vehicles import HATCH, PAINTS, SEDAN, VAN, car
from scenes.worlds.models.world import Limb

KINDS = (
    Semantic.CAR,
    Semantic.VAN,
    Semantic.TRUCK,
    Semantic.BUS,
    Semantic.CYCLIST,
    Semantic.PERSON,
)


def procedural(
    kind: Semantic, seed: int
) -> tuple[Mesh, tuple[Limb, ...], Float64[np.ndarray, "3"]]:
    """A road user about the centre of its box: mesh, limbs, and length, width, height [m].

    Raises:
        OtherlaneError: Nobody of that kind can be made.
    """
    rng = np.random.default_rng([seed, int(kind), 50])
    if kind in (Semantic.CAR, Semantic.VAN):
        shape = VAN if kind == Semantic.VAN else (HATCH, SEDAN)[int(rng.integers(2))]
        mesh, size_m = car(shape, PAINTS[int(rng.integers(len(PAINTS)))])
        return mesh, (), size_m
    if kind in (Semantic.TRUCK, Semantic.BUS):
        mesh, size_m = (truck if kind == Semantic.TRUCK else bus)(rng)
        return mesh, (), size_m
    if kind in (Semantic.CYCLIST, Semantic.PERSON):
        return (cyclist if kind == Semantic.CYCLIST else pedestrian)(rng)
    names = ", ".join(known.name for known in KINDS)
    raise OtherlaneError(kind.name, "is a kind that cannot be made", f"one of {names}")
