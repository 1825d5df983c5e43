"""The closed table of semantic ids, used by every drive, label and exporter.

Ids never change their meaning; new classes take new ids. 0 means "nothing is known here", which
is not a guess: labels leave pixels at 0 unless the drive itself says what they show.
"""

from enum import IntEnum


class Semantic(IntEnum):
    """What a pixel, a point or a box is."""

    UNKNOWN = 0
    SKY = 1
    GROUND = 2
    """Any surface one could drive or walk on, where the drive does not say which."""
    ROAD = 3
    SIDEWALK = 4
    TERRAIN = 5
    LANE_MARKING = 6
    BUILDING = 10
    VEGETATION = 11
    POLE = 12
    TRAFFIC_SIGN = 13
    CAR = 20
    VAN = 21
    TRUCK = 22
    BUS = 23
    TRAM = 24
    MOTORCYCLE = 25
    BICYCLE = 26
    PERSON = 30
    SITTING_PERSON = 31
    CYCLIST = 32
    OTHER_ACTOR = 40
    """A road user or object that the drive boxed but did not name."""


ACTOR_KINDS = frozenset(kind for kind in Semantic if kind >= Semantic.CAR)
"""Classes that boxes may have."""

COLOURS: dict[Semantic, tuple[int, int, int]] = {
    Semantic.UNKNOWN: (60, 60, 60),
    Semantic.SKY: (70, 130, 180),
    Semantic.GROUND: (140, 90, 140),
    Semantic.ROAD: (128, 64, 128),
    Semantic.SIDEWALK: (244, 35, 232),
    Semantic.TERRAIN: (152, 251, 152),
    Semantic.LANE_MARKING: (230, 230, 230),
    Semantic.BUILDING: (70, 70, 70),
    Semantic.VEGETATION: (107, 142, 35),
    Semantic.POLE: (153, 153, 153),
    Semantic.TRAFFIC_SIGN: (220, 220, 0),
    Semantic.CAR: (0, 0, 142),
    Semantic.VAN: (0, 30, 120),
    Semantic.TRUCK: (0, 0, 70),
    Semantic.BUS: (0, 60, 100),
    Semantic.TRAM: (0, 80, 100),
    Semantic.MOTORCYCLE: (0, 0, 230),
    Semantic.BICYCLE: (119, 11, 32),
    Semantic.PERSON: (220, 20, 60),
    Semantic.SITTING_PERSON: (220, 20, 120),
    Semantic.CYCLIST: (255, 0, 0),
    Semantic.OTHER_ACTOR: (180, 120, 60),
}
"""Colours for pictures only (sRGB)."""
