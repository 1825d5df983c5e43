"""Lenses that fold back inside of their pictures, as fitted lenses of real phones do."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from scenes.importers import import_clip
from scenes.importers.formats.kitti_colmap import turn_between
from scenes.sensors.camera import Camera, camera_rays, project_world
from scenes.sensors.lens import distort, fold_radii, magnification, undistort
from tests import kitti_maker as maker
from tests.kitti_maker import change_lines

LENSES = {
    "three": (0.1, -1.2, 0.0, 0.0, 0.5),
    "barrel": (-0.35, 0.0, 0.0, 0.0),
    "tangential": (-0.35, 0.15, 0.01, -0.01, -0.03),
    "phone": (0.12, -1.1, 0.0008, -0.0011, 0.4),
    "rational": (0.9, -0.6, 0.001, -0.002, -0.4, 0.95, 0.1, 0.02),
    "pole": (0.0, 0.0, 0.0, 0.0, 0.0, -0.9, 0.0, 0.0),
}
folding = pytest.mark.parametrize("lens", LENSES.values(), ids=LENSES.keys())
"""All fold less than 1.6 focal lengths from the axis."""


def phone(lens: tuple[float, ...]) -> Camera:
    """3:4, 72 degrees across the width, corners 0.9 focal lengths from the axis."""
    return Camera(width=216, height=162, fx=150.0, fy=150.5, cx=108.7, cy=80.6, distortion=lens)


def opencvs(x: np.ndarray, y: np.ndarray, lens: tuple[float, ...]) -> np.ndarray:
    """The published formula, written out once more."""
    k1, k2, p1, p2, k3, k4, k5, k6 = (*lens, *[0.0] * (8 - len(lens)))
    r2 = x**2 + y**2
    radial = (1 + k1 * r2 + k2 * r2**2 + k3 * r2**3) / (1 + k4 * r2 + k5 * r2**2 + k6 * r2**3)
    return np.stack(
        [
            x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x**2),
            y * radial + p1 * (r2 + 2 * y**2) + 2 * p2 * x * y,
        ],
        axis=-1,
    )


def determinant(x: np.ndarray, y: np.ndarray, lens: tuple[float, ...]) -> np.ndarray:
    """Of the derivative of that formula, by differences."""
    step = 1e-6
    across = (opencvs(x + step, y, lens) - opencvs(x - step, y, lens)) / (2 * step)
    down = (opencvs(x, y + step, lens) - opencvs(x, y - step, lens)) / (2 * step)
    return across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0]


@folding
def test_the_fold_is_where_the_determinant_first_falls_to_zero(lens: tuple[float, ...]) -> None:
    for azimuth in np.linspace(-np.pi, np.pi, 37):
        cosine, sine = np.cos(azimuth), np.sin(azimuth)
        radius = np.linspace(0.0, 4.0, 40_001)[1:]
        falls = np.flatnonzero(determinant(radius * cosine, radius * sine, lens) <= 0)
        bottom = 1 + sum(k * radius ** (2 * n) for n, k in enumerate(lens[5:], start=1))
        falls = np.concatenate([falls, np.flatnonzero(bottom <= 0)])
        fold = radius[falls.min()]
        assert fold < 1.6
        around = np.array([[cosine, sine]]) * fold * np.array([[0.9995], [1.0005]])
        assert np.isfinite(distort(around, lens)[:, 0]).tolist() == [True, False]


@folding
def test_every_pixel_is_seen_where_its_ray_began_or_shows_nothing(lens: tuple[float, ...]) -> None:
    camera = phone(lens)
    seen = camera.pixel_centres()
    for rays in (camera.unproject(seen), camera.directions(seen) * 7.0):
        shown = np.isfinite(rays).all(axis=-1)
        assert_array_equal(np.isnan(rays).all(axis=-1), ~shown)
        assert_allclose(camera.project(rays)[shown], seen[shown], rtol=0, atol=1e-6)
    assert_array_equal(np.isfinite(camera.solid_angle_sr(seen)), shown)
    assert (camera.solid_angle_sr(seen)[shown] > 0.0).all()


@folding
def test_no_pixel_is_lost_in_which_something_lands(lens: tuple[float, ...]) -> None:
    azimuth, share = np.meshgrid(np.linspace(0, 2 * np.pi, 721), np.linspace(0, 0.999, 301))
    along = np.stack([np.cos(azimuth[0]), np.sin(azimuth[0])], axis=-1)
    low, high = np.zeros(721), np.full(721, 2.0)  # the fold along each azimuth, by halving
    for _ in range(50):
        middle = 0.5 * (low + high)
        inside = np.isfinite(distort(along * middle[:, None], lens)).all(axis=1)
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    plane = np.stack([np.cos(azimuth), np.sin(azimuth)], axis=-1) * (share * low)[..., None]
    landed = opencvs(plane[..., 0], plane[..., 1], lens)
    assert_allclose(undistort(landed, lens), plane, rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", ["three", "barrel", "tangential", "phone"])
def test_a_picture_of_a_folding_lens_has_blind_corners(name: str) -> None:
    camera = phone(LENSES[name])
    blind = np.isnan(camera.directions(camera.pixel_centres())[..., 0])
    assert (0.001 if name == "tangential" else 0.02) < blind.mean() < 0.5
    assert blind[0, -1]
    assert not blind[60:100, 80:140].any()


@folding
def test_what_lies_beyond_the_fold_has_no_pixel(lens: tuple[float, ...]) -> None:
    camera, azimuth = phone(lens), np.linspace(0, 2 * np.pi, 50)[:, None]
    away = 1.001 * fold_radii(lens).max() + np.linspace(0.0, 30.0, 3000)
    x, y = away * np.cos(azimuth), away * np.sin(azimuth)
    landed = opencvs(x, y, lens) * [camera.fx, camera.fy] + [camera.cx, camera.cy]
    back = np.all((landed > 0) & (landed < [camera.width, camera.height]), axis=-1)
    if lens != LENSES["pole"]:
        assert back.any()  # the formula would put it back into the picture
    points_camera = np.stack([x, y, np.ones_like(x)], axis=-1) * 5.0
    assert np.isnan(camera.project(points_camera)).all()
    home = np.eye(4)
    assert np.isnan(project_world(camera, points_camera.reshape(-1, 3), home)).all()


lenses = st.tuples(
    st.floats(-0.6, 0.6), st.floats(-1.5, 1.5), st.floats(-0.02, 0.02), st.floats(-0.02, 0.02),
    st.floats(-1.2, 1.2), st.floats(-0.5, 0.5), st.floats(-0.3, 0.3), st.floats(-0.2, 0.2),
)  # fmt: skip


@given(lenses, st.sampled_from([4, 5, 8]), st.integers(0, 2**32 - 1))
def test_any_lens_is_one_to_one_or_blind(numbers: tuple[float, ...], count: int, seed: int) -> None:
    camera = phone(numbers[:count])
    random = np.random.default_rng(seed)
    seen = random.uniform(-20.0, [camera.width + 20.0, camera.height + 20.0], (200, 2))
    origins, directions = camera_rays(camera, seen, np.eye(4))
    assert_array_equal(origins, 0.0)
    shown = np.isfinite(directions).all(axis=1)
    assert_allclose(camera.project(directions)[shown], seen[shown], rtol=0, atol=1e-6)
    points_camera = np.concatenate([random.normal(0.0, 1.0, (200, 2)), np.ones((200, 1))], axis=1)
    landed = camera.project(points_camera)
    there = np.isfinite(landed).all(axis=1)
    # beside the fold a picture moves by nothing while the direction moves: there, less is known
    there &= magnification(points_camera[:, :2], camera.distortion) > 1e-3
    assert_allclose(camera.unproject(landed[there]), points_camera[there], rtol=0, atol=1e-6)


def test_lenses_that_never_fold_see_everything() -> None:
    for lens in ((0.1, 0.05, 0.0, 0.0), (0.3, -1.5, 0.0, 0.0, 1.2), (0.2, 0.1, 0.0, 0.0, 0.01)):
        assert_array_equal(fold_radii(lens), [np.inf])
        camera = phone(lens)
        assert np.isfinite(camera.directions(camera.pixel_centres())).all()


def test_the_turn_between_a_folding_model_and_a_pinhole_is_found() -> None:
    model = phone(LENSES["barrel"])
    turn, left_px = turn_between(model, phone(()))
    assert np.isfinite(turn).all()
    assert np.isfinite(left_px)


def test_a_drive_says_that_its_lens_folds(tmp_path: Path) -> None:
    root = maker.make_tracking(tmp_path / "drive")
    change_lines(root / "colmap/cameras.txt", slice(1), ("1 OPENCV 64 24 50 50 32 12 -0.6 0 0 0",))
    clip = import_clip("kitti-tracking", root)
    (camera,) = (images.camera for images in clip.cameras)
    blind = np.isnan(camera.directions(camera.pixel_centres())[..., 0])
    assert 0.1 < blind.mean() < 0.4
    said = f"its lens folds: {100 * blind.mean():.1f} % of the pixels show nothing"
    assert any(said in note for note in clip.notes)
