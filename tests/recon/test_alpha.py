"""Alpha is a mask: what a picture hides neither trains nor scores, and leaves no trace."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from recon.data.depth_rays import load_depth
from recon.data.opened import hidden_pixels
from recon.data.training_data import load_data
from recon.evaluation.evaluate import evaluate_scene
from recon.evaluation.metrics import psnr_db
from recon.kernels.backend import Backend
from recon.scene import Scene
from recon.training.loop import train
from recon.training.observation import BLIND
from recon.training.observing import observe
from scenes.clip import Clip
from scenes.errors import OtherlaneError
from scenes.sensors.camera import project_world
from tests.scene_maker import make_drive, tiny_config

BLACK, RED = (0, 0, 0), (255, 0, 0)


def hole(frame: int) -> np.ndarray:
    """A disc of another place in every picture of 24x16, in its lower half."""
    x, y = np.arange(24) + 0.5, np.arange(16)[:, None] + 0.5
    return (x - 5.0 - 3.0 * frame) ** 2 + (y - 11.5) ** 2 < 3.2**2


def drive(folder: Path, colour: tuple[int, int, int], *, whole: bool = False) -> Clip:
    """The tiny drive, a disc of each picture transparent (none where `whole`) and repainted."""
    clip = make_drive(folder)
    for frame, path in enumerate(clip.cameras[0].files):
        rgba = np.full((16, 24, 4), 255, dtype=np.uint8)
        rgba[..., :3] = np.asarray(Image.open(path))
        if not whole:
            rgba[hole(frame)] = (*colour, 254 if frame % 2 else 0)
        Image.fromarray(rgba).save(path)
    return clip


def trained(clip: Clip, steps: int = 30) -> Scene:
    config = replace(tiny_config(steps=steps), backend=str(Backend.TORCH))
    model = train(clip, config)
    return Scene(clip=clip, config=config, model=model, backend=Backend.TORCH)


def numbers(scene: Scene) -> dict[str, torch.Tensor]:
    return dict(scene.model.field.state_dict())


def test_hidden_pixels_do_not_train(tmp_path: Path) -> None:
    clip = drive(tmp_path, BLACK)
    pixels = load_data(clip, tiny_config()).pixels[0]
    for place, frame in enumerate(pixels.frame_index.tolist()):
        assert np.array_equal(pixels.trains(place).numpy().reshape(16, 24), ~hole(frame))
        assert not bool(pixels.sky[place].numpy().reshape(16, 24)[hole(frame)].any())
        hidden = hidden_pixels(clip.cameras[0], frame, clip.cameras[0].camera)
        assert np.array_equal(hidden, hole(frame))


def test_a_small_pixel_is_used_where_all_of_it_is_opaque(tmp_path: Path) -> None:
    clip = drive(tmp_path, BLACK)
    pixels = load_data(clip, replace(tiny_config(), scale=0.5)).pixels[0]
    for place, frame in enumerate(pixels.frame_index.tolist()):
        any_hidden = hole(frame).reshape(8, 2, 12, 2).any(axis=(1, 3))
        assert np.array_equal(pixels.trains(place).numpy().reshape(8, 12), ~any_hidden)


def test_points_behind_the_mask_are_no_evidence_from_there(tmp_path: Path) -> None:
    whole, clip = make_drive(tmp_path / "whole"), drive(tmp_path / "holes", BLACK)
    trains = np.ones(len(clip.cameras[0]), dtype=bool)
    every, left = load_depth(whole, trains), load_depth(clip, trains)
    assert 0 < len(left) < len(every)
    track = clip.ego.mounted(clip.cameras[0].ego_from_camera)
    assert left.time_us is not None
    for frame, time_us in enumerate(clip.cameras[0].time_us):
        ends = left.ends_m()[left.time_us == int(time_us)].double().numpy()
        column, row = project_world(clip.cameras[0].camera, ends, track, int(time_us)).T
        assert not hole(frame)[row.astype(int).clip(0, 15), column.astype(int).clip(0, 23)].any()


def test_what_is_under_the_mask_leaves_no_trace(tmp_path: Path) -> None:
    black, red = (trained(drive(tmp_path / str(c), c)) for c in (BLACK, RED))
    other = numbers(red)
    assert all(torch.equal(value, other[name]) for name, value in numbers(black).items())
    (scores, pictures), (others, _) = evaluate_scene(black), evaluate_scene(red)
    assert str(scores) == str(others)
    for score, picture in zip(scores, pictures, strict=True):
        assert not picture.counts[hole(score.frame)].any()
        assert picture.counts.sum() == 16 * 24 - hole(score.frame).sum()


def test_no_black_wall_is_learnt_behind_the_mask(tmp_path: Path) -> None:
    scene = trained(drive(tmp_path / "holes", BLACK), steps=150)
    truth = make_drive(tmp_path / "whole")
    held, pictures = evaluate_scene(scene)
    for score, picture in zip(held, pictures, strict=True):
        photo = truth.cameras[0].read(score.frame).astype(np.float32) / 255.0
        assert psnr_db(picture.render, photo, hole(score.frame)) > 20.0


def test_full_alpha_is_none(tmp_path: Path) -> None:
    plain = trained(make_drive(tmp_path / "rgb"))
    opaque = trained(drive(tmp_path / "rgba", BLACK, whole=True))
    other = numbers(opaque)
    assert all(torch.equal(value, other[name]) for name, value in numbers(plain).items())
    assert opaque.clip.cameras[0].opaque(0) is None


def test_hidden_pixels_have_not_been_observed(tmp_path: Path) -> None:
    scene = trained(drive(tmp_path, BLACK))
    observe(scene)
    seen = scene.model.observation
    for place, frame in enumerate(seen.frames[0].tolist()):
        shown = seen.get_buffer("nearness_0")[place].numpy()
        any_hidden = hole(frame).reshape(8, 2, 12, 2).any(axis=(1, 3))
        assert np.all(shown[any_hidden] == BLIND)
        assert np.all(shown[~any_hidden] >= 0.0)


def test_pictures_that_show_nothing_are_refused_and_not_scored(tmp_path: Path) -> None:
    clip = make_drive(tmp_path)
    nothing = Image.new("RGBA", (24, 16), (0, 0, 0, 0))
    held = evaluate_scene(trained(clip))[0][0].frame
    nothing.save(clip.cameras[0].files[held])
    score = next(s for s in evaluate_scene(trained(clip))[0] if s.frame == held)
    assert np.isnan([score.psnr_db, score.psnr_affine_db, score.ssim, score.flip]).all()
    for path in clip.cameras[0].files:
        nothing.save(path)
    with pytest.raises(OtherlaneError, match="alpha hide every training picture"):
        load_data(clip, tiny_config())
