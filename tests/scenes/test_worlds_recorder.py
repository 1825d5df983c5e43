"""A recorded street is a clip like any other, and its truth reads back as it was."""

from pathlib import Path

import numpy as np
import pytest

from scenes.errors import OtherlaneError
from scenes.storage.clip_files import load_clip
from scenes.storage.clip_layout import same_clip
from scenes.worlds.record.recorder import Recording, record
from scenes.worlds.record.sample import truth_views
from scenes.worlds.trace.view import developed
from scenes.worlds.truth.truth_files import instance_boxes, read_instances, write_instances

TINY = Recording(
    frames=1, width=32, height=8, azimuth_steps=12, view_frames=(0,), view_shifts_m=(0.0,)
)


def test_a_recording_is_a_clip_with_truth(tmp_path: Path) -> None:
    pytest.importorskip("mitsuba", reason="the extra worlds is not installed")
    clip = record(TINY, tmp_path / "street")
    assert same_clip(clip, load_clip(tmp_path / "street"))
    assert clip.to_sun is not None
    assert clip.to_sun.tolist() == TINY.world().lighting.to_sun.tolist()
    assert clip.cameras[0].read(0).shape == (8, 32, 3)
    assert len(clip.lidars[0].read(0).xyz_m) > 100
    views = truth_views(tmp_path / "street")
    assert [view.shift_m for view in views] == [0.0]
    recorded = read_instances(tmp_path / "street" / "truth" / "instance_0000.png")
    np.testing.assert_array_equal(recorded, views[0].instance)
    assert same_clip(record(TINY, tmp_path / "street"), clip)  # at once
    with pytest.raises(OtherlaneError, match="azimuth_steps"):
        record(Recording(frames=1, width=32, height=8), tmp_path / "street")


def test_a_folder_without_truth_says_so(tmp_path: Path) -> None:
    with pytest.raises(OtherlaneError, match="holds no views"):
        truth_views(tmp_path)


def test_exposure_drifts_about_one() -> None:
    exposure = Recording().exposure()
    assert np.log(exposure).mean() == pytest.approx(0.0, abs=1e-12)
    assert 1.1 < exposure.max() / exposure.min() < 1.3


def test_development_is_the_srgb_curve() -> None:
    grey = np.array([[0.0, 0.214, 1.0], [0.107, 0.5, 2.0]], np.float32)
    assert developed(grey).tolist() == [[0, 127, 255], [92, 188, 255]]


def test_boxes_span_whole_pixels(tmp_path: Path) -> None:
    instance = np.full((6, 8), -1, np.int32)
    instance[2:4, 3:7] = 5
    instance[0, 0] = 9
    assert instance_boxes(instance) == {5: (3, 2, 7, 4), 9: (0, 0, 1, 1)}
    write_instances(tmp_path / "ids.png", instance)
    np.testing.assert_array_equal(read_instances(tmp_path / "ids.png"), instance)
