"""What is to be done to a drive: a scenario says it exactly, a request may leave it open.

Both are TOML (`scenes.scenario.files` reads and writes them). A user writes a request:

    name = "left"
    seed = 7                                  # 0 if left out
    count = 20                                # how many scenarios to draw; 1 if left out
    start_us = 0                              # first time to render; the whole drive if left out
    end_us = 4_000_000                        # last time to render

    [[edits]]                                 # as many as you like, done in this order
    kind = "exposure"
    stops = { min = -1.0, max = 1.0 }         # uniform between the two, both included

    [[edits]]
    kind = "lane-change"
    offset_m = { min = 2.5, max = 3.5 }
    start_us = 500_000
    duration_us = [2_700_000, 3_000_000]      # one of these, equally likely

A request may also ask for near-collisions, in a table `[criticality]`: see
`scenes.criticality.request`.

`sample` draws scenarios from it: the same file with values only. What it draws depends on
(seed, index) alone, never on what was drawn before or where. A scenario is a request, too.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Generic, TypeVar

import numpy as np

from scenes.criticality.request import Criticality
from scenes.edits import Edit
from scenes.edits.actors import ID
from scenes.edits.ego import TIME
from scenes.storage.validation import EXACT, NAME_CHARACTERS, Numbers, Plain, Within, check, rules

SEED = Within(0, EXACT)
"""Any seed."""
COUNT = Within(1, 1_000_000)
"""How many scenarios one request may draw."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """Everything that is changed about a drive; the default changes nothing."""

    name: str = "scenario"
    """One line of text."""
    seed: Annotated[int, SEED] = 0
    """Key of everything that is random while it is rendered."""
    start_us: Annotated[int | None, TIME] = None
    """First time to render [µs]; None is the drive's first."""
    end_us: Annotated[int | None, TIME] = None
    """Last time to render, included [µs]; None is the drive's last."""
    edits: tuple[Edit, ...] = ()
    """What is changed, in order."""
    tags: str | None = None
    """Words that describe it, with spaces between; labels repeat them."""
    clip: str | None = None
    """The hash of the clip that it was made for; None fits any."""
    may_overlap: Annotated[tuple[int, ...], ID] = ()
    """Track ids of those whose boxes may overlap others: a collision that is meant."""
    allow_unmeasured: bool = False
    """Whether ways may lead over ground of which the drive measured nothing."""

    def __post_init__(self) -> None:
        check(self)
        _check_window(self.start_us, self.end_us)


def _check_window(start_us: int | None, end_us: int | None) -> None:
    if start_us is not None and end_us is not None and end_us < start_us:
        raise ValueError(f"end_us {end_us} is before start_us {start_us}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Between:
    """Any number from `low` to `high`, both included, equally likely; in TOML {min=, max=}."""

    low: float | int
    high: float | int

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise ValueError(f"low {self.low} is more than high {self.high}")

    def draw(self, share: float, kind: type[Plain]) -> Plain:
        """The value at a share in [0, 1) of the range."""
        if kind is int:
            low, high = int(self.low), int(self.high)
            return min(high, low + int(share * (high - low + 1)))
        return float(min(self.high, self.low + share * (self.high - self.low)))


@dataclass(frozen=True, kw_only=True, slots=True)
class OneOf:
    """One of these values, equally likely; a list in TOML."""

    values: tuple[Plain, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("there is nothing to choose from")

    def draw(self, share: float, kind: type[Plain]) -> Plain:
        """The value at a share in [0, 1) of the list."""
        return kind(self.values[int(share * len(self.values))])


Open = Plain | Numbers | Between | OneOf
"""A value that may still be open; a list of numbers never is."""
What = TypeVar("What")


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft(Generic[What]):
    """An edit or a near-collision whose values may still be open."""

    of: type[What]
    """Which edit, or `Criticality`."""
    values: Mapping[str, Open] = field(default_factory=dict)
    """Name of each field -> its value; fields left out take their default."""

    def __post_init__(self) -> None:
        known = rules(self.of)
        required = {name for name, rule in known.items() if rule.required}
        if not required <= self.values.keys() <= known.keys():
            raise ValueError(f"{self.of.__name__} has {list(known)}, got {list(self.values)}")
        for name, value in self.values.items():
            for end in _ends(value):
                if problem := known[name].problem(end):
                    raise ValueError(f"{name} {problem}: expected {known[name].wanted}")

    def draw(self, share: Callable[[], float]) -> What:
        """With all values fixed; `share()` gives numbers in [0, 1)."""
        fixed: dict[str, Plain | Numbers] = {}
        for name, rule in rules(self.of).items():  # in this order, whatever order a file has
            if name in self.values:
                value = self.values[name]
                open_ = isinstance(value, Between | OneOf)
                fixed[name] = value.draw(share(), rule.kind) if open_ else rule.made(value)
        return self.of(**fixed)


def _ends(value: Open) -> tuple[Plain | Numbers, ...]:
    match value:
        case Between():
            return (value.low, value.high)
        case OneOf():
            return value.values
        case _:
            return (value,)


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A scenario whose edits may be open, and how many to draw from it."""

    name: str = "scenario"
    """One line of text."""
    seed: Annotated[int, SEED] = 0
    """Key of all draws."""
    count: Annotated[int, COUNT] = 1
    """How many scenarios to draw."""
    start_us: Annotated[int | None, TIME] = None
    """As `Scenario.start_us` [µs]."""
    end_us: Annotated[int | None, TIME] = None
    """As `Scenario.end_us` [µs]."""
    edits: tuple[Draft[Edit], ...] = ()
    """What is changed, in order."""
    tags: str | None = None
    """As `Scenario.tags`."""
    clip: str | None = None
    """As `Scenario.clip`."""
    may_overlap: Annotated[tuple[int, ...], ID] = ()
    """As `Scenario.may_overlap`."""
    allow_unmeasured: bool = False
    """As `Scenario.allow_unmeasured`."""
    criticality: Draft[Criticality] | None = None
    """The near-collision that is asked for, after all edits."""

    def __post_init__(self) -> None:
        check(self)
        _check_window(self.start_us, self.end_us)


def sample(request: Request, index: int) -> Scenario:
    """The scenario number `index` of a request: a function of (request, index) alone.

    Raw bits of Philox, keyed by (seed, index), are turned into numbers here, because numpy
    promises that the bits of a generator stay the same for good, but not what it makes of them.
    """
    key = np.random.SeedSequence(request.seed, spawn_key=(index,))
    bits = np.random.Philox(key)

    def share() -> float:
        return (int(bits.random_raw()) >> 11) * 2.0**-53

    suffix = f"-{index:04d}"
    return Scenario(
        name=request.name[: NAME_CHARACTERS - len(suffix)] + suffix,
        seed=int(share() * SEED.high),
        start_us=request.start_us,
        end_us=request.end_us,
        edits=tuple(draft.draw(share) for draft in request.edits),
        tags=request.tags,
        clip=request.clip,
        may_overlap=request.may_overlap,
        allow_unmeasured=request.allow_unmeasured,
    )
