"""Who is labelled, and who is an ignore region: the one place that decides it.

An ignore region says: something may be here, neither finding nor missing it counts. Each rule
returns why a road user is one, in words, or None; the first reason counts. Pixels, `box_2d` and
cuboid of whoever is ignored are said all the same: they are true, but no label.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from render.labels.cuboids import convex_hull
from render.labels.entry import Json, Sighting
from render.labels.gate import LabelGate
from render.labels.objects import visible_fraction

Rule = Callable[[Sighting], str | None]


def not_rendered(seen: Sighting) -> str | None:
    """It moves, or stands elsewhere than it was recorded, and has no field of its own."""
    return None if seen.box.rendered else "not rendered: no field of its own"


def too_small(seen: Sighting) -> str | None:
    """It shows fewer pixels than the gate asks for; one that shows none at all is no region."""
    return too_few(int(seen.mask.sum()), seen.moment.gate)


def too_hidden(seen: Sighting) -> str | None:
    """Too much of it is hidden for the gate; one that shows no pixel at all is no region."""
    if seen.moment.gate.min_visible == 0.0 or not seen.mask.any():
        return None
    return too_much_hidden(visible_fraction(seen), seen.moment.gate)


def too_few(shown_px: int, gate: LabelGate) -> str | None:
    """Whether so many visible pixels [px] are some, but fewer than the gate asks for."""
    few = 0 < shown_px < gate.min_px
    return f"too small: {shown_px} px of {gate.min_px}" if few else None


def too_much_hidden(share: float, gate: LabelGate) -> str | None:
    """Whether the visible share, 0 to 1, is less than the gate asks for."""
    least = gate.min_visible
    return f"hidden: {share:.2f} visible of {least:g}" if share < least else None


RULES: tuple[Rule, ...] = (not_rendered, too_small, too_hidden)
"""In the order in which they are asked."""


def why_ignored(seen: Sighting) -> str | None:
    """Why a road user is an ignore region, in words; None for one that is labelled."""
    for rule in RULES:
        if (reason := rule(seen)) is not None:
            return reason
    return None


def ignore_region(seen: Sighting) -> Json:
    """See the table."""
    if why_ignored(seen) is None:
        return None
    return convex_hull(np.concatenate([seen.box.outline_px, _edges_px(seen.mask)])).tolist()


def _edges_px(mask: Bool[np.ndarray, "h w"]) -> Float64[np.ndarray, "n 2"]:
    """Corners of the outermost pixels of each row of a mask [px]."""
    rows = np.flatnonzero(mask.any(axis=1))
    first, last = mask[rows].argmax(axis=1), mask.shape[1] - mask[rows, ::-1].argmax(axis=1)
    corners = [(x, y) for x in (first, last) for y in (rows, rows + 1)]
    return np.concatenate([np.stack(corner, axis=-1) for corner in corners]).astype(np.float64)


def is_ignored(item: Mapping[str, Any]) -> bool:
    """Whether a record's object is an ignore region."""
    return not item["rendered"] or item["ignored"] is not None


def is_labelled(item: Mapping[str, Any]) -> bool:
    """Whether a record's object is a label: pixels show it, and it is no ignore region."""
    return item["box_2d"] is not None and not is_ignored(item)
