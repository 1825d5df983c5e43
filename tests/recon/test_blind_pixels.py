"""Drives through lenses whose image circle is smaller than the picture, or that fold in it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from recon.data.masks import actor_mask
from recon.data.training_data import blind_pixels, load_data, masked_pixels
from recon.evaluation.actor_scores import box_pixels
from recon.evaluation.evaluate import evaluate_scene
from recon.kernels.backend import Backend, choose_backend
from recon.scene import Scene
from recon.training.loop import train, train_step
from recon.training.state import new_training
from scenes.clip import Clip
from tests.actor_fields_maker import PARKED, PARKED_CONFIG
from tests.scene_maker import driving_car, make_drive, tiny_config

LENS = (-0.35, 0.0, 0.0, 0.0)
"""As a fisheye and as a perspective lens it sees 0.65 focal lengths far: corners are 0.75 away."""


def cars(folder: Path, fisheye: bool) -> Clip:
    """With one that moves, partly where the lens is blind, and one that stands."""
    car = driving_car()
    near = car.trajectory.world_from_body.copy()
    near[:, 0, 3] -= 5.0
    moving = replace(car, trajectory=replace(car.trajectory, world_from_body=near))
    return make_drive(folder, actors=(PARKED, moving), lidar=True, lens=LENS, fisheye=fisheye)


@pytest.fixture(scope="module", params=["fisheye", "fold"])
def clip(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Clip:
    folder = Path(tmp_path_factory.mktemp(request.param))
    return make_drive(folder, lens=LENS, fisheye=request.param == "fisheye")


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


@pytest.mark.parametrize("fisheye", [True, False])
def test_road_users_beside_what_the_lens_shows_do_no_harm(tmp_path: Path, fisheye: bool) -> None:
    clip, settings = cars(tmp_path, fisheye), replace(PARKED_CONFIG, backend=str(Backend.TORCH))
    data = load_data(clip, settings)
    assert data.hidden is not None
    assert bool(torch.isfinite(data.hidden.pixel_angle).all())
    training = new_training(clip, settings, data)
    for step in range(3):
        losses = train_step(training, data, settings, step)
        assert np.isfinite(list(losses.values())).all()
    scene = Scene(clip=clip, config=settings, model=training.model, backend=Backend.TORCH)
    blind = blind_pixels(clip.cameras[0].camera)
    pose, camera = clip.world_from_camera(0, 0), clip.cameras[0].camera
    boxes = [actor_mask(camera, pose, (actor,), 0, 0.0) for actor in clip.actors]
    assert any((box & blind).any() for box in boxes)
    for actor in clip.actors:
        assert not (box_pixels(scene, camera, 0, actor, 0) & blind).any()
