"""Headings of KITTI's boxes: radians in (-pi, pi], however many turns a tracker has counted.

Published results of trackers let rotation_y run on (-20 rad and the like); degrees look alike but
are a mistake. Two rules tell them apart: no tracker counts more than `MAX_TURNS`, and a heading
that ran on continues its track's, turned back, which one in degrees does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scenes.errors import DriveError
from scenes.importers.formats.text_tables import Line

MAX_TURNS = 4
"""Headings beyond so many turns are degrees: 25 rad; a car that comes towards the camera, or goes
away from it, has 90 degrees."""
MAX_JUMP_RAD = 0.5 * np.pi
"""Headings of neighbouring boxes of a track that lie further apart (median) are no radians: at
worst, trackers mistake front for back now and then."""
FEWEST = 3
"""Fewer jumps than this do not tell."""
SLACK_RAD = 0.01
"""Rounding of pi in label files."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Heading:
    """One rotation_y of a label file."""

    line: Line
    """Where it stands."""
    track: int
    """Which road user's it is."""
    frame: int
    """Number of the picture."""
    rad: float
    """As it was read."""

    @property
    def ran_on(self) -> bool:
        """Whether it is beyond half a turn."""
        return abs(self.rad) > np.pi + SLACK_RAD


def turned_back(rad: float) -> float:
    """The same heading in (-pi, pi]; bit for bit where it is there already."""
    if -np.pi < rad <= np.pi:
        return rad
    # Rounding may leave it a hair outside.
    return float(np.clip(rad - 2.0 * np.pi * np.ceil((rad - np.pi) / (2.0 * np.pi)), -3.2, np.pi))


def check_headings(headings: Sequence[Heading]) -> int:
    """How many headings ran on; all of them must be radians.

    Raises:
        DriveError: They look like degrees; the file and line of one are named.
    """
    for heading in headings:
        if abs(heading.rad) > 2.0 * np.pi * MAX_TURNS:
            wrong = f"rotation_y of {heading.rad:g} is over {MAX_TURNS} turns: degrees?"
            raise DriveError(heading.line.place, wrong, "radians")
    far = [heading for heading in headings if heading.ran_on]
    jumps = _jumps_rad(headings)
    if len(jumps) >= FEWEST and float(np.median(jumps)) > MAX_JUMP_RAD:
        wrong = (
            f"rotation_y of {far[0].rad:g}, and such, turn by {np.degrees(np.median(jumps)):.0f} "
            "degrees from box to box of a track (median) if they are radians: degrees?"
        )
        raise DriveError(far[0].line.place, wrong, "radians")
    return len(far)


def _jumps_rad(headings: Sequence[Heading]) -> list[float]:
    """How far each heading that ran on is turned from the box before, and after, on its track."""
    jumps = []
    ordered = sorted(headings, key=lambda heading: (heading.track, heading.frame))
    for one, other in zip(ordered[:-1], ordered[1:], strict=True):
        near = one.track == other.track and other.frame == one.frame + 1
        if near and (one.ran_on or other.ran_on):
            jumps.append(abs(turned_back(other.rad - one.rad)))
    return jumps
