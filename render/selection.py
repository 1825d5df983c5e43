"""What users write for a picture's size and for which frames they want."""

import re
from collections.abc import Sequence

import numpy as np

from render.labels.gate import LabelGate
from scenes.errors import OtherlaneError
from scenes.images import MAX_PIXELS

MIN_SIDE = 8
"""Smallest side of a picture [px]."""


def parse_size(text: str) -> tuple[int, int]:
    """Width and height of a text such as 621x188 [px]."""
    found = re.fullmatch(r"([0-9]{1,6})x([0-9]{1,6})", text)
    if found is None:
        raise OtherlaneError("--size", f"is {text!r}", "WIDTHxHEIGHT, such as 621x188")
    width, height = int(found[1]), int(found[2])
    if min(width, height) < MIN_SIDE or width * height > MAX_PIXELS:
        fix = f"sides of {MIN_SIDE} px or more, {MAX_PIXELS} px in all or fewer"
        raise OtherlaneError("--size", f"is {text}", fix)
    return width, height


def asked_gate(min_px: int, min_visible: float) -> LabelGate:
    """What road users must show to be labelled.

    Args:
        min_px: Least number of visible pixels [px].
        min_visible: Least share that nothing hides, 0 to 1.

    Raises:
        OtherlaneError: One of them is impossible.
    """
    if min_px < 0:
        raise OtherlaneError("--min-px", f"is {min_px}", "0 or more visible pixels")
    if not 0.0 <= min_visible <= 1.0:
        raise OtherlaneError("--min-visible", f"is {min_visible:g}", "a share from 0 to 1")
    return LabelGate(min_px=min_px, min_visible=min_visible)


def parse_frames(text: str | None, known: Sequence[int] | np.ndarray) -> list[int]:
    """The frames that a text such as 10, 0:40:2 or 3,7,20:30 names, increasing.

    Args:
        text: Numbers and ranges first:end[:step] (end excluded); None, or the word recorded,
            names all.
        known: Numbers of the frames that can be rendered, increasing.

    Raises:
        OtherlaneError: It cannot be read, or names a frame that is not known.
    """
    available = [int(i) for i in known]
    if not available:
        raise OtherlaneError("scenario", "its window holds no frame", "an earlier start_us")
    if text is None or text == "recorded":
        return available
    wanted: set[int] = set()
    for part in text.split(","):
        wanted |= set(_range(part, available[-1] + 1))
    unknown = sorted(wanted - set(available))
    if unknown or not wanted:
        wrong = f"names frame {unknown[0]}" if unknown else f"{text!r} names no frame"
        fix = f"frames from {available[0]} to {available[-1]}"
        raise OtherlaneError("--frames", wrong, fix)
    return sorted(wanted)


def _range(part: str, end: int) -> range:
    fix = "numbers and ranges, such as 10 or 0:40:2 or 3,7,20:30"
    if re.fullmatch(r"[0-9]{1,9}", part):
        return range(int(part), int(part) + 1)
    found = re.fullmatch(r"([0-9]{0,9}):([0-9]{0,9})(?::([0-9]{1,9}))?", part)
    if found is None or (found[3] is not None and int(found[3]) == 0):
        raise OtherlaneError("--frames", f"is {part!r}", fix)
    first = int(found[1]) if found[1] else 0
    # As in Python, a range may end beyond what there is.
    return range(first, min(int(found[2]), end) if found[2] else end, int(found[3] or 1))
