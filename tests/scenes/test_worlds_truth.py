"""Truth of perturbed worlds: paths, files, and that writing them can be killed and repeated."""

from pathlib import Path

import numpy as np
import pytest

from scenes.errors import OtherlaneError
from scenes.geometry import rigid_problem
from scenes.infeasible import InfeasibleError
from scenes.trajectory import Trajectory
from scenes.worlds.perturbations import AXES
from scenes.worlds.perturbed_paths import detour, raised, shifted, turned, u_turn
from scenes.worlds.recording import Recording
from scenes.worlds.sample import sample_path
from scenes.worlds.truth import read_truth, wanted, write_truth
from scenes.worlds.truth_files import TruthView
from scenes.worlds.truth_store import picture_of
from scenes.worlds.world import World, street

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
