"""Where a body goes, apart from when: the smooth curve through its poses, by length of path.

Poses closer together than `SPACING_M` say more about noise than about the way, so they are left
out. Places follow a cubic spline, rotations the shortest turns between poses; beyond either end
the way goes straight on. World frame, metres.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int64

from scenes.motion.geometry import interpolate_rigid, nearest_places
from scenes.motion.smoothing import STEP_US, steady
from scenes.motion.spline import Spline, spline
from scenes.motion.trajectory import Trajectory
from scenes.work.memoize import memoized

SPACING_M = 0.5
"""Least distance between the poses that a route goes through."""
END_M = 4.0
"""Stretch over which slope, and where nothing better is known direction, are measured."""
RUN_OUT_M = 15.0
"""Beyond its ends a way straightens out over this long: at 30 m/s, half a second."""
SLOWEST_MPS = 0.5
"""Slower than this the direction of travel is not known well; that of the pose is."""
KEYS_PER_M = 1e9
"""Lengths are turned into whole numbers this fine, to interpolate rotations by them."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Route:
    """A way through the world."""

    way_m: Float64[np.ndarray, "k"]
    """Length of the way from the pivot to each pose, negative before it; increasing."""
    poses: Float64[np.ndarray, "k 4 4"]
    """World from body along it."""
    curve: Spline
    """Places by way."""
    yaw: Float64[np.ndarray, "2"]
    """Direction in plan view at the first and the last pose [rad]."""
    bend_per_m: Float64[np.ndarray, "2"]
    """Curvature there, left positive [1/m]."""

    @staticmethod
    def through(poses: Float64[np.ndarray, "n 4 4"], pivot: int = 0) -> "Route":
        """The way through poses, in this order: the pivot, and what is far enough from the last.

        Beyond its ends it goes straight on.
        """
        places = poses[:, :3, 3]
        after = _thinned(places[pivot:]) + pivot
        before = pivot - _thinned(places[pivot::-1])[:0:-1]
        kept = poses[np.concatenate([before, after])]
        steps = np.linalg.norm(np.diff(kept[:, :3, 3], axis=0), axis=1)
        way_m = np.concatenate([[0.0], np.cumsum(steps)])
        curve = spline(way_m, kept[:, :3, 3])
        ends, inner = way_m[[0, -1]], np.clip(way_m[[0, -1]] + [END_M, -END_M], 0.0, way_m[-1])
        chord = (curve.at(ends) - curve.at(inner)) * [[-1.0], [1.0]]
        known = way_m[-1] >= SPACING_M
        x, y = chord[:, :2].T if known else kept[[0, -1], :2, 0].T
        way_m = way_m - way_m[len(before)]
        return Route(
            way_m=way_m,
            poses=kept,
            curve=spline(way_m, kept[:, :3, 3]),
            yaw=np.arctan2(y, x),
            bend_per_m=np.zeros(2),
        )

    @staticmethod
    def of(path: Trajectory, start_us: int) -> "Route":
        """The way of a body, counted from where it was at a time.

        Beyond its ends it straightens out from the bend that the body was in, as far as that can
        be told from its motion.
        """
        return _of(path, start_us)

    def at(self, way_m: Float64[np.ndarray, "m"]) -> Float64[np.ndarray, "m 4 4"]:
        """Poses so far along, also beyond the ends."""
        inside = np.clip(way_m, self.way_m[0], self.way_m[-1])
        keys, wanted = (np.round(w * KEYS_PER_M).astype(np.int64) for w in (self.way_m, inside))
        poses = interpolate_rigid(keys, self.poses, wanted)
        poses[:, :3, 3] = self.curve.at(inside)
        for end, outside in ((0, way_m < inside), (-1, way_m > inside)):
            if outside.any():
                on = self._run_out(end)
                poses[outside, :3, 3] = on.at(abs(way_m[outside] - self.way_m[end]))
        return poses

    def yaw_at(self, way_m: Float64[np.ndarray, "m"]) -> Float64[np.ndarray, "m"]:
        """Direction of the way in plan view [rad]."""
        along = self.curve.slope_at(np.clip(way_m, self.way_m[0], self.way_m[-1]))
        for end, outside in ((0, way_m < self.way_m[0]), (-1, way_m >= self.way_m[-1])):
            if outside.any():
                on = self._run_out(end)
                beyond = np.minimum(abs(way_m[outside] - self.way_m[end]), RUN_OUT_M)
                along[outside] = on.slope_at(beyond) * (-1.0 if end == 0 else 1.0)
        return np.arctan2(along[:, 1], along[:, 0])

    def nearest_m(self, xy_m: Float64[np.ndarray, "m 2"]) -> Float64[np.ndarray, "m"]:
        """The way at the foot of each place, also beyond the ends."""
        knots = self.poses[:, :2, 3]
        nearest = nearest_places(xy_m, knots)
        yaw = self.yaw_at(self.way_m[nearest])
        offset = xy_m - knots[nearest]
        return self.way_m[nearest] + offset[:, 0] * np.cos(yaw) + offset[:, 1] * np.sin(yaw)

    def _run_out(self, end: int) -> Spline:
        """Places beyond the first (0) or last (-1) pose by distance from it.

        The curvature falls linearly to 0, so what drives there feels no jolt.
        """
        on = np.linspace(0.0, RUN_OUT_M, 61)
        side = -1.0 if end == 0 else 1.0
        yaw = self.yaw[end] + self.bend_per_m[end] * side * (on - 0.5 * on**2 / RUN_OUT_M)
        inner = self.way_m[end] - side * min(END_M, self.way_m[-1] - self.way_m[0])
        rise = self.poses[end, 2, 3] - self.curve.at(np.array([inner]))[0, 2]
        if abs(self.way_m[end] - inner) >= SPACING_M:
            slope = rise / (self.way_m[end] - inner)
        else:
            slope = self.poses[end, 2, 0]
        level = np.sqrt(max(0.0, 1.0 - slope**2))
        ahead = np.stack(
            [level * np.cos(yaw), level * np.sin(yaw), np.full(len(on), slope)], axis=1
        )
        steps = 0.5 * (ahead[1:] + ahead[:-1]) * (on[1] - on[0])
        gone = side * np.concatenate([np.zeros((1, 3)), np.cumsum(steps, axis=0)])
        return spline(on, self.poses[end, :3, 3] + gone)


@memoized(512)
def _of(path: Trajectory, start_us: int) -> Route:
    # Counted from the nearest pose, not through a pose at the start: between two poses that would
    # lie on their chord, and a micrometre beside a curve is a jolt where it is left.
    nearest = int(np.argmin(abs(path.time_us - start_us)))
    route = Route.through(path.world_from_body, nearest)
    pose, start = path.world_from_body[nearest], path.at(np.array([start_us]))[0]
    gone_m = float(np.linalg.norm(start[:3, 3] - pose[:3, 3]))
    if start_us < path.time_us[nearest]:
        gone_m = -gone_m
    curve = replace(route.curve, knots=route.curve.knots - gone_m)
    route = replace(route, way_m=route.way_m - gone_m, curve=curve)
    smooth, yaw, bend = smooth_twin(path), route.yaw.copy(), np.zeros(2)
    for end in (0, -1):
        time_us = int(smooth.time_us[end])
        velocity, rate = (derivative_at(smooth, time_us, order) for order in (1, 2))
        speed = float(np.hypot(*velocity))
        if speed < SLOWEST_MPS:
            yaw[end] = _end_yaw(route, path, end)
        else:
            yaw[end] = np.arctan2(velocity[1], velocity[0])
            bend[end] = (velocity[0] * rate[1] - velocity[1] * rate[0]) / speed**3
    return replace(route, yaw=yaw, bend_per_m=bend)


def _end_yaw(route: Route, path: Trajectory, end: int) -> float:
    """Where a way leads at its first (0) or last (-1) pose, where a body stands [rad].

    As it came, so that what goes on there feels no jolt; as it faces if it never went anywhere.
    """
    x, y = path.world_from_body[end, :2, 0]
    if route.way_m[-1] - route.way_m[0] >= END_M:
        x, y = route.curve.slope_at(route.way_m[[end]])[0, :2]
    return float(np.arctan2(y, x))


def _thinned(places_m: Float64[np.ndarray, "n 3"]) -> Int64[np.ndarray, "k"]:
    """Which places to keep: the first, the last, and each `SPACING_M` from the one before."""
    kept, (x, y, z) = [0], places_m[0].tolist()
    for index, (at_x, at_y, at_z) in enumerate(places_m.tolist()):
        if (at_x - x) ** 2 + (at_y - y) ** 2 + (at_z - z) ** 2 >= SPACING_M**2:
            kept.append(index)
            x, y, z = at_x, at_y, at_z
    if len(kept) > 1:
        kept[-1] = len(places_m) - 1
    return np.array(kept)


def smooth_twin(path: Trajectory) -> Trajectory:
    """A path without the noise of its poses; itself where it is one already."""
    spacing = np.diff(path.time_us)
    twin = len(spacing) > 0 and bool(np.all(spacing == STEP_US))
    return path if twin else steady(path)


def derivative_at(smooth: Trajectory, time_us: int, order: int) -> Float64[np.ndarray, "2"]:
    """First or second derivative of the place in plan view at a time [m/s] or [m/s²]."""
    if len(smooth) < 3:
        return np.zeros(2)
    near = slice(*np.searchsorted(smooth.time_us, [time_us - 4 * STEP_US, time_us + 4 * STEP_US]))
    near = slice(max(0, min(near.start, len(smooth) - 3)), max(near.stop, 3))
    values, seconds = smooth.world_from_body[near, :2, 3], smooth.time_us[near] * 1e-6
    for _ in range(order):
        values = np.gradient(values, seconds, axis=0, edge_order=2)
    return np.array([np.interp(time_us * 1e-6, seconds, column) for column in values.T])


def speed_at(path: Trajectory, time_us: int) -> float:
    """Speed in plan view at a time, without the noise of the poses [m/s]."""
    return float(np.hypot(*derivative_at(smooth_twin(path), time_us, 1)))


def ramp_m(
    seconds: Float64[np.ndarray, "n"], speed_mps: float, target_mps: float, change_mps2: float
) -> Float64[np.ndarray, "n"]:
    """Way since a body began to change its speed at a constant rate, until it had the target."""
    span = abs(target_mps - speed_mps) / change_mps2
    rate = np.copysign(change_mps2, target_mps - speed_mps)
    during = np.clip(seconds, 0.0, span)
    after = np.maximum(seconds - span, 0.0)
    return speed_mps * during + 0.5 * rate * during**2 + target_mps * after
