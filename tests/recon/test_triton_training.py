from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch

from recon.config import FieldConfig, ReconstructionConfig, SamplingConfig
from recon.data.training_data import Data, load_data
from recon.field.model import Model, new_model
from recon.kernels.backend import Backend
from recon.kernels.hash_grid import HashGridSpec
from recon.scene import Scene
from recon.training.checkpoint import load_model, save_model
from recon.training.loop import Progress, train
from scenes.clip import Clip
from scenes.storage.clip_files import load_clip
from scenes.worlds.record.sample import sample_path
from tests.triton_maker import assert_parity, triton_device

DEVICE = triton_device()
GRID = HashGridSpec(levels=4, features=4, log2_table=12, per_level_scale=3.0)
STEPS = 4


def small(backend: Backend) -> ReconstructionConfig:
    """The packaged drive at a 16th of its size, with few and long steps along each ray."""
    return ReconstructionConfig(
        recipe="small",
        scale=1.0 / 16.0,
        backend=str(backend),
        steps=STEPS,
        samples_per_step=2048,
        frame_stride=8,
        field=FieldConfig(grid=GRID, width=16, occupancy_resolution=32),
        sampling=SamplingConfig(min_step_m=0.5, growth=0.15, render_growth=0.1, coarse_growth=0.2),
    )


@cache
def drive() -> tuple[Clip, Data]:
    clip = load_clip(sample_path())
    return clip, load_data(clip, small(Backend.TORCH))


@cache
def trained(backend: Backend) -> tuple[Model, list[Progress]]:
    clip, data = drive()
    seen: list[Progress] = []
    return train(clip, small(backend), report=seen.append, data=data), seen


def test_a_training_has_the_losses_of_the_torch_backend() -> None:
    ours, theirs = trained(Backend.TRITON)[1], trained(Backend.TORCH)[1]
    assert len(ours) == STEPS
    assert ours[0].losses == pytest.approx(theirs[0].losses, rel=1e-4, abs=1e-7)
    # Adam goes as far for the smallest gradient as for the largest, so rounding spreads
    for mine, true in zip(ours[1:], theirs[1:], strict=True):
        assert mine.losses == pytest.approx(true.losses, rel=1e-2, abs=1e-6)


def test_the_trained_parameters_are_those_of_the_torch_backend() -> None:
    ours, theirs = (trained(b)[0].field.static for b in (Backend.TRITON, Backend.TORCH))
    # Adam's first steps go as far as the rate says, whatever the gradient's size: rounding decides
    # about entries whose gradient is all but 0
    off = (ours.table.cpu() - theirs.table).abs() > 1e-3 * theirs.table.abs().max()
    assert float(off.float().mean()) < 1e-2


def test_one_checkpoint_shows_one_picture_on_both(tmp_path: Path) -> None:
    clip, _ = drive()
    source = trained(Backend.TORCH)[0]
    pixels = torch.linspace(-0.3, 0.3, 64)
    ahead = torch.stack([torch.ones(64), pixels, -0.2 * torch.ones(64)], dim=1)
    rays = (
        torch.zeros(64, 3) + torch.tensor([0.0, 0.0, 1.5]),
        torch.nn.functional.normalize(ahead, dim=1),
        torch.full((64,), 0.01),
    )
    save_model(tmp_path / "field.safetensors", source)
    shown = []
    for backend in (Backend.TRITON, Backend.TORCH):
        config = small(backend)
        model = new_model(clip, config, backend)
        load_model(path := tmp_path / "field.safetensors", path.read_bytes(), model)
        scene = Scene(
            clip=clip,
            config=replace(config, backend="torch"),
            model=replace(model, photometry=model.photometry.cpu(), support=model.support.cpu()),
            backend=backend,
        )
        out = scene.render_rays(*rays)
        assert out.linear.device.type == "cpu"
        shown.append(out)
    assert_parity(shown[0].linear, shown[1].linear)
    assert_parity(shown[0].opacity, shown[1].opacity)
