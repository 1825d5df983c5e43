"""Families of the other direction: somebody comes towards the ego, or turns across its path."""

import math

import numpy as np

from scenes.criticality.ahead import CARS, LANE_CHANGE_S
from scenes.criticality.reaction import braked_m, ego_stops
from scenes.criticality.setting import Course, EncounterPlan, Goal, Setting, quintic, speed_for
from scenes.errors import InfeasibleError

SPEEDS_MPS = (4.0, 25.0)
"""How fast others come [m/s]."""
TURN_RADIUS_M = (6.5, 16.0)
"""Of a turn at a crossing [m]."""
TURNING_MPS2 = 2.6
"""Lateral acceleration in such a turn [m/s²]."""
STEERING_S = 0.9
"""How long it takes to turn the wheel that far [s]."""


def wrong_way(setting: Setting, goal: Goal) -> EncounterPlan:
    """Somebody comes towards the ego in its own lane."""
    speed = speed_for(setting, goal, 180.0, *SPEEDS_MPS)
    asset = setting.one_of(*CARS[:3])
    course = Course(
        asset=asset, along_m=-braked_m(setting, goal, asset, speed),
        left_m=np.full_like(setting.seconds, setting.between(-0.5, 0.5)), facing_rad=math.pi,
    )  # fmt: skip
    return EncounterPlan(other=course, ego=ego_stops(setting, goal))


def oncoming_drift(setting: Setting, goal: Goal) -> EncounterPlan:
    """Somebody who comes towards the ego drifts out of the next lane into the ego's; both brake."""
    speed = speed_for(setting, goal, 180.0, *SPEEDS_MPS)
    from_m = setting.other_side * setting.lane_m
    to_m = setting.other_side * setting.between(0.3, 1.1)
    lasts_s = setting.between(*LANE_CHANGE_S)
    end_s = setting.between(0.0, 0.3)
    share = 1.0 + (setting.seconds - setting.critical_s + end_s) / lasts_s
    asset = setting.one_of(*CARS[:3])
    course = Course(
        asset=asset, along_m=-braked_m(setting, goal, asset, speed),
        left_m=from_m + (to_m - from_m) * quintic(share), facing_rad=math.pi,
    )  # fmt: skip
    return EncounterPlan(other=course, ego=ego_stops(setting, goal))


def left_turn_across(setting: Setting, goal: Goal) -> EncounterPlan:
    """Somebody who came towards the ego turns across its path."""
    meets_deg = 180.0 - (
        setting.between(45.0, 75.0) if goal.angle_deg is None else 180.0 - abs(goal.angle_deg)
    )
    turned = math.radians(180.0 - meets_deg)
    radius_m = setting.lane_m / (1.0 - math.cos(turned))
    radius_m = min(max(radius_m, TURN_RADIUS_M[0]), TURN_RADIUS_M[1])
    fastest = math.sqrt(TURNING_MPS2 * radius_m)
    # It is in the turn already when a touch is foreseen: slow turns are foreseen for longer.
    patient = 0.8 * radius_m * turned / max(goal.min_ttc_s + 0.3, 0.5)
    if patient < 1.0:
        wrong = f"a turn is not foreseen {goal.min_ttc_s:.1f} s ahead"
        longest = 0.8 * radius_m * turned - 0.3
        raise InfeasibleError(goal.family, wrong, f"min_ttc_s = {longest:.1f}", "time to collision")
    speed = speed_for(setting, goal, meets_deg, 1.0, min(fastest, patient))
    along, left = _turn(speed, radius_m)
    # So that, turning on, it would be on the ego's line when the touch is foreseen.
    crossing = float(
        np.interp(setting.lane_m + setting.between(-0.5, 0.5), left, np.arange(len(left)) * _STEP_S)
    )
    at_s = crossing + setting.seconds - setting.critical_s - goal.min_ttc_s
    u, path = np.maximum(at_s, -1e9), np.arange(len(left)) * _STEP_S
    forward = np.where(u < 0.0, speed * u, np.interp(u, path, along))
    sideways = setting.lane_m - np.where(u < 0.0, 0.0, np.interp(u, path, left))
    course = Course(
        asset=setting.one_of("car", "van"), along_m=-forward,
        left_m=setting.other_side * sideways, facing_rad=math.pi, straight=True,
    )  # fmt: skip
    return EncounterPlan(other=course, ego=ego_stops(setting, goal))


_STEP_S = 0.002


def _turn(speed_mps: float, radius_m: float) -> tuple[np.ndarray, np.ndarray]:
    """Way ahead and way to the side of a turn of a right angle, every `_STEP_S`."""
    seconds = np.arange(0.0, 30.0, _STEP_S)
    share = seconds / STEERING_S
    rate = speed_mps / radius_m * quintic(share)
    heading = np.minimum(_summed(rate), 0.5 * math.pi)
    return _summed(speed_mps * np.cos(heading)), _summed(speed_mps * np.sin(heading))


def _summed(rate: np.ndarray) -> np.ndarray:
    """The integral over time, 0 at its beginning."""
    return np.concatenate([[0.0], np.cumsum(0.5 * (rate[1:] + rate[:-1])) * _STEP_S])
