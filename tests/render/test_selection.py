"""What users may write for sizes and frames, and what they may not."""

import pytest

from render.selection import parse_frames, parse_size
from scenes.errors import OtherlaneError

KNOWN = list(range(5, 25))


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        (None, KNOWN),
        ("recorded", KNOWN),
        ("10", [10]),
        ("5:9", [5, 6, 7, 8]),
        ("5:12:3", [5, 8, 11]),
        ("20:", [20, 21, 22, 23, 24]),
        ("22:100", [22, 23, 24]),
        ("9,5,7:9,7", [5, 7, 8, 9]),
    ],
)
def test_frames(text: str | None, frames: list[int]) -> None:
    assert parse_frames(text, KNOWN) == frames


@pytest.mark.parametrize("text", ["", "a", "-1", "3", "25", ":", "5:9:0", "9:5", "1:2:3:4", "5,,6"])
def test_frames_that_are_not_there(text: str) -> None:
    with pytest.raises(OtherlaneError, match="--frames"):
        parse_frames(text, KNOWN)


def test_an_empty_window_has_no_frames() -> None:
    with pytest.raises(OtherlaneError, match="holds no frame"):
        parse_frames(None, [])


def test_size() -> None:
    assert parse_size("621x188") == (621, 188)


@pytest.mark.parametrize(
    "text", ["621", "621x", "x5", "-8x8", "7x100", "99999x99999", "6.5x9", " 8x8"]
)
def test_impossible_sizes(text: str) -> None:
    with pytest.raises(OtherlaneError, match="--size"):
        parse_size(text)
