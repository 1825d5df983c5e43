"""A clip and its scene, made once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import recon.recipes
from recon.kernels.native import native_module
from recon.reconstruct import reconstruct_clip
from tests.native_maker import SETS
from tests.scene_maker import TINY, save_drive, tiny_config


@pytest.fixture(params=SETS)
def instruction_set(request: pytest.FixtureRequest) -> Iterator[None]:
    """The native engine, with each set of instructions that this machine has."""
    engine = native_module()
    before = engine.instruction_set()
    engine.use_instruction_set(request.param)
    yield
    engine.use_instruction_set(before)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A clip and its scene, not to be changed."""
    folder = tmp_path_factory.mktemp("made")
    clip = save_drive(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(recon.recipes.RECIPES, "tiny", lambda _: tiny_config())
        return clip, reconstruct_clip(clip, folder / "scene", TINY)
