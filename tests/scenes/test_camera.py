from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from scenes.motion.geometry import invert, rigid, transform_points
from scenes.motion.trajectory import Trajectory
from scenes.sensors.camera import Camera, Readout, camera_rays, project_world
from scenes.sensors.fisheye import widest_rad
from tests.strategies import arrays, cameras, pixels, rides, transforms

VGA = Camera(width=640, height=480, fx=500.0, fy=510.0, cx=320.0, cy=240.0)
LENS = (-0.2, 0.05, 0.001, -0.002, 0.01, 0.05, -0.01, 0.002)


@given(st.data(), cameras(), arrays((4, 1), 0.1, 1000.0))
def test_projecting_undoes_unprojecting(
    data: st.DataObject, camera: Camera, z_m: np.ndarray
) -> None:
    seen = data.draw(pixels(camera))
    back = camera.project(camera.unproject(seen) * z_m)
    assert_allclose(back, seen, rtol=0, atol=1e-6)


@given(cameras(), arrays((4, 2), -0.4, 0.4), arrays((4, 1), 0.1, 1000.0))
def test_unprojecting_undoes_projecting(camera: Camera, plane: np.ndarray, z_m: np.ndarray) -> None:
    points_camera = np.concatenate([plane, np.ones((4, 1))], axis=1) * z_m
    back = camera.unproject(camera.project(points_camera)) * z_m
    assert_allclose(back, points_camera, rtol=1e-8, atol=1e-8)


@given(st.data(), cameras(), transforms(), arrays((4, 1), 1.0, 100.0))
def test_a_point_on_a_ray_is_seen_where_the_ray_began(
    data: st.DataObject, camera: Camera, world_from_camera: np.ndarray, range_m: np.ndarray
) -> None:
    seen = data.draw(pixels(camera))
    origins, directions = camera_rays(camera, seen, world_from_camera)
    assert_allclose(np.linalg.norm(directions, axis=-1), 1.0, atol=1e-12)
    back = project_world(camera, origins + range_m * directions, world_from_camera)
    assert_allclose(back, seen, rtol=0, atol=1e-6)


@given(st.data(), cameras(readout_us=30_000, usual=True), rides(), arrays((4, 1), 20.0, 100.0))
def test_a_rolling_shutter_sees_points_where_their_rays_began(
    data: st.DataObject, camera: Camera, ride: Trajectory, range_m: np.ndarray
) -> None:
    seen = data.draw(pixels(camera))
    origins, directions = camera_rays(camera, seen, ride, time_us=100_000)
    found = project_world(camera, origins + range_m * directions, ride, time_us=100_000)
    # Row times are whole µs, in which 4 m and 0.1 rad of a step are next to nothing.
    assert_allclose(found, seen, rtol=0, atol=1e-3 + 1e-5 * max(camera.fx, camera.fy))


@pytest.mark.parametrize(
    ("readout", "places"),
    [
        ("top-bottom", [[3.0, 0.0], [9.0, 240.0], [5.0, 480.0]]),
        ("bottom-top", [[3.0, 480.0], [9.0, 240.0], [5.0, 0.0]]),
        ("left-right", [[0.0, 3.0], [320.0, 9.0], [640.0, 5.0]]),
        ("right-left", [[640.0, 3.0], [320.0, 9.0], [0.0, 5.0]]),
    ],
)
def test_a_rolling_shutter_sees_each_line_from_its_own_place(
    readout: Readout, places: list[list[float]]
) -> None:
    camera = replace(VGA, readout_us=10_000, readout=readout)
    poses = rigid(np.broadcast_to(np.eye(3), (2, 3, 3)), np.array([[0.0, 0, 0], [1.0, 0, 0]]))
    drive = Trajectory(time_us=np.array([0, 10_000]), world_from_body=poses)
    origins, _ = camera_rays(camera, np.array(places), drive)
    assert_allclose(origins[:, 0], [0.0, 0.5, 1.0])
    offset_us = camera.readout_offset_us(camera.line_centres())
    assert len(offset_us) == camera.lines == (480 if readout.endswith(("top", "bottom")) else 640)
    assert_allclose(np.sort(offset_us), 10_000 * (np.arange(camera.lines) + 0.5) / camera.lines)
    assert np.all(np.diff(offset_us) > 0) == (readout in ("top-bottom", "left-right"))


def test_the_order_of_pixels_changes_no_ray() -> None:
    camera = replace(VGA, readout_us=10_000)
    poses = rigid(np.broadcast_to(np.eye(3), (2, 3, 3)), np.array([[0.0, 0, 0], [1.0, 0, 0]]))
    drive = Trajectory(time_us=np.array([0, 10_000]), world_from_body=poses)
    pixels = camera.pixel_centres()[::40, ::40].reshape(-1, 2)  # row after row
    order = np.random.default_rng(0).permutation(len(pixels))
    for found, shuffled in zip(
        camera_rays(camera, pixels, drive), camera_rays(camera, pixels[order], drive), strict=True
    ):
        assert_array_equal(found[order], shuffled)


@given(st.data(), cameras(), st.floats(0.1, 3.0))
def test_a_scaled_camera_sees_the_same(data: st.DataObject, camera: Camera, z_m: float) -> None:
    other = camera.scaled(2 * camera.width, 3 * camera.height)
    seen = data.draw(pixels(camera))
    points_camera = camera.unproject(seen) * z_m
    assert_allclose(other.project(points_camera), seen * [2.0, 3.0], rtol=1e-6, atol=1e-6)
    assert other.scaled(camera.width, camera.height).fx == pytest.approx(camera.fx)


@pytest.mark.parametrize("count", [0, 4, 5, 8])
def test_distortion_is_opencvs(count: int) -> None:
    cv2 = pytest.importorskip("cv2")
    camera = replace(VGA, distortion=LENS[:count])
    rng = np.random.default_rng(0)
    points_camera = np.array([0.0, 0.0, 5.0]) + rng.uniform(-2.0, 2.0, (50, 3))
    matrix = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]])
    lens = np.array(camera.distortion) if count else None
    theirs, _ = cv2.projectPoints(points_camera, np.zeros(3), np.zeros(3), matrix, lens)
    assert_allclose(camera.project(points_camera), theirs[:, 0], rtol=0, atol=1e-9)


FISHEYE = Camera(
    width=640,
    height=480,
    fx=170.0,
    fy=172.0,
    cx=322.0,
    cy=239.0,
    distortion=(-0.02, 0.006, -0.002, 0.0002),
    lens="kannala-brandt",
)


@given(arrays((20, 2), 0.0, 1.0), arrays((20, 1), 0.1, 1000.0))
def test_a_fisheye_sees_points_where_their_rays_began(
    share: np.ndarray, range_m: np.ndarray
) -> None:
    seen = share * [640.0, 480.0]
    directions = FISHEYE.directions(seen)
    assert_allclose(np.linalg.norm(directions, axis=-1), 1.0, rtol=0, atol=1e-12)
    assert_allclose(FISHEYE.project(directions * range_m), seen, rtol=0, atol=1e-9)


@given(arrays((20, 1), 0.0, 0.95), arrays((20, 1), -np.pi, np.pi), st.booleans())
def test_a_fisheye_sees_behind_itself(share: np.ndarray, turn: np.ndarray, bent: bool) -> None:
    camera = FISHEYE if bent else replace(FISHEYE, distortion=())
    theta = share * widest_rad(camera.distortion)
    assert widest_rad(camera.distortion) > 0.5 * np.pi
    flat = np.sin(theta)
    directions = np.concatenate([flat * np.cos(turn), flat * np.sin(turn), np.cos(theta)], axis=1)
    assert_allclose(camera.directions(camera.project(directions)), directions, atol=1e-9)
    ahead = directions[:, 2] > 1e-3
    scaled = camera.unproject(camera.project(directions))
    assert_allclose(scaled[ahead, 2], 1.0, atol=1e-12)
    assert_allclose(scaled[ahead], directions[ahead] / directions[ahead, 2:], rtol=1e-5, atol=1e-9)
    assert np.isnan(scaled[directions[:, 2] < -1e-9]).all()  # no direction there reaches z = 1


def test_a_fisheye_is_opencvs() -> None:
    cv2 = pytest.importorskip("cv2")
    points_camera = np.array([0.0, 0.0, 2.0]) + np.random.default_rng(0).uniform(-2, 2, (50, 3))
    points_camera = points_camera[points_camera[:, 2] > 0.1]
    matrix = np.array([[FISHEYE.fx, 0, FISHEYE.cx], [0, FISHEYE.fy, FISHEYE.cy], [0, 0, 1]])
    theirs, _ = cv2.fisheye.projectPoints(
        points_camera[:, None], np.zeros(3), np.zeros(3), matrix, np.array(FISHEYE.distortion)
    )
    assert_allclose(FISHEYE.project(points_camera), theirs[:, 0], rtol=0, atol=1e-9)


def test_a_fisheye_is_blind_where_it_would_fold() -> None:
    lens = (-0.1, 0.0, 0.0, 0.0)  # theta - 0.1 theta^3 turns back at sqrt(1 / 0.3)
    camera = replace(FISHEYE, distortion=lens)
    assert widest_rad(lens) == pytest.approx(np.sqrt(1.0 / 0.3))
    theta = np.sqrt(1.0 / 0.3) + np.array([-0.01, 0.01])
    points_camera = np.stack([np.sin(theta), 0 * theta, np.cos(theta)], axis=1)
    assert np.isnan(camera.project(points_camera)).any(axis=1).tolist() == [False, True]
    assert np.isnan(camera.project(np.zeros(3))).all()
    outside = np.array([camera.cx + 1.3 * camera.fx, camera.cy])
    assert np.isnan(camera.directions(outside)).all()
    assert np.isnan(camera.unproject(outside)).all()
    assert np.isnan(camera.solid_angle_sr(outside))
    assert_allclose(camera.unproject(np.array([camera.cx, camera.cy])), [0.0, 0.0, 1.0])


MEI = Camera(
    width=640, height=480, fx=620.0, fy=615.0, cx=322.0, cy=239.0,
    lens="mei", distortion=(2.2, 0.017, 1.65, 0.0004, -0.0004),
)  # fmt: skip
FTHETA = replace(FISHEYE, lens="ftheta", distortion=(0.02, -0.03, 0.01, -0.002, 0.004, -0.003, 2.5))
CAMERAS = {
    "pinhole": VGA,
    "bent": replace(VGA, distortion=LENS),
    "fisheye": FISHEYE,
    "mei": MEI,
    "stereographic": replace(MEI, fx=340.0, fy=340.0, distortion=(1.0, 0.01, 0.02, 0.0, 0.0)),
    "ftheta": FTHETA,
    "ftheta-inverse": replace(FTHETA, lens="ftheta-inverse"),
}
every_lens = pytest.mark.parametrize("lens", CAMERAS)


@every_lens
def test_directions_are_of_unit_length_and_know_their_depth(lens: str) -> None:
    camera = CAMERAS[lens]
    seen = np.random.default_rng(1).uniform(0.0, [640.0, 480.0], (500, 2))
    seen = seen[np.isfinite(camera.directions(seen)).all(axis=1)]
    directions = camera.directions(seen)
    assert_allclose(np.linalg.norm(directions, axis=1), 1.0, atol=1e-12)
    z_m, range_m = 7.0, 7.0 / np.where(directions[:, 2] > 1e-3, directions[:, 2], np.nan)
    points_camera = camera.unproject(seen) * z_m
    ahead = np.isfinite(range_m)
    assert ahead.sum() > 300
    assert_allclose(points_camera[ahead], (directions * range_m[:, None])[ahead], rtol=1e-9)
    assert_allclose(camera.project(points_camera[ahead]), seen[ahead], atol=1e-6)


@every_lens
def test_the_solid_angle_of_a_pixel_is_what_its_corners_span(lens: str) -> None:
    camera = CAMERAS[lens]
    middle = np.array([[61.5, 72.5], [100.5, 300.5], [320.5, 240.5], [558.5, 407.5]])
    a, b, c, d = (camera.directions(middle + at) for at in np.array(SQUARE) - 0.5)
    spanned = sum(
        2 * np.arctan2(np.abs(_triple(p, q, r)), 1 + _dot(p, q) + _dot(q, r) + _dot(r, p))
        for p, q, r in ((a, b, c), (a, c, d))  # spherical triangles (van Oosterom, Strackee 1983)
    )
    assert_allclose(camera.solid_angle_sr(middle), spanned, rtol=1e-3)


def test_the_solid_angles_of_a_whole_fisheye_add_up() -> None:
    camera = replace(FISHEYE, cx=320.0, cy=240.0, fy=170.0, distortion=())  # all within 2.4 rad
    angle = np.nan_to_num(camera.solid_angle_sr(camera.pixel_centres()))
    away = np.hypot(*np.moveaxis(camera.pixel_centres() - [320.0, 240.0], -1, 0))
    theta = 1.2  # the circle of 1.2 rad lies inside of the picture
    cap = 2.0 * np.pi * (1.0 - np.cos(theta))
    assert angle[away < theta * camera.fx].sum() == pytest.approx(cap, rel=2e-3)


def test_the_solid_angle_stays_sound_at_the_rim_of_the_circle() -> None:
    lens = (-0.35, 0.0, 0.0, 0.0)
    camera = Camera(
        width=24,
        height=16,
        fx=20.0,
        fy=20.0,
        cx=12.0,
        cy=7.0,
        distortion=lens,
        lens="kannala-brandt",
    )
    rim = 2.0 / 3.0 * widest_rad(lens) * 20.0  # theta - 0.35 theta^3 where it turns back
    inner = camera.solid_angle_sr(np.array([12.0 + rim - 3.0, 7.0]))
    for inside in (1.0, 1e-3, 1e-6):
        at_rim = camera.solid_angle_sr(np.array([12.0 + rim - inside, 7.0]))
        assert inner < at_rim < 6.0 * inner


SQUARE = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.sum(a * b, axis=-1)


def _triple(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    return _dot(a, np.cross(b, c))


@given(st.lists(st.floats(-5.0, 0.0), min_size=1, max_size=4))
def test_what_is_not_in_front_has_no_pixel(z_m: list[float]) -> None:
    points_camera = np.stack([np.ones(len(z_m)), np.ones(len(z_m)), np.array(z_m)], axis=-1)
    assert np.isnan(VGA.project(points_camera)).all()


def test_the_first_pixels_centre_is_half_a_pixel_in() -> None:
    centres = VGA.pixel_centres()
    assert centres.shape == (480, 640, 2)
    assert_array_equal(centres[0, 0], [0.5, 0.5])
    assert_array_equal(centres[-1, -1], [639.5, 479.5])
    assert_allclose(VGA.project(np.array([0.0, 0.0, 3.0])), [320.0, 240.0])


@given(cameras(), transforms())
def test_a_pose_and_a_standing_trajectory_are_the_same(
    camera: Camera, world_from_camera: np.ndarray
) -> None:
    assume(camera.readout_us == 0)
    beside = np.array([[0.1, 0.2, 5.0], [2.0, 1.0, -5.0]])
    points_world = transform_points(world_from_camera, beside)
    standing = Trajectory(time_us=np.array([0]), world_from_body=world_from_camera[None])
    one = project_world(camera, points_world, world_from_camera)
    other = project_world(camera, points_world, standing)
    assert_allclose(one, other, rtol=1e-9)
    camera_from_world = invert(world_from_camera)
    direct = camera.project(transform_points(camera_from_world, points_world))
    assert_allclose(one, direct, rtol=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 0}, "pixels"),
        ({"fx": 0.0}, "focal lengths positive"),
        ({"fy": -1.0}, "focal lengths positive"),
        ({"cx": float("nan")}, "finite"),
        ({"distortion": (0.1, 0.2)}, "0, 4, 5 or 8"),
        ({"distortion": (float("inf"), 0.0, 0.0, 0.0)}, "finite"),
        ({"distortion": (1e300, 0.0, 0.0, 0.0)}, "no lens has distortion"),
        ({"readout_us": -1}, "readout_us"),
        (
            {"lens": "kannala-brandt", "distortion": (0.1, 0.0, 0.0, 0.0, 0.0)},
            "brandt takes 0 or 4",
        ),
    ],
)
def test_impossible_cameras_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(VGA, **change)  # pyright: ignore[reportArgumentType]
