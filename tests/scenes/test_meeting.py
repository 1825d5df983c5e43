"""Whoever is solved for meets nobody, also between the moments that are compared."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenes.actor import Actor
from scenes.criticality.drive import EVERY, Others
from scenes.criticality.meeting import met
from scenes.criticality.setting import STEP_US
from scenes.motion.geometry import rigid, yaw_rotation
from scenes.motion.trajectory import Trajectory
from scenes.safety.definitions import Moving, boxes_overlap, moving, separation_m
from scenes.semantics import Semantic

TIME_US = np.arange(0, 2_000_001 + STEP_US, STEP_US)
"""Not a multiple of `EVERY` steps: the last moments come after the last that is compared."""
SIZE_M = np.array([4.2, 1.8, 1.5])
EVERY_US = 1_000


def course(
    time_us: np.ndarray, x_m: float, y_m: float, yaw: float, speed_mps: float, turn: float = 0.0
) -> Trajectory:
    """From a place, at a heading that turns uniformly, at uniform speed."""
    t = time_us * 1e-6
    way = speed_mps * t
    half = 0.5 * turn * t
    chord = way * np.sinc(half / np.pi)
    place = [x_m + chord * np.cos(yaw + half), y_m + chord * np.sin(yaw + half), 0.0 * t]
    return Trajectory(
        time_us=time_us,
        world_from_body=rigid(yaw_rotation(yaw + turn * t), np.stack(place, axis=1)),
    )


def others_of(actor: Actor) -> Others:
    """Somebody recorded, as the window of a drive holds it."""
    at_us, track = TIME_US[::EVERY], actor.trajectory.time_us
    one = moving(actor.trajectory, at_us)
    boxes = Moving(
        place_m=one.place_m[None], yaw=one.yaw[None], velocity_mps=one.velocity_mps[None],
        yaw_rate=one.yaw_rate[None],
    )  # fmt: skip
    return Others(
        actors=(actor,), ids=(actor.id,), moves=(True,), boxes=boxes,
        size_m=actor.size_m[None, None],
        known=((track[0] <= at_us) & (at_us <= track[-1]))[None],
    )  # fmt: skip


def rider(trajectory: Trajectory) -> Actor:
    return Actor(
        id=4, kind=Semantic.CYCLIST, size_m=np.array([1.8, 0.6, 1.7]), trajectory=trajectory
    )


def overlap_s(actor: Actor, path: Trajectory) -> tuple[float, float]:
    """How long two overlap while both are known [s], and their least gap [m]: moment by moment."""
    first, last = (int(t) for t in actor.trajectory.time_us[[0, -1]])
    at_us = np.arange(max(first, 0), min(last, int(TIME_US[-1])) + 1, EVERY_US)
    hit = boxes_overlap(path.at(at_us), SIZE_M, actor.trajectory.at(at_us), actor.size_m)
    gap = separation_m(moving(path, at_us), SIZE_M, moving(actor.trajectory, at_us), actor.size_m)
    return float(hit.sum()) * EVERY_US * 1e-6, float(gap.min())


@pytest.mark.parametrize("phase_ms", range(0, 100, 7))
def test_a_brush_of_milliseconds_is_seen(phase_ms: int) -> None:
    at_s = 1.0 + 1e-3 * phase_ms
    path = course(TIME_US, -20.0, 0.0, 0.0, 20.0)
    rear_m = -20.0 + 20.0 * at_s - 0.5 * float(SIZE_M[0])
    # Its front is 16 mm in the car's way when the car's rear has just passed, for 8 ms at 2 m/s.
    y_m = -0.5 * float(SIZE_M[1]) - 0.9 + 0.016 - 2.0 * at_s
    times = np.arange(0, 2_100_001, 20_000)
    actor = rider(course(times, rear_m - 0.3, y_m, np.pi / 2, 2.0))
    lasts_s, _ = overlap_s(actor, path)
    assert lasts_s == pytest.approx(0.008, abs=0.0021)
    assert met(others_of(actor), SIZE_M, moving(path, TIME_US), TIME_US)[0]
    earlier = rider(course(times, rear_m - 0.3, y_m - 0.1, np.pi / 2, 2.0))
    assert overlap_s(earlier, path)[0] == 0.0
    assert not met(others_of(earlier), SIZE_M, moving(path, TIME_US), TIME_US)[0]


@given(
    st.floats(-15.0, 15.0), st.floats(-8.0, 8.0), st.floats(-3.1, 3.1), st.floats(0.0, 25.0),
    st.floats(-0.4, 0.4), st.floats(0.0, 25.0), st.integers(0, 1_500_000),
)  # fmt: skip
def test_agrees_with_looking_at_every_moment(
    x_m: float, y_m: float, yaw: float, speed_mps: float, turn: float, own_mps: float, from_us: int
) -> None:
    path = course(TIME_US, 0.0, 0.0, 0.0, own_mps)
    actor = rider(course(np.arange(from_us, 2_100_001, 20_000), x_m, y_m, yaw, speed_mps, turn))
    lasts_s, gap_m = overlap_s(actor, path)
    found = met(others_of(actor), SIZE_M, moving(path, TIME_US), TIME_US)[0]
    if lasts_s > 0.0:
        assert found
    elif gap_m > 0.05:  # half a millisecond at 60 m/s, and more
        assert not found
