"""What a camera's mask hides neither trains nor scores, and leaves no trace, as with alpha."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from recon.data.depth_rays import load_depth
from recon.data.opened import hidden_pixels
from recon.data.training_data import load_data
from recon.evaluation.evaluate import evaluate_scene
from recon.training.observation import BLIND
from recon.training.observing import observe
from scenes.clip import Clip
from scenes.sensors.camera import project_world
from tests.recon.test_alpha import BLACK, RED, drive, hole, numbers, trained
from tests.scene_maker import make_drive, tiny_config

BONNET = np.zeros((16, 24), dtype=bool)
BONNET[13:] = True
BONNET[11:, 8:16] = True


def masked(folder: Path, colour: tuple[int, int, int]) -> Clip:
    """The tiny drive with a bonnet of some colour in every picture, and a mask of it."""
    clip = make_drive(folder)
    for path in clip.cameras[0].files:
        rgb = np.asarray(Image.open(path)).copy()
        rgb[BONNET] = colour
        Image.fromarray(rgb).save(path)
    return with_mask(clip, folder)


def with_mask(clip: Clip, folder: Path) -> Clip:
    Image.fromarray(np.where(BONNET, 0, 255).astype(np.uint8)).save(folder / "mask.png")
    return replace(clip, cameras=(replace(clip.cameras[0], mask=folder / "mask.png"),))


def test_masked_pixels_do_not_train(tmp_path: Path) -> None:
    clip = masked(tmp_path, BLACK)
    pixels = load_data(clip, tiny_config()).pixels[0]
    for place, frame in enumerate(pixels.frame_index.tolist()):
        assert np.array_equal(pixels.trains(place).numpy().reshape(16, 24), ~BONNET)
        assert np.array_equal(hidden_pixels(clip.cameras[0], frame, pixels.camera), BONNET)
    small = load_data(clip, replace(tiny_config(), scale=0.5)).pixels[0]
    any_hidden = BONNET.reshape(8, 2, 12, 2).any(axis=(1, 3))
    assert np.array_equal(small.trains(0).numpy().reshape(8, 12), ~any_hidden)


def test_mask_and_alpha_hide_together(tmp_path: Path) -> None:
    clip = with_mask(drive(tmp_path, BLACK), tmp_path)
    pixels = load_data(clip, tiny_config()).pixels[0]
    for place, frame in enumerate(pixels.frame_index.tolist()):
        shown = ~(BONNET | hole(frame))
        assert np.array_equal(pixels.trains(place).numpy().reshape(16, 24), shown)
        opaque = clip.cameras[0].opaque(frame)
        assert opaque is not None
        assert np.array_equal(opaque, shown)


def test_points_behind_the_mask_are_no_evidence(tmp_path: Path) -> None:
    whole, clip = make_drive(tmp_path / "whole"), masked(tmp_path / "masked", BLACK)
    trains = np.ones(len(clip.cameras[0]), dtype=bool)
    every, left = load_depth(whole, trains), load_depth(clip, trains)
    assert 0 < len(left) < len(every)
    track = clip.ego.mounted(clip.cameras[0].ego_from_camera)
    assert left.time_us is not None
    for time_us in clip.cameras[0].time_us.tolist():
        ends = left.ends_m()[left.time_us == time_us].double().numpy()
        column, row = project_world(clip.cameras[0].camera, ends, track, time_us).T
        assert not BONNET[row.astype(int).clip(0, 15), column.astype(int).clip(0, 23)].any()


def test_what_is_under_the_mask_leaves_no_trace(tmp_path: Path) -> None:
    black, red = (trained(masked(tmp_path / str(c), c)) for c in (BLACK, RED))
    other = numbers(red)
    assert all(torch.equal(value, other[name]) for name, value in numbers(black).items())
    (scores, pictures), (others, _) = evaluate_scene(black), evaluate_scene(red)
    assert str(scores) == str(others)
    for picture in pictures:
        assert np.array_equal(picture.counts, ~BONNET)


def test_masked_pixels_have_not_been_observed(tmp_path: Path) -> None:
    scene = trained(masked(tmp_path, BLACK))
    observe(scene)
    seen = scene.model.observation
    any_hidden = BONNET.reshape(8, 2, 12, 2).any(axis=(1, 3))
    for place in range(len(seen.frames[0])):
        shown = seen.get_buffer("nearness_0")[place].numpy()
        assert np.all(shown[any_hidden] == BLIND)
        assert np.all(shown[~any_hidden] >= 0.0)
