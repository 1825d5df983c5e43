"""Unknown words are answered with what they were meant for, or with what does not exist yet."""

from pathlib import Path

import pytest

from scenes.edits import EDIT_KINDS
from scenes.errors import OtherlaneError
from scenes.scenario.files import load_request


def refused(text: str, tmp_path: Path) -> OtherlaneError:
    file = tmp_path / "request.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(OtherlaneError) as error:
        load_request(file)
    return error.value


@pytest.mark.parametrize(
    ("word", "meant"),
    [("weather", "weather"), ("colour", "colour"), ("actor-color", "color"), ("rain", "rain"),
     ("material", "material"), ("time-of-day", "time-of-day"), ("light", "light")],
)  # fmt: skip
def test_what_does_not_exist_yet_is_said_and_nothing_else_is_suggested(
    word: str, meant: str, tmp_path: Path
) -> None:
    error = refused(f'[[edits]]\nkind = "{word}"\n', tmp_path)
    assert error.fix.startswith(f"none: {meant} cannot be changed yet (edits: ")
    assert refused(f"{word} = 1\n", tmp_path).fix.startswith(f"none: {meant} cannot be changed yet")


@pytest.mark.parametrize(
    ("word", "meant"),
    [("lane_change", "lane-change"), ("lanechange", "lane-change"),
     ("remove-actors", "remove-actor"), ("ego-detuor", "ego-detour"),
     ("inser-actor", "insert-actor")],
)  # fmt: skip
def test_misspellings_are_answered_with_the_word_that_was_meant(
    word: str, meant: str, tmp_path: Path
) -> None:
    error = refused(f'[[edits]]\nkind = "{word}"\n', tmp_path)
    assert error.fix.startswith(f'"{meant}" (edits: ')


@pytest.mark.parametrize("word", ["xyzzy", "teleport", "q"])
def test_what_is_like_nothing_gets_the_whole_list_and_no_guess(word: str, tmp_path: Path) -> None:
    error = refused(f'[[edits]]\nkind = "{word}"\n', tmp_path)
    assert error.fix.startswith("one of these edits: ")
    assert all(f'"{kind}"' in error.fix for kind in EDIT_KINDS)


def test_brightness_has_another_name(tmp_path: Path) -> None:
    assert 'kind = "exposure"' in refused("brightness = 1.0\n", tmp_path).fix
    assert 'kind = "exposure"' in refused('[[edits]]\nkind = "brightness"\n', tmp_path).fix


def test_the_table_of_looks_that_there_was_names_the_edits_that_replace_it(tmp_path: Path) -> None:
    error = refused("[look]\nexposure_ev = 1.0\n", tmp_path)
    assert error.where.endswith(": look")
    assert 'kind = "exposure" and stops' in error.fix
    assert 'kind = "white-balance"' in error.fix
