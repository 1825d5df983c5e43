"""The recording car turns about and goes back."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from jaxtyping import Float64

from scenes.edits.actor_motion import CHANGE
from scenes.edits.ego import TIME, blend
from scenes.edits.routes import Route, ramp_m, speed_at
from scenes.edits.tracks import since
from scenes.errors import InfeasibleError
from scenes.motion.geometry import rigid, yaw_rotation
from scenes.motion.trajectory import Trajectory
from scenes.storage.validation import Within, check

EASING = 0.2
"""Share of a half turn over which the wheel is turned, and again turned back."""
SAMPLE_M = 0.6
"""Spacing of the poses that a U-turn goes through: a little more than a route keeps apart."""
PAST_POSES = 10
"""Poses before the start that a U-turn's curve goes through, so that it leaves without a kink."""
BEFORE_M = 60.0
"""How far a U-turn goes on beyond where the drive began."""
LEAST_STEP = 0.1
"""On the inside of a bend, each pose of the way back is at least this share of a step on."""
WIDEST = 40.0
"""No U-turn is wider [m]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EgoUTurn:
    """Brake, turn about, and go back beside the recorded way, accelerating to the old speed."""

    kind: ClassVar[str] = "ego-u-turn"
    may_precede_drive: ClassVar[bool] = False

    across_m: Annotated[float, Within(-WIDEST, WIDEST, "m")]
    """How far to the left of the recorded way it goes back; right is negative [m]."""
    start_us: Annotated[int, TIME]
    """When it begins to brake [µs]."""
    speed_mps: Annotated[float, Within(0.5, 15.0, "m/s")] = 4.0
    """Speed while it turns [m/s]."""
    change_mps2: Annotated[float, CHANGE] = 3.0
    """How fast it brakes before and accelerates after [m/s²]."""

    def __post_init__(self) -> None:
        check(self)
        if abs(self.across_m) < 1.0:
            raise ValueError(f"across_m is {self.across_m}: expected 1 m or more to either side")

    def apply(self, ego: Trajectory) -> Trajectory:
        """The drive, had it turned about.

        Raises:
            InfeasibleError: The way back reaches the centre of a bend.
        """
        seconds = (ego.time_us - self.start_us) * 1e-6
        before_mps = max(speed_at(ego, self.start_us), self.speed_mps)
        braking_s = (before_mps - self.speed_mps) / self.change_mps2
        braking_m = 0.5 * (before_mps + self.speed_mps) * braking_s
        route, turn_m = self._route(Route.of(ego, self.start_us), braking_m)
        turned_s = braking_s + turn_m / self.speed_mps
        there_m = ramp_m(seconds, before_mps, self.speed_mps, self.change_mps2)
        back_m = ramp_m(seconds - turned_s, self.speed_mps, before_mps, self.change_mps2)
        gone_m = np.where(seconds <= turned_s, there_m, braking_m + turn_m + back_m)
        return since(self.start_us, ego, route.at(gone_m))

    def _route(self, way: Route, braking_m: float) -> tuple[Route, float]:
        """On to where the car has braked, half around, and back; and the length of the turn."""
        turn_m, place_m, heading = _half_turn(self.across_m)
        on_m = SAMPLE_M * np.arange(-PAST_POSES, max(1, np.ceil(braking_m / SAMPLE_M)))
        offset = np.concatenate([place_m, np.zeros((len(place_m), 1))], axis=1)
        around = way.at(np.array([braking_m])) @ rigid(yaw_rotation(heading), offset)
        back_m = np.arange(braking_m - SAMPLE_M, float(way.way_m[0]) - BEFORE_M, -SAMPLE_M)
        about = rigid(yaw_rotation(np.array(np.pi)), np.array([0.0, self.across_m, 0.0]))
        back = way.at(back_m) @ about
        steps = np.einsum("ni,ni->n", np.diff(back[:, :3, 3], axis=0), back[1:, :3, 0])
        if np.any(steps < LEAST_STEP * SAMPLE_M):
            wrong = f"{self.across_m:g} m to the left is past the centre of the bend of the road"
            fix = "across_m to the other side, or another start_us"
            raise InfeasibleError(self.kind, wrong, fix, "past the centre of the bend")
        return Route.through(np.concatenate([way.at(on_m), around, back]), PAST_POSES), turn_m

    def describe(self) -> str:
        """The edit in words."""
        side = "left" if self.across_m > 0 else "right"
        return f"a U-turn {abs(self.across_m):g} m to the {side} at {self.speed_mps:g} m/s"


def _half_turn(
    across_m: float,
) -> tuple[float, Float64[np.ndarray, "k 2"], Float64[np.ndarray, "k"]]:
    """Length [m], places [m] and headings [rad] of a half turn that ends `across_m` to the left.

    The curvature rises smoothly to a plateau and falls again.
    """
    u = np.linspace(0.0, 1.0, 4001)
    curvature = blend(np.minimum(np.minimum(u, 1.0 - u) / EASING, 1.0))
    heading = _integral(curvature)
    heading *= np.pi / heading[-1]
    place = np.stack([_integral(np.cos(heading)), _integral(np.sin(heading))], axis=1)
    length_m = abs(across_m) / float(place[-1, 1])
    side = np.copysign(1.0, across_m)
    return length_m, length_m * place * [1.0, side], side * heading


def _integral(values: Float64[np.ndarray, "k"]) -> Float64[np.ndarray, "k"]:
    """From 0 on over a grid of the unit interval."""
    steps = 0.5 * (values[1:] + values[:-1]) / (len(values) - 1)
    return np.concatenate([[0.0], np.cumsum(steps)])
