"""Truth of perturbed worlds: paths, files, and that writing them can be killed and repeated."""

from pathlib import Path

import numpy as np
import pytest

from scenes.edits.actor_looks import InsertActor
from scenes.edits.actors import RemoveTraffic
from scenes.edits.assets import LIBRARY_SEED, find_asset
from scenes.errors import InfeasibleError, OtherlaneError
from scenes.motion.geometry import rigid_problem
from scenes.motion.trajectory import Trajectory
from scenes.scenario.files import load_scenario
from scenes.worlds.models.procedural import procedural
from scenes.worlds.models.world import World, street
from scenes.worlds.record.recording import Recording
from scenes.worlds.record.sample import sample_path
from scenes.worlds.truth.perturbations import AXES
from scenes.worlds.truth.perturbed_paths import detour, raised, shifted, turned, u_turn
from scenes.worlds.truth.truth import read_truth, wanted, write_truth
from scenes.worlds.truth.truth_edits import who_changed
from scenes.worlds.truth.truth_files import TruthView
from scenes.worlds.truth.truth_store import picture_of

TINY = Recording(seed=7, frames=12, width=64, height=20, azimuth_steps=12)
AXES_MADE = ["lateral=0,3", "actor-inserted=12"]


@pytest.fixture(scope="module")
def world() -> World:
    return street(3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mitsuba", reason="the extra worlds is not installed")
    out = tmp_path_factory.mktemp("truth") / "street"
    names = write_truth(TINY, out, AXES_MADE, views=1)
    assert names == ("lateral_+0_0", "lateral_+3_0", "actor-inserted_+12_0")
    return out


@pytest.fixture(scope="module")
def views(folder: Path) -> tuple[TruthView, ...]:
    return read_truth(folder)


def test_views_are_of_the_frames_that_are_asked_for(tmp_path: Path) -> None:
    pytest.importorskip("mitsuba", reason="the extra worlds is not installed")
    write_truth(TINY, tmp_path / "truth", ["lateral=0"], views=1, frames=(3,))
    (view,) = read_truth(tmp_path / "truth")
    assert view.time_us == TINY.time_us()[3]


def test_there_are_axes_of_every_kind() -> None:
    assert len(AXES) >= 10
    assert {axis.kind for axis in AXES.values()} == {"ego", "actor", "light", "surface", "weather"}
    assert {-4.0, 0.0, 4.0} <= set(AXES["lateral"].amounts)
    assert {-30.0, 30.0} <= set(AXES["yaw"].amounts)


@pytest.mark.parametrize("name", list(AXES))
def test_axes_are_pure_functions(world: World, name: str) -> None:
    axis, before = AXES[name], world.ego.world_from_body.copy()
    for amount in axis.amounts:
        one, again = axis.apply(world, amount), axis.apply(world, amount)
        assert (one.axis, one.amount) == (name, amount)
        assert one.ego == again.ego
        assert one.world.scenery.colour.tobytes() == again.world.scenery.colour.tobytes()
        assert [b.actor for b in one.world.bodies] == [b.actor for b in again.world.bodies]
        assert (axis.kind == "ego") or one.ego == world.ego
    np.testing.assert_array_equal(world.ego.world_from_body, before)


def test_paths_beside_and_above_are_where_they_say(world: World) -> None:
    ego = world.ego
    local = np.linalg.inv(ego.world_from_body)
    for path, offset in (
        (shifted(ego, -4.0), [0.0, -4.0, 0.0]),
        (shifted(ego, 0.0), [0.0, 0.0, 0.0]),
        (raised(ego, 1.5), [0.0, 0.0, 1.5]),
        (turned(ego, 30.0), [0.0, 0.0, 0.0]),
    ):
        moved = local @ path.world_from_body
        np.testing.assert_allclose(moved[:, :3, 3], np.tile(offset, (len(ego), 1)), atol=1e-9)
    turn = local @ turned(ego, 30.0).world_from_body
    np.testing.assert_allclose(np.rad2deg(np.arctan2(turn[:, 1, 0], turn[:, 0, 0])), 30.0)


def heading_errors_rad(path: Trajectory) -> np.ndarray:
    """Angle between each pose's x axis and its direction of travel."""
    way = np.gradient(path.world_from_body[:, :2, 3], axis=0)
    x = path.world_from_body[:, :2, 0]
    cross = x[:, 0] * way[:, 1] - x[:, 1] * way[:, 0]
    return np.abs(np.arctan2(cross, np.einsum("ni,ni->n", x, way)))


def test_a_detour_swings_out_and_comes_back(world: World) -> None:
    ego, path = world.ego, detour(world.ego, 3.5)
    left = (np.linalg.inv(ego.world_from_body) @ path.world_from_body)[:, 1, 3]
    assert left.max() == pytest.approx(3.5, abs=0.02)
    np.testing.assert_allclose(left[[0, -1]], 0.0, atol=1e-9)
    assert heading_errors_rad(path).max() < np.deg2rad(2.0)


def test_a_u_turn_ends_beside_the_path_and_faces_back(world: World) -> None:
    ego, path = world.ego, u_turn(world.ego, 6.5)
    assert rigid_problem(path.world_from_body) is None
    first, last = path.world_from_body[0], path.world_from_body[-1]
    assert first[:3, 0] @ last[:3, 0] < -0.99
    across = (np.linalg.inv(first) @ last)[1, 3]
    assert across == pytest.approx(6.5, abs=0.1)
    assert path.speed_mps().max() < ego.speed_mps().min()
    assert heading_errors_rad(path).max() < np.deg2rad(3.0)


def test_there_must_be_somebody_to_remove(world: World) -> None:
    from dataclasses import replace

    with pytest.raises(InfeasibleError, match="nobody"):
        AXES["actor-removed"].apply(replace(world, bodies=()), 1.0)


def test_only_who_moves_is_edited(world: World) -> None:
    from dataclasses import replace

    standing = tuple(body for body in world.bodies if not body.actor.is_moving)
    assert len(standing) > 10
    for name in ("actor-moved", "actor-removed"):
        with pytest.raises(InfeasibleError, match="nobody"):
            AXES[name].apply(replace(world, bodies=standing), 2.0)
    for name in ("actor-moved", "actor-removed", "actor-inserted"):
        perturbed = AXES[name].apply(world, 2.0)
        assert perturbed.edits
        before = {body.actor.id: body for body in world.bodies}
        after = {body.actor.id: body for body in perturbed.world.bodies}
        changed = who_changed(*([b.actor for b in each.values()] for each in (before, after)))
        assert changed == {e.actor for e in perturbed.edits if not isinstance(e, RemoveTraffic)}
        assert changed.isdisjoint(body.actor.id for body in standing)
        assert all(after[number].mesh is before[number].mesh for number in before.keys() & after)


def test_an_inserted_vehicle_is_the_packaged_asset(world: World) -> None:
    perturbed = AXES["actor-inserted"].apply(world, 12.0)
    (edit,), new = perturbed.edits, perturbed.world.bodies[-1]
    assert isinstance(edit, InsertActor)
    asset = find_asset(edit.asset)
    mesh, _, size_m = procedural(asset.kind, LIBRARY_SEED)
    assert new.actor.id == edit.actor
    np.testing.assert_array_equal(new.actor.size_m, size_m)
    np.testing.assert_array_equal(new.mesh.vertices_m, mesh.vertices_m)
    np.testing.assert_array_equal(new.mesh.colour, mesh.colour)
    rear = new.actor.trajectory.at(np.array([0]))[0] @ [-0.5 * size_m[0], 0.0, -0.5 * size_m[2], 1]
    ahead, _, up, _ = np.linalg.inv(world.ego.world_from_body[0]) @ rear
    assert (ahead, up) == pytest.approx((12.0, 0.0), abs=0.05)


def test_unknown_axes_name_the_nearest() -> None:
    with pytest.raises(OtherlaneError, match="lateral"):
        wanted(["latteral"], 1)
    with pytest.raises(OtherlaneError, match="numbers"):
        wanted(["lateral=far"], 1)
    assert [want.amount for want in wanted(["yaw=5,-5"], 2)] == [5.0, -5.0]
    assert len(wanted(None, 1)) == sum(len(axis.amounts) for axis in AXES.values())


def test_views_hold_everything(views: tuple[TruthView, ...]) -> None:
    for view in views:
        assert view.camera is not None
        shape = (view.camera.height, view.camera.width)
        assert view.linear is not None
        assert view.seen is not None
        assert view.flow_px is not None
        assert view.normal is not None
        assert view.shadow is not None
        assert view.objects
        assert view.sweep is not None
        for image in (view.range_m, view.seen, view.shadow, view.instance, view.semantic):
            assert image.shape == shape
        np.testing.assert_array_equal(view.rgb, picture_of(view.linear))
        solid = np.isfinite(view.range_m)
        np.testing.assert_allclose(np.linalg.norm(view.normal[solid], axis=1), 1.0, atol=1e-5)
        assert np.isnan(view.flow_px[~solid]).all()
        assert 0.02 < view.shadow.mean() < 0.9
        boxes = view.boxes()
        for item in view.objects:
            assert item.visible_px == (view.instance == item.id).sum()
            assert item.visible_px <= item.alone_px
            assert boxes.get(item.id) == item.box2d_px
    straight, beside, inserted = views
    assert (straight.shift_m, beside.shift_m) == pytest.approx((0.0, 3.0))
    assert (straight.path_m, inserted.path_m) == pytest.approx((0.0, 0.0))
    assert straight.seen is not None
    assert straight.seen.all()
    assert beside.seen is not None
    assert not beside.seen.all()


def test_edits_are_a_scenario_and_the_picture_without_them_is_kept(
    folder: Path, views: tuple[TruthView, ...]
) -> None:
    straight, _, inserted = views
    assert straight.edits == ()
    assert straight.linear_before is None
    scenario = load_scenario(folder / "actor-inserted_+12_0.toml")
    assert scenario.edits == inserted.edits == AXES["actor-inserted"].apply(
        TINY.world(), 12.0
    ).edits  # fmt: skip
    (edit,) = inserted.edits
    assert isinstance(edit, InsertActor)
    assert inserted.instance_before is not None
    assert inserted.linear_before is not None
    new = inserted.instance == edit.actor
    assert new.sum() >= 50
    assert not (inserted.instance_before == edit.actor).any()
    np.testing.assert_array_equal(inserted.instance_before[~new], inserted.instance[~new])
    assert inserted.frame == straight.frame  # the same picture, then
    np.testing.assert_array_equal(inserted.linear_before, straight.linear)
    other = np.abs(picture_of(inserted.linear_before).astype(int) - inserted.rgb).max(axis=-1) > 8
    assert other[new].mean() > 0.5
    assert 0.0 < other[~new].mean() < 0.4  # its shadow


def test_what_is_there_is_not_made_again(
    folder: Path, views: tuple[TruthView, ...], tmp_path: Path
) -> None:
    one = folder / "lateral_+0_0.npz"
    bytes_before, made_ns = one.read_bytes(), one.stat().st_mtime_ns
    (folder / "lateral_+3_0.json").unlink()  # as if it had been killed before the last step
    lost = (folder / "lateral_+3_0.npz").read_bytes()
    write_truth(TINY, folder, AXES_MADE, views=1)
    assert one.stat().st_mtime_ns == made_ns
    assert (folder / "lateral_+3_0.npz").read_bytes() == lost
    assert len(read_truth(folder)) == len(views)
    write_truth(TINY, tmp_path / "again", ["lateral=3,0"], views=1, workers=2)
    assert (tmp_path / "again" / "lateral_+0_0.npz").read_bytes() == bytes_before
    assert (tmp_path / "again" / "lateral_+3_0.npz").read_bytes() == lost
    with pytest.raises(OtherlaneError, match="another recording"):
        write_truth(Recording(seed=8), folder, AXES_MADE, views=1)


def test_a_damaged_view_is_named(folder: Path, tmp_path: Path) -> None:
    for name in ("lateral_+0_0.json", "lateral_+0_0.npz"):
        (tmp_path / name).write_bytes((folder / name).read_bytes()[:-200])
    (tmp_path / "lateral_+0_0.json").write_bytes((folder / "lateral_+0_0.json").read_bytes())
    with pytest.raises(OtherlaneError, match=r"lateral_\+0_0: is damaged"):
        read_truth(tmp_path)
    with pytest.raises(OtherlaneError, match="holds no views"):
        read_truth(tmp_path / "nothing")


def test_the_truth_of_the_sample_reads_and_says_what_it_lacks() -> None:
    views = read_truth(sample_path() / "truth")
    assert len(views) == 8
    for view in views:
        assert view.axis is None
        assert view.seen is None
        assert view.flow_px is None
        assert view.objects is None
