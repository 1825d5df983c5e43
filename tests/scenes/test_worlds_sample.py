"""The drive in the package is whole, small, true, and what this code records."""

import numpy as np
import pytest

from scenes.clip import Clip
from scenes.motion.geometry import box_corners, transform_points
from scenes.semantics import Semantic
from scenes.sensors.camera import project_world
from scenes.storage.clip_files import load_clip
from scenes.storage.manifests import finished
from scenes.worlds.models.world import street
from scenes.worlds.record.sample import SAMPLE_SEED, VIEWS, sample_path, truth_views
from scenes.worlds.truth.truth_files import TruthView, instance_boxes, read_instances

FRAME = 12


@pytest.fixture(scope="module")
def clip() -> Clip:
    return load_clip(sample_path())


@pytest.fixture(scope="module")
def views() -> tuple[TruthView, ...]:
    return truth_views()


def test_it_is_whole_and_small() -> None:
    size = sum(path.stat().st_size for path in sample_path().rglob("*") if path.is_file())
    assert size <= 6_000_000
    assert finished(sample_path(), "clip").damaged() == []


def test_it_is_the_street_of_its_seed(clip: Clip) -> None:
    world = street(SAMPLE_SEED)
    np.testing.assert_allclose(clip.ego.world_from_body, world.ego.world_from_body, atol=1e-9)
    assert len(clip.actors) == len(world.bodies)
    for actor, body in zip(clip.actors, world.bodies, strict=True):
        np.testing.assert_allclose(actor.size_m, body.actor.size_m, atol=1e-9)


def test_it_has_forty_pictures_and_sweeps(clip: Clip) -> None:
    stream, lidar = clip.cameras[0], clip.lidars[0]
    assert (len(stream), len(lidar)) == (40, 40)
    assert stream.read(0).shape == (192, 640, 3)
    assert np.log(stream.exposure).mean() == pytest.approx(0.0, abs=1e-9)
    sweep = lidar.read(FRAME)
    assert len(sweep.xyz_m) > 3000
    assert sweep.offset_us.max() > 80_000


def test_lidar_and_views_agree_on_the_road(clip: Clip) -> None:
    lidar = clip.lidars[0]
    sweep = lidar.read(FRAME)
    path = clip.ego.mounted(lidar.ego_from_lidar)
    poses = path.at(lidar.time_us[FRAME] + sweep.offset_us.astype(np.int64))
    world = np.einsum("nij,nj->ni", poses[:, :3, :3], sweep.xyz_m) + poses[:, :3, 3]
    near = np.abs(world[:, 2]) < 0.1
    assert near.mean() > 0.2
    assert world[near, 2].std() < 0.03


def test_views_stand_where_they_say(clip: Clip, views: tuple[TruthView, ...]) -> None:
    assert len(views) == VIEWS
    assert [view.shift_m for view in views] == [0.0, 1.0, 2.0, 3.0] * 2
    for view in views:
        here = clip.world_from_camera(0, view.time_us)
        moved = view.world_from_camera[:3, 3] - here[:3, 3]
        np.testing.assert_allclose(moved @ -here[:3, 0], view.shift_m, atol=1e-9)
        np.testing.assert_allclose(view.world_from_camera[:3, :3], here[:3, :3], atol=1e-12)
        assert view.rgb.shape == (192, 640, 3)


def test_instances_lie_within_their_boxes(clip: Clip, views: tuple[TruthView, ...]) -> None:
    camera = clip.cameras[0].camera
    actors = {actor.id: actor for actor in clip.actors}
    for view in views:
        boxes = view.boxes()
        assert boxes
        for actor, (left, top, right, bottom) in boxes.items():
            pose = actors[actor].at(view.time_us)
            assert pose is not None
            corners = transform_points(pose, box_corners(actors[actor].size_m))
            pixels = project_world(camera, corners, view.world_from_camera)
            if np.isnan(pixels).any():
                continue
            low, high = pixels.min(axis=0), pixels.max(axis=0)
            assert np.all(low - 1.0 <= [left, top])
            assert np.all([right, bottom] <= high + 1.0)


def test_ranges_reach_the_road_plane(clip: Clip, views: tuple[TruthView, ...]) -> None:
    camera = clip.cameras[0].camera
    directions = camera.unproject(camera.pixel_centres())
    for view in views:
        road = np.isin(view.semantic, (int(Semantic.ROAD), int(Semantic.LANE_MARKING)))
        points = directions[road] * view.z_m(camera)[road, None]
        world = points @ view.world_from_camera[:3, :3].T + view.world_from_camera[:3, 3]
        assert np.abs(world[:, 2]).max() < 1e-3


def test_views_on_the_path_are_the_recorded_frames(views: tuple[TruthView, ...]) -> None:
    truth = sample_path() / "truth"
    for view in (views[0], views[4]):
        frame = view.time_us // 100_000
        recorded = read_instances(truth / f"instance_{frame:04d}.png")
        np.testing.assert_array_equal(recorded, view.instance)
        assert instance_boxes(recorded) == view.boxes()


def _psnr_db(one: np.ndarray, other: np.ndarray) -> float:
    error = (one.astype(np.float64) - other.astype(np.float64)) / 255.0
    return float(-10.0 * np.log10(np.mean(error**2)))


def test_it_is_what_this_code_records(clip: Clip, views: tuple[TruthView, ...]) -> None:
    pytest.importorskip("mitsuba", reason="the extra worlds is not installed")
    from scenes.worlds.light.light import Light
    from scenes.worlds.record.recorder import camera_pose
    from scenes.worlds.trace.tracer import Tracer
    from scenes.worlds.trace.view import developed, photograph

    stream, tracer = clip.cameras[0], Tracer(street(SAMPLE_SEED))
    time_us = int(stream.time_us[FRAME])
    pose = camera_pose(tracer.world, time_us)
    rows, columns = np.arange(3, 192, 8), np.arange(5, 640, 8)
    centres = stream.camera.pixel_centres()[np.ix_(rows, columns)]
    # Another seed than the recording's: what is compared is the world, not its noise.
    radiance = photograph(Light(tracer), stream.camera, pose, time_us, 99, centres.reshape(-1, 2))
    radiance = radiance.reshape(len(rows), len(columns), 3)
    lossless = views[0].rgb[np.ix_(rows, columns)]
    assert _psnr_db(developed(radiance), lossless) > 36.0
    recorded = stream.read(FRAME)[np.ix_(rows, columns)]
    exposed = developed(radiance, float(stream.exposure[FRAME]))
    assert _psnr_db(exposed, recorded) > 33.0
