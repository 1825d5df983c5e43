"""Where road users are solid, whatever they look like: in the middle of their boxes."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from scenes.edits.parked_vehicles import VEHICLES
from scenes.semantics import Semantic

BODY = ((0.25, 0.25, 0.25), (0.75, 0.75, 0.7))
"""Corners of the core of a vehicle, as shares of its box: length, width, height."""
TORSO = ((0.38, 0.35, 0.5), (0.62, 0.65, 0.8))
"""And of somebody upright, on foot or on a bicycle."""
CORES: Mapping[Semantic, tuple[tuple[float, ...], tuple[float, ...]]] = {
    **dict.fromkeys(VEHICLES | {Semantic.TRAM}, BODY),
    Semantic.PERSON: TORSO,
    Semantic.CYCLIST: TORSO,
}
"""Of whom it is known. The boxes of others may be empty in the middle."""


def core_of(kind: Semantic) -> Float[Tensor, "2 3"] | None:
    """Corners of the core of a road user as shares of its box; None where none is known."""
    return torch.tensor(CORES[kind]) if kind in CORES else None
