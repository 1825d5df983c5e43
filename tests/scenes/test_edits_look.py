"""Edits of the camera's look: how they add up, and that they touch nothing but colours."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from scenes.edits import apply_edit
from scenes.edits.edited_scene import EditedScene
from scenes.edits.exposure import Exposure, WhiteBalance
from scenes.errors import InfeasibleError
from scenes.scenario.openscenario import as_openscenario
from scenes.scenario.resolve import resolve
from scenes.scenario.scenario import Scenario
from scenes.sensors.camera_look import NEUTRAL, CameraLook
from tests.clip_maker import make_clip, parked_car
from tests.edit_maker import make_edited_scene

RECORDED = make_edited_scene()

stops = st.floats(-8.0, 8.0)
gains = st.floats(0.25, 4.0)
looks = st.builds(Exposure, stops=st.floats(-4.0, 4.0)) | st.builds(
    WhiteBalance, red=st.floats(0.5, 2.0), blue=st.floats(0.5, 2.0)
)


def after(*edits: Exposure | WhiteBalance) -> EditedScene:
    edited = RECORDED
    for edit in edits:
        edited = apply_edit(edit, edited)
    return edited


@given(st.lists(st.floats(0.0, 1e6, width=32), min_size=1))
def test_the_neutral_look_changes_no_bit(radiance: list[float]) -> None:
    linear = np.array([radiance] * 3, dtype=np.float32).T
    assert (linear * np.array(NEUTRAL.gains, dtype=np.float32)).tobytes() == linear.tobytes()


def test_a_stop_more_is_twice_the_light() -> None:
    assert after(Exposure(stops=1.0)).camera.gains == (2.0, 2.0, 2.0)
    assert after(Exposure(stops=-2.0)).camera.gains == (0.25, 0.25, 0.25)


def test_a_white_balance_keeps_green_and_the_exposure() -> None:
    look = after(Exposure(stops=1.0), WhiteBalance(red=1.5, blue=0.5)).camera
    assert look.exposure_ev == 1.0
    assert look.gains == (3.0, 2.0, 1.0)


@given(stops, stops)
def test_exposures_add(one: float, two: float) -> None:
    twice = after(Exposure(stops=one), Exposure(stops=two))
    assert twice.camera == after(Exposure(stops=one + two)).camera


@given(st.tuples(gains, gains), st.tuples(gains, gains))
def test_white_balances_multiply(one: tuple[float, float], two: tuple[float, float]) -> None:
    both = after(WhiteBalance(red=one[0], blue=one[1]), WhiteBalance(red=two[0], blue=two[1]))
    assert both.camera.white_balance == (one[0] * two[0], 1.0, one[1] * two[1])


@given(st.lists(looks, min_size=2, max_size=4))
def test_their_order_does_not_matter(edits: list[Exposure | WhiteBalance]) -> None:
    first, *others = (after(*order).camera.gains for order in permutations(edits))
    for gains in others:
        assert_allclose(gains, first, rtol=1e-12)


@given(looks)
def test_a_look_is_all_that_they_change(edit: Exposure | WhiteBalance) -> None:
    edited = after(edit)
    assert replace(edited, camera=NEUTRAL) == RECORDED
    assert edited.ego is RECORDED.ego
    assert edited.actors is RECORDED.actors


def test_what_adds_up_to_too_much_is_refused() -> None:
    with pytest.raises(InfeasibleError, match="18 stops in all"):
        after(Exposure(stops=9.0), Exposure(stops=9.0))
    with pytest.raises(InfeasibleError, match="to 64 and 1 in all"):
        after(*[WhiteBalance(red=4.0)] * 3)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Exposure(stops=float("inf")), "stops"),
        (lambda: WhiteBalance(red=0.0), "red"),
        (lambda: WhiteBalance(blue=5.0), "blue"),
        (lambda: CameraLook(exposure_ev=17.0), "exposure_ev"),
        (lambda: CameraLook(white_balance=(1.0, 1.0, float("nan"))), "white_balance"),
    ],
)
def test_an_impossible_look_cannot_be_made(make: object, named: str) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=named):
        make()


def test_a_drive_of_one_moment_can_be_looked_at_otherwise() -> None:
    clip = make_clip(actors=(parked_car(40.0, 3.0),))
    moment = replace(
        clip.ego, time_us=clip.ego.time_us[:1], world_from_body=clip.ego.world_from_body[:1]
    )
    edited = resolve(Scenario(edits=(Exposure(stops=1.0),)), make_clip(moment))
    assert edited.camera.exposure_ev == 1.0


def test_simulators_are_told_nothing_of_it() -> None:
    clip = make_clip(actors=(parked_car(40.0, 3.0),))
    recorded, brighter = (
        resolve(Scenario(edits=edits), clip) for edits in ((), (Exposure(stops=1.0),))
    )
    assert as_openscenario("x", brighter, clip) == as_openscenario("x", recorded, clip)
