"""The verb `prove`: what it plans, that it goes on where it stopped, and what it writes.

Worlds are replaced by a striped plain that takes no time to record; everything else is real.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recon.recipes
import render.prove.stages as stages
from recon.data.holdout import training_frames
from render.prove.plan import GUESS_S, STAGES, Clock, ProveRequest, make_plan
from render.prove.run import prove_folder
from render.prove.target import target_of
from scenes.clip import Clip
from scenes.edits.actor_looks import InsertActor
from scenes.errors import OtherlaneError
from scenes.motion.geometry import translation
from scenes.semantics import Semantic
from scenes.sensors.camera import Camera, camera_rays
from scenes.sensors.images import srgb_from_linear
from scenes.storage.clip_files import load_clip
from scenes.worlds.recipes import RECIPES
from scenes.worlds.record.recorder import Recording
from scenes.worlds.truth.oracle import OracleReport
from scenes.worlds.truth.perturbations import AXES
from scenes.worlds.truth.truth import wanted
from scenes.worlds.truth.truth_files import TruthView
from tests.scene_maker import EGO_FROM_CAMERA, drive_path, radiance, save_drive, tiny_config

CAMERA = Camera(width=24, height=16, fx=20.0, fy=20.0, cx=12.0, cy=7.0)
REQUEST = ProveRequest(
    worlds=("street",), axes=("lateral=0,3", "fog"), recipe="tiny", views=2, workers=1
)
CAR = InsertActor(actor=40, asset="car", start_us=0, ahead_m=8.0, speed_mps=10.0)

EXACT = OracleReport(
    fit_m=0.0, box_px=0.1, mesh_px=0.1, road_users=1, depth_rel=1e-6, flow_px=0.02,
    flow_moving_px=0.001, lidar_m=1e-4, shadow_share=float("nan"), seen_share=1.0,
)  # fmt: skip


def view_of_the_plain(axis: str, amount: float) -> TruthView:
    """What `tests.scene_maker` draws, from `amount` metres to the left; the right half was seen.

    Where road users are changed: from the path, with the asset "car" in the middle of the picture.
    """
    edits = AXES[axis].kind == "actor"
    shift_m = 0.0 if edits else amount
    shifted = translation(np.array([0.0, shift_m, 0.0]))
    pose = drive_path().at(np.array([200_000]))[0] @ shifted @ EGO_FROM_CAMERA
    origins, along = camera_rays(CAMERA, CAMERA.pixel_centres().reshape(-1, 2), pose)
    down = along[:, 2] < -1e-3
    range_m = np.where(down, -origins[:, 2] / np.where(down, along[:, 2], 1.0), np.inf)
    size = (CAMERA.height, CAMERA.width)
    shown = np.round(srgb_from_linear(radiance(origins, along)) * 255).astype(np.uint8)
    normal = np.where(down[:, None], np.array([0.0, 0.0, 1.0]), 0.0).astype(np.float32)
    semantic = np.where(down, Semantic.ROAD, Semantic.SKY).astype(np.uint8)
    nobody, linear = np.full(size, -1, dtype=np.int32), radiance(origins, along).reshape(*size, 3)
    instance = nobody.copy()
    instance[4:12, 8:16] = 40 if edits else -1
    return TruthView(
        time_us=200_000,
        shift_m=shift_m,
        world_from_camera=pose,
        rgb=shown.reshape(*size, 3),
        range_m=range_m.reshape(size).astype(np.float32),
        semantic=semantic.reshape(size),
        instance=instance,
        axis=axis,
        amount=amount,
        camera=CAMERA,
        normal=normal.reshape(*size, 3),
        seen=np.broadcast_to(np.arange(24) >= 12, size).copy(),
        edits=(CAR,) if edits else (),
        linear_before=linear.astype(np.float16) if edits else None,
        instance_before=nobody if edits else None,
    )


def plain_worlds() -> tuple[dict[str, Callable[..., Any]], dict[str, int]]:
    """What stands in for the functions of `render.prove.stages`; how often each was called."""
    calls = {"record": 0, "truth": 0, "oracle": 0}
    asked: dict[Path, tuple[str, ...]] = {}

    def record(recording: Recording, out: Path, workers: int) -> Clip:
        del recording, workers
        calls["record"] += not out.exists()
        return load_clip(out if out.exists() else save_drive(out.parent))

    def write(recording: Recording, out: Path, axes: Any, *how: Any) -> None:
        del recording, how
        calls["truth"] += 1
        asked[out] = tuple(axes)

    def read(folder: Path) -> tuple[TruthView, ...]:
        return tuple(view_of_the_plain(w.axis, w.amount) for w in wanted(asked[folder], 1))

    def measured(recording: Recording) -> OracleReport:
        del recording
        calls["oracle"] += 1
        return EXACT

    fakes = {"record": record, "write_truth": write, "read_truth": read}
    return fakes | {"measured_oracle": measured}, calls


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Worlds that cost nothing; how often each was recorded, and its truth written."""
    fakes, calls = plain_worlds()
    monkeypatch.setitem(recon.recipes.RECIPES, "tiny", lambda _: tiny_config())
    for name, fake in fakes.items():
        monkeypatch.setattr(stages, name, fake)
    return calls


def test_a_run_writes_numbers_and_a_page(tmp_path: Path, counted: dict[str, int]) -> None:
    said = prove_folder(tmp_path, REQUEST)
    content = json.loads((tmp_path / "prove.json").read_text(encoding="utf-8"))
    (world,) = content["worlds"]
    assert world["name"] == "street-101"
    assert set(world["costs_s"]) == set(STAGES)
    rows = {(row["axis"], row["amount"], row["region"]): row for row in world["rows"]}
    regions = ("all", "seen", "unseen")
    assert set(rows) == {("lateral", amount, name) for amount in (0.0, 3.0) for name in regions}
    off = rows["lateral", 3.0, "seen"]
    assert off["distance_m"] == pytest.approx(3.0)
    assert off["numbers"]["psnr_db"] > 5.0
    assert off["numbers"]["share"] == 0.5
    assert off["numbers"]["marks_f1"] is None  # there are no marks on the plain
    assert [x["axis"] for x in content["not_yet"]] == ["fog"]
    assert world["no_room"][0] == {"axis": "lateral", "amount": 0.0, "views": 1}
    assert said["worlds"] == 1
    exact = {line["truth"]: line for line in content["oracle"]}
    assert exact["flow_px"] | {"worst": 0.02, "met": False} == exact["flow_px"]
    assert exact["box_px"] | {"worst": 0.1, "met": True} == exact["box_px"]
    assert exact["shadow_share"]["met"] is None  # nothing to measure
    assert world["oracle"]["lidar_m"] == 1e-4
    assert json.dumps(content, allow_nan=False)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert page.count("<svg") > 5
    for words in ("street-101", "lateral", "fog", "seen", "data:image/jpeg"):
        assert words in page
    assert "<script" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert counted == {"record": 1, "truth": 1, "oracle": 1}


def test_road_users_are_edited_and_axes_can_be_added_later(
    tmp_path: Path, counted: dict[str, int]
) -> None:
    prove_folder(tmp_path, REQUEST)
    lateral = tmp_path / "worlds/street-101/scores/lateral/rows.json"
    first, made_ns = json.loads((tmp_path / "prove.json").read_bytes()), lateral.stat().st_mtime_ns
    assert first["edits"] == []
    axes = ("lateral=0,3", "actor-inserted=12", "fog")
    said = prove_folder(tmp_path, ProveRequest(**{**_fields(REQUEST), "axes": axes}))
    content = json.loads((tmp_path / "prove.json").read_bytes())
    assert counted == {"record": 1, "truth": 2, "oracle": 1}
    assert lateral.stat().st_mtime_ns == made_ns
    rows = {(row["axis"], row["region"]): row for row in content["worlds"][0]["rows"]}
    changed = rows["actor-inserted", "changed"]["numbers"]
    assert changed["share"] == pytest.approx(64 / 384)
    assert 0.3 < changed["mask_iou"] < 1.0  # it stands where truth says, and is no square
    assert rows["actor-inserted", "changed+shadow"]["numbers"]["psnr_db"] > 3.0
    assert rows["actor-inserted", "all"]["distance_m"] == pytest.approx(0.0)
    assert {line["score"]: line["value"] for line in content["edits"]}["actor_iou"] == (
        changed["mask_iou"]
    )
    assert said["edits"] == content["edits"]
    assert content["summary"][0] == first["summary"][0]  # the camera's axes stay as they were
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "Road users moved, removed and inserted" in page
    assert "Against actor-inserted" not in page


def test_truth_of_edits_that_does_not_say_them_is_refused() -> None:
    view = replace(view_of_the_plain("actor-inserted", 12.0), edits=())
    with pytest.raises(OtherlaneError, match="older version"):
        target_of(view, CAMERA)


def test_what_is_finished_is_not_done_again(tmp_path: Path, counted: dict[str, int]) -> None:
    prove_folder(tmp_path, REQUEST)
    first = json.loads((tmp_path / "prove.json").read_text(encoding="utf-8"))
    prove_folder(tmp_path, REQUEST)
    second = json.loads((tmp_path / "prove.json").read_text(encoding="utf-8"))
    assert second["worlds"] == first["worlds"]  # costs too
    assert counted == {"record": 1, "truth": 1, "oracle": 1}
    with pytest.raises(OtherlaneError, match="made with another"):
        prove_folder(tmp_path, ProveRequest(**{**_fields(REQUEST), "axes": ("lateral=0,2",)}))


def _fields(request: ProveRequest) -> dict[str, Any]:
    return {name: getattr(request, name) for name in request.__dataclass_fields__}


def test_a_run_that_was_killed_goes_on(
    tmp_path: Path, counted: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    render: Callable[..., Any] = stages.render_target
    left = 1  # the second view dies

    def dying(*of: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return render(*of)

    with monkeypatch.context() as patch:
        patch.setattr(stages, "render_target", dying)
        with pytest.raises(KeyboardInterrupt):
            prove_folder(tmp_path, REQUEST)
    scored = tmp_path / "worlds/street-101/scores"
    assert [path.name for path in scored.iterdir()] == ["held_out"]
    assert not (tmp_path / "prove.json").exists()
    prove_folder(tmp_path, REQUEST)
    assert counted["record"] == 1
    assert (scored / "lateral" / "rows.json").is_file()


def test_another_run_stands_beside(tmp_path: Path, counted: dict[str, int]) -> None:
    assert prove_folder(tmp_path / "ours", REQUEST)["peers"] is None
    peer = json.loads((tmp_path / "ours/prove.json").read_text(encoding="utf-8"))
    (tmp_path / "peer.json").write_text(json.dumps(peer | {"name": "splats"}), encoding="utf-8")
    request = ProveRequest(**{**_fields(REQUEST), "peers": (tmp_path / "peer.json",)})
    assert prove_folder(tmp_path / "ours", request)["peers"] == "splats"
    page = (tmp_path / "ours/index.html").read_text(encoding="utf-8")
    assert page.count("<td>splats</td>") == page.count("<td>otherlane</td>") > 6
    assert counted["record"] == 1


def test_a_plan_names_every_axis_and_hides_none() -> None:
    plan = make_plan(ProveRequest())
    assert {world.recipe for world in plan.worlds} == set(RECIPES)
    rendered = {name for name, axis in AXES.items() if axis.kind in ("ego", "actor")}
    assert set(plan.worlds[0].amounts()) == rendered
    assert {axis.name for axis in plan.not_yet} == set(AXES) - rendered
    assert min(world.recording.seed for world in plan.worlds) > 100


def test_the_quick_plan_is_two_worlds_three_axes_and_minutes() -> None:
    plan = make_plan(ProveRequest(quick=True))
    assert len(plan.worlds) == 2
    assert len(plan.worlds[0].amounts()) == 3
    assert Clock().left_s((world, stage) for world in plan.worlds for stage in STAGES) < 480.0


@pytest.mark.parametrize("request_", [ProveRequest(), ProveRequest(quick=True)])
def test_what_is_looked_at_did_not_train(request_: ProveRequest) -> None:
    for views in (1, 2, 3, 9):
        world = make_plan(replace(request_, views=views)).worlds[0]
        frames, how = world.recording.frames, world.reconstruct
        trains = training_frames(frames, how.holdout, None, how.holdout_first)
        moments = world.moments()
        assert len(set(moments)) == views
        hidden = [frame for frame in moments if not trains[frame]]
        assert len(hidden) == min(views, (~trains).sum())
        assert abs(moments[0] - frames / (views + 1)) <= how.holdout / 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"worlds": ("stret",)}, "street"),
        ({"axes": ("latral",)}, "lateral"),
        ({"axes": ("lateral=far",)}, "amounts are numbers"),
        ({"recipe": "standrad"}, "standard"),
        ({"seeds": ()}, "seeds"),
        ({"seeds": (1, 1)}, "different"),
        ({"workers": 0}, "1 or more"),
        ({"views": 0}, "1 or more"),
    ],
)
def test_requests_that_cannot_be_say_what_could(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(OtherlaneError, match=said):
        make_plan(ProveRequest(**changes))


def test_what_was_measured_corrects_the_guess() -> None:
    plan = make_plan(ProveRequest(quick=True))
    one, two = plan.worlds
    clock = Clock()
    before = clock.left_s([(two, "record")])
    clock.took("record", 3.0 * one.guess_s("record"), one.guess_s("record"))
    assert clock.left_s([(two, "record")]) == pytest.approx(3.0 * before)
    assert clock.left_s([(two, "truth")]) == pytest.approx(two.guess_s("truth"))
    assert set(GUESS_S) == set(STAGES)
