"""Which pictures and which depth evidence train, and which are kept to measure with.

Moments are held out, not pictures: what any camera or lidar took nearest in time to a held-out
picture of the first camera is held out too.
"""

import numpy as np
from jaxtyping import Bool, Int64

from recon.config import ReconstructionConfig
from scenes.clip import Clip
from scenes.errors import OtherlaneError

SHARES = (0.75, 0.5, 0.25)
"""The KITTI protocol of NSG, SUDS and MARS: 75, 50 or 25 % of the frames train."""


def training_frames(
    count: int, holdout: int, train_share: float | None, first: int = 0
) -> Bool[np.ndarray, "count"]:
    """Which of `count` pictures of a camera train.

    `holdout` n keeps out picture `first` and every nth after it; 0 keeps none. `train_share`
    instead follows the KITTI protocol (SUDS, Turki et al. 2023, sec. 4.1): 0.75 keeps out every 4th
    picture, 0.5 every 2nd, 0.25 trains on every 4th.

    Raises:
        OtherlaneError: An unknown share, a `first` that is not below `holdout`, or nothing would
            be left to train on.
    """
    index = np.arange(count)
    if train_share is not None:
        if train_share not in SHARES:
            raise OtherlaneError("train_share", f"is {train_share}", f"one of {SHARES}")
        kept = index % 4 == 3 if train_share == 0.75 else index % 2 == 1
        trains = index % 4 == 0 if train_share == 0.25 else ~kept
    elif holdout == 0:
        trains = np.ones(count, dtype=bool)
    elif holdout < 2:
        raise OtherlaneError("holdout", f"is {holdout}", "0 (none) or 2 and more")
    elif not 0 <= first < holdout:
        raise OtherlaneError("holdout_first", f"is {first}", f"0 to {holdout - 1}")
    else:
        trains = index % holdout != first
    if not trains.any():
        raise OtherlaneError("holdout", f"leaves none of {count} pictures to train", "0 (none)")
    return trains


def nearest_moment(
    moments_us: Int64[np.ndarray, "m"], time_us: Int64[np.ndarray, "n"]
) -> Int64[np.ndarray, "n"]:
    """Index of the moment (of one or more, increasing) that is nearest to each time."""
    return np.abs(moments_us[:, None] - time_us[None, :]).argmin(axis=0)


def select_frames(
    clip: Clip, config: ReconstructionConfig, stream: int
) -> tuple[Int64[np.ndarray, "trained"], Int64[np.ndarray, "held"]]:
    """Indices of the pictures of a camera that train, and of those held out.

    Raises:
        OtherlaneError: Nothing would be left to train on, or the drive has no such camera.
    """
    chosen = [clip.camera_index(name, "--train-cameras") for name in config.train_cameras]
    stride = config.frame_stride
    leading = clip.cameras[0].time_us[::stride]
    used = np.arange(0, len(clip.cameras[stream]), stride)
    kept = training_frames(len(leading), config.holdout, config.train_share, config.holdout_first)
    times = clip.cameras[stream].time_us[used]
    trains = kept[nearest_moment(leading, times)]
    # before and after the first camera's pictures there is no moment to hold out
    step_us = int(np.median(np.diff(leading))) if len(leading) > 1 else 0
    trains |= (times < leading[0] - step_us // 2) | (times > leading[-1] + step_us // 2)
    if chosen and stream not in chosen:
        trains[:] = False
    return used[trains], used[~trains]


def when_trained(clip: Clip, config: ReconstructionConfig) -> Int64[np.ndarray, "n"]:
    """Times of all pictures that train [µs], of any camera, increasing."""
    streams = range(len(clip.cameras))
    times = [clip.cameras[i].time_us[select_frames(clip, config, i)[0]] for i in streams]
    return np.unique(np.concatenate(times))


def trained_observations(
    clip: Clip, stream: int, trained: Bool[np.ndarray, "frames"]
) -> Bool[np.ndarray, "observations"]:
    """Which observations of sparse points are those of training pictures of a camera.

    `trained` says which pictures of the first camera train, here and in `trained_sweeps`.
    """
    points = clip.points
    assert points is not None
    seen = points.seen_by(stream)
    trains = trained[nearest_moment(clip.cameras[0].time_us, clip.cameras[stream].time_us)]
    seen[seen] = trains[points.frame_index[seen]]
    return seen


def trained_sweeps(
    clip: Clip, stream: int, trained: Bool[np.ndarray, "frames"]
) -> Int64[np.ndarray, "sweeps"]:
    """Which sweeps of a lidar were not taken nearest to a held-out picture."""
    sweeps = clip.lidars[stream]
    # a turn that is timed by its azimuth has its picture in its middle
    middle_us = sweeps.time_us + (0 if sweeps.turn_us is None else sweeps.turn_us // 2)
    return np.flatnonzero(trained[nearest_moment(clip.cameras[0].time_us, middle_us)])
