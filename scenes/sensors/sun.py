"""Where the sun stood, as people say it: seen from the car as the drive begins."""

import numpy as np
from jaxtyping import Float64

from scenes.errors import OtherlaneError
from scenes.motion.trajectory import Trajectory


def sun_direction(ego: Trajectory, left_deg: float, above_deg: float) -> Float64[np.ndarray, "3"]:
    """Unit vector to the sun (world axes).

    Args:
        ego: Poses of the car; the first says where ahead is.
        left_deg: From ahead to the left, as seen from above [degrees].
        above_deg: Over the horizon [degrees].

    Raises:
        OtherlaneError: The sun would not be above the horizon, or a number is not finite.
    """
    if not (abs(left_deg) <= 360.0 and 0.0 < above_deg <= 90.0):
        where = f"--sun {left_deg:g} {above_deg:g}"
        fix = "degrees to the left of ahead (from -360 to 360; minus is to the right), then above "
        fix += "the horizon (above 0, at most 90), such as --sun 60 40"
        raise OtherlaneError(where, "is no place of the sun above the horizon", fix)
    ahead = ego.world_from_body[0, :3, 0]
    turn = np.arctan2(ahead[1], ahead[0]) + np.deg2rad(left_deg)
    flat, up = np.cos(np.deg2rad(above_deg)), np.sin(np.deg2rad(above_deg))
    return np.array([flat * np.cos(turn), flat * np.sin(turn), up])
