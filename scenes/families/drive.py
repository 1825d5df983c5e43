"""The drive that encounters are staged in, and its windows: what all scenarios of one share."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float64, Int64

from scenes.actor import Actor
from scenes.boxes import ego_box, ego_boxes, windowed
from scenes.clip import Clip
from scenes.drivable import DrivableSurface, drivable_surface
from scenes.families.road import Road
from scenes.families.setting import STEP_US, Setting, Share
from scenes.ground import Ground, fit_ground
from scenes.obstacles import Evidence, obstacles
from scenes.remember import remembered
from scenes.safety import Moving, moving
from scenes.smoothing import steady
from scenes.trajectory import Trajectory

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


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Window:
    """A stretch of a drive, as recorded."""

    time_us: Int64[np.ndarray, "n"]
    """Times at which encounters are judged, `STEP_US` apart [µs]."""
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

    def window(self, end_us: int, duration_s: float) -> Window:
        """The window of that length that ends at a time [µs]."""
        return _window(self, end_us, round(duration_s * 1e6 / STEP_US))

    def setting(
        self, end_us: int, duration_s: float, share: Share, lane_m: float, *, oncoming_left: bool
    ) -> Setting:
        """What families work with in the window of that length that ends at a time [µs]."""
        window = self.window(end_us, duration_s)
        return Setting(
            clip=self.clip, road=self.road, time_us=window.time_us, station_m=window.station_m,
            speed_mps=window.speed_mps, lane_m=lane_m,
            other_side=1.0 if oncoming_left else -1.0, own_share=share,
        )  # fmt: skip


@remembered(512)
def _window(drive: Drive, end_us: int, steps: int) -> Window:
    time_us = end_us - STEP_US * np.arange(steps, -1, -1)
    station = drive.road.station_m(drive.smooth_boxes.at(time_us)[:, :2, 3])
    boxes = ego_boxes(drive.clip.ego, drive.clip)
    return Window(
        time_us=time_us,
        station_m=station,
        speed_mps=np.maximum(np.gradient(station, STEP_US * 1e-6), 0.0),
        ego=moving(windowed(boxes, int(time_us[0]), int(time_us[-1])), time_us),
        others=_others(drive.clip.actors, time_us[::EVERY]),
    )


def _others(actors: tuple[Actor, ...], at_us: Int64[np.ndarray, "t"]) -> Others | None:
    near = [actor for actor in actors if actor.trajectory.time_us[0] <= at_us[-1]]
    near = [actor for actor in near if actor.trajectory.time_us[-1] >= at_us[0]]
    if not near:
        return None
    each = [moving(actor.trajectory, at_us) for actor in near]
    spans = np.array([actor.trajectory.time_us[[0, -1]] for actor in near])
    return Others(
        actors=tuple(near),
        ids=tuple(actor.id for actor in near),
        moves=tuple(actor.is_moving for actor in near),
        boxes=Moving(
            place_m=np.stack([one.place_m for one in each]),
            yaw=np.stack([one.yaw for one in each]),
            velocity_mps=np.stack([one.velocity_mps for one in each]),
            yaw_rate=np.stack([one.yaw_rate for one in each]),
        ),
        size_m=np.stack([actor.size_m for actor in near])[:, None],
        known=(spans[:, :1] <= at_us) & (at_us <= spans[:, 1:]),
    )
