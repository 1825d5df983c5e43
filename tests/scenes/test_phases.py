"""What work says of itself while it lasts, where there is no terminal (else: test_terminal.py)."""

import logging
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

import scenes.work.phases as phases
from scenes.work.phase_lines import duration, finished_line, fitted, left_s, live_line, wrapped
from scenes.work.phases import counted, heading, phase, say

text = st.text(st.characters(codec="ascii", exclude_categories=["C"]), max_size=60)


@pytest.fixture
def records(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict]]:
    """What the logger was told, with times a tenth as long as in earnest."""
    for name in ("SHOWN_S", "SILENCE_S", "AGAIN_S", "REDRAW_S"):
        monkeypatch.setattr(phases, name, getattr(phases, name) / 10)
    found: list[dict] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append({"message": record.getMessage(), **record.otherlane})  # pyright: ignore[reportAttributeAccessIssue]

    kept = Kept()
    phases.LOG.addHandler(kept)
    monkeypatch.setattr(phases.LOG, "disabled", False)  # a linter run by a test disables loggers
    before = phases.LOG.level
    phases.LOG.setLevel(logging.INFO)
    yield found
    phases.LOG.setLevel(before)
    phases.LOG.removeHandler(kept)


def test_what_takes_long_is_logged_while_it_lasts_and_at_its_end(records: list[dict]) -> None:
    with phase("waiting"):
        time.sleep(0.4)
    states = [record["state"] for record in records]
    assert states == ["running", "done"]
    assert {record["phase"] for record in records} == {"waiting"}
    assert 0.1 < records[0]["seconds"] < records[1]["seconds"] < 5.0


def test_what_is_quick_is_not_logged(records: list[dict]) -> None:
    with phase("a moment"):
        pass
    assert list(counted(range(3), "counting", 3)) == [0, 1, 2]
    assert records == []


def test_counted_work_says_how_far_it_is_and_how_long_it_will_take(records: list[dict]) -> None:
    for _ in counted(range(8), "counting", 8, "things"):
        time.sleep(0.05)
    (running, done) = records
    assert running["total"] == 8
    assert 0 < running["done"] < 8
    assert running["eta_seconds"] > 0
    assert "of 8 things" in running["message"]
    assert done["state"] == "done"


def test_a_phase_inside_another_takes_its_time_from_it(records: list[dict]) -> None:
    with phase("outer"), phase("inner"):
        time.sleep(0.3)
    assert [record["phase"] for record in records if record["state"] == "done"] == ["inner"]


def test_the_rest_of_the_outer_one_shows_itself_again(records: list[dict]) -> None:
    with phase("outer"):
        with phase("inner"):
            time.sleep(0.02)
        time.sleep(0.4)
    assert [record["phase"] for record in records] == ["outer", "outer"]


def test_what_fails_did_not_take_a_while_it_failed(records: list[dict]) -> None:
    def fail() -> None:
        with phase("failing"):
            time.sleep(0.15)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [record["state"] for record in records if record["state"] == "done"] == []


def test_headings_and_words(records: list[dict], capsys: pytest.CaptureFixture[str]) -> None:
    heading("1 of 2: something")
    assert records[0]["message"] == "1 of 2: something"
    say("words")
    assert capsys.readouterr().err.endswith("words\n")


@given(
    text, st.integers(20, 250), st.integers(0, 99), st.one_of(st.none(), st.integers(0, 99)),
    text, text,
)  # fmt: skip
def test_no_line_is_wider_than_the_terminal(
    name: str, width: int, done: int, total: int | None, unit: str, note: str
) -> None:
    shown = live_line(
        name, 12.0, width, "utf-8", done=done, total=total, unit=unit, note=note, first=(0, 1.0)
    )
    assert len(shown) < width
    assert len(finished_line(name, 100.0, total, unit, width)) < width


@given(st.lists(text, min_size=1), st.integers(5, 60))
def test_what_fits_is_kept_from_the_left(parts: list[str], room: int) -> None:
    line = fitted(parts, room)
    assert len(line) <= room
    assert "  ".join(part for part in parts if part).startswith(line)


@given(st.lists(st.text("abc", min_size=1, max_size=20), max_size=30), st.integers(20, 100))
def test_wrapping_keeps_every_word(words: list[str], width: int) -> None:
    lines = wrapped("  " + " ".join(words), width).splitlines()
    assert " ".join(lines).split() == words
    assert all(len(line) <= width for line in lines)


def test_a_path_is_never_broken() -> None:
    path = "/tmp/" + "x" * 100  # noqa: S108 - nobody opens it
    assert path in wrapped(f"wrote {path} at last", 80).split()


def test_the_rest_is_reckoned_from_the_first_news() -> None:
    # resumed at 100 of 200 after 3 s, 50 more took 10 s: the other 50 will too
    assert left_s(150, 200, (100, 3.0), 13.0) == pytest.approx(10.0)
    assert left_s(100, 200, (100, 3.0), 3.0) is None


def test_durations() -> None:
    assert (duration(3.2), duration(59.9), duration(125.0)) == ("3 s", "1 min 0 s", "2 min 5 s")
