"""Broken scenario and request files: what is wrong, where, what to try; exit 2, nothing written."""

from collections.abc import Callable
from pathlib import Path

import pytest

from render.cli import main
from scenes.errors import OtherlaneError
from scenes.scenario.files import load_scenario
from scenes.storage.clip_files import save_clip
from tests.clip_maker import make_clip, ride

GOOD = """
name = "left"
seed = 7

[[edits]]
kind = "lane-change"
offset_m = 3.0
start_us = 500_000
duration_us = 3_000_000
"""


def with_(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


OFFSET, START = "offset_m = 3.0", "start_us = 500_000"
DURATION, KIND = "duration_us = 3_000_000", 'kind = "lane-change"'

# Name of the fault: the file, where it is, what is said of it, and what to try.
IN_BOTH: dict[str, tuple[str | bytes, str, str, str]] = {
    "not TOML": (with_("seed = 7", "seed = "), "", "line 3", "correct"),
    "unclosed string": (with_('"left"', '"left'), "", "line 2", "correct"),
    "duplicate key": (with_(OFFSET, f"{OFFSET}\n{OFFSET}"), "", "line 8", "correct"),
    "not UTF-8": (b'\nname = "\xff"', "", "not UTF-8 (line 2)", "UTF-8"),
    "a NUL byte": (GOOD.encode() + b"\0", "", "not TOML", "correct"),
    "a photo": (b"\x89PNG\r\n\x1a\n" + bytes(100), "", "not UTF-8", "UTF-8"),
    "huge file": (GOOD + "#" * 300_000, "", "larger than 256 KiB", "TOML"),
    "nested too deeply": ("seed = " + "[" * 5_000 + "]" * 5_000, "", "", ""),
    "number of thousands of digits": (with_("seed = 7", "seed = " + "9" * 5_000), "", "digits",
                                      "shorter"),
    "misspelt key": (with_("offset_m", "ofset_m"), "edits[0].ofset_m", "not a known", "offset_m"),
    "key without its unit": (with_("duration_us", "duration"), "edits[0].duration", "not a known",
                             "duration_us"),
    "misspelt top key": (with_("seed", "sede"), "sede", "not a known key", "seed"),
    "misspelt table": (with_("[[edits]]", "[[edit]]"), "edit", "not a known key", "edits"),
    "single brackets": (with_("[[edits]]", "[edits]"), "edits", "one table", "[[edits]]"),
    "edits that are numbers": ("edits = [1]", "edits[0]", "not a table", "[[edits]]"),
    "edits that are text": ('edits = "left"', "edits", "not a list", "[[edits]]"),
    "edits by the thousand": ("edits = [" + "{}," * 1_001 + "]", "edits", "1001", "1000"),
    "no kind": (with_(KIND, ""), "edits[0].kind", "missing", "lane-change"),
    "unknown kind": (with_("lane-change", "lane_chnage"), "edits[0].kind", "no edit",
                     '"lane-change"'),
    "kind that is a number": (with_(KIND, "kind = 1"), "edits[0].kind", "not text", "lane-change"),
    "missing key": (with_(DURATION, ""), "edits[0].duration_us", "missing", "duration_us ="),
    "text for a number": (with_(OFFSET, 'offset_m = "3"'), "edits[0].offset_m", "not a number",
                          "-50 to 50"),
    "yes for a number": (with_(OFFSET, "offset_m = true"), "edits[0].offset_m", "not a number",
                         "-50 to 50"),
    "date for a number": (with_(START, "start_us = 2024-01-01"), "edits[0].start_us", "not whole",
                          "whole number"),
    "seconds for microseconds": (with_(START, "start_us = 0.5"), "edits[0].start_us", "is 0.5",
                                 "whole number [µs]"),
    "NaN": (with_(OFFSET, "offset_m = nan"), "edits[0].offset_m", "out of range", "-50 to 50"),
    "infinity": (with_(OFFSET, "offset_m = -inf"), "edits[0].offset_m", "out of range", "50"),
    "too far": (with_(OFFSET, "offset_m = 51"), "edits[0].offset_m", "out of range", "50"),
    "no time": (with_(DURATION, "duration_us = 0"), "edits[0].duration_us", "range", "from 1"),
    "time beyond counting": (with_(START, f"start_us = {10**30}"), "edits[0].start_us", "31 digits",
                             "whole number"),
    "negative seed": (with_("seed = 7", "seed = -7"), "seed", "out of range", "not negative"),
    "fractional seed": (with_("seed = 7", "seed = 7.5"), "seed", "not whole", "whole number"),
    "seed that is text": (with_("seed = 7", 'seed = "7"'), "seed", "not whole", "whole number"),
    "empty name": (with_('"left"', '""'), "name", "not a line", "one line"),
    "name of two lines": (with_('"left"', '"a\\nb"'), "name", "a\\nb", "one line"),
    "name that is a number": (with_('"left"', "5"), "name", "not text", "one line"),
    "window that ends before it starts": ("start_us = 5\nend_us = 4", "end_us", "before start_us",
                                          "5 or later"),
    "look of another release": ("[look]\nexposure_ev = 1.0", "look", "not a known key",
                                'kind = "exposure" and stops'),
    "look that is a number": ("look = 1", "look", "not a known key", 'kind = "exposure"'),
    "unknown look": ('[[edits]]\nkind = "exposure"\nexposure_ev = 1', "edits[0].exposure_ev",
                     "not a known key", "stops"),
    "look like the sun": ('[[edits]]\nkind = "exposure"\nstops = 20', "edits[0].stops",
                          "out of range", "16"),
    "looks that add up": ('[[edits]]\nkind = "exposure"\nstops = 9\n' * 2, "edits[1]",
                          "18 stops in all", "-16 to 16"),
    "no balance": ('[[edits]]\nkind = "white-balance"\nred = 0.1', "edits[0].red",
                   "out of range", "0.25 to 4"),
    "outside the drive": (with_(START, "start_us = 60_000_000"), "edits[0].start_us", "outside",
                          "0 to 6000000"),
    "window outside the drive": ("end_us = 7_000_000", "end_us", "outside", "0 to 6000000"),
    "too fast a manoeuvre": (with_(DURATION, "duration_us = 900_000"), "edits[0]", "lateral jerk",
                             "duration_us = "),
}  # fmt: skip

IN_REQUESTS: dict[str, tuple[str | bytes, str, str, str]] = {
    "no count": ("count = 0", "count", "out of range", "from 1"),
    "count that is text": ('count = "many"', "count", "not whole", "whole number"),
    "range upside down": (with_(OFFSET, "offset_m = { min = 3, max = 2 }"), "edits[0].offset_m",
                          "min 3.0 above max 2.0", "swap"),
    "range without an end": (with_(OFFSET, "offset_m = { min = 3 }"), "edits[0].offset_m.max",
                             "missing", "max ="),
    "range with a third key": (with_(OFFSET, "offset_m = { min = 1, max = 2, mean = 1 }"),
                               "edits[0].offset_m.mean", "not a known key", "min"),
    "range of NaN": (with_(OFFSET, "offset_m = { min = nan, max = 2 }"), "edits[0].offset_m.min",
                     "out of range", "-50"),
    "nothing to choose from": (with_(OFFSET, "offset_m = []"), "edits[0].offset_m", "empty", "-50"),
    "text to choose from": (with_(OFFSET, 'offset_m = [1, "2"]'), "edits[0].offset_m[1]",
                            "not a number", "-50"),
    "lists to choose from": (with_(OFFSET, "offset_m = [[1]]"), "edits[0].offset_m[0]", "a list",
                             "-50"),
    "fractions of microseconds": (with_(START, "start_us = { min = 0.5, max = 2 }"),
                                  "edits[0].start_us.min", "not whole", "whole number"),
    "kind to choose from": (with_(KIND, 'kind = ["lane-change"]'), "edits[0].kind", "not text",
                            "lane-change"),
}  # fmt: skip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_clip(make_clip(ride()), tmp_path_factory.mktemp("faults") / "clip")


@pytest.fixture
def refused(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[str, str]]:
    """Runs `otherlane perturb`, checks that it leaves nothing, and gives what it says."""

    def run(request: Path, *options: str) -> tuple[str, str]:
        folder = tmp_path / "work"
        folder.mkdir(exist_ok=True)
        out = folder / "out"
        words = ["perturb", str(clip), "--request", str(request), "--out", str(out), *options]
        assert main(words) == 2
        assert list(folder.iterdir()) == []
        said = capsys.readouterr()
        assert said.out == ""
        wrong, _, fix = said.err.partition("\n  try: ")
        return wrong, fix

    return run


@pytest.mark.parametrize("fault", [*IN_BOTH, *IN_REQUESTS])
def test_a_broken_request_is_named_and_leaves_nothing(
    fault: str, refused: Callable[..., tuple[str, str]], tmp_path: Path
) -> None:
    text, where, what, fix = (IN_BOTH | IN_REQUESTS)[fault]
    path = tmp_path / "request.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    wrong, remedy = refused(path)
    assert wrong.startswith(f"otherlane: {path}: {where}")
    assert what in wrong
    assert fix in remedy
    assert len(wrong) + len(remedy) < 1000, "a message is read by a person"


NEEDS_THE_DRIVE = {
    *("outside the drive", "window outside the drive"),
    *("too fast a manoeuvre", "looks that add up"),
}


@pytest.mark.parametrize("fault", [name for name in IN_BOTH if name not in NEEDS_THE_DRIVE])
def test_a_broken_scenario_is_named(fault: str, tmp_path: Path) -> None:
    text, where, what, fix = IN_BOTH[fault]
    path = tmp_path / "scenario.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(OtherlaneError) as error:
        load_scenario(path)
    assert error.value.where.startswith(f"{path}: {where}" if where else str(path))
    assert what in error.value.wrong
    assert fix in error.value.fix


def test_the_file_that_all_faults_are_made_from_is_good(clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "request.toml"
    path.write_text(GOOD, encoding="utf-8")
    assert main(["perturb", str(clip), "--request", str(path), "--out", str(tmp_path / "out")]) == 0


def test_a_scenario_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text("count = 2", encoding="utf-8")
    with pytest.raises(OtherlaneError, match="is a request"):
        load_scenario(path)


@pytest.mark.parametrize("name", ["missing.toml", "."])
def test_what_is_no_file_is_named(
    name: str, refused: Callable[..., tuple[str, str]], tmp_path: Path
) -> None:
    wrong, fix = refused(tmp_path / name)
    assert str(tmp_path) in wrong
    assert "TOML" in fix


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--count", "0"), "--count"),
        (("--count", "9999999999"), "--count"),
        (("--seed", "-1"), "--seed"),
    ],
)
def test_options_out_of_range_are_named(
    options: tuple[str, ...], named: str, refused: Callable[..., tuple[str, str]], tmp_path: Path
) -> None:
    path = tmp_path / "request.toml"
    path.write_text(GOOD, encoding="utf-8")
    wrong, fix = refused(path, *options)
    assert wrong.startswith(f"otherlane: {named}: ")
    assert "a whole number" in fix


def test_a_folder_that_is_no_clip_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "request.toml"
    path.write_text(GOOD, encoding="utf-8")
    words = ["perturb", str(tmp_path), "--request", str(path), "--out", str(tmp_path / "out")]
    assert main(words) == 2
    assert "otherlane import" in capsys.readouterr().err
    assert [each.name for each in tmp_path.iterdir()] == ["request.toml"]


def test_an_out_that_holds_something_else_is_not_touched(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "request.toml", tmp_path / "out"
    path.write_text(GOOD, encoding="utf-8")
    out.mkdir()
    (out / "thesis.tex").write_text("precious", encoding="utf-8")
    assert main(["perturb", str(clip), "--request", str(path), "--out", str(out)]) == 2
    assert str(out) in capsys.readouterr().err
    assert [each.name for each in out.iterdir()] == ["thesis.tex"]


def test_a_drive_of_one_pose_can_change_no_lanes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = save_clip(make_clip(ride(seconds=0.0)), tmp_path / "short")
    path = tmp_path / "request.toml"
    path.write_text(GOOD.replace("start_us = 500_000", "start_us = 0"), encoding="utf-8")
    out = tmp_path / "out"
    assert main(["perturb", str(short), "--request", str(path), "--out", str(out)]) == 2
    assert "the drive is one moment" in capsys.readouterr().err
    assert not out.exists()
