"""What large values say of themselves: what they are and how large, not all they hold."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass

FEW, LONG = 3, 60
"""So many items are shown one by one, and so many characters of anything."""


def short_repr(self: object) -> str:
    """Such as `Trajectory(time_us=int64[40], world_from_body=float64[40, 4, 4])`.

    A dataclass takes it as its own: `__repr__ = short_repr`.
    """
    parts = [f"{field.name}={_brief(getattr(self, field.name))}" for field in _fields(self)]
    return f"{type(self).__name__}({', '.join(parts)})"


def _fields(value: object) -> tuple:
    assert is_dataclass(value)
    return tuple(field for field in fields(value) if field.repr)


def _brief(value: object) -> str:
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is not None and dtype is not None:
        return f"{str(dtype).removeprefix('torch.')}{list(shape)}"
    if isinstance(value, tuple | list):
        return _several(value)
    if isinstance(value, Mapping):
        return f"{{{len(value)} items}}" if value else "{}"
    if is_dataclass(value) and not isinstance(value, type):
        text = repr(value)
        return text if len(text) <= LONG else f"{type(value).__name__}(...)"
    text = repr(value)
    return text if len(text) <= LONG else f"{text[: LONG - 3]}..."


def _several(values: tuple | list) -> str:
    left, right = ("(", ")") if isinstance(values, tuple) else ("[", "]")
    items = [_brief(value) for value in values[:FEW]]
    if len(values) <= FEW and sum(map(len, items)) <= LONG:
        return f"{left}{', '.join(items)}{',' if left == '(' and len(values) == 1 else ''}{right}"
    kinds = {type(value).__name__ for value in values}
    return f"{left}{len(values)} x {kinds.pop() if len(kinds) == 1 else 'values'}{right}"
