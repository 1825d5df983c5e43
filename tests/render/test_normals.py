"""Normals from depth: exact on planes, whole at edges, steady under noise."""

import numpy as np
import torch

from recon.rendering.normals import surface_normals
from recon.rendering.planes import BAND_ROWS
from scenes.sensors.camera import Camera, camera_rays

CAMERA = Camera(width=64, height=40, fx=60.0, fy=60.0, cx=32.0, cy=20.0)


def seen(range_m: np.ndarray, camera: Camera = CAMERA) -> np.ndarray:
    start, along = camera_rays(camera, camera.pixel_centres().reshape(-1, 2), np.eye(4))
    size = (camera.height, camera.width, 3)
    origins, directions = (torch.from_numpy(x).view(size) for x in (start, along))
    normal = surface_normals(origins, directions, torch.from_numpy(range_m).float(), 1 / camera.fx)
    return normal.numpy()


def plane_range_m(normal: np.ndarray, distance_m: float, camera: Camera = CAMERA) -> np.ndarray:
    """Distance along each ray to the plane normal . p = distance_m."""
    _, along = camera_rays(camera, camera.pixel_centres().reshape(-1, 2), np.eye(4))
    with np.errstate(divide="ignore"):
        range_m = distance_m / (along @ normal)
    return np.where(range_m > 0, range_m, np.inf).reshape(camera.height, camera.width)


def angle_deg(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.rad2deg(np.arccos(np.clip(np.abs(np.sum(a * b, axis=-1)), 0.0, 1.0)))


def test_slanted_planes_are_exact() -> None:
    for normal in ([0.0, 0.0, 1.0], [0.6, 0.0, 0.8], [0.0, 0.98, 0.2]):
        unit = np.array(normal) / np.linalg.norm(normal)
        range_m = plane_range_m(unit, 5.0)
        found = seen(range_m)
        solid = np.isfinite(range_m) & (range_m < 60.0) & np.isfinite(found[..., 0])
        assert solid.sum() > 500
        assert angle_deg(found[solid], unit).max() < 0.05
        assert np.all(found[solid] @ unit < 0)  # towards the camera


def test_a_step_in_depth_mixes_nothing() -> None:
    range_m = plane_range_m(np.array([0.0, 0.0, 1.0]), 8.0)
    range_m[10:30, 20:40] = plane_range_m(np.array([0.0, 0.0, 1.0]), 7.0)[10:30, 20:40]
    found = seen(range_m)
    assert not np.isnan(found).any()
    assert angle_deg(found, np.array([0.0, 0.0, 1.0])).max() < 0.05


def test_a_crease_stays_sharp() -> None:
    ground, wall = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])
    ground_m, wall_m = plane_range_m(ground, 1.5), plane_range_m(wall, 10.0)
    range_m = np.minimum(ground_m, wall_m)
    found = seen(range_m)
    is_ground = ground_m < wall_m
    assert angle_deg(found[is_ground], ground).max() < 0.1
    assert angle_deg(found[~is_ground], wall).max() < 0.1


def test_noise_is_averaged() -> None:
    unit = np.array([0.0, 0.95, 0.312])
    unit /= np.linalg.norm(unit)
    range_m = plane_range_m(unit, 2.0)
    near = np.isfinite(range_m) & (range_m < 20.0)
    noise = np.random.default_rng(0).normal(0.0, 0.005, range_m.shape)
    found = seen(range_m * (1.0 + noise))
    good = near & np.isfinite(found[..., 0])
    assert good.sum() > 0.95 * near.sum()
    assert np.median(angle_deg(found[good], unit)) < 1.0


def test_roughness_of_a_few_pixels_is_averaged() -> None:
    # as a rendered facade is: bumps of 2 %, four pixels wide, seen by a camera with small pixels
    camera = Camera(width=200, height=80, fx=250.0, fy=250.0, cx=100.0, cy=40.0)
    unit = np.array([0.8, 0.0, 0.6])
    coarse = np.random.default_rng(3).normal(0.0, 0.02, (21, 51))
    rows, columns = np.linspace(0, 19.99, 80), np.linspace(0, 49.99, 200)
    (i, down), (j, along) = ((x.astype(int), x % 1) for x in (rows, columns))
    along = along[None]
    top = coarse[i][:, j] * (1 - along) + coarse[i][:, j + 1] * along
    bottom = coarse[i + 1][:, j] * (1 - along) + coarse[i + 1][:, j + 1] * along
    bumps = top * (1 - down[:, None]) + bottom * down[:, None]
    error = angle_deg(seen(plane_range_m(unit, 6.0, camera) * (1.0 + bumps), camera), unit)
    assert np.isfinite(error).mean() > 0.95
    assert np.nanmedian(error) < 8.0  # 5 x 5 pixels alone: more than 20


def test_too_little_surface_has_no_normal() -> None:
    range_m = np.full((40, 64), np.inf)
    range_m[20, 10:50] = 5.0
    range_m[5, 5] = 3.0
    assert np.isnan(seen(range_m)).all()
    assert np.isnan(seen(np.full((40, 64), np.inf))).all()


def test_bands_do_not_show() -> None:
    tall = Camera(width=8, height=BAND_ROWS + 30, fx=200.0, fy=200.0, cx=4.0, cy=10.0)
    range_m = plane_range_m(np.array([0.0, 0.9, 0.4359]), 3.0, tall)
    range_m *= 1.0 + np.random.default_rng(1).normal(0.0, 0.001, range_m.shape)
    whole = seen(range_m, tall)
    low = BAND_ROWS - 40
    part = Camera(width=8, height=70, fx=200.0, fy=200.0, cx=4.0, cy=10.0 - low)
    np.testing.assert_array_equal(whole[low + 20 : -20], seen(range_m[low:], part)[20:-20])
