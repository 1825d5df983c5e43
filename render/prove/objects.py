"""How well road users are where they should be: overlaps of their masks and boxes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int32, UInt16

from render.prove.metrics import MIN_OBJECT_PX, box_iou, mask_iou
from scenes.actor import Actor


@dataclass(frozen=True, kw_only=True, slots=True)
class Overlap:
    """One road user that is seen in truth."""

    mask_iou: float
    box_iou: float
    seen_share: float
    """Share of its pixels whose surface some recorded picture shows; 1 where nobody knows."""


def overlaps(
    actors: Sequence[Actor],
    numbers: Mapping[int, int],
    instance: Int32[np.ndarray, "h w"],
    shown: UInt16[np.ndarray, "h w"],
    counts: Bool[np.ndarray, "h w"],
    seen: Bool[np.ndarray, "h w"] | None = None,
    ids: Collection[int] | None = None,
) -> list[Overlap]:
    """Of each road user that is asked about and is seen in truth: how its pixels overlap.

    Args:
        actors: As staged.
        numbers: What an actor's id is in `shown`.
        instance: Truth: an actor's id each, -1 for none.
        shown: Labels of the render.
        counts: Pixels that are scored.
        seen: Whether some recorded picture shows each pixel's surface.
        ids: Who is asked about; those who stand still when left out.
    """
    found = []
    for actor in actors:
        truth = (instance == actor.id) & counts
        asked = not actor.is_moving if ids is None else actor.id in ids
        if not asked or truth.sum() < MIN_OBJECT_PX:
            continue
        mine = (shown == numbers[actor.id]) & counts
        found.append(
            Overlap(
                mask_iou=mask_iou(truth, mine),
                box_iou=box_iou(truth, mine),
                seen_share=1.0 if seen is None else float(seen[truth].mean()),
            )
        )
    return found
