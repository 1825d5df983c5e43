"""Boxes against the near plane, the image's edges, and cameras of every kind."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from render.labels.cuboids import (
    NEAR_M,
    boxes_in_view,
    convex_hull,
    faces_px,
    instance_numbers,
    outline_px,
    truncation,
)
from scenes.motion.geometry import box_corners, invert, rigid, transform_points, yaw_rotation
from scenes.motion.trajectory import Trajectory
from scenes.safety.encounters import standing_pose
from scenes.sensors.camera import Camera, Readout, project_world
from tests.render.analytic import EGO_FROM_CAMERA, box_actor, street

CAMERA = Camera(width=200, height=100, fx=120.0, fy=120.0, cx=100.0, cy=50.0)
SIZE = np.array([4.0, 2.0, 1.5])


def ahead(x: float, y: float, z: float, turn: float = 0.0) -> np.ndarray:
    """`camera_from_box` of a box at a place in the camera's frame, turned about the vertical."""
    upright = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
    return rigid(upright @ yaw_rotation(np.array(turn)), np.array([x, y, z]))


places = st.builds(
    ahead, st.floats(-12, 12), st.floats(-2, 2), st.floats(-8, 25), st.floats(-3.1, 3.1)
)


@given(places)
def test_outline_and_truncation_agree_with_dense_points(camera_from_box: np.ndarray) -> None:
    share = np.linspace(-0.5, 0.5, 25)
    grid = np.stack(np.meshgrid(share, share, share), axis=-1).reshape(-1, 3) * SIZE
    points = transform_points(camera_from_box, grid)
    points = points[points[:, 2] >= NEAR_M]
    pixels = CAMERA.project(points)
    inside = np.all((pixels >= 0) & (pixels <= [CAMERA.width, CAMERA.height]), axis=1)
    outline = outline_px(CAMERA, camera_from_box, SIZE)
    cut = truncation(CAMERA, camera_from_box, SIZE)
    assert 0.0 <= cut <= 1.0
    if inside.any():
        assert len(outline) >= 3
        assert np.all(pixels[inside].min(axis=0) >= outline.min(axis=0) - 1e-6)
        assert np.all(pixels[inside].max(axis=0) <= outline.max(axis=0) + 1e-6)
    if len(points) and inside.all() and len(points) == len(grid):
        assert cut == 0.0
    if len(outline) < 3 and not len(points):
        assert cut == 1.0


def test_half_a_box_beyond_the_edge_is_half_truncated() -> None:
    flat = np.array([1e-6, 2.0, 1.0])  # a board across the view: its projection is a rectangle
    edge_m = (CAMERA.width - CAMERA.cx) / CAMERA.fx * 10.0
    assert abs(truncation(CAMERA, ahead(edge_m, 0.0, 10.0), flat) - 0.5) < 1e-4
    assert truncation(CAMERA, ahead(0.0, 0.0, 10.0), flat) == 0.0
    assert truncation(CAMERA, ahead(edge_m + 1.01, 0.0, 10.0), flat) == 1.0


def test_a_box_that_straddles_the_camera_is_cut_at_the_near_plane() -> None:
    beside = ahead(2.0, 0.5, 0.0)
    assert np.isfinite(outline_px(CAMERA, beside, SIZE)).all()
    assert 0.5 < truncation(CAMERA, beside, SIZE) < 1.0
    for face in faces_px(CAMERA, beside, SIZE):
        assert np.isfinite(face).all()


def test_behind_is_nowhere() -> None:
    behind = ahead(0.0, 0.0, -6.0)
    assert len(outline_px(CAMERA, behind, SIZE)) == 0
    assert truncation(CAMERA, behind, SIZE) == 1.0
    assert all(len(face) == 0 for face in faces_px(CAMERA, behind, SIZE))


def test_around_the_camera_fills_the_view() -> None:
    outline = outline_px(CAMERA, ahead(0.0, 0.0, 0.0), np.array([40.0, 40.0, 40.0]))
    assert np.allclose([outline.min(0), outline.max(0)], [[0, 0], [200, 100]], atol=1e-9)


@given(st.floats(-6, 6), st.floats(8, 20))
def test_a_bent_lens_bounds_its_bent_box(x: float, z: float) -> None:
    bent = replace(CAMERA, distortion=(-0.2, 0.05, 0.001, 0.0))
    pose = ahead(x, 0.3, z, 0.4)
    edges = box_corners(SIZE)
    share = np.linspace(0.0, 1.0, 40)[:, None]
    lines = [
        a * (1 - share) + b * share
        for a, b in zip(edges[:4], np.roll(edges[:4], -1, 0), strict=True)
    ]
    pixels = bent.project(transform_points(pose, np.concatenate([*lines, edges])))
    outline = outline_px(bent, pose, SIZE)
    inside = np.all((pixels >= 0) & (pixels <= [200, 100]), axis=1)
    if inside.all():
        assert np.abs(pixels.min(0) - outline.min(0)).max() < 0.3
        assert np.abs(pixels.max(0) - outline.max(0)).max() < 0.3


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=20))
def test_a_hull_holds_all_points(points: list[tuple[int, int]]) -> None:
    given_points = np.array(points, dtype=np.float64)
    hull = convex_hull(given_points)
    if len(hull) < 3:
        return
    following = np.roll(hull, -1, axis=0)
    for a, b in zip(hull, following, strict=True):
        side = (b[0] - a[0]) * (given_points[:, 1] - a[1]) - (b[1] - a[1]) * (
            given_points[:, 0] - a[0]
        )
        assert np.all(side >= 0)


def test_what_moves_is_where_it_is_and_only_while_it_is_known() -> None:
    actors = street().clip.actors
    pose = EGO_FROM_CAMERA
    camera = CAMERA
    (moving,) = (box for box in boxes_in_view(actors, camera, pose, 100_000) if not box.rendered)
    assert moving.actor.id == 12
    assert moving.world_from_box[0, 3] == actors[4].trajectory.world_from_body[1, 0, 3]
    assert all(box.rendered for box in boxes_in_view(actors, camera, pose, 5_000_000))


def test_numbers_stay_whoever_is_removed_or_inserted() -> None:
    recorded = [box_actor(number, (10.0 + number, 0.0)) for number in (4, 9, 2)]
    new = box_actor(900, (12.0, 1.0))
    assert instance_numbers(recorded, recorded) == {4: 1, 9: 2, 2: 3}
    numbers = instance_numbers([new, recorded[2]], recorded)
    assert numbers == {4: 1, 9: 2, 2: 3, 900: 4}
    boxes = boxes_in_view([new, recorded[2]], CAMERA, EGO_FROM_CAMERA, 0, {900}, recorded)
    assert [(box.actor.id, box.index) for box in boxes] == [(900, 4), (2, 3)]


def test_who_stands_elsewhere_than_recorded_is_not_in_the_picture() -> None:
    recorded = box_actor(1, (10.0, 0.0))
    moved = box_actor(1, (14.0, 1.0))
    (box,) = boxes_in_view([moved], CAMERA, EGO_FROM_CAMERA, 0, (), [recorded])
    assert not box.rendered
    (box,) = boxes_in_view([moved], CAMERA, EGO_FROM_CAMERA, 0, {1}, [recorded])
    assert box.rendered
    assert box.own_field
    (box,) = boxes_in_view([recorded], CAMERA, EGO_FROM_CAMERA, 0, (), [recorded])
    assert box.rendered
    assert not box.own_field


def test_who_is_not_there_yet_has_no_box_even_if_it_will_stand_still() -> None:
    late = box_actor(900, (10.0, 0.0))
    track = replace(late.trajectory, time_us=late.trajectory.time_us + 2_000_000)
    late = replace(late, trajectory=track)
    for with_field in ((), {900}):
        assert not boxes_in_view([late], CAMERA, EGO_FROM_CAMERA, 1_000_000, with_field, [])
    assert boxes_in_view([late], CAMERA, EGO_FROM_CAMERA, 2_000_000, {900}, [])


@pytest.mark.parametrize("readout", get_args(Readout))
@pytest.mark.parametrize("fixed", [True, False])
def test_a_box_that_moves_is_where_it_is_while_its_line_is_exposed(
    fixed: bool, readout: Readout
) -> None:
    car = box_actor(7, (9.0, 2.5), yaw=np.pi / 2, speed_mps=-20.0)
    camera = replace(CAMERA, readout_us=80_000, readout=readout)
    times = np.array([0, 1_000_000])
    still = Trajectory(time_us=times, world_from_body=np.stack([EGO_FROM_CAMERA] * 2))
    pose = EGO_FROM_CAMERA if fixed else still
    (box,) = boxes_in_view([car], camera, pose, 100_000, {car.id})
    pixel = project_world(camera, box.world_from_box[None, :3, 3], pose, 100_000)
    there = car.at(100_000 + round(float(camera.readout_offset_us(pixel)[0])))
    assert there is not None
    assert np.abs(there - box.world_from_box).max() > 0.1
    np.testing.assert_allclose(box.camera_from_box, invert(EGO_FROM_CAMERA) @ there, atol=1e-9)


def test_what_stands_still_has_one_place_for_good() -> None:
    actor = box_actor(1, (10.0, 0.0))
    jittered = actor.trajectory.world_from_body.copy()
    jittered[:, 0, 3] += [0.0, 0.1, 0.2, -5.0]
    track = Trajectory(time_us=actor.trajectory.time_us, world_from_body=jittered)
    parked = replace(actor, trajectory=replace(track, time_us=track.time_us * 100))
    assert not parked.is_moving
    assert standing_pose(parked)[0, 3] in (10.0, 10.1)
    for time_us in (0, 10**8):
        (box,) = boxes_in_view([parked], CAMERA, EGO_FROM_CAMERA, time_us)
        assert np.array_equal(box.world_from_box, standing_pose(parked))
