"""What the tracer says is what geometry says."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scenes.errors import OtherlaneError
from scenes.motion.directions import cosine_directions
from scenes.motion.geometry import transform_points
from scenes.motion.trajectory import Trajectory
from scenes.semantics import Semantic
from scenes.sensors.camera import Camera, camera_rays, project_world
from scenes.worlds.light.irradiance_cache import frames_about
from scenes.worlds.light.light import Light
from scenes.worlds.models.mesh import Surface, boxes
from scenes.worlds.models.world import street
from scenes.worlds.recipes.centre_line import straight
from scenes.worlds.recipes.traffic import body, steady
from scenes.worlds.record.recorder import Recording, camera_pose, ego_from_camera, ego_from_lidar
from scenes.worlds.trace import mitsuba_door
from scenes.worlds.trace.scanner import scan
from scenes.worlds.trace.tracer import Tracer
from scenes.worlds.trace.view import photograph, true_view
from scenes.worlds.truth.truth_files import instance_boxes

CAMERA = Recording(width=640, height=192).camera()


@pytest.fixture(scope="module")
def light() -> Light:
    pytest.importorskip("mitsuba", reason="the extra worlds is not installed")
    return Light(Tracer(street(7)))


def test_a_missing_mitsuba_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mitsuba", None)
    mitsuba_door.load_mitsuba.cache_clear()
    try:
        with pytest.raises(OtherlaneError, match=r"otherlane\[worlds\]"):
            mitsuba_door.load_mitsuba()
    finally:
        mitsuba_door.load_mitsuba.cache_clear()


def test_the_road_is_the_plane_it_claims_to_be(light: Light) -> None:
    pose = camera_pose(light.tracer.world, 1_200_000)
    view = true_view(light.tracer, CAMERA, pose, 1_200_000)
    road = np.isin(view.semantic, (int(Semantic.ROAD), int(Semantic.LANE_MARKING)))
    assert 0.15 < road.mean() < 0.6
    origins, directions = camera_rays(CAMERA, CAMERA.pixel_centres().reshape(-1, 2), pose)
    exact = (-origins[:, 2] / directions[:, 2]).reshape(road.shape)
    assert np.abs(view.range_m / exact - 1.0)[road].max() < 1e-5
    local = directions @ pose[:3, :3]
    np.testing.assert_allclose(
        view.z_m[road], (exact * local[:, 2].reshape(road.shape))[road], rtol=1e-5
    )
    np.testing.assert_allclose(view.normal[road], np.tile([0.0, 0.0, 1.0], (road.sum(), 1)))


def test_every_ray_ends_on_its_own_triangle(light: Light) -> None:
    tracer, rng = light.tracer, np.random.default_rng(0)
    directions = rng.normal(size=(4000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    origins = np.tile([20.0, 1.0, 1.7], (4000, 1))
    hits = tracer.cast(origins, directions, np.zeros(4000, np.int64))
    still = np.flatnonzero(hits.met & (hits.face < tracer.first_face[1]))
    corners = tracer.mesh.corners_m()[hits.face[still]]
    end = origins[still] + hits.range_m[still, None] * directions[still]
    np.testing.assert_allclose(
        np.einsum("nk,nki->ni", hits.weights[still], corners), end, atol=2e-3
    )
    assert np.all(np.einsum("ni,ni->n", hits.normal, directions)[hits.met] <= 0.0)


ONE_BY_ONE = """
import numpy as np
from scenes.worlds.models.mesh import Surface, boxes
from scenes.worlds.trace.mitsuba_door import Triangles, load_mitsuba
rng = np.random.default_rng(1)
low = rng.uniform(-9.0, 9.0, (60, 3))
triangles = Triangles(boxes(low, low + 1.5, Surface.PLAIN, (0.5, 0.5, 0.5)))
directions = rng.normal(size=(400, 3))
origins = np.zeros((400, 3))
print(triangles.first_hit(origins, directions).tolist())
print(triangles.blocked(origins, directions).tolist())
"""


def test_the_slow_variant_agrees() -> None:
    pytest.importorskip("mitsuba", reason="the extra worlds is not installed")
    answers = [
        subprocess.run(
            [sys.executable, "-c", ONE_BY_ONE],
            cwd=Path(__file__).parents[2],
            env=os.environ | more,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for more in ({}, {"DRJIT_LIBLLVM_PATH": "/nowhere/libLLVM.so"})
    ]
    assert "-1" in answers[0]
    assert "True" in answers[0]
    assert answers[0] == answers[1]


@pytest.mark.parametrize("time_us", [0, 1_200_000, 2_800_000])
def test_a_lone_car_fills_its_projected_mesh(light: Light, time_us: int) -> None:
    body = light.tracer.moving[0]
    pose = body.actor.at(time_us)
    assert pose is not None
    # From 9 m before the car, where nothing hides it.
    ahead = pose @ np.array(
        [[0, 0, -1, 9.0], [1, 0, 0, 0.4], [0, -1, 0, 0.6], [0, 0, 0, 1.0]], np.float64
    )
    view = true_view(light.tracer, CAMERA, ahead, time_us)
    left, top, right, bottom = instance_boxes(view.instance)[body.actor.id]
    vertices = transform_points(pose, body.mesh.vertices_m)
    pixels = project_world(CAMERA, vertices, ahead)
    np.testing.assert_allclose([left, top], pixels.min(axis=0), atol=1.0)
    np.testing.assert_allclose([right, bottom], pixels.max(axis=0), atol=1.0)


def test_a_rolling_shutter_sees_a_moving_car_elsewhere(light: Light) -> None:
    tracer, body = light.tracer, light.tracer.moving[0]
    pixels = CAMERA.pixel_centres().reshape(-1, 2)
    path = tracer.world.ego.mounted(ego_from_camera())
    rolling = Camera(
        width=640, height=192, fx=CAMERA.fx, fy=CAMERA.fy, cx=320.0, cy=96.0, readout_us=60_000
    )
    rays = camera_rays(rolling, pixels, path, 2_800_000)
    when = 2_800_000 + np.round(rolling.readout_offset_us(pixels)).astype(np.int64)
    truth = tracer.truth(*rays, when)
    seen = np.flatnonzero(truth.instance == body.actor.id)
    assert len(seen) > 100
    points = rays[0][seen] + truth.range_m[seen, None] * rays[1][seen]
    poses = body.actor.trajectory.at(when[seen])
    local = np.einsum("nji,nj->ni", poses[:, :3, :3], points - poses[:, :3, 3])
    assert np.all(np.abs(local) <= 0.5 * body.actor.size_m + 1e-6)


def _nearest(
    corners: np.ndarray, origins: np.ndarray, directions: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Range to the nearest of all triangles, infinite where none is met, and which it is."""
    edge, rim = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    best, which = np.full(len(origins), np.inf), np.zeros(len(origins), np.int64)
    for ray, (origin, direction) in enumerate(zip(origins, directions, strict=True)):
        across = np.cross(direction, rim)
        det = np.einsum("ni,ni->n", edge, across)
        det = np.where(np.abs(det) < 1e-15, np.nan, det)
        away = origin - corners[:, 0]
        u = np.einsum("ni,ni->n", away, across) / det
        turned = np.cross(away, edge)
        v = turned @ direction / det
        reach = np.einsum("ni,ni->n", turned, rim) / det
        hit = (u >= 0.0) & (v >= 0.0) & (u + v <= 1.0) & (reach > 0.0)
        reach = np.where(hit, reach, np.inf)
        which[ray] = np.argmin(reach)
        best[ray] = reach[which[ray]]
    return best, which


@pytest.mark.parametrize("kind", [Semantic.PERSON, Semantic.CYCLIST])
def test_limbs_are_met_where_they_are_at_that_time(light: Light, kind: Semantic) -> None:
    one = body(1, kind, 4, straight(), steady(4.0, 0.0, 1.4), 0.0)
    floor = boxes(np.array([-9.0, -9, -1]), np.array([9.0, 9, -0.5]), Surface.PLAIN, (0.5,) * 3)
    tracer = Tracer(replace(light.tracer.world, scenery=floor, bodies=(one,)))
    rng, moments = np.random.default_rng(2), np.array([0, 130_000, 390_000, 810_000])
    rays, expected, on_limbs = [], [], []
    for time_us in moments:
        pose = one.actor.trajectory.at(np.array([time_us]))[0]
        parts = [transform_points(pose, one.mesh.vertices_m)[one.mesh.faces]]
        for limb in one.limbs:
            there = pose @ limb.box_from_limb(np.array([time_us]))[0]
            parts.append(transform_points(there, limb.mesh.vertices_m)[limb.mesh.faces])
        corners = np.concatenate(parts)
        aim = rng.choice(np.concatenate(parts[1:]).mean(axis=1), 100)
        turn = rng.uniform(0.0, 2.0 * np.pi, len(aim))
        origins = aim + 4.0 * np.stack([np.cos(turn), np.sin(turn), 0.2 + 0 * turn], axis=1)
        directions = (aim - origins) / np.linalg.norm(aim - origins, axis=1, keepdims=True)
        rays.append((origins, directions))
        reach, which = _nearest(corners, origins, directions)
        expected.append(reach)
        on_limbs.append(which >= len(parts[0]))
    origins, directions = (np.concatenate(part) for part in zip(*rays, strict=True))
    when, exact = np.repeat(moments, 100), np.concatenate(expected)
    hits = tracer.cast(origins, directions, when)
    # A ray that grazes an edge may pass it.
    assert (np.abs(hits.range_m - exact) < 1e-3).mean() > 0.99
    assert np.concatenate(on_limbs).mean() > 0.6
    later = tracer.cast(origins, directions, when + 300_000)
    assert (np.abs(later.range_m - exact) < 1e-3).mean() < 0.3


def test_pictures_depend_on_their_seed_alone(light: Light) -> None:
    pose = camera_pose(light.tracer.world, 1_200_000)
    centres = CAMERA.pixel_centres()[::24, ::24].reshape(-1, 2)
    one, again, other = (
        photograph(light, CAMERA, pose, 1_200_000, seed, centres) for seed in (1, 1, 2)
    )
    assert one.tobytes() == again.tobytes()
    assert one.tobytes() != other.tobytes()
    assert np.isfinite(one).all()
    assert one.min() >= 0.0


def test_lidar_returns_lie_on_surfaces(light: Light) -> None:
    recording = Recording(azimuth_steps=60)
    lidar = recording.lidar()
    tracer = light.tracer
    sweep = scan(tracer, lidar, ego_from_lidar(), 1_000_000, seed=1)
    assert 600 < len(sweep.xyz_m) < 60 * 32
    assert np.linalg.norm(sweep.xyz_m, axis=1).max() <= lidar.max_range_m + 0.1
    path: Trajectory = tracer.world.ego.mounted(ego_from_lidar())
    poses = path.at(1_000_000 + sweep.offset_us.astype(np.int64))
    world = np.einsum("nij,nj->ni", poses[:, :3, :3], sweep.xyz_m) + poses[:, :3, 3]
    low = np.abs(world[:, 2]) < 0.03
    assert low.mean() > 0.2  # the road is flat, and the sweep is not smeared by the drive
    assert world[:, 2].min() > -0.1


def test_gathering_directions_are_cosine_weighted() -> None:
    pattern = cosine_directions(512)
    np.testing.assert_allclose(np.linalg.norm(pattern, axis=1), 1.0)
    assert pattern[:, 2].mean() == pytest.approx(2.0 / 3.0, abs=1e-3)
    normal = np.random.default_rng(0).normal(size=(50, 3))
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    frames = frames_about(normal)
    np.testing.assert_allclose(frames[:, :, 2], normal)
    identity = np.swapaxes(frames, 1, 2) @ frames
    np.testing.assert_allclose(identity, np.broadcast_to(np.eye(3), (50, 3, 3)), atol=1e-12)
