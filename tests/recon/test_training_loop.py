from pathlib import Path

import pytest
import torch

import recon.training.loop
from recon.data.training_data import Data, load_data
from recon.field.model import Model, drive_block
from recon.training.checkpoint import model_tensors
from recon.training.loop import Progress, train
from scenes.clip import Clip
from tests.scene_maker import make_drive, tiny_config


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> tuple[Clip, Data]:
    clip = make_drive(tmp_path_factory.mktemp("drive"))
    return clip, load_data(clip, tiny_config())


@pytest.fixture(scope="module")
def straight(drive: tuple[Clip, Data]) -> Model:
    """The model of a training that ran through."""
    return train(drive[0], tiny_config(), data=drive[1])


def differing(first: Model, second: Model) -> list[str]:
    mine, other = model_tensors(first), model_tensors(second)
    return [name for name, tensor in mine.items() if not torch.equal(tensor, other[name])]


def test_the_same_seed_gives_the_same_bytes(drive: tuple[Clip, Data], straight: Model) -> None:
    assert not differing(straight, train(drive[0], tiny_config(), data=drive[1]))


def test_another_seed_gives_another_model(drive: tuple[Clip, Data], straight: Model) -> None:
    other = train(drive[0], tiny_config(seed=1), data=drive[1])
    assert "field.static.table" in differing(straight, other)


class Killed(BaseException):
    """As when the process is killed."""


@pytest.mark.parametrize("after", [1, 5, 7])
def test_killed_and_resumed_gives_the_same_bytes(
    drive: tuple[Clip, Data],
    straight: Model,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    after: int,
) -> None:
    monkeypatch.setattr(recon.training.loop, "CHECKPOINT_SECONDS", 0.0)
    clip, data = drive
    checkpoint = tmp_path / "training.safetensors"
    seen: list[Progress] = []

    def kill(progress: Progress) -> None:
        seen.append(progress)
        if progress.step == after + 1:  # the state after `after` steps is on disk
            raise Killed

    with pytest.raises(Killed):
        train(clip, tiny_config(), checkpoint=checkpoint, report=kill, data=data)
    model = train(clip, tiny_config(), checkpoint=checkpoint, report=seen.append, data=data)
    assert not differing(straight, model)
    steps = [progress.step for progress in seen]
    assert steps == [*range(1, after + 2), *range(after + 1, 9)]
    # time goes on from where it was, and the interrupted step is not counted twice
    resumed = [progress.seconds for progress in seen[after + 1 :]]
    assert resumed == sorted(resumed)
    assert resumed[0] > seen[after - 1].seconds
    # what is finished is not trained again
    assert not differing(model, train(clip, tiny_config(), checkpoint=checkpoint, data=data))


def test_it_learns(drive: tuple[Clip, Data]) -> None:
    seen: list[Progress] = []
    config = tiny_config(steps=60, samples_per_step=4096)
    model = train(drive[0], config, report=seen.append, data=drive[1])
    losses = [progress.losses["photometric"] for progress in seen]
    assert sum(losses[-10:]) < 0.2 * sum(losses[:10])
    assert seen[-1].psnr_db > seen[0].psnr_db + 5.0
    assert bool(model.support.hits.any())
    mean = torch.cat(list(model.photometry.log_gain)).mean(0)
    assert mean.abs().max() < 1e-6


def test_every_loss_is_reported(drive: tuple[Clip, Data]) -> None:
    seen: list[Progress] = []
    train(drive[0], tiny_config(steps=1), report=seen.append, data=drive[1])
    assert set(seen[0].losses) == {"photometric", "distortion", "sky", "depth", "empty"}
    assert (seen[0].step, seen[0].steps) == (1, 1)


def test_without_depth_evidence_it_learns_from_pictures(tmp_path: Path) -> None:
    seen: list[Progress] = []
    train(make_drive(tmp_path, points=False), tiny_config(steps=2), report=seen.append)
    assert set(seen[0].losses) == {"photometric", "distortion", "sky"}


def test_what_is_held_out_cannot_change_the_result(straight: Model, tmp_path: Path) -> None:
    from PIL import Image

    clip = make_drive(tmp_path)
    for frame in (0, 4):
        Image.new("RGB", (24, 16), "red").save(clip.cameras[0].files[frame])
    assert not differing(straight, train(clip, tiny_config()))


def test_the_core_grows_with_the_drive(drive: tuple[Clip, Data]) -> None:
    block = drive_block(drive[0], None)
    assert block.half_size_m == 25.0  # a drive of 6 m
    assert block.centre_m == pytest.approx((3.0, 0.0, 0.0))
    assert drive_block(drive[0], 7.0).half_size_m == 7.0
