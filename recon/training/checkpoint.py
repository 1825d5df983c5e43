"""Weights on disk: safetensors and JSON, one layout for every backend.

A scene's `field.safetensors` holds the model; a training's checkpoint also holds the optimizer's
moments and a checksum, and is replaced atomically, so that a kill at any moment leaves a whole one.
"""

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from recon.config import ReconstructionConfig
from recon.field.model import Model
from recon.field.occupancy import FineOccupancy
from recon.training.state import Training
from scenes.errors import OtherlaneError
from scenes.storage.files import read_own, write_whole

AGAIN = "reconstruct the scene again with this version"
FINE_BITS = "field.occupancy.bits"
"""There where the field is trained and its occupancy refined."""
AFRESH = "remove it; the training then starts afresh"
META = "otherlane"
DIGEST_BYTES = 32
"""Behind the tensors of a checkpoint stands their SHA-256: no manifest vouches for it yet."""


def model_tensors(model: Model) -> dict[str, Tensor]:
    """Every tensor of a model under its canonical name."""
    parts = {
        "field": model.field,
        "photometry": model.photometry,
        "support": model.support,
        "poses": model.poses,
        "observation": model.observation,
        "actors": model.actor_fields,
    }
    return {
        f"{part}.{name}": tensor.detach().contiguous()
        for part, module in parts.items()
        if module is not None
        for name, tensor in module.state_dict().items()
    }


def save_model(path: Path, model: Model) -> None:
    """Write a model's tensors."""
    write_whole(path, save(model_tensors(model)))


def load_model(path: Path, data: bytes, model: Model) -> None:
    """Fill a model of the same shape from the bytes of a file.

    Raises:
        OtherlaneError: The file is damaged, or of another shape; the tensor is named.
    """
    tensors = _tensors(path, data, AGAIN)
    if FINE_BITS in tensors:
        model.field.occupancy = FineOccupancy(round((8 * len(tensors[FINE_BITS])) ** (1.0 / 3.0)))
        model.field.occupancy.to(model.field.device)
    _fill(path, model_tensors(model), tensors, AGAIN)


def _tensors(path: Path, data: bytes, fix: str) -> dict[str, Tensor]:
    try:
        return load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise OtherlaneError(path, f"cannot be read ({error})", fix) from error


def _fill(path: Path, targets: dict[str, Tensor], tensors: dict[str, Tensor], fix: str) -> None:
    for name, target in targets.items():
        if name not in tensors:
            raise OtherlaneError(path, f"has no tensor {name}", fix)
        if tensors[name].shape != target.shape:
            shape = f"{tuple(tensors[name].shape)}, not {tuple(target.shape)}"
            raise OtherlaneError(path, f"tensor {name} is {shape}", fix)
        if not bool(torch.isfinite(tensors[name]).all()):
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
    data = save(tensors, metadata={META: json.dumps(meta, sort_keys=True)})
    write_whole(path, data + hashlib.sha256(data).digest())


def read_state(path: Path) -> bytes:
    """The bytes of a checkpoint, without their checksum.

    Raises:
        OtherlaneError: It is damaged.
    """
    signed = read_own(path, AFRESH)
    data, digest = signed[:-DIGEST_BYTES], signed[-DIGEST_BYTES:]
    if hashlib.sha256(data).digest() != digest:
        raise OtherlaneError(path, "is damaged (its checksum differs)", AFRESH)
    return data


def load_state(path: Path, training: Training, config: ReconstructionConfig) -> tuple[int, float]:
    """Take a training up where its checkpoint left it; returns steps and seconds done.

    Raises:
        OtherlaneError: The checkpoint is damaged, or of another configuration.
    """
    data = read_state(path)
    tensors, meta = _tensors(path, data, AFRESH), _meta(path, data)
    if meta.config != config_hash(config):
        raise OtherlaneError(path, "is of a training with another configuration", AFRESH)
    _fill(path, model_tensors(training.model) | _moments(training), tensors, AFRESH)
    states: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("adam."):
            _, index, key = name.split(".", 2)
            states.setdefault(int(index), {})[key] = value
    training.networks.load_state_dict({**training.networks.state_dict(), "state": states})
    training.rays = meta.done.rays
    training.take_up()
    return meta.done.step, meta.done.seconds


class _Done(msgspec.Struct):
    step: int
    seconds: float
    rays: int


class _Meta(msgspec.Struct):
    done: _Done
    config: str


def _meta(path: Path, data: bytes) -> _Meta:
    try:
        return msgspec.convert(header_of(data), _Meta)
    except (ValueError, KeyError, TypeError, msgspec.MsgspecError) as error:
        raise OtherlaneError(path, f"is damaged ({error})", AFRESH) from error


def header_of(data: bytes) -> dict[str, Any]:
    """What we wrote of ourselves in the header of a file of tensors (safetensors' format).

    Raises:
        KeyError: Nothing of ours is there.
        TypeError: Likewise.
        ValueError: The header is damaged.
    """
    (size,) = struct.unpack("<Q", data[:8].ljust(8, b"\0"))
    return json.loads(json.loads(data[8 : 8 + size])["__metadata__"][META])
