"""Which pictures train, and which are kept to measure with."""

import numpy as np
from jaxtyping import Bool

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
