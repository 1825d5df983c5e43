"""What the fields of an edit may hold, said once, in their annotations.

A field `offset_m: Annotated[float, Within(-50, 50)]` is checked by `check` when Python code makes
the value, and by `Rule.read` when a file does; both bounds are inclusive.

A field `x_m: Annotated[tuple[float, ...], Within(-50, 50)]` holds a list of such numbers. It is
never open: where other fields' lists are choices, its list is its value.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields, replace
from functools import cache
from types import MappingProxyType, NoneType
from typing import Annotated, Any, get_args, get_origin

from scenes.errors import OtherlaneError
from scenes.work.suggestions import advice

Plain = float | int | str | bool
"""What one field holds ..."""
Numbers = tuple[float, ...] | tuple[int, ...]
"""... or a list of numbers."""

EXACT = 2**53
"""Whole numbers up to here survive as JSON numbers; bounds that large go without saying."""
NAME_CHARACTERS = 200
"""Longest text that a field may hold."""
MOST_NUMBERS = 10_000
"""Longest list of numbers that a field may hold."""


@dataclass(frozen=True, slots=True)
class Within:
    """Inclusive bounds of a number."""

    low: float | int
    high: float | int
    unit: str = ""
    """Said in messages."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """What one field may hold."""

    kind: type[float] | type[int] | type[str] | type[bool]
    """The type itself, or that of each number: one of float, int, str and bool."""
    low: float | int = -math.inf
    high: float | int = math.inf
    unit: str = ""
    required: bool = True
    """A file must have it."""
    optional: bool = False
    """Python code may leave it None."""
    many: bool = False
    """It holds a list of numbers."""

    @property
    def wanted(self) -> str:
        """The rule in words."""
        if self.many:
            return f"a list of at most {MOST_NUMBERS} numbers, each {self._each.wanted}"
        if self.kind is bool:
            return "true or false"
        if self.kind is str:
            return f"one line of text, 1 to {NAME_CHARACTERS} characters"
        what = "a whole number" if self.kind is int else "a number"
        unit = f" [{self.unit}]" if self.unit else ""
        if self.high >= EXACT:
            return f"{what}{', not negative' if self.low == 0 else ''}{unit}"
        return f"{what} from {self.low:.17g} to {self.high:.17g}{unit}"

    def problem(self, value: object) -> str | None:
        """What is wrong with a value, or None."""
        if self.many:
            return self._list_problem(value)
        if self.kind is bool:
            return None if isinstance(value, bool) else "is neither true nor false"
        if self.kind is str:
            if not isinstance(value, str):
                return f"is {_shown(value)}, not text"
            good = 0 < len(value) <= NAME_CHARACTERS and value.isprintable()
            return None if good else f"is {_shown(value)}, not a line of text"
        numeric = (int,) if self.kind is int else (int, float)
        if isinstance(value, bool) or not isinstance(value, numeric):
            return f"is {_shown(value)}, not {'whole' if self.kind is int else 'a number'}"
        # Written so that NaN, which is not between anything, is out of range.
        return None if self.low <= value <= self.high else f"is {_shown(value)}, out of range"

    @property
    def _each(self) -> "Rule":
        return replace(self, many=False)

    def _list_problem(self, value: object) -> str | None:
        if not isinstance(value, list | tuple):
            return f"is {_shown(value)}, not a list"
        if len(value) > MOST_NUMBERS:
            return f"has {len(value)} numbers"
        kinds = {int} if self.kind is int else {int, float}
        if kinds.issuperset(map(type, value)) and all(self.low <= x <= self.high for x in value):
            return None
        each = self._each
        for index, item in enumerate(value):
            if problem := each.problem(item):
                return f"has a number, [{index}], that {problem}"
        return None

    def made(self, value: Plain | Numbers) -> Plain | Numbers:
        """A value that keeps the rule, as the field's own type."""
        if not isinstance(value, tuple):
            return self.kind(value)
        return tuple(int(x) for x in value) if self.kind is int else tuple(float(x) for x in value)

    def read(self, value: object, where: object) -> Plain | Numbers:
        """The value of a file, as the field's own type.

        Raises:
            OtherlaneError: It breaks the rule.
        """
        if problem := self.problem(value):
            raise OtherlaneError(where, problem, self.wanted)
        if isinstance(value, list):
            value = tuple(value)
        assert isinstance(value, float | int | str | tuple)
        return self.made(value)


def _shown(value: object) -> str:
    """A value in a message: whatever a file holds, it stays short."""
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    if isinstance(value, int) and abs(value) >= 10**20:
        return f"a number of {len(str(abs(value)))} digits"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


@cache
def rules(of: type[Any]) -> Mapping[str, Rule]:
    """Name of each plain field of a dataclass -> its rule, in the order of declaration."""
    found = {item.name: _rule(item.type, item.default is MISSING) for item in fields(of)}
    return MappingProxyType({name: rule for name, rule in found.items() if rule is not None})


def _rule(annotation: Any, required: bool) -> Rule | None:
    bounds = Within(-math.inf, math.inf)
    if get_origin(annotation) is Annotated:
        annotation, bounds = get_args(annotation)
    many = get_origin(annotation) is tuple and get_args(annotation)[1:] == (Ellipsis,)
    if many:
        annotation = get_args(annotation)[0]
    kinds = [kind for kind in (get_args(annotation) or (annotation,)) if kind is not NoneType]
    if len(kinds) != 1 or kinds[0] not in ((float, int) if many else (float, int, str, bool)):
        return None
    optional = NoneType in get_args(annotation)
    return Rule(
        kind=kinds[0], low=bounds.low, high=bounds.high, unit=bounds.unit,
        required=required, optional=optional, many=many,
    )  # fmt: skip


def check(value: object) -> None:
    """Raise ValueError where a dataclass's plain fields break their rules."""
    for name, rule in rules(type(value)).items():
        held = getattr(value, name)
        if rule.optional and held is None:
            continue
        if problem := rule.problem(held):
            raise ValueError(f"{name} {problem}: expected {rule.wanted}")


def check_option(name: str, value: int, bounds: Within) -> None:
    """Refuse an option of the command line that is out of range."""
    Rule(kind=int, low=bounds.low, high=bounds.high).read(value, name)


def place(file: str, *path: str) -> str:
    """Where something stands in a file, such as `left.toml: edits[1].offset_m`."""
    return f"{file}: {'.'.join(part for part in path if part)}"


def check_keys(
    table: object, known: Iterable[str], required: Iterable[str], file: str, at: str = ""
) -> dict[str, object]:
    """A table of a file, once its keys are known to be the right ones.

    Args:
        table: What the file has there.
        known: Keys it may have.
        required: Keys it must have.
        file: The file, for messages.
        at: Where in the file the table stands; nothing for the file itself.

    Raises:
        OtherlaneError: Not a table, an unknown key (the one it was meant for is named), or one is
            missing.
    """
    known = list(known)
    if not isinstance(table, dict):
        raise OtherlaneError(place(file, at), f"is {_shown(table)}, not a table", "key = value")
    for key in table:
        if key not in known:
            fix = advice(key, known, "known keys")
            raise OtherlaneError(place(file, at, key[:60]), "is not a known key", fix)
    for key in required:
        if key not in table:
            raise OtherlaneError(place(file, at, key), "is missing", f"add {key} = ...")
    return table
