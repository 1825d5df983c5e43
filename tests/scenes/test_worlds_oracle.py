"""The truth of a world meets other ways to get it, and axes change what they name alone."""

from dataclasses import replace

import numpy as np
import pytest

from scenes.motion.geometry import transform_points
from scenes.sensors.camera import project_world
from scenes.worlds.light.light import Light
from scenes.worlds.models.surface_points import NOBODY, SurfacePoints, surface_points
from scenes.worlds.models.world import street
from scenes.worlds.record.recording import Recording
from scenes.worlds.trace.tracer import Tracer, pick_hits
from scenes.worlds.trace.view import rays_at
from scenes.worlds.trace.visibility import seen_points, seen_sky
from scenes.worlds.truth.oracle import box_fits_m, oracle_report
from scenes.worlds.truth.perturbations import AXES
from scenes.worlds.truth.truth import rig_of
from scenes.worlds.truth.truth_view import Rays, Rig, Stage, seen_pixels, stage_of, traced

TIME_US = 2_000_000


@pytest.fixture(scope="module")
def light() -> Light:
    pytest.importorskip("mitsuba", reason="the extra worlds is not installed")
    return Light(Tracer(street(7)))


@pytest.fixture(scope="module")
def rig(light: Light) -> Rig:
    return rig_of(Recording(seed=7, width=200, height=60), light.tracer.world)


def stage(light: Light, rig: Rig, axis: str, amount: float) -> Stage:
    return stage_of(rig, light, AXES[axis].apply(light.tracer.world, amount))


def look(staged: Stage) -> Rays:
    return traced(staged.tracer, staged.rig.camera, staged.pose(TIME_US), TIME_US)


def geometry(staged: Stage) -> dict[str, np.ndarray]:
    rays, tracer = look(staged), staged.tracer
    shape = (staged.rig.camera.height, staged.rig.camera.width)
    origins = np.broadcast_to(staged.pose(TIME_US)[:3, 3], (len(rays.met), 3)).copy()
    when = np.full(len(rays.met), TIME_US, np.int64)
    truth = tracer.truth(origins, rays.directions[rays.met], when)
    return {
        "range_m": rays.spread(truth.range_m, np.inf, shape),
        "normal": rays.spread(truth.normal, 0.0, shape),
        "semantic": rays.spread(truth.semantic, 1, shape),
        "instance": rays.spread(truth.instance, -1, shape),
    }


def test_the_oracle_holds_its_bars(light: Light, rig: Rig) -> None:
    said: list[str] = []
    report = oracle_report(rig, light, frame=20, say=said.append)
    print(*said, sep="\n")
    assert report.road_users >= 5
    assert report.fit_m <= 1e-3
    assert report.box_px <= 0.5
    assert report.mesh_px <= 0.5
    assert report.depth_rel <= 1e-4
    assert report.flow_px <= 0.01
    assert report.flow_moving_px <= 0.01
    assert report.lidar_m <= 1e-3
    assert report.shadow_share >= 0.999
    assert report.seen_share == 1.0


def test_a_box_that_does_not_fit_is_noticed(light: Light) -> None:
    world = light.tracer.world
    first = world.bodies[0]
    smaller = replace(first, actor=replace(first.actor, size_m=first.actor.size_m - 0.2))
    wrong = replace(world, bodies=(smaller, *world.bodies[1:]))
    assert box_fits_m(world, TIME_US).max() < 1e-6
    assert box_fits_m(wrong, TIME_US).max() == pytest.approx(0.1, abs=1e-6)


def test_seen_on_the_road_ahead_and_not_behind_a_parked_car(light: Light, rig: Rig) -> None:
    tracer, world = light.tracer, light.tracer.world
    ego = world.ego.at(np.array([TIME_US], np.int64))[0]
    road = transform_points(ego, np.array([[8.0, y, 0.0] for y in (-1.5, 0.0, 1.5)]))
    hidden = []
    for body in world.bodies:
        pose, half = body.actor.trajectory.world_from_body[0], 0.5 * body.actor.size_m
        if not body.actor.is_moving and 3.0 < pose[0, 3] < 17.0:  # from afar, gaps show more
            kerbside = [0.0, -half[1] - 0.02, -half[2] + 0.02]  # parked with the kerb on its right
            hidden.append(transform_points(pose, np.array(kerbside)))
    points = np.concatenate([road, np.stack(hidden)])
    flat = np.tile([0.0, 0.0, 1.0], (len(points), 1))
    nobody = np.full(len(points), NOBODY, np.int32)
    where = SurfacePoints(
        owner=nobody, part=np.zeros(len(points), np.int32), local_m=points, local_normal=flat
    )
    seen = seen_points(tracer, rig.eyes, where, TIME_US)
    assert len(hidden) >= 2
    assert seen[:3].all()
    assert not seen[3:].any()


def test_what_a_rolling_shutter_shows_it_has_seen(light: Light) -> None:
    tracer, time_us = light.tracer, 2_800_000  # a car is near, and passes what is behind it
    rig = rig_of(Recording(seed=7, width=320, height=96, readout_us=90_000), tracer.world)
    eye, seen, sky = replace(rig.eyes[0], time_us=np.array([time_us], np.int64)), [], []
    for row in range(30, eye.camera.height):
        pixels = eye.camera.pixel_centres()[row]
        origins, directions, when = rays_at(eye.camera, pixels, eye.path, time_us)
        hits = tracer.cast(origins, directions, when)
        met = np.flatnonzero(hits.met)
        ends = origins[met] + hits.range_m[met, None] * directions[met]
        points = surface_points(tracer, pick_hits(hits, met), ends, int(when[0]))
        seen.append(seen_points(tracer, (eye,), points, time_us))
        sky.append(seen_sky(tracer, (eye,), directions[~hits.met], time_us))
    assert sum(map(len, seen)) > 20_000
    assert sum(map(len, sky)) > 50
    assert np.concatenate(seen).all()
    assert np.concatenate(sky).all()


def test_seen_is_what_its_definition_says(light: Light, rig: Rig) -> None:
    staged = stage(light, rig, "lateral", 4.0)
    rays = look(staged)
    seen = seen_pixels(staged, rays, TIME_US)
    still = light.tracer.first_face[1]
    rng = np.random.default_rng(0)
    candidates = np.flatnonzero(rays.hits.face < still)
    unseen = candidates[~seen[rays.met[candidates]]]
    for index in [*rng.choice(candidates, 40).tolist(), *rng.choice(unseen, 10).tolist()]:
        point, normal = rays.points_m[index], rays.hits.normal[index]
        found = False
        for time_us in rig.time_us.tolist():
            pose = rig.eyes[0].path.at(np.array([time_us], np.int64))[0]
            x, y = project_world(rig.camera, point[None], pose)[0]
            away = point - pose[:3, 3]
            range_m = float(np.linalg.norm(away))
            if not (0 <= x <= rig.camera.width and 0 <= y <= rig.camera.height):
                continue
            first = light.tracer.cast(
                pose[None, :3, 3].copy(), away[None] / range_m, np.array([time_us], np.int64)
            )
            near = range_m - float(first.range_m[0]) < 0.01 + 1e-3 * range_m
            found |= bool(near and away @ normal < 0.0)
        assert found == seen[rays.met[index]]
    assert 0.005 < np.mean(~seen) < 0.3


@pytest.mark.parametrize(
    ("axis", "amount"),
    [
        (axis.name, axis.amounts[-1])
        for axis in AXES.values()
        if axis.kind in ("light", "weather", "surface")
    ],
)
def test_light_and_surfaces_leave_geometry_bit_identical(
    light: Light, rig: Rig, axis: str, amount: float
) -> None:
    before, staged = stage(light, rig, "lateral", 0.0), stage(light, rig, axis, amount)
    was, now = geometry(before), geometry(staged)
    for name, values in was.items():
        assert values.tobytes() == now[name].tobytes(), name
    rays = look(staged)
    rows = np.arange(0, len(rays.pixels), 37)
    origins = np.broadcast_to(staged.pose(TIME_US)[:3, 3], (len(rows), 3)).copy()
    when = np.full(len(rows), TIME_US, np.int64)
    shine = [
        each.light.radiance(origins, rays.directions[rows], when, 1e-3) for each in (before, staged)
    ]
    assert np.isfinite(shine[1]).all()
    changed = np.abs(shine[0] - shine[1]).max(axis=1) > 0.02 * shine[0].max(axis=1)
    assert changed.mean() > 0.01  # it does something


@pytest.mark.parametrize("axis", ["actor-moved", "actor-removed", "actor-inserted"])
def test_actors_change_where_they_were_and_are_alone(light: Light, rig: Rig, axis: str) -> None:
    staged = stage(light, rig, axis, AXES[axis].amounts[0])
    world, other = light.tracer.world, staged.perturbed.world
    poses = [{body.actor.id: body.actor for body in each.bodies} for each in (world, other)]
    touched = [key for key in {*poses[0], *poses[1]} if poses[0].get(key) != poses[1].get(key)]
    assert len(touched) == 1
    was, now = geometry(stage(light, rig, "lateral", 0.0)), geometry(staged)
    theirs = np.isin(was["instance"], touched) | np.isin(now["instance"], touched)
    assert theirs.any()
    assert np.any(was["instance"] != now["instance"])
    for name in was:
        assert was[name][~theirs].tobytes() == now[name][~theirs].tobytes(), name


def test_nobody_ever_saw_a_car_that_was_not_there(light: Light, rig: Rig) -> None:
    staged = stage(light, rig, "actor-inserted", 12.0)
    new = max(body.actor.id for body in staged.perturbed.world.bodies)
    rays = look(staged)
    mine = staged.tracer.mesh.instance[rays.hits.face] == new
    seen = seen_pixels(staged, rays, TIME_US)[rays.met]
    assert mine.sum() > 50
    assert not seen[mine].any()
    assert seen[~mine].mean() > 0.95
