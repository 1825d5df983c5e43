"""Headings that trackers let run on are turned back; degrees are refused."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from scenes.errors import DriveError
from scenes.importers import import_clip
from scenes.importers.formats.kitti_angles import turned_back
from scenes.importers.formats.kitti_boxes import read_boxes
from tests import kitti_maker as maker

LABELS = "label_02/0007.txt"


def with_headings(root: Path, *rotation_y: float) -> Path:
    """The car of the maker's drive, whose five boxes have these headings."""
    maker.make_tracking(root, colmap=False)
    path = root / LABELS
    lines, left = [], list(rotation_y)
    for line in path.read_text().splitlines():
        words = line.split()
        if words[1] == "3":
            words[16] = f"{left.pop(0):.6f}"
        lines.append(" ".join(words))
    assert not left
    maker.write(path, lines)
    return root


@given(st.floats(-25.0, 25.0))
def test_turning_back_keeps_the_heading(rad: float) -> None:
    back = turned_back(rad)
    assert -np.pi < back <= np.pi
    assert_allclose([np.cos(back), np.sin(back)], [np.cos(rad), np.sin(rad)], atol=1e-12)
    assert turned_back(back) == back


@pytest.mark.parametrize("rad", [np.pi, -np.pi, 3.0 * np.pi, -3.0 * np.pi, 0.0, -20.0])
def test_half_a_turn_is_positive(rad: float) -> None:
    assert -np.pi < turned_back(rad) <= np.pi


def test_headings_that_ran_on_are_the_same_clip_and_said(tmp_path: Path) -> None:
    there = np.array([-1.5, -1.52, -1.57, -1.6, -1.62])
    plain = import_clip("kitti-tracking", with_headings(tmp_path / "a", *there))
    turns = 2.0 * np.pi * np.array([0, -3, -3, 1, 2])
    ran_on = import_clip("kitti-tracking", with_headings(tmp_path / "b", *(there + turns)))
    assert (there + turns).min() < -20.0
    for one, other in zip(plain.actors, ran_on.actors, strict=True):
        ours, theirs = one.trajectory.world_from_body, other.trajectory.world_from_body
        assert_allclose(ours, theirs, atol=2e-6)
    assert any("rotation_y of 4 boxes" in note for note in ran_on.notes)
    assert not any("rotation_y" in note for note in plain.notes)
    boxes = read_boxes(tmp_path / "b" / LABELS, range(maker.FRAMES)).boxes
    assert all(-np.pi < box.rotation_y <= np.pi for box in boxes)


def test_headings_in_bounds_are_kept_bit_for_bit(tmp_path: Path) -> None:
    root = with_headings(tmp_path, 3.141592, -3.141592, 0.1, -0.1, 1e-6)
    boxes = [box for box in read_boxes(root / LABELS, range(6)).boxes if box.track == 3]
    assert [box.rotation_y for box in boxes] == [3.141592, -3.141592, 0.1, -0.1, 1e-6]


@pytest.mark.parametrize("degrees", [90.0, -90.0, 178.2, -45.0, 26.0])
def test_degrees_are_refused(degrees: float, tmp_path: Path) -> None:
    headings = degrees + np.array([0.0, 0.4, -0.3, 0.6, 0.1])
    with pytest.raises(DriveError, match="over 4 turns: degrees") as caught:
        import_clip("kitti-tracking", with_headings(tmp_path, *headings))
    assert caught.value.fix == "radians"
    assert f"{LABELS}:2" in caught.value.where


def test_small_degrees_are_refused_by_how_they_turn(tmp_path: Path) -> None:
    """From 4 to 12 degrees in half a second: as radians, the car would spin."""
    with pytest.raises(DriveError, match="if they are radians: degrees"):
        import_clip("kitti-tracking", with_headings(tmp_path, 4.0, 6.5, 8.2, 10.3, 12.4))


def test_a_tracker_that_takes_front_for_back_once_is_fine(tmp_path: Path) -> None:
    root = with_headings(tmp_path, -7.85, -7.86, -7.84 + np.pi, -7.85, -7.85)
    assert any(
        "rotation_y of 5 boxes" in note for note in import_clip("kitti-tracking", root).notes
    )
