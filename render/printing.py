"""How a verb's result, and what it says on the way, look: text for people, JSON for programs."""

import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path

from scenes.phases import on_terminal, say


def as_json(result: Mapping[str, object]) -> str:
    """One JSON object; numbers that JSON does not have (NaN, infinities) become null."""
    return json.dumps(_plain(result), allow_nan=False, ensure_ascii=False)


def as_text(result: Mapping[str, object]) -> str:
    """One `key  value` line an entry; a list of records becomes a table under its key."""
    width = max((len(key) for key in result), default=0)
    lines: list[str] = []
    for key, value in result.items():
        value = _plain(value)
        if isinstance(value, list) and value and isinstance(value[0], dict):
            lines += [key, *_table(value)]
        else:
            lines.append(f"{key:<{width}}  {_words(value)}")
    return "\n".join(lines)


def log_to_stderr() -> None:
    """Send the log `otherlane` to stderr: messages on a terminal, JSON lines anywhere else."""
    handler = _Above()
    if not on_terminal():
        handler.setFormatter(JsonLines())
    log = logging.getLogger("otherlane")
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False


class _Above(logging.Handler):
    """Writes records above the line that a terminal shows of the work going on."""

    def emit(self, record: logging.LogRecord) -> None:
        """One record."""
        say(self.format(record))


class JsonLines(logging.Formatter):
    """One JSON object a record; what is passed as `extra={"otherlane": {...}}` joins it."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        line = {"time": round(record.created, 3), "level": record.levelname.lower()}
        line |= {"log": record.name, "message": record.getMessage()}
        return as_json(line | getattr(record, "otherlane", {}))


def _plain(value: object) -> object:
    """`value` in the types that JSON has."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Sequence | set | frozenset):
        return [_plain(item) for item in value]
    to_list = getattr(value, "tolist", None)  # numpy scalars and arrays, torch tensors
    if to_list is None:
        raise TypeError(f"a result holds a {type(value).__name__}, which JSON cannot say")
    return _plain(to_list())


def _words(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}"
        case list():
            return ", ".join(_words(item) for item in value)
        case dict():
            return ", ".join(f"{key} {_words(item)}" for key, item in value.items())
        case _:
            return str(value)


def _table(records: Sequence[Mapping[str, object]]) -> list[str]:
    rows = [[_words(value) for value in record.values()] for record in records]
    columns = zip(*([list(records[0]), *rows]), strict=True)
    widths = [max(len(cell) for cell in column) for column in columns]
    return [
        "  " + "  ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)).rstrip()
        for row in [list(records[0]), *rows]
    ]
