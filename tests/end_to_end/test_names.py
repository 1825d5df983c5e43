"""All verbs in a folder whose name is not UTF-8, as folders from old systems are called."""

import json
import os
from pathlib import Path

import pytest

import recon.recipes
from render.cli import main
from tests.kitti_maker import make_tracking
from tests.scene_maker import tiny_config

LATIN = os.fsdecode(b"caf\xe9 \xff")
REQUEST = 'name = "look"\n[[edits]]\nkind = "exposure"\nstops = 0.5\n'


def test_every_verb_works_where_names_are_not_utf8(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(recon.recipes.RECIPES, "tiny", lambda _: tiny_config())
    folder = tmp_path / LATIN
    make_tracking(folder / "drive")
    (folder / "look.toml").write_text(REQUEST)
    at = {path: str(folder / path) for path in ("drive", "clip", "scene", "frames", "look.toml")}
    scenario = str(folder / "scenarios/0000/scenario.toml")
    for words in (
        ("import", at["drive"], "--out", at["clip"]),
        ("reconstruct", at["clip"], "--out", at["scene"], "--recipe", "tiny", "--holdout", "4"),
        ("evaluate", at["scene"], "--out", str(folder / "scores")),
        ("perturb", at["clip"], "--request", at["look.toml"], "--out", str(folder / "scenarios")),
        ("render", at["scene"], "--scenario", scenario, "--size", "32x12", "--out", at["frames"]),
        ("verify", at["frames"]),
        ("export", at["frames"], "--out", str(folder / "coco")),
        ("extract-actor", at["scene"], "5", "--out", str(folder / "asset")),
    ):
        for json_too in ((), ("--json",)):
            code = main([*words, *json_too])
            said = capsys.readouterr()
            # nobody in this drive has a field of its own
            assert code == (2 if words[0] == "extract-actor" else 0), said.err
            said.out.encode()
            if json_too:
                answer = json.loads(said.out)
                assert answer["ok"] is True if words[0] == "verify" else True
