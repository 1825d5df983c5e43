"""Whether an edit can be driven does not depend on how noisy the poses of a drive are."""

import numpy as np
import pytest

from scenes.edits import EgoEdit
from scenes.edits.ego import LaneChange
from scenes.errors import InfeasibleError
from scenes.motion.geometry import rotation_exp, translation
from scenes.motion.limits import check_limits
from scenes.motion.trajectory import Trajectory
from tests.clip_maker import ride

SEEDS = range(8)


def jittered(
    path: Trajectory, seed: int, place_m: float = 0.02, turn_deg: float = 0.1
) -> Trajectory:
    """The path with every pose a little off."""
    random = np.random.default_rng(seed)
    poses = translation(place_m * random.standard_normal((len(path), 3))) @ path.world_from_body
    turns = np.deg2rad(turn_deg) * random.standard_normal((len(path), 3))
    poses[:, :3, :3] = poses[:, :3, :3] @ rotation_exp(turns)
    return Trajectory(time_us=path.time_us, world_from_body=poses)


def verdict(path: Trajectory, edit: EgoEdit) -> str:
    """The limit that an edit breaks, or nothing."""
    try:
        check_limits(path, (edit,), suggest=False)
    except InfeasibleError as error:
        return error.reason
    return ""


@pytest.mark.parametrize("drive", [ride(), ride(speed_mps=6.0), ride(bend_per_m=0.004)],
                         ids=["straight", "slow", "bend"])  # fmt: skip
@pytest.mark.parametrize(("lasts_us", "limit"), [(2_620_000, ""), (2_560_000, "lateral jerk")])
def test_a_lane_change_near_the_limit_gets_one_verdict(
    drive: Trajectory, lasts_us: int, limit: str
) -> None:
    # 60 x 3 m / 2.62³ s³ is 10.0 m/s³; finite differences at 5 ms see 9.8.
    edit = LaneChange(offset_m=3.0, start_us=500_000, duration_us=lasts_us)
    assert verdict(drive, edit) == limit
    assert [verdict(jittered(drive, seed), edit) for seed in SEEDS] == [limit] * len(SEEDS)
