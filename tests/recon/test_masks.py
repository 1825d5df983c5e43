from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from recon.data.masks import NEAR_M, actor_mask, box_extent, sky_mask
from scenes.motion.geometry import invert, rigid, rotation_exp, transform_points, translation
from scenes.sensors.camera import Camera
from scenes.worlds.record.rigs import fisheye
from tests.clip_maker import parked_car
from tests.scene_maker import driving_car
from tests.strategies import arrays, rotvecs

CAMERA = Camera(width=64, height=40, fx=40.0, fy=42.0, cx=30.0, cy=21.0)
LENS = Camera(
    width=64, height=40, fx=90.0, fy=90.0, cx=32.0, cy=20.0, distortion=(-0.1, 0.02, 0.0, 0.0)
)
WIDE = fisheye(96, 64, 0, np.deg2rad(210.0))
FRONT = rigid(
    np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]]), np.array([0, 0, 2.0])
)
SIZE_M = np.array([4.0, 2.0, 1.5])
HOME = np.eye(4)
FORWARD = rigid(np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]), np.zeros(3))


def surface(size_m: np.ndarray, steps: int = 15) -> np.ndarray:
    """Points all over a box's faces, edges and corners among them."""
    share = np.linspace(-0.5, 0.5, steps)
    u, v = (x.ravel() for x in np.meshgrid(share, share))
    faces = [
        np.insert(np.stack([u, v], axis=1), axis, side, axis=1)
        for axis in range(3)
        for side in (-0.5, 0.5)
    ]
    return np.concatenate(faces) * size_m


def check_covers(camera: Camera, camera_from_box: np.ndarray) -> None:
    extent = box_extent(camera, HOME, camera_from_box, SIZE_M)
    seen = transform_points(camera_from_box, surface(SIZE_M))
    seen = seen[seen[:, 2] >= NEAR_M]
    if extent is None:
        assert len(seen) == 0
        return
    if len(seen):
        pixels = camera.project(seen)
        tolerance = 1e-6 * (1.0 + np.abs(pixels).max())
        assert (pixels >= np.array(extent[:2]) - tolerance).all()
        assert (pixels <= np.array(extent[2:]) + tolerance).all()


@given(rotvecs(), arrays((3,), -3.0, 3.0), st.floats(-4.0, 30.0))
def test_the_extent_covers_every_point_of_the_box(
    rotvec: np.ndarray, beside_m: np.ndarray, ahead_m: float
) -> None:
    place_m = np.array([beside_m[0], beside_m[1], ahead_m])
    check_covers(CAMERA, rigid(rotation_exp(rotvec), place_m))


@given(rotvecs(), arrays((3,), -12.0, 12.0))
def test_a_fisheye_sees_boxes_beside_and_behind_itself(
    rotvec: np.ndarray, place_m: np.ndarray
) -> None:
    assume(np.abs(place_m).max() > 3.0)
    camera_from_box = rigid(rotation_exp(rotvec), place_m)
    pixels = WIDE.project(transform_points(camera_from_box, surface(SIZE_M)))
    pixels = pixels[np.isfinite(pixels).all(axis=1)]
    extent = box_extent(WIDE, HOME, camera_from_box, SIZE_M)
    if len(pixels):
        assert extent is not None
        assert (pixels >= np.array(extent[:2]) - 2.0).all()  # less than the margin of masks
        assert (pixels <= np.array(extent[2:]) + 2.0).all()


def test_a_fisheye_sees_a_wall_whose_edges_it_does_not_see() -> None:
    wall = np.array([0.4, 60.0, 60.0])
    extent = box_extent(replace(WIDE, distortion=(-0.35, 0.0, 0.0, 0.0)), HOME, FRONT, wall)
    assert extent is not None


@given(arrays((3,), -0.5, 0.5), st.floats(8.0, 40.0))
def test_bent_edges_are_covered_within_a_fraction_of_a_pixel(
    turn: np.ndarray, ahead_m: float
) -> None:
    camera_from_box = rigid(rotation_exp(turn), np.array([0.5, 0.2, ahead_m]))
    extent = box_extent(LENS, HOME, camera_from_box, SIZE_M)
    assert extent is not None
    pixels = LENS.project(transform_points(camera_from_box, surface(SIZE_M)))
    assert (pixels >= np.array(extent[:2]) - 0.05).all()
    assert (pixels <= np.array(extent[2:]) + 0.05).all()


def test_a_known_box() -> None:
    # 4 x 2 x 1.5 along the camera's x, y, z, 10 m away: its front face is 9.25 m away
    extent = box_extent(CAMERA, HOME, translation(np.array([0.0, 0.0, 10.0])), SIZE_M)
    half_px = np.array([40.0 * 2.0, 42.0 * 1.0]) / 9.25
    assert extent == pytest.approx(
        [30 - half_px[0], 21 - half_px[1], 30 + half_px[0], 21 + half_px[1]]
    )


def test_a_box_behind_the_camera_has_no_extent() -> None:
    for behind_m in (-10.0, -1.0):
        place = translation(np.array([0.0, 0.0, behind_m]))
        assert box_extent(CAMERA, HOME, place, SIZE_M) is None


@pytest.mark.parametrize("ahead_m", [-1.75, -1.0, 0.0, 0.1, 1.0, 2.0])
def test_a_box_that_passes_the_camera_is_covered(ahead_m: float) -> None:
    # on the right, along the way the camera looks
    along = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
    camera_from_box = rigid(along, np.array([2.5, 0.0, ahead_m]))
    check_covers(CAMERA, camera_from_box)
    extent = box_extent(CAMERA, HOME, camera_from_box, SIZE_M)
    assert extent is not None
    assert extent[2] > CAMERA.width
    # its far side decides where it begins
    assert extent[0] == pytest.approx(30.0 + 40.0 * 1.5 / (ahead_m + 2.0))


def test_the_extent_of_boxes_is_masked() -> None:
    world_from_camera = translation(np.array([0.0, 1.0, 1.0])) @ FORWARD
    moving, parked = driving_car(), parked_car(x_m=9.0, y_m=-3.0, number=9)
    masked = actor_mask(CAMERA, world_from_camera, (moving,), 0, 0.0)
    both = actor_mask(CAMERA, world_from_camera, (moving, parked), 0, 0.0)
    assert (both >= masked).all()
    assert both.sum() > masked.sum()
    pose = moving.at(0)
    assert pose is not None
    # a little inside, so that no point lies on the border of a pixel
    points_m = transform_points(invert(world_from_camera) @ pose, surface(0.99 * moving.size_m))
    pixels = CAMERA.project(points_m)
    inside = np.all((pixels >= 0) & (pixels < [CAMERA.width, CAMERA.height]), axis=1)
    columns, rows = np.floor(pixels[inside]).astype(int).T
    assert inside.any()
    assert masked[rows, columns].all()
    # and hardly more than the extent
    size_px = np.ptp(pixels, axis=0) + 2.0
    assert masked.sum() <= size_px.prod()
    grown = actor_mask(CAMERA, world_from_camera, (moving,), 0, 3.0)
    assert (grown | ~masked).all()
    assert grown.sum() > masked.sum()


def test_before_and_after_its_time_an_actor_hides_nothing() -> None:
    world_from_camera = translation(np.array([0.0, 1.0, 1.0])) @ FORWARD
    for time_us in (-1_000_000, 5_000_000):
        assert not actor_mask(CAMERA, world_from_camera, (driving_car(),), time_us, 1.0).any()


def horizon(rows: int = 20, columns: int = 30) -> np.ndarray:
    """Sines of elevation, falling from the top row to the bottom one; the middle is level."""
    return np.broadcast_to(np.linspace(0.4, -0.4, rows)[:, None], (rows, columns)).copy()


SKY, WALL, TREE = (190, 205, 230), (180, 150, 130), (60, 110, 50)


def test_an_open_sky_is_found_down_to_the_horizon() -> None:
    picture = np.empty((20, 30, 3), dtype=np.uint8)
    picture[:] = SKY
    found = sky_mask(picture, horizon())
    assert found[:9].all()
    assert not found[horizon() <= 0.03].any()


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["noise", "bright", "sky"]),
)
def test_nothing_below_the_horizon_is_sky(seed: int, kind: str) -> None:
    random = np.random.default_rng(seed)
    picture = random.integers(200 if kind == "bright" else 0, 256, (20, 30, 3)).astype(np.uint8)
    if kind == "sky":
        picture[:] = SKY
    assert not sky_mask(picture, horizon())[horizon() <= 0.03].any()


def test_houses_trees_and_what_is_under_them_are_not_sky() -> None:
    picture = np.empty((20, 30, 3), dtype=np.uint8)
    picture[:] = SKY
    picture[4:, 2:8] = WALL
    picture[2:5, 14:20] = TREE  # a branch; below it the sky shows again
    found = sky_mask(picture, horizon())
    assert not found[4:, 2:8].any()
    assert not found[2:, 14:20].any()
    # an edge may hide anything: its neighbours are left out
    assert not found[3:, 1:9].any()
    assert found[:2, 25:].all()
    assert found[:8, 10:13].all()


@pytest.mark.parametrize("colour", [(30, 30, 60), (250, 240, 200), (200, 230, 190)])
def test_dark_warm_and_green_pixels_are_not_sky(colour: tuple[int, int, int]) -> None:
    picture = np.empty((20, 30, 3), dtype=np.uint8)
    picture[:] = colour
    assert not sky_mask(picture, horizon()).any()
