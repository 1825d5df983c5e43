"""Near-collisions on request: every family meets what is requested, by other code than its own."""

import json
import tempfile
import tomllib
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

from scenes.commands import perturb
from scenes.criticality import FAMILIES
from scenes.criticality.request import Criticality, cell_of, cells
from scenes.edits.actor_looks import InsertActor
from scenes.errors import InfeasibleError, OtherlaneError
from scenes.motion.geometry import translation
from scenes.safety.encounters import Ego, encounter_at
from scenes.scenario.coverage import report
from scenes.scenario.files import load_request, load_scenario, scenario_toml
from scenes.scenario.orders import order_of
from scenes.scenario.resolve import resolve
from scenes.scenario.sampling import Drawer, Drawn, Refused
from scenes.scenario.scenario import Between, Draft, OneOf, Request, Scenario
from scenes.storage.clip_files import save_clip
from tests.brute_force import breaks_a_limit, min_ttc_s, overlaps
from tests.clip_maker import make_clip, measured, noisy, parked_car, ride

FAR_M = np.array([40.0, 9.0, 0.7])
"""Where a recorded car begins, in the ego's frame at the start."""


def request(count: int = 1, seed: int = 0, **requested: Any) -> Request:
    return Request(
        count=count,
        seed=seed,
        criticality=Draft(of=Criticality, values=requested),
        name="requested",
    )


@pytest.fixture(scope="module")
def drawer() -> Drawer:
    """A noisy drive along a gentle bend, over ground that was measured."""
    clip = make_clip(noisy(ride(speed_mps=12.0, bend_per_m=0.002, seconds=8.0), 0.005))
    return Drawer(request=request(), clip=measured(clip), where="test")


def drawn(drawer: Drawer, index: int, **requested: Any) -> Drawn | Refused:
    other = Drawer(request=request(**requested), clip=drawer.clip, where="test")
    object.__setattr__(other, "drive", drawer.drive)  # one road and ground for all tests
    return other.draw(index)


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize("ttc_s", [0.7, 1.6])
def test_every_family_meets_what_is_asked(drawer: Drawer, family: str, ttc_s: float) -> None:
    made = drawn(drawer, 0, family=family, min_ttc_s=ttc_s)
    assert isinstance(made, Drawn), made
    told = json.loads(made.files["resolved.json"])
    assert told["requested"]["family"] == family
    assert told["requested"]["min_ttc_s"] == ttc_s
    number = told["requested"]["actor"]
    assert abs(min_ttc_s(told, number, every_us=60_000) - ttc_s) <= 0.05
    assert overlaps(told, number) == (False, False)
    # The window shows how it comes to the worst moment, and how it ends well.
    (start_us, end_us), requested = told["window_us"], told["requested"]
    assert end_us - start_us == 3_000_000
    assert start_us <= requested["critical_us"] <= requested["worst_us"] + 20_000
    assert requested["worst_us"] - start_us >= 1_000_000
    assert end_us - requested["worst_us"] >= 1_000_000
    last = {**told, "window_us": [end_us - 20_000, end_us]}
    assert min_ttc_s(last, number) > ttc_s + 0.05
    added = [one for one in told["actors"] if one["id"] >= number]
    assert not any(breaks_a_limit(one) for one in added)


def test_labels_tell_the_worst_moment_of_who_only_just_sets_off(drawer: Drawer) -> None:
    for index in range(4):
        made = drawn(drawer, index, family="dart-out", min_ttc_s=1.2)
        assert isinstance(made, Drawn), made
        told = json.loads(made.files["resolved.json"])["requested"]
        scenario = scenario_of(made)
        edited = resolve(scenario, drawer.clip, ground=drawer.drive.ground)
        (actor,) = (actor for actor in edited.actors if actor.id == told["actor"])
        met = encounter_at(Ego.of(edited, drawer.clip), actor, told["worst_us"])
        assert met is not None
        assert met.ttc_s is not None
        assert abs(met.ttc_s - 1.2) <= 0.05
        assert met.required_deceleration_mps2 is not None
        assert met.required_deceleration_mps2 > 0.5


def scenario_of(made: Drawn) -> Scenario:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "scenario.toml"
        file.write_text(made.files["scenario.toml"], encoding="utf-8")
        return load_scenario(file)


@pytest.mark.parametrize(("duration_s", "start_us"), [(2.4, None), (4.0, None), (3.0, 1_000_000)])
def test_windows_last_as_long_as_they_should_and_begin_when(
    drawer: Drawer, duration_s: float, start_us: int | None
) -> None:
    requested = replace(
        request(family="wrong-way", min_ttc_s=1.0, duration_s=duration_s), start_us=start_us
    )
    made = Drawer(request=requested, clip=drawer.clip, where="test").draw(0)
    assert isinstance(made, Drawn), made
    told = json.loads(made.files["resolved.json"])
    begins_us, ends_us = told["window_us"]
    assert abs(ends_us - begins_us - 1e6 * duration_s) <= 20_000
    assert start_us in (None, begins_us)
    worst_us = told["requested"]["worst_us"]
    assert min(worst_us - begins_us, ends_us - worst_us) >= 1_000_000


def test_a_collision_can_be_asked_for(drawer: Drawer) -> None:
    made = drawn(drawer, 0, family="crossing", min_ttc_s=0.0)
    assert isinstance(made, Drawn)
    told = json.loads(made.files["resolved.json"])
    assert overlaps(told, told["requested"]["actor"]) == (False, True)
    assert told["overlaps"]
    number = told["requested"]["actor"]
    assert made.overlaps
    assert scenario_of(made).may_overlap == (number,)
    resolve(scenario_of(made), drawer.clip)  # a file by itself says what is meant
    with pytest.raises(InfeasibleError, match="in the box of"):
        resolve(replace(scenario_of(made), may_overlap=()), drawer.clip)


def test_speed_and_angle_are_met_too(drawer: Drawer) -> None:
    made = drawn(drawer, 0, family="crossing", min_ttc_s=1.0, closing_mps=14.0, angle_deg=-80.0)
    assert isinstance(made, Drawn)
    assert made.had is not None
    assert abs(made.had[1] - 14.0) <= 0.5
    assert abs(made.had[2] + 80.0) <= 5.0


def test_what_comes_out_is_plain_edits_that_survive_a_file(drawer: Drawer, tmp_path: Path) -> None:
    made = drawn(drawer, 0, family="cut-in", min_ttc_s=1.0)
    assert isinstance(made, Drawn)
    file = tmp_path / "scenario.toml"
    file.write_text(made.files["scenario.toml"], encoding="utf-8")
    scenario = load_scenario(file)
    assert scenario_toml(scenario) == made.files["scenario.toml"]
    assert {edit.kind for edit in scenario.edits} == {"insert-actor", "follow-path", "ego-speed"}
    assert scenario.tags == "cut-in near-collision"
    told = json.loads(made.files["resolved.json"])
    edited = resolve(scenario, drawer.clip, ground=drawer.drive.ground)
    actor = edited.actors[-1]
    assert actor.id == told["requested"]["actor"]
    assert actor.trajectory.world_from_body.tolist() == told["actors"][-1]["world_from_body"]


def test_the_impossible_is_refused_with_what_would_work(drawer: Drawer, tmp_path: Path) -> None:
    clip = save_clip(drawer.clip, tmp_path / "clip")
    file = tmp_path / "request.toml"
    file.write_text('[criticality]\nfamily = "stationary"\nclosing_mps = 20.0\n', encoding="utf-8")
    with pytest.raises(InfeasibleError, match="nobody closes at 20") as refused:
        perturb(clip, request=file, out=tmp_path / "out")
    assert refused.value.reason == "closing speed"
    key, value = refused.value.fix.split(" = ")
    assert isinstance(drawn(drawer, 0, family="stationary", **{key: float(value)}), Drawn)
    assert not (tmp_path / "out").exists()


def test_somebody_parked_is_never_driven_over(drawer: Drawer) -> None:
    wall = tuple(parked_car(5.0 * k, 0.002 * (5.0 * k) ** 2 / 2 - 3.5, number=k, seconds=8.0)
                 for k in range(1, 30))  # fmt: skip
    clip = make_clip(drawer.clip.ego, actors=wall)
    blocked = Drawer(request=request(family="cut-in", min_ttc_s=1.0), clip=clip, where="test")
    for index in range(2):
        made = blocked.draw(index)
        if isinstance(made, Drawn):
            told = json.loads(made.files["resolved.json"])
            new = told["actors"][-1]
            assert {one["id"] for one in told["actors"]} >= {actor.id for actor in wall}
            # The lane on the right is taken, so it came from the left.
            first = np.array(new["world_from_body"][0])[:2, 3]
            assert first[1] > 0.002 * first[0] ** 2 / 2
        else:
            assert made.reason == "somebody stands there"


def test_an_ego_that_acts_stays_where_one_can_drive(drawer: Drawer) -> None:
    ahead_m = (-50.0, 500.0, 500.0, -50.0)
    for right_m, kept in ((-20.0, True), (9.5, False)):  # its own lane is part of it, or not
        lane: dict[str, Any] = {
            "drivable_x_m": ahead_m,
            "drivable_y_m": (right_m, right_m, 40.0, 40.0),
        }
        requested = request(family="into-occupied-gap", **lane)
        found = Drawer(request=requested, clip=drawer.clip, where="test").draw(0)
        assert isinstance(found, Drawn) == kept
        if isinstance(found, Refused):
            assert "the ego would be off the road" in found.wrong


def test_one_and_two_workers_write_the_same_bytes(drawer: Drawer, tmp_path: Path) -> None:
    clip = save_clip(drawer.clip, tmp_path / "clip")
    file = tmp_path / "request.toml"
    file.write_text(
        'seed = 5\n[criticality]\nfamily = ["cut-in", "wrong-way", "u-turn-oncoming"]\n'
        "min_ttc_s = { min = 0.8, max = 2.0 }\n",
        encoding="utf-8",
    )
    said = [perturb(clip, request=file, out=tmp_path / str(n), count=6, workers=n) for n in (1, 2)]
    assert {**said[0], "seconds": 0, "out": 0} == {**said[1], "seconds": 0, "out": 0}
    error_s = said[0]["ttc_error_s_max"]
    assert isinstance(error_s, float)
    assert error_s < 0.01
    each = [
        {p.relative_to(tmp_path / str(n)): p.read_bytes()
         for p in (tmp_path / str(n)).rglob("*") if p.is_file()}
        for n in (1, 2)
    ]  # fmt: skip
    assert each[0] == each[1]
    assert {"coverage.txt", "coverage.png"} <= {path.name for path in each[0]}


def test_a_recorded_road_user_can_take_the_part(drawer: Drawer) -> None:
    known = parked_car(30.0, 3.5, number=5, seconds=8.0)
    path = ride(speed_mps=9.0, seconds=8.0, step_us=200_000).mounted(translation(FAR_M))
    recorded = replace(known, size_m=np.array([4.1, 1.7, 1.4]), trajectory=path)
    clip = make_clip(drawer.clip.ego, actors=(known, replace(recorded, id=8)))
    requested = request(family="cut-in", min_ttc_s=1.2, actor=8)
    made = Drawer(request=requested, clip=clip, where="test").draw(0)
    assert isinstance(made, Drawn), made
    told = json.loads(made.files["resolved.json"])
    assert told["requested"]["actor"] == 8
    (other,) = (one for one in told["actors"] if one["id"] == 8)
    assert other["size_m"] == [4.1, 1.7, 1.4]
    assert abs(min_ttc_s(told, 8, every_us=60_000) - 1.2) <= 0.05
    assert not breaks_a_limit(other)
    assert [one["id"] for one in told["actors"]] == [5, 8]
    assert "insert-actor" not in made.files["scenario.toml"]


@pytest.mark.parametrize(
    ("family", "actor", "reason"),
    [("dart-out", 5, "another kind"), ("cut-in", 6, "no such actor")],
)
def test_who_is_not_there_or_of_another_kind_takes_no_part(
    drawer: Drawer, family: str, actor: int, reason: str
) -> None:
    path = ride(speed_mps=9.0, seconds=8.0, step_us=200_000).mounted(translation(FAR_M))
    rides = replace(parked_car(30.0, 9.0, number=5), trajectory=path)
    clip = make_clip(drawer.clip.ego, actors=(rides,))
    requested = request(family=family, min_ttc_s=1.2, actor=actor)
    made = Drawer(request=requested, clip=clip, where="test").draw(0)
    assert isinstance(made, Refused)
    assert made.reason == reason


def test_who_stands_takes_no_part_but_an_inserted_one_does(drawer: Drawer) -> None:
    parked = parked_car(30.0, 9.0, number=5, seconds=8.0)
    clip = make_clip(drawer.clip.ego, actors=(parked,))
    requested = request(family="cut-in", min_ttc_s=1.2, actor=5)
    with pytest.raises(InfeasibleError, match="part of the static scene") as refused:
        Drawer(request=requested, clip=clip, where="near.toml")
    assert refused.value.where == "near.toml: criticality.actor"
    values = {"actor": 900, "asset": "van", "start_us": 0, "ahead_m": 150.0, "left_m": 20.0}
    put = Draft(of=InsertActor, values=values)
    requested = replace(request(family="cut-in", min_ttc_s=1.2, actor=900), edits=(put,))
    made = Drawer(request=requested, clip=clip, where="near.toml").draw(0)
    assert isinstance(made, Drawn), made
    assert json.loads(made.files["resolved.json"])["requested"]["actor"] == 900


def test_an_end_of_ones_own_is_refused(drawer: Drawer, tmp_path: Path) -> None:
    clip = save_clip(drawer.clip, tmp_path / "clip")
    file = tmp_path / "request.toml"
    file.write_text('end_us = 4_000_000\n[criticality]\nfamily = "cut-in"\n', encoding="utf-8")
    with pytest.raises(InfeasibleError, match="end at the most critical moment") as refused:
        perturb(clip, request=file, out=tmp_path / "out")
    assert refused.value.where == f"{file}: end_us"
    assert "duration_s" in refused.value.fix


def test_asks_are_stratified_and_do_not_depend_on_how_many_are_drawn() -> None:
    requested = order_of(request(min_ttc_s=Between(low=1.0, high=3.0), closing_mps=9.0)).requested
    turns = [cell_of(requested, 3, index) for index in range(2 * len(FAMILIES))]
    assert {cell.family for cell in turns[: len(FAMILIES)]} == set(FAMILIES)
    assert turns == [cell_of(requested, 3, index) for index in range(2 * len(FAMILIES))]
    count = len(cells(requested, "cut-in"))
    every = [cell_of(requested, 3, index) for index in range(count * len(FAMILIES))]
    assert {c for c in every if c.family == "cut-in"} == set(cells(requested, "cut-in"))


def test_coverage_says_what_was_had_and_what_was_not() -> None:
    requested = order_of(request(family=OneOf(values=("cut-in",)))).requested
    cell = cell_of(requested, 0, 0)
    made = Drawn(index=0, files={}, cell=cell, had=(1.0, 3.0, 0.0))
    refused = Refused(index=1, reason="limit", wrong="nobody can", cell=cell)
    text = report(requested, [made], [refused])
    assert "1 of 2 scenarios had, 1 refused" in text
    assert "closing 0-5 m/s, angle -30 to 30: 1" in text


@pytest.mark.parametrize(("side", "angles"), [("left", "-165 to -115"), ("right", "115 to 165")])
def test_coverage_tells_the_angles_of_the_side_that_is_asked(side: str, angles: str) -> None:
    requested = order_of(request(family="left-turn-across", oncoming=side)).requested
    assert f"angle {angles} degrees" in report(requested, [], [])


@pytest.mark.parametrize(
    ("line", "place", "fix"),
    [
        ('family = "cut-inn"', "criticality.family", "cut-in"),
        ("min_ttc_s = []", "criticality.min_ttc_s", "a number"),
        ('oncoming = ["left", "right"]', "criticality.oncoming", '"left" or "right"'),
        ('asset = ["car", "cra"]', "asset cra", "one of car"),
        ("min_ttc_s = -1.0", "criticality.min_ttc_s", "from 0"),
        ("duration_s = { min = 0.1, max = 2.0 }", "criticality.duration_s", "a number"),
        ('duration_s = ["long"]', "criticality.duration_s[0]", "a number"),
        ("ttc = 1.0", "criticality.ttc", "min_ttc_s"),
        ("drivable_x_m = [0.0, 1.0]", "criticality.drivable_x_m", "three"),
        ('asset = "car"\nactor = 3', "criticality.actor", "one of the two"),
    ],
)
def test_a_broken_table_is_named(line: str, place: str, fix: str, tmp_path: Path) -> None:
    file = tmp_path / "request.toml"
    file.write_text(f"[criticality]\n{line}\n", encoding="utf-8")
    with pytest.raises(OtherlaneError) as error:
        Drawer(request=load_request(file), clip=make_clip(ride()), where="test")
    assert place in error.value.where
    assert fix in error.value.fix


def test_open_values_are_drawn_for_every_ask(drawer: Drawer) -> None:
    text = """
count = 12
seed = 5
[criticality]
family = "cut-in"
asset = ["car", "truck"]
min_ttc_s = [0.9, 1.7]
duration_s = { min = 2.5, max = 3.5 }
"""
    requested = _loaded(text)
    orders = [order_of(requested, index) for index in range(40)]
    assert {order.wanted.asset for order in orders} == {"car", "truck"}
    assert {order.requested.ttc_s for order in orders} == {(0.9, 0.9), (1.7, 1.7)}
    lengths = [order.wanted.duration_s for order in orders]
    assert 2.5 <= min(lengths) < 2.7
    assert 3.3 < max(lengths) <= 3.5
    assert orders == [order_of(requested, index) for index in range(40)]
    assert order_of(requested).requested.ttc_s == (0.9, 1.7)  # what coverage is counted over
    other = Drawer(request=requested, clip=drawer.clip, where="test")
    object.__setattr__(other, "drive", drawer.drive)
    taken = []
    for index in range(6):
        made = other.draw(index)
        assert isinstance(made, Drawn), made
        told = json.loads(made.files["resolved.json"])
        wanted = orders[index]
        assert told["requested"]["min_ttc_s"] == wanted.requested.ttc_s[0]
        assert told["requested"]["duration_s"] == wanted.wanted.duration_s
        scenario = tomllib.loads(made.files["scenario.toml"])
        (put,) = (edit for edit in scenario["edits"] if edit["kind"] == "insert-actor")
        assert put["asset"] == wanted.wanted.asset
        taken.append(put["asset"])
    assert len(set(taken)) == 2


def _loaded(text: str) -> Request:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "request.toml"
        file.write_text(text, encoding="utf-8")
        requested = load_request(file)
        file.write_text(scenario_toml(requested), encoding="utf-8")
        assert load_request(file) == requested
    return requested
