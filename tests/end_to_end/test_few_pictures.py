"""Drives of one, two and three pictures through all verbs, and what one moment cannot do."""

import contextlib
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import recon.recipes
from recon.config import ActorsConfig
from recon.recipes import STANDING_PX
from render.cli import main
from scenes.criticality import FAMILIES
from tests import kitti_maker as maker
from tests.scene_maker import tiny_config

LOOK = 'name = "look"\n[[edits]]\nkind = "exposure"\nstops = 0.5\n'
INSERTED = """\
name = "put"
allow_unmeasured = true
[[edits]]
kind = "insert-actor"
actor = 90
asset = "car"
start_us = 0
ahead_m = 12.0
left_m = -3.5
"""
MOVES = {
    "lane-change": "offset_m = 2.5\nstart_us = 0\nduration_us = 3_000_000",
    "lateral-offset": "offset_m = 1.0\nstart_us = 0\nduration_us = 1_000_000",
    "ego-speed": "start_us = 0\nspeed_mps = 3.0\nchange_mps2 = 2.0",
    "retime-actor": "actor = 5\nshift_us = 100_000",
}


def run(*words: str) -> tuple[int, dict[str, Any]]:
    """Exit code and answer of a command."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = main([*words, "--json"])
    return code, json.loads(said.getvalue())


def done(*words: str) -> dict[str, Any]:
    """The answer of a command that has to work."""
    code, answer = run(*words)
    assert code == 0, answer
    return answer


def refused(*words: str) -> dict[str, str]:
    """The error of a command that has to be refused."""
    code, answer = run(*words)
    assert code == 2, answer
    return answer["error"]


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipe of some steps, which gives fields to parked vehicles as all others do."""
    config = replace(tiny_config(), actors=ActorsConfig(standing_px=0.5 * STANDING_PX))
    monkeypatch.setitem(recon.recipes.RECIPES, "tiny", lambda _: config)


def drive(folder: Path, layout: str, pictures: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A drive in a layout of KITTI's, imported as `clip`."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(maker, "FRAMES", pictures)
    if layout == "tracking":
        maker.make_tracking(Path("drive"), colmap=pictures >= 3)
    else:
        maker.make_odometry(Path("drive"))
    answer = done("import", "drive", "--out", "clip", "--fmt", f"kitti-{layout}")
    assert answer["frames"] == pictures


def reconstructed(*words: str) -> None:
    """`scene`, trained for some steps."""
    done("reconstruct", "clip", "--out", "scene", "--recipe", "tiny", *words)


layouts = pytest.mark.parametrize("layout", ["tracking", "odometry"])


@layouts
@pytest.mark.parametrize("pictures", [1, 2, 3])
@pytest.mark.usefixtures("tiny")
def test_all_pictures_train(
    tmp_path: Path, layout: str, pictures: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    drive(tmp_path, layout, pictures, monkeypatch)
    reconstructed("--holdout", "0")
    said = refused("evaluate", "scene", "--out", "scores")
    assert "no picture was kept out of training" in said["wrong"]
    assert ("two pictures or more" if pictures == 1 else "--holdout 8") in said["fix"]
    assert not Path("scores").exists()
    Path("look.toml").write_text(LOOK)
    assert done("perturb", "clip", "--request", "look.toml", "--out", "looks")["accepted"] == 1
    words = ("--size", "32x12", "--out", "frames")
    made = done("render", "scene", "--scenario", "looks/0000/scenario.toml", *words)
    assert made["frames"] == pictures
    assert done("verify", "frames")["ok"] is True
    assert done("export", "frames", "--out", "coco")["pictures"] == pictures


@layouts
@pytest.mark.parametrize("pictures", [2, 3])
@pytest.mark.usefixtures("tiny")
def test_one_is_kept_to_measure_with(
    tmp_path: Path, layout: str, pictures: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    drive(tmp_path, layout, pictures, monkeypatch)
    reconstructed("--holdout", str(pictures), "--holdout-first", str(pictures - 1))
    scores = done("evaluate", "scene", "--out", "scores")
    assert scores["frames"] == 1
    assert scores["psnr_db"] == scores["psnr_db_median"] > 0.0


@pytest.mark.usefixtures("tiny")
def test_one_picture_cannot_train_and_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drive(tmp_path, "tracking", 1, monkeypatch)
    said = refused("reconstruct", "clip", "--out", "scene", "--recipe", "tiny")
    assert "leaves none of 1 pictures to train" in said["wrong"]
    assert said["fix"].startswith("0 ")
    assert not Path("scene").exists()


@layouts
def test_what_takes_time_is_refused_of_one_moment(
    tmp_path: Path, layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    drive(tmp_path, layout, 1, monkeypatch)
    request = Path("request.toml")
    asked = ("perturb", "clip", "--request", "request.toml", "--count", "1", "--out", "scenarios")
    for kind, keys in MOVES.items():
        request.write_text(f'name = "moves"\n[[edits]]\nkind = "{kind}"\n{keys}\n')
        said = refused(*asked)
        assert "the drive is one moment" in said["wrong"]
        assert said["where"].endswith("edits[0]")
    for family in FAMILIES:
        request.write_text(
            f'name = "near"\n[criticality]\nfamily = ["{family}"]\nmin_ttc_s = 1.0\n'
            "duration_s = 3.0\n"
        )
        assert "the drive is one moment" in refused(*asked)["wrong"]
    request.write_text(INSERTED)
    assert done(*asked)["accepted"] == 1
