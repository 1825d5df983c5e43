"""Where on the road the other's course must lie for the least time to collision to be as asked.

First where both would be in one place: from there outwards the time to collision at the end of
the window grows, and the place at which it is what was asked is a root. It is bracketed on a
coarse grid, then cut into `PIECES` until it is exact, all pieces at once. Where the least time is
met before the end of the window, the same is done with the least time of all moments.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float64, Int

from scenes.families.setting import STEP_US, Ask, Course, Plan, Setting
from scenes.infeasible import InfeasibleError
from scenes.safety import Moving
from scenes.sweep import time_to_collision_s

SCAN_STEP_M, SCAN_SPARE_M = 0.5, 4.0
"""The coarse grid, and how far beyond the boxes' lengths it reaches [m]."""
PIECES, ROUNDS = 12, 3
"""A bracket is cut into so many pieces, so many times: to a third of a millimetre."""
OUTWARDS_M = 40.0
"""How far out a root is looked for when the least time is met before the end [m]."""
CLOSE_S = 0.004
"""How well the root must meet what was asked [s]."""
TOUCH_BEFORE_END = 10
"""A collision that was asked for begins this many steps before the end of the window."""
STEP_S = STEP_US * 1e-6
ASIDE_M = 1.2
"""How far a course may be moved sideways to where the ego will be [m]."""
SPARE_S = 1.0
"""Times longer than asked by this much need not be known."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Solved:
    """What came out, with everything measured."""

    other: Course
    """The other's course, moved sideways to where the ego will be."""
    anchor_m: float
    """Where it is anchored on the road [m]."""
    min_ttc_s: float
    """Least time to collision [s]."""
    closing_mps: float
    """Closing speed at that moment [m/s]."""
    angle_deg: float
    """Angle between headings at that moment [degrees]."""


def course_moving(setting: Setting, course: Course, anchor_m: Float64[np.ndarray, "c"]) -> Moving:
    """A course at every anchor [m] and time of the setting."""
    xy, yaw = course.poses(setting.road, anchor_m)
    return Moving(
        place_m=xy,
        yaw=yaw,
        velocity_mps=np.gradient(xy, STEP_S, axis=1),
        yaw_rate=np.gradient(np.unwrap(yaw, axis=1), STEP_S, axis=1),
    )


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
    ask: Ask
    plan: Plan
    ego: Moving

    def ttc_s(
        self, anchor_m: Float64[np.ndarray, "c"], at: Int[np.ndarray, "k"]
    ) -> Float64[np.ndarray, "c"]:
        """Least time to collision of some moments, for every anchor [s]."""
        other = part(course_moving(self.setting, self.plan.other, anchor_m), np.s_[:, at])
        ego = part(self.ego, at)
        sizes = (self.setting.clip.ego_size_m, self.plan.other.size_m)
        horizon_s = self.ask.min_ttc_s + SPARE_S
        return time_to_collision_s(ego, sizes[0], other, sizes[1], horizon_s).min(axis=1)

    def root_m(self, anchors_m: Float64[np.ndarray, "c"], at: Int[np.ndarray, "k"]) -> float | None:
        """The outermost anchor that gives what was asked; anchors go from near to far."""
        asked = self.ask.min_ttc_s
        far = self.ttc_s(anchors_m, at) > asked
        for index in np.flatnonzero(~far[:-1] & far[1:])[::-1]:
            near_m, far_m = anchors_m[index], anchors_m[index + 1]
            for _ in range(ROUNDS):
                tried = np.linspace(near_m, far_m, PIECES + 1)
                beyond = self.ttc_s(tried[1:-1], at) > asked
                cut = len(beyond) - int(np.argmin(beyond[::-1])) if not beyond.all() else 0
                near_m, far_m = tried[cut], tried[cut + 1]
            if abs(self.ttc_s(np.array([near_m]), at)[0] - asked) <= CLOSE_S:
                return float(near_m)
        return None


def solve(setting: Setting, ask: Ask, plan: Plan, ego: Moving) -> Solved:
    """Anchor the other's course.

    Args:
        setting: Where and when.
        ask: What is asked.
        plan: What everybody does.
        ego: The ego's box, as it is after the plan's edits, at the times of the setting.

    Raises:
        InfeasibleError: Nowhere on the road does this course give what was asked.
    """
    search = _aimed(_Search(setting=setting, ask=ask, plan=plan, ego=ego))
    anchors_m = _anchors(search)
    last = len(setting.time_us) - 1 - (0 if ask.min_ttc_s > 0.0 else TOUCH_BEFORE_END)
    anchor_m = search.root_m(anchors_m, np.array([last]))
    everywhere = np.arange(len(setting.time_us))
    least = np.inf if anchor_m is None else search.ttc_s(np.array([anchor_m]), everywhere)[0]
    if abs(least - ask.min_ttc_s) > CLOSE_S:
        coarse = np.append(everywhere[:-1:5], everywhere[-1])
        outwards = -1.0 if plan.from_behind else 1.0
        start_m = anchors_m[0] if anchor_m is None else anchor_m - outwards
        tried = start_m + outwards * np.arange(0.0, OUTWARDS_M, 1.0)
        anchor_m = search.root_m(tried, coarse)
    if anchor_m is None:
        wrong = f"no place on the road gives a least time to collision of {ask.min_ttc_s:.2f} s"
        fix = "another min_ttc_s, closing_mps or angle_deg"
        raise InfeasibleError(ask.family, wrong, fix, "time to collision")
    return _measured(search, anchor_m)


def _aimed(search: _Search) -> _Search:
    """With the other's course moved sideways to where the ego, turning as it does, will be."""
    plan, road = search.plan, search.setting.road
    if plan.ego_left_m is None:
        return search
    there = _foreseen(part(search.ego, -1), search.ask.min_ttc_s)
    centre_m = _centre_m(search)
    other = course_moving(search.setting, plan.other, np.array([centre_m]))
    apart = _foreseen(part(other, np.s_[0, -1]), search.ask.min_ttc_s) - there
    _, ahead = road.frame(road.station_m(there[None]))
    left = plan.other.left_m
    meant_m = left[-1] + (left[-1] - left[-2]) / STEP_S * search.ask.min_ttc_s - plan.ego_left_m
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
    after_s, along = search.ask.min_ttc_s, search.plan.other.along_m
    there = _foreseen(part(search.ego, -1), after_s)
    speed = (along[-1] - along[-2]) / STEP_S
    return float(search.setting.road.station_m(there[None])[0] - along[-1] - speed * after_s)


def _anchors(search: _Search) -> Float64[np.ndarray, "c"]:
    """Anchors from where both would be in one place outwards [m]."""
    size_m, ego_m = search.plan.other.size_m, float(search.setting.clip.ego_size_m[0])
    reach_m = 0.5 * (float(np.hypot(*size_m[:2])) + ego_m) + SCAN_SPARE_M
    steps = np.arange(-reach_m, reach_m + SCAN_STEP_M, SCAN_STEP_M)
    return _centre_m(search) + (-steps if search.plan.from_behind else steps)


def _measured(search: _Search, anchor_m: float) -> Solved:
    setting, plan, ego = search.setting, search.plan, search.ego
    other = part(course_moving(setting, plan.other, np.array([anchor_m])), 0)
    sizes = (setting.clip.ego_size_m, plan.other.size_m)
    ttc = time_to_collision_s(ego, sizes[0], other, sizes[1], search.ask.min_ttc_s + SPARE_S)
    at = int(np.argmin(ttc))
    angle = np.degrees(other.yaw[at] - ego.yaw[at])
    return Solved(
        other=plan.other,
        anchor_m=anchor_m,
        min_ttc_s=float(ttc[at]),
        closing_mps=float(np.linalg.norm(other.velocity_mps[at] - ego.velocity_mps[at])),
        angle_deg=float(180.0 - (180.0 - angle) % 360.0),
    )
