"""Who is there, how large, and where: edits of a road user's whole track.

They change every pose of a track at once, so they have no start time. Offsets lie in each box's
own frame (x forward, y left). The recorded drive is never touched: what is edited is a copy.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np

from scenes.actor import Actor
from scenes.edits.edited_scene import EditedScene
from scenes.edits.ego import DURATION, OFFSET
from scenes.edits.standing import settled
from scenes.errors import InfeasibleError
from scenes.motion.geometry import rigid, yaw_rotation
from scenes.storage.validation import EXACT, Within, check

ID = Within(0, EXACT)
"""Track ids."""
ANGLE = Within(-180.0, 180.0, "degrees")
FACTOR = Within(0.2, 5.0)
"""Sizes and speeds that are taken for meant."""
SPEED = Within(0.0, 70.0, "m/s")
AHEAD = Within(-200.0, 200.0, "m")
ALWAYS = -EXACT
"""The start of edits that change a whole track [µs]."""
NAMED = 3
"""How many ids a message names."""


def find_actor(edited: EditedScene, number: int, where: str) -> Actor:
    """The actor with an id.

    Raises:
        InfeasibleError: There is none; names the nearest ids.
    """
    for actor in edited.actors:
        if actor.id == number:
            return actor
    known = sorted((actor.id for actor in edited.actors), key=lambda i: abs(i - number))[:NAMED]
    near = ", ".join(str(i) for i in sorted(known))
    fix = f"one of its road users, such as {near}" if known else "a drive with road users"
    raise InfeasibleError(where, f"there is no actor {number}", fix, "no such actor")


def changed(
    edited: EditedScene, number: int, where: str, change: Callable[[Actor], Actor]
) -> EditedScene:
    """The edited scene with one actor replaced.

    Raises:
        InfeasibleError: There is no such actor, or `change` refuses.
    """
    old = find_actor(edited, number, where)
    new = change(old)
    actors = tuple(new if actor is old else actor for actor in edited.actors)
    return edited if new is old else replace(edited, actors=actors)


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoveActor:
    """It was never there; the static scene shows what is behind."""

    kind: ClassVar[str] = "remove-actor"
    may_precede_drive: ClassVar[bool] = True
    start_us: ClassVar[int] = ALWAYS

    actor: Annotated[int, ID]
    """Track id."""

    def __post_init__(self) -> None:
        check(self)

    def apply(self, edited: EditedScene) -> EditedScene:
        """The edited scene without it.

        Raises:
            InfeasibleError: There is no such actor.
        """
        gone = find_actor(edited, self.actor, self.kind)
        return _without(edited, {gone.id})

    def describe(self) -> str:
        """The edit in words."""
        return f"actor {self.actor} removed"


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoveTraffic:
    """Everybody goes who moves or was inserted, but for those named.

    Whoever stands still for the whole recording is part of the static scene, and stays.
    """

    kind: ClassVar[str] = "remove-traffic"
    may_precede_drive: ClassVar[bool] = True
    start_us: ClassVar[int] = ALWAYS

    keep: Annotated[tuple[int, ...], ID] = ()
    """Track ids of those who stay."""

    def __post_init__(self) -> None:
        check(self)

    def apply(self, edited: EditedScene, static: frozenset[int] = frozenset()) -> EditedScene:
        """The edited scene with those who stay.

        Args:
            edited: Who is there.
            static: Ids of those who are part of the static scene (`scenes.edits.apply_edit`).

        Raises:
            InfeasibleError: One of those who are named is not there.
        """
        stay = {find_actor(edited, number, self.kind).id for number in self.keep}
        gone = {actor.id for actor in edited.actors} - stay - static
        return _without(edited, gone) if gone else edited

    def describe(self) -> str:
        """The edit in words."""
        but = ", ".join(str(number) for number in self.keep)
        return f"all who move removed{f' but {but}' if but else ''}"


def _without(edited: EditedScene, gone: set[int]) -> EditedScene:
    return replace(
        edited,
        actors=tuple(actor for actor in edited.actors if actor.id not in gone),
        assets={number: name for number, name in edited.assets.items() if number not in gone},
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class MoveActor:
    """Somewhere else for the whole drive, on the ground there."""

    kind: ClassVar[str] = "move-actor"
    may_precede_drive: ClassVar[bool] = True
    start_us: ClassVar[int] = ALWAYS

    actor: Annotated[int, ID]
    """Track id."""
    forward_m: Annotated[float, AHEAD] = 0.0
    """How far ahead of each recorded pose [m]."""
    left_m: Annotated[float, OFFSET] = 0.0
    """How far to its left [m]."""
    yaw_deg: Annotated[float, ANGLE] = 0.0
    """How far it is turned to the left about its own middle [degrees]."""

    def __post_init__(self) -> None:
        check(self)

    def apply(self, edited: EditedScene) -> EditedScene:
        """The edited scene with it elsewhere.

        Raises:
            InfeasibleError: There is no such actor.
        """
        if not (self.forward_m or self.left_m or self.yaw_deg):
            find_actor(edited, self.actor, self.kind)
            return edited
        turn = yaw_rotation(np.array(np.deg2rad(self.yaw_deg)))
        offset = rigid(turn, np.array([self.forward_m, self.left_m, 0.0]))

        def there(actor: Actor) -> Actor:
            before = actor.trajectory.world_from_body
            height_m = float(actor.size_m[2])
            poses = settled(before @ offset, before, height_m, edited.ground)
            return replace(actor, trajectory=replace(actor.trajectory, world_from_body=poses))

        return changed(edited, self.actor, self.kind, there)

    def describe(self) -> str:
        """The edit in words."""
        words = [
            f"{abs(value):g} {unit} {positive if value > 0 else negative}"
            for value, unit, positive, negative in (
                (self.forward_m, "m", "forward", "back"),
                (self.left_m, "m", "to its left", "to its right"),
                (self.yaw_deg, "degrees", "turned left", "turned right"),
            )
            if value
        ]
        return f"actor {self.actor} moved {', '.join(words) or 'nowhere'}"


@dataclass(frozen=True, kw_only=True, slots=True)
class RetimeActor:
    """The same way at another time, or faster or slower."""

    kind: ClassVar[str] = "retime-actor"
    may_precede_drive: ClassVar[bool] = True
    start_us: ClassVar[int] = ALWAYS

    actor: Annotated[int, ID]
    """Track id."""
    shift_us: Annotated[int, Within(-DURATION.high, DURATION.high, "µs")] = 0
    """How much later its track begins [µs]."""
    stretch: Annotated[float, FACTOR] = 1.0
    """How many times as long its track takes: 2 takes twice as long, half as fast."""

    def __post_init__(self) -> None:
        check(self)

    def apply(self, edited: EditedScene) -> EditedScene:
        """The edited scene with its track at other times; it is there no longer than its track.

        Raises:
            InfeasibleError: There is no such actor, or its poses would be less than 1 µs apart.
        """

        def later(actor: Actor) -> Actor:
            if self.shift_us == 0 and self.stretch == 1.0:
                return actor
            times = actor.trajectory.time_us
            since = np.round((times - times[0]) * self.stretch).astype(np.int64)
            if np.any(np.diff(since) <= 0):
                wrong = f"poses of actor {actor.id} would be less than 1 µs apart"
                raise InfeasibleError(self.kind, wrong, "stretch nearer to 1", "no time")
            path = replace(actor.trajectory, time_us=times[0] + self.shift_us + since)
            return replace(actor, trajectory=path)

        return changed(edited, self.actor, self.kind, later)

    def describe(self) -> str:
        """The edit in words."""
        words = []
        if self.shift_us:
            when = "later" if self.shift_us > 0 else "earlier"
            words.append(f"{abs(self.shift_us) * 1e-6:g} s {when}")
        if self.stretch != 1.0:
            words.append(f"taking {self.stretch:g} times as long")
        return f"actor {self.actor} {' and '.join(words) or 'as recorded'}"
