"""The look of an asset on disk: `field.safetensors`, half precision, beside its `asset.json`.

Anybody's look can be saved from a scene and worn by an actor of another. What the asset is, is said
in `scenes.edits.assets`; packaged ones lie in `recon/library`.
"""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from recon.actors.actor_fields import GROWN, OBSERVED, support_of
from recon.actors.placement import CapturedLight, Look, models_of
from recon.assets.limb_files import field_tensors, limb_tables, read_field, read_limbs
from recon.config import FieldConfig
from recon.kernels.backend import Backend, backend_device
from recon.lighting.box_shadows import Box
from recon.lighting.relighting import captured_light
from recon.scene import Scene
from recon.training.checkpoint import META, header_of
from scenes.actor import Actor
from scenes.edits.assets import (
    ASSET_FILE,
    FACES,
    LIBRARY,
    MODEL_FILE,
    Asset,
    load_asset,
    read_asset_file,
)
from scenes.errors import OtherlaneError
from scenes.storage.files import write_json, write_whole

PACKAGED = Path(__file__).parent / "library"
POSES = 8
"""At most, of a path, at which the light on somebody is looked for."""
FACE_RAYS, FACE_STEPS = 24, 96
"""Rays along each side of a face, and looks along each, by which it is found what was seen."""


def asset_folder(name: str) -> Path:
    """Where a packaged asset, or one that is named by its folder, lies."""
    return PACKAGED / name if name in LIBRARY else Path(name)


def is_packed(name: str) -> bool:
    """Whether an asset has a field, or should have: packaged ones may come without."""
    return name not in LIBRARY or (asset_folder(name) / MODEL_FILE).is_file()


def load_actor_model(name: str, backend: Backend) -> Look:
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
def _load(path: Path, changed_ns: int, backend: Backend) -> Look:
    del changed_ns  # a file that was written again is another
    data = read_asset_file(path.parent, MODEL_FILE)
    try:
        meta = header_of(data)
        config = msgspec.convert(meta["field"], FieldConfig)
        tensors = load(data)
        look = _filled(config, tensors, backend, meta.get("samples"))
        if "limbs" in meta:
            look = replace(look, limbs=read_limbs(meta["limbs"], tensors, backend))
    except (
        SafetensorError, AttributeError, IndexError, KeyError, TypeError, ValueError, RuntimeError,
    ) as error:  # fmt: skip
        fix = "extract the actor again"
        raise OtherlaneError(path, f"cannot be read ({error})", fix) from error
    return look


def _filled(
    config: FieldConfig, tensors: dict[str, Tensor], backend: Backend, samples: int | None
) -> Look:
    device = backend_device(backend)
    field = read_field("field.", config, tensors, backend)
    latent, hits = (tensors.get(name) for name in ("latent", "hits"))
    return Look(
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


def save_actor_model(path: Path, look: Look, config: FieldConfig) -> None:
    """Write what somebody looks like; corrections of poses are not part of it.

    Fields of limbs have the shape that `config` says, but for their grids.
    """
    tensors = field_tensors("field.", look.field)
    tensors["key_us"] = look.key_us
    if look.latent is not None:
        tensors["latent"] = look.latent.detach().half()
    if look.hits is not None:
        tensors["hits"] = (look.hits > 0).to(torch.uint8)
    if look.light is not None:
        tensors["light"] = look.light.cube
        if look.light.to_sun is not None and look.light.sun is not None:
            tensors |= {"to_sun": look.light.to_sun, "sun": look.light.sun}
    found = {name: x.detach().cpu().contiguous() for name, x in tensors.items()}
    meta = {"field": msgspec.to_builtins(config), "samples": look.samples}
    if look.limbs is not None:
        meta["limbs"], more = limb_tables(look.limbs, config)
        found |= more
    write_whole(path, save(found, metadata={META: json.dumps(meta)}))


def write_asset(folder: Path, asset: Asset, look: Look, config: FieldConfig) -> Asset:
    """Write the folder of an asset; what was there is replaced. Returns it as it reads back."""
    folder.mkdir(parents=True, exist_ok=True)
    save_actor_model(folder / MODEL_FILE, look, config)
    write_json(folder / ASSET_FILE, asset.tables())
    return load_asset(folder)


def extract(scene: Scene, number: int, folder: Path) -> Asset:
    """Save an actor of a scene as an asset.

    Raises:
        OtherlaneError: The scene has no field of that actor.
    """
    actor_fields, actors = (
        scene.model.actor_fields,
        {actor.id: actor for actor in scene.clip.actors},
    )
    if actor_fields is None or number not in actor_fields.ids or scene.config.actors is None:
        known = ", ".join(map(str, actor_fields.ids)) if actor_fields is not None else ""
        wrong = "stands still, or is never seen well: it has no field of its own"
        if number not in actors:
            wrong = "is not in this drive"
        fix = f"one of {known}" if known else "a drive in which somebody moves"
        raise OtherlaneError(f"actor {number}", wrong, fix)
    actor, look = actors[number], models_of(actor_fields)[number]
    latents = scene.config.actors.latents if look.latent is not None else 0
    config = replace(scene.config.actors.field, latents=latents)
    look = replace(look, light=captured_light(scene, *_along(scene, actor)))
    return write_asset(folder, _described(scene, actor, look), look, config)


def _along(scene: Scene, actor: Actor) -> tuple[list[Box], Float[Tensor, "n 3"]]:
    """Its box at some times of its path, and where the camera was then."""
    poses, ego_us = actor.trajectory.world_from_body, scene.clip.ego.time_us
    chosen = np.unique(np.linspace(0, len(poses) - 1, POSES).round().astype(int))
    size_m = torch.from_numpy(np.asarray(actor.size_m)).float()
    times = actor.trajectory.time_us[chosen].clip(ego_us[0], ego_us[-1])
    eyes = [scene.clip.world_from_camera(0, int(each))[:3, 3] for each in times]
    boxes = [(torch.from_numpy(poses[k]).float(), size_m) for k in chosen]
    return boxes, torch.from_numpy(np.stack(eyes)).float()


def _described(scene: Scene, actor: Actor, look: Look) -> Asset:
    return Asset(
        name=f"{scene.clip.name} actor {actor.id}",
        kind=actor.kind,
        size_m=tuple(float(side) for side in actor.size_m),
        synthetic=False,
        faces_seen=faces_seen(look, tuple(actor.size_m)),
        licence=scene.clip.licence,
    )


@torch.no_grad()
def faces_seen(look: Look, size_m: tuple[float, ...]) -> tuple[float, ...]:
    """Share of each of `scenes.edits.assets.FACES` that training pictures showed.

    Of what parallel rays straight onto the face meet; 0 where they meet nothing.
    """
    found = []
    for face in range(len(FACES)):
        surface = _onto_face(look, face, GROWN[face // 2] * size_m[face // 2])
        hits = look.hits
        known = hits is None or (support_of(hits, surface) == OBSERVED).float().mean()
        found.append(float(known) if len(surface) else 0.0)
    return tuple(found)


def _onto_face(look: Look, face: int, way_m: float) -> Tensor:
    """Where parallel rays onto a face first meet something solid; float `n 3`, unit cube.

    `way_m` is how long the way through the box is.
    """
    axis, from_far_side = (0, 0, 1, 1, 2, 2)[face], face % 2 == 0  # front is the far side of x
    ends = (torch.arange(FACE_RAYS) + 0.5) / FACE_RAYS
    depth = (torch.arange(FACE_STEPS) + 0.5) / FACE_STEPS
    depth = depth.flip(0) if from_far_side else depth
    grid = torch.stack(torch.meshgrid(ends, ends, depth, indexing="ij"), -1).flatten(0, 1)
    order = {0: [2, 0, 1], 1: [0, 2, 1], 2: [0, 1, 2]}[axis]
    unit = grid[..., order].to(look.field.table.device)
    latent = None
    if look.latent is not None:
        latent = look.latent[:1].expand(unit[..., 0].numel(), -1)
    density = look.field.density(unit.flatten(0, 1), None, latent)[0].view(unit.shape[:2])
    passed = torch.exp(-density.cumsum(1) * way_m / FACE_STEPS)
    solid = passed[:, -1] < 0.5
    first = (passed < 0.5).float().argmax(1)
    return unit[torch.arange(len(unit), device=unit.device), first][solid]
