"""Every recipe is a complete world: a function of its seed, drivable, painted where it says."""

import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from scenes.errors import OtherlaneError
from scenes.motion.geometry import invert, transform_points
from scenes.semantics import Semantic
from scenes.worlds.models.markings import paint_coverage
from scenes.worlds.models.mesh import Mesh, Surface
from scenes.worlds.models.procedural import KINDS, procedural
from scenes.worlds.models.world import Body, World
from scenes.worlds.recipes import RECIPES, make_world
from scenes.worlds.recipes.centre_line import from_curvature
from scenes.worlds.recipes.plan import ASPHALT, cut, grid, ground, lawn, smooth_union
from scenes.worlds.recipes.sun import sun_direction

PARTS = ("vertices_m", "rest_m", "faces", "surface", "colour", "semantic", "instance")
EGO_M = ((-0.9, -0.91), (3.6, 0.91))
"""Right rear and left front of the recording car, in its frame."""
_WORLDS: dict[str, World] = {}


def world_of(name: str) -> World:
    """Seed 3 of each recipe, made once."""
    if name not in _WORLDS:
        _WORLDS[name] = make_world(name, 3)
    return _WORLDS[name]


def _meshes(world: World) -> list[Mesh]:
    limbs = [limb.mesh for body in world.bodies for limb in body.limbs]
    return [world.scenery, *(body.mesh for body in world.bodies), *limbs]


def test_there_are_twelve_and_a_wrong_name_gets_the_nearest() -> None:
    assert len(RECIPES) >= 12
    with pytest.raises(OtherlaneError, match="roundabout"):
        make_world("roundabuot", 1)
    with pytest.raises(OtherlaneError, match="lasts 4 s"):
        make_world("street", 1, seconds=25.0)


def digests(world: World) -> tuple[str, str]:
    """Of everything that has a shape, with its colours and paths; and of the scenery alone."""
    whole = sha256()
    for mesh in _meshes(world):
        for part in PARTS:
            whole.update(getattr(mesh, part).tobytes())
    for path in (world.ego, *(body.actor.trajectory for body in world.bodies)):
        whole.update(path.time_us.tobytes() + path.world_from_body.tobytes())
    for points in (*(line.points_m for line in world.lane_lines), *world.drivable_m):
        whole.update(points.tobytes())
    return whole.hexdigest(), sha256(world.scenery.vertices_m.tobytes()).hexdigest()


ELSEWHERE = """
import sys
from scenes.worlds.recipes import make_world
from tests.scenes.test_worlds_recipes import digests
for name in sys.argv[1:]:
    print(name, *digests(make_world(name, 3)), *digests(make_world(name, 4)))
"""


@pytest.fixture(scope="module")
def elsewhere() -> dict[str, list[str]]:
    """Digests of seeds 3 and 4 of each recipe, made by another process, where types are free."""
    made = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, *(name for name in RECIPES if name != "street")],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [line.split() for line in made.stdout.splitlines()]
    return {name: rest for name, *rest in rows}


@pytest.mark.parametrize("name", [name for name in RECIPES if name != "street"])
def test_same_seed_same_bytes_and_another_seed_another_place(
    name: str, elsewhere: dict[str, list[str]]
) -> None:
    world = world_of(name)
    again, scenery, _, other = elsewhere[name]
    assert digests(world) == (again, scenery)
    assert scenery != other
    assert world.recipe == name
    assert 50_000 < sum(len(mesh) for mesh in _meshes(world)) < 1_200_000


def _rims(body: Body, time_us: np.ndarray) -> np.ndarray:
    """Points around each road user's box, seen from above; [times, points, 2]."""
    share = np.linspace(-0.5, 0.5, 9)
    half = [[0.5, y] for y in share] + [[x, 0.5] for x in share]
    ring = np.array([*half, *(-np.array(half)).tolist()])
    points = np.column_stack([ring * body.actor.size_m[:2], np.zeros(len(ring))])
    poses = body.actor.trajectory.at(time_us)
    return np.einsum("tij,nj->tni", poses[:, :3, :3], points) + poses[:, None, :3, 3]


@pytest.mark.parametrize("seconds", [4.0, pytest.param(25.0, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", [name for name in RECIPES if name != "street"])
def test_nobody_runs_into_the_ego_and_it_drives_as_one_can(name: str, seconds: float) -> None:
    world = world_of(name) if seconds == 4.0 else make_world(name, 3, seconds)
    ego = world.ego
    assert ego.time_us[-1] == round(seconds * 1e6)
    speed, second = ego.speed_mps(), ego.time_us * 1e-6
    assert speed.min() > 7.0
    assert speed.max() < 31.0
    place = ego.world_from_body[:, :3, 3]
    pull = np.gradient(np.gradient(place, second, axis=0), second, axis=0)
    assert np.linalg.norm(pull[2:-2], axis=1).max() < 4.0  # m/s2, as passengers bear
    ego_from_world = invert(ego.world_from_body)
    for body in world.bodies:
        rims = _rims(body, ego.time_us)
        local = np.einsum("tij,tnj->tni", ego_from_world[:, :3, :3], rims)
        local += ego_from_world[:, None, :3, 3]
        (back, right), (front, left) = EGO_M
        inside = (local[..., 0] > back) & (local[..., 0] < front)
        inside &= (local[..., 1] > right) & (local[..., 1] < left)
        assert not inside.any(), (body.actor.id, body.actor.kind)


def _apart_m(one: np.ndarray, other: np.ndarray) -> float:
    """The least distance between two boxes' corners [times, 4, 2] along any side; below 0 they
    overlap at some time."""
    gap = np.full(len(one), -np.inf)
    for box in (one, other):
        for side in (box[:, 1] - box[:, 0], box[:, 2] - box[:, 1]):
            across = side / np.linalg.norm(side, axis=1, keepdims=True)
            a, b = (np.einsum("tni,ti->tn", corners, across) for corners in (one, other))
            gap = np.maximum(gap, np.maximum(a.min(1) - b.max(1), b.min(1) - a.max(1)))
    return float(gap.min())


@pytest.mark.parametrize("seconds", [4.0, pytest.param(25.0, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", [name for name in RECIPES if name != "street"])
def test_road_users_do_not_run_into_each_other(name: str, seconds: float) -> None:
    world = world_of(name) if seconds == 4.0 else make_world(name, 3, seconds)
    square = 0.5 * np.array([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])
    boxes = []
    for body in world.bodies:
        corners = np.column_stack([square * body.actor.size_m[:2], np.zeros(4)])
        poses = body.actor.trajectory.at(world.ego.time_us)
        turned = np.einsum("tij,nj->tni", poses[:, :3, :3], corners)
        boxes.append((turned + poses[:, None, :3, 3])[..., :2])
    assert _apart_m(boxes[0], boxes[0] + 0.1) < 0.0  # it can tell
    for index, one in enumerate(boxes):
        for before in range(index):
            middle = np.linalg.norm((one - boxes[before]).mean(axis=1), axis=1)
            if middle.min() < 16.0:
                pair = [world.bodies[i].actor for i in (before, index)]
                ids = [(actor.id, actor.kind.name) for actor in pair]
                assert _apart_m(one, boxes[before]) > 0.0, ids


def _inside(polygon: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Whether points lie in a polygon: crossings of a ray to the right are odd."""
    a, b = polygon, np.roll(polygon, -1, axis=0)
    x, y = points[:, :1], points[:, 1:]
    spans = (a[:, 1] > y) != (b[:, 1] > y)
    rise = np.where(b[:, 1] == a[:, 1], 1.0, b[:, 1] - a[:, 1])
    at = a[:, 0] + (y - a[:, 1]) / rise * (b[:, 0] - a[:, 0])
    return (spans & (at > x)).sum(axis=1) % 2 == 1


@pytest.mark.parametrize("name", [name for name in RECIPES if name != "street"])
def test_the_drivable_surface_is_asphalt_and_the_ego_stays_on_it(name: str) -> None:
    world = world_of(name)
    mesh = world.scenery
    road = mesh.corners_m()[mesh.surface == Surface.ROAD]
    assert np.all(road[..., 2] == 0.0)
    middle = road.mean(axis=1)[:: max(len(road) // 3000, 1), :2]
    covered = np.any([_inside(polygon, middle) for polygon in world.drivable_m], axis=0)
    assert covered.mean() > 0.85  # all but the rounded corners of junctions
    corners = np.array([[x, y, 0.0] for x in (-0.9, 3.6) for y in (-0.91, 0.91)])
    poses = world.ego.world_from_body
    wheels = np.einsum("tij,nj->tni", poses[:, :3, :3], corners) + poses[:, None, :3, 3]
    near = road.mean(axis=1)[:, :2]
    for point in wheels.reshape(-1, 3)[::7, :2]:
        assert np.linalg.norm(near - point, axis=1).min() < 0.8
    for body in world.bodies:
        if body.actor.kind != Semantic.PERSON:
            spot = body.actor.trajectory.world_from_body[0, :2, 3]
            if np.linalg.norm(near - spot, axis=1).min() > 0.8:
                assert np.abs(spot).max() > 40.0  # who starts beyond the place


@pytest.mark.parametrize("name", [name for name in RECIPES if name != "street"])
def test_lane_lines_run_where_paint_is(name: str) -> None:
    world = world_of(name)
    mesh = world.scenery
    faces = np.flatnonzero(mesh.surface == Surface.ROAD)
    corners, rest = mesh.corners_m()[faces, :, :2], mesh.rest_m[mesh.faces[faces]][..., :2]
    rng, checked, painted = np.random.default_rng(0), 0, 0
    assert len(world.lane_lines) >= 3
    for line in world.lane_lines:
        assert np.linalg.norm(np.diff(line.points_m, axis=0), axis=1).max() <= 1.0
        for point in rng.choice(line.points_m, min(12, len(line.points_m)), replace=False):
            a, b, c = np.moveaxis(corners - point[:2], 1, 0)
            area = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
            weights = [b[:, 0] * c[:, 1] - b[:, 1] * c[:, 0], c[:, 0] * a[:, 1] - c[:, 1] * a[:, 0]]
            weight = np.stack([*weights, area], axis=1)
            within = np.flatnonzero((weight >= 0).all(axis=1))
            if len(within):
                share = weight[within[0]] / weight[within[0]].sum()
                spot = share @ rest[within[0]]
                # A footprint as long as a period sees part of a dash wherever it lies.
                wide = np.array([20.0 if line.dashed else 0.02])
                thin = np.array([0.05])
                covered = paint_coverage(spot[:1], spot[1:], wide, thin, world.road)
                checked, painted = checked + 1, painted + int(covered[0] > 0.1)
    assert checked >= 20
    assert painted / checked > 0.97


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_box_holds_its_road_user_at_all_times_and_tightly(kind: Semantic, seed: int) -> None:
    mesh, limbs, size_m = procedural(kind, seed)
    extents = [mesh.extent_m()]
    for limb in limbs:
        for pose in limb.box_from_limb(np.arange(0, 2_400_000, 7_001, dtype=np.int64)):
            moved = transform_points(pose, limb.mesh.vertices_m)
            extents.append((moved.min(axis=0), moved.max(axis=0)))
    low = np.min([low for low, _ in extents], axis=0)
    high = np.max([high for _, high in extents], axis=0)
    assert np.all(low >= -0.5 * size_m - 1e-9)
    assert np.all(high <= 0.5 * size_m + 1e-9)
    np.testing.assert_allclose([-low, high], np.tile(0.5 * size_m, (2, 1)), atol=3e-3)
    assert (len(limbs) > 0) == (kind in (Semantic.PERSON, Semantic.CYCLIST))
    with pytest.raises(OtherlaneError, match="cannot be made"):
        procedural(Semantic.TRAM, seed)


def test_a_clothoid_turns_as_its_curvature_says() -> None:
    line = from_curvature([-10.0, 0.0, 20.0, 60.0], [0.0, 0.0, 0.05, 0.05])
    assert line.yaw_at(np.array([60.0]))[0] == pytest.approx(0.5 * 20 * 0.05 + 40 * 0.05, abs=1e-6)
    np.testing.assert_allclose(line.at(np.array([0.0]), np.array([2.0])), [[0.0, 2.0]], atol=1e-9)
    s = np.arange(21.0, 59.0)
    middle = line.at(s, np.full(len(s), 20.0))  # all of a circle's points share its middle
    assert np.abs(middle - middle[0]).max() < 2e-3


def test_cutting_keeps_area_and_sides() -> None:
    corners = grid((-3.0, -2.0), (3.0, 2.0), (0.7, 0.6))
    value = np.hypot(corners[..., 0], corners[..., 1]) - 1.3
    below, above, line = cut(corners, value)

    def area(t: np.ndarray) -> np.ndarray:
        p, q = t[:, 1] - t[:, 0], t[:, 2] - t[:, 0]
        return 0.5 * (p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0])

    assert area(below).min() > 0.0
    assert area(above).min() > 0.0
    assert area(below).sum() + area(above).sum() == pytest.approx(24.0)
    assert area(below).sum() == pytest.approx(np.pi * 1.3**2, rel=0.05)
    along, out = line[:, 1] - line[:, 0], line.mean(axis=1)
    assert np.all(along[:, 0] * out[:, 1] - along[:, 1] * out[:, 0] < 0.0)  # below lies left


def test_steps_face_the_lower_side_and_corners_are_round() -> None:
    soil = ground(
        grid((-4.0, -4.0), (4.0, 4.0), (0.5, 0.5)), lambda at: at[:, 1], (ASPHALT, lawn(9.0))
    )
    upright = np.abs(soil.normals()[:, 2]) < 0.5
    assert upright.sum() > 10
    np.testing.assert_allclose(
        soil.normals()[upright], np.tile([0.0, -1.0, 0.0], (upright.sum(), 1))
    )
    assert smooth_union(np.array([0.0]), np.array([0.0]), 6.0)[0] < -2.0
    assert smooth_union(np.array([3.0]), np.array([9.0]), 6.0)[0] == 3.0


def test_the_sun_is_where_almanacs_have_it() -> None:
    # At the equinox on the equator it is overhead at noon; at 50 N on 21 June it is 63.4 high.
    assert sun_direction(0.0, 80.0, 12.0)[2] > np.cos(np.deg2rad(1.0))
    height = np.rad2deg(np.arcsin(sun_direction(50.0, 172.0, 12.0)[2]))
    assert height == pytest.approx(63.44, abs=0.5)
    rising = sun_direction(50.0, 80.0, 6.0)
    assert abs(rising[2]) < 0.03
    assert rising[0] > 0.99  # in the east


def test_at_night_only_lamps_shine_and_cars_carry_theirs() -> None:
    world = world_of("night_street")
    assert np.all(world.lighting.sun_irradiance == 0.0)
    carriers = {lamp.carrier for lamp in world.lighting.lamps}
    assert {None, -1, 1} <= carriers
    assert carriers - {None, -1} <= {body.actor.id for body in world.bodies}
    assert world_of("wet_street").wetness > 0.5
    assert world_of("wet_street").lighting.overcast == 1.0
