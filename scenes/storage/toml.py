"""TOML files at the door, and a writer whose bytes depend on the values alone.

The standard library reads TOML but cannot write it. What is written here is small: strings,
whole numbers, floats (as `repr`, which reads back to the same bits), lists and inline tables.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from scenes.errors import OtherlaneError

MOST_BYTES = 256 * 1024
"""A scenario takes one kilobyte; a larger file is something else."""


def read_toml(path: Path) -> dict[str, object]:
    """The tables of a TOML file.

    Raises:
        OtherlaneError: It is missing, too large, not UTF-8 or not TOML (the line is named).
    """
    if not path.is_file():
        wrong = "is not a file" if path.exists() else "does not exist"
        raise OtherlaneError(path, wrong, "the path of a TOML file")
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise OtherlaneError(path, f"cannot be read ({error})", "check its permissions") from error
    if len(data) > MOST_BYTES:
        wrong = f"is larger than {MOST_BYTES // 1024} KiB"
        raise OtherlaneError(path, wrong, "a TOML file of edits")
    try:
        return tomllib.loads(data.decode("utf-8-sig"))  # editors on Windows put a mark before it
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise OtherlaneError(path, f"is not UTF-8 (line {line})", "save it as UTF-8") from error
    except RecursionError as error:
        raise OtherlaneError(path, "is nested too deeply", "lists of numbers only") from error
    except tomllib.TOMLDecodeError as error:
        raise OtherlaneError(path, f"is not TOML: {error}", "correct that line") from error
    except ValueError as error:  # the only other one that Python's numbers raise
        wrong = "is not TOML: a number has thousands of digits"
        raise OtherlaneError(path, wrong, "a shorter number") from error


def toml_lines(table: Mapping[str, object]) -> list[str]:
    """One `key = value` line an entry; in the order of the table."""
    return [f"{key} = {_value(item)}" for key, item in table.items()]


def _value(value: object) -> str:
    match value:
        case str():  # one line of printable text, so two characters need care
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case list():
            if {int, float}.issuperset(map(type, value)):
                return "[" + ", ".join(map(repr, value)) + "]"
            return "[" + ", ".join(_value(item) for item in value) + "]"
        case Mapping():
            return "{ " + ", ".join(toml_lines(value)) + " }"
        case _:
            raise TypeError(f"TOML has no {type(value).__name__}")
