"""Who judges a staged encounter.

It is refused where somebody does what nobody of that kind can do, drives where nobody can, where
boxes overlap that need not, or where somebody else comes nearer to the ego than the one who was
requested. Recorded road users who move are taken out of the way; those who stand are part of the
place.
"""

import numpy as np
from jaxtyping import Float64

from scenes.criticality.drive import EVERY, Drive, Others
from scenes.criticality.meeting import met
from scenes.criticality.setting import Course, Goal, Setting
from scenes.criticality.solve import part
from scenes.errors import InfeasibleError
from scenes.motion.geometry import rigid, yaw_rotation
from scenes.motion.kinematics import exact_motion
from scenes.motion.limits import breach, limits_of
from scenes.motion.trajectory import Trajectory
from scenes.road.drivable import Answer, DrivableSurface
from scenes.safety.clearance import MOST_UNMEASURED, SOLID, UNMEASURED, unmeasured_share
from scenes.safety.definitions import Moving, separation_m
from scenes.safety.time_to_collision import least_time_to_collision_s, time_to_collision_s

SPARE_S = 0.05
"""Nobody else may come nearer than what was requested by more than this [s]."""


def check_surface(
    goal: Goal, who: str, box: Moving, surface: DrivableSurface, *, on_foot: bool = False
) -> float:
    """The share of a way on which nobody knows whether one can drive there.

    Raises:
        InfeasibleError: Somebody who drives leaves the surface.
    """
    places = box.place_m[::EVERY]
    answers = surface.contains(places)
    if not on_foot and np.any(answers == Answer.NO):
        x_m, y_m = places[answers == Answer.NO][0]
        wrong = f"{who} would be off the road at {x_m:.1f}, {y_m:.1f}"
        raise InfeasibleError(goal.family, wrong, "another start_us or lane_m", "off the road")
    return float(np.mean(answers == Answer.UNKNOWN))


def check_room(
    goal: Goal,
    drive: Drive,
    who: str,
    size_m: Float64[np.ndarray, "3"],
    box: Moving,
) -> float:
    """The share of a way of which the drive measured nothing.

    Raises:
        InfeasibleError: Something solid is in the way, or nobody knows of too much of it.
    """
    share = unmeasured_share(drive.solid, box.place_m)
    if share > MOST_UNMEASURED and not drive.allow_unmeasured:
        wrong = f"the drive measured nothing on {100.0 * share:.0f} % of the way of {who}"
        fix = "another start_us, or allow_unmeasured = true where you know that it is free"
        raise InfeasibleError(goal.family, wrong, fix, UNMEASURED)
    found = drive.solid.inside(drive.poses(box.place_m, box.yaw, size_m), size_m)
    if found is not None:
        wrong = f"{who} would go through something: {found.describe()}"
        raise InfeasibleError(goal.family, wrong, "another start_us or lane_m", SOLID)
    return share


def check_course(goal: Goal, course: Course, box: Moving, setting: Setting) -> None:
    """Refuse what nobody of that kind can do.

    Raises:
        InfeasibleError: Somebody would break a limit of their kind.
    """
    place = np.pad(box.place_m, ((0, 0), (0, 1)))
    path = Trajectory(time_us=setting.time_us, world_from_body=rigid(yaw_rotation(box.yaw), place))
    moved = exact_motion(path)
    broken = breach(moved, None, limits_of(course.kind))
    if broken is not None:
        wrong = f"a {course.asset} would need {broken.describe()}"
        raise InfeasibleError(goal.family, wrong, "another closing_mps", broken.limit)


def check_company(
    setting: Setting,
    goal: Goal,
    cast: list[tuple[Course, float]],
    boxes: list[Moving],
    ego: Moving,
) -> None:
    """Refuse overlaps within the cast, and company that comes nearer than the other.

    Raises:
        InfeasibleError: There is one.
    """
    size_m = setting.clip.ego_size_m
    gap = separation_m(ego, size_m, boxes[0], cast[0][0].size_m)
    if gap[0] <= 0.0 or (goal.min_ttc_s > 0.0 and gap.min() <= 0.0):
        when = "at the start" if gap[0] <= 0.0 else "on the way"
        wrong = f"the boxes overlap {when}"
        raise InfeasibleError(goal.family, wrong, "a shorter duration_s", "overlap")
    for (course, _), box in zip(cast[1:], boxes[1:], strict=True):
        if separation_m(box, course.size_m, boxes[0], cast[0][0].size_m).min() <= 0.0:
            wrong = "two of the road users it needs overlap"
            raise InfeasibleError(goal.family, wrong, "another min_ttc_s", "overlap")
        horizon_s = goal.min_ttc_s + SPARE_S
        least_s, _ = least_time_to_collision_s(ego, size_m, box, course.size_m, horizon_s)
        if least_s < goal.min_ttc_s - SPARE_S:
            wrong = f"a {course.asset} it needs is {least_s:.2f} s from the ego"
            raise InfeasibleError(goal.family, wrong, "a smaller min_ttc_s", "nearer company")


def in_the_way(
    others: Others,
    setting: Setting,
    goal: Goal,
    cast: list[tuple[Course, float]],
    boxes: list[Moving],
    ego: Moving,
    *,
    acts: bool,
) -> list[int]:
    """Recorded road users who must go for this, by id.

    Raises:
        InfeasibleError: One of them stands.
    """
    hit = np.zeros(len(others.ids), dtype=bool)
    for (course, _), box in zip(cast, boxes, strict=True):
        hit |= met(others, course.size_m, box, setting.time_us)
    own, size_m = part(ego, np.s_[::EVERY]), setting.clip.ego_size_m
    ttc = time_to_collision_s(own, size_m, others.boxes, others.size_m, goal.min_ttc_s)
    nearer = np.any((ttc < goal.min_ttc_s - SPARE_S) & others.known, axis=1)
    gone: list[int] = []
    for number, moves, overlaps, is_nearer in zip(
        others.ids, others.moves, hit.tolist(), nearer.tolist(), strict=True
    ):
        plays = cast[0][0].actor is not None and cast[0][0].actor.id == number
        if plays or not (overlaps or is_nearer):
            continue
        if moves:
            gone.append(number)
        elif overlaps or acts:
            wrong = f"actor {number}, who stands, is in the way"
            raise InfeasibleError(goal.family, wrong, "another start_us", "somebody stands there")
    return gone
