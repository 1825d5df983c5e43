"""How arms and legs of somebody who goes somewhere swing: by the distance, not by the clock.

Who walks twice as fast takes twice as many steps, so that feet do not slide over the road; who
stands, stands on straight legs.
"""

import numpy as np
from jaxtyping import Float64, Int64

from scenes.motion.geometry import rigid, rotation_exp
from scenes.motion.trajectory import Trajectory

SLOW_MPS = 0.5
"""Limbs of who is slower than this swing less far, and not at all when standing."""
ABOUT_US = 100_000
"""Speed is looked at over so long before and after."""


def strides(
    path: Trajectory, time_us: Int64[np.ndarray, "n"], stride_m: float
) -> tuple[Float64[np.ndarray, "n"], Float64[np.ndarray, "n"]]:
    """How often limbs have swung there and back, and how far they swing.

    Args:
        path: Where somebody goes.
        time_us: When; before the path begins and after it ends somebody stands [us].
        stride_m: Way of a swing there and back.

    Returns:
        Swings since the path's first pose, and shares, 0 to 1, of the full swing.
    """
    walked_m = path.travelled_m()

    def until(when_us: Int64[np.ndarray, "n"]) -> Float64[np.ndarray, "n"]:
        return np.interp(when_us, path.time_us, walked_m)

    # at the path's ends, over the part of it that there is
    before, after = (
        np.clip(time_us + ahead, *path.time_us[[0, -1]]) for ahead in (-ABOUT_US, ABOUT_US)
    )
    seconds = np.maximum(after - before, 1) * 1e-6
    speed_mps = (until(after) - until(before)) / seconds
    return until(time_us) / stride_m, np.clip(speed_mps / SLOW_MPS, 0.0, 1.0)


def swung(
    hinge_m: Float64[np.ndarray, "3"],
    axis: Float64[np.ndarray, "3"],
    angle: Float64[np.ndarray, "n"],
) -> Float64[np.ndarray, "n 4 4"]:
    """`box_from_limb` of a limb that is turned about its hinge.

    Args:
        hinge_m: A point of the hinge, in the frame of the box.
        axis: Unit vector along it.
        angle: By how much it is turned from where it hangs straight [rad].
    """
    turn = rotation_exp(angle[:, None] * axis)
    return rigid(turn, hinge_m - turn @ hinge_m)
