"""Training on one camera of a rig and measuring on the others."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recon.config import ReconstructionConfig
from recon.data.holdout import select_frames
from recon.data.training_data import load_data
from recon.evaluation.evaluate import evaluate_scene, result
from recon.kernels.backend import Backend
from recon.scene import Scene
from recon.training.loop import train
from scenes.clip import Clip
from scenes.errors import OtherlaneError
from scenes.motion.geometry import translation
from tests.scene_maker import make_drive, tiny_config

BASELINE_M = 0.54


@pytest.fixture(scope="module")
def stereo(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """The tiny drive with a second camera to the right of the first."""
    clip = make_drive(tmp_path_factory.mktemp("drive"))
    left = clip.cameras[0]
    beside = left.ego_from_camera @ translation(np.array([BASELINE_M, 0.0, 0.0]))
    right = replace(left, name="right", ego_from_camera=beside)
    return replace(clip, cameras=(left, right))


def of_left(clip: Clip, **changes: object) -> ReconstructionConfig:
    return tiny_config(train_cameras=(clip.cameras[0].name,), **changes)


def test_all_pictures_of_the_other_camera_are_held_out(stereo: Clip) -> None:
    config = of_left(stereo)
    trained, held = select_frames(stereo, config, 1)
    assert len(trained) == 0
    assert held.tolist() == list(range(len(stereo.cameras[1])))
    data = load_data(stereo, config)
    assert [pixels.stream for pixels in data.pixels] == [0]


def test_every_camera_trains_unless_some_are_named(stereo: Clip) -> None:
    assert [p.stream for p in load_data(stereo, tiny_config()).pixels] == [0, 1]


def test_scores_stand_apart_with_their_distance(stereo: Clip) -> None:
    config = of_left(stereo)
    scene = Scene(clip=stereo, config=config, model=train(stereo, config), backend=Backend.TORCH)
    scores, _ = evaluate_scene(scene)
    found = result(scene, scores)
    beside = found["beside"]
    assert isinstance(beside, dict)
    assert set(beside) == {"right"}
    assert beside["right"]["beside_m"] == pytest.approx(BASELINE_M, abs=0.02)
    # the numbers at the top are the trained camera's alone
    mine = [s.psnr_db for s in scores if s.camera != "right" and not s.extrapolated]
    assert found["psnr_db"] == pytest.approx(np.mean(mine))


def test_an_unknown_camera_is_an_error_that_names_the_nearest(stereo: Clip) -> None:
    config = tiny_config(train_cameras=("rigth",))
    with pytest.raises(OtherlaneError, match="right"):
        select_frames(stereo, config, 0)


def test_pictures_of_the_other_camera_need_not_exist(stereo: Clip, tmp_path: Path) -> None:
    # training must not open what it is measured on
    gone = tuple(tmp_path / f"{i}.png" for i in range(len(stereo.cameras[1])))
    clip = replace(stereo, cameras=(stereo.cameras[0], replace(stereo.cameras[1], files=gone)))
    load_data(clip, of_left(clip))
