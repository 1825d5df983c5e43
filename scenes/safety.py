"""What a car can do: single-track limits on its motion; and which boxes overlap.

Limits apply to the path of the body's origin in plan view: curvature, lateral and longitudinal
acceleration, lateral jerk. Recorded poses are too noisy to be differentiated, so edits are judged
on a smooth twin of the drive (`scenes.smoothing.steady`): the edit is applied to the twin, and
its motion is compared, moment by moment, with the limit *or with what the recorded car did then,
whichever is more*. An unedited drive therefore always passes.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
from jaxtyping import Bool, Float64

from scenes.edits import Edit, EgoEdit
from scenes.infeasible import InfeasibleError
from scenes.motion import Motion, exact_motion
from scenes.smoothing import steady
from scenes.trajectory import Trajectory


@dataclass(frozen=True, kw_only=True, slots=True)
class VehicleLimits:
    """What may be asked of a passenger car on a dry road, short of an emergency."""

    curvature_per_m: float = 0.18
    """1 / 5.5 m: a turning circle of 11 m between kerbs, typical of data sheets [1/m]."""
    lateral_mps2: float = 4.0
    """Lateral acceleration [m/s²]: UN R79 caps assisted steering at 3, dry asphalt gives 8."""
    lateral_jerk_mps3: float = 10.0
    """Change of lateral acceleration [m/s³]: twice UN R79's cap of 5 for assisted steering, which
    is an average over half a second; a quintic's peaks last less."""
    accelerating_mps2: float = 5.0
    """Forward acceleration [m/s²]: 0 to 100 km/h in 5.6 s."""
    braking_mps2: float = 9.0
    """Deceleration [m/s²]: full braking on dry asphalt."""


PASSENGER_CAR = VehicleLimits()

DURATION_STEP_US, OFFSET_STEP_M = 10_000, 0.01
"""Grid of the values that a refusal suggests [µs], [m]."""
LONGEST_US = 60_000_000
"""Longer manoeuvres than a minute are not suggested [µs]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Breach:
    """A limit that does not hold."""

    limit: str
    """Which one, in words."""
    value: float
    """The largest value, without its sign."""
    bound: float
    """What is allowed at that time."""
    unit: str
    """Unit of both."""
    time_us: int
    """When it is worst [µs]."""

    def describe(self) -> str:
        """The breach in words."""
        return (
            f"{self.value:.2f} {self.unit} of {self.limit} at {self.time_us * 1e-6:.2f} s, "
            f"where {self.bound:.2f} {self.unit} is the limit"
        )


def breach(moved: Motion, recorded: Motion, limits: VehicleLimits) -> Breach | None:
    """The limit that a motion breaks most, relative to the limit; None when it keeps them all.

    Args:
        moved: The edited motion.
        recorded: The motion before any edit, at the same times: what it did is always allowed.
        limits: What is allowed beyond that.
    """
    checks: Iterable[tuple[str, str, float, np.ndarray, np.ndarray]] = (
        ("curvature", "1/m", limits.curvature_per_m,
         abs(moved.curvature_per_m), abs(recorded.curvature_per_m)),
        ("lateral acceleration", "m/s²", limits.lateral_mps2,
         abs(moved.lateral_mps2), abs(recorded.lateral_mps2)),
        ("lateral jerk", "m/s³", limits.lateral_jerk_mps3,
         abs(moved.lateral_jerk_mps3), abs(recorded.lateral_jerk_mps3)),
        ("acceleration", "m/s²", limits.accelerating_mps2,
         moved.forward_mps2, recorded.forward_mps2),
        ("braking", "m/s²", limits.braking_mps2, -moved.forward_mps2, -recorded.forward_mps2),
    )  # fmt: skip
    worst, excess_of_worst = None, 1.0
    for limit, unit, bound, value, before in checks:
        allowed = np.maximum(bound, before)
        at = int(np.argmax(value / allowed))
        if value[at] / allowed[at] > excess_of_worst:
            excess_of_worst = value[at] / allowed[at]
            worst = Breach(
                limit=limit, value=float(value[at]), bound=float(allowed[at]), unit=unit,
                time_us=int(moved.time_us[at]),
            )  # fmt: skip
    return worst


def check_limits(
    ego: Trajectory,
    edits: Sequence[Edit],
    limits: VehicleLimits = PASSENGER_CAR,
    where: str = "scenario",
    *,
    suggest: bool = True,
) -> None:
    """Refuse edits that the recording car could not have driven, one after another.

    Args:
        ego: The drive as recorded.
        edits: What is to be done to it, in order.
        limits: What the car can do.
        where: What the edits belong to, for messages.
        suggest: Look for the nearest values that work, which takes some thirty more tries.

    Raises:
        InfeasibleError: An edit breaks a limit; names the limit, value and bound, and the nearest
            values of the edit that keep all limits (found by trying them, so they do).
    """
    if not edits:
        return
    path = steady(ego)
    recorded = exact_motion(path)
    for index, edit in enumerate(edits):
        if isinstance(edit, get_args(EgoEdit)):
            try:
                path = _driven(edit, path, recorded, limits, suggest)
            except InfeasibleError as error:  # of the edit, which does not know its place
                place = f"{where}: edits[{index}]"
                raise InfeasibleError(place, error.wrong, error.fix, error.reason) from error


def _driven(
    edit: EgoEdit, path: Trajectory, recorded: Motion, limits: VehicleLimits, suggest: bool
) -> Trajectory:
    """The smooth path after an edit that keeps all limits."""
    edited = edit.apply(path)
    broken = breach(exact_motion(edited), recorded, limits)
    if broken is None:
        return edited

    def passes(tried: EgoEdit) -> bool:
        try:
            return breach(exact_motion(tried.apply(path)), recorded, limits) is None
        except InfeasibleError:
            return False

    speed = np.interp(edit.start_us, recorded.time_us, recorded.speed_mps)
    wrong = f"{edit.describe()} at {speed:.1f} m/s needs {broken.describe()}"
    fix = "a longer duration_us, or a smaller offset_m"
    if suggest:
        answers = [*_least_duration(edit, passes), *_largest_offset(edit, passes)]
        fix = ", or ".join(answers) or "another start_us: no offset to that side works there"
    raise InfeasibleError(edit.kind, wrong, fix, broken.limit)


def _least_duration(edit: EgoEdit, passes: Callable[[EgoEdit], bool]) -> list[str]:
    def lasting(steps: int) -> EgoEdit:
        return replace(edit, duration_us=steps * DURATION_STEP_US)

    fails, most = edit.duration_us // DURATION_STEP_US, LONGEST_US // DURATION_STEP_US
    enough = max(1, fails)
    while enough < most and not passes(lasting(enough)):
        enough = min(most, 2 * enough)
    if fails >= most or not passes(lasting(enough)):
        return []
    steps = _bisect(fails, enough, lambda steps: passes(lasting(steps)))
    return [f"duration_us = {steps * DURATION_STEP_US} or more"]


def _largest_offset(edit: EgoEdit, passes: Callable[[EgoEdit], bool]) -> list[str]:
    def reaching(steps: int) -> EgoEdit:
        offset_m = np.copysign(steps * OFFSET_STEP_M, edit.offset_m)
        return replace(edit, offset_m=round(float(offset_m), 2))

    fails = math.ceil(abs(edit.offset_m) / OFFSET_STEP_M)
    steps = _bisect(fails, 0, lambda steps: passes(reaching(steps)))
    return [f"offset_m = {reaching(steps).offset_m} or nearer to 0"] if steps else []


def _bisect(fails: int, passes: int, test: Callable[[int], bool]) -> int:
    """The whole number nearest to `fails` that passes, given one that does."""
    while abs(passes - fails) > 1:
        middle = (passes + fails) // 2
        fails, passes = (fails, middle) if test(middle) else (middle, passes)
    return passes


def boxes_overlap(
    world_from_a: Float64[np.ndarray, "n 4 4"],
    size_a_m: Float64[np.ndarray, "3"],
    world_from_b: Float64[np.ndarray, "n 4 4"],
    size_b_m: Float64[np.ndarray, "3"],
) -> Bool[np.ndarray, "n"]:
    """Whether two boxes overlap in plan view, pose by pose; touching is not overlapping.

    Two rectangles are apart if and only if they are apart along a side of one of them (separating
    axes). Heights are not compared: road users share one road.
    """
    apart = world_from_b[:, :2, 3] - world_from_a[:, :2, 3]
    a, b = _axes(world_from_a), _axes(world_from_b)
    half_a, half_b = 0.5 * size_a_m[:2], 0.5 * size_b_m[:2]
    overlap = np.ones(len(apart), dtype=bool)
    for sides in (a, b):
        for axis in (sides[:, 0], sides[:, 1]):
            reach_a = np.abs(np.einsum("nkj,nj->nk", a, axis)) @ half_a
            reach_b = np.abs(np.einsum("nkj,nj->nk", b, axis)) @ half_b
            overlap &= np.abs(np.sum(apart * axis, axis=1)) < reach_a + reach_b
    return overlap


def _axes(world_from_box: Float64[np.ndarray, "n 4 4"]) -> Float64[np.ndarray, "n 2 2"]:
    """Directions of a box's length and width in plan view, one a row."""
    yaw = np.arctan2(world_from_box[:, 1, 0], world_from_box[:, 0, 0])
    forward = np.stack([np.cos(yaw), np.sin(yaw)], axis=-1)
    left = np.stack([-forward[:, 1], forward[:, 0]], axis=-1)
    return np.stack([forward, left], axis=1)
