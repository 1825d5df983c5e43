"""The proving ground's benchmarks run and say what they must; at sizes that mean nothing."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import recon.recipes
from benchmarks import lateral_truth, world_light
from scenes.errors import OtherlaneError
from scenes.geometry import translation
from tests.scene_maker import make_drive, tiny_config

BASELINE_M = 0.54


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(recon.recipes.RECIPES, "tiny", lambda _: tiny_config())


def stereo(folder: Path) -> Path:
    """The tiny drive with a camera more, to the right of the first."""
    clip = make_drive(folder / "pictures")
    left = clip.cameras[0]
    beside = left.ego_from_camera @ translation(np.array([BASELINE_M, 0.0, 0.0]))
    right = replace(left, name="right", ego_from_camera=beside)
    replace(clip, cameras=(left, right)).save(folder / "clip")
    return folder / "clip"


def test_the_other_camera_is_scored_beside_the_path(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip, page = stereo(tmp_path), tmp_path / "found.json"
    lateral_truth.main(tmp_path / "out", clip=clip, recipe="tiny", json_file=page)
    scores = json.loads(page.read_text())["scores"]
    assert scores["beside"]["right"]["beside_m"] == pytest.approx(BASELINE_M, abs=0.02)
    assert scores["beside"]["right"]["psnr_db"] > 3.0
    said = capsys.readouterr().out
    assert "on the path" in said
    assert "right" in said


def test_one_camera_says_nothing_beside_its_path(tmp_path: Path) -> None:
    make_drive(tmp_path / "pictures").save(tmp_path / "clip")
    with pytest.raises(OtherlaneError, match="one camera"):
        lateral_truth.main(tmp_path / "out", clip=tmp_path / "clip", recipe="tiny")


def test_pictures_with_other_rays_agree(tmp_path: Path) -> None:
    pytest.importorskip("mitsuba", reason="the extra `worlds` is not installed")
    page = tmp_path / "light.json"
    world_light.main(worlds=("street",), size="24x8", json_file=page)
    found = json.loads(page.read_text())["street"]
    assert 30.0 < found["psnr_db"] < 100.0  # close, and not the same picture
