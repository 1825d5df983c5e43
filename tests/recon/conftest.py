"""A clip and its scene, made once."""

from pathlib import Path

import pytest

import recon.recipes
from recon.reconstruct import reconstruct_clip
from tests.scene_maker import TINY, save_drive, tiny_config


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A clip and its scene, not to be changed."""
    folder = tmp_path_factory.mktemp("made")
    clip = save_drive(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(recon.recipes.RECIPES, "tiny", lambda _: tiny_config())
        return clip, reconstruct_clip(clip, folder / "scene", TINY)
