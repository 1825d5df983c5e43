"""Pose corrections: their gauge, their gradients on both backends, and that they find the truth."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from recon.data.training_data import load_data
from recon.field.poses import PoseCorrection
from recon.kernels.backend import choose_backend, usable_backends
from recon.training.loop import train
from recon.training.ray_batch import draw_batch
from recon.training.state import new_training
from recon.training.step import StepPlan, torch_step
from recon.training.step_native import native_step
from scenes.clip import Clip
from tests.scene_maker import FRAMES, make_drive, tiny_config

MOVED = 3
"""Place among the training pictures of the one whose pose is wrong."""


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return make_drive(tmp_path_factory.mktemp("drive"))


def wrong_by(clip: Clip, side_m: float) -> Clip:
    """The drive as somebody would record it who took one pose to lie further left."""
    poses = clip.ego.world_from_body.copy()
    poses[MOVED, 1, 3] += side_m
    return replace(clip, ego=replace(clip.ego, world_from_body=poses))


def test_nothing_is_corrected_at_first() -> None:
    poses = PoseCorrection([torch.arange(4)])
    origins, along = torch.randn(5, 3), torch.nn.functional.normalize(torch.randn(5, 3), dim=1)
    same = poses.correct(origins, along, poses.of(0, torch.tensor([0, 1, 2, 3, 0])))
    assert_close(same[0], origins)
    assert_close(same[1], along)


def test_a_turn_is_about_the_camera_and_a_shift_along_the_world() -> None:
    poses = PoseCorrection([torch.arange(1)])
    twist = torch.tensor([[0.1, 0.0, 0.0, 0.0, 0.0, 0.01]])
    origin, along = poses.correct(torch.tensor([[5.0, 6.0, 7.0]]), torch.eye(3)[:1], twist)
    assert_close(origin, torch.tensor([[5.1, 6.0, 7.0]]))
    assert_close(
        along, torch.tensor([[np.cos(0.01), np.sin(0.01), 0.0]]).float(), atol=1e-5, rtol=0
    )


def test_between_pictures_twists_are_interpolated_and_held_at_the_ends() -> None:
    poses = PoseCorrection([torch.tensor([0, 100, 300])])
    with torch.no_grad():
        poses.twist[0][:, 0] = torch.tensor([1.0, 2.0, 4.0])
    assert [float(poses.at(0, t)[0]) for t in (-50, 0, 50, 200, 900)] == [1.0, 1.0, 1.5, 3.0, 4.0]
    poses.fix_gauge()
    assert_close(poses.twist[0].mean(0), torch.zeros(6), atol=1e-6, rtol=0)


@pytest.mark.skipif("native" not in usable_backends(), reason="no native backend")
def test_both_backends_move_poses_alike(drive: Clip) -> None:
    found = {}
    for backend in ("torch", "native"):
        sampling = replace(tiny_config().sampling, termination=0.0, colour_threshold=0.0)
        config = replace(tiny_config(sampling=sampling), backend=backend, pose_rate=1e-3)
        data = load_data(drive, config)
        training = new_training(drive, config, data)
        with torch.no_grad():
            table = training.model.field.static.table
            table.mul_(2e3)
            table.copy_(table.half().float())
        training.take_up()
        random = torch.Generator().manual_seed(5)
        batch = draw_batch(data, 90, 0.2, random).corrected(training.model.poses)
        shift = torch.rand(len(batch.rays), generator=random)
        plan = StepPlan(growth=0.1, shift=shift, rate=0.0, support=False)
        (torch_step if backend == "torch" else native_step)(training, batch, config, plan)
        gradient = training.model.poses.twist[0].grad
        assert gradient is not None
        found[backend] = gradient
    error = (found["native"] - found["torch"]).abs().max() / found["torch"].abs().max()
    assert error < 1e-3  # a sample on the face of a cell has two slopes


def test_without_a_rate_poses_stay(drive: Clip) -> None:
    model = train(drive, tiny_config())
    assert not model.poses.twist[0].any()


def test_a_wrong_pose_is_found(drive: Clip) -> None:
    side_m = 0.5
    clip = wrong_by(drive, side_m)
    config = tiny_config(
        steps=400, holdout=0, samples_per_step=4096, learning_rate=2e-2, pose_rate=5e-3,
        backend=choose_backend(None),
    )  # fmt: skip
    side = train(clip, config).poses.twist[0][:, 1].detach()
    assert len(side) == FRAMES
    # a sideways drift of the whole drive is a turn of it, which pictures this small cannot tell:
    # the wrong pose must move against its neighbours
    neighbours = 0.5 * (side[MOVED - 1] + side[MOVED + 1])
    assert (neighbours - side[MOVED]).item() > 0.2 * side_m
