"""Sweeps are read where they lie, whatever their format."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from scenes.clip import Clip, LidarStream
from scenes.errors import DriveError
from scenes.importers import import_clip
from scenes.sensors.lidar import Lidar
from scenes.sensors.lidar_files import READERS, read_sweep
from scenes.storage.clip_files import load_clip, save_clip
from scenes.storage.clip_layout import same_clip
from tests.scenes.test_clip import small_clip

XYZ = np.array([[1, 0, 0], [0, 2, 0], [-3, 1e-6, 0], [0, -4, 0], [-5, -1e-6, 1]], np.float32)
"""Ahead, left, behind by the left side, right, behind by the right side."""


def kitti(*rows: tuple[float, float, float, float]) -> bytes:
    table = np.column_stack([XYZ, np.linspace(0, 1, 5)]).astype("<f4")
    return np.concatenate([table, np.array(rows, "<f4").reshape(-1, 4)]).tobytes()


def nuscenes(top: float = 255.0) -> bytes:
    table = np.column_stack([XYZ, np.linspace(0, top, 5), np.arange(5)])
    return table.astype("<f4").tobytes()


FILES = [("kitti-bin", kitti()), ("nuscenes-bin", nuscenes())]


@pytest.mark.parametrize(("reader", "data"), FILES, ids=["kitti", "nuscenes"])
def test_points_and_intensities_are_those_of_the_file(reader: str, data: bytes) -> None:
    sweep = read_sweep(reader, data)
    assert_array_equal(sweep.xyz_m, XYZ)
    assert_allclose(sweep.intensity, [0, 0.25, 0.5, 0.75, 1], atol=1e-6)
    assert_array_equal(sweep.offset_us, 0)  # compensated


def test_the_scanner_turns_from_behind_by_the_left_side() -> None:
    sweep = read_sweep("kitti-bin", kitti(), 100_000)
    assert_array_equal(sweep.offset_us, [50_000, 25_000, 0, 75_000, 100_000])


def test_beams_that_did_not_return_are_left_out() -> None:
    assert len(read_sweep("kitti-bin", kitti((0, 0, 0, 0))).xyz_m) == len(XYZ)


@pytest.mark.parametrize(
    ("reader", "data", "wrong"),
    [
        ("kitti-bin", b"", "no rows of 4"),
        ("kitti-bin", kitti()[:-1], "no rows of 4"),
        ("kitti-bin", kitti((np.nan, 0, 0, 0)), "not finite"),
        ("kitti-bin", kitti((1, 0, 0, 17)), "not in 0 to 1"),
        ("nuscenes-bin", nuscenes()[:-4], "no rows of 5"),
        ("nuscenes-bin", nuscenes(1000.0), "not in 0 to 255"),
        (
            "nuscenes-bin",
            nuscenes() + np.array([0, 0, 0, np.inf, 0], "<f4").tobytes(),
            "not finite",
        ),
    ],
)
def test_damaged_files_are_errors(reader: str, data: bytes, wrong: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=wrong):
        read_sweep(reader, data)
    (tmp_path / "0.bin").write_bytes(data)
    with pytest.raises(DriveError, match=wrong) as caught:
        stream(tmp_path / "0.bin", reader).read(0)
    assert "0.bin" in caught.value.where


def stream(path: Path, reader: str) -> LidarStream:
    return LidarStream(
        name="top",
        lidar=Lidar(elevation_rad=(0.0,), azimuth_steps=5, period_us=100_000, max_range_m=50.0),
        ego_from_lidar=np.eye(4),
        time_us=np.array([0]),
        files=(path,),
        reader=reader,
    )


@pytest.mark.parametrize(
    ("reader", "turn_us", "wrong"),
    [
        ("pcd", None, "no reader is named 'pcd'"),
        ("npz", np.array([100_000]), "carries the times"),
        ("kitti-bin", np.array([0]), "turn_us must be positive"),
        ("kitti-bin", np.array([-5]), "turn_us must be positive"),
    ],
)
def test_what_does_not_fit_together(reader: str, turn_us: np.ndarray, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        replace(stream(Path("0.bin"), "kitti-bin"), reader=reader, turn_us=turn_us)


@pytest.mark.parametrize(("reader", "data"), FILES, ids=["kitti", "nuscenes"])
def test_a_clip_remembers_how_its_sweeps_are_read(reader: str, data: bytes, tmp_path: Path) -> None:
    clip = small_clip(tmp_path / "drive")
    path = tmp_path / "drive" / "0.bin"
    path.write_bytes(data)
    lidar = replace(
        clip.lidars[0], files=(path,), reader=reader, turn_us=np.array([90_000]), contents=()
    )
    other = replace(clip, lidars=(lidar,))
    assert not same_clip(other, clip)
    saved = load_clip(save_clip(other, tmp_path / "clip"))
    assert same_clip(saved, other)
    assert saved.lidars[0].read(0).offset_us.max() == 90_000
    saved.check_contents()
    path.write_bytes(data[:-20])
    with pytest.raises(DriveError, match="not the file that was imported"):
        saved.lidars[0].read(0)
    with pytest.raises(DriveError, match="not the file that was imported"):
        saved.check_contents()


def test_the_table_is_closed() -> None:
    assert sorted(READERS) == ["kitti-bin", "npz", "nuscenes-bin"]


def poles(clip: Clip, index: int) -> list[np.ndarray]:
    """Which returns of a sweep are on each thing that is upright, thin and stands alone."""
    xyz = clip.lidars[0].read(index).xyz_m.astype(np.float64)
    away_m = np.hypot(xyz[:, 0], xyz[:, 1])
    body = (away_m > 3.0) & (away_m < 30.0) & (xyz[:, 2] > -1.0) & (xyz[:, 2] < 2.0)
    cell = np.floor((xyz[:, :2] + 30.0) / 0.2).astype(int).clip(0, 299)
    held = np.zeros((300, 300), np.uint8)
    held[tuple(cell[body].T)] = 1
    count, label = cv2.connectedComponents(held, connectivity=8)
    which = np.where(body, label[tuple(cell.T)], 0)
    found = [np.flatnonzero(which == each) for each in range(1, count)]
    return [
        each
        for each in found
        if len(each) >= 12
        and np.ptp(xyz[each, :2], axis=0).max() < 1.0
        and np.ptp(xyz[each, 2]) > 1.0
    ]


def places(clip: Clip, index: int, returns: np.ndarray) -> np.ndarray:
    """Azimuth of a pole, and where it stands if returns have no times, theirs, or the opposite."""
    lidar = clip.lidars[0]
    assert lidar.turn_us is not None
    sweep, middle_us = lidar.read(index), int(lidar.turn_us[index]) // 2
    xyz, found = sweep.xyz_m[returns].astype(np.float64), []
    for turned in (0, 1, -1):
        off_us = turned * (sweep.offset_us[returns].astype(np.int64) - middle_us) + middle_us
        poses = clip.ego.at(lidar.time_us[index] + off_us) @ lidar.ego_from_lidar
        world = np.einsum("nij,nj->ni", poses[:, :3, :3], xyz) + poses[:, :3, 3]
        found += world.mean(axis=0)[:2].tolist()
    return np.array([np.arctan2(xyz[:, 1].mean(), xyz[:, 0].mean()), *found])


@pytest.mark.drives
@pytest.mark.slow
def test_a_real_scanner_turns_clockwise(drives: Path) -> None:
    """KITTI's readme says counter-clockwise; poles that the car passes say otherwise."""
    if not (drives / "kitti_raw_0001").is_dir():
        pytest.skip("no kitti_raw_0001")
    clip = import_clip("kitti-raw", drives / "kitti_raw_0001", cameras=("image_02",))
    tracks: list[list[np.ndarray]] = []
    for index in range(len(clip.lidars[0])):
        for returns in poles(clip, index):
            place = places(clip, index, returns)
            near = [t for t in tracks if np.linalg.norm(t[-1][1:3] - place[1:3]) < 0.45]
            near[0].append(place) if near else tracks.append([place])
    passed = [np.array(t) for t in tracks if len(t) >= 8]
    passed = [t for t in passed if np.ptp(t[:, 0]) > np.radians(30.0)]
    spread_m = np.array(
        [[np.linalg.norm(t[:, k : k + 2].std(axis=0)) for k in (1, 3, 5)] for t in passed]
    )
    untimed, timed, opposite = np.median(spread_m, axis=0)
    print(len(passed), untimed, timed, opposite)
    assert len(passed) >= 5
    assert timed < 0.7 * untimed
    assert untimed < 0.7 * opposite
