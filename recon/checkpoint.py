"""Weights on disk: safetensors and JSON, one layout for every backend.

A scene's `field.safetensors` holds the model; a training's checkpoint also holds the
optimizer's moments, and is replaced atomically, so that a kill at any moment leaves a whole one.
"""

import hashlib
import json
import os
from pathlib import Path

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save_file
from torch import Tensor

from recon.config import ReconstructionConfig
from recon.model import Model
from recon.occupancy import FineOccupancy
from recon.training import Training
from scenes.errors import OtherlaneError

AGAIN = "reconstruct the scene again with this version"
FINE_BITS = "field.occupancy.bits"
"""There where the field is trained and its occupancy refined."""
AFRESH = "remove it; the training then starts afresh"


def model_tensors(model: Model) -> dict[str, Tensor]:
    """Every tensor of a model under its canonical name."""
    parts = {
        "field": model.field,
        "photometry": model.photometry,
        "support": model.support,
        "poses": model.poses,
        "observation": model.observation,
        "actors": model.crowd,
    }
    return {
        f"{part}.{name}": tensor.detach().contiguous()
        for part, module in parts.items()
        if module is not None
        for name, tensor in module.state_dict().items()
    }


def save_model(path: Path, model: Model) -> None:
    """Write a model's tensors."""
    save_file(model_tensors(model), path)
    share(path)


def share(path: Path) -> None:
    """Let others read a file of tensors as they may any other: safetensors makes it private."""
    mask = os.umask(0)
    os.umask(mask)
    path.chmod(0o666 & ~mask)


def load_model(path: Path, model: Model) -> None:
    """Fill a model of the same shape from a file.

    Raises:
        OtherlaneError: The file is damaged, or of another shape; the tensor is named.
    """
    tensors = _read(path, AGAIN)
    if FINE_BITS in tensors:
        model.field.occupancy = FineOccupancy(round((8 * len(tensors[FINE_BITS])) ** (1.0 / 3.0)))
        model.field.occupancy.to(model.field.device)
    _fill(path, model_tensors(model), tensors, AGAIN)


def _read(path: Path, fix: str) -> dict[str, Tensor]:
    try:
        return load(path.read_bytes())  # which, unlike load_file, takes any name
    except (SafetensorError, OSError) as error:
        raise OtherlaneError(path, f"cannot be read ({error})", fix) from error


def _fill(path: Path, targets: dict[str, Tensor], tensors: dict[str, Tensor], fix: str) -> None:
    for name, target in targets.items():
        if name not in tensors:
            raise OtherlaneError(path, f"has no tensor {name}", fix)
        if tensors[name].shape != target.shape:
            shape = f"{tuple(tensors[name].shape)}, not {tuple(target.shape)}"
            raise OtherlaneError(path, f"tensor {name} is {shape}", fix)
        if not bool(torch.isfinite(tensors[name]).all()) and "finest_footprint" not in name:
            raise OtherlaneError(path, f"tensor {name} is not finite", fix)
        with torch.no_grad():
            target.copy_(tensors[name])


def _moments(training: Training) -> dict[str, Tensor]:
    states = {"table": training.table}
    states |= {f"actor_table.{k}": state for k, state in enumerate(training.actor_tables)}
    return {
        f"{part}.{name}": value
        for part, state in states.items()
        for name, value in state.tensors().items()
    }


def config_hash(config: ReconstructionConfig) -> str:
    """Hash of everything that decides a reconstruction."""
    return hashlib.sha256(msgspec.json.encode(config)).hexdigest()


def save_state(
    path: Path, training: Training, config: ReconstructionConfig, step: int, seconds: float
) -> None:
    """Replace the training's checkpoint by the state after `step` steps and `seconds`."""
    tensors = model_tensors(training.model) | _moments(training)
    for index, state in training.networks.state_dict()["state"].items():
        tensors |= {f"adam.{index}.{key}": value.contiguous() for key, value in state.items()}
    done = {"step": step, "seconds": seconds, "rays": training.rays}
    meta = {"done": done, "config": config_hash(config)}
    aside = path.with_suffix(".tmp")
    save_file(tensors, aside, metadata={"otherlane": json.dumps(meta)})
    os.replace(aside, path)


def load_state(path: Path, training: Training, config: ReconstructionConfig) -> tuple[int, float]:
    """Take a training up where its checkpoint left it; returns steps and seconds done.

    Raises:
        OtherlaneError: The checkpoint is damaged, or of another configuration.
    """
    tensors = _read(path, AFRESH)
    with safe_open(path, framework="pt") as file:
        meta = json.loads((file.metadata() or {}).get("otherlane", "{}"))
    if meta.get("config") != config_hash(config):
        raise OtherlaneError(path, "is of a training with another configuration", AFRESH)
    _fill(path, model_tensors(training.model) | _moments(training), tensors, AFRESH)
    states: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("adam."):
            _, index, key = name.split(".", 2)
            states.setdefault(int(index), {})[key] = value
    training.networks.load_state_dict({**training.networks.state_dict(), "state": states})
    done = meta["done"]
    training.rays = int(done["rays"])
    training.take_up()
    return int(done["step"]), float(done["seconds"])
