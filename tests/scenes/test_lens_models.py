"""Mei's lens and the f-theta lens against their formulas, written out once more, and their laws."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from scenes.sensors.camera import Camera
from scenes.sensors.fisheye import widest_rad as widest_fisheye
from scenes.sensors.ftheta import ftheta_intrinsics
from scenes.sensors.ftheta import widest_rad as widest_ftheta
from scenes.sensors.lens_models import LensName
from scenes.sensors.mei import widest_rad as widest_mei
from tests.strategies import wide_lenses

KITTI_360 = Camera(
    width=1400, height=1400, fx=1336.3, fy=1335.8, cx=717.4, cy=706.3,
    lens="mei", distortion=(2.2134, 0.0168, 1.6548, 0.00042, 0.00042),
)  # fmt: skip
"""As the fisheyes of KITTI-360: 185 degrees wide."""
BACKWARD_PX = (0.0, 1.06e-3, -3.1e-8, 7.5e-11, -9.0e-14, 4.2e-17)
"""Angle [rad] of a radius [px], by increasing power, as a 120 degree camera of 4K has it."""
FORWARD_PX = (0.0, 941.0, 21.0, -37.0, 6.5, -2.1)
"""Radius [px] of an angle [rad]."""


def ftheta(polynomial: tuple[float, ...], inverse: bool, *, widest: float = np.pi) -> Camera:
    fx, fy, lens = ftheta_intrinsics(polynomial, inverse, (1.002, 0.0007, -0.0004), widest)
    return Camera(
        width=1920, height=1208, fx=fx, fy=fy, cx=958.3, cy=610.1,
        lens="ftheta-inverse" if inverse else "ftheta", distortion=lens,
    )  # fmt: skip


FORWARD, BACKWARD = ftheta(FORWARD_PX, False), ftheta(BACKWARD_PX, True)


def towards(theta: np.ndarray, azimuth: np.ndarray) -> np.ndarray:
    """Unit directions at angles off the axis."""
    flat = np.sin(theta)
    return np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), np.cos(theta)], axis=-1)


def directions(widest: float, count: int = 300, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return towards(random.uniform(0.0, widest, count), random.uniform(-np.pi, np.pi, count))


def kitti_360s(points: np.ndarray, camera: Camera) -> np.ndarray:
    """`cam2image` of KITTI-360's scripts, with the tangential terms of Mei's paper (eq. 4)."""
    xi, k1, k2, p1, p2 = camera.distortion
    norm = np.linalg.norm(points, axis=1)
    x, y, z = (points[:, i] / norm for i in range(3))
    x /= z + xi
    y /= z + xi
    ro2 = x * x + y * y
    radial = 1 + k1 * ro2 + k2 * ro2 * ro2
    bent_x = x * radial + 2 * p1 * x * y + p2 * (ro2 + 2 * x * x)
    bent_y = y * radial + p1 * (ro2 + 2 * y * y) + 2 * p2 * x * y
    return np.stack([camera.fx * bent_x + camera.cx, camera.fy * bent_y + camera.cy], axis=1)


@pytest.mark.parametrize("tangential", [True, False])
def test_meis_lens_is_that_of_kitti_360(tangential: bool) -> None:
    camera = KITTI_360
    if not tangential:
        camera = replace(camera, distortion=(*camera.distortion[:3], 0.0, 0.0))
    points = directions(widest_mei(camera.distortion) - 1e-3) * 7.0
    assert (points[:, 2] < -1.0).any()
    assert_allclose(camera.project(points), kitti_360s(points, camera), rtol=0, atol=1e-9)


def test_a_meis_lens_without_xi_is_opencvs() -> None:
    lens = (0.1, -0.05, 0.002, -0.001)
    mei = replace(KITTI_360, distortion=(0.0, *lens))
    points = directions(1.2)
    opencv = replace(mei, lens="opencv", distortion=lens)
    assert_allclose(mei.project(points), opencv.project(points), rtol=0, atol=1e-9)
    assert np.isnan(mei.project(np.array([1.0, 0.0, -0.1]))).all()


def test_a_meis_lens_sees_as_far_as_the_sphere_is_seen_once() -> None:
    widest = widest_mei(KITTI_360.distortion)
    assert widest == pytest.approx(np.arccos(-1.0 / 2.2134))
    around = towards(widest + np.array([-1e-3, 1e-3]), np.zeros(2))
    assert np.isnan(KITTI_360.project(around)).any(axis=1).tolist() == [False, True]
    # the formula would put what lies beyond back onto places that something else has
    beyond = kitti_360s(towards(np.array([widest + 0.2]), np.zeros(1)), KITTI_360)
    assert np.isfinite(KITTI_360.directions(beyond)).all()
    stereographic = replace(KITTI_360, distortion=(1.0, 0.0, 0.0, 0.0, 0.0))
    assert widest_mei(stereographic.distortion) == pytest.approx(np.pi)
    assert np.isnan(KITTI_360.project(np.zeros(3))).all()


def place_px(camera: Camera, radius_px: np.ndarray, azimuth: np.ndarray) -> np.ndarray:
    """NCore's: [c d; e 1] times the place of an ideal lens, from the principal point."""
    ideal = radius_px * np.stack([np.cos(azimuth), np.sin(azimuth)])
    linear = np.array([[1.002, 0.0007], [-0.0004, 1.0]])
    return (linear @ ideal).T + [camera.cx, camera.cy]


def test_an_f_theta_lens_is_its_polynomial_in_pixels() -> None:
    random = np.random.default_rng(0)
    azimuth = random.uniform(-np.pi, np.pi, 200)
    theta = random.uniform(0.0, 1.3, 200)
    radius_px = np.sum([a * theta**n for n, a in enumerate(FORWARD_PX)], axis=0)
    found = FORWARD.project(towards(theta, azimuth) * 3.0)
    assert_allclose(found, place_px(FORWARD, radius_px, azimuth), rtol=0, atol=1e-9)
    radius_px = random.uniform(0.0, 1000.0, 200)
    theta = np.sum([b * radius_px**n for n, b in enumerate(BACKWARD_PX)], axis=0)
    seen = BACKWARD.directions(place_px(BACKWARD, radius_px, azimuth))
    assert_allclose(seen, towards(theta, azimuth), rtol=0, atol=1e-12)
    assert_allclose(
        BACKWARD.project(towards(theta, azimuth)), place_px(BACKWARD, radius_px, azimuth),
        rtol=0, atol=1e-8,
    )  # fmt: skip


@pytest.mark.parametrize(("polynomial", "inverse"), [(FORWARD_PX, False), (BACKWARD_PX, True)])
def test_an_f_theta_lens_is_blind_beyond_what_was_calibrated(
    polynomial: tuple[float, ...], inverse: bool
) -> None:
    camera = ftheta(polynomial, inverse, widest=0.6)
    around = towards(np.array([0.599, 0.601]), np.array([0.3, 0.3]))
    assert np.isnan(camera.project(around)).any(axis=1).tolist() == [False, True]
    rim = ftheta(polynomial, inverse).project(around)
    assert np.isnan(camera.directions(rim)).any(axis=1).tolist() == [False, True]
    assert np.isnan(camera.solid_angle_sr(rim)).tolist() == [False, True]


def test_an_f_theta_lens_is_blind_where_its_polynomial_turns() -> None:
    lens = (0.0, -1.0 / 3.0, 0.0, 0.0, 0.0, 0.0, float(np.pi))  # t - t^3 / 3 turns back at 1
    forward = replace(FORWARD, distortion=lens)
    assert widest_ftheta(lens) == pytest.approx(1.0)
    around = towards(np.array([0.999, 1.001]), np.zeros(2))
    assert np.isnan(forward.project(around)).any(axis=1).tolist() == [False, True]
    assert widest_ftheta(lens, inverse=True) == pytest.approx(2.0 / 3.0)
    around = towards(np.array([0.665, 0.668]), np.zeros(2))
    inverse = replace(BACKWARD, distortion=lens)
    assert np.isnan(inverse.project(around)).any(axis=1).tolist() == [False, True]
    assert_allclose(inverse.directions(inverse.project(around[0])), around[0], atol=1e-9)


@pytest.mark.parametrize(
    "wrong", [(1.0, 900.0), (0.0, 0.0), (0.0, -900.0), (0.0, 900.0, 0.0, 0.0, 0.0, 0.0, 1.0)]
)
def test_polynomials_that_are_none_are_refused(wrong: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="grows from 0, of degree 5"):
        ftheta_intrinsics(wrong, False)


def lens_of(name: LensName, lens: tuple[float, ...]) -> Camera:
    scale = 1.0 + lens[0] if name == "mei" else 1.0
    return Camera(
        width=300, height=220, fx=95.0 * scale, fy=96.0 * scale, cx=151.0, cy=108.0,
        lens=name, distortion=lens,
    )  # fmt: skip


any_wide = st.sampled_from(sorted(wide_lenses())).flatmap(
    lambda name: wide_lenses()[name].map(lambda lens: lens_of(name, lens))
)


@given(any_wide, st.integers(0, 2**32 - 1))
def test_a_wide_lens_is_one_to_one_or_blind(camera: Camera, seed: int) -> None:
    random = np.random.default_rng(seed)
    seen = random.uniform(-40.0, [camera.width + 40.0, camera.height + 40.0], (200, 2))
    rays = camera.directions(seen)
    shown = np.isfinite(rays).all(axis=1)
    assert shown.any()
    assert_array_equal(np.isnan(rays).all(axis=1), ~shown)
    assert_array_equal(np.isfinite(camera.solid_angle_sr(seen)), shown)
    assert_allclose(np.linalg.norm(rays[shown], axis=1), 1.0, rtol=0, atol=1e-12)
    assert_allclose(camera.project(rays * 5.0)[shown], seen[shown], rtol=0, atol=1e-6)
    points = directions(np.pi, seed=seed)
    landed = camera.project(points)
    there = np.flatnonzero(np.isfinite(landed).all(axis=1))
    # beside the rim a picture moves by nothing while the direction moves: there, less is known
    there = there[camera.solid_angle_sr(landed[there]) < 50.0 / (camera.fx * camera.fy)]
    assert len(there)
    assert_allclose(camera.directions(landed[there]), points[there], rtol=0, atol=1e-6)


@given(any_wide)
def test_what_is_too_far_off_the_axis_has_no_pixel(camera: Camera) -> None:
    inverse = camera.lens == "ftheta-inverse"
    widest = {
        "kannala-brandt": lambda: widest_fisheye(camera.distortion),
        "mei": lambda: widest_mei(camera.distortion),
    }.get(camera.lens, lambda: widest_ftheta(camera.distortion, inverse))()
    beyond = towards(widest + np.linspace(1e-6, 1.0, 50) * (np.pi - widest), np.arange(50.0))
    assert np.isnan(camera.project(beyond[:-1])).all()


@pytest.mark.parametrize("camera", [KITTI_360, FORWARD, BACKWARD], ids=["mei", "forward", "back"])
def test_the_solid_angles_of_a_cap_add_up(camera: Camera) -> None:
    small = camera.scaled(480, 302) if camera.lens != "mei" else camera.scaled(350, 350)
    centres = small.pixel_centres()
    angle, theta = small.solid_angle_sr(centres), 0.55
    inside = small.directions(centres)[..., 2] > np.cos(theta)
    cap = 2.0 * np.pi * (1.0 - np.cos(theta))
    assert angle[inside].sum() == pytest.approx(cap, rel=3e-3)


def test_the_solid_angle_stays_sound_at_the_rim() -> None:
    mei = replace(KITTI_360, distortion=(2.2, 0.0, 0.0, 0.0, 0.0))
    for camera, rim in ((mei, (2.2**2 - 1.0) ** -0.5), (replace(FORWARD, distortion=(
        0.0, -1.0 / 3.0, 0.0, 0.0, 0.0, 0.0, 3.0)), 2.0 / 3.0)):  # fmt: skip
        middle = np.array([camera.cx, camera.cy])
        away = rim * camera.fx - np.array([3.0, 1.0, 1e-3, 1e-6])
        inner, *at_rim = camera.solid_angle_sr(middle + away[:, None] * [1.0, 0.0])
        for angle in at_rim:
            assert inner < angle < 6.0 * inner
