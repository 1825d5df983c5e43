"""A scene learnt through a fisheye is rendered, written and verified, blind corners included."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from recon.kernels.backend import Backend
from recon.scene import Scene
from recon.training.loop import train
from render.folders.frames import encode_frame
from render.folders.verification import frame_problems
from scenes.semantics import Semantic
from tests.scene_maker import make_drive, tiny_config
from tests.viewing import render_view

LENS = (-0.35, 0.0, 0.0, 0.0)
"""Its circle ends before the picture's corners."""


def test_what_a_fisheye_does_not_show_is_unknown(tmp_path: Path) -> None:
    clip = make_drive(tmp_path / "drive", lens=LENS)
    settings = replace(tiny_config(steps=40), backend=str(Backend.TORCH))
    scene = Scene(clip=clip, config=settings, model=train(clip, settings), backend=Backend.TORCH)
    camera, pose = clip.cameras[0].camera, clip.world_from_camera(0, 0)
    frame = render_view(scene, camera, pose, time_us=0)
    blind = np.isnan(camera.directions(camera.pixel_centres())[..., 2])
    assert 0 < blind.sum() < 0.2 * blind.size
    assert not frame.rgb[blind].any()
    assert np.isposinf(frame.z_m[blind]).all()
    assert np.all(frame.semantic[blind] == Semantic.UNKNOWN)
    solid = np.isfinite(frame.range_m)
    assert solid.any()
    cosine = np.cos(np.arctan2(*_off_axis(frame.camera.pixel_centres()[solid])))
    np.testing.assert_allclose(frame.z_m[solid], frame.range_m[solid] * cosine, rtol=1e-5)
    record = {"key": "000000.front", "objects": [dict(x) for x in frame.objects], **frame.labels}
    (tmp_path / "frames" / "front").mkdir(parents=True)
    for name, content in encode_frame("000000.front", frame.pixels).items():
        (tmp_path / name).write_bytes(content)
    assert frame_problems(tmp_path, json.loads(json.dumps(record))) == []


def _off_axis(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sine and cosine of the angles that land there, from a table of the lens' own formula."""
    theta = np.linspace(0.0, 0.97, 200_001)
    landing = 20.0 * (theta + LENS[0] * theta**3)
    found = np.interp(np.hypot(*(pixels - [12.0, 7.0]).T), landing, theta)
    return np.sin(found), np.cos(found)
