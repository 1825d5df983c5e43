"""The drive that encounters are staged in, and its windows: what all scenarios of one share."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float64, Int64

from scenes.actor import Actor
from scenes.clip import Clip
from scenes.criticality.road import Road
from scenes.criticality.setting import STEP_US, Setting, Share
from scenes.edits.parked_vehicles import in_place
from scenes.motion.geometry import nearest_places, rigid, yaw_rotation
from scenes.motion.smoothing import steady
from scenes.motion.trajectory import Trajectory
from scenes.road.drivable import DrivableSurface, drivable_surface
from scenes.road.ground import Ground, fit_ground
from scenes.road.obstacles import Evidence, obstacles
from scenes.safety.boxes import ego_box, ego_boxes, windowed
from scenes.safety.definitions import Moving, moving
from scenes.work.memoize import memoized
from scenes.work.short_repr import short_repr

CAR_M, SOON_M = np.array([4.5, 1.9, 1.5]), 15.0
"""Size of a car, and how far ahead of the ego it comes from the side, about [m]."""
FURTHEST_M, ROOM_STEP_M = 60.0, 1.0
"""How far back somebody's way is looked at, and how densely [m]."""
EVERY = 5
"""Recorded road users are compared at every fifth moment: 0.1 s apart."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Others:
    """Recorded road users in a window, every `EVERY` times."""

    actors: tuple[Actor, ...]
    """Who they are."""
    ids: tuple[int, ...]
    """Their track ids."""
    moves: tuple[bool, ...]
    """Who ever moves; the others are part of the place."""
    boxes: Moving
    """Road user by time."""
    size_m: Float64[np.ndarray, "a 1 3"]
    """Length, width, height [m]."""
    known: Bool[np.ndarray, "a t"]
    """When the drive knows each."""

    def during(self, which: slice) -> "Others":
        """The same at some of the times."""
        at = (slice(None), which)
        boxes = Moving(
            place_m=self.boxes.place_m[at], yaw=self.boxes.yaw[at],
            velocity_mps=self.boxes.velocity_mps[at], yaw_rate=self.boxes.yaw_rate[at],
        )  # fmt: skip
        return replace(self, boxes=boxes, known=self.known[at])


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Window:
    """A stretch of a drive, as recorded."""

    time_us: Int64[np.ndarray, "n"]
    """Times at which encounters are judged, `STEP_US` apart [µs]."""
    critical: int
    """Number of the time around which it was cut."""
    station_m: Float64[np.ndarray, "n"]
    """Where on the road the middle of the ego's box is, without the noise of its poses [m]."""
    speed_mps: Float64[np.ndarray, "n"]
    """How fast it goes there [m/s]."""
    ego: Moving
    """The ego's box."""
    others: Others | None
    """Who else was there; None if nobody was."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Drive:
    """A drive, and what all encounters in it share."""

    clip: Clip
    polygon_m: Float64[np.ndarray, "k 2"] | None = field(default=None)
    """Where one can drive, if the user says so [m, world]."""
    evidence: Evidence | None = field(default=None)
    """Who knows where solid things are; what the clip measured when None."""
    allow_unmeasured: bool = field(default=False)
    """Whether ways may lead over ground of which nobody knows anything."""

    @cached_property
    def solid(self) -> Evidence:
        """Where solid things are."""
        return obstacles(self.clip) if self.evidence is None else self.evidence

    __repr__ = short_repr

    @cached_property
    def ground(self) -> Ground:
        """The road's height."""
        return fit_ground(self.clip)

    @cached_property
    def surface(self) -> DrivableSurface:
        """Where one can drive."""
        return drivable_surface(self.clip, self.ground, self.polygon_m)

    @cached_property
    def road(self) -> Road:
        """Along the recorded path."""
        return Road.along(self.clip.ego)

    @cached_property
    def smooth_boxes(self) -> Trajectory:
        """The ego's box without the noise of its poses."""
        return steady(self.clip.ego).mounted(ego_box(self.clip))

    def window(self, critical_us: int, before_s: float, after_s: float) -> Window:
        """The stretch from so long before a time [µs] to so long after it, within the drive."""
        steps = [round(lasts_s * 1e6 / STEP_US) for lasts_s in (before_s, after_s)]
        last_us = int(self.clip.ego.time_us[-1])
        spare = (last_us - critical_us) // STEP_US - steps[0] % EVERY
        most = spare // EVERY * EVERY + steps[0] % EVERY
        return _window(self, critical_us, steps[0], min(steps[1], max(0, most)))

    def setting(
        self, window: Window, share: Share, lane_m: float, *, oncoming_left: bool
    ) -> Setting:
        """What families work with in a window."""
        return Setting(
            clip=self.clip, road=self.road, time_us=window.time_us, station_m=window.station_m,
            speed_mps=window.speed_mps, lane_m=lane_m, critical=window.critical,
            other_side=1.0 if oncoming_left else -1.0, own_share=share, room_m=self.room_m,
        )  # fmt: skip

    def bottoms_m(self, xy_m: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n"]:
        """World z of the road at places; that of the nearest of the ego's places where unknown."""
        height_m = self.ground.height_m(*xy_m.T)
        unknown = np.isnan(height_m)
        if unknown.any():
            way = self.clip.ego.world_from_body[:, :3, 3]
            height_m[unknown] = way[nearest_places(xy_m[unknown], way[:, :2]), 2]
        return height_m

    def poses(
        self,
        xy_m: Float64[np.ndarray, "n 2"],
        yaw: Float64[np.ndarray, "n"],
        size_m: Float64[np.ndarray, "3"],
    ) -> Float64[np.ndarray, "n 4 4"]:
        """Boxes that stand on the road at places."""
        middle_m = self.bottoms_m(xy_m) + 0.5 * size_m[2]
        return rigid(yaw_rotation(yaw), np.concatenate([xy_m, middle_m[:, None]], axis=1))

    def room_m(
        self, xy_m: Float64[np.ndarray, "2"], yaw: float, size_m: Float64[np.ndarray, "3"]
    ) -> float:
        """How far back from a place a body can come from in a straight line, facing `yaw` [m]."""
        back_m = np.arange(0.0, FURTHEST_M + ROOM_STEP_M, ROOM_STEP_M)
        way_m = xy_m - back_m[:, None] * np.array([np.cos(yaw), np.sin(yaw)])
        if not self.allow_unmeasured:  # the first stretch of which nothing is known ends it
            known = self.solid.measured(way_m)
            way_m = way_m[: len(known) if known.all() else int(np.argmin(known))]
        while len(way_m):
            poses = self.poses(way_m, np.full(len(way_m), yaw), size_m)
            found = self.solid.inside(poses, size_m)
            if found is None:
                break
            way_m = way_m[: found.pose]
        return ROOM_STEP_M * max(0, len(way_m) - 1)

    def open_m(self, time_us: int) -> float:
        """How far back a car can come from at a right angle, from where the ego is [m].

        The better of both sides.
        """
        return max(_open_m(self, time_us, side) for side in (1.0, -1.0))


@memoized(4096)
def _open_m(drive: Drive, time_us: int, side: float) -> float:
    place = drive.smooth_boxes.at(np.array([time_us]))[:, :2, 3]
    middle, ahead = drive.road.frame(drive.road.station_m(place) + SOON_M)
    yaw = float(np.arctan2(ahead[0, 1], ahead[0, 0])) + side * 0.5 * np.pi
    return drive.room_m(middle[0], yaw, CAR_M)


@memoized(512)
def _window(drive: Drive, critical_us: int, before: int, after: int) -> Window:
    time_us = critical_us + STEP_US * np.arange(-before, after + 1)
    station = drive.road.station_m(drive.smooth_boxes.at(time_us)[:, :2, 3])
    boxes = ego_boxes(drive.clip.ego, drive.clip)
    return Window(
        time_us=time_us,
        critical=before,
        station_m=station,
        speed_mps=np.maximum(np.gradient(station, STEP_US * 1e-6), 0.0),
        ego=moving(windowed(boxes, int(time_us[0]), int(time_us[-1])), time_us),
        others=_others(drive.clip.actors, time_us[::EVERY]),
    )


def _others(actors: tuple[Actor, ...], at_us: Int64[np.ndarray, "t"]) -> Others | None:
    near = [
        actor if _moves(actor) else in_place(actor, at_us[[0, -1]] if len(at_us) > 1 else at_us)
        for actor in actors
    ]  # who stands is there for good
    near = [actor for actor in near if actor.trajectory.time_us[0] <= at_us[-1]]
    near = [actor for actor in near if actor.trajectory.time_us[-1] >= at_us[0]]
    if not near:
        return None
    each = [moving(actor.trajectory, at_us) for actor in near]
    spans = np.array([actor.trajectory.time_us[[0, -1]] for actor in near])
    return Others(
        actors=tuple(near),
        ids=tuple(actor.id for actor in near),
        moves=tuple(_moves(actor) for actor in near),
        boxes=Moving(
            place_m=np.stack([one.place_m for one in each]),
            yaw=np.stack([one.yaw for one in each]),
            velocity_mps=np.stack([one.velocity_mps for one in each]),
            yaw_rate=np.stack([one.yaw_rate for one in each]),
        ),
        size_m=np.stack([actor.size_m for actor in near])[:, None],
        known=(spans[:, :1] <= at_us) & (at_us <= spans[:, 1:]),
    )


@memoized(2048)
def _moves(actor: Actor) -> bool:
    return actor.is_moving
