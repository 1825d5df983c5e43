"""Sparse points say which camera saw them, and each camera's pictures train at their moments."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from recon.data.depth_rays import load_depth
from scenes.clip import Clip
from scenes.motion.geometry import translation
from scenes.storage.clip_files import load_clip, save_clip
from scenes.storage.clip_layout import same_clip
from tests.scene_maker import FRAMES, make_drive

LEFT_M = 0.7


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    """A drive with a second camera to the left of the first, which lacks the first picture."""
    clip = make_drive(tmp_path)
    (first,) = clip.cameras
    left = translation(np.array([0.0, LEFT_M, 0.0])) @ first.ego_from_camera
    second = replace(
        first, name="second", ego_from_camera=left, time_us=first.time_us[1:] + 1000,
        files=first.files[1:], exposure=first.exposure[1:], contents=(),
    )  # fmt: skip
    return replace(clip, cameras=(first, second))


def with_streams(clip: Clip) -> tuple[Clip, np.ndarray]:
    """Every other observation is the second camera's; and the moment of each."""
    assert clip.points is not None
    moment = clip.points.frame_index
    stream = ((np.arange(len(moment)) % 2 == 1) & (moment > 0)).astype(np.uint8)
    frame = (moment - stream).astype(np.int32)
    points = replace(clip.points, frame_index=frame, stream_index=stream)
    return replace(clip, points=points), moment


def test_rays_begin_at_the_camera_that_saw_the_point(clip: Clip) -> None:
    clip, moment = with_streams(clip)
    assert clip.points is not None
    seconds = clip.points.seen_by(1)
    depth = load_depth(clip, np.ones(FRAMES, dtype=bool))
    assert len(depth) == len(moment)
    first_y = depth.origins_m[: int((~seconds).sum()), 1].numpy()
    assert_allclose(depth.origins_m[len(first_y) :, 1].numpy(), first_y[0] + LEFT_M, atol=1e-5)
    assert depth.time_us is not None
    times_us = clip.cameras[0].time_us[moment]
    wanted = np.concatenate([times_us[~seconds], times_us[seconds] + 1000])
    assert np.array_equal(np.sort(depth.time_us.numpy()), np.sort(wanted))


def test_moments_that_are_held_out_are_so_for_every_camera(clip: Clip) -> None:
    clip, moment = with_streams(clip)
    trained = np.array([True, False, True, False, True, True])
    depth = load_depth(clip, trained)
    assert len(depth) == trained[moment].sum() < len(moment)


def test_without_streams_all_are_the_first_cameras(clip: Clip) -> None:
    assert clip.points is not None
    assert clip.points.seen_by(0).all()
    assert not clip.points.seen_by(1).any()
    trained = np.ones(FRAMES, dtype=bool)
    zeros = np.zeros(len(clip.points.frame_index), np.uint8)
    named = replace(clip, points=replace(clip.points, stream_index=zeros))
    assert np.array_equal(load_depth(named, trained).origins_m, load_depth(clip, trained).origins_m)


@pytest.mark.parametrize(("stream", "frame"), [(2, 0), (1, FRAMES - 1), (1, -1)])
def test_observations_name_pictures_that_are_there(clip: Clip, stream: int, frame: int) -> None:
    assert clip.points is not None
    count = len(clip.points.frame_index)
    points = replace(
        clip.points,
        stream_index=np.full(count, stream, np.uint8),
        frame_index=np.full(count, frame, np.int32),
    )
    with pytest.raises(ValueError, match="names a picture that does not exist"):
        replace(clip, points=points)


def test_streams_of_points_are_saved(clip: Clip, tmp_path: Path) -> None:
    clip, _ = with_streams(clip)
    assert same_clip(load_clip(save_clip(clip, tmp_path / "clip")), clip)
    assert clip.points is not None
    other = replace(
        clip.points, stream_index=None, frame_index=np.zeros_like(clip.points.frame_index)
    )
    assert not same_clip(replace(clip, points=other), clip)
