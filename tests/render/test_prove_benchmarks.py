"""The proving ground's benchmarks run and say what they must; at sizes that mean nothing."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import recon.recipes
from benchmarks import exact_depth, lateral_truth, world_light
from recon.evaluation.metrics import psnr_db
from render.prove.target import Target
from scenes.errors import OtherlaneError
from scenes.motion.geometry import invert, translation
from scenes.sensors.camera import Camera, camera_rays
from scenes.sensors.images import srgb_from_linear
from scenes.storage.clip_files import save_clip
from tests.scene_maker import EGO_FROM_CAMERA, drive_path, make_drive, radiance, tiny_config

BASELINE_M = 0.54


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(recon.recipes.RECIPES, "tiny", lambda _: tiny_config())


def stereo(folder: Path) -> Path:
    """The tiny drive with a camera more, to the right of the first."""
    clip = make_drive(folder / "pictures")
    left = clip.cameras[0]
    beside = left.ego_from_camera @ translation(np.array([BASELINE_M, 0.0, 0.0]))
    right = replace(left, name="right", ego_from_camera=beside)
    save_clip(replace(clip, cameras=(left, right)), folder / "clip")
    return folder / "clip"


def test_the_other_camera_is_scored_beside_the_path(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip, page = stereo(tmp_path), tmp_path / "found.json"
    lateral_truth.main(tmp_path / "out", clip=clip, recipe="tiny", json_file=page)
    scores = json.loads(page.read_text())["scores"]
    assert scores["beside"]["right"]["beside_m"] == pytest.approx(BASELINE_M, abs=0.02)
    assert scores["beside"]["right"]["psnr_db"] > 3.0
    said = capsys.readouterr().out
    assert "on the path" in said
    assert "right" in said


def test_one_camera_says_nothing_beside_its_path(tmp_path: Path) -> None:
    save_clip(make_drive(tmp_path / "pictures"), tmp_path / "clip")
    with pytest.raises(OtherlaneError, match="one camera"):
        lateral_truth.main(tmp_path / "out", clip=tmp_path / "clip", recipe="tiny")


def test_pictures_with_other_rays_agree(tmp_path: Path) -> None:
    pytest.importorskip("mitsuba", reason="the extra `worlds` is not installed")
    page = tmp_path / "light.json"
    world_light.main(worlds=("street",), size="24x8", json_file=page)
    found = json.loads(page.read_text())["street"]
    assert 30.0 < found["psnr_db"] < 100.0  # close, and not the same picture


CAMERA = Camera(width=96, height=64, fx=80.0, fy=80.0, cx=48.0, cy=28.0)


def plain(ahead_m: float, left_m: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pose of a camera over the striped plain, the radiance and the range of its pixels."""
    moved = translation(np.array([ahead_m, left_m, 0.0]))
    pose = drive_path().at(np.array([200_000]))[0] @ moved @ EGO_FROM_CAMERA
    origins, along = camera_rays(CAMERA, CAMERA.pixel_centres().reshape(-1, 2), pose)
    down = along[:, 2] < -1e-3
    range_m = np.where(down, -origins[:, 2] / np.where(down, along[:, 2], 1.0), np.inf)
    size = (CAMERA.height, CAMERA.width)
    return pose, radiance(origins, along).reshape(*size, 3), range_m.reshape(size)


def recorded(ahead_m: float, time_us: int) -> exact_depth.Recorded:
    pose, linear, range_m = plain(ahead_m, 0.0)
    near_m = np.minimum(range_m, exact_depth.SKY_M)
    return exact_depth.Recorded(
        linear=linear,
        range_m=near_m,
        camera=CAMERA,
        camera_from_world=invert(pose),
        time_us=time_us,
    )


def target(left_m: float) -> Target:
    pose, linear, range_m = plain(0.0, left_m)
    nobody = np.full(range_m.shape, -1, dtype=np.int32)
    return Target(
        axis="lateral", amount=left_m, time_us=5, camera=CAMERA, world_from_camera=pose,
        photo=srgb_from_linear(linear).clip(0, 1).astype(np.float32), range_m=range_m,
        instance=nobody, semantic=np.zeros(range_m.shape, dtype=np.uint8), normal=None, seen=None,
    )  # fmt: skip


def test_recorded_pictures_through_exact_depth_are_the_view_beside() -> None:
    pictures = [recorded(ahead_m, i) for i, ahead_m in enumerate((-2.0, -1.0, -0.5, 0.5))]
    found = {}
    for left_m in (0.0, 1.0):
        view = target(left_m)
        linear, known = exact_depth.through_depth(view, pictures)
        assert known.mean() > 0.8
        found[left_m] = exact_depth.best_exposed_db(linear, view, known)
        wrong = np.roll(linear, 3, axis=1)
        assert exact_depth.best_exposed_db(wrong, view, known) < found[left_m] - 6.0
        assert psnr_db(srgb_from_linear(linear), view.photo, known) > 26.0
    assert found[0.0] > found[1.0] - 1.0


def test_the_picture_of_the_same_moment_is_no_witness() -> None:
    view = target(0.0)
    known = exact_depth.through_depth(view, [recorded(0.0, 5), recorded(-60.0, 6)])[1]
    alone = exact_depth.through_depth(view, [recorded(-60.0, 6)])[1]
    assert (known == alone).all()


def test_what_is_hidden_in_a_picture_has_no_colour_from_it() -> None:
    view, picture = target(1.0), recorded(-1.0, 6)
    wall = replace(picture, range_m=np.full(picture.range_m.shape, 1.0))
    assert not exact_depth.through_depth(view, [wall])[1].any()
    assert exact_depth.through_depth(view, [wall, picture])[1].any()
