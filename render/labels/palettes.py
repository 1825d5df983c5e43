"""Colours for maps of ids, so that viewers show them: files keep the ids, exactly.

A palette PNG holds ids as they are and a table of colours beside them. Colours mean nothing.
"""

import colorsys
from collections.abc import Mapping
from functools import cache

from scenes.semantics import COLOURS

Colour = tuple[int, int, int]
ENTRIES = 256
"""A palette PNG has ids below this."""
NOTHING: Colour = (0, 0, 0)
UNNAMED: Colour = (255, 0, 255)
"""Of ids that the table of classes lacks: a mistake, to be seen."""


def bright(number: int) -> Colour:
    """A bright colour of one's own; numbers that follow each other differ most."""
    hue = (0.08 + number * 0.61803398875) % 1.0
    red, green, blue = colorsys.hls_to_rgb(hue, 0.58, 0.9)
    return round(red * 255), round(green * 255), round(blue * 255)


@cache
def palettes() -> Mapping[str, bytes]:
    """Name of a pixel label that holds ids -> red, green and blue of each id in turn."""
    classes = {int(kind): colour for kind, colour in COLOURS.items()}
    colours = {
        "semantic": [classes.get(number, UNNAMED) for number in range(ENTRIES)],
        "instance": [NOTHING, *(bright(number) for number in range(1, ENTRIES))],
    }
    return {name: bytes(sum(table, ())) for name, table in colours.items()}
