"""Drives through a lens whose image circle is smaller than the picture."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from recon.evaluate import evaluate_scene
from recon.evidence import load_data, masked_pixels
from recon.kernels.backend import Backend, choose_backend
from recon.scene import Scene
from recon.train import train
from scenes.clip import Clip
from tests.scene_maker import make_drive, tiny_config

LENS = (-0.35, 0.0, 0.0, 0.0)
"""It sees 0.65 focal lengths far: the picture's corners are 0.75 away."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return make_drive(Path(tmp_path_factory.mktemp("fisheye")), lens=LENS)


def test_what_the_lens_does_not_show_neither_trains_nor_scores(clip: Clip) -> None:
    blind = masked_pixels(clip, 0, 0, 1.0)
    assert 0 < blind.sum() < 0.2 * blind.size
    assert blind[0, 0]
    assert not blind[8, 12]
    pixels = load_data(clip, tiny_config()).pixels[0]
    directions = pixels.directions[pixels.usable % len(pixels.directions)]
    assert bool(torch.isfinite(directions).all())
    assert len(pixels.usable) == len(pixels.frame_index) * int((~blind).sum())
    assert not bool(pixels.sky.view(-1, *blind.shape)[:, torch.from_numpy(blind)].any())


@pytest.mark.parametrize("backend", [Backend.TORCH, Backend.NATIVE])
def test_it_trains_and_is_scored_where_it_saw(clip: Clip, backend: Backend) -> None:
    if backend is Backend.NATIVE and choose_backend(None) is not Backend.NATIVE:
        pytest.skip("no native backend")
    settings = replace(tiny_config(steps=40), backend=str(backend))
    scene = Scene(clip=clip, config=settings, model=train(clip, settings), backend=backend)
    for name, value in scene.model.field.state_dict().items():
        assert bool(torch.isfinite(value.float()).all()), name
    scores, pictures = evaluate_scene(scene)
    for score, picture in zip(scores, pictures, strict=True):
        assert np.isfinite([score.psnr_db, score.psnr_affine_db, score.ssim, score.flip]).all()
        assert score.psnr_db > 15.0
        assert not picture.counts[0, 0]
        assert picture.render[~picture.counts].max() == 0.0
