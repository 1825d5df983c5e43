"""The street is a pure function of its seed, and says the truth about its cars and lanes."""

import numpy as np
import pytest

from scenes.motion.geometry import invert, transform_points
from scenes.worlds.models.mesh import Mesh
from scenes.worlds.models.noise import band, repeated, stripe
from scenes.worlds.models.plants import hills
from scenes.worlds.models.roads import FREE_M, ROAD_M
from scenes.worlds.models.vehicles import SHAPES, car
from scenes.worlds.models.world import World, bend_y_m, cars, ego_drive, street


@pytest.fixture(scope="module")
def world() -> World:
    return street(7)


def _meshes(world: World) -> list[Mesh]:
    return [world.scenery, *(body.mesh for body in world.bodies)]


def test_same_seed_same_bytes(world: World) -> None:
    again = street(7)
    for one, other in zip(_meshes(world), _meshes(again), strict=True):
        for name in ("vertices_m", "rest_m", "faces", "surface", "colour", "semantic", "instance"):
            assert getattr(one, name).tobytes() == getattr(other, name).tobytes(), name
    assert world.ego == again.ego
    assert [body.actor for body in world.bodies] == [body.actor for body in again.bodies]


def test_another_seed_is_another_street(world: World) -> None:
    assert hills(8).vertices_m.tobytes() != hills(7).vertices_m.tobytes()
    assert ego_drive(8) != world.ego
    assert cars(8)[1].actor != world.bodies[1].actor


@pytest.mark.parametrize("shape", SHAPES)
def test_a_box_is_the_extent_of_its_mesh(shape) -> None:
    mesh, size_m = car(shape, (0.5, 0.5, 0.5))
    low, high = mesh.extent_m()
    np.testing.assert_allclose(high, 0.5 * size_m, atol=1e-12)
    np.testing.assert_allclose(low, -0.5 * size_m, atol=1e-12)


def test_cars_stand_on_the_road(world: World) -> None:
    for body in world.bodies:
        for pose in body.actor.trajectory.world_from_body:
            bottom = transform_points(pose, body.mesh.vertices_m)[:, 2].min()
            assert abs(bottom) < 1e-9


def test_one_car_moves_and_the_ids_are_its_instances(world: World) -> None:
    assert [body.actor.is_moving for body in world.bodies].count(True) == 1
    for body in world.bodies:
        assert set(body.mesh.instance.tolist()) == {body.actor.id}
        assert set(body.mesh.semantic.tolist()) == {int(body.actor.kind)}


@pytest.mark.parametrize("seed", [7, 8])
def test_three_metres_to_the_left_the_road_is_free(seed: int) -> None:
    ego, bodies = ego_drive(seed), cars(seed)
    assert np.array_equal(ego.time_us, bodies[0].actor.trajectory.time_us)
    ego_from_world = invert(ego.world_from_body)
    for body in bodies:
        poses = body.actor.trajectory.at(ego.time_us)
        low, high = body.mesh.extent_m()
        # All of the car's sides, finely enough that none can reach in between.
        side = np.linspace(low, high, 12)
        ring = [[x, y, 0.0, 1.0] for x in side[:, 0] for y in (low[1], high[1])]
        ring += [[x, y, 0.0, 1.0] for x in (low[0], high[0]) for y in side[:, 1]]
        local = np.einsum("tij,tjk,nk->tni", ego_from_world, poses, np.array(ring))
        # The ego's sides and nose, wherever it is between 0 and 3 m to the left, 30 cm free.
        beside = (local[..., 1] > -0.91 - 0.3) & (local[..., 1] < 3.0 + 0.91 + 0.3)
        along = (local[..., 0] > -0.9 - 1.0) & (local[..., 0] < 3.6 + 1.0)
        assert not np.any(beside & along), (seed, body.actor.id)


@pytest.mark.parametrize("seed", [7, 8, 9])
def test_the_ego_drives_smoothly_and_on_the_road(seed: int) -> None:
    ego = ego_drive(seed)
    speed = ego.speed_mps()
    assert speed.min() > 12.0
    assert speed.max() < 16.0
    assert np.abs(np.diff(speed)).max() < 0.2
    place = ego.world_from_body[:, :3, 3]
    y = place[:, 1] - bend_y_m(place[:, 0])
    assert FREE_M[0] < y.min() - 0.91
    assert y.max() + 3.0 + 0.91 < FREE_M[1] < ROAD_M[1]
    ahead = np.diff(place, axis=0)
    heading = np.arctan2(ego.world_from_body[:-1, 1, 0], ego.world_from_body[:-1, 0, 0])
    assert np.abs(np.arctan2(ahead[:, 1], ahead[:, 0]) - heading).max() < 0.01


def test_the_sun_is_up_and_nothing_is_below_the_plain(world: World) -> None:
    assert world.lighting.to_sun[2] > 0.5
    assert np.linalg.norm(world.lighting.to_sun) == pytest.approx(1.0)
    low, high = world.scenery.extent_m()
    assert low[2] > -2.0
    assert high[2] > 10.0


def test_stripes_are_box_filters() -> None:
    x = np.linspace(-3.0, 3.0, 61)
    fine = np.linspace(-0.5, 0.5, 4001)[:-1] + 0.000125
    for share, exact in (
        (stripe(x, -0.3, 0.4, 0.7), lambda t: (t > -0.3) & (t < 0.4)),
        (repeated(x, 1.1, 0.5, 0.7), lambda t: np.mod(t, 1.1) < 0.5),
    ):
        slow = exact(x[:, None] + 0.7 * fine).mean(axis=1)
        np.testing.assert_allclose(share, slow, atol=2e-3)


def test_noise_fades_where_the_footprint_swallows_it() -> None:
    u = np.random.default_rng(0).uniform(0, 100, 1000)
    assert np.abs(band(u, u, 1.0, 0.0)).max() > 0.5
    assert np.all(band(u, u, 1.0, 1.0) == 0.0)
