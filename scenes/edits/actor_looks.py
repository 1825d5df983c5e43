"""Who it is: edits that put an asset into the scene, or change how large somebody is.

Boxes keep their bottoms where they are: what grows, grows upwards from the ground.
"""

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np
from jaxtyping import Float64

from scenes.actor import Actor
from scenes.edits.actors import (
    AHEAD,
    ALWAYS,
    ANGLE,
    FACTOR,
    ID,
    SPEED,
    changed,
)
from scenes.edits.assets import find_asset
from scenes.edits.edited_scene import EditedScene
from scenes.edits.ego import OFFSET, TIME
from scenes.edits.routes import RUN_OUT_M, Route
from scenes.edits.standing import settled
from scenes.errors import InfeasibleError
from scenes.motion.geometry import rigid, translation, yaw_rotation
from scenes.motion.trajectory import Trajectory
from scenes.storage.validation import check
from scenes.work.memoize import memoized

STEP_US = 50_000
"""Spacing of the poses that are made up: at 40 m/s, two metres [µs]."""
ALONG_THE_ROAD = float(np.cos(np.deg2rad(45.0)))
"""Cosine of the most that somebody who keeps to the ego's road is turned against it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ScaleActor:
    """Larger or smaller, standing where it stood."""

    kind: ClassVar[str] = "scale-actor"
    may_precede_drive: ClassVar[bool] = True
    start_us: ClassVar[int] = ALWAYS

    actor: Annotated[int, ID]
    """Track id."""
    factor: Annotated[float, FACTOR]
    """What its length, width and height are multiplied by."""

    def __post_init__(self) -> None:
        check(self)

    def apply(self, edited: EditedScene) -> EditedScene:
        """The edited scene with it at its new size.

        Raises:
            InfeasibleError: There is no such actor.
        """

        def grown(actor: Actor) -> Actor:
            same = self.factor == 1.0
            return actor if same else _sized(actor, actor.size_m * self.factor)

        return changed(edited, self.actor, self.kind, grown)

    def describe(self) -> str:
        """The edit in words."""
        return f"actor {self.actor} {self.factor:g} times as large"


@dataclass(frozen=True, kw_only=True, slots=True)
class SwapActor:
    """Somebody else in its place, who moves as it did."""

    kind: ClassVar[str] = "swap-actor"
    may_precede_drive: ClassVar[bool] = True
    start_us: ClassVar[int] = ALWAYS

    actor: Annotated[int, ID]
    """Track id; it is kept."""
    asset: str
    """Name of a packaged asset, or folder of another (`scenes.edits.assets`)."""

    def __post_init__(self) -> None:
        check(self)

    def apply(self, edited: EditedScene) -> EditedScene:
        """The edited scene with the asset's look, kind and size.

        Raises:
            InfeasibleError: There is no such actor or asset.
            OtherlaneError: The asset is damaged.
        """
        asset = find_asset(self.asset)
        swapped = changed(
            edited,
            self.actor,
            self.kind,
            lambda actor: replace(_sized(actor, asset.box_m), kind=asset.kind),
        )
        return replace(swapped, assets={**edited.assets, self.actor: self.asset})

    def describe(self) -> str:
        """The edit in words."""
        return f"actor {self.actor} swapped for {self.asset}"


def _sized(actor: Actor, size_m: Float64[np.ndarray, "3"]) -> Actor:
    """At another size, its bottom where it was."""
    poses = actor.trajectory.world_from_body.copy()
    poses[:, :3, 3] += 0.5 * (size_m[2] - actor.size_m[2]) * poses[:, :3, 2]
    return replace(
        actor, size_m=size_m, trajectory=replace(actor.trajectory, world_from_body=poses)
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class InsertActor:
    """Somebody who was not there, placed against the ego's path and uniform from then on.

    Whoever faces along that path or against it, within 45 degrees, keeps to it; others go
    straight on. `follow-path` gives it any other motion.
    """

    kind: ClassVar[str] = "insert-actor"
    may_precede_drive: ClassVar[bool] = False

    actor: Annotated[int, ID]
    """Its track id, which nobody has."""
    asset: str
    """Name of a packaged asset, or folder of another (`scenes.edits.assets`)."""
    start_us: Annotated[int, TIME]
    """When it appears [µs]; it stays until the end of the drive."""
    ahead_m: Annotated[float, AHEAD] = 0.0
    """How far its middle is ahead of the ego's origin then, along the ego's path [m]."""
    left_m: Annotated[float, OFFSET] = 0.0
    """How far to the left of the ego's path it is and stays [m]."""
    yaw_deg: Annotated[float, ANGLE] = 0.0
    """How far it faces to the left of the ego's path [degrees]; 180 is oncoming."""
    speed_mps: Annotated[float, SPEED] = 0.0
    """How fast it goes, the way it faces [m/s]."""

    def __post_init__(self) -> None:
        check(self)

    def apply(self, edited: EditedScene) -> EditedScene:
        """The edited scene with it.

        Raises:
            InfeasibleError: The id is taken, there is no such asset, or the drive is over.
            OtherlaneError: The asset is damaged.
        """
        taken = {actor.id for actor in edited.actors}
        if self.actor in taken:
            wrong = f"there is an actor {self.actor} already"
            fix = f"actor = {max(taken) + 1}, which is free"
            raise InfeasibleError(self.kind, wrong, fix, "actor id taken")
        asset = find_asset(self.asset)
        path = self._path(edited, float(asset.size_m[2]))
        new = Actor(id=self.actor, kind=asset.kind, size_m=asset.box_m, trajectory=path)
        return replace(
            edited,
            actors=tuple(sorted((*edited.actors, new), key=lambda actor: actor.id)),
            assets={**edited.assets, self.actor: self.asset},
        )

    def _path(self, edited: EditedScene, height_m: float) -> Trajectory:
        ego = edited.ego
        end_us = max(int(ego.time_us[-1]), self.start_us)
        time_us = np.append(np.arange(self.start_us, end_us, STEP_US), end_us)
        beside = (self.ahead_m, self.left_m, 0.5 * height_m)
        route = _beside(ego, self.start_us, *beside)
        gone_m = self.speed_mps * (time_us - self.start_us) * 1e-6
        turn = np.deg2rad(self.yaw_deg)
        keeps = abs(np.cos(turn)) >= ALONG_THE_ROAD
        on_road = route.at(np.copysign(gone_m, np.cos(turn)) * keeps)
        own = np.stack([gone_m * (not keeps), np.zeros_like(gone_m), np.zeros_like(gone_m)], axis=1)
        turned = on_road @ rigid(yaw_rotation(np.array(turn)), np.zeros(3))
        poses = settled(turned @ translation(own), on_road, height_m, edited.ground)
        return Trajectory(time_us=time_us, world_from_body=poses)

    def describe(self) -> str:
        """The edit in words."""
        side = "left" if self.left_m > 0 else "right"
        beside = f" and {abs(self.left_m):g} m to the {side}" if self.left_m else ""
        where = f"{self.ahead_m:g} m ahead{beside}"
        return f"{self.asset} inserted as actor {self.actor} {where} at {self.speed_mps:g} m/s"


@memoized(512)
def _beside(ego: Trajectory, start_us: int, ahead_m: float, left_m: float, up_m: float) -> Route:
    """The way to the left of the ego's and above it, counted from beside a place ahead on that.

    In a bend the two are not equally long, so `ahead_m` is gone along the ego's.
    """
    own = Route.of(ego, start_us)
    first, last = own.way_m[[0, -1]]
    before = np.arange(min(first, ahead_m) - RUN_OUT_M, first)
    after = np.arange(last, max(last, ahead_m) + RUN_OUT_M) + 1.0
    way_m = np.unique(np.concatenate([before, own.way_m, after, [ahead_m]]))
    poses = own.at(way_m)
    for end, beyond in ((0, way_m < first), (-1, way_m > last)):
        turn = yaw_rotation(
            own.yaw_at(way_m[beyond]) - own.yaw[end]
        )  # beyond its ends `at` keeps the heading
        poses[beyond, :3, :3] = turn @ poses[beyond, :3, :3]
    poses = poses @ translation(np.array([0.0, left_m, up_m]))
    return Route.through(poses, int(np.searchsorted(way_m, ahead_m)))
