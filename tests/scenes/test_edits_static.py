"""Whoever stands still for the whole recording is part of the static scene, and is not edited."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scenes.edits import Edit, apply_edit
from scenes.edits.actor_looks import InsertActor, ScaleActor, SwapActor
from scenes.edits.actor_motion import FollowPath, RerouteActor, SpeedProfile
from scenes.edits.actors import MoveActor, RemoveActor, RemoveTraffic, RetimeActor
from scenes.edits.following import FollowActor
from scenes.edits.static_scene import OWN_FIELDS, own_fields
from scenes.errors import InfeasibleError, OtherlaneError
from scenes.safety.encounters import standing_pose
from scenes.scenario.folder import perturb_clip
from scenes.scenario.resolve import resolve
from scenes.scenario.scenario import Scenario
from scenes.storage.clip_files import save_clip
from scenes.storage.folders import writing
from scenes.storage.manifests import Provenance, folder_hash
from tests.clip_maker import make_clip
from tests.edit_maker import DRIVING, PARKED, WALKING, actor_of, make_edited_scene

SCENE = make_edited_scene()
CLIP = make_clip(SCENE.ego, SCENE.actors)
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
        apply_edit(edit, SCENE)
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
    before = apply_edit(put, SCENE)
    assert not actor_of(before, 900).is_moving
    after = apply_edit(edit, before)
    assert (
        resolve(Scenario(edits=(put, edit)), CLIP, ground=SCENE.ground, room=False).actors
        == after.actors
    )
    assert [actor.id for actor in after.actors][:3] == [PARKED, DRIVING, WALKING]


def test_whom_an_edit_stops_is_edited_further_and_removed() -> None:
    assert not actor_of(apply_edit(STOPS, SCENE), WALKING).is_moving
    for edit in (ScaleActor(actor=WALKING, factor=0.5), RemoveActor(actor=WALKING)):
        resolve(Scenario(edits=(STOPS, edit)), CLIP)
    emptied = resolve(Scenario(edits=(STOPS, RemoveTraffic())), CLIP)
    assert [actor.id for actor in emptied.actors] == [PARKED]


def test_traffic_is_who_moves_and_who_was_inserted() -> None:
    put = InsertActor(actor=900, asset="car", start_us=0, ahead_m=30.0)
    edited = apply_edit(put, SCENE)
    for kept in ((), (DRIVING,), (PARKED, 900)):
        left = apply_edit(RemoveTraffic(keep=kept), edited)
        assert {actor.id for actor in left.actors} == {PARKED, *kept}
        assert (
            resolve(Scenario(edits=(put, RemoveTraffic(keep=kept))), CLIP, room=False).assets
            == left.assets
        )
    parked = replace(SCENE, actors=SCENE.actors[:1])
    assert apply_edit(RemoveTraffic(), parked) is parked


@pytest.mark.parametrize("edit", edits_of(PARKED), ids=lambda edit: edit.kind)
def test_who_stands_is_edited_where_the_scene_has_a_field_of_it(edit: Edit) -> None:
    ground = SCENE.ground
    known = resolve(
        Scenario(edits=(edit,)), CLIP, ground=ground, fielded=frozenset({PARKED}), room=False
    )
    assert known.actors != CLIP.actors
    others = [actor for actor in known.actors if actor.id != PARKED]
    assert others == [actor for actor in CLIP.actors if actor.id != PARKED]
    with pytest.raises(InfeasibleError, match="part of the static scene"):
        resolve(Scenario(edits=(edit,)), CLIP, ground=ground, fielded=frozenset({DRIVING}))


def test_who_stands_is_there_for_good_once_it_is_edited() -> None:
    tracked = CLIP.actors[0]
    short = replace(tracked.trajectory, time_us=np.array([1_000_000, 2_000_000]))
    clip = replace(CLIP, actors=(replace(tracked, trajectory=short), *CLIP.actors[1:]))
    fielded = frozenset({PARKED})
    moved = MoveActor(actor=PARKED, left_m=3.0)
    aside = actor_of(resolve(Scenario(edits=(moved,)), clip, fielded=fielded), PARKED)
    assert np.array_equal(aside.trajectory.time_us, clip.ego.time_us)
    wanted = standing_pose(tracked)[:3, 3] + [0.0, 3.0, 0.0]
    np.testing.assert_allclose(aside.trajectory.world_from_body[:, :3, 3], [wanted] * 61, atol=1e-6)
    leaves = SpeedProfile(actor=PARKED, start_us=1_000_000, speed_mps=5.0, change_mps2=2.0)
    gone = actor_of(resolve(Scenario(edits=(leaves,)), clip, fielded=fielded), PARKED)
    assert gone.is_moving
    assert gone.trajectory.world_from_body[-1, 0, 3] > wanted[0] + 15.0
    idle = resolve(Scenario(edits=(MoveActor(actor=PARKED),)), clip, fielded=fielded)
    assert idle.actors == clip.actors
    emptied = resolve(Scenario(edits=(RemoveTraffic(),)), clip, fielded=fielded)
    assert emptied.actors == clip.actors[:1]  # who stands is no traffic


def test_scenarios_are_drawn_for_a_scene(tmp_path: Path) -> None:
    folder, scene = save_clip(CLIP, tmp_path / "clip"), tmp_path / "scene"
    provenance = Provenance(kind="scene", inputs={"clip": folder_hash(folder, "clip")}, config={})
    with writing(scene, provenance, about={OWN_FIELDS: [PARKED]}) as partial:
        (partial / "field").write_bytes(b"weights")
    assert own_fields(scene, folder) == {PARKED}
    request = tmp_path / "request.toml"
    request.write_text(f'[[edits]]\nkind = "remove-actor"\nactor = {PARKED}\n', encoding="utf-8")
    with pytest.raises(InfeasibleError, match="stands still"):
        perturb_clip(folder, request, tmp_path / "none", 1, 0)
    perturb_clip(folder, request, tmp_path / "out", 1, 0, scene_folder=scene)
    said = json.loads((tmp_path / "out" / "0000" / "resolved.json").read_text(encoding="utf-8"))
    assert [actor["id"] for actor in said["actors"]] == [DRIVING, WALKING]
    older = tmp_path / "older"
    with writing(older, provenance) as partial:
        (partial / "field").write_bytes(b"weights")
    assert own_fields(older, folder) == frozenset()
    other = save_clip(replace(CLIP, name="other"), tmp_path / "other")
    with pytest.raises(OtherlaneError, match="was not made from"):
        own_fields(scene, other)
