"""Edits of the recording car's own path. All its sensors are bolted to it and move along.

An offset is measured along each recorded pose's own y axis (left positive), so the car keeps to
the road as it was driven: its height, bank and slope. Offsets follow the quintic
10u³ - 15u⁴ + 6u⁵, which has neither slope nor curvature at 0 and 1.

Poses up to and including `start_us` are the recorded ones, bit for bit. Edits work on knots:
between the last knot before the start and the first after it, interpolation blends the two.
"""

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np
from jaxtyping import Bool, Float64, Int64

from scenes.errors import InfeasibleError
from scenes.motion.geometry import yaw_rotation
from scenes.motion.trajectory import Trajectory
from scenes.storage.validation import EXACT, Within, check

OFFSET = Within(-50.0, 50.0, "m")
"""Offsets that are taken for meant [m]."""
TIME = Within(-EXACT, EXACT, "µs")
"""Any time [µs]."""
DURATION = Within(1, 600_000_000, "µs")
"""Up to ten minutes [µs]."""

BEND_WINDOW_M = 4.0
"""Stretch over which the road's bend and the car's sideslip are measured: one wheelbase and a
half, long enough for a pose that is off by a centimetre not to matter."""
SHORTEST_M = 0.01
"""A car that covers less has stood still."""
CLOSEST_TO_CENTRE = 0.9
"""An offset reaches at most this share of the way to the centre of the road's bend."""
END_SPEED_US = 500_000
"""Stretch of time from which speed before and after the drive is taken [µs]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LateralOffset:
    """Slide sideways, no acceleration left over at either end, headings kept.

    This moves the viewpoint; a car that steers is a `LaneChange`. To run beside the recorded path
    from the first frame on, start `duration_us` before the drive.
    """

    kind: ClassVar[str] = "lateral-offset"
    may_precede_drive: ClassVar[bool] = True

    offset_m: Annotated[float, OFFSET]
    """Final lateral offset, left positive [m]."""
    start_us: Annotated[int, TIME]
    """Clip time at which the manoeuvre begins [µs]; may lie before the drive."""
    duration_us: Annotated[int, DURATION]
    """How long it takes [µs]."""

    def __post_init__(self) -> None:
        check(self)

    def apply(self, ego: Trajectory) -> Trajectory:
        """The drive, had it run further left.

        Raises:
            InfeasibleError: The offset reaches the centre of a bend.
        """
        if self.offset_m == 0.0:
            return ego
        u = np.clip((ego.time_us - self.start_us) / self.duration_us, 0.0, 1.0)
        offset_m = self.offset_m * blend(u)
        _check_bend(_measure(ego).bend_per_m, offset_m)
        return _edited(ego, offset_m, np.zeros(len(ego)), ego.time_us > self.start_us)

    def describe(self) -> str:
        """The edit in words."""
        return f"a slide of {_left(self.offset_m)} over {self.duration_us * 1e-6:g} s"


@dataclass(frozen=True, kw_only=True, slots=True)
class LaneChange:
    """Steer to one side and straight again, headings along the new path.

    The offset is a quintic in *path length*, from where the car was at `start_us` to where it was
    `duration_us` later: a car that brakes meanwhile leaves the shape of its path unchanged, one
    that stands moves no further. Each pose is turned about its own z axis by the angle between
    the new and the recorded direction of travel, so recorded sideslip, bank and slope remain. An
    origin that is not on the rear axle is treated as if it were.
    """

    kind: ClassVar[str] = "lane-change"
    may_precede_drive: ClassVar[bool] = False

    offset_m: Annotated[float, OFFSET]
    """Final lateral offset, left positive [m]."""
    start_us: Annotated[int, TIME]
    """Clip time at which the manoeuvre begins [µs]."""
    duration_us: Annotated[int, DURATION]
    """How long it takes [µs]; past the end of the drive, the car is taken to go on as it did."""

    def __post_init__(self) -> None:
        check(self)

    def apply(self, ego: Trajectory) -> Trajectory:
        """The drive, had it changed lanes; same times.

        Raises:
            InfeasibleError: The car stands still meanwhile, or the offset reaches the centre of
                a bend.
        """
        if self.offset_m == 0.0:
            return ego
        end_us = self.start_us + self.duration_us
        driven = _measure(ego)
        from_m, to_m = _forward_at(ego.time_us, driven.forward_m, (self.start_us, end_us))
        length_m = to_m - from_m
        if length_m < SHORTEST_M:
            wrong = f"the car stands still from {self.start_us} to {end_us} µs"
            fix = "another start_us, or a longer duration_us"
            raise InfeasibleError(self.kind, wrong, fix, "standing still")
        u = np.clip((driven.forward_m - from_m) / length_m, 0.0, 1.0)
        u = np.where(ego.time_us >= end_us, 1.0, u)
        offset_m = self.offset_m * blend(u)
        _check_bend(driven.bend_per_m, offset_m)
        slope = self.offset_m / length_m * _blend_slope(u)
        # The velocity along body x and y is proportional to (1, slip); the offset adds to both,
        # because on the inside of a bend the same turn covers less ground.
        along = 1.0 - driven.bend_per_m * offset_m
        turn = np.arctan2(driven.slip + slope, along) - np.arctan2(driven.slip, along)
        return _edited(ego, offset_m, turn, ego.time_us > self.start_us)

    def describe(self) -> str:
        """The edit in words."""
        return f"a lane change of {_left(self.offset_m)} over {self.duration_us * 1e-6:g} s"


def _left(offset_m: float) -> str:
    return f"{abs(offset_m):g} m to the {'left' if offset_m > 0 else 'right'}"


def blend(u: Float64[np.ndarray, "*n"]) -> Float64[np.ndarray, "*n"]:
    """From 0 at 0 to 1 at 1, without slope or curvature at either."""
    return u**3 * (10.0 - 15.0 * u + 6.0 * u**2)


def _blend_slope(u: Float64[np.ndarray, "n"]) -> Float64[np.ndarray, "n"]:
    return 30.0 * u**2 * (1.0 - u) ** 2


def _edited(
    ego: Trajectory,
    offset_m: Float64[np.ndarray, "n"],
    turn: Float64[np.ndarray, "n"],
    after: Bool[np.ndarray, "n"],
) -> Trajectory:
    """Poses `after` the start, shifted along their own y axis and turned about their own z."""
    poses = ego.shifted_left(offset_m).world_from_body
    turned = np.where(turn != 0.0)[0]  # the others keep their rotations, bit for bit
    poses[turned, :3, :3] = poses[turned, :3, :3] @ yaw_rotation(turn[turned])
    return replace(ego, world_from_body=np.where(after[:, None, None], poses, ego.world_from_body))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Driven:
    """How a car went, knot by knot."""

    forward_m: Float64[np.ndarray, "n"]
    """Way along its own x axis [m]; never decreases, so noise adds nothing while it stands."""
    bend_per_m: Float64[np.ndarray, "n"]
    """Turn of its heading about its own z axis per metre, left positive [rad/m]."""
    slip: Float64[np.ndarray, "n"]
    """Tangent of the angle from its heading to its direction of travel."""


def _measure(ego: Trajectory) -> _Driven:
    rotation, place = ego.world_from_body[:, :3, :3], ego.world_from_body[:, :3, 3]
    steps = np.diff(place, axis=0)
    mean = 0.5 * (rotation[1:] + rotation[:-1])
    forward, left = np.einsum("nij,ni->jn", mean[:, :, :2], steps)
    change = np.swapaxes(rotation[:-1], 1, 2) @ rotation[1:]
    turn = np.arctan2(change[:, 1, 0] - change[:, 0, 1], change[:, 0, 0] + change[:, 1, 1])
    forward_m = np.maximum.accumulate(_summed(forward))
    low = np.maximum(forward_m - 0.5 * BEND_WINDOW_M, forward_m[0])
    high = np.minimum(forward_m + 0.5 * BEND_WINDOW_M, forward_m[-1])

    def per_metre(total: Float64[np.ndarray, "n"]) -> Float64[np.ndarray, "n"]:
        change = np.interp(high, forward_m, total) - np.interp(low, forward_m, total)
        far_enough = high - low > 0.125 * BEND_WINDOW_M
        return np.where(far_enough, change / np.maximum(high - low, SHORTEST_M), 0.0)

    return _Driven(
        forward_m=forward_m, bend_per_m=per_metre(_summed(turn)), slip=per_metre(_summed(left))
    )


def _summed(steps: Float64[np.ndarray, "m"]) -> Float64[np.ndarray, "n"]:
    return np.concatenate([[0.0], np.cumsum(steps)])


def _forward_at(
    time_us: Int64[np.ndarray, "n"], forward_m: Float64[np.ndarray, "n"], at_us: tuple[int, int]
) -> Float64[np.ndarray, "2"]:
    """Way at two times [m]; outside the drive at the speed of its nearest half second."""
    first, last = int(time_us[0]), int(time_us[-1])
    inner = np.array([first + END_SPEED_US, last - END_SPEED_US]).clip(first, last)
    near = np.interp(inner, time_us, forward_m) - forward_m[[0, -1]]
    apart = np.where(inner == [first, last], 1, inner - [first, last])
    speed = near / apart  # metres a microsecond, before and after the drive
    at = np.array(at_us)
    beyond = np.minimum(at - first, 0) * speed[0] + np.maximum(at - last, 0) * speed[1]
    return np.interp(at, time_us, forward_m) + beyond


def _check_bend(bend_per_m: Float64[np.ndarray, "n"], offset_m: Float64[np.ndarray, "n"]) -> None:
    share = bend_per_m * offset_m
    worst = int(np.argmax(share))
    if share[worst] > CLOSEST_TO_CENTRE:
        wrong = f"{_left(offset_m[worst])} is past the centre of the bend of the road"
        most = f"offset_m = {0.5 / bend_per_m[worst]:.1f} or nearer to 0"
        raise InfeasibleError("ego", wrong, most, "past the centre of the bend")
