"""The scripts of examples/, on the sample drive, with hardly any training and small pictures."""

import json
import runpy
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from render.commands import verify
from render.folders.frames import read_records
from render.pictures.preview import beside_the_drive_m
from scenes.edits.actor_looks import InsertActor
from scenes.scenario.files import load_request, load_scenario, scenario_toml
from scenes.storage.clip_files import load_clip
from scenes.worlds.record.sample import sample_path

EXAMPLES = Path(__file__).parents[2] / "examples"
NO_TRAFFIC = EXAMPLES / "requests" / "no_traffic.toml"
SMALL = ("--budget", "2s", "--size", "96x28", "--frames", "10,30")


def script(name: str) -> Callable[[Sequence[str]], int]:
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"]


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What examples/lane_change.py makes; not to be changed."""
    out = tmp_path_factory.mktemp("lane_change") / "out"
    assert script("lane_change")([str(out), *SMALL]) == 0
    return out


def test_the_lane_change_is_rendered_with_labels(changed: Path) -> None:
    assert verify(changed / "scene")["ok"]
    for name in ("000010", "000030"):
        picture, brighter = (iio.imread(changed / f"{name}{end}.png") for end in ("", "_brighter"))
        assert picture.shape == brighter.shape == (28, 96, 3)
        assert brighter.mean() > picture.mean()
        overlay = iio.imread(changed / f"{name}_labels.png")
        assert overlay.shape[1] > 2 * 640
        assert overlay.std() > 10
        labels = json.loads((changed / f"{name}.json").read_text())
        assert labels["licence"] == "Apache-2.0"
        assert {item["track_id"] for item in labels["objects"]}
        assert np.ptp(picture) > 0
    clip = load_clip(sample_path())
    half_way_m, there_m = (
        beside_the_drive_m(json.loads((changed / f"{name}.json").read_text()), clip)
        for name in ("000010", "000030")
    )
    assert 0 < half_way_m < 1.5
    assert 2.5 < there_m < 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("--offset-m", "9"), "lateral jerk"),
        (("--offset-m", "nan"), "from -50 to 50"),
        (("--frames", "40"), "frames from 0 to 39"),
        (("--clip", "nowhere"), "nowhere"),
    ],
)
def test_a_lane_change_that_cannot_be_exits_2(
    changed: Path, change: tuple[str, str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert script("lane_change")([str(changed), *SMALL, *change]) == 2
    problem = capsys.readouterr().err
    assert said in problem
    assert "try:" in problem


def test_a_batch_is_rendered_once(changed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = changed.parent / "batch"
    words = [str(out), "--scene", str(changed / "scene"), "--count", "2", "--workers", "1", *SMALL]
    assert script("batch")(words) == 0
    first = capsys.readouterr().out.splitlines()
    assert len(first) == 3
    for line, folder in zip(first[1:], sorted((out / "frames").iterdir()), strict=True):
        assert line.startswith(folder.name)
        assert line.endswith("True")
        assert verify(folder)["frames"] == 2
        assert (folder / "exports/kitti").is_dir()
        assert (folder / "exports/coco").is_dir()
    before = written(out)
    assert script("batch")(words) == 0
    again = capsys.readouterr().out.splitlines()
    assert len(again) == 3
    assert written(out) == before


def test_a_batch_goes_on_where_it_stopped(
    changed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = changed.parent / "interrupted"
    words = [str(out), "--scene", str(changed / "scene"), "--count", "1", "--workers", "1", *SMALL]
    words[-1] = "10"  # one frame is enough here

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("render.jobs.render_job.write_preview", killed)
        with pytest.raises(KeyboardInterrupt):
            script("batch")(words)
    assert not (out / "frames" / "0000").exists()
    capsys.readouterr()
    assert script("batch")(words) == 0
    header, row = (line.split() for line in capsys.readouterr().out.splitlines())
    assert row[-1] == "True"
    assert row[-3] == "0", f"rendered again: {header} {row}"


def test_a_batch_of_nothing_possible_exits_2(
    changed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    request = tmp_path / "wild.toml"
    request.write_text(
        'name = "wild"\n[[edits]]\nkind = "lane-change"\noffset_m = { min = 20.0, max = 30.0 }\n'
        "start_us = 0\nduration_us = 1_000_000\n"
    )
    scene = str(changed / "scene")
    words = [str(tmp_path / "out"), "--scene", scene, "--request", str(request), *SMALL]
    assert script("batch")(words) == 2
    assert "try:" in capsys.readouterr().err
    assert not (tmp_path / "out" / "frames").exists()


def test_without_traffic_nobody_moves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert script("remove_traffic")([str(tmp_path), *SMALL]) == 0
    assert capsys.readouterr().out.count("recorded above") == 2
    assert verify(tmp_path / "frames")["ok"]
    records = read_records(tmp_path / "frames")
    moving = {actor.id for actor in load_clip(sample_path()).actors if actor.is_moving}
    shown = [{one["track_id"] for one in record["objects"]} for record in records]
    assert all(ids.isdisjoint(moving) for ids in shown)
    assert iio.imread(tmp_path / "000010.png").shape == (56, 96, 3)


def test_a_sweep_has_what_it_asks_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked_s = ("1.0", "1.6")
    assert script("cut_in_sweep")([str(tmp_path), "--ttc-s", *asked_s]) == 0
    lines = capsys.readouterr().out.splitlines()
    for line, wanted in zip(lines, asked_s, strict=True):
        assert line.startswith(f"asked {float(wanted):.2f} s, has {float(wanted):.2f} s")
    for folder in sorted(tmp_path.iterdir()):
        scenario = load_scenario(next(folder.glob("scenarios/*/scenario.toml")))
        assert any(edit.kind == "insert-actor" for edit in scenario.edits)
    assert script("cut_in_sweep")([str(tmp_path), "--request", str(NO_TRAFFIC)]) == 2
    assert "asks for no near-collision" in capsys.readouterr().err


def test_near_misses_are_rendered_and_whole(
    changed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hundred = load_request(EXAMPLES / "requests" / "near_misses.toml")
    assert hundred.count == 100
    assert hundred.criticality is not None
    values = {**hundred.criticality.values, "duration_s": 3.0}
    short = replace(hundred, criticality=replace(hundred.criticality, values=values))
    (tmp_path / "short.toml").write_text(scenario_toml(short), encoding="utf-8")
    small = ["--count", "2", "--clips", "1", "--size", "64x20", "--workers", "1"]
    scene = ["--scene", str(changed / "scene"), "--budget", "2s"]
    request = ["--request", str(tmp_path / "short.toml")]
    assert script("near_misses")([str(tmp_path), *scene, *request, *small]) == 0
    first, *rows = capsys.readouterr().out.splitlines()
    assert "of 2 drawn" in first
    assert len(rows) == 1
    assert " True " in rows[0]
    folder = next((tmp_path / "frames").iterdir())
    assert len(read_records(folder)) >= 5
    ids = {item["track_id"] for record in read_records(folder) for item in record["objects"]}
    scenario = load_scenario(tmp_path / "scenarios" / folder.name / "scenario.toml")
    put = {edit.actor for edit in scenario.edits if isinstance(edit, InsertActor)}
    assert put
    assert put <= ids


def written(folder: Path) -> dict[Path, int]:
    """When each file was written."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
