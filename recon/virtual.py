"""Depth evidence from where no camera was: what must be seen from beside the path.

A field that explains every recorded picture may still be wrong a lane further left: its road is
bumpy, its walls are fog that happens to line up. Two things are known there without any picture:
the road's surface near the path (`scenes.ground`), and the drive's own depth points, wherever
another point does not stand before them. Both become rays with a known end that start up to
`REACH_M` beside the recorded cameras. (AutoSplat, Khan et al. 2024, constrains its splats on the
road for the same reason.)
"""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64

from recon.depth import DepthEvidence, load_depth
from scenes.clip import Clip
from scenes.geometry import invert, transform_points
from scenes.ground import Ground, fit_ground, path_coordinates

REACH_M, RISE_M = 4.5, 0.4
"""How far to either side, and up or down, a virtual camera stands from a recorded one."""
ROAD_RAYS, POINT_RAYS = 60_000, 120_000
"""Rays that end on the road, and on depth points."""
ROAD_NEAR_M, ROAD_FAR_M = 2.5, 45.0
"""How far away the road is looked at."""
CELL_M = 0.75
"""Side of the squares in which the road counts as seen where one point lies on it."""
ROUGH_M = 0.12
"""A road that its evidence strays from by more than this is not known well enough to be one."""
KERB_M = 0.8
"""Virtual cameras stay this far inside the road's edges."""
BOX_MARGIN_M = 0.2
"""Rays that pass road users nearer than this are dropped."""
BIN_RAD = 0.012
"""Points within about this angle hide each other ..."""
HIDDEN = 1.06
"""... where one is further than the other by this factor."""
AROUND_M = 60.0
"""Points further from a virtual camera are left to the real ones."""


def virtual_evidence(clip: Clip, trained: Bool[np.ndarray, "frames"], seed: int) -> DepthEvidence:
    """Rays from beside the path whose first surface is known.

    Args:
        clip: The drive.
        trained: Which pictures of the first camera train; others give no evidence.
        seed: Of where virtual cameras stand and look.
    """
    rng = np.random.default_rng([seed, 611])
    images = clip.cameras[0]
    poses = clip.ego.mounted(images.ego_from_camera).at(images.time_us[trained])
    depth = load_depth(clip, trained)
    points_m = (depth.origins_m + depth.directions * depth.range_m[:, None]).double().numpy()
    road = _road_rays(fit_ground(only_trained(clip, trained)), points_m, poses, rng)
    points = _point_rays(points_m, poses, rng)
    origins = np.concatenate([road[0], points[0]])
    ends = np.concatenate([road[1], points[1]])
    free = ~_meets_actor(clip, origins, ends)
    along = ends[free] - origins[free]
    distance = np.linalg.norm(along, axis=1)
    return DepthEvidence(
        origins_m=torch.from_numpy(origins[free]).float(),
        directions=torch.from_numpy(along / distance[:, None]).float(),
        range_m=torch.from_numpy(distance).float(),
    )


def only_trained(clip: Clip, trained: Bool[np.ndarray, "frames"]) -> Clip:
    """The drive without the sweeps that were taken nearest to a held-out picture."""
    times = clip.cameras[0].time_us
    lidars = []
    for stream in clip.lidars:
        near = np.argmin(np.abs(times[:, None] - stream.time_us[None, :]), axis=0)
        keep = np.flatnonzero(trained[near])
        if len(keep):
            files = tuple(stream.files[i] for i in keep)
            lidars.append(replace(stream, time_us=stream.time_us[keep], files=files))
    return replace(clip, lidars=tuple(lidars))


def _road_rays(
    ground: Ground,
    points_m: Float64[np.ndarray, "points 3"],
    poses: Float64[np.ndarray, "frames 4 4"],
    rng: np.random.Generator,
) -> tuple[Float64[np.ndarray, "n 3"], Float64[np.ndarray, "n 3"]]:
    """Starts and ends of rays from virtual cameras to where the road was seen."""
    cells_m = _road_cells(ground, points_m)
    if len(cells_m) == 0 or not ground.residual_m <= ROUGH_M:
        return np.zeros((0, 3)), np.zeros((0, 3))
    tries = 8 * ROAD_RAYS
    place = poses[rng.integers(len(poses), size=tries)][:, :3, 3]
    ends = cells_m[rng.integers(len(cells_m), size=tries)] + rng.uniform(0.0, CELL_M, (tries, 2))
    # as many on a near cell as a camera has pixels there, if it turned its head
    distance = np.linalg.norm(ends - place[:, :2], axis=1)
    chosen = (distance > ROAD_NEAR_M) & (distance < ROAD_FAR_M)
    chosen &= rng.uniform(size=tries) < ROAD_NEAR_M / np.maximum(distance, ROAD_NEAR_M)
    pick = np.flatnonzero(chosen)[:ROAD_RAYS]
    place, ends = place[pick], ends[pick]
    origins = _beside(ground, place, rng)
    height_m = ground.height_m(ends[:, 0], ends[:, 1])
    known = np.isfinite(height_m) & np.isfinite(origins).all(axis=1)
    return origins[known], np.concatenate([ends, height_m[:, None]], axis=1)[known]


def _road_cells(
    ground: Ground, points_m: Float64[np.ndarray, "points 3"]
) -> Float64[np.ndarray, "cells 2"]:
    """Low corners of the squares in which some point lies on the road's surface."""
    off = np.abs(points_m[:, 2] - ground.height_m(points_m[:, 0], points_m[:, 1]))
    on_it = off < 3.0 * ground.residual_m + 0.01  # NaN, off the road, is not
    return np.unique(np.floor(points_m[on_it, :2] / CELL_M), axis=0) * CELL_M


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


def _point_rays(
    ends: Float64[np.ndarray, "points 3"],
    poses: Float64[np.ndarray, "frames 4 4"],
    rng: np.random.Generator,
) -> tuple[Float64[np.ndarray, "n 3"], Float64[np.ndarray, "n 3"]]:
    """Starts and ends of rays from virtual cameras to depth points that nothing hides."""
    starts, stops = [np.zeros((0, 3))], [np.zeros((0, 3))]
    for pose in poses:
        shift = [rng.uniform(-REACH_M, REACH_M), rng.uniform(-RISE_M, RISE_M), 0.0]
        origin = pose[:3, 3] + pose[:3, :3] @ shift
        near = np.flatnonzero(np.linalg.norm(ends - origin, axis=1) < AROUND_M)
        seen = near[unhidden(ends[near] - origin)]
        pick = seen[rng.permutation(len(seen))[: POINT_RAYS // len(poses)]]
        starts.append(np.broadcast_to(origin, (len(pick), 3)))
        stops.append(ends[pick])
    return np.concatenate(starts), np.concatenate(stops)


def unhidden(offset_m: Float64[np.ndarray, "n 3"]) -> Int64[np.ndarray, "seen"]:
    """Which points no other point stands before, seen from the origin.

    A point is hidden where the nearest point of its own or a neighbouring bin of directions is
    nearer by more than `HIDDEN` allows.
    """
    distance = np.linalg.norm(offset_m, axis=1)
    azimuth = np.arctan2(offset_m[:, 1], offset_m[:, 0])
    elevation = np.arcsin(np.clip(offset_m[:, 2] / np.maximum(distance, 1e-9), -1.0, 1.0))
    column = ((azimuth + np.pi) / BIN_RAD).astype(np.int64)
    row = ((elevation + 0.5 * np.pi) / BIN_RAD).astype(np.int64)
    columns, rows = int(2 * np.pi / BIN_RAD) + 1, int(np.pi / BIN_RAD) + 1
    nearest = np.full((rows, columns), np.inf)
    np.minimum.at(nearest, (row, column), distance)
    wide = np.pad(nearest, 1, mode="wrap")
    around = np.min(
        [wide[i : i + rows, j : j + columns] for i in range(3) for j in range(3)], axis=0
    )
    return np.flatnonzero(distance <= HIDDEN * around[row, column])


def _meets_actor(
    clip: Clip, origins: Float64[np.ndarray, "n 3"], ends: Float64[np.ndarray, "n 3"]
) -> Bool[np.ndarray, "n"]:
    """Whether a ray passes the box of a road user that stands still before it ends."""
    meets = np.zeros(len(origins), dtype=bool)
    for actor in clip.actors:
        if actor.is_moving:
            continue  # not part of the static scene
        box_from_world = invert(actor.trajectory.world_from_body[0])
        start, stop = (transform_points(box_from_world, x) for x in (origins, ends))
        half = 0.5 * actor.size_m + BOX_MARGIN_M
        along = np.where(np.abs(stop - start) < 1e-9, 1e-9, stop - start)
        first, second = (-half - start) / along, (half - start) / along
        entry = np.minimum(first, second).max(axis=1)
        leave = np.maximum(first, second).min(axis=1)
        on_it = np.all(np.abs(stop) <= half, axis=1)  # its own surface may be what is seen
        meets |= (leave > entry) & (leave > 0.0) & (entry < 1.0) & ~on_it
    return meets
