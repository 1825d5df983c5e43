import json
import pickle
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from scenes.clip import Clip, ImageStream, LidarStream, SparsePoints
from scenes.errors import DriveError, OtherlaneError
from scenes.motion.trajectory import Trajectory
from scenes.sensors.camera import Camera
from scenes.sensors.lidar import Lidar
from scenes.storage.clip_files import load_clip, save_clip
from scenes.storage.clip_layout import same_clip
from scenes.storage.files import sha256
from scenes.storage.manifests import MANIFEST, Finished
from tests.harm import sign_again
from tests.strategies import clips


def small_clip(folder: Path) -> Clip:
    """Two real pictures and one real sweep in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    files = (folder / "0.png", folder / "1.png")
    for value, file in enumerate(files):
        Image.fromarray(np.full((4, 6, 3), 10 * value, np.uint8)).save(file)
    sweep = {
        "xyz_m": np.ones((5, 3), np.float32),
        "offset_us": np.arange(5, dtype=np.int32),
        "intensity": np.zeros(5, np.float32),
    }
    np.savez(folder / "0.npz", **sweep)
    time_us = np.array([0, 100_000])
    return Clip(
        name="small",
        source="test",
        licence="none",
        ego=Trajectory(time_us=time_us, world_from_body=np.tile(np.eye(4), (2, 1, 1))),
        ego_size_m=np.array([4.5, 1.8, 1.5]),
        ego_front_m=2.0,
        cameras=(
            ImageStream(
                name="front",
                camera=Camera(width=6, height=4, fx=5.0, fy=5.0, cx=3.0, cy=2.0),
                ego_from_camera=np.eye(4),
                time_us=time_us,
                files=files,
                exposure=np.ones(2),
            ),
        ),
        lidars=(
            LidarStream(
                name="top",
                lidar=Lidar(
                    elevation_rad=(0.0,), azimuth_steps=5, period_us=100_000, max_range_m=50.0
                ),
                ego_from_lidar=np.eye(4),
                time_us=np.array([0]),
                files=(folder / "0.npz",),
            ),
        ),
        points=SparsePoints(
            position_m=np.ones((2, 3)),
            error_px=np.zeros(2, np.float32),
            point_index=np.array([0, 1], np.int32),
            frame_index=np.array([0, 1], np.int32),
        ),
    )


@given(clips())
def test_load_undoes_save(clip: Clip) -> None:
    with tempfile.TemporaryDirectory() as folder:
        saved = save_clip(clip, Path(folder) / "clip")
        assert same_clip(load_clip(saved), clip)


@given(clips())
def test_a_clip_can_be_sent_to_a_worker(clip: Clip) -> None:
    assert same_clip(pickle.loads(pickle.dumps(clip)), clip)  # noqa: S301


@given(clips(), clips(), st.floats(0.1, 1.0))
def test_clips_are_equal_only_if_all_is(clip: Clip, other: Clip, more_m: float) -> None:
    assert same_clip(clip, clip)
    assert same_clip(clip, other) == same_clip(other, clip)
    assert not same_clip(clip, replace(clip, ego_front_m=clip.ego_front_m + more_m))
    assert not same_clip(clip, replace(clip, ego_size_m=clip.ego_size_m + more_m))
    assert not same_clip(clip, replace(clip, notes=(*clip.notes, "more")))
    assert not same_clip(clip, replace(clip, to_sun=np.array([0.36, 0.48, 0.8])))
    assert same_clip(clip, replace(clip, to_sun=None)) == (clip.to_sun is None)


def test_a_clip_says_where_the_sun_was_if_it_is_known(tmp_path: Path) -> None:
    clip = small_clip(tmp_path / "drive")
    assert load_clip(save_clip(clip, tmp_path / "unknown")).to_sun is None
    sunny = save_clip(replace(clip, to_sun=np.array([0.0, 0.6, 0.8])), tmp_path / "sunny")
    found = load_clip(sunny).to_sun
    assert found is not None
    assert found.tolist() == [0.0, 0.6, 0.8]


def test_opening_reads_no_pixels(tmp_path: Path) -> None:
    clip = small_clip(tmp_path / "drive")
    saved = save_clip(clip, tmp_path / "clip")
    for file in (*clip.cameras[0].files, *clip.lidars[0].files):
        file.unlink()
    opened = load_clip(saved)
    assert same_clip(opened, clip)
    with pytest.raises(DriveError, match="does not exist"):
        opened.cameras[0].read(0)
    with pytest.raises(DriveError, match="does not exist"):
        opened.lidars[0].read(0)


def test_pixels_and_sweeps_are_read_when_asked_for(tmp_path: Path) -> None:
    clip = small_clip(tmp_path)
    assert np.all(clip.cameras[0].read(1) == 10)
    assert len(clip.lidars[0].read(0).xyz_m) == 5


def test_a_clip_with_its_pictures_inside_can_be_moved(tmp_path: Path) -> None:
    from scenes.storage.clip_files import read_clip, write_clip

    clip = small_clip(tmp_path / "here" / "pictures")
    write_clip(clip, tmp_path / "here", tmp_path / "here")
    assert str(tmp_path) not in (tmp_path / "here" / "clip.json").read_text()
    (tmp_path / "here").rename(tmp_path / "there")
    there = tmp_path / "there"
    digests = {name: sha256(there / name) for name in ("clip.json", "arrays.npz")}
    nothing: dict[str, str] = {}
    held = Finished(
        folder=there, kind="clip", inputs=nothing, config=nothing, about=nothing, files=digests
    )
    assert np.all(read_clip(held).cameras[0].read(1) == 10)


def test_saving_again_returns_at_once_and_another_clip_is_refused(tmp_path: Path) -> None:
    clip = small_clip(tmp_path / "drive")
    saved = save_clip(clip, tmp_path / "clip")
    before = (saved / MANIFEST).stat().st_mtime_ns
    assert save_clip(clip, saved) == saved
    assert (saved / MANIFEST).stat().st_mtime_ns == before
    with pytest.raises(OtherlaneError, match="another clip"):
        save_clip(replace(clip, name="other"), saved)
    assert same_clip(load_clip(saved), clip)


@pytest.mark.parametrize("where", ["write_json", "_npz", "os.replace"])
def test_interrupted_in_the_middle_there_is_nothing_at_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    clip = small_clip(tmp_path / "drive")
    target = where if "." in where else f"scenes.storage.clip_files.{where}"
    monkeypatch.setattr(target, interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_clip(clip, tmp_path / "clips" / "clip")
    assert list((tmp_path / "clips").iterdir()) == []


@pytest.mark.parametrize("name", ["clip.json", "arrays.npz"])
@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "flipped", "text"])
def test_a_damaged_clip_is_an_error_for_users(tmp_path: Path, name: str, damage: str) -> None:
    path = save_clip(small_clip(tmp_path / "drive"), tmp_path / "clip") / name
    data = path.read_bytes()
    flipped = bytes([data[len(data) // 2] ^ 1])
    changed = {
        "empty": b"",
        "cut": data[: len(data) // 2],
        "flipped": data[: len(data) // 2] + flipped + data[len(data) // 2 + 1 :],
        "text": b"hello",
    }
    for rehashed in (False, True):  # by accident, or by someone who mended the manifest too
        path.unlink(missing_ok=True)
        if damage != "missing":
            path.write_bytes(changed[damage])
        if rehashed and damage != "missing":
            sign_again(path.parent)
        if rehashed and damage == "flipped":
            continue  # may well be another valid clip
        with pytest.raises(OtherlaneError) as caught:
            load_clip(path.parent)
        assert str(path.parent) in caught.value.where
        assert caught.value.fix


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("version", 1),
        ("version", "2"),
        ("cameras", []),
        ("actors", [{"id": 1, "kind": "UNICORN"}]),
        ("name", None),
    ],
)
def test_a_header_that_is_no_clip_is_an_error_for_users(
    tmp_path: Path, key: str, value: object
) -> None:
    saved = save_clip(small_clip(tmp_path / "drive"), tmp_path / "clip")
    header = json.loads((saved / "clip.json").read_text()) | {key: value}
    (saved / "clip.json").write_text(json.dumps(header))
    sign_again(saved)
    with pytest.raises(OtherlaneError):
        load_clip(saved)


@pytest.mark.parametrize("data", [b"", b"hello", b"PK\x03\x04" + bytes(50)])
def test_a_damaged_sweep_is_an_error_for_users(tmp_path: Path, data: bytes) -> None:
    clip = small_clip(tmp_path)
    whole = clip.lidars[0].files[0].read_bytes()
    for damaged in (data, whole[: len(whole) // 2], whole.replace(b"xyz_m", b"abc_m")):
        clip.lidars[0].files[0].write_bytes(damaged)
        with pytest.raises(DriveError) as caught:
            clip.lidars[0].read(0)
        assert caught.value.where == str(clip.lidars[0].files[0])


def test_a_picture_of_another_size_is_refused(tmp_path: Path) -> None:
    clip = small_clip(tmp_path)
    Image.fromarray(np.zeros((4, 8, 3), np.uint8)).save(clip.cameras[0].files[1])
    with pytest.raises(DriveError, match="is 8x4, its camera 6x4"):
        clip.cameras[0].read(1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cameras": ()}, "at least one camera"),
        ({"ego_size_m": np.array([4.0, -1.0, 1.0])}, "impossible ego size"),
        ({"name": "ok", "lidars": "twice"}, "names must differ"),
        ({"points": "beyond"}, "does not exist"),
        ({"to_sun": np.array([0.6, 0.0, 0.81])}, "unit vector"),
        ({"to_sun": np.zeros(3)}, "unit vector"),
        ({"to_sun": np.array([np.nan, 0.0, 1.0])}, "unit vector"),
    ],
)
def test_impossible_clips_are_refused(tmp_path: Path, change: dict, message: str) -> None:
    clip = small_clip(tmp_path)
    if change.get("lidars") == "twice":
        change = {"lidars": clip.lidars * 2}
    if change.get("points") == "beyond":
        assert clip.points is not None
        change = {"points": replace(clip.points, frame_index=np.array([0, 2], np.int32))}
    with pytest.raises(ValueError, match=message):
        replace(clip, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"time_us": np.array([0, 0])}, "must increase"),
        ({"exposure": np.array([1.0, 0.0])}, "positive"),
        ({"ego_from_camera": 2.0 * np.eye(4)}, "not a rotation"),
        ({"files": (Path("one.png"),)}, "differ in number"),
    ],
)
def test_impossible_streams_are_refused(tmp_path: Path, change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(small_clip(tmp_path).cameras[0], **change)
