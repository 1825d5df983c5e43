"""What every edit keeps to, whatever it does."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from scenes.actor import Actor
from scenes.edits import EDIT_KINDS, Edit, apply_edit
from scenes.edits.actor_looks import InsertActor, ScaleActor
from scenes.edits.actor_motion import FollowPath
from scenes.edits.actors import MoveActor, RemoveActor, RemoveTraffic, RetimeActor
from scenes.edits.edited_scene import EditedScene
from scenes.edits.ego import LaneChange, LateralOffset
from scenes.edits.ego_paths import EgoDetour, EgoPath
from scenes.edits.exposure import Exposure, WhiteBalance
from scenes.errors import InfeasibleError, OtherlaneError
from scenes.scenario.files import load_request, load_scenario, scenario_toml
from scenes.scenario.resolve import resolve
from scenes.scenario.scenario import Scenario, sample
from tests.clip_maker import make_clip
from tests.edit_maker import DRIVING, ONE_OF_EACH, PARKED, WALKING, actor_of, make_edited_scene

each = pytest.mark.parametrize("edit", ONE_OF_EACH, ids=lambda edit: edit.kind)
SCENE = make_edited_scene()

NOTHING: tuple[Edit, ...] = (
    LateralOffset(offset_m=0.0, start_us=0, duration_us=1),
    LaneChange(offset_m=0.0, start_us=0, duration_us=1),
    EgoDetour(offset_m=0.0, start_us=0, duration_us=1),
    RemoveTraffic(keep=(PARKED, DRIVING, WALKING)),
    MoveActor(actor=DRIVING),
    RetimeActor(actor=DRIVING),
    ScaleActor(actor=DRIVING, factor=1.0),
    Exposure(stops=0.0),
    WhiteBalance(),
)
"""Identity edits."""


def held(edited: EditedScene) -> list[bytes]:
    """All numbers of an edited scene, to the bit."""
    paths = [edited.ego, *(actor.trajectory for actor in edited.actors)]
    return [
        *(path.time_us.tobytes() + path.world_from_body.tobytes() for path in paths),
        *(actor.size_m.tobytes() + bytes([actor.kind]) for actor in edited.actors),
        repr((dict(edited.assets), edited.start_us, edited.end_us, edited.camera)).encode(),
    ]


def past(actor: Actor, until_us: int) -> bytes:
    path = actor.trajectory
    before = path.time_us < until_us
    return path.time_us[before].tobytes() + path.world_from_body[before].tobytes()


def test_there_is_one_of_each_kind() -> None:
    assert {edit.kind for edit in ONE_OF_EACH} == EDIT_KINDS.keys()
    assert {type(edit) for edit in ONE_OF_EACH} == set(EDIT_KINDS.values())


@each
def test_an_edit_changes_something_and_not_what_it_was_given(edit: Edit) -> None:
    before = held(SCENE)
    after = held(apply_edit(edit, SCENE))
    assert after != before
    assert held(SCENE) == before
    assert held(apply_edit(edit, SCENE)) == after
    assert held(apply_edit(pickle.loads(pickle.dumps(edit)), SCENE)) == after  # noqa: S301


@each
def test_the_past_of_its_start_is_untouched_to_the_bit(edit: Edit) -> None:
    edited = apply_edit(edit, SCENE)
    before = SCENE.ego.time_us < edit.start_us
    assert (
        edited.ego.world_from_body[before].tobytes() == SCENE.ego.world_from_body[before].tobytes()
    )
    for actor in edited.actors:
        old = next((old for old in SCENE.actors if old.id == actor.id), None)
        if old is None:
            assert actor.trajectory.time_us[0] >= edit.start_us
        else:
            assert past(actor, edit.start_us) == past(old, edit.start_us)


@pytest.mark.parametrize("edit", NOTHING, ids=lambda edit: edit.kind)
def test_the_identity_edit_is_bitwise_identity(edit: Edit) -> None:
    assert held(apply_edit(edit, SCENE)) == held(SCENE)


@each
def test_edits_of_different_road_users_commute(edit: Edit) -> None:
    other = MoveActor(actor=WALKING, left_m=0.5)
    about = getattr(edit, "actor", None)
    if about == WALKING or isinstance(edit, RemoveTraffic):
        other = LateralOffset(offset_m=0.5, start_us=0, duration_us=1_000_000)
        if isinstance(edit, InsertActor):
            return
    one, two = (apply_edit(b, apply_edit(a, SCENE)) for a, b in ((edit, other), (other, edit)))
    assert held(one) == held(two)


@each
def test_survives_its_file_to_the_bit(edit: Edit, tmp_path: Path) -> None:
    scenario = Scenario(edits=(edit, edit))
    path = tmp_path / "scenario.toml"
    path.write_text(scenario_toml(scenario), encoding="utf-8")
    assert load_scenario(path) == scenario
    drawn = sample(load_request(path), 5)
    assert drawn.edits == scenario.edits
    assert scenario_toml(load_request(path)) == scenario_toml(replace(load_request(path)))


@each
def test_says_what_it_does_in_a_few_words(edit: Edit) -> None:
    said = edit.describe()
    assert 10 < len(said) < 90
    assert "\n" not in said


shifts = st.floats(-20.0, 20.0)


@given(shifts, shifts, st.floats(-180.0, 180.0))
def test_moves_add_up(first_m: float, then_m: float, yaw_deg: float) -> None:
    level = replace(SCENE, ground=None)
    turned = MoveActor(actor=DRIVING, yaw_deg=yaw_deg)
    parts = [MoveActor(actor=DRIVING, forward_m=m) for m in (first_m, then_m)]
    whole = MoveActor(actor=DRIVING, forward_m=first_m + then_m)
    edited = apply_edit(turned, level)
    twice = apply_edit(parts[1], apply_edit(parts[0], edited))
    once = apply_edit(whole, edited)
    assert_allclose(
        actor_of(twice).trajectory.world_from_body,
        actor_of(once).trajectory.world_from_body,
        atol=1e-9,
    )


@given(st.floats(0.2, 5.0))
def test_what_is_scaled_back_is_what_it_was(factor: float) -> None:
    there = apply_edit(ScaleActor(actor=DRIVING, factor=factor), SCENE)
    back = actor_of(apply_edit(ScaleActor(actor=DRIVING, factor=1.0 / factor), there))
    was = actor_of(SCENE)
    assert_allclose(back.size_m, was.size_m, rtol=1e-12)
    assert_allclose(back.trajectory.world_from_body, was.trajectory.world_from_body, atol=1e-12)


@given(st.integers(-(10**7), 10**7), st.integers(-(10**7), 10**7))
def test_shifts_in_time_add_up(first_us: int, then_us: int) -> None:
    parts = [RetimeActor(actor=WALKING, shift_us=by) for by in (first_us, then_us)]
    whole = RetimeActor(actor=WALKING, shift_us=first_us + then_us)
    twice = apply_edit(parts[1], apply_edit(parts[0], SCENE))
    assert held(twice) == held(apply_edit(whole, SCENE))


def test_what_is_inserted_and_removed_was_never_there() -> None:
    for asset in ("car", "van", "truck", "bus", "cyclist", "person"):
        put = apply_edit(InsertActor(actor=50, asset=asset, start_us=0, ahead_m=9.0), SCENE)
        assert put.assets == {50: asset}
        assert held(apply_edit(RemoveActor(actor=50), put)) == held(SCENE)


KNOTS = {"time_us": (0, 10, 20), "x_m": (0.0, 1.0, 2.0), "y_m": (0.0, 0.0, 0.0)}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"time_us": (0, 10)}, "x_m has 3 numbers, time_us 2"),
        ({"time_us": (0, 10, 10)}, "must increase"),
        ({"time_us": (5,)}, "two knots or more"),
        ({"time_us": (0, 10, 2**60)}, r"time_us has a number, \[2\], that is .* out of range"),
        ({"y_m": (0.0, float("nan"), 0.0)}, r"y_m has a number, \[1\], that is nan"),
        ({"y_m": (0.0,) * 10_001}, "y_m has 10001 numbers"),
        ({"yaw_rad": (0.0,)}, "yaw_rad has 1 numbers"),
    ],
)
def test_knots_that_do_not_belong_together_cannot_be_made(
    change: dict[str, tuple[float, ...]], said: str
) -> None:
    for of, ids in ((FollowPath, {"actor": 1}), (EgoPath, {})):
        with pytest.raises(ValueError, match=said):
            of(**ids, **{**KNOTS, **change})


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("x_m = [0.0, 1.0]", "edits[0]: x_m has 2 numbers, time_us 3"),
        ('x_m = [0.0, "a", 2.0]', "edits[0].x_m: has a number, [1], that is 'a', not a number"),
        ("x_m = 3.0", "edits[0].x_m: is 3.0, not a list"),
        ("x_m = { min = 0.0, max = 1.0 }", "edits[0].x_m: is a table, not a list"),
        ("x_m = [[0.0], 1.0, 2.0]", "[0], that is a list, not a number"),
        ("x_m = [0.0, 1e9, 2.0]", "[1], that is 1000000000.0, out of range"),
    ],
)
def test_a_file_with_broken_knots_says_where(line: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text(
        '[[edits]]\nkind = "ego-path"\ntime_us = [0, 10, 20]\ny_m = [0.0, 0.0, 0.0]\n' + line
    )
    for load in (load_scenario, load_request):
        with pytest.raises(OtherlaneError) as refused:
            load(path)
        assert said in str(refused.value)
        assert "try:" in str(refused.value)


def test_inserted_poses_are_as_dense_as_straight_lines_need() -> None:
    edited = apply_edit(InsertActor(actor=90, asset="bus", start_us=7), SCENE)
    assert np.diff(actor_of(edited, 90).trajectory.time_us).max() <= 50_000


def test_a_refusal_says_which_edit_of_which_file() -> None:
    clip = make_clip(actors=SCENE.actors)
    scenario = Scenario(edits=(ONE_OF_EACH[0], RemoveActor(actor=4)))
    with pytest.raises(InfeasibleError, match="no actor 4") as refused:
        resolve(scenario, clip, "night.toml")
    assert refused.value.where == "night.toml: edits[1]"
    assert refused.value.reason == "no such actor"
