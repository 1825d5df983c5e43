"""Families across: somebody crosses the ego's path from one side to the other."""

import math

import numpy as np

from scenes.families.setting import Ask, Course, Plan, Setting, speed_for

SPEED_MPS = {"car": (3.0, 14.0), "van": (3.0, 12.0), "truck": (3.0, 9.0), "cyclist": (2.5, 8.0)}
WALKING_MPS = (1.0, 4.0)
"""From a stroll to a run [m/s]."""
STARTING_MPS2 = (1.5, 3.0)
"""How somebody on foot sets off [m/s²]."""


def crossing(setting: Setting, ask: Ask) -> Plan:
    """Somebody comes from a side road without giving way."""
    angle = _angle(setting, ask)
    asset = setting.one_of(*SPEED_MPS)
    speed = speed_for(setting, ask, angle, *SPEED_MPS[asset])
    hits_m = setting.between(-0.6, 0.6)
    gone = hits_m + speed * (setting.seconds - setting.duration_s - ask.min_ttc_s)
    return Plan(other=_across(asset, gone, angle))


def dart_out(setting: Setting, ask: Ask) -> Plan:
    """Somebody on foot stands beside the lane, and runs across it."""
    angle = _angle(setting, ask)
    speed = speed_for(setting, ask, angle, *WALKING_MPS)
    rate = setting.between(*STARTING_MPS2)
    # Way and speed since setting off: the acceleration rises and falls along half a sine.
    t = np.arange(0.0, 60.0, 0.01)
    lasts = 0.5 * math.pi * speed / rate
    pace = np.where(t < lasts, 0.5 * speed * (1.0 - np.cos(math.pi * t / lasts)), speed)
    way = np.concatenate([[0.0], np.cumsum(0.5 * (pace[1:] + pace[:-1])) * 0.01])
    stands_m = 0.5 * setting.lane_m + setting.between(0.3, 2.0)
    across_m = (stands_m + setting.between(-0.5, 0.5)) / abs(math.sin(math.radians(angle)))
    # Seen from the end of the window, it is on the ego's line when the touch is foreseen.
    since_s = float(np.interp(across_m, way + pace * ask.min_ttc_s, t))
    gone = np.interp(setting.seconds - setting.duration_s + since_s, t, way, left=0.0)
    start_m = stands_m / abs(math.sin(math.radians(angle)))
    return Plan(other=_across("person", gone - start_m, angle))


def _angle(setting: Setting, ask: Ask) -> float:
    if ask.angle_deg is not None:
        return ask.angle_deg
    return setting.side() * setting.between(60.0, 120.0)


def _across(asset: str, gone_m: np.ndarray, angle_deg: float) -> Course:
    """On a straight line through the anchor, at an angle to the road."""
    angle = math.radians(angle_deg)
    return Course(
        asset=asset, along_m=gone_m * math.cos(angle), left_m=gone_m * math.sin(angle),
        facing_rad=angle, straight=True,
    )  # fmt: skip
