"""What road users can do: single-track limits on their motion, by kind.

Limits apply to the path of the body's origin in plan view: speed, curvature, lateral and
longitudinal acceleration, lateral jerk. Recorded poses are too noisy to be differentiated, so
edits of the ego are judged on a smooth twin of the drive (`scenes.motion.smoothing.steady`): the
edit is applied to the twin, and its motion is compared, moment by moment, with the limit *or with
what the recorded car did then, whichever is more*. An unedited drive therefore always passes. Of
lateral jerk only what the edit adds counts where that is less: jerk is the third derivative of a
place, and what is left of the noise of the recorded poses would decide otherwise.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast, get_args

import numpy as np

from scenes.edits import Edit, EgoEdit
from scenes.edits.ego import LaneChange, LateralOffset
from scenes.errors import InfeasibleError
from scenes.motion.kinematics import Motion, exact_motion
from scenes.motion.smoothing import steady
from scenes.motion.trajectory import Trajectory
from scenes.semantics import Semantic
from scenes.work.memoize import memoized


@dataclass(frozen=True, kw_only=True, slots=True)
class VehicleLimits:
    """What may be asked of a road user on a dry road, short of an emergency; a passenger car's."""

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
    fastest_mps: float = 70.0
    """Top speed [m/s]: 250 km/h."""


PASSENGER_CAR = VehicleLimits()
VAN = VehicleLimits(curvature_per_m=0.16, lateral_mps2=3.5, accelerating_mps2=3.5,
                    braking_mps2=8.0, fastest_mps=50.0)  # fmt: skip
"""A delivery van: a turning circle of 12.5 m, half loaded."""
HEAVY = VehicleLimits(curvature_per_m=0.1, lateral_mps2=2.5, accelerating_mps2=1.5,
                      braking_mps2=6.0, fastest_mps=28.0)  # fmt: skip
"""Trucks and buses: a turning circle of 20 m; they tip at some 4 m/s², UN R13 asks for 5 m/s² of
braking, and the EU's limiters end at 100 km/h."""
CYCLIST = VehicleLimits(curvature_per_m=0.5, lateral_mps2=3.5, accelerating_mps2=2.0,
                        braking_mps2=5.0, fastest_mps=14.0)  # fmt: skip
"""A bicycle: 2 m round a corner; braked harder, it throws its rider."""
PEDESTRIAN = VehicleLimits(curvature_per_m=4.0, lateral_mps2=4.0, lateral_jerk_mps3=40.0,
                           accelerating_mps2=4.0, braking_mps2=5.0, fastest_mps=7.0)  # fmt: skip
"""Somebody on foot: turns on the spot, starts like a sprinter, runs 25 km/h at most."""


def limits_of(kind: Semantic) -> VehicleLimits:
    """What a kind of road user can do."""
    match kind:
        case Semantic.VAN:
            return VAN
        case Semantic.TRUCK | Semantic.BUS | Semantic.TRAM:
            return HEAVY
        case Semantic.CYCLIST | Semantic.BICYCLE:
            return CYCLIST
        case Semantic.PERSON | Semantic.SITTING_PERSON:
            return PEDESTRIAN
        case _:
            return PASSENGER_CAR


DURATION_STEP_US, OFFSET_STEP_M = 10_000, 0.01
"""Grid of the values that a refusal suggests [µs], [m]."""
Sideways = LateralOffset | LaneChange
"""Edits for which a refusal can say which offset or duration would do."""
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


def breach(moved: Motion, recorded: Motion | None, limits: VehicleLimits) -> Breach | None:
    """The limit that a motion breaks most, relative to the limit; None when it keeps them all.

    Args:
        moved: The edited motion.
        recorded: The motion before any edit, at the same times: what it did is always allowed.
            None where there was none.
        limits: What is allowed beyond that.
    """
    before = [None] * len(LIMITS) if recorded is None else _demands(recorded)
    checks = zip(_demands(moved, recorded), _bounds(limits), strict=True)
    worst, excess_of_worst = None, 1.0
    for (limit, unit), (value, bound), did in zip(LIMITS, checks, before, strict=True):
        allowed = np.full(len(value), bound) if did is None else np.maximum(bound, did)
        at = int(np.argmax(value / allowed))
        if value[at] / allowed[at] > excess_of_worst:
            excess_of_worst = value[at] / allowed[at]
            worst = Breach(
                limit=limit, value=float(value[at]), bound=float(allowed[at]), unit=unit,
                time_us=int(moved.time_us[at]),
            )  # fmt: skip
    return worst


LIMITS = (
    ("curvature", "1/m"), ("lateral acceleration", "m/s²"), ("lateral jerk", "m/s³"),
    ("acceleration", "m/s²"), ("braking", "m/s²"), ("speed", "m/s"),
)  # fmt: skip
"""Each limit in words, and its unit."""


def _bounds(limits: VehicleLimits) -> tuple[float, ...]:
    return (
        limits.curvature_per_m, limits.lateral_mps2, limits.lateral_jerk_mps3,
        limits.accelerating_mps2, limits.braking_mps2, limits.fastest_mps,
    )  # fmt: skip


def _demands(motion: Motion, recorded: Motion | None = None) -> tuple[np.ndarray, ...]:
    """What a motion asks of each limit, moment by moment."""
    jerk = np.abs(motion.lateral_jerk_mps3)
    if recorded is not None:
        jerk = np.minimum(jerk, np.abs(motion.lateral_jerk_mps3 - recorded.lateral_jerk_mps3))
    return (
        np.abs(motion.curvature_per_m), np.abs(motion.lateral_mps2), jerk, motion.forward_mps2,
        -motion.forward_mps2, motion.speed_mps,
    )  # fmt: skip


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
    if not any(isinstance(edit, get_args(EgoEdit)) for edit in edits):
        return
    path = steady(ego)
    recorded = _exact(path)
    for index, edit in enumerate(edits):
        if isinstance(edit, get_args(EgoEdit)):
            try:
                path = _driven(cast(EgoEdit, edit), path, recorded, limits, suggest)
            except InfeasibleError as error:  # of the edit, which does not know its place
                place = f"{where}: edits[{index}]"
                raise InfeasibleError(place, error.wrong, error.fix, error.reason) from error


_exact = memoized(16)(exact_motion)


@memoized(512)
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

    start_us = getattr(edit, "start_us", recorded.time_us[0])
    speed = np.interp(start_us, recorded.time_us, recorded.speed_mps)
    wrong = f"{edit.describe()} at {speed:.1f} m/s needs {broken.describe()}"
    fix = "a gentler one: slower, longer or less far"
    if suggest and isinstance(edit, LateralOffset | LaneChange):
        answers = [*_least_duration(edit, passes), *_largest_offset(edit, passes)]
        fix = ", or ".join(answers) or "another start_us: no offset to that side works there"
    raise InfeasibleError(edit.kind, wrong, fix, broken.limit)


def _least_duration(edit: Sideways, passes: Callable[[Sideways], bool]) -> list[str]:
    def lasting(steps: int) -> Sideways:
        return replace(edit, duration_us=steps * DURATION_STEP_US)

    fails, most = edit.duration_us // DURATION_STEP_US, LONGEST_US // DURATION_STEP_US
    enough = max(1, fails)
    while enough < most and not passes(lasting(enough)):
        enough = min(most, 2 * enough)
    if fails >= most or not passes(lasting(enough)):
        return []
    steps = _bisect(fails, enough, lambda steps: passes(lasting(steps)))
    return [f"duration_us = {steps * DURATION_STEP_US} or more"]


def _largest_offset(edit: Sideways, passes: Callable[[Sideways], bool]) -> list[str]:
    def reaching(steps: int) -> Sideways:
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
