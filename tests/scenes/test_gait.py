"""Limbs swing with the distance somebody has gone, and hang straight on who stands."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from scenes.edits.actor_looks import InsertActor
from scenes.edits.assets import LIBRARY_SEED
from scenes.motion.gait import SLOW_MPS, strides, swung
from scenes.motion.geometry import transform_points, translation
from scenes.motion.trajectory import Trajectory
from scenes.semantics import Semantic
from scenes.worlds.models.people import pedestrian
from scenes.worlds.models.procedural import procedural
from scenes.worlds.models.world import street
from scenes.worlds.truth.perturbed_actors import edited_world
from tests.clip_maker import ride

SECONDS = 4.0


@given(st.floats(1.0, 6.0), st.floats(0.5, 3.0), st.floats(0.0, SECONDS))
def test_swings_are_counted_by_the_way(speed_mps: float, stride_m: float, second: float) -> None:
    path = ride(speed_mps=speed_mps, seconds=SECONDS)
    time_us = np.array([round(second * 1e6)])
    swings, share = strides(path, time_us, stride_m)
    assert_allclose(swings, speed_mps * time_us * 1e-6 / stride_m, atol=1e-6)
    assert_allclose(share, 1.0)


def test_who_stands_does_not_swing_and_who_creeps_swings_less() -> None:
    moments = np.array([0, 1_000_000, 4_000_000])
    for speed_mps, expected in ((0.0, 0.0), (0.5 * SLOW_MPS, 0.5), (SLOW_MPS, 1.0)):
        _, share = strides(ride(speed_mps=speed_mps, seconds=SECONDS), moments, 1.5)
        assert_allclose(share, expected, atol=1e-6)


def test_before_and_after_the_path_somebody_is_where_it_begins_and_ends() -> None:
    path = ride(speed_mps=1.5, seconds=SECONDS)
    swings, share = strides(path, np.array([-(10**6), 10**7]), 1.5)
    assert_allclose(swings, [0.0, SECONDS], atol=1e-6)
    assert_allclose(share, 0.0)
    lone = Trajectory(time_us=np.array([5]), world_from_body=translation(np.zeros((1, 3))))
    assert_allclose(np.stack(strides(lone, np.array([0, 5, 9]), 1.5)), 0.0)


@pytest.mark.parametrize("seed", range(4))
def test_the_foot_that_carries_stays_where_it_is(seed: int) -> None:
    """Between two steps, when both legs are straight, one foot goes back as fast as its owner
    goes ahead; on the mean over the step, not at each moment (legs have no knees)."""
    _, limbs, size_m = pedestrian(np.random.default_rng(seed))
    leg = min(limbs, key=lambda limb: limb.mesh.extent_m()[0][2])
    ankle = np.array([leg.hinge_m[0], leg.hinge_m[1], -0.5 * size_m[2]])
    ends = swung(leg.hinge_m, leg.axis, leg.swing_rad * np.array([-1.0, 1.0]))
    first, last = (transform_points(pose, ankle)[0] for pose in ends)
    assert abs(last - first) == pytest.approx(0.5 * leg.stride_m, rel=0.03)


@pytest.mark.parametrize("kind", [Semantic.PERSON, Semantic.CYCLIST])
def test_a_limb_on_a_path_is_that_of_the_clock_when_its_owner_keeps_time(kind: Semantic) -> None:
    limb = procedural(kind, LIBRARY_SEED)[1][0]
    path = ride(speed_mps=limb.stride_m / limb.period_us * 1e6, seconds=SECONDS)
    time_us = np.linspace(200_000, 3_800_000, 9).astype(np.int64)
    walking = replace(limb, path=path).box_from_limb(time_us)
    assert_allclose(walking, limb.box_from_limb(time_us), atol=1e-4)


def test_the_truth_of_an_inserted_person_swings_by_the_way_as_well() -> None:
    world = street(3)
    for speed_mps in (0.0, 2.0):
        edit = InsertActor(
            actor=900, asset="person", start_us=0, ahead_m=20.0, left_m=-4.0, yaw_deg=90.0,
            speed_mps=speed_mps,
        )  # fmt: skip
        body = next(one for one in edited_world(world, (edit,)).bodies if one.actor.id == 900)
        moments = np.array([700_000, 1_200_000])
        for limb in body.limbs:
            moved = limb.box_from_limb(moments) - np.eye(4)
            assert bool(np.abs(moved).max() > 0.01) == (speed_mps > 0.0)
