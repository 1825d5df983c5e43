"""From a goal to plain edits."""

from dataclasses import dataclass, replace

import numpy as np

from scenes.actor import Actor
from scenes.criticality import FAMILIES
from scenes.criticality.drive import EVERY, Drive, Window
from scenes.criticality.judge import (
    check_company,
    check_course,
    check_room,
    check_surface,
    in_the_way,
)
from scenes.criticality.setting import (
    ANGLE_TOLERANCE_DEG,
    BEFORE_S,
    CLOSING_TOLERANCE_MPS,
    STEP_US,
    Course,
    EncounterPlan,
    Goal,
    Setting,
    Share,
)
from scenes.criticality.solve import Solved, course_moving, part, solve
from scenes.edits import Edit, EgoEdit, ego_after
from scenes.edits.actor_looks import InsertActor
from scenes.edits.actor_motion import FollowPath
from scenes.edits.actors import RemoveActor, RetimeActor
from scenes.edits.ego_paths import EgoSpeed
from scenes.errors import InfeasibleError
from scenes.motion.limits import check_limits
from scenes.safety.boxes import ego_boxes, windowed
from scenes.safety.definitions import Moving, moving
from scenes.semantics import Semantic
from scenes.work.memoize import memoized

PLACES = 7
"""Knots are written to a ten millionth of a metre."""
REPAIRS = 3
"""How often a plan is made again when closing speed or angle came out otherwise than requested."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class StagedEncounter:
    """An encounter that holds what was requested."""

    edits: tuple[Edit, ...]
    """What makes it, in order."""
    actor: int
    """Track id of the other."""
    solved: Solved
    """What came out."""
    unknown_share: float
    """Share of the other's course on which nobody knows whether one can drive there."""
    unmeasured_share: float
    """Share of it of which the drive measured nothing at all."""
    start_us: int
    """First time of the window [µs]."""
    end_us: int
    """Its last [µs]."""
    critical_us: int
    """When the first reacts [µs]."""
    worst_us: int
    """When the time to collision is least [µs]."""


def stage(
    drive: Drive,
    window: Window,
    setting: Setting,
    goal: Goal,
    asset: str | None = None,
    actor: int | None = None,
    start_us: int | None = None,
    wish: Goal | None = None,
) -> StagedEncounter:
    """Solve for what is requested and judge what comes out.

    Args:
        drive: Where.
        window: The drive around it.
        setting: When; its own numbers decide what is not requested.
        goal: What is requested.
        asset: Who takes the other's part; chosen by the family when left out.
        actor: The recorded road user who takes it instead, by track id.
        start_us: When the window begins [µs]; as the worst moment wants it when left out.
        wish: Values that are preferred beyond that, and need not come out.

    Raises:
        InfeasibleError: It cannot be staged like this, at this time.
    """
    numbers: list[float] = []

    def again() -> Share:
        """The same numbers every time a plan is made."""
        place = iter(range(10**6))

        def share() -> float:
            at = next(place)
            while len(numbers) <= at:
                numbers.append(setting.own_share())
            return numbers[at]

        return share

    tried = goal if wish is None else wish
    for repair in range(REPAIRS):
        plan = FAMILIES[goal.family].plan(replace(setting, own_share=again()), tried)
        if asset is not None:
            plan = replace(plan, other=replace(plan.other, asset=asset))
        if actor is not None:
            plan = replace(plan, other=replace(plan.other, actor=_player(drive, plan, goal, actor)))
        ego = _driven(drive, plan, window)
        solved = solve(setting, tried, plan, ego)
        closing_off, angle_off = _off(goal, solved)
        near = abs(closing_off) <= 0.5 * CLOSING_TOLERANCE_MPS
        if (near and abs(angle_off) < ANGLE_TOLERANCE_DEG) or repair == REPAIRS - 1:
            _check_values(goal, solved)
            kept = _kept(setting, goal, solved, start_us)
            plan = replace(plan, other=solved.other)
            return _judged(drive, window, setting, goal, plan, solved, ego, kept)
        tried = replace(
            tried,
            closing_mps=None if tried.closing_mps is None else tried.closing_mps + closing_off,
            angle_deg=None if tried.angle_deg is None else tried.angle_deg + angle_off,
        )
    raise AssertionError("the last repair returns or refuses")


def _driven(drive: Drive, plan: EncounterPlan, window: Window) -> Moving:
    """The ego's box after the plan's edits; only what happens around the window counts."""
    return _after(drive, plan.ego, window) if plan.ego else window.ego


@memoized(1024)
def _after(drive: Drive, edits: tuple[EgoEdit, ...], window: Window) -> Moving:
    ego = drive.clip.ego
    if not all(isinstance(edit, EgoSpeed) for edit in edits):  # any car can brake
        check_limits(ego, edits, where="ego", suggest=False)
    for edit in edits:
        ego = ego_after(edit, ego)
    boxes = windowed(ego_boxes(ego, drive.clip), *(int(at) for at in window.time_us[[0, -1]]))
    return moving(boxes, window.time_us)


def _kept(setting: Setting, goal: Goal, solved: Solved, start_us: int | None) -> slice:
    """Which times are the window: it has `duration_s`, and enough after the worst moment.

    Raises:
        InfeasibleError: The drive, or the window that was requested, ends too soon after it.
    """
    steps = round(goal.duration_s * 1e6 / STEP_US) // EVERY * EVERY
    after = round(goal.after_s * 1e6 / STEP_US)
    worst = max(solved.at, setting.critical)
    last = steps if start_us is not None else max(steps, -(-(worst + after) // EVERY) * EVERY)
    last = min(last, worst + after) if goal.crash else last
    first = max(0, last - steps) // EVERY * EVERY
    before = round(BEFORE_S * 1e6 / STEP_US)
    if last >= len(setting.time_us) or worst + after > last:
        wrong = f"less than {goal.after_s:g} s come after the worst moment"
        fix = "an earlier start_us, or a longer duration_s"
        raise InfeasibleError(goal.family, wrong, fix, "outside the drive")
    if solved.at - first < before and not goal.crash:
        wrong = f"less than {BEFORE_S:g} s come before the worst moment"
        raise InfeasibleError(goal.family, wrong, "a later start_us", "outside the drive")
    return slice(first, last + 1)


WHEELS = (Semantic.CAR, Semantic.VAN, Semantic.TRUCK, Semantic.BUS)
"""Kinds that may stand in for each other."""


def _player(drive: Drive, plan: EncounterPlan, goal: Goal, number: int) -> Actor:
    """The recorded road user who takes the other's part.

    Raises:
        InfeasibleError: There is none, or it is of a kind that does not do this.
    """
    known = {actor.id: actor for actor in drive.clip.actors}
    if number not in known:
        fix = f"actor = one of {', '.join(map(str, known)) or 'none: the drive has no road users'}"
        raise InfeasibleError(goal.family, f"there is no actor {number}", fix, "no such actor")
    player, meant = known[number], plan.other.kind
    if player.kind != meant and not (player.kind in WHEELS and meant in WHEELS):
        wrong = f"actor {number} is a {player.kind.name.lower()}, not a {meant.name.lower()}"
        raise InfeasibleError(goal.family, wrong, "another actor or family", "another kind")
    return player


def _off(goal: Goal, solved: Solved) -> tuple[float, float]:
    """By how much less closing speed [m/s] and angle [degrees] came out than requested."""
    closing = 0.0 if goal.closing_mps is None else goal.closing_mps - solved.closing_mps
    angle = 0.0 if goal.angle_deg is None else goal.angle_deg - solved.angle_deg
    return closing, 180.0 - (180.0 - angle) % 360.0


def _check_values(goal: Goal, solved: Solved) -> None:
    closing_off, angle_off = _off(goal, solved)
    for name, off, most, value, reason in (
        ("closing_mps", closing_off, CLOSING_TOLERANCE_MPS, solved.closing_mps, "closing speed"),
        ("angle_deg", angle_off, ANGLE_TOLERANCE_DEG, solved.angle_deg, "angle"),
    ):
        if abs(off) > most:
            wrong = f"{name} comes out as {value:.1f}, not {value + off:.1f}"
            raise InfeasibleError(goal.family, wrong, f"{name} = {value:.1f}", reason)


def _judged(
    drive: Drive, window: Window, setting: Setting, goal: Goal, plan: EncounterPlan, solved: Solved,
    ego: Moving, kept: slice,
) -> StagedEncounter:  # fmt: skip
    cast = [(plan.other, solved.anchor_m), *plan.company]
    boxes = [solved.box]
    boxes += [part(course_moving(setting, c, np.array([at])), 0) for c, at in plan.company]
    ego, boxes = part(ego, kept), [part(box, kept) for box in boxes]
    setting = replace(
        setting, time_us=setting.time_us[kept], station_m=setting.station_m[kept],
        speed_mps=setting.speed_mps[kept], critical=setting.critical - kept.start,
    )  # fmt: skip
    acts = FAMILIES[goal.family].ego_acts
    if acts:
        check_surface(goal, "the ego", ego, drive.surface)
    for (course, _), box in zip(cast, boxes, strict=True):
        check_course(goal, course, box, setting)
    unknown = [
        check_surface(
            goal, f"a {course.asset}", box, drive.surface, on_foot=course.kind == Semantic.PERSON
        )
        for (course, _), box in zip(cast, boxes, strict=True)
    ]
    bodies = [(f"a {course.asset}", course.size_m, box) for (course, _), box in
              zip(cast, boxes, strict=True)]  # fmt: skip
    if acts:
        bodies.append(("the ego", setting.clip.ego_size_m, ego))
    unmeasured = [check_room(goal, drive, *body) for body in bodies]
    check_company(setting, goal, cast, boxes, ego)
    gone: list[int] = []
    if window.others is not None:
        others = window.others.during(slice(kept.start // EVERY, (kept.stop - 1) // EVERY + 1))
        gone = in_the_way(others, setting, goal, cast, boxes, ego, acts=acts)
    taken = max((actor.id for actor in drive.clip.actors), default=0)
    numbers = [taken + 1 + place for place in range(len(cast))]
    if plan.other.actor is not None:
        numbers[0] = plan.other.actor.id
    edits: list[Edit] = [RemoveActor(actor=number) for number in gone]
    for number, (course, _), box in zip(numbers, cast, boxes, strict=True):
        edits += _played(number, course, box, setting)
    edits += plan.ego  # last: whoever is inserted before does not depend on what the ego does
    return StagedEncounter(
        edits=tuple(edits), actor=numbers[0], solved=solved, unknown_share=unknown[0],
        unmeasured_share=unmeasured[0],
        start_us=int(setting.time_us[0]), end_us=int(setting.time_us[-1]),
        critical_us=setting.critical_us,
        worst_us=int(setting.time_us[solved.at - kept.start]),
    )  # fmt: skip


def _played(number: int, course: Course, box: Moving, setting: Setting) -> list[Edit]:
    """The edits that put somebody on a course."""
    start_us = int(setting.time_us[0])
    x_m, y_m = box.place_m.round(PLACES).T.tolist()
    path = FollowPath(
        actor=number,
        time_us=tuple(setting.time_us.tolist()),
        x_m=tuple(x_m),
        y_m=tuple(y_m),
        yaw_rad=tuple(np.unwrap(box.yaw).round(PLACES).tolist()),
    )
    if course.actor is None:
        return [InsertActor(actor=number, asset=course.asset, start_us=start_us), path]
    shift_us = start_us - int(course.actor.trajectory.time_us[0])
    return [RetimeActor(actor=number, shift_us=shift_us), path]  # nobody is where it was before
