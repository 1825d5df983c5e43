"""Nobody is put where something solid or somebody else is, or where nobody knows; unless meant."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.crossings_clear import in_the_way, tall_points
from scenes.clip import Clip
from scenes.commands import perturb
from scenes.criticality.request import Criticality
from scenes.edits.actor_looks import InsertActor
from scenes.edits.actor_motion import FollowPath
from scenes.edits.ego import LaneChange
from scenes.errors import InfeasibleError, OtherlaneError
from scenes.motion.geometry import rigid, yaw_rotation
from scenes.road.obstacles import (
    BESIDE_M,
    LEAST_POINTS,
    LOW_M,
    SPARE_M,
    Found,
    Obstacles,
    obstacles,
)
from scenes.scenario.files import scenario_toml
from scenes.scenario.resolve import check_clip, resolve
from scenes.scenario.sampling import Drawer, Drawn
from scenes.scenario.scenario import Draft, Request, Scenario
from scenes.storage.clip_files import save_clip
from tests.clip_maker import make_clip, measured, parked_car, ride, wall

CAR_M = np.array([4.5, 1.8, 1.5])
LEFT = LaneChange(offset_m=3.0, start_us=500_000, duration_us=3_000_000)


def street(*solid_m: np.ndarray, **made: Any) -> Clip:
    """A straight drive over measured ground, with walls."""
    return measured(make_clip(**made), np.concatenate([np.zeros((0, 3)), *solid_m]))


def refused(scenario: Scenario, clip: Clip) -> InfeasibleError:
    with pytest.raises(InfeasibleError) as error:
        resolve(scenario, clip, "it.toml")
    return error.value


@given(st.integers(0, 10**6))
def test_the_index_agrees_with_looking_at_every_point(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.uniform([-20, -20, -1], [20, 20, 4], (rng.integers(1, 400), 3))
    x = rng.uniform(-15, 15) + np.linspace(0.0, rng.uniform(0.0, 12.0), 40)
    yaw = rng.uniform(-3, 3) + np.linspace(0.0, rng.uniform(-1.0, 1.0), 40)
    place = np.column_stack([x, np.full(40, rng.uniform(-15, 15)), np.full(40, 0.75)])
    poses, size_m = rigid(yaw_rotation(yaw), place), rng.uniform([0.5, 0.5, 1.0], [12.0, 2.6, 3.5])
    points = points[np.argsort(points[:, 0])]
    clip = make_clip()
    own = replace(obstacles(clip), points_m=points, slices=type(obstacles(clip).slices).of(points))
    hit = np.zeros((2, len(points)), dtype=bool)
    for pose in poses:
        local = np.abs((points - pose[:3, 3]) @ pose[:3, :3])
        up = ((points - pose[:3, 3]) @ pose[:3, :3])[:, 2]
        for row, (beside_m, spare_m) in enumerate(((0.0, 0.0), (BESIDE_M, SPARE_M))):
            half = 0.5 * size_m + [beside_m, beside_m, spare_m]
            above = up > LOW_M - half[2]
            hit[row] |= np.all(local <= half, axis=1) & above
    assert (own.inside(poses, size_m) is not None) == (hit[1].sum() >= LEAST_POINTS)
    if hit[0].sum() >= LEAST_POINTS:  # so whoever is in it is found
        assert own.inside(poses, size_m) is not None


def test_two_stray_points_are_no_wall_and_three_are() -> None:
    for count in (LEAST_POINTS - 1, LEAST_POINTS):
        stray = np.array([[50.0, 3.0, 0.8], [58.0, 3.3, 1.0], [66.0, 2.8, 1.2]])[:count]
        scenario = Scenario(edits=(LEFT,))
        if count < LEAST_POINTS:
            resolve(scenario, street(stray))
        else:
            error = refused(scenario, street(stray))
            assert error.reason == "something stands there"
            assert error.where == "it.toml: edits[0]"


def test_a_lane_change_through_a_parked_car_and_a_wall_is_refused() -> None:
    gone = replace(LEFT, offset_m=-9.0, duration_us=5_000_000)
    error = refused(Scenario(edits=(gone,)), street(wall((0.0, -7.0), (90.0, -7.0))))
    assert error.reason == "something stands there"
    assert "the ego would go through something" in error.wrong
    y_m = float(error.wrong.split("at ")[2].split(",")[1].split(" stands")[0])
    assert abs(y_m + 7.0) < 0.5
    car = parked_car(60.0, -3.0)
    error = refused(Scenario(edits=(replace(LEFT, offset_m=-3.0),)), street(actors=(car,)))
    assert (error.reason, "the box of actor 1" in error.wrong) == ("somebody is there", True)


def test_whoever_parks_is_there_after_its_track_ends() -> None:
    car = parked_car(60.0, 3.0, seconds=0.5)
    error = refused(Scenario(edits=(LEFT,)), street(actors=(car,)))
    assert error.reason == "somebody is there"


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (InsertActor(actor=9, asset="car", start_us=0, ahead_m=32.5, left_m=6.0),
         "somebody is there"),
        (InsertActor(actor=9, asset="bus", start_us=0, ahead_m=40.0, left_m=-9.5),
         "something stands there"),
        (InsertActor(actor=9, asset="car", start_us=0, ahead_m=30.0), "somebody is there"),
        (InsertActor(actor=9, asset="car", start_us=0, ahead_m=195.0, left_m=40.0),
         "nobody measured there"),
    ],
    ids=["in a parked car", "in the building line", "in the ego's way", "nowhere"],
)  # fmt: skip
def test_whoever_is_inserted_needs_room_and_what_is_suggested_has_it(
    edit: InsertActor, reason: str
) -> None:
    clip = street(wall((0.0, -9.0), (90.0, -9.0)), actors=(parked_car(31.0, 6.0),))
    error = refused(Scenario(edits=(edit,)), clip)
    assert (error.reason, error.where) == (reason, "it.toml: edits[0]")
    if ", which works" in error.fix:
        name, value = error.fix.split(", which works")[0].split(" = ")
        held = type(getattr(edit, name))(value)
        resolve(Scenario(edits=(replace(edit, **{name: held}),)), clip)
    else:
        assert reason == "nobody measured there"


def test_what_is_meant_and_what_the_user_knows_are_let_through() -> None:
    clip = street(actors=(parked_car(60.0, 3.0),))
    resolve(Scenario(edits=(LEFT,), may_overlap=(1,)), clip)
    far = InsertActor(actor=9, asset="car", start_us=0, ahead_m=195.0, left_m=40.0)
    resolve(Scenario(edits=(far,), allow_unmeasured=True), clip)
    # Where nothing at all was measured, what is as near as a lane is known, and no more.
    resolve(Scenario(edits=(LEFT,)), make_clip())
    away = replace(LEFT, offset_m=-9.0, duration_us=5_000_000)
    assert refused(Scenario(edits=(away,)), make_clip()).reason == "nobody measured there"


def test_where_the_recording_car_drove_nothing_is_solid() -> None:
    clip = street(wall((30.0, -0.5), (40.0, -0.5)))  # somebody ahead who was not labelled
    follow = InsertActor(actor=9, asset="car", start_us=0, ahead_m=12.0, speed_mps=14.2)
    resolve(Scenario(edits=(follow,)), clip)


def test_other_evidence_than_the_clips_can_be_asked() -> None:
    class Fence:
        def inside(self, world_from_box: np.ndarray, size_m: np.ndarray) -> Found | None:  # noqa: ARG002
            beyond = np.flatnonzero(world_from_box[:, 1, 3] > 2.0)
            if not len(beyond):
                return None
            return Found(x_m=1.0, y_m=2.0, height_m=1.0, pose=int(beyond[0]), what="1.0 m up")

        def measured(self, xy_m: np.ndarray) -> np.ndarray:
            return np.ones(len(xy_m), dtype=bool)

    clip = make_clip()
    resolve(Scenario(edits=(replace(LEFT, offset_m=1.5),)), clip, evidence=Fence())
    with pytest.raises(InfeasibleError, match=r"at 1\.0, 2\.0"):
        resolve(Scenario(edits=(LEFT,)), clip, evidence=Fence())


@pytest.mark.parametrize("family", ["crossing", "oncoming-drift", "u-turn-oncoming"])
def test_nobody_comes_through_a_house(family: str) -> None:
    clip = street(
        *(wall((x, y), (x + 14.0, y)) for x in (-20.0, 4.0, 28.0, 52.0, 76.0) for y in (-7.0, 9.0)),
        ego=ride(speed_mps=10.0, seconds=8.0),
    )
    asked = Request(count=1, criticality=Draft(of=Criticality, values={"family": family}))
    drawer, evidence = Drawer(request=asked, clip=clip, where="test"), tall_points(clip)
    made = [one for one in map(drawer.draw, range(3)) if isinstance(one, Drawn)]
    assert made or family == "u-turn-oncoming"
    for one in made:
        assert in_the_way(json.loads(one.files["resolved.json"]), clip, evidence) == 0


def test_a_way_that_nobody_measured_is_refused_or_asked_for() -> None:
    clip = make_clip(ride(speed_mps=10.0, seconds=8.0))
    for allowed in (False, True):
        values = {"family": "crossing", "closing_mps": 15.0, "angle_deg": 90.0}
        asked = Request(criticality=Draft(of=Criticality, values=values), allow_unmeasured=allowed)
        made = Drawer(request=asked, clip=clip, where="test").draw(0)
        assert isinstance(made, Drawn) == allowed
        if isinstance(made, Drawn):
            told = json.loads(made.files["resolved.json"])["requested"]
            assert told["unmeasured_share"] > 0.5
            assert "allow_unmeasured = true" in made.files["scenario.toml"]


def test_a_hand_written_scenario_is_judged_as_a_requested_one() -> None:
    clip = street(wall((20.0, 5.0), (60.0, 5.0)))
    path = FollowPath(actor=9, time_us=(0, 3_000_000), x_m=(40.0, 40.0), y_m=(14.0, -14.0))
    put = InsertActor(actor=9, asset="car", start_us=0, ahead_m=5.0, left_m=14.0)
    error = refused(Scenario(edits=(put, path), end_us=2_000_000), clip)
    assert (error.reason, error.where) == ("something stands there", "it.toml: edits[1]")


def test_a_scenario_of_another_drive_is_refused(tmp_path: Path) -> None:
    request = tmp_path / "request.toml"
    values = {"offset_m": 1.0, "start_us": 500_000, "duration_us": 3_000_000}
    wanted = Request(edits=(Draft(of=LaneChange, values=values),))
    request.write_text(scenario_toml(wanted), encoding="utf-8")
    folders = [save_clip(make_clip(ride(speed_mps=v)), tmp_path / f"{v}") for v in (10.0, 12.0)]
    perturb(folders[0], request=request, out=tmp_path / "out")
    made = tmp_path / "out" / "0000" / "scenario.toml"
    perturb(folders[0], request=made, out=tmp_path / "again")
    with pytest.raises(OtherlaneError, match="made for another drive"):
        perturb(folders[1], request=made, out=tmp_path / "other")
    check_clip(None, "any", "it.toml")


def test_evidence_is_what_the_protocol_asks_for() -> None:
    assert isinstance(obstacles(make_clip()), Obstacles)
    assert not obstacles(make_clip()).inside(make_clip().ego.world_from_body, CAR_M)
