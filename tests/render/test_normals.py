"""Normals from depth: exact on planes, whole at edges, steady under noise."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from recon.kernels.native import native_module
from recon.rendering.normals import normals_reference, surface_normals
from recon.rendering.planes import BAND_ROWS
from scenes.sensors.camera import Camera, camera_rays
from tests.native_maker import SETS, needs_native

CAMERA = Camera(width=64, height=40, fx=60.0, fy=60.0, cx=32.0, cy=20.0)


@pytest.fixture(params=[surface_normals, normals_reference], ids=["used", "reference"])
def seen(request: pytest.FixtureRequest) -> Callable[..., np.ndarray]:
    """Normals of a picture from its distances, by what is used and by what defines them."""
    return lambda range_m, camera=CAMERA: normals(request.param, range_m, camera)


def normals(
    of: Callable[..., torch.Tensor], range_m: np.ndarray, camera: Camera, readout_m: float = 0.0
) -> np.ndarray:
    start, along = camera_rays(camera, camera.pixel_centres().reshape(-1, 2), np.eye(4))
    size = (camera.height, camera.width, 3)
    origins, directions = (torch.from_numpy(x).view(size) for x in (start, along))
    origins = origins + torch.linspace(0.0, readout_m, camera.height)[:, None, None]
    return of(origins, directions, torch.from_numpy(range_m).float(), 1 / camera.fx).numpy()


def plane_range_m(normal: np.ndarray, distance_m: float, camera: Camera = CAMERA) -> np.ndarray:
    """Distance along each ray to the plane normal . p = distance_m."""
    _, along = camera_rays(camera, camera.pixel_centres().reshape(-1, 2), np.eye(4))
    with np.errstate(divide="ignore"):
        range_m = distance_m / (along @ normal)
    return np.where(range_m > 0, range_m, np.inf).reshape(camera.height, camera.width)


def angle_deg(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.rad2deg(np.arccos(np.clip(np.abs(np.sum(a * b, axis=-1)), 0.0, 1.0)))


def test_slanted_planes_are_exact(seen) -> None:
    for normal in ([0.0, 0.0, 1.0], [0.6, 0.0, 0.8], [0.0, 0.98, 0.2]):
        unit = np.array(normal) / np.linalg.norm(normal)
        range_m = plane_range_m(unit, 5.0)
        found = seen(range_m)
        solid = np.isfinite(range_m) & (range_m < 60.0) & np.isfinite(found[..., 0])
        assert solid.sum() > 500
        assert angle_deg(found[solid], unit).max() < 0.05
        assert np.all(found[solid] @ unit < 0)  # towards the camera


def test_a_step_in_depth_mixes_nothing(seen) -> None:
    range_m = plane_range_m(np.array([0.0, 0.0, 1.0]), 8.0)
    range_m[10:30, 20:40] = plane_range_m(np.array([0.0, 0.0, 1.0]), 7.0)[10:30, 20:40]
    found = seen(range_m)
    assert not np.isnan(found).any()
    assert angle_deg(found, np.array([0.0, 0.0, 1.0])).max() < 0.05


def test_a_crease_stays_sharp(seen) -> None:
    ground, wall = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])
    ground_m, wall_m = plane_range_m(ground, 1.5), plane_range_m(wall, 10.0)
    range_m = np.minimum(ground_m, wall_m)
    found = seen(range_m)
    is_ground = ground_m < wall_m
    assert angle_deg(found[is_ground], ground).max() < 0.1
    assert angle_deg(found[~is_ground], wall).max() < 0.1


def test_noise_is_averaged(seen) -> None:
    unit = np.array([0.0, 0.95, 0.312])
    unit /= np.linalg.norm(unit)
    range_m = plane_range_m(unit, 2.0)
    near = np.isfinite(range_m) & (range_m < 20.0)
    noise = np.random.default_rng(0).normal(0.0, 0.005, range_m.shape)
    found = seen(range_m * (1.0 + noise))
    good = near & np.isfinite(found[..., 0])
    assert good.sum() > 0.95 * near.sum()
    assert np.median(angle_deg(found[good], unit)) < 1.0


def test_roughness_of_a_few_pixels_is_averaged(seen) -> None:
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


def test_too_little_surface_has_no_normal(seen) -> None:
    range_m = np.full((40, 64), np.inf)
    range_m[20, 10:50] = 5.0
    range_m[5, 5] = 3.0
    assert np.isnan(seen(range_m)).all()
    assert np.isnan(seen(np.full((40, 64), np.inf))).all()


def test_bands_do_not_show(seen) -> None:
    tall = Camera(width=8, height=BAND_ROWS + 30, fx=200.0, fy=200.0, cx=4.0, cy=10.0)
    range_m = plane_range_m(np.array([0.0, 0.9, 0.4359]), 3.0, tall)
    range_m *= 1.0 + np.random.default_rng(1).normal(0.0, 0.001, range_m.shape)
    whole = seen(range_m, tall)
    low = BAND_ROWS - 40
    part = Camera(width=8, height=70, fx=200.0, fy=200.0, cx=4.0, cy=10.0 - low)
    np.testing.assert_array_equal(whole[low + 20 : -20], seen(range_m[low:], part)[20:-20])


@needs_native
@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (33, 41), (75, 130)])
def test_the_engine_does_what_the_reference_does(name: str, size: tuple[int, int]) -> None:
    height, width = size
    camera = Camera(width=width, height=height, fx=90.0, fy=90.0, cx=width / 2, cy=height / 3)
    random = np.random.default_rng(width)
    range_m = np.minimum(
        plane_range_m(np.array([0.0, 1.0, 0.0]), 1.5, camera),
        plane_range_m(np.array([0.6, 0.0, 0.8]), 6.0, camera),
    )
    rough = 1.0 + random.normal(0.0, 0.01, size) * (random.random(size) < 0.3)
    range_m = np.where((range_m > 40.0) | (random.random(size) < 0.02), np.inf, range_m * rough)
    used, before = native_module(), native_module().instruction_set()
    try:
        used.use_instruction_set(name)
        found = normals(surface_normals, range_m, camera, 0.3)
    finally:
        used.use_instruction_set(before)
    expected = normals(normals_reference, range_m, camera, 0.3)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_allclose(found, expected, atol=1e-9)


@needs_native
def test_threads_change_no_normal() -> None:
    camera = Camera(width=70, height=90, fx=200.0, fy=200.0, cx=35.0, cy=20.0)
    range_m = plane_range_m(np.array([0.0, 0.9, 0.4359]), 3.0, camera)
    range_m *= 1.0 + np.random.default_rng(1).normal(0.0, 0.01, range_m.shape)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append(normals(surface_normals, range_m, camera))
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(*found)
