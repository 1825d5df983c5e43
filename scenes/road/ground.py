"""The height of the road near the path of the recording car, fitted to depth evidence.

The surface is ruled: at every station along the path it is a straight line across the road, given
by the height on the path and the rise per metre to the left; between stations both are linear.
Heights are world z [m]; `station_m` is the length of the path from its first pose, extended
straight on before the first and after the last.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from scenes.clip import Clip
from scenes.motion.geometry import nearest_places
from scenes.motion.trajectory import Trajectory
from scenes.road.static_points import measured_points
from scenes.work.memoize import memoized
from scenes.work.short_repr import short_repr

SPACING_M = 3.0
"""Distance between stations."""
MAX_STATIONS = 500
"""On longer paths the stations are spread out, since the fit is a dense solve."""
BEFORE_M, BEYOND_M = 6.0, 60.0
"""How far the path is extended: cameras look ahead of the last pose."""
HALF_WIDTH_M = 10.0
"""Evidence further than this from the path says nothing about its road."""
GATE_M = 1.0
"""Evidence further than this above or below the wheels is not road."""
MIN_POINTS = 30
"""Fewer points of evidence than this are not worth a fit."""
ROBUST_SCALES_M = (0.4, 0.2, 0.1, 0.07, 0.05, 0.05, 0.05)
"""Geman-McClure scales, one a round: kerbs, grass and parked cars are outliers, not noise."""
REACHES_M = (3.0, 3.0, 3.0, 5.0, 7.0, HALF_WIDTH_M, HALF_WIDTH_M)
"""How far from the path evidence is used, one a round. The road is found beside the wheels first:
one straight line across a road and a pavement 12 cm above it would fit both, and be neither."""
MANY = 20_000
"""So many points are looked at together, and are worth a grid."""
PLACES = 9
"""Heights are kept to so many decimals [m]."""
NOISE_M, BEND_M, TWIST = 0.05, 0.02, 0.004
"""Spread of one point; of the second differences of height and of cross slope at stations."""
PRIOR_M, PRIOR_SLOPE = 0.5, 0.03
"""How far road may be from the wheels' plane where there is no evidence: hold on weakly."""
UNDER_WHEELS_M = 1.0
"""On the driven stretch, this much on either side of the path is road in any case."""
UNSEEN_HALF_WIDTH_M = 4.0
"""Without evidence, this much on either side of the path is taken for road."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Ground:
    """Road height near a path; ask it with `height_m`."""

    station_xy_m: Float64[np.ndarray, "n 2"]
    """Where the stations are [m, world]."""
    tangent: Float64[np.ndarray, "n 2"]
    """Unit direction of travel at each."""
    station_m: Float64[np.ndarray, "n"]
    """Path length at each [m], increasing."""
    path_height_m: Float64[np.ndarray, "n"]
    """World z of the road on the path [m]."""
    cross_slope: Float64[np.ndarray, "n"]
    """Rise per metre to the left."""
    right_m: Float64[np.ndarray, "n"]
    """How far to the left support begins (negative: to the right) [m]; NaN where none."""
    left_m: Float64[np.ndarray, "n"]
    """How far to the left support ends [m]; NaN where there is none."""
    residual_m: float
    """Robust standard deviation of the evidence about the surface [m]; NaN without evidence."""
    note: str
    """Where the heights come from."""

    __repr__ = short_repr

    def height_m(
        self, x_m: Float[np.ndarray, "*n"], y_m: Float[np.ndarray, "*n"]
    ) -> Float64[np.ndarray, "*n"]:
        """World z of the road at world x, y [m]; NaN where nothing supports an answer."""
        x, y = np.ravel(x_m), np.ravel(y_m)
        station, left = path_coordinates(np.stack([x, y], axis=-1), self)
        slope = np.interp(station, self.station_m, self.cross_slope)
        height = np.interp(station, self.station_m, self.path_height_m) + slope * left
        # np.interp spreads NaN to the neighbours of an unsupported station, as it should.
        right_end = np.interp(station, self.station_m, self.right_m)
        left_end = np.interp(station, self.station_m, self.left_m)
        inside = (left >= right_end) & (left <= left_end)
        inside &= (station >= self.station_m[0]) & (station <= self.station_m[-1])
        return np.where(inside, height, np.nan).reshape(np.shape(x_m))

    @property
    def highest_m(self) -> float:
        """No road is higher [m, world z]; -inf where nothing is supported anywhere."""
        if np.isnan(self.right_m).all():
            return -np.inf
        across_m = np.nanmax(np.abs([self.right_m, self.left_m]))
        return float(self.path_height_m.max() + across_m * np.abs(self.cross_slope).max())


@memoized(4)
def fit_ground(clip: Clip) -> Ground:
    """The road under and around the ego's path, from lidar returns or triangulated points.

    What was measured on road users is left out: a queue of cars would lift the road under it.

    The ego origin runs on the ground, so the path itself is the first guess; robust rounds then
    move it to the evidence. Without enough evidence the first guess is returned, and `note` says
    so.
    """
    flat = _under_path(clip.ego)
    points = measured_points(clip)
    station, left = path_coordinates(points[:, :2], flat)
    guess = np.interp(station, flat.station_m, flat.path_height_m)
    near = (np.abs(left) <= HALF_WIDTH_M) & (np.abs(points[:, 2] - guess) <= GATE_M)
    near &= (station >= flat.station_m[0]) & (station <= flat.station_m[-1])
    station, left, height = station[near], left[near], points[near, 2]
    if len(station) < MIN_POINTS:
        return flat
    return _fitted(flat, station, left, height)


def _under_path(ego: Trajectory) -> Ground:
    """The plane under the path: level across, supported a lane to either side."""
    place = ego.world_from_body[:, :3, 3]
    flat_m = np.linalg.norm(np.diff(place[:, :2], axis=0), axis=1)
    moved = np.concatenate([[True], flat_m > 1e-6])  # a car that waits repeats its place
    length = np.concatenate([[0.0], np.cumsum(flat_m)])[moved]
    place = place[moved]
    first, last = ego.world_from_body[0, :3, 0], ego.world_from_body[-1, :3, 0]
    knots = np.concatenate([[-BEFORE_M], length, [length[-1] + BEYOND_M]])
    before, after = place[0] - BEFORE_M * _level(first), place[-1] + BEYOND_M * _level(last)
    place = np.concatenate([before[None], place, after[None]])
    count = int(np.clip(np.ceil((knots[-1] - knots[0]) / SPACING_M), 2, MAX_STATIONS)) + 1
    station = np.linspace(knots[0], knots[-1], count)
    xyz = np.stack([np.interp(station, knots, column) for column in place.T], axis=-1)
    tangent = np.gradient(xyz[:, :2], station, axis=0)
    support = np.full(count, UNSEEN_HALF_WIDTH_M)
    return Ground(
        station_xy_m=xyz[:, :2],
        tangent=tangent / np.linalg.norm(tangent, axis=1, keepdims=True),
        station_m=station,
        path_height_m=xyz[:, 2],
        cross_slope=np.zeros(count),
        right_m=-support,
        left_m=support,
        residual_m=float("nan"),
        note="no depth evidence near the path: the plane under the wheels",
    )


def _level(forward: Float64[np.ndarray, "3"]) -> Float64[np.ndarray, "3"]:
    """The direction scaled to one metre of travel in the horizontal plane."""
    return forward / max(float(np.linalg.norm(forward[:2])), 1e-6)


def path_coordinates(
    xy_m: Float[np.ndarray, "n 2"], path: Ground
) -> tuple[Float64[np.ndarray, "n"], Float64[np.ndarray, "n"]]:
    """Path length at the nearest station's foot, and distance to the left of it [m]."""
    nearest = (_nearest_of_many if len(xy_m) >= MANY else _nearest)(xy_m, path.station_xy_m)
    offset = xy_m - path.station_xy_m[nearest]
    tangent = path.tangent[nearest]
    along = np.sum(offset * tangent, axis=-1)
    left = tangent[:, 0] * offset[:, 1] - tangent[:, 1] * offset[:, 0]
    return path.station_m[nearest] + along, left


def _nearest(
    xy_m: Float[np.ndarray, "n 2"], to_m: Float[np.ndarray, "m 2"]
) -> Int[np.ndarray, "n"]:
    """Number of the station that is nearest to each point."""
    chunks = np.array_split(xy_m, max(1, len(xy_m) // MANY))
    return np.concatenate([nearest_places(chunk, to_m) for chunk in chunks])


def _nearest_of_many(
    xy_m: Float[np.ndarray, "n 2"], to_m: Float[np.ndarray, "m 2"]
) -> Int[np.ndarray, "n"]:
    """The same, where cells of a grid near the path save most of the looking.

    All points that are nearest to one station are a convex region (Voronoi's): a cell with all four
    corners in it has all its points in it.
    """
    low_m = to_m.min(axis=0) - HALF_WIDTH_M
    span_m = to_m.max(axis=0) + HALF_WIDTH_M - low_m
    side_m = max(SPACING_M / 8.0, float(np.sqrt(span_m.prod() / MANY)))
    columns, rows = (int(n) for n in np.ceil(span_m / side_m))
    at = np.meshgrid(np.arange(columns + 1), np.arange(rows + 1), indexing="ij")
    corners = _nearest(low_m + side_m * np.stack(at, axis=-1).reshape(-1, 2), to_m)
    corners = corners.reshape(columns + 1, rows + 1)
    same = corners[1:, 1:] == corners[:-1, :-1]
    same &= (corners[1:, :-1] == corners[:-1, :-1]) & (corners[:-1, 1:] == corners[:-1, :-1])
    known = np.full((columns + 1, rows + 1), -1)  # also what lies outside, by its last row
    known[:-1, :-1] = np.where(same, corners[:-1, :-1], -1)
    x, y = np.floor((xy_m - low_m) / side_m).clip(-1, [columns, rows]).astype(np.int64).T
    found = known[x, y]
    open_ = np.flatnonzero(found < 0)
    found[open_] = _nearest(xy_m[open_], to_m)
    return found


def _fitted(
    flat: Ground,
    station: Float64[np.ndarray, "p"],
    left: Float64[np.ndarray, "p"],
    height: Float64[np.ndarray, "p"],
) -> Ground:
    """Iteratively reweighted least squares on heights and cross slopes of all stations."""
    count = len(flat.station_m)
    low = np.clip(np.searchsorted(flat.station_m, station) - 1, 0, count - 2)
    share = (station - flat.station_m[low]) / (flat.station_m[low + 1] - flat.station_m[low])
    columns = np.stack([low, low + 1, count + low, count + low + 1], axis=-1)
    values = np.stack([1 - share, share, (1 - share) * left, share * left], axis=-1)
    prior_matrix, prior_vector = _prior(flat)
    unknown = np.concatenate([flat.path_height_m, flat.cross_slope])
    for scale_m, reach_m in zip(ROBUST_SCALES_M, REACHES_M, strict=True):
        residual = np.sum(values * unknown[columns], axis=1) - height
        weight = (scale_m**2 / (scale_m**2 + residual**2)) ** 2 / NOISE_M**2
        weight = np.where(np.abs(left) <= reach_m, weight, 0.0)
        matrix, vector = _normal_equations(columns, values, height, weight, 2 * count)
        unknown = np.linalg.solve(matrix + prior_matrix, vector + prior_vector)
    # how many threads solve decides the last bits: what is made of them must not depend on it
    unknown = unknown.round(PLACES)
    residual = np.sum(values * unknown[columns], axis=1) - height
    inlier = np.abs(residual) <= 3 * ROBUST_SCALES_M[-1]
    right_m, left_m = _support(low, left, inlier, count)
    # The road under the wheels is road, whether or not a point was seen on it. The stations just
    # off either end of the drive count: between a supported one and one that is not, none is.
    spacing_m = flat.station_m[1] - flat.station_m[0]
    driven = flat.station_m > -spacing_m
    driven &= flat.station_m < flat.station_m[-1] - BEYOND_M + spacing_m
    right_m[driven] = np.fmin(right_m[driven], -UNDER_WHEELS_M)
    left_m[driven] = np.fmax(left_m[driven], UNDER_WHEELS_M)
    return Ground(
        station_xy_m=flat.station_xy_m,
        tangent=flat.tangent,
        station_m=flat.station_m,
        path_height_m=unknown[:count],
        cross_slope=unknown[count:],
        right_m=right_m,
        left_m=left_m,
        residual_m=float(1.4826 * np.median(np.abs(residual[inlier]))),
        note=f"fitted to {int(inlier.sum())} of {len(station)} points near the path",
    )


def _normal_equations(
    columns: Int[np.ndarray, "p 4"],
    values: Float64[np.ndarray, "p 4"],
    height: Float64[np.ndarray, "p"],
    weight: Float64[np.ndarray, "p"],
    size: int,
) -> tuple[Float64[np.ndarray, "u u"], Float64[np.ndarray, "u"]]:
    rows = columns[:, :, None] * size + columns[:, None, :]
    products = values[:, :, None] * values[:, None, :] * weight[:, None, None]
    matrix = np.bincount(rows.ravel(), products.ravel(), minlength=size * size)
    right_side = (values * (weight * height)[:, None]).ravel()
    return matrix.reshape(size, size), np.bincount(columns.ravel(), right_side, minlength=size)


def _prior(flat: Ground) -> tuple[Float64[np.ndarray, "u u"], Float64[np.ndarray, "u"]]:
    """Roads bend slowly, are nearly level across, and lie under the wheels."""
    count = len(flat.station_m)
    second = np.diff(np.eye(count), n=2, axis=0)
    bend = second.T @ second
    matrix = np.zeros((2 * count, 2 * count))
    matrix[:count, :count] = bend / BEND_M**2 + np.eye(count) / PRIOR_M**2
    matrix[count:, count:] = bend / TWIST**2 + np.eye(count) / PRIOR_SLOPE**2
    return matrix, np.concatenate([flat.path_height_m / PRIOR_M**2, np.zeros(count)])


def _support(
    low: Int[np.ndarray, "p"],
    left: Float64[np.ndarray, "p"],
    inlier: Bool[np.ndarray, "p"],
    count: int,
) -> tuple[Float64[np.ndarray, "n"], Float64[np.ndarray, "n"]]:
    """How far road evidence reaches at each station, from the two gaps on either side of it."""
    right_m, left_m = np.full(count, np.nan), np.full(count, np.nan)
    for station in range(count):
        near = left[inlier & (np.abs(low + 0.5 - station) <= 2.0)]
        if len(near) >= 3:
            right_m[station], left_m[station] = np.percentile(near, [1, 99])
    return right_m, left_m
