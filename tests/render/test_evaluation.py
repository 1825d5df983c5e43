import json
from pathlib import Path

import pytest

import recon.recipes
from recon.reconstruct import reconstruct_clip
from render.evaluation.evaluate import evaluate_folder
from scenes.errors import OtherlaneError
from tests.scene_maker import TINY, save_drive, tiny_config

KEYS = {
    "psnr_db",
    "psnr_affine_db",
    "ssim",
    "flip",
    "depth_abs_rel",
    "frames",
    "resolution",
    "train_seconds",
    "steps",
    "backend",
}


def test_the_scores_of_a_scene_are_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(recon.recipes.RECIPES, "tiny", lambda _: tiny_config())
    scene = reconstruct_clip(save_drive(tmp_path), tmp_path / "scene", TINY)
    out = tmp_path / "scores"
    said = evaluate_folder(scene, out)
    assert said.keys() >= KEYS
    assert isinstance(said["train_seconds"], float)
    json.dumps(said, allow_nan=False)
    files = ["front_000000.png", "front_000004.png", "manifest.json", "scores.json"]
    assert sorted(path.name for path in out.iterdir()) == files
    # asked again, it answers without the pictures
    (tmp_path / "pictures").rename(tmp_path / "elsewhere")
    assert evaluate_folder(scene, out) == said
    with pytest.raises(OtherlaneError, match="does not exist"):
        evaluate_folder(scene, tmp_path / "again")
    assert not (tmp_path / "again").exists()
