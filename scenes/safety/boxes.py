"""Boxes of the recording car, and stretches of anybody's."""

import numpy as np
from jaxtyping import Float64

from scenes.clip import Clip
from scenes.motion.geometry import translation
from scenes.motion.trajectory import Trajectory
from scenes.work.memoize import memoized


def ego_box(clip: Clip) -> Float64[np.ndarray, "4 4"]:
    """`ego_from_box`: where the centre of the recording car is, seen from its origin [m]."""
    length, _, height = clip.ego_size_m
    return translation(np.array([clip.ego_front_m - 0.5 * length, 0.0, 0.5 * height]))


@memoized(512)
def ego_boxes(ego: Trajectory, clip: Clip) -> Trajectory:
    """World from the middle of the recording car's box, on some path of its origin."""
    return ego.mounted(ego_box(clip))


@memoized(2048)
def windowed(boxes: Trajectory, start_us: int, end_us: int) -> Trajectory:
    """A trajectory between two times, with a pose at each of them where it is known."""
    first, last = max(start_us, int(boxes.time_us[0])), min(end_us, int(boxes.time_us[-1]))
    inside = boxes.time_us[(boxes.time_us > first) & (boxes.time_us < last)]
    time_us = np.unique(np.append(inside, [first, last]))
    return Trajectory(time_us=time_us, world_from_body=boxes.at(time_us))
