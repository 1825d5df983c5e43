"""What the near-collisions of a request are drawn from: its table `[criticality]`."""

import numpy as np
from jaxtyping import Float64

from scenes.criticality import FAMILIES
from scenes.criticality.draw import Order
from scenes.criticality.request import Cell, Criticality, GoalRanges, cell_of, choices
from scenes.errors import InfeasibleError
from scenes.scenario.scenario import Between, Draft, OneOf, Open, Request
from scenes.storage.validation import Plain

RANGES = ("min_ttc_s", "closing_mps", "angle_deg")
"""Values whose ranges are divided into strata."""


def drivable_polygon_m(request: Request) -> Float64[np.ndarray, "k 2"] | None:
    """Where one can drive, if the request says so [m, world]."""
    held = request.criticality.values if request.criticality is not None else {}
    x_m, y_m = (held.get(name, ()) for name in ("drivable_x_m", "drivable_y_m"))
    return np.array([x_m, y_m], dtype=np.float64).T if x_m else None


def order_of(request: Request, index: int | None = None) -> Order:
    """What a request's near-collisions are drawn from.

    Args:
        request: What is requested.
        index: Number of one of them, for whom open values other than families and ranges are
            drawn. When left out, the first one's, but the whole range where a range has a list.

    Raises:
        ValueError: It requests none.
    """
    if request.criticality is None:
        raise ValueError("the request has no near-collision")
    held = request.criticality.values
    family = held.get("family", OneOf(values=tuple(FAMILIES)))
    families = family.values if isinstance(family, OneOf) else (family,)
    share = choices(request.seed, index or 0)
    others = {name: value for name, value in held.items() if name not in ("family", *RANGES)}
    wanted = Draft(of=Criticality, values=others).draw(share)
    spans = {name: _span(held.get(name), None if index is None else share()) for name in RANGES}
    if "min_ttc_s" not in held:
        spans["min_ttc_s"] = (wanted.min_ttc_s, wanted.min_ttc_s)
    return Order(
        wanted=wanted,
        requested=GoalRanges(
            families=tuple(str(name) for name in families),
            ttc_s=spans["min_ttc_s"] or (0.0, 0.0),
            closing_mps=spans["closing_mps"],
            angle_deg=spans["angle_deg"],
            mirrored=wanted.oncoming == "right",
        ),
        start_us=request.start_us,
    )


def cell_at(request: Request, index: int) -> Cell | None:
    """The stratum that one number of a request is from; None where its families have none."""
    try:
        return cell_of(order_of(request, index).requested, request.seed, index)
    except InfeasibleError:
        return None


def ends(value: Open | None) -> tuple[Plain, ...]:
    """All values that one field may come to have, or the ends of their range."""
    match value:
        case None | tuple():
            return ()
        case Between():
            return (value.low, value.high)
        case OneOf():
            return value.values
        case _:
            return (value,)


def _span(value: Open | None, share: float | None) -> tuple[float, float] | None:
    """The range of a value: of a list the one that a share picks, or from least to most."""
    match value:
        case OneOf() if share is not None:
            picked = float(value.draw(share, float))
            return (picked, picked)
        case OneOf():
            numbers = [float(item) for item in value.values]
            return (min(numbers), max(numbers))
        case None:
            return None
        case Between():
            return (float(value.low), float(value.high))
        case float() | int():
            return (float(value), float(value))
        case _:
            raise TypeError(f"{value!r} is no range")
