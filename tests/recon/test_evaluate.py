import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from recon.evaluation.evaluate import (
    FrameScore,
    compare,
    evaluate_scene,
    result,
    summary,
    write_pictures,
)
from recon.field.photometry import srgb
from recon.kernels.backend import choose_backend
from recon.scene import Scene, load_scene
from scenes.sensors.camera_look import NEUTRAL, CameraLook

KEYS = {"psnr_db", "psnr_affine_db", "ssim", "flip", "depth_abs_rel", "frames"}
KEYS |= {"psnr_db_median", "psnr_affine_db_median"}


@pytest.fixture(scope="module")
def scene(made: tuple[Path, Path]) -> Scene:
    return load_scene(made[1])


def test_chunks_do_not_show(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    random = torch.Generator().manual_seed(0)
    along = torch.nn.functional.normalize(torch.randn(50, 3, generator=random), dim=1)
    rays = (torch.zeros(50, 3), along, torch.full((50,), 0.05))
    whole = scene.render_rays(*rays)
    monkeypatch.setattr("recon.scene.CHUNK_RAYS", 7)
    parts = scene.render_rays(*rays)
    torch.testing.assert_close(whole.linear, parts.linear)
    torch.testing.assert_close(whole.range_m, parts.range_m)


def test_an_exposure_is_stops(scene: Scene) -> None:
    linear = torch.tensor([[0.1, 0.1, 0.1]])
    brighter = scene.display(2.0 * linear, 0, 150_000)
    torch.testing.assert_close(
        scene.display(linear, 0, 150_000, CameraLook(exposure_ev=1.0)), brighter
    )
    assert scene.display(1e6 * linear, 0, 0).max() == 1.0


def test_the_neutral_look_is_what_the_camera_showed_to_the_bit(scene: Scene) -> None:
    linear = torch.rand(500, 3, generator=torch.Generator().manual_seed(1))
    shown = srgb(linear * scene.model.photometry.gain_at(0, 150_000)).clamp(0.0, 1.0)
    assert torch.equal(scene.display(linear, 0, 150_000, NEUTRAL), shown)


def test_a_white_balance_multiplies_linear_red_and_blue(scene: Scene) -> None:
    linear = torch.tensor([[0.1, 0.1, 0.1]])
    tinted = scene.display(torch.tensor([[0.15, 0.1, 0.05]]), 0, 150_000)
    look = CameraLook(white_balance=(1.5, 1.0, 0.5))
    torch.testing.assert_close(scene.display(linear, 0, 150_000, look), tinted)


def test_scores_have_the_promised_keys(scene: Scene) -> None:
    scores, _ = evaluate_scene(scene)
    said = result(scene, scores)
    assert said.keys() >= KEYS | {"resolution", "steps", "backend"}
    assert (said["frames"], said["resolution"]) == (1, [24, 16])
    assert (said["steps"], said["backend"]) == (8, choose_backend(None))
    json.dumps(said, allow_nan=False)
    # picture 0 lies before the first that trains: it is listed apart
    assert [(score.frame, score.extrapolated) for score in scores] == [(0, True), (4, False)]
    assert said["psnr_db"] == scores[1].psnr_db
    apart, both = said["extrapolation"], said["all"]
    assert isinstance(apart, dict)
    assert isinstance(both, dict)
    assert apart.keys() == both.keys() == KEYS
    assert (apart["psnr_db"], apart["frames"], both["frames"]) == (scores[0].psnr_db, 1, 2)
    for score in scores:
        assert score.psnr_affine_db >= score.psnr_db
        assert 0.0 <= score.flip <= 1.0
        assert score.depth_abs_rel > 0.0


def test_pictures_are_photo_render_and_error(scene: Scene, tmp_path: Path) -> None:
    _, pictures = evaluate_scene(scene)
    write_pictures(tmp_path, ["outside", "inside"], pictures)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["inside.png", "outside.png"]
    with Image.open(tmp_path / "inside.png") as image:
        assert image.size == (24, 3 * 16)
    photo = (pictures[1].photo * 255).round().astype(int)
    assert photo.tolist() == scene.clip.cameras[0].read(4).tolist()


def test_the_true_colours_would_score_full_marks(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = torch.from_numpy(compare(scene, 0, 4).photo.reshape(-1, 3).copy())
    monkeypatch.setattr(Scene, "display", lambda *_: photo)
    scores, _ = evaluate_scene(scene)
    assert scores[1].psnr_db == pytest.approx(58.92, abs=0.01)  # no nearer than 8 bits tell
    assert scores[1].ssim == pytest.approx(1.0)
    assert scores[1].flip == pytest.approx(0.0)


def test_one_black_picture_does_not_lift_the_median() -> None:
    usual = FrameScore(
        camera="front", frame=0, extrapolated=False, beside_m=None, psnr_db=24.0,
        psnr_affine_db=25.0, ssim=0.8, flip=0.1, depth_abs_rel=0.05,
    )  # fmt: skip
    black = replace(usual, frame=1, psnr_db=58.9, psnr_affine_db=58.9)
    hidden = replace(usual, frame=2, psnr_db=float("nan"), psnr_affine_db=float("nan"))
    said = summary([usual, black, replace(usual, frame=3, psnr_db=23.0), hidden])
    assert said["psnr_db"] == pytest.approx((24.0 + 58.9 + 23.0) / 3.0)
    assert said["psnr_db_median"] == 24.0
    assert said["psnr_affine_db_median"] == 25.0
    assert "ssim_median" not in said
