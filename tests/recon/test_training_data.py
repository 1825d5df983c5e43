from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from recon.data.holdout import select_frames
from recon.data.training_data import (
    MASK_MARGIN_PX,
    camera_trajectory,
    load_data,
    load_depth,
    load_pixels,
    pixel_angle,
)
from recon.training.ray_batch import draw_batch
from scenes.clip import Clip
from scenes.errors import OtherlaneError
from scenes.motion.geometry import rigid
from scenes.motion.trajectory import Trajectory
from scenes.sensors.camera import Camera, Readout, camera_rays, project_world
from tests.scene_maker import (
    EGO_FROM_CAMERA,
    FRAMES,
    STEP_US,
    drive_path,
    driving_car,
    lidar_targets_m,
    make_drive,
    radiance,
    tiny_config,
)

ALL = np.arange(FRAMES)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return make_drive(tmp_path_factory.mktemp("drive"))


@pytest.fixture(scope="module")
def rolling(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """Rows are read over 40 ms, while the car drives on by 40 cm."""
    return make_drive(tmp_path_factory.mktemp("rolling"), readout_us=40_000)


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.75])
@pytest.mark.parametrize("readout_us", [0, 40_000])
def test_rays_go_through_their_pixels_centres(
    clip: Clip, rolling: Clip, readout_us: int, scale: float
) -> None:
    drive = rolling if readout_us else clip
    pixels = load_pixels(drive, 0, ALL, scale)
    assert pixels.camera.readout_us == readout_us
    count = pixels.camera.width * pixels.camera.height
    rays = pixels.rays(pixels.usable)
    points = (rays.origins_m + 7.0 * rays.directions).double().numpy()
    track = camera_trajectory(drive, 0)
    centres = pixels.camera.pixel_centres().reshape(-1, 2)
    assert len(points) == FRAMES * count
    for place, frame in enumerate(ALL):
        part = points[place * count : (place + 1) * count]
        found = project_world(pixels.camera, part, track, int(drive.cameras[0].time_us[frame]))
        np.testing.assert_allclose(found, centres, atol=2e-4)


def test_rows_start_where_the_camera_is_when_they_are_read(rolling: Clip) -> None:
    rays = load_pixels(rolling, 0, ALL[:1], 1.0)
    origin = rays.line_origin_m[0]
    # 10 m/s for (row + 0.5) / 16 of 40 ms, the camera 1 m before the ego's origin
    expected_m = 1.0 + 10.0 * 0.04 * (np.arange(16) + 0.5) / 16
    np.testing.assert_allclose(origin[:, 0].numpy(), expected_m, atol=1e-4)


@pytest.mark.parametrize("readout", ["bottom-top", "left-right", "right-left"])
def test_rays_of_other_readouts_go_through_their_pixels_centres(
    tmp_path: Path, readout: Readout
) -> None:
    drive = make_drive(tmp_path, readout_us=40_000, readout=readout)
    pixels = load_pixels(drive, 0, ALL, 1.0)
    assert pixels.line_origin_m.shape == (FRAMES, pixels.camera.lines, 3)
    rays, count = pixels.rays(pixels.usable), 24 * 16
    points = (rays.origins_m + 7.0 * rays.directions).double().numpy()
    centres = pixels.camera.pixel_centres().reshape(-1, 2)
    offset_us = pixels.camera.readout_offset_us(centres)
    for place, frame in enumerate(ALL):
        part, start_us = points[place * count :][:count], int(drive.cameras[0].time_us[frame])
        found = project_world(pixels.camera, part, camera_trajectory(drive, 0), start_us)
        np.testing.assert_allclose(found, centres, atol=2e-4)
        exposed_us = pixels.time_us(pixels.usable[place * count :][:count]).numpy()
        np.testing.assert_array_equal(exposed_us, start_us + np.round(offset_us))
    # the ego drives 10 m/s for so long before each pixel is exposed
    moved_m = rays.origins_m[:count, 0].double().numpy() - 1.0
    np.testing.assert_allclose(moved_m, 1e-5 * offset_us, atol=2e-4)


def test_pixels_are_those_of_the_files(clip: Clip) -> None:
    pixels = load_pixels(clip, 0, np.array([1, 4]), 1.0)
    assert pixels.srgb[1].numpy().reshape(16, 24, 3).tolist() == clip.cameras[0].read(4).tolist()


def test_smaller_pixels_are_averaged_in_linear_light(clip: Clip) -> None:
    pixels = load_pixels(clip, 0, ALL[:1], 0.5)
    assert (pixels.camera.width, pixels.camera.height) == (12, 8)
    # far above the horizon the sky is even: its colour must survive
    np.testing.assert_array_equal(pixels.srgb[0][0].numpy(), clip.cameras[0].read(0)[0, 0])


def test_the_angle_of_a_pixel_is_that_of_its_solid_angle() -> None:
    camera = Camera(width=12, height=9, fx=10.0, fy=12.0, cx=6.5, cy=4.0)
    angles = pixel_angle(camera).reshape(9, 12)
    for x, y in ((0, 0), (6, 4), (11, 8)):
        corners = np.array([[x, y], [x + 1, y], [x + 1, y + 1], [x, y + 1]], dtype=float)
        a, b, c, d = camera.unproject(corners) / np.linalg.norm(
            camera.unproject(corners), axis=1, keepdims=True
        )
        # two spherical triangles (van Oosterom and Strackee 1983)
        solid = sum(
            2 * np.arctan2(abs(p @ np.cross(q, r)), 1 + p @ q + q @ r + r @ p)
            for p, q, r in ((a, b, c), (a, c, d))
        )
        assert angles[y, x] == pytest.approx(np.sqrt(solid), rel=0.01)


def test_moving_actors_do_not_train(tmp_path: Path) -> None:
    clip = make_drive(tmp_path, actors=(driving_car(),))
    pixels = load_pixels(clip, 0, ALL[:1], 1.0)
    hidden = np.ones(24 * 16, dtype=bool)
    hidden[pixels.usable.numpy()] = False
    hidden = hidden.reshape(16, 24)
    # its rear is 6 m before the camera, from 1.6 to 3.4 m to the left, 1.5 m high
    left, right = 12.0 - 20.0 * 3.4 / 6.0, 12.0 - 20.0 * 1.6 / 10.0
    margin = MASK_MARGIN_PX + 2.0
    columns = np.flatnonzero(hidden.any(axis=0))
    assert columns.min() == pytest.approx(max(left - margin, 0.0), abs=2.0)
    assert columns.max() == pytest.approx(right + margin, abs=2.0)
    assert not (pixels.sky[0].numpy().reshape(16, 24) & hidden).any()


def test_a_drive_whose_pictures_are_all_hidden(tmp_path: Path) -> None:
    car = replace(driving_car(), size_m=np.array([30.0, 30.0, 30.0]))
    with pytest.raises(OtherlaneError, match="no pixel to train on"):
        load_data(make_drive(tmp_path, actors=(car,)), tiny_config())


def test_sky_is_above_the_horizon(clip: Clip) -> None:
    pixels = load_pixels(clip, 0, ALL, 1.0)
    rays = pixels.rays(torch.arange(pixels.sky.numel()))
    up = rays.directions[pixels.sky.flatten(), 2]
    assert len(up) > 100
    assert up.min() > 0.0


def test_only_pictures_that_train_tell_of_points(clip: Clip) -> None:
    points = clip.points
    assert points is not None
    trained = np.array([False, True, True, False, False, True])
    depth = load_depth(clip, trained)
    assert len(depth) == trained[points.frame_index].sum()
    camera_x = set((1.0 + 1.0 * np.flatnonzero(trained)).tolist())  # a metre a picture
    assert set(np.round(depth.origins_m[:, 0].numpy(), 3).tolist()) == camera_x
    ends = depth.origins_m + depth.directions * depth.range_m[:, None]
    known = {tuple(np.round(place, 2)) for place in points.position_m}
    assert {tuple(np.round(end, 2)) for end in ends.double().numpy()} <= known
    assert len(load_depth(clip, np.zeros(FRAMES, dtype=bool))) == 0


def test_returns_of_a_lidar_are_where_it_was_at_their_time(tmp_path: Path) -> None:
    clip = make_drive(tmp_path, lidar=True)
    depth = load_depth(clip, np.ones(FRAMES, dtype=bool))
    # lidar goes before points; every sweep hits the same places, wherever the car was
    assert len(depth) == 9 * FRAMES
    ends = depth.origins_m + depth.directions * depth.range_m[:, None]
    expected = np.tile(lidar_targets_m(), (FRAMES, 1))
    np.testing.assert_allclose(ends.numpy(), expected, atol=1e-4)
    # the last return of a sweep starts where the lidar is 80 ms, hence 80 cm, later
    origin_x = depth.origins_m[:, 0].numpy().reshape(FRAMES, 9)
    np.testing.assert_allclose(origin_x[:, -1] - origin_x[:, 0], 0.8, atol=1e-4)


def test_sweeps_near_held_out_pictures_are_left_out(tmp_path: Path) -> None:
    clip = make_drive(tmp_path, lidar=True)
    trained = np.array([False, True, True, True, False, True])
    depth = load_depth(clip, trained)
    assert len(depth) == 9 * 4
    starts = np.round(depth.origins_m[::9, 0].numpy(), 3)
    np.testing.assert_allclose(starts, 0.5 + np.flatnonzero(trained), atol=1e-3)


def test_returns_from_a_moving_actor_are_dropped(tmp_path: Path) -> None:
    # while the lidar turns, the car drives on by 1.6 m, twice its length
    car = replace(driving_car(), size_m=np.array([0.8, 0.8, 0.8]))
    depth = load_depth(make_drive(tmp_path, lidar=True, actors=(car,)), np.ones(FRAMES, dtype=bool))
    assert len(depth) == 9 * FRAMES
    ends = depth.origins_m + depth.directions * depth.range_m[:, None]
    assert ends[:, 2].abs().max() < 1e-3  # only the plain is left


def test_returns_from_a_parked_actor_are_kept(tmp_path: Path) -> None:
    time_us = STEP_US * np.arange(2)
    stands = np.stack([rigid(np.eye(3), np.array([15.0, 2.0, 0.75]))] * 2)
    parked = replace(driving_car(), trajectory=Trajectory(time_us=time_us, world_from_body=stands))
    depth = load_depth(
        make_drive(tmp_path, lidar=True, actors=(parked,)), np.ones(FRAMES, dtype=bool)
    )
    assert len(depth) == 2 * 9 * FRAMES


def test_held_out_pictures_are_never_opened(tmp_path: Path) -> None:
    clip = make_drive(tmp_path)
    trained, held = select_frames(clip, tiny_config(), 0)
    assert held.tolist() == [0, 4]
    for frame in held:
        clip.cameras[0].files[frame].unlink()
    data = load_data(clip, tiny_config())
    assert data.pixels[0].frame_index.tolist() == trained.tolist()


def test_every_second_picture(clip: Clip) -> None:
    trained, held = select_frames(clip, tiny_config(frame_stride=2, holdout=2), 0)
    assert (trained.tolist(), held.tolist()) == ([2], [0, 4])


def test_a_batch_is_pixels_then_depth(clip: Clip) -> None:
    data = load_data(clip, tiny_config())
    batch = draw_batch(data, 200, 0.25, torch.Generator().manual_seed(0))
    assert (len(batch.rays), batch.pixel_rays, len(batch.depth_m)) == (200, 150, 50)
    assert bool((batch.rays.pixel_angle[:150] > 0).all())
    assert not batch.rays.pixel_angle[150:].any()
    # each ray belongs to the colour that was drawn with it
    _, drawn = batch.pixels[0]
    shown = data.pixels[0].srgb.flatten(0, 1)[drawn].double().numpy() / 255.0
    rays = (batch.rays.origins_m[:150], batch.rays.directions[:150])
    linear = radiance(*(part.double().numpy() for part in rays))
    bent = np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)
    np.testing.assert_allclose(shown, bent, atol=0.01)
    # and each depth to its ray: they end on the plain
    ends = batch.rays.origins_m[150:] + batch.rays.directions[150:] * batch.depth_m[:, None]
    assert ends[:, 2].abs().max() < 1e-3


def test_a_drive_without_depth_evidence_has_batches_of_pixels(tmp_path: Path) -> None:
    data = load_data(make_drive(tmp_path, points=False), tiny_config())
    assert len(data.depth) == 0
    batch = draw_batch(data, 64, 0.25, torch.Generator().manual_seed(0))
    assert (batch.pixel_rays, len(batch.depth_m)) == (64, 0)


def test_the_camera_is_where_the_ego_carries_it(clip: Clip) -> None:
    centres = clip.cameras[0].camera.pixel_centres().reshape(-1, 2)
    origins, _ = camera_rays(clip.cameras[0].camera, centres, camera_trajectory(clip, 0), 0)
    expected = drive_path().world_from_body[0] @ EGO_FROM_CAMERA
    np.testing.assert_allclose(origins[0], expected[:3, 3])
