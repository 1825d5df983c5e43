import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, load_file, save, save_file

from recon.data.training_data import Data, load_data
from recon.field.model import Model, new_model
from recon.training.checkpoint import (
    DIGEST_BYTES,
    META,
    header_of,
    load_model,
    load_state,
    model_tensors,
    save_model,
    save_state,
)
from recon.training.loop import train_step
from recon.training.state import Training, new_training
from scenes.clip import Clip
from scenes.errors import OtherlaneError
from tests.scene_maker import make_drive, tiny_config

CONFIG = tiny_config()


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> tuple[Clip, Data]:
    clip = make_drive(tmp_path_factory.mktemp("drive"))
    return clip, load_data(clip, CONFIG)


@pytest.fixture
def trained(drive: tuple[Clip, Data]) -> Training:
    """A training of two steps."""
    training = new_training(drive[0], CONFIG, drive[1])
    for step in range(2):
        train_step(training, drive[1], CONFIG, step)
    return training


def check_same(first: Model, second: Model) -> None:
    mine, other = model_tensors(first), model_tensors(second)
    assert mine.keys() == other.keys()
    for name, tensor in mine.items():
        assert torch.equal(tensor, other[name]), name


def test_a_model_loads_as_it_was_saved(
    drive: tuple[Clip, Data], trained: Training, tmp_path: Path
) -> None:
    save_model(tmp_path / "a.safetensors", trained.model)
    other = new_model(drive[0], replace(CONFIG, seed=9))
    load_model(path := tmp_path / "a.safetensors", path.read_bytes(), other)
    check_same(trained.model, other)


def test_names_do_not_change(trained: Training) -> None:
    # they are the format of a scene: another version must find them
    assert set(model_tensors(trained.model)) == {
        "field.static.table",
        *(f"field.static.density_layers.{i}" for i in range(2)),
        *(f"field.static.colour_layers.{i}" for i in range(3)),
        *(f"field.sky.layers.{i}" for i in range(3)),
        "field.occupancy.density",
        "field.occupancy.occupied",
        "observation.nearness_0",
        "poses.time_us_0",
        "poses.twist.0",
        "photometry.log_gain.0",
        "photometry.time_us_0",
        *(f"support.{name}" for name in ("hits", "seen_through")),
    }


def test_a_training_goes_on_from_its_checkpoint(
    drive: tuple[Clip, Data], trained: Training, tmp_path: Path
) -> None:
    path = tmp_path / "training.safetensors"
    save_state(path, trained, CONFIG, 2, 1.5)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    other = new_training(drive[0], CONFIG, drive[1])
    assert load_state(path, other, CONFIG) == (2, 1.5)
    assert other.rays == trained.rays
    check_same(trained.model, other.model)
    for training in (trained, other):
        train_step(training, drive[1], CONFIG, 2)
    check_same(trained.model, other.model)


def test_a_kill_while_saving_leaves_the_old_checkpoint(
    trained: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "training.safetensors"
    save_state(path, trained, CONFIG, 2, 1.5)
    before = path.read_bytes()

    def killed(*_: object, **__: object) -> None:
        (tmp_path / "training.tmp").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("scenes.storage.files.os.replace", killed)
    with pytest.raises(KeyboardInterrupt):
        save_state(path, trained, CONFIG, 3, 2.0)
    assert path.read_bytes() == before


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5])
def test_a_damaged_file(
    drive: tuple[Clip, Data], trained: Training, tmp_path: Path, share: float
) -> None:
    path = tmp_path / "damaged.safetensors"
    save_state(path, trained, CONFIG, 2, 0.0)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(OtherlaneError, match=r"damaged\.safetensors: cannot be read"):
        load_model(path, path.read_bytes(), new_model(drive[0], CONFIG))
    with pytest.raises(OtherlaneError, match="try: remove it"):
        load_state(path, new_training(drive[0], CONFIG, drive[1]), CONFIG)


@pytest.mark.parametrize("place", [0.01, 0.3, 0.7, 0.999])
def test_a_flipped_bit_of_a_state(
    drive: tuple[Clip, Data], trained: Training, tmp_path: Path, place: float
) -> None:
    path = tmp_path / "a.safetensors"
    save_state(path, trained, CONFIG, 2, 0.0)
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 4
    path.write_bytes(data)
    with pytest.raises(OtherlaneError, match="its checksum differs"):
        load_state(path, new_training(drive[0], CONFIG, drive[1]), CONFIG)


def test_no_file(drive: tuple[Clip, Data], tmp_path: Path) -> None:
    with pytest.raises(OtherlaneError, match="does not exist"):
        load_state(tmp_path / "none", new_training(drive[0], CONFIG, drive[1]), CONFIG)


def test_a_tensor_of_another_shape_is_named(
    drive: tuple[Clip, Data], trained: Training, tmp_path: Path
) -> None:
    path = tmp_path / "a.safetensors"
    save_model(path, trained.model)
    tensors = load_file(path)
    other = new_model(drive[0], CONFIG)
    name = "photometry.log_gain.0"
    save_file(tensors | {name: torch.zeros(2, 3)}, path)
    with pytest.raises(OtherlaneError, match=rf"{name} is \(2, 3\), not \(4, 3\)"):
        load_model(path, path.read_bytes(), other)
    save_file(tensors | {name: torch.full((4, 3), torch.nan)}, path)
    with pytest.raises(OtherlaneError, match=f"{name} is not finite"):
        load_model(path, path.read_bytes(), other)
    save_file({key: value for key, value in tensors.items() if key != name}, path)
    with pytest.raises(OtherlaneError, match=f"no tensor {name}"):
        load_model(path, path.read_bytes(), other)


def test_a_checkpoint_without_moments(
    drive: tuple[Clip, Data], trained: Training, tmp_path: Path
) -> None:
    path = tmp_path / "a.safetensors"
    save_state(path, trained, CONFIG, 2, 0.0)
    data = path.read_bytes()[:-DIGEST_BYTES]
    meta = {META: json.dumps(header_of(data))}
    tensors = {key: value for key, value in load(data).items() if key != "table.count"}
    data = save(tensors, metadata=meta)
    path.write_bytes(data + hashlib.sha256(data).digest())
    with pytest.raises(OtherlaneError, match=r"no tensor table\.count"):
        load_state(path, new_training(drive[0], CONFIG, drive[1]), CONFIG)


def test_a_checkpoint_of_another_configuration(
    drive: tuple[Clip, Data], trained: Training, tmp_path: Path
) -> None:
    path = tmp_path / "a.safetensors"
    save_state(path, trained, CONFIG, 2, 0.0)
    other = replace(CONFIG, learning_rate=0.5)
    with pytest.raises(OtherlaneError, match="another configuration"):
        load_state(path, new_training(drive[0], other, drive[1]), other)
