"""Who judges a staged encounter.

It is refused where somebody does what nobody of that kind can do, drives where nobody can, where
boxes overlap that need not, or where somebody else comes nearer to the ego than the one who was
asked for. Recorded road users who move are taken out of the way; those who stand are part of the
place.
"""

import numpy as np
from jaxtyping import Bool, Float64

from scenes.actor import Actor
from scenes.assets import find_asset
from scenes.clip import Clip
from scenes.drivable import Answer, DrivableSurface
from scenes.families.setting import Ask, Course, Setting
from scenes.families.solve import part
from scenes.geometry import rigid, yaw_rotation
from scenes.infeasible import InfeasibleError
from scenes.limits import breach, limits_of
from scenes.motion import Motion, exact_motion
from scenes.safety import Moving, moving, separation_m
from scenes.semantics import Semantic
from scenes.sweep import time_to_collision_s
from scenes.trajectory import Trajectory

EVERY = 5
"""Others are compared at every fifth moment: 0.1 s apart."""
SPARE_S = 0.05
"""Nobody else may come nearer than what was asked by more than this [s]."""


def check_surface(ask: Ask, course: Course, box: Moving, surface: DrivableSurface) -> float:
    """The share of a course on which nobody knows whether one can drive there.

    Raises:
        InfeasibleError: Somebody who drives leaves the surface.
    """
    answers = surface.contains(box.place_m[::EVERY])
    on_foot = find_asset(course.asset).kind == Semantic.PERSON
    if not on_foot and np.any(answers == Answer.NO):
        x_m, y_m = box.place_m[::EVERY][answers == Answer.NO][0]
        wrong = f"a {course.asset} would be off the road at {x_m:.1f}, {y_m:.1f}"
        raise InfeasibleError(ask.family, wrong, "another start_us or lane_m", "off the road")
    return float(np.mean(answers == Answer.UNKNOWN))


def check_course(ask: Ask, course: Course, box: Moving, setting: Setting) -> None:
    """Refuse what nobody of that kind can do.

    Raises:
        InfeasibleError: Somebody would break a limit of their kind.
    """
    kind = find_asset(course.asset).kind
    place = np.pad(box.place_m, ((0, 0), (0, 1)))
    path = Trajectory(time_us=setting.time_us, world_from_body=rigid(yaw_rotation(box.yaw), place))
    moved = exact_motion(path)
    still = np.zeros(len(path))
    nothing = Motion(
        time_us=path.time_us, speed_mps=still, curvature_per_m=still, lateral_mps2=still,
        lateral_jerk_mps3=still, forward_mps2=still,
    )  # fmt: skip
    broken = breach(moved, nothing, limits_of(kind))
    if broken is not None:
        wrong = f"a {course.asset} would need {broken.describe()}"
        raise InfeasibleError(ask.family, wrong, "another closing_mps", broken.limit)


def check_company(
    setting: Setting,
    ask: Ask,
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
    if gap[0] <= 0.0 or (ask.min_ttc_s > 0.0 and gap.min() <= 0.0):
        when = "at the start" if gap[0] <= 0.0 else "on the way"
        wrong = f"the boxes overlap {when}"
        raise InfeasibleError(ask.family, wrong, "a shorter duration_s", "overlap")
    for (course, _), box in zip(cast[1:], boxes[1:], strict=True):
        if separation_m(box, course.size_m, boxes[0], cast[0][0].size_m).min() <= 0.0:
            wrong = "two of the road users it needs overlap"
            raise InfeasibleError(ask.family, wrong, "another min_ttc_s", "overlap")
        horizon_s = ask.min_ttc_s + SPARE_S
        ttc = time_to_collision_s(ego, size_m, box, course.size_m, horizon_s)
        if ttc.min() < ask.min_ttc_s - SPARE_S:
            wrong = f"a {course.asset} it needs is {ttc.min():.2f} s from the ego"
            raise InfeasibleError(ask.family, wrong, "a smaller min_ttc_s", "nearer company")


def in_the_way(
    clip: Clip,
    setting: Setting,
    ask: Ask,
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
    at_us = setting.time_us[::EVERY]
    near = [a for a in clip.actors if a.trajectory.time_us[0] <= at_us[-1]]
    near = [a for a in near if a.trajectory.time_us[-1] >= at_us[0]]
    if not near:
        return []
    them, sizes, known = _together(near, at_us)
    hit = np.zeros(len(near), dtype=bool)
    for (course, _), box in zip(cast, boxes, strict=True):
        gap = separation_m(them, sizes, part(box, np.s_[::EVERY]), course.size_m)
        hit |= np.any((gap <= 0.0) & known, axis=1)
    own, size_m = part(ego, np.s_[::EVERY]), clip.ego_size_m
    ttc = time_to_collision_s(own, size_m, them, sizes, ask.min_ttc_s)
    nearer = np.any((ttc < ask.min_ttc_s - SPARE_S) & known, axis=1)
    gone: list[int] = []
    for actor, overlaps, is_nearer in zip(near, hit.tolist(), nearer.tolist(), strict=True):
        if not (overlaps or is_nearer):
            continue
        if actor.is_moving:
            gone.append(actor.id)
        elif overlaps or acts:
            wrong = f"actor {actor.id}, who stands, is in the way"
            raise InfeasibleError(ask.family, wrong, "another start_us", "somebody stands there")
    return gone


def _together(
    actors: list[Actor], at_us: np.ndarray
) -> tuple[Moving, Float64[np.ndarray, "a 1 3"], Bool[np.ndarray, "a t"]]:
    """Boxes of several road users at the same times, their sizes, and when each is known."""
    each = [moving(actor.trajectory, at_us) for actor in actors]
    spans = np.array([actor.trajectory.time_us[[0, -1]] for actor in actors])
    return (
        Moving(
            place_m=np.stack([one.place_m for one in each]),
            yaw=np.stack([one.yaw for one in each]),
            velocity_mps=np.stack([one.velocity_mps for one in each]),
            yaw_rate=np.stack([one.yaw_rate for one in each]),
        ),
        np.stack([actor.size_m for actor in actors])[:, None],
        (spans[:, :1] <= at_us) & (at_us <= spans[:, 1:]),
    )
