"""A request's `[criticality]` table, and how the goals of its near-collisions are spread over it.

    [criticality]
    family = ["crossing", "dart-out"]          # one, or some; all of them if left out
    min_ttc_s = { min = 0.8, max = 2.0 }       # least time to collision; 0 is a collision
    closing_mps = { min = 3.0, max = 12.0 }    # left out: whatever a family has
    angle_deg = 90.0                           # left out: whatever a family has
    duration_s = 3.0
    asset = ["car", "truck"]                   # one of these, equally likely

Every value may be open, a range or a list, but for the side of oncoming traffic and for corners.
Asks are stratified: every family gets its turn, and within a family every cell of (time to
collision x closing speed x angle) does, in an order that the seed decides. Which goal has which
number depends on (request, number) alone, never on how many are drawn.
"""

from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Annotated

import numpy as np

from scenes.criticality import FAMILIES, Family, Span
from scenes.criticality.setting import Goal, Share
from scenes.edits.actors import ID
from scenes.edits.knots import PLACE
from scenes.errors import InfeasibleError
from scenes.storage.validation import Plain, Within, check
from scenes.work.suggestions import advice

TTC = Within(0.0, 6.0, "s")
CLOSING = Within(0.0, 60.0, "m/s")
ANGLE = Within(-180.0, 180.0, "degrees")
DURATION = Within(2.0, 60.0, "s")
SIDES = ("left", "right")

CLOSING_EDGES_MPS = (0.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0)
ANGLE_EDGES_DEG = (-180.0, -150.0, -90.0, -30.0, 30.0, 90.0, 150.0, 180.0)
"""Borders of cells; requested times to collision are cut into `TTC_CELLS` equal parts."""
TTC_CELLS = 4
CHOICES = 2**32 - 1
"""Key of the numbers that open values are drawn by; the tries of a goal have small keys."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Criticality:
    """A near-collision to be had; in a request each of these may be open."""

    family: str = "cut-in"
    """Which kind of encounter (`scenes.criticality.FAMILIES`)."""
    min_ttc_s: Annotated[float, TTC] = 1.0
    """Least time to collision in the window [s]; 0 is a collision."""
    closing_mps: Annotated[float | None, CLOSING] = None
    """Length of the difference of both velocities when the first reacts [m/s]."""
    angle_deg: Annotated[float | None, ANGLE] = None
    """Heading of the other against the ego's then, left positive [degrees]."""
    duration_s: Annotated[float, DURATION] = 3.0
    """Length of the window, which ends 1 s or a little more after the worst moment [s]."""
    asset: str | None = None
    """Who takes the other's part (`scenes.edits.assets`); chosen by the family when left out."""
    actor: Annotated[int | None, ID] = None
    """Or a road user of the drive who does, by track id: as large as it is, looking like itself."""
    lane_m: Annotated[float, Within(2.0, 6.0, "m")] = 3.5
    """Width of a lane [m]."""
    oncoming: str = "left"
    """Side on which oncoming traffic drives, left or right."""
    drivable_x_m: Annotated[tuple[float, ...], PLACE] = ()
    """World x of the corners of where one can drive; what the drive shows when left out [m]."""
    drivable_y_m: Annotated[tuple[float, ...], PLACE] = ()
    """World y of these corners [m]."""

    def __post_init__(self) -> None:
        check(self)
        corners = len(self.drivable_x_m)
        if corners != len(self.drivable_y_m) or corners in (1, 2):
            raise ValueError("drivable_x_m and drivable_y_m must have as many numbers, 3 or more")
        if self.asset is not None and self.actor is not None:
            raise ValueError("either an asset takes the other's part, or an actor")
        if self.family not in FAMILIES or self.oncoming not in SIDES:
            raise ValueError(f"no family {self.family!r}, or no side {self.oncoming!r}")


def name_problem(name: str, value: Plain) -> tuple[str, str] | None:
    """What is wrong with a text of the table and what to try, or None."""
    known = {"family": tuple(FAMILIES), "oncoming": SIDES}.get(name, ())
    if not known or value in known:
        return None
    return f"is {str(value)[:60]!r}, which is none", advice(str(value), known, "known", '"')


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One stratum."""

    family: str
    ttc_s: Span
    closing_mps: Span
    angle_deg: Span


@dataclass(frozen=True, kw_only=True, slots=True)
class GoalRanges:
    """The ranges of values that a request has; None where it leaves a range to the family."""

    families: tuple[str, ...]
    ttc_s: Span
    closing_mps: Span | None
    angle_deg: Span | None
    mirrored: bool = False
    """Traffic drives on the left, oncoming traffic on the right."""

    def angles_deg(self, family: Family) -> tuple[Span, ...]:
        """Angles that a family has [degrees]."""
        spans = family.angles_deg
        return tuple((-high, -low) for low, high in spans) if self.mirrored else spans

    def ttc_edges_s(self) -> tuple[float, ...]:
        """Borders of the cells of times to collision [s]."""
        low, high = self.ttc_s
        if low == high:
            return (low, high)
        return tuple(np.linspace(low, high, TTC_CELLS + 1).tolist())


@cache
def cells(requested: GoalRanges, name: str) -> tuple[Cell, ...]:
    """The cells of a family that can be filled.

    Raises:
        InfeasibleError: The family never has what is requested; names what it has.
    """
    family = FAMILIES[name]
    ranges = (
        ("min_ttc_s", requested.ttc_edges_s(), ((0.0, family.longest_s),), requested.ttc_s),
        ("closing_mps", CLOSING_EDGES_MPS, (family.closing_mps,), requested.closing_mps),
        ("angle_deg", ANGLE_EDGES_DEG, requested.angles_deg(family), requested.angle_deg),
    )
    cut = []
    for what, edges, has, wanted in ranges:
        cut.append(_cut(edges, has, wanted))
        if not cut[-1]:
            can = " or ".join(f"{low:g} to {high:g}" for low, high in has)
            wrong = f"{name} never has the {what} that is requested"
            raise InfeasibleError(f"criticality.{what}", wrong, f"{what} from {can}", "not in it")
    return tuple(
        Cell(family=name, ttc_s=ttc, closing_mps=closing, angle_deg=angle)
        for ttc, closing, angle in product(*cut)
    )


def _cut(
    edges: tuple[float, ...], has: tuple[Span, ...], requested: Span | None
) -> tuple[Span, ...]:
    """What a family has and what is requested, cut at the edges of cells."""
    cuts = list(zip(edges[:-1], edges[1:], strict=True))
    low, high = requested or (-np.inf, np.inf)
    found = [
        (max(a, c, low), min(b, d, high))
        for a, b in cuts for c, d in has
        if max(a, c, low) < min(b, d, high)
    ]  # fmt: skip
    if not found:  # a single value, or the border of two cells
        found = [(max(c, low), min(d, high)) for c, d in has if max(c, low) <= min(d, high)]
    return tuple(dict.fromkeys(found))


def cell_of(requested: GoalRanges, seed: int, index: int) -> Cell:
    """The stratum of one number: a function of (what is requested, seed, number) alone.

    Raises:
        InfeasibleError: The family of that number never has what is requested.
    """
    count = len(requested.families)
    family = requested.families[_order(count, seed, "families")[index % count]]
    found = cells(requested, family)
    return found[_order(len(found), seed, family)[(index // count) % len(found)]]


@cache
def _order(count: int, seed: int, name: str) -> tuple[int, ...]:
    """A shuffle that depends on nothing else."""
    key = int.from_bytes(name.encode(), "little") % 2**63
    share = shares(seed, key, 0)
    return tuple(sorted(range(count), key=[share() for _ in range(count)].__getitem__))


def choices(seed: int, index: int) -> Share:
    """Numbers in [0, 1) by which the open values of the goal number `index` are drawn."""
    return shares(seed, index, CHOICES)


def shares(seed: int, *key: int) -> Share:
    """Numbers in [0, 1) that depend on (seed, key) alone (see `scenario.sample`)."""
    bits = np.random.Philox(np.random.SeedSequence(seed, spawn_key=key))
    return lambda: (int(bits.random_raw()) >> 11) * 2.0**-53


def goal_in(
    cell: Cell, requested: GoalRanges, duration_s: float, share: Share, *, wish: bool
) -> Goal:
    """A goal from a cell; without `wish`, only with the values that the request has.

    Args:
        cell: Where it lies.
        requested: The ranges of the request.
        duration_s: Length of the window [s].
        share: Numbers in [0, 1).
        wish: Take the cell's closing speed and angle, whether or not the request has them.
    """

    def inside(span: Span) -> float:
        return min(span[1], max(span[0], round(span[0] + share() * (span[1] - span[0]), 3)))

    ttc, closing, angle = (inside(x) for x in (cell.ttc_s, cell.closing_mps, cell.angle_deg))
    return Goal(
        family=cell.family,
        min_ttc_s=ttc,
        closing_mps=closing if wish or requested.closing_mps else None,
        angle_deg=angle if wish or requested.angle_deg else None,
        duration_s=duration_s,
    )


def spans_of(family: Family, requested: GoalRanges) -> str:
    """What a family has where traffic drives on the side that is requested, in words."""
    angles = " or ".join(f"{low:g} to {high:g}" for low, high in requested.angles_deg(family))
    low, high = family.closing_mps
    return f"closing {low:g} to {high:g} m/s, angle {angles} degrees, up to {family.longest_s:g} s"
