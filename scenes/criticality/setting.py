"""What families work with: the drive at some time, what is requested, and courses on the road.

Angles are those of the other road user's heading against the ego's, left positive, in (-180, 180]:
0 the same way, 180 oncoming, 90 from the right to the left. The closing speed is the length of the
difference of the two velocities. Both count at the critical time, until which nobody reacts.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from scenes.actor import Actor
from scenes.clip import Clip
from scenes.criticality.road import Road
from scenes.edits import EgoEdit
from scenes.edits.assets import find_asset
from scenes.errors import InfeasibleError
from scenes.semantics import Semantic

STEP_US = 20_000
"""Spacing of the times at which encounters are judged [µs]."""
STANDING_MPS = 0.05
"""Slower road users keep the heading they stand with."""
CLOSING_TOLERANCE_MPS, ANGLE_TOLERANCE_DEG, TTC_TOLERANCE_S = 0.5, 5.0, 0.01
"""How far a scenario may be from what was requested of it."""
AFTER_S, BEFORE_S = 1.0, 1.0
"""The window holds this much after the worst moment, and before it, at least [s]."""
AFTER_CRASH_S = 0.2
"""But no more than this after a crash began: what it does to bodies is not modelled [s]."""
ALL = slice(None)
Share = Callable[[], float]
"""Gives numbers in [0, 1), the next one at every call."""
Profile = Float64[np.ndarray, "n"]
Room = Callable[[Float64[np.ndarray, "2"], float, Float64[np.ndarray, "3"]], float]
"""From a place [m], a heading [rad] and a size [m], to a distance [m]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Goal:
    """What is requested of one scenario; None leaves it to the family."""

    family: str
    """Name of the family."""
    min_ttc_s: float
    """Least time to collision in the window [s]; 0 is a collision."""
    closing_mps: float | None = None
    """Closing speed [m/s]."""
    angle_deg: float | None = None
    """Angle between headings [degrees]."""
    duration_s: float = 3.0
    """Length of the window [s]."""

    @property
    def crash(self) -> bool:
        """Whether boxes are to overlap."""
        return self.min_ttc_s == 0.0

    @property
    def after_s(self) -> float:
        """How long the window goes on at least after the worst moment [s]."""
        return AFTER_CRASH_S if self.crash else AFTER_S


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Setting:
    """The drive around the window of a scenario.

    Until its critical time nobody reacts; from then on whoever can avoids the worst. The worst
    moment comes then or, where a reaction takes time to tell, a little later.
    """

    clip: Clip
    road: Road
    time_us: Int64[np.ndarray, "n"]
    """Times at which encounters are judged [µs]."""
    station_m: Profile
    """Where on the road the middle of the ego's box is, as recorded and without noise [m]."""
    speed_mps: Profile
    """How fast it goes there [m/s]."""
    lane_m: float
    """Width of a lane [m]."""
    other_side: float
    """1 where oncoming traffic is on the left, -1 where it is on the right."""
    own_share: Share
    """Numbers that decide what was not requested."""
    critical: int
    """Number of the critical time."""
    room_m: Room
    """How far back a body can come from in a straight line."""

    @property
    def seconds(self) -> Profile:
        """Time since the first [s]."""
        return (self.time_us - self.time_us[0]) * 1e-6

    @property
    def critical_us(self) -> int:
        """Until when nobody reacts [µs]."""
        return int(self.time_us[self.critical])

    @property
    def critical_s(self) -> float:
        """The same since the first time [s]."""
        return float(self.critical_us - self.time_us[0]) * 1e-6

    @property
    def since_s(self) -> Profile:
        """Time since the critical one, negative before it [s]."""
        return (self.time_us - self.critical_us) * 1e-6

    @property
    def critical_mps(self) -> float:
        """Speed of the recorded ego at the critical time [m/s]."""
        return float(self.speed_mps[self.critical])

    def between(self, low: float, high: float) -> float:
        """A number that was not requested, drawn."""
        return low + self.own_share() * (high - low)

    def one_of(self, *choices: str) -> str:
        """A choice that was not requested, drawn."""
        return choices[int(self.own_share() * len(choices))]

    def side(self) -> float:
        """1 for left or -1 for right, drawn."""
        return 1.0 if self.own_share() < 0.5 else -1.0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Course:
    """What one road user does, but for where on the road it does it."""

    asset: str
    """Its look and size (`scenes.edits.assets`)."""
    along_m: Profile
    """Way along the road since the anchor, at the times of the setting [m]."""
    left_m: Profile
    """Distance to the left of the ego's recorded path [m]."""
    facing_rad: float = 0.0
    """Heading against the road's wherever it stands [rad]."""
    straight: bool = False
    """The course does not bend with the road: it is laid out where the anchor is."""
    actor: Actor | None = None
    """The recorded road user who does it, looking like itself; None is somebody new."""

    @property
    def kind(self) -> Semantic:
        """What does it."""
        return find_asset(self.asset).kind if self.actor is None else self.actor.kind

    @property
    def size_m(self) -> Float64[np.ndarray, "3"]:
        """Its length, width, height [m]."""
        return find_asset(self.asset).box_m if self.actor is None else self.actor.size_m

    def poses(
        self, road: Road, anchor_m: Float64[np.ndarray, "c"], which: slice = ALL
    ) -> tuple[Float64[np.ndarray, "c n 2"], Float64[np.ndarray, "c n"]]:
        """World x, y [m] and heading [rad] for every anchor on the road [m] and time.

        Args:
            road: Where it is laid out.
            anchor_m: Stations of its anchor.
            which: Which successive times, three or more.
        """
        along_m, left_m = self.along_m[which], self.left_m[which]
        if self.straight:
            middle, ahead = (part[:, None] for part in road.frame(anchor_m))
            middle = middle + along_m[:, None] * ahead
        else:
            middle, ahead = road.frame(anchor_m[:, None] + along_m)
        left = np.stack([-ahead[..., 1], ahead[..., 0]], axis=-1)
        xy = middle + left_m[:, None] * left
        velocity = slope(xy, STEP_US * 1e-6, ends=2)
        speed = np.hypot(velocity[..., 0], velocity[..., 1])
        yaw = np.arctan2(velocity[..., 1], velocity[..., 0])
        stands = np.arctan2(ahead[..., 1], ahead[..., 0]) + self.facing_rad
        return xy, np.where(speed > STANDING_MPS, yaw, stands)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EncounterPlan:
    """An encounter in which only one number is still open: where the other's course is anchored."""

    other: Course
    """Who comes near."""
    company: tuple[tuple[Course, float], ...] = ()
    """Others who belong to it, and where their courses are anchored [m]."""
    ego: tuple[EgoEdit, ...] = ()
    """What the ego does that it did not do."""
    ego_left_m: float | None = 0.0
    """Where the ego is to be met, to the left of its recorded path [m]; None wherever it is."""
    from_behind: bool = False
    """The other comes nearer from behind."""


def slope(
    values: Float64[np.ndarray, "c n *d"], step_s: float, ends: int = 1
) -> Float64[np.ndarray, "c n *d"]:
    """Rates of change along the second axis: central differences.

    Args:
        values: Evenly spaced in time, three times or more.
        step_s: By how much.
        ends: Order of the differences at both ends, 1 or 2.
    """
    rate = np.empty_like(values)
    rate[:, 1:-1] = (values[:, 2:] - values[:, :-2]) / (2.0 * step_s)
    rate[:, 0] = (values[:, 1] - values[:, 0]) / step_s
    rate[:, -1] = (values[:, -1] - values[:, -2]) / step_s
    if ends == 2:  # of the parabola through three
        rate[:, 0] += rate[:, 0] - rate[:, 1]
        rate[:, -1] += rate[:, -1] - rate[:, -2]
    return rate


def quintic(share: Profile) -> Profile:
    """From 0 to 1 without a jolt at either end, held beyond."""
    u = np.clip(share, 0.0, 1.0)
    return u**3 * (10.0 - 15.0 * u + 6.0 * u**2)


def speed_for(
    setting: Setting,
    goal: Goal,
    angle_deg: float,
    low: float,
    high: float,
    ego_mps: float | None = None,
) -> float:
    """The other's speed [m/s] that closes as fast as requested at the critical time, or any.

    Args:
        setting: Where and when.
        goal: What is requested.
        angle_deg: Angle between headings.
        low: Slowest speed that the family knows [m/s].
        high: Fastest [m/s].
        ego_mps: The ego's speed at the critical time; the recorded one when left out.

    Raises:
        InfeasibleError: No speed from `low` to `high` does; names the nearest closing speed.
    """
    ego = setting.critical_mps if ego_mps is None else ego_mps
    if high < low:
        wrong = f"the ego is too slow at {ego:.1f} m/s"
        raise InfeasibleError(goal.family, wrong, "another start_us", "the ego is too slow")
    if goal.closing_mps is None:
        return setting.between(low, high)
    cosine, sine = (f(math.radians(angle_deg)) for f in (math.cos, math.sin))
    room = goal.closing_mps**2 - (ego * sine) ** 2
    if room >= 0.0:
        for speed in (ego * cosine - math.sqrt(room), ego * cosine + math.sqrt(room)):
            if low - 1e-9 <= speed <= high + 1e-9:
                return speed
    speeds = np.linspace(low, high, 101)
    closing = np.sqrt(ego**2 + speeds**2 - 2.0 * ego * speeds * cosine)
    nearest = float(closing[np.argmin(np.abs(closing - goal.closing_mps))])
    if abs(nearest - goal.closing_mps) <= CLOSING_TOLERANCE_MPS:
        return float(speeds[np.argmin(np.abs(closing - goal.closing_mps))])
    wrong = f"nobody closes at {goal.closing_mps:.1f} m/s here: from {closing.min():.1f} to "
    wrong += f"{closing.max():.1f} m/s can be had beside an ego at {ego:.1f} m/s"
    raise InfeasibleError(goal.family, wrong, f"closing_mps = {nearest:.1f}", "closing speed")
