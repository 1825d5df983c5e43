"""Whoever stands still for the whole recording is part of the static scene, and is not edited."""

from dataclasses import replace

import pytest

from scenes.edits import Edit, apply_edit
from scenes.edits.actor_looks import InsertActor, ScaleActor, SwapActor
from scenes.edits.actor_motion import FollowPath, RerouteActor, SpeedProfile
from scenes.edits.actors import MoveActor, RemoveActor, RemoveTraffic, RetimeActor
from scenes.edits.following import FollowActor
from scenes.infeasible import InfeasibleError
from scenes.perturb import resolve
from scenes.scenario import Scenario
from tests.clip_maker import make_clip
from tests.edit_maker import DRIVING, PARKED, WALKING, actor_of, make_staging

STAGING = make_staging()
CLIP = make_clip(STAGING.ego, STAGING.actors)
STOPS = FollowPath(
    actor=WALKING, time_us=(1_000_000, 4_000_000), x_m=(40.0, 40.0), y_m=(-4.6, -4.6)
)
"""Who walked stands still."""


def edits_of(number: int) -> tuple[Edit, ...]:
    """One edit of each kind of somebody."""
    return (
        RemoveActor(actor=number),
        MoveActor(actor=number, left_m=1.0),
        RetimeActor(actor=number, shift_us=1),
        ScaleActor(actor=number, factor=1.5),
        SwapActor(actor=number, asset="van"),
        SpeedProfile(actor=number, start_us=1_000_000, speed_mps=1.0, change_mps2=1.0),
        RerouteActor(actor=number, start_us=1_000_000, x_m=(50.0,), y_m=(0.0,)),
        FollowPath(actor=number, time_us=(0, 10**6), x_m=(0.0, 9.0), y_m=(0.0, 0.0)),
        FollowActor(actor=number, leader=DRIVING, start_us=1_000_000, headway_s=1.0, speed_mps=1.0),
    )


@pytest.mark.parametrize("edit", edits_of(PARKED), ids=lambda edit: edit.kind)
def test_an_edit_of_who_stands_is_refused_in_its_place(edit: Edit) -> None:
    wrong = f"actor {PARKED} stands still and is part of the static scene"
    with pytest.raises(InfeasibleError, match=wrong) as refused:
        apply_edit(edit, STAGING)
    assert refused.value.where == edit.kind
    assert f"{DRIVING}, {WALKING}" in refused.value.fix
    with pytest.raises(InfeasibleError, match=wrong) as refused:
        resolve(Scenario(name="left", edits=(STOPS, edit)), CLIP)
    assert refused.value.where == "left: edits[1]"
    assert refused.value.reason == "part of the static scene"
    assert f"{DRIVING}, {WALKING}" in refused.value.fix


@pytest.mark.parametrize("edit", edits_of(900), ids=lambda edit: edit.kind)
def test_who_was_inserted_is_edited_though_it_stands(edit: Edit) -> None:
    put = InsertActor(actor=900, asset="car", start_us=0, ahead_m=30.0)
    before = apply_edit(put, STAGING)
    assert not actor_of(before, 900).is_moving
    after = apply_edit(edit, before)
    assert resolve(Scenario(edits=(put, edit)), CLIP, ground=STAGING.ground).actors == after.actors
    assert [actor.id for actor in after.actors][:3] == [PARKED, DRIVING, WALKING]


def test_whom_an_edit_stops_is_edited_further_and_removed() -> None:
    assert not actor_of(apply_edit(STOPS, STAGING), WALKING).is_moving
    for edit in (ScaleActor(actor=WALKING, factor=0.5), RemoveActor(actor=WALKING)):
        resolve(Scenario(edits=(STOPS, edit)), CLIP)
    emptied = resolve(Scenario(edits=(STOPS, RemoveTraffic())), CLIP)
    assert [actor.id for actor in emptied.actors] == [PARKED]


def test_traffic_is_who_moves_and_who_was_inserted() -> None:
    put = InsertActor(actor=900, asset="car", start_us=0, ahead_m=30.0)
    staging = apply_edit(put, STAGING)
    for kept in ((), (DRIVING,), (PARKED, 900)):
        left = apply_edit(RemoveTraffic(keep=kept), staging)
        assert {actor.id for actor in left.actors} == {PARKED, *kept}
        assert resolve(Scenario(edits=(put, RemoveTraffic(keep=kept))), CLIP).assets == left.assets
    parked = replace(STAGING, actors=STAGING.actors[:1])
    assert apply_edit(RemoveTraffic(), parked) is parked
