"""What users may write for sizes and frames, and what they may not."""

import pytest

from render.folders.selection import parse_frames, parse_size, sized
from scenes.errors import OtherlaneError
from scenes.sensors.camera import Camera

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
        ("22:25", [22, 23, 24]),
        ("9,5,7:9,7", [5, 7, 8, 9]),
        (":", KNOWN),
        ("::4", [5, 9, 13, 17, 21]),
        (":8", [5, 6, 7]),
        ("20::3", [20, 23]),
        ("5:9:", [5, 6, 7, 8]),
        ("+0", [5]),
        ("+19", [24]),
        ("+0:+20:4", [5, 9, 13, 17, 21]),
        ("+15:", [20, 21, 22, 23, 24]),
        ("6,+3:10", [6, 8, 9]),
    ],
)
def test_frames(text: str | None, frames: list[int]) -> None:
    assert parse_frames(text, KNOWN) == frames


@pytest.mark.parametrize(
    "text", ["", "a", "-1", "+", "+-1", "5:9:0", "9:5", "7:7", "1:2:3:4", "5,,6", "5:+9:+2"]
)
def test_texts_that_name_no_frames(text: str) -> None:
    with pytest.raises(OtherlaneError, match="--frames"):
        parse_frames(text, KNOWN)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("3", "back to 3"),
        ("25", "on to 25"),
        ("0:40:4", "back to 0"),
        ("5:400:4", "on to 400"),
        ("22:26", "on to 26"),
        ("5:999999999", "on to 999999999"),
        ("+20", "on to 25"),
        ("+0:+21", "on to 26"),
        ("7,40:", "on to 40"),
    ],
)
def test_what_is_outside_is_refused_and_never_cut(text: str, said: str) -> None:
    with pytest.raises(OtherlaneError, match=said) as refused:
        parse_frames(text, KNOWN)
    assert refused.value.fix.startswith("frames from 5 to 24 (+0 to +19)")


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


WIDE = Camera(width=1242, height=375, fx=721.5, fy=721.5, cx=609.6, cy=172.9)


@pytest.mark.parametrize(
    "text", ["1242x375", "621x188", "621x187", "320x96", "320x97", "300x91", "994x300", "29x8"]
)
def test_sizes_in_the_shape_of_the_pictures(text: str) -> None:
    camera = sized(WIDE, text)
    assert f"{camera.width}x{camera.height}" == text
    assert camera.fy / camera.fx == pytest.approx(1.0, abs=1.0 / camera.height)


@pytest.mark.parametrize(("text", "nearest"), [("300x300", "300x91 or 994x300"), ("8x8", "26x8")])
def test_pictures_are_squeezed_only_if_that_is_meant(text: str, nearest: str) -> None:
    with pytest.raises(OtherlaneError, match=f"{text} squeezes pictures of 1242x375") as refused:
        sized(WIDE, text)
    assert refused.value.fix == f"{nearest} or --stretch if that is meant"
    camera = sized(WIDE, text, stretch=True)
    assert f"{camera.width}x{camera.height}" == text
    assert camera.fy > 3.0 * camera.fx
