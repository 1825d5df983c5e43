"""Families across: somebody crosses the ego's path from one side to the other."""

import math
from dataclasses import dataclass

import numpy as np

from scenes.criticality.reaction import braked_m, ego_stops
from scenes.criticality.setting import STEP_US, Course, EncounterPlan, Goal, Setting, speed_for
from scenes.edits.assets import find_asset
from scenes.motion.limits import limits_of

SPEED_MPS = {"car": (3.0, 14.0), "van": (3.0, 12.0), "truck": (3.0, 9.0), "cyclist": (2.5, 8.0)}
WALKING_MPS = (1.0, 4.0)
"""From a stroll to a run [m/s]."""
SPARE_M = 3.0
"""The middle of a body stays this far from where its way ends that is known to be free [m]."""
STARTING_MPS2 = (1.5, 3.0)
"""How somebody on foot sets off [m/s²]."""


def crossing(setting: Setting, goal: Goal) -> EncounterPlan:
    """Somebody comes from a side road without giving way, or out of a drive where it is short."""
    angle = _angle(setting, goal)
    asset = setting.one_of(*SPEED_MPS)
    size_m = find_asset(asset).box_m
    soon_m = float(setting.station_m[setting.critical]) + setting.critical_mps * goal.min_ttc_s
    middle, ahead = (each[0] for each in setting.road.frame(np.array([soon_m])))
    rooms_m = {
        side: setting.room_m(middle, _yaw(ahead, side * angle), size_m) - SPARE_M
        for side in ((1.0,) if goal.angle_deg is not None else (1.0, -1.0))
    }
    side = max(rooms_m, key=lambda side: rooms_m[side])
    angle, room_m = side * angle, rooms_m[side]
    speed = speed_for(setting, goal, angle, *SPEED_MPS[asset])
    hits_m = setting.between(-0.6, 0.6)
    rate = setting.between(0.5, 0.9) * limits_of(find_asset(asset).kind).accelerating_mps2
    gone = hits_m + speed * (setting.seconds - setting.critical_s - goal.min_ttc_s)
    if -float(gone[0]) > room_m:  # further back nobody comes from
        way = _Start(speed_mps=speed, rate_mps2=rate)
        shortest_m = way.least_m(goal.min_ttc_s) + 0.5
        stands_m = shortest_m if setting.own_share() < 0.5 else max(room_m, shortest_m)
        gone = way.gone_m(setting, goal, stands_m + hits_m) - stands_m
    now, later = setting.critical, setting.critical + 1
    stops = braked_m(setting, goal, asset, float(gone[now] - gone[now - 1]) / (STEP_US * 1e-6))
    if not goal.crash:  # it sees the ego, and brakes
        gone[later:] = gone[now] + stops[later:] - stops[now]
    return EncounterPlan(other=_across(asset, gone, angle), ego=ego_stops(setting, goal))


def dart_out(setting: Setting, goal: Goal) -> EncounterPlan:
    """Somebody on foot stands beside the lane, and runs across it."""
    angle = _angle(setting, goal)
    speed = speed_for(setting, goal, angle, *WALKING_MPS)
    rate = setting.between(*STARTING_MPS2)
    stands_m = 0.5 * setting.lane_m + setting.between(0.3, 2.0)
    slant = abs(math.sin(math.radians(angle)))
    # Seen from the critical time, it is on the ego's line when the touch is foreseen.
    across_m = (stands_m + setting.between(-0.5, 0.5)) / slant
    way = _Start(speed_mps=speed, rate_mps2=rate)
    gone = way.gone_m(setting, goal, across_m)
    return EncounterPlan(
        other=_across("person", gone - stands_m / slant, angle), ego=ego_stops(setting, goal)
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Start:
    """Setting off from a stand: the acceleration rises and falls along half a sine."""

    speed_mps: float
    """Speed that it ends with [m/s]."""
    rate_mps2: float
    """Most that it accelerates [m/s²]."""

    def way(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Time [s], way [m] and speed [m/s] since setting off."""
        t = np.arange(0.0, 60.0, 0.01)
        lasts = 0.5 * math.pi * self.speed_mps / self.rate_mps2
        rising = 0.5 * self.speed_mps * (1.0 - np.cos(math.pi * t / lasts))
        pace = np.where(t < lasts, rising, self.speed_mps)
        return t, np.concatenate([[0.0], np.cumsum(0.5 * (pace[1:] + pace[:-1])) * 0.01]), pace

    def least_m(self, ttc_s: float) -> float:
        """How far off it sets off at least to be that fast so long before [m]."""
        return 0.25 * math.pi * self.speed_mps**2 / self.rate_mps2 + self.speed_mps * ttc_s

    def gone_m(self, setting: Setting, goal: Goal, across_m: float) -> np.ndarray:
        """Its way since it stood, so that from the critical time it foresees to be so far [m]."""
        t, way, pace = self.way()
        since_s = float(np.interp(across_m, way + pace * goal.min_ttc_s, t))
        return np.interp(setting.since_s + since_s, t, way, left=0.0)


def _angle(setting: Setting, goal: Goal) -> float:
    if goal.angle_deg is not None:
        return goal.angle_deg
    return setting.side() * setting.between(60.0, 120.0)


def _yaw(ahead: np.ndarray, angle_deg: float) -> float:
    """Heading at an angle to a direction [rad]."""
    return math.atan2(ahead[1], ahead[0]) + math.radians(angle_deg)


def _across(asset: str, gone_m: np.ndarray, angle_deg: float) -> Course:
    """On a straight line through the anchor, at an angle to the road."""
    angle = math.radians(angle_deg)
    return Course(
        asset=asset, along_m=gone_m * math.cos(angle), left_m=gone_m * math.sin(angle),
        facing_rad=angle, straight=True,
    )  # fmt: skip
