"""nerfstudio as a host: one geometry, one split, one optimizer, one score.

Runs where nerfstudio is: `make test-nerfstudio` builds such an environment.
"""

# pyright: reportMissingImports=false

import copy
import importlib.util
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.testing import assert_close

if importlib.util.find_spec("nerfstudio") is None:
    reason = "nerfstudio is not installed here: make test-nerfstudio"
    pytest.skip(reason, allow_module_level=True)

from nerfstudio.cameras.cameras import Cameras
from nerfstudio.configs.dataparser_configs import all_dataparsers
from nerfstudio.configs.method_configs import all_methods
from nerfstudio.data.datamanagers.base_datamanager import VanillaDataManagerConfig
from nerfstudio.data.dataparsers.base_dataparser import transform_poses_to_original_space
from nerfstudio.data.dataparsers.nerfstudio_dataparser import NerfstudioDataParserConfig
from nerfstudio.engine.trainer import Trainer
from nerfstudio.model_components.ray_generators import RayGenerator

import recon.recipes
from recon.adapters.nerfstudio_data import ClipDataset, clip_source
from recon.adapters.nerfstudio_dataparser import ClipDataParserConfig, ClipSource
from recon.adapters.nerfstudio_frames import HostFrame, Pictures, host_cameras, host_frame
from recon.adapters.nerfstudio_model import backend_on
from recon.adapters.nerfstudio_pipeline import SCENE
from recon.data.training_data import camera_trajectory, masked_pixels, pixel_angle
from recon.evaluation.evaluate import evaluate_scene, result
from recon.kernels.backend import Backend
from recon.rendering.rays import Rays
from recon.scene import load_scene
from recon.training.checkpoint import model_tensors
from recon.training.loop import train
from scenes.clip import Clip
from scenes.errors import OtherlaneError
from scenes.sensors.camera import Camera, camera_rays
from scenes.storage.clip_files import load_clip, save_clip
from scenes.worlds.record.sample import sample_path
from tests.scene_maker import driving_car, make_drive, save_drive, tiny_config

LENSES = {
    "pinhole": (),
    "four": (0.05, -0.02, 0.001, -0.002),
    "five": (0.05, -0.02, 0.001, -0.002, 0.01),
}


def with_lens(clip: Clip, distortion: tuple[float, ...]) -> Clip:
    images = clip.cameras[0]
    camera = replace(images.camera, distortion=distortion)
    return replace(clip, cameras=(replace(images, camera=camera),))


def every_picture(clip: Clip) -> Pictures:
    count = len(clip.cameras[0])
    return Pictures(stream=np.zeros(count, dtype=np.int64), frame=np.arange(count))


def rays_of(cameras: Cameras, frame: HostFrame, picture: int, camera: Camera) -> Rays:
    rows, columns = torch.meshgrid(
        torch.arange(camera.height), torch.arange(camera.width), indexing="ij"
    )
    which = torch.full_like(rows, picture)
    indices = torch.stack([which, rows, columns], -1).reshape(-1, 3)
    return frame.rays(RayGenerator(cameras)(indices))


@pytest.mark.parametrize("lens", LENSES)
def test_a_pixels_ray_is_the_same_in_both_programs(tmp_path: Path, lens: str) -> None:
    clip = with_lens(make_drive(tmp_path), LENSES[lens])
    frame, camera = host_frame(clip), clip.cameras[0].camera
    cameras = host_cameras(clip, every_picture(clip), frame)
    for picture in (0, 3):
        theirs = rays_of(cameras, frame, picture, camera)
        time_us = int(clip.cameras[0].time_us[picture])
        origins, directions = camera_rays(
            camera, camera.pixel_centres().reshape(-1, 2), camera_trajectory(clip, 0), time_us
        )
        assert_close(theirs.origins_m, torch.from_numpy(origins).float(), atol=1e-5, rtol=0)
        # nerfstudio stops undistorting at 1e-3 of a focal length or sooner
        error = 1e-5 if lens == "pinhole" else 1e-4
        assert_close(theirs.directions, torch.from_numpy(directions).float(), atol=error, rtol=0)
        angle = torch.from_numpy(pixel_angle(camera)).float()
        assert_close(theirs.pixel_angle, angle, atol=0, rtol=0.06)


def test_the_camera_looks_along_x_and_up_is_up(tmp_path: Path) -> None:
    clip = make_drive(tmp_path)
    frame = host_frame(clip)
    pose = host_cameras(clip, every_picture(clip), frame).camera_to_worlds[0]
    right, up, backward = pose[:, :3].unbind(1)
    assert_close(right, torch.tensor([0.0, -1.0, 0.0]))
    assert_close(up, torch.tensor([0.0, 0.0, 1.0]))
    assert_close(backward, torch.tensor([-1.0, 0.0, 0.0]))


def test_the_cameras_fill_the_scene_and_come_back(tmp_path: Path) -> None:
    clip = make_drive(tmp_path)
    frame, pictures = host_frame(clip), every_picture(clip)
    cameras = host_cameras(clip, pictures, frame)
    assert cameras.camera_to_worlds[:, :, 3].abs().max() <= 1.0
    points = torch.randn(20, 3) * 30.0
    assert_close(frame.world(frame.scene(points)), points, atol=1e-4, rtol=1e-5)
    back = transform_poses_to_original_space(
        cameras.camera_to_worlds, frame.transform(), frame.per_metre, "opencv"
    )
    times = clip.cameras[0].time_us
    wanted = np.stack([clip.world_from_camera(0, int(time)) for time in times])[:, :3]
    assert_close(back, torch.from_numpy(wanted).float(), atol=1e-5, rtol=0)


def test_a_lens_that_nerfstudio_lacks_is_refused(tmp_path: Path) -> None:
    clip = with_lens(make_drive(tmp_path), (0.1, 0.0, 0.0, 0.0, 0.0, 0.05, 0.0, 0.0))
    with pytest.raises(OtherlaneError, match="rational"):
        host_cameras(clip, every_picture(clip), host_frame(clip))
    wide = make_drive(tmp_path / "wide", lens=(-0.02, 0.0, 0.0, 0.0))
    with pytest.raises(OtherlaneError, match="kannala-brandt"):
        host_cameras(wide, every_picture(wide), host_frame(wide))


def test_nerfstudio_finds_the_method_and_the_dataparser() -> None:
    assert "otherlane" in all_methods
    assert isinstance(all_dataparsers["otherlane-clip"], ClipDataParserConfig)


def test_other_data_is_refused() -> None:
    with pytest.raises(OtherlaneError, match="clip"):
        clip_source({"depth_filenames": NerfstudioDataParserConfig()})


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip in which a car overtakes."""
    folder = tmp_path_factory.mktemp("moving")
    save_clip(make_drive(folder / "pictures", actors=(driving_car(),)), folder / "clip")
    return folder / "clip"


def source_of(clip: Path, split: str, masks: bool = True) -> tuple[ClipSource, list[Path] | None]:
    parser = ClipDataParserConfig(data=clip, scale=1.0, holdout=4, masks=masks).setup()
    outputs = parser.get_dataparser_outputs(split)
    return clip_source(outputs.metadata), outputs.mask_filenames


def test_the_split_is_ours(moving: Path) -> None:
    assert source_of(moving, "train", False)[0].pictures.frame.tolist() == [1, 2, 3, 5]
    assert source_of(moving, "val", False)[0].pictures.frame.tolist() == [0, 4]


def test_other_methods_get_recorded_pixels_without_moving_actors(moving: Path) -> None:
    parser = ClipDataParserConfig(data=moving, scale=1.0, holdout=4)
    manager = VanillaDataManagerConfig(
        dataparser=parser, train_num_rays_per_batch=400, eval_num_rays_per_batch=8
    ).setup(device="cpu", test_mode="val")
    bundle, batch = manager.next_train(0)
    source, masks = source_of(moving, "train")
    assert masks is not None
    assert {path.parent for path in masks} == {moving.with_name("clip.masks")}
    rays = source.frame.rays(bundle)
    for (picture, row, column), shown, origin in zip(
        batch["indices"].tolist(), batch["image"], rays.origins_m, strict=True
    ):
        frame = int(source.pictures.frame[picture])
        recorded = source.clip.cameras[0].read(frame)[row, column]
        assert_close(shown, torch.from_numpy(recorded / 255.0).float(), atol=1e-6, rtol=0)
        assert not masked_pixels(source.clip, 0, frame, 1.0)[row, column]
        time_us = int(source.clip.cameras[0].time_us[frame])
        there = torch.from_numpy(source.clip.world_from_camera(0, time_us)[:3, 3]).float()
        assert_close(origin, there, atol=1e-5, rtol=0)


def test_pictures_for_evaluation_are_ours(moving: Path) -> None:
    parser = ClipDataParserConfig(data=moving, scale=0.75, holdout=4, masks=False).setup()
    dataset = ClipDataset(parser.get_dataparser_outputs("val"))
    item = dataset[1]
    masked = masked_pixels(dataset.source.clip, 0, 4, 0.75)
    assert masked.any()
    assert item["image"].shape == (12, 18, 3)
    assert torch.equal(item["mask"][..., 0], torch.from_numpy(~masked))


@pytest.fixture
def drive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clip whose recipe "tiny" takes milliseconds."""
    monkeypatch.setitem(recon.recipes.RECIPES, "tiny", lambda _: tiny_config())
    return save_drive(tmp_path)


def host_training(clip: Path, name: str, **changes: object) -> Trainer:
    """nerfstudio's trainer of our method on a clip, after its training."""
    config = copy.deepcopy(all_methods["otherlane"])
    config.output_dir, config.timestamp, config.vis = clip.parent, name, "tensorboard"
    config.machine.device_type = "cpu"
    config.steps_per_eval_batch = config.steps_per_eval_image = 1000
    config.pipeline.datamanager.data = clip
    config.pipeline.datamanager.dataparser.recipe = "tiny"
    config.pipeline.datamanager.dataparser.scale = 1.0
    config.pipeline.datamanager.dataparser.holdout = 4
    for key, value in changes.items():
        setattr(config, key, value)
    trainer = config.setup(local_rank=0, world_size=1)
    trainer.setup()
    trainer.train()
    return trainer


def trained_tensors(trainer: Trainer) -> dict[str, torch.Tensor]:
    return model_tensors(trainer.pipeline.model.scene.model)


def test_nerfstudio_trains_what_otherlane_trains_bit_for_bit(drive: Path) -> None:
    trainer = host_training(drive, "run")
    found = trainer.pipeline.model
    assert found.settings.steps == tiny_config().steps  # of the recipe, when nobody asks for some
    wanted = model_tensors(train(load_clip(drive), found.settings))
    got = trained_tensors(trainer)
    assert got.keys() == wanted.keys()
    for name, tensor in wanted.items():
        assert torch.equal(got[name], tensor), name


def test_a_resumed_training_ends_where_an_uninterrupted_one_does(drive: Path) -> None:
    wanted = host_training(
        drive, "whole", max_num_iterations=12, steps_per_save=6, save_only_latest_checkpoint=False
    )
    again = host_training(
        drive, "again", max_num_iterations=5, load_dir=wanted.checkpoint_dir, load_step=6
    )
    got = trained_tensors(again)
    for name, tensor in trained_tensors(wanted).items():
        assert torch.equal(got[name], tensor), name


def test_two_devices_are_refused(drive: Path) -> None:
    config = copy.deepcopy(all_methods["otherlane"].pipeline)
    config.datamanager.data = drive
    with pytest.raises(OtherlaneError, match="one device"):
        config.setup(device="cpu", world_size=2)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_device_without_a_backend_is_refused() -> None:
    assert backend_on("cpu", "torch") is Backend.TORCH
    with pytest.raises(OtherlaneError, match="no usable backend"):
        backend_on("cuda:0", None)
    with pytest.raises(OtherlaneError, match="does not run on cuda"):
        backend_on("cuda:0", "torch")


def run(module: str, *arguments: str) -> None:
    command = [sys.executable, "-W", "ignore", "-m", module, *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample drive after a few steps of `ns-train otherlane`."""
    out = tmp_path_factory.mktemp("nerfstudio")
    run(
        "nerfstudio.scripts.train",
        "otherlane",
        *("--data", str(sample_path())),
        *("--output-dir", str(out), "--timestamp", "run", "--vis", "tensorboard"),
        *("--max-num-iterations", "60", "--machine.device-type", "cpu"),
        *("--logging.steps-per-log", "1"),
        *("--pipeline.datamanager.dataparser.scale", "0.1"),
    )
    return out / "sample" / "otherlane" / "run"


def test_ns_train_lowers_the_loss(trained: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(trained))
    events.Reload()
    for name in ("Train Loss", "Train Loss Dict/photometric"):
        values = [event.value for event in events.Scalars(name)]
        assert len(values) == 60
        assert np.mean(values[-10:]) < 0.75 * np.mean(values[:5]), values


def test_what_nerfstudio_trained_is_a_scene_of_ours_with_the_same_score(trained: Path) -> None:
    scene = load_scene(trained / SCENE)
    assert scene.config.steps == 60
    assert scene.model.support.hits.sum() > 0
    ours = result(scene, evaluate_scene(scene)[0])["all"]
    assert isinstance(ours, dict)
    scores = trained / "scores.json"
    run(
        "nerfstudio.scripts.eval",
        *("--load-config", str(trained / "config.yml"), "--output-path", str(scores)),
    )
    theirs = json.loads(scores.read_text())["results"]
    # nerfstudio's photographs are rounded to 8 bits
    assert theirs["psnr"] == pytest.approx(ours["psnr_db"], abs=0.02)
    assert theirs["psnr_affine"] == pytest.approx(ours["psnr_affine_db"], abs=0.02)
    assert theirs["ssim"] == pytest.approx(ours["ssim"], abs=2e-3)


def test_a_still_clip_needs_no_masks(tmp_path: Path) -> None:
    assert source_of(save_drive(tmp_path), "train")[1] is None
