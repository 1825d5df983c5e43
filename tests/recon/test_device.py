"""Tensors of two devices are kept apart; no GPU is needed (see `tests.pretend_device`)."""

import pytest
import torch
from torch.testing import assert_close

import recon.field.field
import recon.field.model
from recon.field.model import new_model
from recon.kernels.backend import Backend
from recon.kernels.compositing import render_weights
from recon.kernels.hash_grid import hash_grid_reference
from recon.kernels.mlp import mlp
from recon.kernels.primitives import Primitives
from recon.rendering.march import MarchOutput
from recon.scene import Scene
from recon.training.loop import Progress, train
from scenes.clip import Clip
from tests.pretend_device import DEVICE, Pretend, pretend_device
from tests.scene_maker import make_drive, tiny_config

# hash_grid is written for the CPU; on a GPU its place is taken by another
PLAIN = Primitives(hash_grid=hash_grid_reference, mlp=mlp, render_weights=render_weights)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models live on the pretended device."""
    monkeypatch.setattr(recon.field.model, "backend_device", lambda _: DEVICE)
    monkeypatch.setattr(recon.field.field, "primitives", lambda _: PLAIN)
    # PyTorch has no fused optimizer for this device; it has one for GPUs
    adam = torch.optim.Adam
    monkeypatch.setattr(torch.optim, "Adam", lambda *a, **k: adam(*a, **(k | {"fused": False})))


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return make_drive(tmp_path_factory.mktemp("drive"))


def rendered(scene: Scene) -> MarchOutput:
    ahead = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    along = torch.nn.functional.normalize(ahead * 0.3 + torch.tensor([1.0, 0.0, 0.0]), dim=1)
    origins = torch.tensor([0.0, 0.0, 1.5]).expand(50, 3)
    return scene.render_rays(origins, along, torch.full((50,), 0.01))


@pytest.mark.usefixtures("elsewhere")
def test_a_scene_on_a_device_gives_tensors_of_the_cpu(drive: Clip) -> None:
    config = tiny_config()
    with pretend_device():
        model = new_model(drive, config)
        assert isinstance(model.field.static.table, Pretend)
        there = rendered(Scene(clip=drive, config=config, model=model, backend=Backend.TORCH))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recon.field.model, "backend_device", lambda _: torch.device("cpu"))
        model = new_model(drive, config)
    here = rendered(Scene(clip=drive, config=config, model=model, backend=Backend.TORCH))
    for name in MarchOutput.__dataclass_fields__:
        assert not isinstance(getattr(there, name), Pretend)
        assert_close(getattr(there, name), getattr(here, name))


@pytest.mark.usefixtures("elsewhere")
def test_a_training_on_a_device_has_the_losses_of_one_on_the_cpu(drive: Clip) -> None:
    config, there, here = tiny_config(), list[Progress](), list[Progress]()
    with pretend_device():
        model = train(drive, config, report=there.append)
    assert isinstance(model.field.static.table, Pretend)
    assert isinstance(model.support.hits, Pretend)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recon.field.model, "backend_device", lambda _: torch.device("cpu"))
        train(drive, config, report=here.append)
    assert len(there) == config.steps
    for mine, true in zip(there, here, strict=True):
        assert mine.losses == pytest.approx(true.losses, rel=1e-3)
