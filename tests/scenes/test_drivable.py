"""Where one can drive, against roads that are known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scenes.clip import Clip, LidarStream, SparsePoints
from scenes.road.drivable import Answer, DrivableSurface, drivable_surface
from scenes.road.ground import Ground, fit_ground
from scenes.storage.clip_files import load_clip
from scenes.worlds.models.world import ROAD_M, bend_y_m
from scenes.worlds.record.sample import sample_path
from tests.clip_maker import make_clip, parked_car, ride

RIGHT_M, LEFT_M = -3.0, 4.5
KERB_M = 0.12


def measured(clip: Clip, height_m: float = KERB_M, gap: tuple[float, float] = (9, 9)) -> Clip:
    """With points on a road between kerbs, and on the pavement beside; none within `gap`."""
    random = np.random.default_rng(3)
    x, y = random.uniform(-4.0, 100.0, 60_000), random.uniform(-9.5, 9.5, 60_000)
    z = np.where((y > RIGHT_M) & (y < LEFT_M), 0.0, height_m) + 0.01 * random.normal(size=60_000)
    seen = (y < gap[0]) | (y > gap[1])
    points = np.stack([x, y, z], axis=1)[seen]
    none = np.zeros(0, dtype=np.int32)
    sparse = SparsePoints(
        position_m=points,
        error_px=np.zeros(len(points), dtype=np.float32),
        point_index=none,
        frame_index=none,
    )
    return replace(clip, points=sparse)


def asked(surface: DrivableSurface, y_m: list[float], x_m: float = 40.0) -> list[int]:
    return surface.contains(np.array([[x_m, y] for y in y_m])).tolist()


def test_the_road_ends_at_its_kerbs() -> None:
    surface = drivable_surface(measured(make_clip()))
    y_m = np.arange(-9.4, 9.4, 0.2)
    answers = np.array(asked(surface, y_m.tolist()))
    inside = (y_m > RIGHT_M + 0.3) & (y_m < LEFT_M - 0.3)
    outside = (y_m < RIGHT_M - 0.3) | (y_m > LEFT_M + 0.3)
    assert np.all(answers[inside] == Answer.YES)
    assert np.all(answers[outside] == Answer.NO)
    assert "measured cells" in surface.note


def test_a_level_surface_goes_on_as_far_as_it_is_seen() -> None:
    surface = drivable_surface(measured(make_clip(), height_m=0.0, gap=(5.0, 8.0)))
    assert asked(surface, [-9.0, 0.0, 4.5]) == [Answer.YES] * 3
    assert asked(surface, [6.0, 7.0, 9.0]) == [Answer.UNKNOWN] * 3  # a gap too wide to cross
    narrow = drivable_surface(measured(make_clip(), height_m=0.0, gap=(5.0, 6.0)))
    assert asked(narrow, [5.5, 9.0]) == [Answer.YES] * 2


def test_a_parked_car_says_nothing_about_the_road_under_it() -> None:
    clip = make_clip(actors=(parked_car(40.0, 3.2),))
    bare = measured(clip)
    assert bare.points is not None
    body = np.random.default_rng(0).uniform([38.2, 2.4, 0.1], [41.8, 4.0, 0.5], (300, 3))
    points = replace(
        bare.points,
        position_m=np.concatenate([bare.points.position_m, body]),
        error_px=np.zeros(len(bare.points.position_m) + 300, dtype=np.float32),
    )
    surface = drivable_surface(replace(bare, points=points))
    assert Answer.NO not in asked(surface, [2.6, 3.2, 3.8])
    assert asked(surface, [6.0]) == [Answer.NO]


def test_without_evidence_only_what_was_driven_over_is_known() -> None:
    surface = drivable_surface(make_clip())
    assert asked(surface, [0.0, 1.0, -1.0]) == [Answer.YES] * 3
    assert asked(surface, [1.6, -1.6, 30.0]) == [Answer.UNKNOWN] * 3
    assert asked(surface, [0.0], x_m=120.0) == [Answer.UNKNOWN]  # after the drive's end
    assert "no depth evidence" in surface.note


def test_a_polygon_that_is_given_replaces_evidence() -> None:
    corners = np.array([[0.0, -9.0], [60.0, -9.0], [60.0, -7.0], [0.0, -7.0]])
    surface = drivable_surface(measured(make_clip()), polygon_m=corners)
    assert asked(surface, [-8.0, -6.5, 0.0]) == [Answer.YES, Answer.NO, Answer.NO]
    assert "polygon" in surface.note


def test_the_sample_street_is_found_between_its_kerbs(capsys: pytest.CaptureFixture[str]) -> None:
    surface = drivable_surface(load_clip(sample_path()))
    random = np.random.default_rng(0)
    x, y = random.uniform(5.0, 75.0, 8000), random.uniform(-9.0, 9.0, 8000)
    truth = (y > ROAD_M[0]) & (y < ROAD_M[1])
    _check(surface, np.stack([x, y + bend_y_m(x)], axis=1), truth, "street", capsys)


@pytest.mark.parametrize("name", ["curve", "crossing"])
def test_worlds_are_found_as_they_are(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("mitsuba")
    from scenes.road.drivable import inside_polygon
    from scenes.worlds.recipes import make_world

    world = make_world(name, 21)
    clip = replace(
        make_clip(world.ego, tuple(body.actor for body in world.bodies)),
        lidars=(_scanned(name, tmp_path),),
    )
    ground = fit_ground(clip)
    places = _beside(ground, 8000)
    truth = np.any([inside_polygon(polygon, places) for polygon in world.drivable_m], axis=0)
    _check(drivable_surface(clip, ground), places, truth, name, capsys)


def _scanned(name: str, folder: Path) -> LidarStream:
    from scenes.worlds.record.recording import Recording, ego_from_lidar
    from scenes.worlds.trace.scanner import scan
    from scenes.worlds.trace.tracer import Tracer

    recording = Recording(recipe=name, seed=21, frames=12, azimuth_steps=240)
    tracer, times = Tracer(recording.world()), recording.time_us() * 3
    files = tuple(folder / f"{time_us}.npz" for time_us in times)
    for path, time_us in zip(files, times.tolist(), strict=True):
        sweep = scan(tracer, recording.lidar(), ego_from_lidar(), time_us, recording.seed)
        np.savez(path, xyz_m=sweep.xyz_m, offset_us=sweep.offset_us, intensity=sweep.intensity)
    return LidarStream(
        name="top", lidar=recording.lidar(), ego_from_lidar=ego_from_lidar(),
        time_us=times, files=files,
    )  # fmt: skip


def _beside(ground: Ground, count: int) -> np.ndarray:
    """Places within 9 m of the driven path."""
    random = np.random.default_rng(0)
    driven = np.flatnonzero((ground.station_m > 0) & (ground.station_m < ground.station_m[-1] - 60))
    row = random.choice(driven, count)
    along, left = random.uniform(-1.5, 1.5, count), random.uniform(-9.0, 9.0, count)
    tangent = ground.tangent[row]
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    return ground.station_xy_m[row] + along[:, None] * tangent + left[:, None] * normal


def _check(
    surface: DrivableSurface,
    places: np.ndarray,
    truth: np.ndarray,
    name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answers = surface.contains(places)
    yes, no = answers == Answer.YES, answers == Answer.NO
    right_yes, right_no, found = truth[yes].mean(), (~truth[no]).mean(), yes[truth].mean()
    with capsys.disabled():
        print(
            f"\n{name}: yes {yes.mean():.2f}, of it right {right_yes:.3f}; no {no.mean():.2f}, "
            f"of it right {right_no:.3f}; {found:.2f} of the drivable surface is known to be"
        )
    assert right_yes > 0.93
    assert right_no > 0.9
    assert found > 0.4


def test_the_car_can_drive_where_it_drove() -> None:
    for ego in (ride(), ride(bend_per_m=0.03), ride(speed_mps=0.5)):
        surface = drivable_surface(make_clip(ego))
        assert set(surface.contains(ego.world_from_body[:, :2, 3]).tolist()) == {Answer.YES}
