"""A time budget is the time until the scene is there, turned into steps once."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import recon.recipes
import recon.reconstruct
import recon.training.budget
from recon.data.training_data import load_data
from recon.reconstruct import reconstruct_clip
from recon.training.budget import FEWEST_STEPS, SPARE, finishing_s, measured_step_s, steps_within
from scenes.storage.manifests import LOG
from tests.scene_maker import TINY, make_drive, save_drive, tiny_config


@pytest.fixture(autouse=True)
def tiny_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(recon.recipes.RECIPES, "tiny", lambda _: tiny_config())


@pytest.fixture
def known_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step takes 0.1 s, and 7 s pass between the last one and the scene."""
    monkeypatch.setattr(recon.training.budget, "measured_step_s", lambda *_: 0.1)
    monkeypatch.setattr(recon.training.budget, "finishing_s", lambda *_: 7.0)


@pytest.mark.usefixtures("known_pace")
def test_what_comes_after_training_is_part_of_the_budget(tmp_path: Path) -> None:
    clip = make_drive(tmp_path)
    data = load_data(clip, tiny_config())
    steps = steps_within(clip, tiny_config(), 107.0, data)
    assert steps == pytest.approx((107.0 * (1 - SPARE) - 7.0) / 0.1, abs=2)


@pytest.mark.usefixtures("known_pace")
def test_so_is_what_came_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    def noted(*arguments: object) -> int:
        assert isinstance(arguments[2], float)
        asked.append(arguments[2])
        return 2

    monkeypatch.setattr(recon.reconstruct, "steps_within", noted)
    began = recon.reconstruct.time.monotonic() - 50.0  # so long ago the user pressed return
    request = replace(TINY, budget="90s")
    out = reconstruct_clip(save_drive(tmp_path), tmp_path / "scene", request, began)
    assert 30.0 < asked[0] < 40.0
    lines = [json.loads(line) for line in (out / LOG).read_text().splitlines()]
    assert lines[0]["event"] == "plan"
    assert lines[0]["steps"] == 2


@pytest.mark.usefixtures("known_pace")
def test_too_little_time_still_trains_a_little_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip, said = make_drive(tmp_path), list[str]()
    monkeypatch.setattr(recon.training.budget, "heading", said.append)
    steps = steps_within(clip, tiny_config(), 3.0, load_data(clip, tiny_config()))
    assert steps == FEWEST_STEPS
    assert "too short" in said[0]


def test_a_step_is_measured_and_the_end_is_reckoned_from_it(tmp_path: Path) -> None:
    clip, config = make_drive(tmp_path), tiny_config()
    data = load_data(clip, config)
    assert 0.0 < measured_step_s(clip, config, data, 60.0) < 5.0
    assert 0.0 < measured_step_s(clip, config, data, 0.0) < 5.0
    assert (
        finishing_s(config, data, 0.2)
        > finishing_s(config, data, 0.1)
        > recon.training.budget.SAVED_S
    )
