"""How fast a path is, whatever it jitters and wherever it jumps."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float64

from scenes.motion.trajectory import Trajectory

WINDOWS_US = (500_000, 1_000_000, 2_000_000, 4_000_000)
"""Speeds are measured over these, and over the longest that may be [µs]."""
NEIGHBOURS = 5
"""Steps on either side that say what a step of the path is like."""
JUMP_M = 1.0
"""A step that differs by more from those around it is a jump [m]: GPS does where it is lost."""


def sustained_mps(path: Trajectory, jitter_m: float, share: float = 1.0) -> tuple[float, str]:
    """The fastest middle speed (median) over any of the windows [m/s], and how it was measured.

    Args:
        path: Of one body.
        jitter_m: What is taken off each way [m].
        share: Of the path's time that a window may last. Up to a third, one jump is in less than
            half of the windows.
    """
    times, place_m = path.time_us, path.world_from_body[:, :3, 3]
    longest_us = int(share * int(times[-1] - times[0]))
    if times[-1] == times[0]:
        return 0.0, ""
    if share < 1.0:  # windows end at the next pose: as many steps as are nearest, not more
        longest_us = max(longest_us - int(np.median(np.diff(times))) // 2, 1)
    windows = {min(window_us, longest_us) for window_us in WINDOWS_US} | {longest_us}
    best_mps, best = 0.0, ""
    for window_us in sorted(windows):
        starts = np.searchsorted(times, times[-1] - window_us, side="right")
        ends = np.searchsorted(times, times[:starts] + window_us)
        seconds = (times[ends] - times[:starts]) * 1e-6
        way_m = np.linalg.norm(place_m[ends] - place_m[:starts], axis=1)
        each = np.maximum(way_m - jitter_m, 0.0) / seconds
        middle = int(np.argsort(each)[(len(each) - 1) // 2])
        if each[middle] > best_mps:
            best_mps = float(each[middle])
            best = f"{way_m[middle]:.3g} m in {seconds[middle]:.3g} s"
    return best_mps, best


def jumps_of(path: Trajectory) -> Float64[np.ndarray, "m 3"]:
    """How far each step is off those around it [m]."""
    step_m = np.diff(path.world_from_body[:, :3, 3], axis=0)
    seconds = np.diff(path.time_us)[:, None] * 1e-6
    if len(step_m) <= NEIGHBOURS:
        return step_m - np.median(step_m / seconds, axis=0) * seconds
    padded = np.pad(step_m / seconds, ((NEIGHBOURS, NEIGHBOURS), (0, 0)), mode="reflect")
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEIGHBOURS + 1, axis=0)
    return step_m - np.median(around, axis=-1) * seconds


def without_jumps(path: Trajectory) -> Trajectory:
    """The same path, every jump taken off all that follows it."""
    if len(path) < 2:
        return path
    off_m = jumps_of(path)
    off_m[np.linalg.norm(off_m, axis=1) <= JUMP_M] = 0.0
    poses = path.world_from_body.copy()
    poses[1:, :3, 3] -= np.cumsum(off_m, axis=0)
    return replace(path, world_from_body=poses)
