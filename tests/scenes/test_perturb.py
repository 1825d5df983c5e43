import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from scenes.commands import perturb
from scenes.criticality.drive import ego_box
from scenes.edits.ego import LaneChange, LateralOffset
from scenes.edits.exposure import Exposure
from scenes.errors import InfeasibleError, OtherlaneError
from scenes.motion.geometry import invert
from scenes.motion.limits import check_limits
from scenes.scenario.files import load_request, load_scenario
from scenes.scenario.resolve import resolve
from scenes.scenario.scenario import Scenario
from scenes.storage.clip_files import load_clip, save_clip
from scenes.storage.manifests import finished
from tests.clip_maker import EGO_FRONT_M, EGO_SIZE_M, make_clip, noisy, parked_car, ride

EXAMPLES = Path(__file__).parents[2] / "examples" / "requests"
LEFT = EXAMPLES / "lane_change_left.toml"
RANGES = EXAMPLES / "lane_changes.toml"
CHANGE = LaneChange(offset_m=3.0, start_us=500_000, duration_us=3_000_000)


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A noisy drive past a parked car beside the next lane, and one far ahead on the left."""
    actors = (parked_car(40.0, -9.0), parked_car(60.0, 9.0, number=2))
    folder = tmp_path_factory.mktemp("perturb") / "clip"
    return save_clip(make_clip(noisy(ride(), 0.01), actors), folder)


def resolved(out: Path, index: int = 0) -> dict[str, Any]:
    return json.loads((out / f"{index:04d}" / "resolved.json").read_text(encoding="utf-8"))


def everything(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_the_example_becomes_one_scenario(drive: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = perturb(drive, request=LEFT, out=out)
    assert (said["requested"], said["accepted"], said["refused"]) == (1, 1, {})
    assert everything(out).keys() == {
        "0000/scenario.toml", "0000/resolved.json", "0000/scenario.xosc",
        "summary.json", "manifest.json",
    }  # fmt: skip
    assert load_scenario(out / "0000" / "scenario.toml").edits == (CHANGE,)
    assert not finished(out, "scenarios").damaged()


def test_what_is_resolved_can_be_checked_with_other_code(drive: Path, tmp_path: Path) -> None:
    perturb(drive, request=LEFT, out=tmp_path / "out")
    got, clip = resolved(tmp_path / "out"), load_clip(drive)
    time_us = np.array(got["ego"]["time_us"])
    world_from_box = np.array(got["ego"]["world_from_body"])
    world_from_ego = world_from_box @ np.array(got["ego"]["body_from_ego"])
    assert np.array_equal(time_us, clip.ego.time_us)
    before, after = time_us <= 500_000, time_us >= 3_500_000
    recorded = clip.ego.world_from_body
    assert_allclose(world_from_ego[before], recorded[before], atol=1e-12)
    apart = world_from_ego[after, :3, 3] - recorded[after, :3, 3]
    assert_allclose(apart, 3.0 * recorded[after, :3, 1], atol=1e-12)
    assert got["ego"]["class"] == "CAR"
    assert got["ego"]["size_m"] == EGO_SIZE_M.tolist()
    # The centre of the box lies half a length behind the front bumper, half its height up.
    front = invert(world_from_ego)[0] @ world_from_box[0] @ [0.5 * EGO_SIZE_M[0], 0, 0, 1]
    assert_allclose(front, [EGO_FRONT_M, 0.0, 0.5 * EGO_SIZE_M[2], 1.0], atol=1e-12)
    assert [actor["id"] for actor in got["actors"]] == [1, 2]
    for actor, said in zip(clip.actors, got["actors"], strict=True):
        assert np.array_equal(said["world_from_body"], actor.trajectory.world_from_body)
        assert said["time_us"] == actor.trajectory.time_us.tolist()
        assert (said["class"], said["size_m"]) == (actor.kind.name, actor.size_m.tolist())
    assert got["requested"]["edits"] == [
        {"kind": "lane-change", "offset_m": 3.0, "start_us": 500_000, "duration_us": 3_000_000}
    ]


def test_an_overlap_is_refused_unless_it_is_meant_and_then_told(tmp_path: Path) -> None:
    actors = (parked_car(60.0, 3.0, number=2),)
    clip = save_clip(make_clip(noisy(ride(), 0.01), actors), tmp_path / "clip")
    with pytest.raises(InfeasibleError, match="in the box of actor 2") as refused:
        perturb(clip, request=LEFT, out=tmp_path / "out")
    assert refused.value.reason == "somebody is there"
    assert refused.value.where == f"{LEFT}: edits[0]"
    # What is suggested was tried, and works.
    key, value = refused.value.fix.split(",")[0].split(" = ")
    text = LEFT.read_text(encoding="utf-8")
    old = next(line for line in text.splitlines() if line.startswith(key))
    request = tmp_path / "other.toml"
    request.write_text(text.replace(old, f"{key} = {value}"), encoding="utf-8")
    assert perturb(clip, request=request, out=tmp_path / "other")["overlapping"] == 0
    request.write_text(f"may_overlap = [2]\n{text}", encoding="utf-8")
    said = perturb(clip, request=request, out=tmp_path / "out")
    assert (said["accepted"], said["overlapping"]) == (1, 1)
    (overlap,) = resolved(tmp_path / "out")["overlaps"]
    assert overlap["actor"] == 2
    # Front bumper at its rear bumper: 58 m = 14.2 m/s · t + 3.6 m, sampled every 20 ms.
    assert_allclose(overlap["time_us"], (58.0 - 3.6) / 14.2 * 1e6, atol=25_000)
    assert load_scenario(tmp_path / "out" / "0000" / "scenario.toml").may_overlap == (2,)


def test_the_recorded_drive_overlaps_nothing(drive: Path, tmp_path: Path) -> None:
    request = tmp_path / "nothing.toml"
    request.write_text("", encoding="utf-8")
    perturb(drive, request=request, out=tmp_path / "out")
    got = resolved(tmp_path / "out")
    assert got["overlaps"] == []
    recorded = load_clip(drive)
    boxes = recorded.ego.mounted(ego_box(recorded)).world_from_body
    assert np.array_equal(got["ego"]["world_from_body"], boxes)


def test_many_scenarios_are_drawn_and_refusals_counted(tmp_path: Path) -> None:
    slow = save_clip(make_clip(ride(speed_mps=5.0)), tmp_path / "clip")
    request = tmp_path / "request.toml"
    request.write_text(
        "[[edits]]\n"
        'kind = "lane-change"\n'
        "offset_m = [0.5, 3.0]\n"
        "start_us = { min = 0, max = 8_000_000 }\n"
        "duration_us = [1_800_000, 2_600_000]\n",
        encoding="utf-8",
    )
    out = tmp_path / "out"
    said = perturb(slow, request=request, out=out, count=40, seed=3)
    refused = said["refused"]
    assert isinstance(refused, dict)
    assert {"lateral jerk", "outside the drive"} <= refused.keys()
    assert said["requested"] == 40
    assert said["accepted"] == 40 - sum(refused.values())
    files = sorted(out.glob("*/scenario.toml"))
    assert len(files) == said["accepted"]
    clip = load_clip(slow)
    for path in files:
        check_limits(clip.ego, load_scenario(path).edits)


def test_the_same_work_gives_the_same_bytes(drive: Path, tmp_path: Path) -> None:
    for name in ("one", "other"):
        perturb(drive, request=RANGES, out=tmp_path / name)
    assert everything(tmp_path / "one") == everything(tmp_path / "other")


def test_a_scenario_does_not_depend_on_how_many_are_drawn(drive: Path, tmp_path: Path) -> None:
    for count in (3, 6):
        perturb(drive, request=RANGES, out=tmp_path / str(count), count=count)
    few, many = everything(tmp_path / "3"), everything(tmp_path / "6")
    assert "0000/scenario.toml" in few
    assert all(many[name] == few[name] for name in few if name[0] == "0")


def test_the_same_again_returns_at_once_and_other_inputs_are_named(
    drive: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    first = perturb(drive, request=RANGES, out=out, count=3)
    written = (out / "manifest.json").stat().st_mtime_ns
    again = perturb(drive, request=RANGES, out=out, count=3)
    assert (out / "manifest.json").stat().st_mtime_ns == written
    assert {**again, "seconds": 0} == {**first, "seconds": 0}
    with pytest.raises(OtherlaneError, match="another seed"):
        perturb(drive, request=RANGES, out=out, count=3, seed=8)


def test_a_request_nobody_can_drive_leaves_nothing(drive: Path, tmp_path: Path) -> None:
    request = tmp_path / "request.toml"
    text = LEFT.read_text(encoding="utf-8").replace("3_000_000", "1_000_000")
    request.write_text(text, encoding="utf-8")
    for count in (1, 5):
        with pytest.raises(InfeasibleError, match=r"duration_us = 26\d0000") as refused:
            perturb(drive, request=request, out=tmp_path / "new" / "out", count=count)
        assert refused.value.where.startswith(str(request))
        assert refused.value.reason == "lateral jerk"
    assert [path.name for path in tmp_path.iterdir()] == ["request.toml"]


def test_the_request_says_how_many_unless_the_command_line_does(
    drive: Path, tmp_path: Path
) -> None:
    assert load_request(RANGES).count == 20
    assert perturb(drive, request=RANGES, out=tmp_path / "20")["requested"] == 20
    assert perturb(drive, request=RANGES, out=tmp_path / "2", count=2)["requested"] == 2


def test_an_edited_scene_has_everything_that_is_rendered() -> None:
    clip = make_clip(actors=(parked_car(40.0, 3.0),))
    edited = resolve(
        Scenario(edits=(CHANGE, Exposure(stops=1.0)), start_us=100_000, end_us=2_000_000),
        clip,
    )
    assert edited.ego == CHANGE.apply(clip.ego)
    assert edited.actors == clip.actors
    assert edited.camera.gains == (2.0, 2.0, 2.0)
    assert (edited.start_us, edited.end_us) == (100_000, 2_000_000)
    whole = resolve(Scenario(), clip)
    assert whole.ego is clip.ego
    assert (whole.start_us, whole.end_us) == (0, 6_000_000)


@pytest.mark.parametrize(
    ("scenario", "place"),
    [
        (Scenario(start_us=-1), "start_us"),
        (Scenario(end_us=6_000_001), "end_us"),
        (Scenario(edits=(LaneChange(offset_m=1.0, start_us=-1, duration_us=10**6),)), "edits[0]"),
        (Scenario(edits=(CHANGE, LateralOffset(offset_m=1.0, start_us=10**7, duration_us=1))),
         "edits[1].start_us"),
    ],
)  # fmt: skip
def test_times_outside_the_drive_are_refused(scenario: Scenario, place: str) -> None:
    with pytest.raises(InfeasibleError, match="outside the drive, which lasts") as refused:
        resolve(scenario, make_clip(), "left.toml")
    assert refused.value.where.startswith(f"left.toml: {place}")
    assert "from 0 to 6000000" in refused.value.fix
