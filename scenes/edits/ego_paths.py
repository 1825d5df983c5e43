"""Paths of the recording car that no recorded pose was near: other speeds, detours, any path.

They leave the recorded way at `start_us`, before which every pose is the recorded one, bit for
bit. Height, bank and slope are those of the nearest recorded pose. All times stay the same.
"""

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np
from jaxtyping import Float64, Int64

from scenes.edits.actor_motion import CHANGE
from scenes.edits.actors import SPEED
from scenes.edits.ego import DURATION, OFFSET, TIME, LaneChange, blend
from scenes.edits.knots import PLACE, YAW, check_knots, headings
from scenes.edits.routes import Route, derivative_at, ramp_m, smooth_twin, speed_at
from scenes.edits.standing import on_plane, yaw_of
from scenes.edits.tracks import since
from scenes.errors import InfeasibleError
from scenes.motion.spline import Spline, spline
from scenes.motion.trajectory import Trajectory
from scenes.storage.validation import Within, check

JOIN_US = 1_000_000
"""A path that does not begin as the car drives is bent towards it over this long [µs]."""
JOIN_M = 0.5
"""The most that it is bent [m]; what begins further away is refused."""
RUN_OUT_S = 1.0
"""How long after its last knot a path's acceleration takes to fade [s]."""
PAST_KNOTS, PAST_US = 4, 200_000
"""What a path goes on from: places where the car was before, and their spacing [µs]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EgoSpeed:
    """Brake or accelerate to a speed and keep it, on the recorded way."""

    kind: ClassVar[str] = "ego-speed"
    may_precede_drive: ClassVar[bool] = False

    start_us: Annotated[int, TIME]
    """When the speed begins to change [µs]."""
    speed_mps: Annotated[float, SPEED]
    """The speed that it ends with [m/s]."""
    change_mps2: Annotated[float, CHANGE]
    """How fast it changes on the way there, up or down [m/s²]."""

    def __post_init__(self) -> None:
        check(self)

    def apply(self, ego: Trajectory) -> Trajectory:
        """The drive at another speed; straight on beyond the end of the recorded way."""
        seconds = (ego.time_us - self.start_us) * 1e-6
        speed_mps = speed_at(ego, self.start_us)
        gone_m = ramp_m(seconds, speed_mps, self.speed_mps, self.change_mps2)
        return since(self.start_us, ego, Route.of(ego, self.start_us).at(gone_m))

    def describe(self) -> str:
        """The edit in words."""
        return f"a change of speed to {self.speed_mps:g} m/s at {self.change_mps2:g} m/s²"


@dataclass(frozen=True, kw_only=True, slots=True)
class EgoDetour:
    """Out to one side and back again, as around something in the lane: two lane changes."""

    kind: ClassVar[str] = "ego-detour"
    may_precede_drive: ClassVar[bool] = False

    offset_m: Annotated[float, OFFSET]
    """How far out, left positive [m]."""
    start_us: Annotated[int, TIME]
    """When it begins [µs]."""
    duration_us: Annotated[int, DURATION]
    """How long the way out takes, and the way back [µs]."""
    hold_us: Annotated[int, Within(0, DURATION.high, "µs")] = 0
    """How long it stays out [µs]."""

    def __post_init__(self) -> None:
        check(self)

    def apply(self, ego: Trajectory) -> Trajectory:
        """The drive, had it been around something.

        Raises:
            InfeasibleError: The car stands still meanwhile, or the offset reaches the centre of
                a bend.
        """
        back_us = self.start_us + self.duration_us + self.hold_us
        out = LaneChange(
            offset_m=self.offset_m, start_us=self.start_us, duration_us=self.duration_us
        )
        away = out.apply(ego)
        if back_us >= ego.time_us[-1]:
            return away
        return replace(out, offset_m=-self.offset_m, start_us=back_us).apply(away)

    def describe(self) -> str:
        """The edit in words."""
        side = "left" if self.offset_m > 0 else "right"
        seconds = (2 * self.duration_us + self.hold_us) * 1e-6
        return f"a detour of {abs(self.offset_m):g} m to the {side} over {seconds:g} s"


@dataclass(frozen=True, kw_only=True, slots=True)
class EgoPath:
    """A whole motion of the recording car, knot by knot: whatever solved for it, this says it.

    Between knots places are a cubic spline in time; after the last one the car straightens out.
    A path that does not begin exactly as the car drives (place, speed and acceleration) is bent
    towards it over its first second; later knots are met.
    """

    kind: ClassVar[str] = "ego-path"
    may_precede_drive: ClassVar[bool] = False

    time_us: Annotated[tuple[int, ...], TIME]
    """Time of each knot, two or more, increasing [µs]."""
    x_m: Annotated[tuple[float, ...], PLACE]
    """World x of the ego's origin at each [m]."""
    y_m: Annotated[tuple[float, ...], PLACE]
    """World y [m]."""
    yaw_rad: Annotated[tuple[float, ...], YAW] = ()
    """Heading in plan view at each [rad]; along the path when left out."""

    def __post_init__(self) -> None:
        check(self)
        check_knots(self.time_us, x_m=self.x_m, y_m=self.y_m)
        if self.yaw_rad:
            check_knots(self.time_us, yaw_rad=self.yaw_rad)

    @property
    def start_us(self) -> int:
        """Time of the first knot [µs]."""
        return self.time_us[0]

    def apply(self, ego: Trajectory) -> Trajectory:
        """The drive along the knots.

        Raises:
            InfeasibleError: The path does not begin as the car drives, by more than can be bent.
        """
        smooth = smooth_twin(ego)
        places = self._places(smooth)
        at_us = np.maximum(ego.time_us, self.start_us)
        fading = 1.0 - blend(np.minimum((at_us - self.start_us) / JOIN_US, 1.0))
        way = Route.of(ego, self.start_us)
        xy_m = places.at(at_us * 1e-6) + self._bent(ego, smooth, places, at_us, fading)
        yaw = headings(places, self.time_us, self.yaw_rad, at_us)
        slip = yaw_of(ego.at(np.array([self.start_us])))[0] - yaw[0]
        poses = lifted(way, xy_m, yaw + np.arctan2(np.sin(slip), np.cos(slip)) * fading)
        return since(self.start_us, ego, poses)

    def _places(self, smooth: Trajectory) -> Spline:
        """A curve through the knots that continues how the car drove [s, m]."""
        gap_us = min(PAST_US, self.time_us[1] - self.time_us[0])
        past_us = self.start_us - gap_us * np.arange(PAST_KNOTS, 0, -1)
        past_us = past_us[past_us >= smooth.time_us[0]]
        driven = smooth.at(np.append(past_us, self.start_us))[:, :2, 3]
        knots = np.stack([self.x_m, self.y_m], axis=1)
        past = driven[:-1] - driven[-1] + knots[0]
        seconds = np.append(past_us, self.time_us) * 1e-6
        return _run_out(spline(seconds, np.concatenate([past, knots])))

    def _bent(
        self,
        ego: Trajectory,
        smooth: Trajectory,
        places: Spline,
        at_us: Int64[np.ndarray, "n"],
        fading: Float64[np.ndarray, "n"],
    ) -> Float64[np.ndarray, "n 2"]:
        """What the path is moved by so that it leaves the drive smoothly [m]."""
        start = np.array([self.start_us * 1e-6])
        there = ego.at(np.array([self.start_us]))[0, :2, 3]
        place = there - places.at(start)[0]
        speed = derivative_at(smooth, self.start_us, 1) - places.slope_at(start)[0]
        rate = derivative_at(smooth, self.start_us, 2) - places.curvature_at(start)[0]
        seconds = (at_us - self.start_us)[:, None] * 1e-6
        bent = (place + speed * seconds + 0.5 * rate * seconds**2) * fading[:, None]
        if np.linalg.norm(bent, axis=1).max() > JOIN_M:
            apart = (np.linalg.norm(place), np.linalg.norm(speed), np.linalg.norm(rate))
            off = "{:.2f} m, {:.2f} m/s and {:.2f} m/s² off".format(*apart)
            wrong = f"the path does not begin as the car drives, but {off}"
            fix = f"x_m = [{there[0]:.2f}, ...], y_m = [{there[1]:.2f}, ...], as fast as the car is"
            raise InfeasibleError(self.kind, wrong, fix, "a jump")
        return bent

    def describe(self) -> str:
        """The edit in words."""
        seconds = (self.time_us[-1] - self.time_us[0]) * 1e-6
        return f"a path of {len(self.time_us)} knots, {seconds:g} s long"


def _run_out(places: Spline) -> Spline:
    """The curve, its acceleration falling linearly to 0 after its last knot; never backwards."""
    end = places.knots[-1:]
    speed, rate = places.slope_at(end)[0], places.curvature_at(end)[0]
    braking = -float(speed @ rate)
    seconds = RUN_OUT_S
    if braking > 0:
        seconds = min(seconds, 2.0 * float(speed @ speed) / braking)
    if seconds < 0.1 * RUN_OUT_S:
        return places
    on = np.linspace(0.0, seconds, 11)[1:, None]
    gone = speed * on + rate * (0.5 * on**2 - on**3 / (6.0 * seconds))
    return spline(
        np.concatenate([places.knots, end + on[:, 0]]),
        np.concatenate([places.values, places.values[-1] + gone]),
    )


def lifted(
    way: Route, xy_m: Float64[np.ndarray, "n 2"], yaw: Float64[np.ndarray, "n"]
) -> Float64[np.ndarray, "n 4 4"]:
    """Poses at places in plan view, in the plane of the nearest pose of a way.

    Args:
        way: The recorded way.
        xy_m: Places of the world [m].
        yaw: Headings [rad]; NaN as the nearest pose.
    """
    near = way.at(way.nearest_m(xy_m))
    up = near[:, :3, 2]
    rise_m = np.sum(up[:, :2] * (near[:, :2, 3] - xy_m), axis=1) / up[:, 2]
    place = np.concatenate([xy_m, (near[:, 2, 3] + rise_m)[:, None]], axis=1)
    return on_plane(place, up, np.where(np.isnan(yaw), yaw_of(near), yaw))
