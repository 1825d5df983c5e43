"""How a verb's result, and what it says on the way, look: text for people, JSON for programs."""

import json
import logging
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path

from render.console.spoken import TEXTS
from render.console.words import name_of, pairs, table
from scenes.work.phases import on_terminal, say


def as_json(result: Mapping[str, object], encoding: str | None = "utf-8") -> str:
    """One JSON object; numbers that JSON does not have (NaN, infinities) become null.

    Letters that an encoding lacks are escaped: all that are not ASCII, and a name's bytes that are
    not UTF-8 in any case.
    """
    text = json.dumps(_plain(result), allow_nan=False, ensure_ascii=False)
    try:
        text.encode(encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(_plain(result), allow_nan=False)
    return text


def as_text(result: Mapping[str, object], verb: str = "", width: int = 80) -> str:
    """The result for people, in lines of at most `width` columns.

    Some verbs have words of their own (`render.console.spoken`); else a `name value` line an entry,
    and a table for a list of records.
    """
    plain = {key: _plain(value) for key, value in result.items()}
    if plain and verb in TEXTS:
        return TEXTS[verb](plain, width)
    lines: list[str] = []
    short: dict[str, object] = {}
    for key, value in plain.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            lines += [*pairs(short, width), name_of(key), *table(value, width)]
            short = {}
        else:
            short[key] = value
    return "\n".join([*lines, *pairs(short, width)])


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
        encoding = getattr(sys.stderr, "encoding", None)
        return as_json(line | getattr(record, "otherlane", {}), encoding)


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
