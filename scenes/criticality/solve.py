"""Where on the road the other's course must lie for the least time to collision to be as requested.

First where both would be in one place: from there outwards the time to collision at the critical
time grows, and the place at which it is as requested is a root. It is bracketed on a coarse grid,
then cut into pieces until it is exact, all pieces at once, the smallest where a straight line
through the bracket's ends says that it is. Where the least time is met before or after that, as it
is when reactions take time to tell, the same is done with the least time of all moments.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float64, Int

from scenes.criticality.setting import ALL, STEP_US, Course, EncounterPlan, Goal, Setting, slope
from scenes.errors import InfeasibleError
from scenes.motion.geometry import plan_reach_m
from scenes.safety.definitions import Moving
from scenes.safety.time_to_collision import least_time_to_collision_s, time_to_collision_s

SCAN_STEP_M, SCAN_SPARE_M = 0.5, 4.0
"""The coarse grid, and how far beyond the boxes' lengths it reaches [m]."""
EVENLY = np.linspace(0.0, 1.0, 9)
NEARLY = np.array([-0.02, -0.004, -0.0005, 0.0, 0.0005, 0.004, 0.02])
"""Where a bracket is cut, as shares of it: everywhere, and around where the root should be."""
ROUNDS, EXACT_S = 4, 1e-4
"""How often at most, and how well the root must meet what was requested to end it earlier [s]."""
OUTWARDS_M = 30.0
"""How far out a root is looked for when the least time is met before the end [m]."""
CLOSE_S = 0.004
"""How well the root must meet what was requested [s]."""
MOMENTS = 8
"""Every how many of the moments are looked at before it is known which matter."""
STEP_S = STEP_US * 1e-6
ASIDE_M = 1.2
"""How far a course may be moved sideways to where the ego will be [m]."""
SPARE_S = 1.0
"""Times longer than requested by this much need not be known."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Solved:
    """What came out, with everything measured."""

    other: Course
    """The other's course, moved sideways to where the ego will be."""
    box: Moving
    """Its box at the times of the setting."""
    anchor_m: float
    """Where it is anchored on the road [m]."""
    min_ttc_s: float
    """Least time to collision [s]."""
    closing_mps: float
    """Closing speed at the critical time [m/s]."""
    angle_deg: float
    """Angle between headings then [degrees]."""
    at: int
    """Number of the moment of least time to collision."""


def course_moving(
    setting: Setting, course: Course, anchor_m: Float64[np.ndarray, "c"], which: slice = ALL
) -> Moving:
    """A course at every anchor [m] and time of the setting, or some successive ones of these."""
    xy, yaw = course.poses(setting.road, anchor_m, which)
    return Moving(
        place_m=xy,
        yaw=yaw,
        velocity_mps=slope(xy, STEP_S),
        yaw_rate=slope(np.unwrap(yaw, axis=1), STEP_S),
    )


def course_at(
    setting: Setting, course: Course, anchor_m: Float64[np.ndarray, "c"], at: int
) -> Moving:
    """A course at every anchor [m] and one time, from only what decides that."""
    first = max(0, at - 2)
    box = course_moving(setting, course, anchor_m, slice(first, at + 3))
    return part(box, np.s_[:, at - first : at - first + 1])


def part(box: Moving, which: Any) -> Moving:
    """Some moments of a box; `which` indexes all that comes before x and y."""
    return Moving(
        place_m=np.asarray(box.place_m[which]),
        yaw=np.asarray(box.yaw[which]),
        velocity_mps=np.asarray(box.velocity_mps[which]),
        yaw_rate=np.asarray(box.yaw_rate[which]),
    )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Search:
    """What stays the same while anchors are tried."""

    setting: Setting
    goal: Goal
    plan: EncounterPlan
    ego: Moving

    def ttc_s(
        self, anchor_m: Float64[np.ndarray, "c"], at: Int[np.ndarray, "k"]
    ) -> Float64[np.ndarray, "c"]:
        """Least time to collision of some moments, for every anchor [s]."""
        return self.least_s(anchor_m, at)[0]

    def least_s(
        self, anchor_m: Float64[np.ndarray, "c"], at: Int[np.ndarray, "k"]
    ) -> tuple[Float64[np.ndarray, "c"], Int[np.ndarray, "c"]]:
        """The same, and which moments have it."""
        if len(at) == 1:
            other = course_at(self.setting, self.plan.other, anchor_m, int(at[0]))
        else:
            other = part(course_moving(self.setting, self.plan.other, anchor_m), np.s_[:, at])
        sizes = (self.setting.clip.ego_size_m, self.plan.other.size_m)
        horizon_s = self.goal.min_ttc_s + SPARE_S
        ttc = time_to_collision_s(part(self.ego, at), sizes[0], other, sizes[1], horizon_s)
        return ttc.min(axis=1), at[np.argmin(ttc, axis=1)]

    def root_m(self, anchors_m: Float64[np.ndarray, "c"], at: Int[np.ndarray, "k"]) -> float | None:
        """The outermost anchor that gives what was requested; anchors go from near to far."""
        ttc = self.ttc_s(anchors_m, at)
        far = ttc > self.goal.min_ttc_s
        for index in np.flatnonzero(~far[:-1] & far[1:])[::-1]:
            bracket = slice(index, index + 2)
            found_m, off_s = self._within(anchors_m[bracket], ttc[bracket], at)
            if off_s <= CLOSE_S:
                return found_m
        return None

    def _within(
        self,
        anchors_m: Float64[np.ndarray, "2"],
        ttc_s: Float64[np.ndarray, "2"],
        at: Int[np.ndarray, "k"],
    ) -> tuple[float, float]:
        """The anchor in a bracket that gives about what was requested, and by how much not [s]."""
        requested, found = self.goal.min_ttc_s, (0.0, np.inf)
        for _ in range(ROUNDS):
            near_s, far_s = ttc_s
            guess = (requested - near_s) / (far_s - near_s) if np.isfinite(far_s) else 0.5
            shares = np.unique(np.clip(np.concatenate([EVENLY, guess + NEARLY]), 0.0, 1.0))
            anchors_m = anchors_m[0] + shares * (anchors_m[1] - anchors_m[0])
            ttc_s = np.concatenate([[near_s], self.ttc_s(anchors_m[1:-1], at), [far_s]])
            off_s = np.abs(ttc_s - requested)
            best = len(off_s) - 1 - int(np.argmin(off_s[::-1]))  # the outermost of equals
            found = (float(anchors_m[best]), float(off_s[best]))
            if found[1] <= EXACT_S and requested > 0.0:  # all who overlap are 0 s away
                break
            beyond = ttc_s > requested
            last = len(beyond) - 2 - int(np.argmin(beyond[-2::-1]))
            anchors_m, ttc_s = anchors_m[last : last + 2], ttc_s[last : last + 2]
        return found


def solve(setting: Setting, goal: Goal, plan: EncounterPlan, ego: Moving) -> Solved:
    """Anchor the other's course.

    Args:
        setting: Where and when.
        goal: What is requested.
        plan: What everybody does.
        ego: The ego's box, as it is after the plan's edits, at the times of the setting.

    Raises:
        InfeasibleError: Nowhere on the road does this course give what was requested.
    """
    search = _aimed(_Search(setting=setting, goal=goal, plan=plan, ego=ego))
    solved = _at_critical(search) if goal.crash else _whenever(search)
    if solved is None:
        wrong = f"no place on the road gives a least time to collision of {goal.min_ttc_s:.2f} s"
        fix = "another min_ttc_s, closing_mps or angle_deg"
        raise InfeasibleError(goal.family, wrong, fix, "time to collision")
    return solved


def _at_critical(search: _Search) -> Solved | None:
    """With the touch at the critical time; None where that cannot be had."""
    anchor_m = search.root_m(_anchors(search), np.array([search.setting.critical]))
    return None if anchor_m is None else _measured(search, anchor_m)


def _whenever(search: _Search) -> Solved | None:
    """With the least time of all moments as requested; None where that cannot be had."""
    setting, requested = search.setting, search.goal.min_ttc_s
    outwards, critical = -1.0 if search.plan.from_behind else 1.0, setting.critical
    # What comes before anybody reacts is quickly found, and a start: reactions take time to tell,
    # so the anchor is further out.
    anchors_m = _anchors(search)
    near = np.flatnonzero(search.ttc_s(anchors_m, np.array([critical])) <= requested)
    start_m = anchors_m[near[-1]] if len(near) else anchors_m[0]
    everywhere = np.arange(len(setting.time_us))
    coarse = np.unique(np.append(everywhere[::MOMENTS], [critical, everywhere[-1]]))
    tried_m = start_m + outwards * np.arange(-SCAN_STEP_M, OUTWARDS_M, 2.0 * SCAN_STEP_M)
    ttc, at = search.least_s(tried_m, coarse)
    for index in np.flatnonzero((ttc[:-1] <= requested) & (ttc[1:] > requested))[::-1]:
        moments = _dense(coarse, at[index : index + 2], len(everywhere))
        around_m = tried_m[index] + outwards * SCAN_STEP_M * np.arange(-2.0, 7.0)
        for _ in range(2):
            anchor_m = search.root_m(around_m, moments)
            if anchor_m is None:
                break
            solved = _measured(search, anchor_m)
            if abs(solved.min_ttc_s - requested) <= CLOSE_S:
                return solved
            moments = _dense(moments, np.array([solved.at]), len(everywhere))
    return None


def _dense(
    moments: Int[np.ndarray, "k"], around: Int[np.ndarray, "j"], count: int
) -> Int[np.ndarray, "m"]:
    """Some moments, and all that are near to some."""
    more = around[:, None] + np.arange(1 - MOMENTS, MOMENTS)
    return np.unique(np.concatenate([moments, np.clip(more.ravel(), 0, count - 1)]))


def _aimed(search: _Search) -> _Search:
    """With the other's course moved sideways to where the ego, turning as it does, will be."""
    plan, road = search.plan, search.setting.road
    if plan.ego_left_m is None:
        return search
    end = search.setting.critical
    there = _foreseen(part(search.ego, end), search.goal.min_ttc_s)
    centre_m = _centre_m(search)
    other = course_at(search.setting, plan.other, np.array([centre_m]), end)
    apart = _foreseen(part(other, np.s_[0, -1]), search.goal.min_ttc_s) - there
    _, ahead = road.frame(road.station_m(there[None]))
    left = plan.other.left_m
    slope_mps = (left[end] - left[end - 1]) / STEP_S
    meant_m = left[end] + slope_mps * search.goal.min_ttc_s - plan.ego_left_m
    off_m = float(meant_m - (ahead[0, 0] * apart[1] - ahead[0, 1] * apart[0]))
    aimed = replace(plan.other, left_m=left + np.clip(off_m, -ASIDE_M, ASIDE_M))
    return replace(search, plan=replace(plan, other=aimed))


def _foreseen(box: Moving, after_s: float) -> Float64[np.ndarray, "2"]:
    """Where a box is after some time if it goes on as it does [m]."""
    half = 0.5 * float(box.yaw_rate) * after_s
    cosine, sine = np.cos(half), np.sin(half)
    chord = np.array([[cosine, -sine], [sine, cosine]]) @ box.velocity_mps
    return box.place_m + after_s * np.sinc(half / np.pi) * chord


def _centre_m(search: _Search) -> float:
    """The anchor with which both would be in one place when the touch is foreseen [m]."""
    after_s, along, end = search.goal.min_ttc_s, search.plan.other.along_m, search.setting.critical
    there = _foreseen(part(search.ego, end), after_s)
    speed = (along[end] - along[end - 1]) / STEP_S
    return float(search.setting.road.station_m(there[None])[0] - along[end] - speed * after_s)


def _anchors(search: _Search) -> Float64[np.ndarray, "c"]:
    """Anchors from where both would be in one place outwards [m]."""
    size_m, ego_m = search.plan.other.size_m, float(search.setting.clip.ego_size_m[0])
    reach_m = float(plan_reach_m(size_m)) + 0.5 * ego_m + SCAN_SPARE_M
    steps = np.arange(-reach_m, reach_m + SCAN_STEP_M, SCAN_STEP_M)
    return _centre_m(search) + (-steps if search.plan.from_behind else steps)


def _measured(search: _Search, anchor_m: float) -> Solved:
    setting, plan, ego = search.setting, search.plan, search.ego
    other = part(course_moving(setting, plan.other, np.array([anchor_m])), 0)
    sizes = (setting.clip.ego_size_m, plan.other.size_m)
    horizon_s = search.goal.min_ttc_s + SPARE_S
    least_s, at = least_time_to_collision_s(ego, sizes[0], other, sizes[1], horizon_s)
    then = setting.critical
    angle = np.degrees(other.yaw[then] - ego.yaw[then])
    return Solved(
        other=plan.other,
        box=other,
        anchor_m=anchor_m,
        min_ttc_s=least_s,
        closing_mps=float(np.hypot(*(other.velocity_mps[then] - ego.velocity_mps[then]))),
        angle_deg=float(180.0 - (180.0 - angle) % 360.0),
        at=at,
    )
