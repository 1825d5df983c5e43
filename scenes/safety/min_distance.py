"""How near two boxes come in a window, between the times at which anybody knows a pose of them.

Samples in time err to one side: at 30 m/s and 20 Hz a crash can fall between two of them. Here a
window is cut into pieces in which both go straight and turn evenly; whatever a box does in a piece
stays inside that box, grown by half its way. Pieces in which the grown boxes leave room for less
than the least that was found so far are halved, the others are done: nothing is missed.

Times are microseconds of the clip, as floats: pieces become shorter than one.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from scenes.motion.geometry import plan_reach_m
from scenes.motion.trajectory import Trajectory
from scenes.safety.definitions import Moving, distance_m, separation_m

STEP_US = 50_000
"""The longest piece [µs]: over it, the heading of a tilted box turns evenly in plan view."""
TOLERANCE_M = 1e-3
"""Least distances are not too large by more than this [m]."""
TOLERANCE_US = 1_000.0
"""Nor are post-encroachment times by more than this [µs]."""
MOST_HALVINGS = 24
MOST_CELLS = 200_000
"""Ways that nearly touch for long (some micrometres, in a bend) are not told apart further."""

Row = Float64[np.ndarray, "n"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PlanPath:
    """A box's way in plan view; straight, and evenly turning, from time to time."""

    time_us: Float64[np.ndarray, "k"]
    """Ends of its pieces, increasing [µs]."""
    place_m: Float64[np.ndarray, "k 2"]
    """Its centre [m, world]."""
    yaw: Float64[np.ndarray, "k"]
    """Direction of its length, without jumps [rad]."""
    size_m: Float64[np.ndarray, "3"]
    """Length, width, height [m]."""

    def at(self, time_us: Row) -> Moving:
        """Where it is at times; held at the ends. Nothing is said of its motion."""
        x, y = (np.interp(time_us, self.time_us, column) for column in self.place_m.T)
        return Moving(
            place_m=np.stack([x, y], axis=-1),
            yaw=np.interp(time_us, self.time_us, self.yaw),
            velocity_mps=np.zeros((len(time_us), 2)),
            yaw_rate=np.zeros(len(time_us)),
        )

    @property
    def reach_m(self) -> float:
        """From its centre to a corner [m]."""
        return float(plan_reach_m(self.size_m))


def plan_path(
    boxes: Trajectory, size_m: Float64[np.ndarray, "3"], start_us: int, end_us: int
) -> PlanPath:
    """A box's way in plan view between two times, as far as it is known then.

    Args:
        boxes: World from the middle of the box; some of it lies in the window.
        size_m: Length, width, height [m].
        start_us: First time of the window [µs].
        end_us: Its last [µs].
    """
    first, last = max(start_us, int(boxes.time_us[0])), min(end_us, int(boxes.time_us[-1]))
    inside = boxes.time_us[(boxes.time_us > first) & (boxes.time_us < last)]
    time_us = np.unique(np.concatenate([inside, np.arange(first, last, STEP_US), [last]]))
    poses = boxes.at(time_us)
    return PlanPath(
        time_us=time_us.astype(np.float64),
        place_m=poses[:, :2, 3],
        yaw=np.unwrap(np.arctan2(poses[:, 1, 0], poses[:, 0, 0])),
        size_m=size_m,
    )


def least_distance_m(a: PlanPath, b: PlanPath) -> float:
    """Between the nearest points of two boxes while both are known [m]; inf if they never are.

    Too large by `TOLERANCE_M` at most, and never too small.
    """
    first, last = max(a.time_us[0], b.time_us[0]), min(a.time_us[-1], b.time_us[-1])
    if first > last:
        return float("inf")
    ends = np.unique(np.clip(np.concatenate([a.time_us, b.time_us]), first, last))
    least = float(distance_m(a.at(ends), a.size_m, b.at(ends), b.size_m).min())
    start, end = ends[:-1], ends[1:]
    for _ in range(MOST_HALVINGS):
        if len(start) == 0:
            break
        middle = 0.5 * (start + end)
        own, other = a.at(middle), b.at(middle)
        least = min(least, float(distance_m(own, a.size_m, other, b.size_m).min()))
        way_m = (b.at(end).place_m - b.at(start).place_m) - (
            a.at(end).place_m - a.at(start).place_m
        )
        sway_m = _sway_m(a, start, end) + _sway_m(b, start, end)
        grown_m = _grown_m(other, b.size_m, way_m, sway_m)
        left = distance_m(own, a.size_m, other, grown_m) < least - TOLERANCE_M
        start, middle, end = start[left], middle[left], end[left]
        start, end = np.concatenate([start, middle]), np.concatenate([middle, end])
    return least


def least_encroachment_s(a: PlanPath, b: PlanPath) -> float:
    """The least time between a being at a place and b being there [s]; inf if they share none.

    `scenes.safety.definitions.post_encroachment_s` of all times, not of some. Too large by
    `TOLERANCE_US` at most; places that are shared for less than that are not counted.
    """
    pieces_a, pieces_b = _pieces(a), _pieces(b)
    rows, columns = _may_meet(a, pieces_a, b, pieces_b)
    cells, least_us = np.concatenate([pieces_a[:, rows], pieces_b[:, columns]]), np.inf
    for _ in range(MOST_HALVINGS):
        cells = cells[:, _could_be_less(cells, least_us)]
        at_a, at_b = 0.5 * (cells[0] + cells[1]), 0.5 * (cells[2] + cells[3])
        touch = separation_m(a.at(at_a), a.size_m, b.at(at_b), b.size_m) <= 0.0
        least_us = float(np.abs(at_a - at_b)[touch].min(initial=least_us))
        left = _could_be_less(cells, least_us)
        left &= np.maximum(cells[1] - cells[0], cells[3] - cells[2]) > 0.5 * TOLERANCE_US
        cells, at_a, at_b = cells[:, left], at_a[left], at_b[left]
        box_a, box_b = a.at(at_a), b.at(at_b)
        size_a = _swept_m(a, box_a, cells[0], cells[1])
        size_b = _swept_m(b, box_b, cells[2], cells[3])
        meet = separation_m(box_a, size_a, box_b, size_b) <= 0.0
        if not 0 < np.count_nonzero(meet) <= MOST_CELLS:
            break
        cells = _quartered(cells[:, meet], at_a[meet], at_b[meet])
    return least_us * 1e-6


def _could_be_less(cells: Float64[np.ndarray, "4 n"], least_us: float) -> Bool[np.ndarray, "n"]:
    """Which pairs of pieces hold times that are less apart than what is known, by enough."""
    soonest_us = np.maximum(np.maximum(cells[2] - cells[1], cells[0] - cells[3]), 0.0)
    return soonest_us < least_us - 0.5 * TOLERANCE_US


def _pieces(path: PlanPath) -> Float64[np.ndarray, "2 n"]:
    """Start and end of each piece [µs]; one without length where a single time is known."""
    times = path.time_us if len(path.time_us) > 1 else np.repeat(path.time_us, 2)
    return np.stack([times[:-1], times[1:]])


def _may_meet(
    a: PlanPath,
    pieces_a: Float64[np.ndarray, "2 n"],
    b: PlanPath,
    pieces_b: Float64[np.ndarray, "2 m"],
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the pieces, one of each box, whose upright bounds overlap: a quick look."""
    low_a, high_a, low_b, high_b = (
        bound
        for path, pieces in ((a, pieces_a), (b, pieces_b))
        for bound in (
            np.minimum(path.at(pieces[0]).place_m, path.at(pieces[1]).place_m) - path.reach_m,
            np.maximum(path.at(pieces[0]).place_m, path.at(pieces[1]).place_m) + path.reach_m,
        )
    )
    meet = (low_a[:, None] <= high_b[None]) & (low_b[None] <= high_a[:, None])
    rows, columns = np.nonzero(meet.all(axis=-1))
    return rows, columns


def _quartered(cells: Float64[np.ndarray, "4 n"], at_a: Row, at_b: Row) -> np.ndarray:
    """Each pair of pieces, cut at these times into four."""
    halves_a, halves_b = ((cells[0], at_a), (at_a, cells[1])), ((cells[2], at_b), (at_b, cells[3]))
    return np.concatenate(
        [np.stack([*own, *other]) for own in halves_a for other in halves_b], axis=1
    )


def _swept_m(
    path: PlanPath, middle: Moving, start_us: Row, end_us: Row
) -> Float64[np.ndarray, "n 3"]:
    """Sizes of the boxes in the middle of pieces that hold all that a box covers in them."""
    way_m = path.at(end_us).place_m - path.at(start_us).place_m
    return _grown_m(middle, path.size_m, way_m, _sway_m(path, start_us, end_us))


def _sway_m(path: PlanPath, start_us: Row, end_us: Row) -> Row:
    """How far turning takes any point of a box from where it is in the middle of pieces [m]."""
    turn = np.interp(end_us, path.time_us, path.yaw) - np.interp(start_us, path.time_us, path.yaw)
    return 0.5 * np.abs(turn) * path.reach_m


def _grown_m(
    box: Moving,
    size_m: Float64[np.ndarray, "3"],
    way_m: Float64[np.ndarray, "n 2"],
    sway_m: Row,
) -> Float64[np.ndarray, "n 3"]:
    """Sizes, grown by half a way and a sway to either side."""
    forward = box.forward
    along = np.sum(way_m * forward, axis=-1)
    across = way_m[:, 1] * forward[:, 0] - way_m[:, 0] * forward[:, 1]
    more = np.stack([np.abs(along), np.abs(across), np.zeros_like(along)], axis=-1)
    return size_m + more + 2.0 * sway_m[:, None]
