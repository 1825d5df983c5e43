"""What users write for a picture's size and for which frames they want."""

import re
from collections.abc import Sequence

import numpy as np

from render.labels.gate import LabelGate
from render.labels.table import PIXEL_NAMES
from scenes.errors import OtherlaneError
from scenes.sensors.camera import Camera
from scenes.sensors.images import MAX_PIXELS
from scenes.work.suggestions import nearest

MIN_SIDE = 8
"""Smallest side of a picture [px]."""


def parse_size(text: str) -> tuple[int, int]:
    """Width and height of a text such as 621x188 [px]."""
    found = re.fullmatch(r"([0-9]{1,6})x([0-9]{1,6})", text)
    if found is None:
        raise OtherlaneError("--size", f"is {text!r}", "WIDTHxHEIGHT, such as 621x188")
    width, height = int(found[1]), int(found[2])
    if not _fits(width, height):
        fix = f"sides of {MIN_SIDE} px or more, {MAX_PIXELS} px in all or fewer"
        raise OtherlaneError("--size", f"is {text}", fix)
    return width, height


def sized(camera: Camera, text: str, *, stretch: bool = False) -> Camera:
    """The camera with pictures of a size such as 621x188.

    Args:
        camera: Of the drive.
        text: Width and height [px].
        stretch: Whether the picture may be squeezed, which changes fx and fy by other factors.

    Raises:
        OtherlaneError: It is no size, or has another shape than the camera's pictures.
    """
    width, height = parse_size(text)
    tall, wide = width * camera.height / camera.width, height * camera.width / camera.height
    # One side is the other's rounded down or up, or the pictures are squeezed.
    if not stretch and abs(height - tall) >= 1.0 and abs(width - wide) >= 1.0:
        ratio = f"{camera.width}x{camera.height}"
        wrong = f"{text} squeezes pictures of {ratio} (fx x{width / camera.width:.3g}"
        wrong += f", fy x{height / camera.height:.3g})"
        likely = [(w, h) for w, h in ((width, round(tall)), (round(wide), height)) if _fits(w, h)]
        fix = " or ".join([*(f"{w}x{h}" for w, h in likely), "--stretch if that is meant"])
        raise OtherlaneError("--size", wrong, fix)
    return camera.scaled(width, height)


def _fits(width: int, height: int) -> bool:
    return min(width, height) >= MIN_SIDE and width * height <= MAX_PIXELS


def asked_labels(names: Sequence[str]) -> tuple[str, ...]:
    """The pixel labels that are asked for, in the order of the table; all where none is named.

    Raises:
        OtherlaneError: There is none of such a name.
    """
    for name in names:
        if name not in PIXEL_NAMES:
            near = nearest(name, PIXEL_NAMES, alike=0.0)
            fix = f"{near} (pixel labels: {', '.join(PIXEL_NAMES)})"
            raise OtherlaneError("--labels", f"{name!r} is no pixel label", fix)
    return tuple(name for name in PIXEL_NAMES if name in names) or PIXEL_NAMES


def asked_gate(min_px: int, min_visible: float, min_observed: float) -> LabelGate:
    """What road users must show to be labelled.

    Args:
        min_px: Least number of visible pixels [px].
        min_visible: Least share that nothing hides, 0 to 1.
        min_observed: Least share that training pictures showed, 0 to 1; of frames, too.

    Raises:
        OtherlaneError: One of them is impossible.
    """
    if min_px < 0:
        raise OtherlaneError("--min-px", f"is {min_px}", "0 or more visible pixels")
    for flag, share in (("--min-visible", min_visible), ("--min-observed", min_observed)):
        if not 0.0 <= share <= 1.0:
            raise OtherlaneError(flag, f"is {share:g}", "a share from 0 to 1")
    return LabelGate(min_px=min_px, min_visible=min_visible, min_observed=min_observed)


def parse_frames(text: str | None, known: Sequence[int] | np.ndarray) -> list[int]:
    """The frames that a text such as 10, 0:40:2, ::4 or 3,7,+20:+30 names, increasing.

    Args:
        text: Numbers and ranges first:end:step (end excluded; what is left out is the first that
            is known, the end of all, and 1). A number with a plus counts from the first that is
            known: +0 is that one. None, or the word recorded, names all.
        known: Numbers of the frames that can be rendered: consecutive, increasing.

    Raises:
        OtherlaneError: It cannot be read, or reaches beyond what is known.
    """
    if not len(known):
        raise OtherlaneError("scenario", "its window holds no frame", "an earlier start_us")
    first, last = int(known[0]), int(known[-1])
    if text is None or text == "recorded":
        return list(range(first, last + 1))
    wanted: set[int] = set()
    for part in text.split(","):
        wanted.update(_frames(part, first, last))
    return sorted(wanted)


def _frames(part: str, first: int, last: int) -> range:
    """What one number or range names."""
    number = r"(\+?[0-9]{1,9})"
    found = re.fullmatch(rf"{number}|{number}?(:){number}?(?::([0-9]{{1,9}})?)?", part)
    if found is None or (found[5] is not None and int(found[5]) == 0):
        fix = "numbers and ranges, such as 10, 0:40:2, ::4 or 3,7,+20:+30"
        raise OtherlaneError("--frames", f"is {part!r}", fix)

    def bound(text: str | None, missing: int, highest: int) -> int:
        if text is None:
            return missing
        named = int(text) + (first if text.startswith("+") else 0)
        if not first <= named <= highest:
            wrong = f"{part!r} reaches {'back' if named < first else 'on'} to {named}"
            fix = f"frames from {first} to {last} (+0 to +{last - first}), or ::2 for every second"
            raise OtherlaneError("--frames", wrong, fix)
        return named

    if found[3] is None:
        start = bound(found[1], first, last)
        return range(start, start + 1)
    start, end = bound(found[2], first, last), bound(found[4], last + 1, last + 1)
    if end <= start:
        raise OtherlaneError("--frames", f"{part!r} names no frame", "first:end, the end excluded")
    return range(start, end, int(found[5] or 1))
