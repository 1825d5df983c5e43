"""How somebody moves from some time on: along given points, another way, or at other speeds.

Poses before `start_us` stay as they are, bit for bit. Beyond the end of its track
somebody goes straight on. Times [µs], places in the world [m], speeds [m/s].
"""

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np
from jaxtyping import Float64

from scenes.actor import Actor
from scenes.edits.actors import ID, SPEED, changed
from scenes.edits.edited_scene import EditedScene
from scenes.edits.ego import TIME
from scenes.edits.knots import PLACE, YAW, check_knots, densely, headings, through
from scenes.edits.routes import SPACING_M, Route, ramp_m, speed_at
from scenes.edits.standing import yaw_of
from scenes.edits.tracks import after, joined, on_own_way, placed, way_since_m
from scenes.errors import InfeasibleError
from scenes.storage.validation import Within, check

CHANGE = Within(0.1, 12.0, "m/s²")
"""Rates at which speeds change."""
ROUTE_STEP_M = 0.6
"""Spacing of the places that another way is measured by."""
BEYOND_M = np.arange(1.0, 13.0)
"""How far beyond the last point of another way more points make it go straight on [m]."""
JUMP_M = 1.0
"""A path that begins further than this from where somebody is, is another's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FollowPath:
    """A whole motion, knot by knot: whatever solved for it, this says it.

    Between knots places are a cubic spline in time. The motion ends with the last knot, and
    nobody is there from then on. The height is that of the ground, unless it is given.
    """

    kind: ClassVar[str] = "follow-path"
    may_precede_drive: ClassVar[bool] = False

    actor: Annotated[int, ID]
    """Track id."""
    time_us: Annotated[tuple[int, ...], TIME]
    """Time of each knot, two or more, increasing [µs]."""
    x_m: Annotated[tuple[float, ...], PLACE]
    """World x of the middle of its box at each [m]."""
    y_m: Annotated[tuple[float, ...], PLACE]
    """World y [m]."""
    yaw_rad: Annotated[tuple[float, ...], YAW] = ()
    """Heading in plan view at each [rad]; along the path when left out."""
    z_m: Annotated[tuple[float, ...], PLACE] = ()
    """World z of the middle of its box at each [m]; from the ground when left out."""

    def __post_init__(self) -> None:
        check(self)
        check_knots(self.time_us, x_m=self.x_m, y_m=self.y_m)
        optional = {name: getattr(self, name) for name in ("yaw_rad", "z_m")}
        check_knots(self.time_us, **{name: held for name, held in optional.items() if held})

    @property
    def start_us(self) -> int:
        """Time of the first knot [µs]."""
        return self.time_us[0]

    def apply(self, edited: EditedScene) -> EditedScene:
        """The edited scene with it on its new path.

        Raises:
            InfeasibleError: There is no such actor, or it is elsewhere when the path begins.
        """

        def moved(actor: Actor) -> Actor:
            path = actor.trajectory
            self._check_start(actor)
            at_us = densely(self.time_us)
            places = through(self.time_us, self.x_m, self.y_m)
            yaw = headings(places, self.time_us, self.yaw_rad, at_us)
            poses = placed(actor, places.at(at_us * 1e-6), yaw, edited.ground)
            if self.z_m:
                poses[:, 2, 3] = np.interp(at_us, self.time_us, self.z_m)
            return replace(actor, trajectory=joined(path, at_us, poses))

        return changed(edited, self.actor, self.kind, moved)

    def _check_start(self, actor: Actor) -> None:
        path = actor.trajectory
        if self.start_us <= path.time_us[0]:
            return  # a whole new track
        fix = f"a first knot at {int(path.time_us[0])} µs, where its track begins"
        if self.start_us > path.time_us[-1]:
            wrong = f"actor {actor.id} is gone since {int(path.time_us[-1])} µs"
            raise InfeasibleError(self.kind, wrong, fix, "not known then")
        x_m, y_m = path.at(np.array([self.start_us]))[0, :2, 3]
        jump_m = float(np.hypot(x_m - self.x_m[0], y_m - self.y_m[0]))
        if jump_m > JUMP_M:
            wrong = f"actor {actor.id} is {jump_m:.1f} m away when the path begins"
            fix = f"x_m = [{x_m:.2f}, ...] and y_m = [{y_m:.2f}, ...]; or {fix}"
            raise InfeasibleError(self.kind, wrong, fix, "a jump")

    def describe(self) -> str:
        """The edit in words."""
        seconds = (self.time_us[-1] - self.time_us[0]) * 1e-6
        return f"actor {self.actor} on a path of {len(self.time_us)} knots, {seconds:g} s long"


@dataclass(frozen=True, kw_only=True, slots=True)
class RerouteActor:
    """Another way from some time on, as fast as it was; beyond the last point straight on."""

    kind: ClassVar[str] = "reroute-actor"
    may_precede_drive: ClassVar[bool] = False

    actor: Annotated[int, ID]
    """Track id."""
    start_us: Annotated[int, TIME]
    """When it leaves its own way [µs]."""
    x_m: Annotated[tuple[float, ...], PLACE]
    """World x of the points it passes, one or more [m]."""
    y_m: Annotated[tuple[float, ...], PLACE]
    """World y [m]."""

    def __post_init__(self) -> None:
        check(self)
        if not len(self.x_m) == len(self.y_m) > 0:
            raise ValueError("x_m and y_m must have as many numbers, one or more")

    def apply(self, edited: EditedScene) -> EditedScene:
        """The edited scene with it on its new way, headings along it; same times.

        Raises:
            InfeasibleError: There is no such actor, or it is not there at the start.
        """

        def moved(actor: Actor) -> Actor:
            path = actor.trajectory
            later = after(actor, self.start_us, self.kind)
            start = path.at(np.array([self.start_us]))
            before = path.world_from_body[path.time_us < self.start_us]
            xy_m = np.stack([self.x_m, self.y_m], axis=1)
            xy_m = _with_run_out(np.concatenate([before, start])[:, :2, 3], xy_m)
            points = placed(actor, xy_m, np.repeat(yaw_of(start), len(xy_m)), edited.ground)
            corners = Route.through(np.concatenate([before, start, points]), len(before))
            route = Route.through(corners.at(np.arange(0.0, corners.way_m[-1], ROUTE_STEP_M)))
            way_m = way_since_m(path, self.start_us)[later]
            xy_m = route.at(way_m)[:, :2, 3]
            poses = placed(actor, xy_m, route.yaw_at(way_m), edited.ground)
            return replace(actor, trajectory=joined(path, path.time_us[later], poses))

        return changed(edited, self.actor, self.kind, moved)

    def describe(self) -> str:
        """The edit in words."""
        return f"actor {self.actor} rerouted at {self.start_us * 1e-6:g} s"


def _with_run_out(
    before_m: Float64[np.ndarray, "n 2"], points_m: Float64[np.ndarray, "k 2"]
) -> Float64[np.ndarray, "m 2"]:
    """Points and some more beyond the last, straight on along the last chord.

    The free end of a spline curls, and a way is extended the way its end points.
    """
    chords = points_m[-1] - np.concatenate([before_m, points_m])
    lengths = np.linalg.norm(chords, axis=1)
    if not np.any(lengths >= SPACING_M):
        return points_m
    last = np.flatnonzero(lengths >= SPACING_M)[-1]
    return np.concatenate(
        [points_m, points_m[-1] + BEYOND_M[:, None] * chords[last] / lengths[last]]
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class SpeedProfile:
    """Brake or accelerate to a speed and keep it, on its own way."""

    kind: ClassVar[str] = "speed-profile"
    may_precede_drive: ClassVar[bool] = False

    actor: Annotated[int, ID]
    """Track id."""
    start_us: Annotated[int, TIME]
    """When its speed begins to change [µs]."""
    speed_mps: Annotated[float, SPEED]
    """The speed that it ends with [m/s]."""
    change_mps2: Annotated[float, CHANGE]
    """How fast its speed changes on the way there, up or down [m/s²]."""

    def __post_init__(self) -> None:
        check(self)

    def apply(self, edited: EditedScene) -> EditedScene:
        """The edited scene with it at its new speed; same times.

        Raises:
            InfeasibleError: There is no such actor, or it is not there at the start.
        """

        def slowed(actor: Actor) -> Actor:
            path = actor.trajectory
            later = after(actor, self.start_us, self.kind)
            seconds = (path.time_us[later] - self.start_us) * 1e-6
            speed_mps = speed_at(path, self.start_us)
            gone_m = ramp_m(seconds, speed_mps, self.speed_mps, self.change_mps2)
            return on_own_way(actor, self.start_us, gone_m, edited.ground)

        return changed(edited, self.actor, self.kind, slowed)

    def describe(self) -> str:
        """The edit in words."""
        rate = f"{self.change_mps2:g} m/s²"
        return f"actor {self.actor} goes to {self.speed_mps:g} m/s at {rate}"
