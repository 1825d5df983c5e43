"""Which pixels of a view are scored together.

The standing scene, apart from road users that move: `all` of it, what some recorded picture shows
(`seen`), and the rest (`unseen`). Road users that move: `movers`, every pixel of those of at least
40 px, and no other. What edits of road users changed: `changed`, wherever such a road user is, or
would be without the edits; `changed+shadow`, also wherever else the picture is noticeably another
without them: shadows, and light thrown back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Bool

from render.labels.cuboids import instance_numbers
from render.prove.metrics import MIN_OBJECT_PX
from render.prove.target import Target
from scenes.actor import Actor
from scenes.clip import Clip
from scenes.road.ground import Ground
from scenes.scenario.resolve import resolve
from scenes.scenario.scenario import Scenario
from scenes.worlds.truth.truth_edits import who_changed

Region = Literal["all", "seen", "unseen", "movers", "changed", "changed+shadow"]
STANDING: tuple[Region, ...] = ("all", "seen", "unseen")
MIN_REGION_PX = 150
"""Smaller regions of the standing scene have no score; those of road users need 40 px."""
NOTICED = 8.0 / 255.0
"""A difference of a channel (sRGB) that is more than the noise of truth."""

Masks = Mapping[Region, Bool[np.ndarray, "h w"]]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Cast:
    """Road users of a view."""

    actors: tuple[Actor, ...]
    """As staged."""
    recorded: tuple[Actor, ...] = ()
    """Those of the clip, where edits made others of them."""
    assets: Mapping[int, str] = field(default_factory=dict)
    """Which asset an actor looks like, by id."""
    changed: frozenset[int] = frozenset()
    """Ids of those whom edits moved, removed or inserted."""

    @property
    def numbers(self) -> dict[int, int]:
        """What each is in a render's instance maps, by id."""
        return instance_numbers(self.actors, self.recorded)

    @property
    def moving(self) -> frozenset[int]:
        """Ids of those who move."""
        return frozenset(actor.id for actor in self.actors if actor.is_moving)


def cast_of(target: Target, clip: Clip, ground: Ground) -> Cast:
    """Who is there in a view: the recorded road users, after the edits that truth asks for.

    Raises:
        InfeasibleError: The edits cannot be done to the drive.
    """
    if not target.edits:
        return Cast(actors=clip.actors)
    scenario = Scenario(name=f"{target.axis} {target.amount:g}", edits=target.edits)
    edited = resolve(scenario, clip, ground=ground, room=False)  # truth was recorded like this
    changed = who_changed(clip.actors, edited.actors)
    return Cast(actors=edited.actors, recorded=clip.actors, assets=edited.assets, changed=changed)


def region_masks(target: Target, cast: Cast, counts: Bool[np.ndarray, "h w"]) -> Masks:
    """The pixels of every region that is large enough.

    Args:
        target: Truth.
        cast: Who is there.
        counts: Pixels of the standing scene.
    """
    masks: dict[Region, Bool[np.ndarray, "h w"]] = {"all": counts}
    if target.seen is not None:
        masks |= {"seen": counts & target.seen, "unseen": counts & ~target.seen}
    masks["movers"] = _of(target.instance, _large(target, cast.moving))
    if target.instance_before is not None and target.photo_before is not None:
        ids = list(cast.changed)
        changed = _of(target.instance, ids) | _of(target.instance_before, ids)
        other = np.abs(target.photo - target.photo_before).max(axis=-1) > NOTICED
        masks |= {"changed": changed, "changed+shadow": changed | other}
    return {name: mask for name, mask in masks.items() if mask.sum() >= _least_px(name)}


def _least_px(region: Region) -> int:
    return MIN_REGION_PX if region in STANDING else MIN_OBJECT_PX


def _of(instance: np.ndarray, ids: Sequence[int]) -> Bool[np.ndarray, "h w"]:
    return np.isin(instance, ids)


def _large(target: Target, ids: frozenset[int]) -> list[int]:
    return [number for number in ids if (target.instance == number).sum() >= MIN_OBJECT_PX]
