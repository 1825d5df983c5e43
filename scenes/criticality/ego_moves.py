"""Families in which the ego does what it did not do: changes lanes, gives way, turns about."""

import math

import numpy as np

from scenes.criticality.ahead import CARS, SLOWER_MPS
from scenes.criticality.oncoming import SPEEDS_MPS
from scenes.criticality.reaction import braked_m, ego_stops
from scenes.criticality.setting import Course, EncounterPlan, Goal, Setting, speed_for
from scenes.edits.ego import LaneChange
from scenes.edits.ego_paths import EgoDetour
from scenes.edits.ego_u_turn import EgoUTurn
from scenes.errors import InfeasibleError

MOSTLY = 0.6
"""After this share of its duration four fifths of a lane change are done."""
TURN_MPS, TURN_BRAKING_MPS2, ACROSS_M = 3.4, 5.0, 15.0
"""A U-turn: how fast, how hard it is braked for, how wide."""


def into_occupied_gap(setting: Setting, goal: Goal) -> EncounterPlan:
    """The ego changes lanes in front of somebody faster, or right behind somebody slower."""
    behind = setting.own_share() < 0.6
    if goal.closing_mps is not None and goal.closing_mps > setting.critical_mps - 2.0:
        behind = True
    reach = (SLOWER_MPS, 15.0)
    ego = setting.critical_mps
    low, high = (ego + reach[0], ego + reach[1]) if behind else (2.0, ego - SLOWER_MPS)
    speed = speed_for(setting, goal, 0.0, low, high)
    side = setting.side()
    lasts_s = setting.between(3.0, 3.6)
    start_us = _begins(setting, goal, lasts_s - 0.2, MOSTLY * lasts_s)
    change = LaneChange(
        offset_m=round(side * setting.lane_m, 2), start_us=start_us,
        duration_us=round(lasts_s * 1e6),
    )  # fmt: skip
    asset, aside_m = setting.one_of(*CARS[:3]), setting.between(-0.2, 0.2)
    along = braked_m(setting, goal, asset, speed, 0.8 * ego) if behind else speed * setting.seconds
    course = Course(
        asset=asset, along_m=along,
        left_m=np.full_like(setting.seconds, side * setting.lane_m + aside_m),
    )  # fmt: skip
    reacts = () if behind else ego_stops(setting, goal)
    return EncounterPlan(
        other=course, ego=(change, *reacts), ego_left_m=side * setting.lane_m, from_behind=behind
    )


def detour_oncoming(setting: Setting, goal: Goal) -> EncounterPlan:
    """The ego goes around somebody who stands in its lane, and somebody comes towards it."""
    speed = speed_for(setting, goal, 180.0, *SPEEDS_MPS)
    out_m = setting.other_side * setting.lane_m
    lasts_s = setting.between(2.9, 3.4)
    detour = EgoDetour(
        offset_m=round(out_m, 2), start_us=_begins(setting, goal, lasts_s - 0.1, MOSTLY * lasts_s),
        duration_us=round(lasts_s * 1e6), hold_us=2_000_000,
    )  # fmt: skip
    still = np.zeros_like(setting.seconds)
    # Far enough on that this is never as near as what the ego meets: steering straight again, it
    # is foreseen to go on turning, back into its lane.
    beyond_s = max(0.3, goal.min_ttc_s - 0.3 * lasts_s) + setting.between(0.8, 2.2)
    clear_s = setting.critical_s + beyond_s
    stands_m = float(setting.station_m[0]) + clear_s * float(
        setting.speed_mps[: setting.critical + 1].mean()
    )
    stopped = Course(asset=setting.one_of("car", "van"), along_m=still, left_m=still)
    asset = setting.one_of(*CARS[:3])
    course = Course(
        asset=asset, along_m=-braked_m(setting, goal, asset, speed),
        left_m=np.full_like(still, out_m + setting.between(-0.3, 0.3)), facing_rad=math.pi,
    )  # fmt: skip
    company = ((stopped, stands_m),)
    edits = (detour, *ego_stops(setting, goal))
    return EncounterPlan(other=course, company=company, ego=edits, ego_left_m=out_m)


def u_turn_oncoming(setting: Setting, goal: Goal) -> EncounterPlan:
    """The ego turns about, and somebody comes towards it on the other lane."""
    soon = math.degrees(TURN_MPS / (0.5 * ACROSS_M)) * goal.min_ttc_s * setting.between(0.7, 1.0)
    turned = min(60.0, max(25.0, 80.0 - soon))
    if goal.angle_deg is not None:
        turned = 180.0 - abs(goal.angle_deg)
    # The turn itself, drawn on, must bring it there: it is slower where that is longer ahead.
    ahead = math.radians(max(10.0, 80.0 - turned))
    turn_mps = min(TURN_MPS, 0.5 * ACROSS_M * ahead / max(goal.min_ttc_s, 0.2))
    if turn_mps < 1.5:
        longest = 0.5 * ACROSS_M * ahead / 1.5
        wrong = f"a turn is not foreseen {goal.min_ttc_s:.1f} s ahead"
        raise InfeasibleError(goal.family, wrong, f"min_ttc_s = {longest:.1f}", "time to collision")
    turning_s = math.radians(turned + 20.0) * 0.5 * ACROSS_M / turn_mps
    before = float(setting.speed_mps[: setting.critical + 1].max())
    braking_s = max(0.0, before - turn_mps) / TURN_BRAKING_MPS2
    turn = EgoUTurn(
        across_m=setting.other_side * ACROSS_M,
        start_us=_begins(setting, goal, braking_s + turning_s),
        speed_mps=round(turn_mps, 2), change_mps2=TURN_BRAKING_MPS2,
    )  # fmt: skip
    speed = speed_for(setting, goal, 180.0 - turned, *SPEEDS_MPS, ego_mps=turn_mps)
    asset = setting.one_of(*CARS[:3])
    course = Course(
        asset=asset, along_m=-braked_m(setting, goal, asset, speed),
        left_m=np.full_like(setting.seconds, setting.other_side * setting.lane_m),
        facing_rad=math.pi,
    )  # fmt: skip
    return EncounterPlan(other=course, ego=(turn,), ego_left_m=None)


def _begins(setting: Setting, goal: Goal, before_s: float, at_least_s: float | None = None) -> int:
    """The time so long before the critical one [µs]; the drive's first if that is long enough."""
    first_us = int(setting.clip.ego.time_us[0])
    start_us = setting.critical_us - round(1e6 * before_s)
    if at_least_s is not None:
        start_us = max(start_us, min(first_us, setting.critical_us - round(1e6 * at_least_s)))
    if start_us < first_us:
        wrong = f"it would have to begin {(first_us - start_us) * 1e-6:.1f} s before the drive"
        raise InfeasibleError(goal.family, wrong, "a later start_us", "outside the drive")
    return start_us
