"""What a drive measured of the things around its path: lidar returns and triangulated points.

Points on road users are left out: they say where those were, not where the ground or a wall is.
World frame [m].
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float64, Int64

from scenes.actor import Actor
from scenes.clip import Clip, LidarStream
from scenes.motion.geometry import invert, transform_points, within_box

MAX_POINTS = 200_000
"""More are thinned evenly."""
MAX_ERROR_PX = 2.0
"""Triangulated points that reproject worse than this are not used."""
PADDING_M = 0.2
"""Labelled boxes are a little off: what is this near to one counts as inside."""
CLEARANCE_M = 0.05
"""Triangulated points lower than this in a box are of the road under it."""
SLACK_US = 100_000
"""Road users stay for so long before and after their labels."""
FASTEST_MPS = 60.0
"""How fast a return may leave an actor's place in the middle of the sweep, at most."""


def measured_points(clip: Clip, most: int = MAX_POINTS) -> Float64[np.ndarray, "n 3"]:
    """Everything the drive measured but on road users, as world points; thinned evenly to `most`.

    Returns are compared with boxes at their own times. Triangulated points have none: those where
    the body of anybody was at any time are left out.
    """
    sweeps = [_returns(clip, stream, most) for stream in clip.lidars]
    if clip.points is not None:
        found = clip.points.position_m[clip.points.error_px <= MAX_ERROR_PX]
        sweeps.append(found[~_on_anybody(found, clip.actors)])
    points = np.concatenate([np.zeros((0, 3)), *sweeps])
    return points[:: max(1, len(points) // most)]


def _returns(clip: Clip, stream: LidarStream, most: int) -> Float64[np.ndarray, "n 3"]:
    """The returns of every sweep, each placed by where the car was at its own time."""
    each = max(1, most // len(stream))
    placed = []
    for index, time_us in enumerate(stream.time_us):
        sweep = stream.read(index)
        step = max(1, len(sweep.xyz_m) // each)
        in_ego = transform_points(stream.ego_from_lidar, sweep.xyz_m[::step].astype(np.float64))
        when_us = time_us + sweep.offset_us[::step].astype(np.int64)
        poses = clip.ego.at(when_us)
        points = np.einsum("nij,nj->ni", poses[:, :3, :3], in_ego) + poses[:, :3, 3]
        placed.append(points[~on_actors(points, when_us, clip.actors)])
    return np.concatenate(placed)


def on_actors(
    points_m: Float64[np.ndarray, "n 3"], when_us: Int64[np.ndarray, "n"], actors: Sequence[Actor]
) -> Bool[np.ndarray, "n"]:
    """Whether each point is in the padded box of a road user at its own time.

    Args:
        points_m: World points of one sweep, or of another short time.
        when_us: When each was measured.
        actors: Who is asked about.
    """
    hit = np.zeros(len(points_m), dtype=bool)
    if not len(points_m):
        return hit
    first, last = int(when_us.min()), int(when_us.max())
    for actor in actors:
        known = actor.trajectory.time_us[[0, -1]]
        if known[0] - SLACK_US > last or known[1] + SLACK_US < first:
            continue
        middle = actor.trajectory.place_m((first + last) // 2)
        reach_m = 0.5 * np.linalg.norm(actor.size_m) + PADDING_M
        reach_m += FASTEST_MPS * (last - first) / 2e6
        near = np.flatnonzero(np.linalg.norm(points_m - middle, axis=1) <= reach_m)
        near = near[(when_us[near] >= known[0] - SLACK_US) & (when_us[near] <= known[1] + SLACK_US)]
        if not len(near):
            continue
        maps = invert(actor.trajectory.at(when_us[near]))
        local = np.einsum("nij,nj->ni", maps[:, :3, :3], points_m[near]) + maps[:, :3, 3]
        hit[near] |= within_box(local, actor.size_m, PADDING_M)
    return hit


def _on_anybody(
    points_m: Float64[np.ndarray, "n 3"], actors: Sequence[Actor]
) -> Bool[np.ndarray, "n"]:
    """Whether each point is where the body of somebody was at any time, not the road under it."""
    hit = np.zeros(len(points_m), dtype=bool)
    for actor in actors:
        poses = actor.trajectory.world_from_body
        reach_m = 0.5 * float(np.linalg.norm(actor.size_m)) + PADDING_M
        low, high = poses[:, :3, 3].min(axis=0) - reach_m, poses[:, :3, 3].max(axis=0) + reach_m
        near = np.flatnonzero(np.all((points_m > low) & (points_m < high), axis=1))
        for pose in poses:
            local = transform_points(invert(pose), points_m[near])
            over = local[:, 2] > CLEARANCE_M - 0.5 * actor.size_m[2]
            hit[near] |= over & within_box(local, actor.size_m, PADDING_M)
    return hit
