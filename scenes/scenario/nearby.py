"""What is nearest to an edit for which there is no room: found by trying, so it works."""

from collections.abc import Callable, Iterator
from dataclasses import fields, replace

from scenes.edits import Edit, EgoEdit
from scenes.scenario.scenario import Scenario

MOST_TRIES = 36
"""How many other values are tried at most."""
LATER_US = (250_000, 500_000, 1_000_000, 1_500_000, 2_000_000, 3_000_000)
"""How much later or earlier an edit is tried [µs]."""
FURTHER_M = (1.0, 2.0, 4.0, 6.0, 10.0, 15.0)
"""How much further ahead or back somebody is tried [m]."""
ASIDE_M = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0)
"""And how much further to either side [m]."""
SHARES = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
"""What is left of an offset that is too large."""
OFFSETS, PLACES = ("offset_m", "left_m", "across_m"), ("ahead_m", "forward_m")


def edit_of(scenario: Scenario, who: int | None) -> int | None:
    """The number of the last edit of somebody; None where there is none.

    Args:
        scenario: What is to be done.
        who: Track id; None is the ego.
    """
    for index, edit in reversed(list(enumerate(scenario.edits))):
        if isinstance(edit, EgoEdit) if who is None else getattr(edit, "actor", None) == who:
            return index
    return None


def nearest_room(scenario: Scenario, index: int, works: Callable[[Scenario], bool]) -> str | None:
    """The nearest value of an edit with which a scenario works, as a key and a value.

    Args:
        scenario: What is to be done, which does not work.
        index: Which of its edits is to be another.
        works: Whether a scenario does.
    """
    edit = scenario.edits[index]
    tries = _turns([_others(edit, name) for name in _knobs(edit)])
    for _, (name, value) in zip(range(MOST_TRIES), tries, strict=False):
        try:
            other = replace(edit, **{name: value})
        except ValueError:  # out of the bounds of that field
            continue
        edits = (*scenario.edits[:index], other, *scenario.edits[index + 1 :])
        if works(replace(scenario, edits=edits)):
            return f"{name} = {value}"
    return None


def _knobs(edit: Edit) -> list[str]:
    """Fields of an edit that can be turned."""
    names = [item.name for item in fields(edit)]
    return [name for name in (*OFFSETS, *PLACES, "start_us") if name in names]


def _others(edit: Edit, name: str) -> Iterator[tuple[str, float | int]]:
    """Other values of a field, nearest first."""
    held = getattr(edit, name)
    if name == "start_us":
        yield from ((name, held + sign * step) for step in LATER_US for sign in (1, -1))
    elif name in PLACES or (name == "left_m" and held == 0.0):
        steps = FURTHER_M if name in PLACES else ASIDE_M
        yield from ((name, round(held + sign * s, 2)) for s in steps for sign in (1.0, -1.0))
    else:
        yield from ((name, round(held * share, 2)) for share in SHARES)
        if name != "across_m":
            yield name, -held


def _turns(
    each: list[Iterator[tuple[str, float | int]]],
) -> Iterator[tuple[str, float | int]]:
    """One of each in turn, until all are through."""
    while each:
        for one in list(each):
            found = next(one, None)
            if found is None:
                each.remove(one)
            else:
                yield found
