"""The model of an asset on disk: `field.safetensors`, half precision, beside its `asset.json`.

Any road user of a scene can be saved as a model and worn by an actor of another. What it is, is
said in `scenes.edits.assets`; packaged ones lie in `recon/assets/library`.
"""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import msgspec
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from recon.actors.placement import ActorModel, CapturedLight
from recon.assets.limb_files import field_tensors, limb_tables, read_field, read_limbs
from recon.config import FieldConfig
from recon.kernels.backend import Backend, backend_device
from recon.training.checkpoint import META, header_of
from scenes.edits.assets import (
    ASSET_FILE,
    LIBRARY,
    MODEL_FILE,
    Asset,
    load_asset,
    read_asset_file,
)
from scenes.errors import OtherlaneError
from scenes.storage.files import write_json, write_whole

PACKAGED = Path(__file__).parent / "library"


def asset_folder(name: str) -> Path:
    """Where a packaged asset, or one that is named by its folder, lies."""
    return PACKAGED / name if name in LIBRARY else Path(name)


def is_packed(name: str) -> bool:
    """Whether an asset has a field, or should have: packaged ones may come without."""
    return name not in LIBRARY or (asset_folder(name) / MODEL_FILE).is_file()


def load_actor_model(name: str, backend: Backend) -> ActorModel:
    """What an asset looks like, ready for a backend.

    Raises:
        OtherlaneError: There is no such asset, or its files are damaged.
    """
    path = asset_folder(name) / MODEL_FILE
    if not path.is_file():
        fix = f"one of {', '.join(LIBRARY)}, or a folder that `otherlane extract-actor` made"
        raise OtherlaneError(f"asset {name}", f"has no {MODEL_FILE}", fix)
    return _load(path.resolve(), path.stat().st_mtime_ns, backend)


@cache
def _load(path: Path, changed_ns: int, backend: Backend) -> ActorModel:
    del changed_ns  # a file that was written again is another
    data = read_asset_file(path.parent, MODEL_FILE)
    try:
        meta = header_of(data)
        config = msgspec.convert(meta["field"], FieldConfig)
        tensors = load(data)
        model = _filled(config, tensors, backend, meta.get("samples"))
        if "limbs" in meta:
            model = replace(model, limbs=read_limbs(meta["limbs"], tensors, backend))
    except (
        SafetensorError, AttributeError, IndexError, KeyError, TypeError, ValueError, RuntimeError,
    ) as error:  # fmt: skip
        fix = "extract the actor again"
        raise OtherlaneError(path, f"cannot be read ({error})", fix) from error
    return model


def _filled(
    config: FieldConfig, tensors: dict[str, Tensor], backend: Backend, samples: int | None
) -> ActorModel:
    device = backend_device(backend)
    field = read_field("field.", config, tensors, backend)
    latent, hits = (tensors.get(name) for name in ("latent", "hits"))
    return ActorModel(
        field=field,
        key_us=tensors["key_us"].to(device),
        latent=None if latent is None else latent.float().to(device),
        hits=None if hits is None else hits.float().to(device),
        light=_light(tensors),
        samples=samples,
    )


def _light(tensors: dict[str, Tensor]) -> CapturedLight | None:
    cube = tensors.get("light")
    if cube is None:
        return None
    return CapturedLight(cube=cube, to_sun=tensors.get("to_sun"), sun=tensors.get("sun"))


def save_actor_model(path: Path, model: ActorModel, config: FieldConfig) -> None:
    """Write what somebody looks like; corrections of poses are not part of it.

    Fields of limbs have the shape that `config` says, but for their grids.
    """
    tensors = field_tensors("field.", model.field)
    tensors["key_us"] = model.key_us
    if model.latent is not None:
        tensors["latent"] = model.latent.detach().half()
    if model.hits is not None:
        tensors["hits"] = (model.hits > 0).to(torch.uint8)
    if model.light is not None:
        tensors["light"] = model.light.cube
        if model.light.to_sun is not None and model.light.sun is not None:
            tensors |= {"to_sun": model.light.to_sun, "sun": model.light.sun}
    found = {name: x.detach().cpu().contiguous() for name, x in tensors.items()}
    meta = {"field": msgspec.to_builtins(config), "samples": model.samples}
    if model.limbs is not None:
        meta["limbs"], more = limb_tables(model.limbs, config)
        found |= more
    write_whole(path, save(found, metadata={META: json.dumps(meta)}))


def write_asset(folder: Path, asset: Asset, model: ActorModel, config: FieldConfig) -> Asset:
    """Write the folder of an asset; what was there is replaced. Returns it as it reads back."""
    folder.mkdir(parents=True, exist_ok=True)
    save_actor_model(folder / MODEL_FILE, model, config)
    write_json(folder / ASSET_FILE, asset.tables())
    return load_asset(folder)
