"""Sensors add what they say, rigs look where they say, and recordings are one and the same."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenes.clip import Clip, ImageStream
from scenes.errors import OtherlaneError
from scenes.motion.trajectory import Trajectory
from scenes.storage.clip_files import load_clip, save_clip
from scenes.storage.clip_layout import same_clip
from scenes.storage.folders import partial_folder
from scenes.worlds.record import capture as taking
from scenes.worlds.record.recorder import Recording, _prepare, ego_from_camera, record
from scenes.worlds.record.rigs import BASELINE_M, RIGS, mounts
from scenes.worlds.trace.sensors import (
    PLAIN,
    REALISTIC,
    RESPONSES,
    Sensor,
    responded,
    taken,
    vignette,
)
from scenes.worlds.trace.view import developed
from tests.scenes.test_worlds_light import DAY, plain_world

GREY = np.full((40, 60, 3), 0.3)
WHITE = np.ones(3)


def _quiet() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_plain_sensor_only_develops() -> None:
    ramp = np.linspace(0.0, 1.5, 60)[None, :, None] * np.ones((4, 60, 3))
    picture = taken(ramp, PLAIN, 1.1, WHITE, _quiet())
    np.testing.assert_array_equal(picture, developed(ramp, 1.1))


@pytest.mark.parametrize("response", RESPONSES)
def test_responses_are_monotonic_and_end_at_white(response: str) -> None:
    light = np.repeat(np.linspace(0.0, 8.0, 400)[:, None], 3, axis=1)
    shown = responded(light, response)
    assert np.all(np.diff(shown[:, 0]) >= 0.0)
    assert shown[0, 0] == 0.0
    assert shown[-1, 0] == pytest.approx(1.0, abs=0.01)
    assert (responded(np.full((1, 3), 1.5), "filmic") < 1.0).all()


def test_vignetting_darkens_corners_alone() -> None:
    kept = vignette(64, 32, 0.3)[..., 0]
    assert kept.max() > 0.999
    assert kept.argmax() in (15 * 64 + 31, 15 * 64 + 32, 16 * 64 + 31, 16 * 64 + 32)
    assert kept[0, 0] == pytest.approx(0.7, abs=0.03)


def test_noise_has_the_variance_of_its_electrons() -> None:
    sensor = Sensor(full_well=5000.0, read_noise=10.0)
    picture = taken(np.full((200, 200, 3), 0.3), sensor, 1.0, WHITE, _quiet()) / 255.0
    slope = 1.055 / 2.4 * 0.3 ** (1.0 / 2.4 - 1.0)
    expected = slope * np.sqrt(5000.0 * 0.3 + 100.0) / 5000.0
    assert picture.std() == pytest.approx(np.hypot(expected, 1.0 / 255.0 / np.sqrt(12.0)), rel=0.03)
    again = taken(np.full((200, 200, 3), 0.3), sensor, 1.0, WHITE, _quiet()) / 255.0
    np.testing.assert_array_equal(picture, again)


@given(st.integers(2, 250), st.integers(0, 5))
def test_drifts_are_about_one(frames: int, camera: int) -> None:
    assert np.log(REALISTIC.exposure(frames, camera)).mean() == pytest.approx(0.0, abs=1e-9)
    gains = REALISTIC.white_balance(frames, 3, camera)
    assert np.abs(np.log(gains).mean(axis=0)).max() < 1e-9
    assert np.all(gains[:, 1] == 1.0)
    assert np.abs(np.log(gains)).max() <= 2.0 * REALISTIC.white_drift


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"response": "log"}, "response"),
        ({"vignetting": 1.0}, "vignetting"),
        ({"read_noise": 2.0}, "full_well"),
    ],
)
def test_impossible_sensors_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(PLAIN, **change)  # pyright: ignore[reportArgumentType]


def test_rigs_have_one_two_and_six_cameras() -> None:
    assert [len(mounts(name, 64, 20)) for name in RIGS] == [1, 2, 6]
    for name in RIGS:
        np.testing.assert_array_equal(mounts(name, 64, 20)[0].ego_from_camera, ego_from_camera())
    one, other = (mount.ego_from_camera for mount in mounts("stereo", 64, 20))
    np.testing.assert_allclose(one[:3, 3] - other[:3, 3], [0.0, BASELINE_M, 0.0])
    with pytest.raises(OtherlaneError, match="surround"):
        mounts("ring", 64, 20)


def test_surround_leaves_no_gap() -> None:
    """Every level direction lands in some camera's picture."""
    turn = np.linspace(-np.pi, np.pi, 361)
    level = np.stack([np.cos(turn), np.sin(turn), 0.0 * turn], axis=1)
    seen = np.zeros(len(turn), bool)
    for mount in mounts("surround", 320, 96):
        pixels = mount.camera.project(level @ mount.ego_from_camera[:3, :3])
        seen |= np.all((pixels >= 0.0) & (pixels <= [320.0, 96.0]), axis=1)
    assert seen.all()
    rear = mounts("surround", 320, 96)[-1].camera
    edges = rear.directions(np.array([[0.0, 48.0], [320.0, 48.0]]))
    assert np.rad2deg(np.arccos(edges[:, 2])).tolist() == pytest.approx([95.0, 95.0], abs=1e-6)


def test_fisheyes_are_saved_with_their_clip(tmp_path: Path) -> None:
    time_us = np.array([0, 100_000])
    clip = Clip(
        name="rig",
        source="test",
        licence="none",
        ego=Trajectory(time_us=time_us, world_from_body=np.tile(np.eye(4), (2, 1, 1))),
        ego_size_m=np.array([4.5, 1.8, 1.5]),
        ego_front_m=2.0,
        cameras=tuple(
            ImageStream(
                name=mount.name,
                camera=mount.camera,
                ego_from_camera=mount.ego_from_camera,
                time_us=time_us,
                files=(tmp_path / "0.png", tmp_path / "1.png"),
                exposure=np.ones(2),
            )
            for mount in mounts("surround", 64, 20, readout_us=20_000)
        ),
    )
    save_clip(clip, tmp_path / "clip")
    assert same_clip(load_clip(tmp_path / "clip"), clip)
    header = (tmp_path / "clip" / "clip.json").read_text()
    assert header.count('"lens": "kannala-brandt"') == 3
    assert header.count('"lens": "opencv"') == 3


SMALL = Recording(
    frames=2,
    width=12,
    height=4,
    rig="stereo",
    readout_us=20_000,
    sensor=REALISTIC,
    azimuth_steps=4,
    view_frames=(1,),
    view_shifts_m=(0.0,),
)


def _hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def test_a_recording_depends_on_nothing_but_its_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not on workers, nor on being killed in between; what was there is not made again."""
    pytest.importorskip("mitsuba", reason="the extra worlds is not installed")
    monkeypatch.setattr(Recording, "world", lambda _: plain_world(DAY))
    clip = record(SMALL, tmp_path / "one")
    assert [stream.name for stream in clip.cameras] == ["front", "right"]
    assert all(stream.read(1).shape == (4, 12, 3) for stream in clip.cameras)
    # What another worker does that begins with the last frame.
    (tmp_path / "two").mkdir()
    _prepare(SMALL, tmp_path / "two")
    taking.take(SMALL, tmp_path / "two", (1, None))
    taking.lit_world.cache_clear()
    one, two = _hashes(tmp_path / "one"), _hashes(tmp_path / "two")
    pictures = {name: digest for name, digest in two.items() if "0001" in name}
    assert len(pictures) == 5
    assert pictures.items() <= one.items()

    replaced, taken_files = os.replace, []

    def killed(source: Path, target: Path) -> None:
        if len(taken_files) == 3 and target.suffix == ".jpg":
            raise KeyboardInterrupt
        taken_files.extend([target] if target.suffix == ".jpg" else [])
        replaced(source, target)

    monkeypatch.setattr(taking.os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        record(SMALL, tmp_path / "three")
    monkeypatch.setattr(taking.os, "replace", replaced)
    assert not (tmp_path / "three").exists()
    there = {
        path: path.stat().st_mtime_ns
        for path in partial_folder(tmp_path / "three").rglob("*.jpg")
        if ".part" not in path.parts
    }
    assert len(there) == 3
    before = {
        path.relative_to(partial_folder(tmp_path / "three")): when for path, when in there.items()
    }
    record(SMALL, tmp_path / "three")
    assert _hashes(tmp_path / "one") == _hashes(tmp_path / "three")
    for path, when in before.items():
        assert (tmp_path / "three" / path).stat().st_mtime_ns == when


def test_a_street_has_no_25_seconds() -> None:
    with pytest.raises(ValueError, match="1 to 40 frames"):
        Recording(frames=41)
    assert len(Recording(recipe="curve", frames=250).time_us()) == 250
    with pytest.raises(ValueError, match="1 to 250 frames"):
        Recording(recipe="curve", frames=251)
