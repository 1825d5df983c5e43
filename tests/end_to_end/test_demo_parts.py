"""What the demo is made of; the demo itself takes minutes and is run by `make demo`."""

import re
from pathlib import Path

import numpy as np

import render.console.demo
from recon.recipes import RECIPES
from render.cli import VERBS
from render.exporters import find_exporter
from render.folders.selection import parse_frames
from scenes.scenario.files import load_request
from scenes.scenario.resolve import resolve
from scenes.scenario.scenario import Request, sample
from scenes.storage.clip_files import load_clip
from scenes.worlds.record.sample import sample_path

EXAMPLE = Path(__file__).parents[2] / "examples/requests/lane_change_left.toml"


def request_of_the_demo(folder: Path) -> Request:
    path = folder / "demo.toml"
    path.write_text(render.console.demo.REQUEST, encoding="utf-8")
    return load_request(path)


def test_it_asks_for_what_the_example_asks_for(tmp_path: Path) -> None:
    assert request_of_the_demo(tmp_path) == load_request(EXAMPLE)


def test_a_car_can_drive_it_on_the_sample_drive(tmp_path: Path) -> None:
    clip, request = load_clip(sample_path()), request_of_the_demo(tmp_path)
    edited = resolve(sample(request, 0), clip)
    apart_m = edited.ego.world_from_body[-1, :3, 3] - clip.ego.world_from_body[-1, :3, 3]
    np.testing.assert_allclose(np.linalg.norm(apart_m), 3.0, atol=1e-3)
    assert request.count == 1


def test_its_verbs_recipe_frames_and_formats_exist() -> None:
    said = re.search(r"sample drive: (.*?), report", render.console.demo.__doc__ or "")
    assert said is not None
    assert set(said[1].split(", ")) <= set(VERBS)
    assert render.console.demo.RECIPE in RECIPES
    clip = load_clip(sample_path())
    assert len(parse_frames(render.console.demo.FRAMES, np.arange(len(clip.cameras[0])))) == 20
    for name in render.console.demo.RenderRequest().formats:
        assert callable(find_exporter(name).write)
