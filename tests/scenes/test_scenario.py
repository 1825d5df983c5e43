import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenes.edits.ego import LaneChange, LateralOffset
from scenes.edits.exposure import Exposure, WhiteBalance
from scenes.errors import OtherlaneError
from scenes.scenario.files import load_request, load_scenario, scenario_toml
from scenes.scenario.scenario import Between, Draft, OneOf, Request, Scenario, sample

EXAMPLES = Path(__file__).parents[2] / "examples" / "requests"

words = st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), min_size=1, max_size=9)
ev = st.floats(-16.0, 16.0)
gains = st.floats(0.25, 4.0)
offsets = st.floats(-50.0, 50.0)
times = st.integers(-(2**53), 2**53)
durations = st.integers(1, 600_000_000)
seeds = st.integers(0, 2**53)
windows = st.none() | st.tuples(times, times).map(sorted)


def between(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    ends = st.tuples(values, values).map(sorted)
    ranges = ends.map(lambda drawn: Between(low=drawn[0], high=drawn[1]))
    lists = st.lists(values, min_size=1, max_size=4).map(lambda v: OneOf(values=tuple(v)))
    return values | ranges | lists


@st.composite
def scenarios(draw: Any) -> Scenario:
    fields = {"offset_m": offsets, "start_us": times, "duration_us": durations}
    edits = st.lists(
        st.builds(LaneChange, **fields)
        | st.builds(LateralOffset, **fields)
        | st.builds(Exposure, stops=ev)
        | st.builds(WhiteBalance, red=gains, blue=gains)
    )
    start_us, end_us = draw(windows) or (None, None)
    return Scenario(
        name=draw(words),
        seed=draw(seeds),
        start_us=start_us,
        end_us=end_us,
        edits=tuple(draw(edits)),
    )


@st.composite
def requests(draw: Any) -> Request:
    open_fields = st.fixed_dictionaries(
        {
            "offset_m": between(offsets),
            "start_us": between(times),
            "duration_us": between(durations),
        }
    )
    kinds = st.sampled_from([LaneChange, LateralOffset])
    drafts = st.builds(lambda of, values: Draft(of=of, values=values), kinds, open_fields)
    open_looks = st.builds(
        lambda stops: Draft(of=Exposure, values={"stops": stops}), between(ev)
    ) | st.builds(
        lambda values: Draft(of=WhiteBalance, values=values),
        st.fixed_dictionaries({}, optional={"red": between(gains), "blue": between(gains)}),
    )
    start_us, end_us = draw(windows) or (None, None)
    return Request(
        name=draw(words),
        seed=draw(seeds),
        count=draw(st.integers(1, 1_000_000)),
        start_us=start_us,
        end_us=end_us,
        edits=tuple(draw(st.lists(drafts | open_looks, max_size=3))),
    )


def written(folder: Path, text: str) -> Path:
    path = folder / "file.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scenarios")


@given(scenario=scenarios())
def test_a_scenario_survives_its_file_to_the_bit(scenario: Scenario, folder: Path) -> None:
    loaded = load_scenario(written(folder, scenario_toml(scenario)))
    assert loaded == scenario
    assert scenario_toml(loaded) == scenario_toml(scenario)


@given(request=requests())
def test_a_request_survives_its_file_to_the_bit(request: Request, folder: Path) -> None:
    loaded = load_request(written(folder, scenario_toml(request)))
    assert loaded == request
    assert scenario_toml(loaded) == scenario_toml(request)


@given(scenario=scenarios())
def test_a_scenario_is_a_request_for_itself(scenario: Scenario, folder: Path) -> None:
    drawn = sample(load_request(written(folder, scenario_toml(scenario))), 0)
    assert drawn.edits == scenario.edits


@given(requests(), st.integers(0, 10**6))
def test_same_seed_same_bytes_whatever_was_drawn_before(request: Request, index: int) -> None:
    alone = sample(request, index)
    for other in range(3):
        sample(request, other)
    assert scenario_toml(sample(request, index)) == scenario_toml(alone)


@given(requests())
def test_what_is_drawn_lies_in_its_range(request: Request) -> None:
    for index in range(5):
        for draft, edit in zip(request.edits, sample(request, index).edits, strict=True):
            assert isinstance(edit, draft.of)
            for name, open_ in draft.values.items():
                value = getattr(edit, name)
                assert type(value) is (int if name.endswith("_us") else float)
                match open_:
                    case Between():
                        assert open_.low <= value <= open_.high
                    case OneOf():
                        assert value in open_.values
                    case _:
                        assert value == open_


def open_request(**values: Any) -> Request:
    whole = {"offset_m": 3.0, "start_us": 0, "duration_us": 3_000_000} | values
    return Request(edits=(Draft(of=LaneChange, values=whole),))


def lane_change(request: Request, index: int) -> LaneChange:
    edit = sample(request, index).edits[0]
    assert isinstance(edit, LaneChange)
    return edit


def test_draws_are_uniform() -> None:
    request = open_request(
        offset_m=Between(low=-1.0, high=3.0),
        start_us=Between(low=1, high=3),
        duration_us=OneOf(values=(1, 2)),
    )
    drawn = [lane_change(request, index) for index in range(1000)]
    offset_m = np.sort([edit.offset_m for edit in drawn])
    # Kolmogorov-Smirnov: 1.95 / sqrt(n) is exceeded once in a thousand.
    assert abs(offset_m - np.linspace(-1.0, 3.0, 1000)).max() / 4.0 < 1.95 / np.sqrt(1000)
    for name, values in (("start_us", [1, 2, 3]), ("duration_us", [1, 2])):
        counts = [sum(getattr(edit, name) == value for edit in drawn) for value in values]
        assert sum(counts) == 1000
        assert max(counts) - min(counts) < 100


def test_draws_never_change() -> None:
    # Written down once: whoever draws scenario 3 of seed 7 gets this one, on every machine.
    request = Request(seed=7, edits=open_request(offset_m=Between(low=2.0, high=3.0)).edits)
    seed, offset_m = sample(request, 3).seed, lane_change(request, 3).offset_m
    assert (seed, offset_m) == (1198870214662976, 2.086731997958828)


def test_seeds_and_indices_differ() -> None:
    request = open_request(offset_m=Between(low=2.0, high=3.0))
    drawn = {
        lane_change(Request(seed=seed, edits=request.edits), index).offset_m
        for seed in (0, 1, 2**32, 2**53)
        for index in range(50)
    }
    assert len(drawn) == 200


def test_the_order_of_keys_and_the_way_of_writing_numbers_do_not_matter(tmp_path: Path) -> None:
    text = """
    [[edits]]
    duration_us = { max = 3_000_000, min = 2_000_000 }
    offset_m = { min = 2, max = 3 }
    start_us = 500000
    kind = "lane-change"
    """
    same = """
    [[edits]]
    kind = "lane-change"
    offset_m = { max = 3.0, min = 2.0 }
    start_us = 500_000
    duration_us = { min = 2000000, max = 3000000 }
    """
    one, other = (load_request(written(tmp_path, each)) for each in (text, same))
    assert scenario_toml(one) == scenario_toml(other)
    assert scenario_toml(sample(one, 5)) == scenario_toml(sample(other, 5))


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    assert load_scenario(written(tmp_path, "")) == Scenario()


def test_whole_numbers_of_metres_are_the_same_bytes(tmp_path: Path) -> None:
    scenario = load_scenario(
        written(tmp_path, scenario_toml(sample(open_request(offset_m=3.0), 0)))
    )
    assert "offset_m = 3.0\n" in scenario_toml(scenario)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.name)
def test_every_example_is_a_request(path: Path) -> None:
    request = load_request(path)
    assert request.edits or request.criticality is not None
    assert sample(request, 0) != sample(request, 1)


def test_a_scenario_leaves_nothing_open(tmp_path: Path) -> None:
    request = open_request(offset_m=Between(low=2.0, high=3.0))
    with pytest.raises(OtherlaneError, match=re.escape("edits[0].offset_m")) as refused:
        load_scenario(written(tmp_path, scenario_toml(request).replace("count = 1\n", "")))
    assert "otherlane perturb" in str(refused.value)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Scenario(name="two\nlines"), "name"),
        (lambda: Scenario(seed=-1), "seed"),
        (lambda: Scenario(start_us=2, end_us=1), "end_us"),
        (lambda: Request(count=0), "count"),
        (lambda: Between(low=2.0, high=1.0), "low"),
        (lambda: OneOf(values=()), "nothing"),
        (lambda: Draft(of=LaneChange, values={"offset_m": 1.0}), "LaneChange"),
        (lambda: Draft(of=Exposure, values={"exposure": 1.0}), "Exposure"),
        (lambda: Draft(of=Exposure, values={"stops": Between(low=0, high=17)}), "stops"),
    ],
)
def test_python_code_is_told_about_its_bugs(make: Any, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        make()


@pytest.mark.parametrize("text", ['name = "many"\ncount = 5\n', "[criticality]\nmin_ttc_s = 1.0\n"])
def test_a_request_is_no_scenario_and_says_so(text: str, tmp_path: Path) -> None:
    path = tmp_path / "near.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(OtherlaneError, match="is a request") as refused:
        load_scenario(path)
    assert "perturb CLIP --request near.toml" in refused.value.fix
