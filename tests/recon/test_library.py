"""The packaged assets: small, described as they are, and solid where they are seen."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from recon.actors.actor_fields import GROWN
from recon.actors.placement import ActorModel, CapturedLight
from recon.assets.asset_files import PACKAGED, is_packed, load_actor_model, write_asset
from recon.config import ActorsConfig
from recon.field.field import GridField
from recon.kernels.backend import Backend
from scenes.edits.assets import LIBRARY, MODEL_FILE, library, load_asset

NAMES = [name for name in LIBRARY if is_packed(name)]


def test_some_come_with_the_package() -> None:
    assert {"car", "van"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_packaged_asset_is_what_it_says(name: str) -> None:
    assert load_asset(PACKAGED / name) == library()[name]
    assert library()[name].synthetic
    assert (PACKAGED / name / MODEL_FILE).stat().st_size <= 2_000_000
    look = load_actor_model(name, Backend.TORCH)
    assert look.field.has_material
    assert look.light is None
    middle = torch.full((512, 3), 0.5)
    middle[:, 0] = torch.linspace(0.0, 1.0, 512)
    latent = None if look.latent is None else look.latent[:1].expand(512, -1)
    density = look.field.density(middle, None, latent)[0]
    way_m = GROWN[0] * library()[name].size_m[0]
    # light does not get from one end to the other through its middle
    assert float(torch.exp(-density.mean() * way_m)) < 0.05


def written(folder: Path, **more: object) -> Path:
    """An asset on disk; `more` are fields of its look."""
    config = ActorsConfig().field
    field = GridField(config, torch.Generator().manual_seed(3))
    look = ActorModel(field=field, key_us=torch.arange(2), latent=None, **more)  # pyright: ignore[reportArgumentType]
    write_asset(folder, library()["car"], look, config)
    return folder


def test_a_saved_look_keeps_its_light_and_its_steps(tmp_path: Path) -> None:
    cube = torch.rand(6, 3, generator=torch.Generator().manual_seed(0))
    to_sun, sun = torch.tensor([0.0, 0.6, 0.8]), torch.tensor([3.0, 2.0, 1.0])
    for light in (CapturedLight(cube=cube), CapturedLight(cube=cube, to_sun=to_sun, sun=sun)):
        look = load_actor_model(
            str(written(tmp_path / "car", light=light, samples=96)), Backend.TORCH
        )
        assert look.samples == 96
        assert look.light is not None
        assert torch.equal(look.light.cube, cube)
        for name in ("to_sun", "sun"):
            old, new = getattr(light, name), getattr(look.light, name)
            assert (old is None) == (new is None)
            assert old is None or torch.equal(old, new)
    plain = load_actor_model(str(written(tmp_path / "plain")), Backend.TORCH)
    assert (plain.light, plain.samples) == (None, None)


def test_a_look_of_before_there_was_light_still_loads(tmp_path: Path) -> None:
    path = (
        written(tmp_path / "car", light=CapturedLight(cube=torch.ones(6, 3)), samples=96)
        / MODEL_FILE
    )
    with safe_open(path, framework="pt") as file:
        meta = json.loads(file.metadata()["otherlane"])
    del meta["samples"]
    tensors = {name: x for name, x in load_file(path).items() if name != "light"}
    save_file(tensors, path, metadata={"otherlane": json.dumps(meta)})
    look = load_actor_model(str(tmp_path / "car"), Backend.TORCH)
    assert (look.light, look.samples) == (None, None)
