"""The log of a training that goes on: appended to, and never through a link."""

from pathlib import Path

import pytest

import recon.recipes
import recon.reconstruct
from recon.reconstruct import reconstruct_clip
from scenes.errors import OtherlaneError
from scenes.storage.claims import partial_folder
from scenes.storage.manifests import LOG
from tests.scene_maker import TINY, save_drive, tiny_config


def test_a_log_that_leads_elsewhere_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip, out = save_drive(tmp_path), tmp_path / "scene"

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(recon.recipes.RECIPES, "tiny", lambda _: tiny_config())
    with monkeypatch.context() as patch:
        patch.setattr(recon.reconstruct, "measure_gains", interrupted)
        with pytest.raises(KeyboardInterrupt):
            reconstruct_clip(clip, out, TINY)
    log = partial_folder(out) / LOG
    log.rename(tmp_path / "kept")
    log.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OtherlaneError, match=r"log\.jsonl: is not a plain file"):
        reconstruct_clip(clip, out, TINY)
    log.unlink()
    (tmp_path / "kept").rename(log)
    reconstruct_clip(clip, out, TINY)
    assert not (tmp_path / "elsewhere").exists()
