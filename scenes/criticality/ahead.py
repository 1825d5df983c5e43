"""Families of the same direction: somebody in the ego's lane, or on the way into or out of it."""

from dataclasses import replace

import numpy as np

from scenes.criticality.reaction import ego_stops
from scenes.criticality.setting import Course, EncounterPlan, Goal, Setting, quintic, speed_for

CARS = ("car", "van", "truck", "bus")
LANE_CHANGE_S = (2.8, 4.0)
"""How long a lane change takes [s]: less breaks the limit on lateral jerk."""
SLOWER_MPS = 1.5
"""Whoever is to be caught up with is slower than the ego by this at least [m/s]."""


def stationary(setting: Setting, goal: Goal) -> EncounterPlan:
    """Somebody broken down in the ego's lane."""
    speed_for(setting, goal, 0.0, 0.0, 0.0)
    still = np.zeros_like(setting.seconds)
    angle = setting.between(-20.0, 20.0) if goal.angle_deg is None else goal.angle_deg
    course = Course(
        asset=setting.one_of(*CARS), along_m=still,
        left_m=still + setting.between(-0.4, 0.4), facing_rad=float(np.deg2rad(angle)),
    )  # fmt: skip
    return EncounterPlan(other=course, ego=ego_stops(setting, goal))


def lead_brake(setting: Setting, goal: Goal) -> EncounterPlan:
    """Somebody ahead, as fast as the ego, brakes."""
    slowest = max(0.0, setting.speed_mps[0] - 7.0 * 0.9 * setting.critical_s)
    speed = speed_for(setting, goal, 0.0, slowest, setting.critical_mps - SLOWER_MPS)
    before = max(float(setting.speed_mps[0]), speed)
    held_s = setting.between(0.0, 0.1) * setting.critical_s
    hardest = max(3.0, (before - speed) / (setting.critical_s - held_s))
    braking = setting.between(hardest, max(hardest, 8.0))
    begins_s = setting.critical_s - held_s - (before - speed) / braking
    # Brakes bite within a third of a second: the deceleration rises and falls smoothly.
    ramp = quintic((setting.seconds - begins_s + 0.15) / 0.3) * braking
    lasts = np.minimum(np.cumsum(ramp) * _step(setting), before - speed)
    along = np.cumsum(before - lasts) * _step(setting)
    course = Course(
        asset=setting.one_of(*CARS[:2]), along_m=along,
        left_m=np.full_like(along, setting.between(-0.3, 0.3)),
    )  # fmt: skip
    return EncounterPlan(other=course, ego=ego_stops(setting, goal))


def _step(setting: Setting) -> float:
    return float(setting.seconds[1])


def cut_in(setting: Setting, goal: Goal) -> EncounterPlan:
    """Somebody slower changes from the next lane into the ego's, just ahead."""
    speed = speed_for(setting, goal, 0.0, 2.0, setting.critical_mps - SLOWER_MPS)
    out_m = setting.side() * setting.lane_m
    course = Course(
        asset=setting.one_of(*CARS[:3]), along_m=speed * setting.seconds,
        left_m=_over(setting, out_m, setting.between(-0.2, 0.2), setting.between(0.0, 0.1)),
    )  # fmt: skip
    return EncounterPlan(other=course, ego=ego_stops(setting, goal))


def _over(setting: Setting, from_m: float, to_m: float, rest: float) -> np.ndarray:
    """A lane change that ends before the critical time, by a share `rest` of what leads to it."""
    lasts_s = setting.between(*LANE_CHANGE_S)
    share = 1.0 + (setting.seconds - (1.0 - rest) * setting.critical_s) / lasts_s
    return from_m + (to_m - from_m) * quintic(share)


def cut_out_reveal(setting: Setting, goal: Goal) -> EncounterPlan:
    """Somebody ahead changes lanes late, before somebody who stands, whom the ego did not see."""
    plan = stationary(setting, goal)
    reach_s = setting.critical_s + goal.min_ttc_s
    headway_s = setting.between(0.9, 1.5)
    # Whoever leads is beside the one who stands this much before the ego would be.
    clear_s = reach_s - headway_s - 0.3
    lasts_s = setting.between(*LANE_CHANGE_S)
    out_m = setting.side() * setting.lane_m
    left = out_m * quintic((setting.seconds - clear_s + lasts_s) / lasts_s)
    lead = Course(asset="car", along_m=setting.station_m - setting.station_m[0], left_m=left)
    gap_m = headway_s * setting.critical_mps + 0.5 * (
        lead.size_m[0] + float(setting.clip.ego_size_m[0])
    )
    return replace(plan, company=((lead, float(setting.station_m[0]) + float(gap_m)),))


def cyclist_along(setting: Setting, goal: Goal) -> EncounterPlan:
    """A cyclist near the edge of the ego's lane, who goes the same way."""
    speed = speed_for(setting, goal, 0.0, 2.5, min(9.0, setting.critical_mps - SLOWER_MPS))
    half_m = 0.5 * float(setting.clip.ego_size_m[1])
    weave = setting.between(0.0, 0.1) * np.sin(1.5 * setting.seconds + setting.between(0.0, 6.0))
    left = -setting.other_side * setting.between(0.2, half_m - 0.1)
    course = Course(asset="cyclist", along_m=speed * setting.seconds, left_m=left + weave)
    return EncounterPlan(other=course, ego=ego_stops(setting, goal))
