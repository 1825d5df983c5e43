"""Depth evidence from where no camera was: the road, seen from beside the path.

A field that explains every recorded picture may still have a bumpy road, on which marks double
and smear as soon as the camera moves a lane further left. The road's surface is known without any
picture (`scenes.road.ground`), so it is looked at from places up to `REACH_M` beside the recorded
cameras: rays with a known end. (AutoSplat, Khan et al. 2024, constrains its splats on the road for
the same reason.) What this is worth, and what else was tried, is said in
docs/results/off_path.md.
"""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float64

from recon.data.depth_rays import DepthEvidence
from recon.data.holdout import trained_observations, trained_sweeps
from scenes.clip import Clip
from scenes.motion.geometry import invert, transform_points
from scenes.road.ground import Ground, fit_ground, path_coordinates

REACH_M, RISE_M = 4.5, 0.4
"""How far to either side, and up or down, a virtual camera stands from a recorded one."""
RAYS = 60_000
"""How many there are to draw from."""
NEAREST_M, FURTHEST_M = 2.5, 45.0
"""How far away the road is looked at."""
CELL_M = 0.75
"""Side of the squares in which the road counts as seen where one point lies on it."""
NEAR_ROAD_M, MOSTLY = 0.5, 0.7
"""A piece of it is flat enough to be road where this share of the points that lie this near to
the surface lie on it ..."""
RARELY = 0.4
"""... and there is no road to speak of where not even this share of all such points does."""
KERB_M = 0.8
"""Virtual cameras stay this far inside the road's edges."""
BOX_MARGIN_M = 0.2
"""Rays that pass road users nearer than this are dropped."""


def road_evidence(
    clip: Clip,
    trained: Bool[np.ndarray, "frames"],
    depth: DepthEvidence,
    seed: int,
    shown: frozenset[int] = frozenset(),
) -> DepthEvidence:
    """Rays from beside the path that end on the road.

    Args:
        clip: The drive, without what was held out of depth evidence (`only_trained`).
        trained: Which pictures of the first camera train; others give no evidence.
        depth: What is known from the path, of the pictures that train.
        seed: Of where virtual cameras stand and look.
        shown: Ids of those who have fields: they are not there on these rays.
    """
    rng = np.random.default_rng([seed, 611])
    images = clip.cameras[0]
    poses = clip.ego.mounted(images.ego_from_camera).at(images.time_us[trained])
    points_m = depth.ends_m().double().numpy()
    origins, ends = _rays(fit_ground(clip), points_m, poses, rng)
    free = ~meets_standing(clip, origins, ends, shown)
    along = ends[free] - origins[free]
    distance = np.linalg.norm(along, axis=1)
    return DepthEvidence(
        origins_m=torch.from_numpy(origins[free]).float(),
        directions=torch.from_numpy(along / distance[:, None]).float(),
        range_m=torch.from_numpy(distance).float(),
    )


def only_trained(clip: Clip, trained: Bool[np.ndarray, "frames"]) -> Clip:
    """The drive without what was held out of depth evidence.

    That is, sweeps that were taken nearest to a held-out picture, and sparse points that no
    training picture saw.
    """
    lidars = []
    for index, stream in enumerate(clip.lidars):
        keep = trained_sweeps(clip, index, trained)
        if len(keep):
            lidars.append(stream.chosen(keep))
    points = clip.points
    if points is not None:
        seen = [trained_observations(clip, stream, trained) for stream in range(len(clip.cameras))]
        known = np.logical_or.reduce(seen)
        points = points.only(np.unique(points.point_index[known]), known)
    return replace(clip, lidars=tuple(lidars), points=points)


def _rays(
    ground: Ground,
    points_m: Float64[np.ndarray, "points 3"],
    poses: Float64[np.ndarray, "frames 4 4"],
    rng: np.random.Generator,
) -> tuple[Float64[np.ndarray, "n 3"], Float64[np.ndarray, "n 3"]]:
    """Starts and ends of rays from virtual cameras to where the road was seen."""
    cells_m = _road_cells(ground, points_m)
    if len(cells_m) == 0:
        return np.zeros((0, 3)), np.zeros((0, 3))
    tries = 8 * RAYS
    place = poses[rng.integers(len(poses), size=tries)][:, :3, 3]
    ends = cells_m[rng.integers(len(cells_m), size=tries)] + rng.uniform(0.0, CELL_M, (tries, 2))
    # as many on a near cell as a camera has pixels there, if it turned its head
    distance = np.linalg.norm(ends - place[:, :2], axis=1)
    chosen = (distance > NEAREST_M) & (distance < FURTHEST_M)
    chosen &= rng.uniform(size=tries) < NEAREST_M / np.maximum(distance, NEAREST_M)
    pick = np.flatnonzero(chosen)[:RAYS]
    place, ends = place[pick], ends[pick]
    origins = _beside(ground, place, rng)
    height_m = ground.height_m(ends[:, 0], ends[:, 1])
    known = np.isfinite(height_m) & np.isfinite(origins).all(axis=1)
    return origins[known], np.concatenate([ends, height_m[:, None]], axis=1)[known]


def _road_cells(
    ground: Ground, points_m: Float64[np.ndarray, "points 3"]
) -> Float64[np.ndarray, "cells 2"]:
    """Low corners of the squares in which most points near the road's surface lie on it."""
    off = np.abs(points_m[:, 2] - ground.height_m(points_m[:, 0], points_m[:, 1]))
    near = off < NEAR_ROAD_M  # NaN, off the road, is not
    on_it = (off[near] < 3.0 * ground.residual_m + 0.01).astype(np.float64)
    if on_it.sum() < RARELY * len(on_it) or len(on_it) == 0:
        return np.zeros((0, 2))  # what was fitted is no road
    cells, cell = np.unique(np.floor(points_m[near, :2] / CELL_M), axis=0, return_inverse=True)
    count = np.bincount(cell.ravel(), minlength=len(cells))
    return CELL_M * cells[np.bincount(cell.ravel(), on_it, len(cells)) > MOSTLY * count]


def _beside(
    ground: Ground, place_m: Float64[np.ndarray, "n 3"], rng: np.random.Generator
) -> Float64[np.ndarray, "n 3"]:
    """Places of recorded cameras, moved across the road and up or down."""
    station, left = path_coordinates(place_m[:, :2], ground)
    right_m = np.interp(station, ground.station_m, ground.right_m)
    left_m = np.interp(station, ground.station_m, ground.left_m)
    # the recording car's own place is free in any case
    low, high = np.fmin(right_m + KERB_M, left), np.fmax(left_m - KERB_M, left)
    beside = np.clip(left + rng.uniform(-REACH_M, REACH_M, len(left)), low, high)
    origins = _point(ground, station, beside)
    origins[:, 2] += place_m[:, 2] - _point(ground, station, left)[:, 2]
    origins[:, 2] += rng.uniform(-RISE_M, RISE_M, len(left))
    return origins


def _point(
    ground: Ground, station_m: Float64[np.ndarray, "n"], left_m: Float64[np.ndarray, "n"]
) -> Float64[np.ndarray, "n 3"]:
    """World points of the ruled surface, wherever it may end."""

    def along(values: Float64[np.ndarray, "stations"]) -> Float64[np.ndarray, "n"]:
        return np.interp(station_m, ground.station_m, values)

    x, y = (along(ground.station_xy_m[:, axis]) for axis in (0, 1))
    ahead, aside = (along(ground.tangent[:, axis]) for axis in (0, 1))
    height = along(ground.path_height_m) + along(ground.cross_slope) * left_m
    return np.stack([x - aside * left_m, y + ahead * left_m, height], axis=-1)


def meets_standing(
    clip: Clip,
    origins: Float64[np.ndarray, "n 3"],
    ends: Float64[np.ndarray, "n 3"],
    shown: frozenset[int] = frozenset(),
) -> Bool[np.ndarray, "n"]:
    """Whether a ray passes the box of a standing road user without a field before it ends."""
    meets = np.zeros(len(origins), dtype=bool)
    for actor in clip.actors:
        if not actor.is_moving and actor.id not in shown:  # part of the static scene
            half_m = 0.5 * actor.size_m + BOX_MARGIN_M
            meets |= passes(actor.trajectory.world_from_body[0], half_m, origins, ends)
    return meets


def passes(
    world_from_box: Float64[np.ndarray, "4 4"],
    half_m: Float64[np.ndarray, "3"],
    origins: Float64[np.ndarray, "n 3"],
    ends: Float64[np.ndarray, "n 3"],
) -> Bool[np.ndarray, "n"]:
    """Which lines pass a box between their ends."""
    entry, leave = crossing(world_from_box, half_m, origins, ends)
    return (leave > entry) & (leave > 0.0) & (entry < 1.0)


def crossing(
    world_from_box: Float64[np.ndarray, "4 4"],
    half_m: Float64[np.ndarray, "3"],
    origins: Float64[np.ndarray, "n 3"],
    ends: Float64[np.ndarray, "n 3"],
) -> tuple[Float64[np.ndarray, "n"], Float64[np.ndarray, "n"]]:
    """Where lines enter and leave a box, in shares of their lengths; entry > leave is a miss."""
    box_from_world = invert(world_from_box)
    start, stop = (transform_points(box_from_world, x) for x in (origins, ends))
    along = np.where(np.abs(stop - start) < 1e-9, 1e-9, stop - start)
    first, second = (-half_m - start) / along, (half_m - start) / along
    return np.minimum(first, second).max(axis=1), np.maximum(first, second).min(axis=1)
