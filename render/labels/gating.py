"""Who is labelled, and who is an ignore region: the one place that decides it.

An ignore region says: something may be here, neither finding nor missing it counts. Each rule
returns why a road user is one, in words, or None; the first reason counts. Pixels, `box_2d` and
cuboid of whoever is ignored are said all the same: they are true, but no label.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from render.json_value import Json
from render.labels.cuboids import convex_hull
from render.labels.entry import Sighting
from render.labels.gate import LabelGate
from render.labels.objects import box_px, observed_share, visible_fraction

Rule = Callable[[Sighting], str | None]
HIDDEN = 0.9
"""A box is hidden where observed surfaces are in front of this share of its pixels."""
FRINGE = 0.2
"""Of the pixels in which nothing hides a box, road users fill more than this share: people some
0.4, cars 0.65 to 0.8."""


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


def not_explained(seen: Sighting) -> str | None:
    """Its own field does not show it: in the recording the static scene does as well.

    Its pixels may be a fringe, or none, beside what one sees.
    """
    return seen.moment.doubtful.get(seen.box.actor.id)


def not_shown(seen: Sighting) -> str | None:
    """It should be seen, and is not, or only a fringe of it: nothing observed hides its box.

    A box that observed surfaces hide for the most part is hidden, and no region.
    """
    over_box, unhidden = box_px(seen)
    shown = int(seen.mask.sum())
    if unhidden <= (1.0 - HIDDEN) * over_box or shown >= FRINGE * unhidden:
        return None
    return f"not shown: {shown} px of {unhidden} in which nothing hides its box"


def not_observed(seen: Sighting) -> str | None:
    """Most of the pixels that show it are made up: no training picture showed that surface."""
    share = observed_share(seen)
    return None if share is None else too_little_observed(share, seen.moment.gate)


def too_little_observed(share: float, gate: LabelGate) -> str | None:
    """Whether the observed share of its pixels, 0 to 1, is less than the gate asks for."""
    least = gate.min_observed
    return f"not observed: {share:.2f} of its pixels, of {least:g}" if share < least else None


RULES: tuple[Rule, ...] = (
    not_rendered,
    not_explained,
    not_shown,
    not_observed,
    too_small,
    too_hidden,
)
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
