"""What keeps a near-collision from becoming a collision: somebody brakes, or steers back.

Until the critical time everybody does what brings them near; whoever reacts does so from then on.
Where a collision is requested, nobody does.
"""

import numpy as np

from scenes.criticality.setting import Goal, Profile, Setting
from scenes.edits.assets import find_asset
from scenes.edits.ego_paths import EgoSpeed
from scenes.edits.routes import ramp_m
from scenes.motion.limits import limits_of

EGO_BRAKING_MPS2 = (6.0, 7.0, 8.0, 8.5)
"""How hard the ego brakes: hard braking to an emergency's. Few values, so that many scenarios
share what is made of one [m/s²]."""
OTHERS_BRAKING = (0.7, 0.95)
"""How hard others do, as a share of what their kind can."""
SLOWEST_MPS = 0.5
"""Who is slower than this does not brake."""


def ego_stops(setting: Setting, goal: Goal) -> tuple[EgoSpeed, ...]:
    """The ego brakes to a stop on its way."""
    rate = EGO_BRAKING_MPS2[int(setting.own_share() * len(EGO_BRAKING_MPS2))]
    if goal.crash or setting.critical_mps < SLOWEST_MPS:
        return ()
    return (EgoSpeed(start_us=setting.critical_us, speed_mps=0.0, change_mps2=rate),)


def braked_m(
    setting: Setting, goal: Goal, asset: str, speed_mps: float, to_mps: float = 0.0
) -> Profile:
    """The way of somebody uniform who brakes to a speed, since the first time [m]."""
    rate = setting.between(*OTHERS_BRAKING) * limits_of(find_asset(asset).kind).braking_mps2
    if goal.crash or to_mps >= speed_mps:
        return speed_mps * setting.seconds
    since_s = setting.since_s
    before = speed_mps * (setting.critical_s + np.minimum(since_s, 0.0))
    return before + ramp_m(since_s, speed_mps, to_mps, rate)
