"""Results in words: plain names for keys, numbers as people read them, tables that fit."""

import re
from collections.abc import Mapping, Sequence

from scenes.work.phase_lines import wrapped

NUMBER = re.compile(r"-|[-+]?[0-9.]+(e[-+]?[0-9]+)?")
NAMES: Mapping[str, str] = {
    "psnr_db": "PSNR [dB]",
    "psnr_db_median": "PSNR, median [dB]",
    "psnr_affine_db_median": "PSNR after a colour fit, median [dB]",
    "psnr_affine_db": "PSNR after a colour fit [dB]",
    "without_psnr_db": "PSNR without its field [dB]",
    "ssim": "SSIM",
    "flip": "FLIP error",
    "depth_abs_rel": "depth error",
    "box_iou": "2D box overlap",
    "shift_m": "left of the path [m]",
    "beside_m": "beside a training camera [m]",
    "held_out_psnr_db": "PSNR on held-out pictures [dB]",
    "train_seconds": "training took [s]",
    "seconds": "took [s]",
    "seconds_per_frame": "for each frame [s]",
    "seconds_per_world": "for each world [s]",
    "duration_s": "duration [s]",
    "length_m": "length [m]",
    "labelled_objects": "tight 2D boxes",
    "ttc_error_s_max": "largest error of the time to collision [s]",
    "out": "written to",
}
"""What people read in place of a key of a result."""


def name_of(key: str) -> str:
    """A key in words."""
    return NAMES.get(key, key.replace("_", " "))


def words_of(value: object) -> str:
    """A value in words."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case float():
            return number(value)
        case list() | tuple():
            return ", ".join(words_of(item) for item in value) or "none"
        case dict():
            return ", ".join(f"{name_of(key)} {words_of(x)}" for key, x in value.items()) or "none"
        case _:
            return str(value)


def number(value: float) -> str:
    """Three or four digits, never an exponent where it can be helped."""
    return f"{value:.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.4g}"


def pairs(values: Mapping[str, object], width: int, indent: str = "") -> list[str]:
    """A `name  value` line an entry, values under each other; long lists get a line an item."""
    column = max((len(name_of(key)) for key in values), default=0) + 2
    lines: list[str] = []
    for key, value in values.items():
        items = [value]
        if isinstance(value, list) and len(words_of(value)) + column > width:
            items = value
        name = name_of(key)
        for item in items:
            lines += _hanging(f"{indent}{name:<{column}}", words_of(item), width)
            name = ""
    return lines


def _hanging(start: str, text: str, width: int) -> list[str]:
    """`start` and text beside it, or below it where it leaves no room."""
    if len(start) > width // 2:
        return [start.rstrip(), *(f"    {x}" for x in wrapped(text, width - 4, 0).splitlines())]
    room = max(width - len(start), 20)
    lines = wrapped(text, room, hanging=0).splitlines() or [""]
    return [(start + lines[0]).rstrip(), *(" " * len(start) + line for line in lines[1:])]


def table(rows: Sequence[Mapping[str, object]], width: int, indent: str = "  ") -> list[str]:
    """Rows under their names; where they do not fit beside each other, a block for each."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    cells = [[words_of(row.get(key)) for key in keys] for row in rows]
    heads = [name_of(key).split() for key in keys]
    if sum(_column(h, c) + 2 for h, c in zip(heads, zip(*cells, strict=True), strict=True)) > (
        width - len(indent)
    ):
        blocks = [pairs(row, width, indent) for row in rows]
        return [line for block in blocks for line in (*block, "")][:-1]
    spread = [_head(head, _column(head, column)) for head, column in
              zip(heads, zip(*cells, strict=True), strict=True)]  # fmt: skip
    height = max(len(lines) for lines in spread)
    tops = [["", *[""] * (height - 1 - len(lines)), *lines][-height:] for lines in spread]
    body = [*zip(*tops, strict=True), *cells]
    sizes = [max(len(line[i]) for line in body) for i in range(len(keys))]
    right = [all(_numeric(row.get(key)) for row in rows) for key in keys]
    return [
        (indent + "  ".join(
            f"{cell:>{size}}" if to_right else f"{cell:<{size}}"
            for cell, size, to_right in zip(line, sizes, right, strict=True)
        )).rstrip()
        for line in body
    ]  # fmt: skip


def _numeric(value: object) -> bool:
    """Whether a value belongs to the right of its column: a number, also one in words."""
    return NUMBER.fullmatch(words_of(value)) is not None


def _column(head: Sequence[str], cells: Sequence[str]) -> int:
    """Columns that a column of a table needs at least."""
    return max(len(word) for word in (*head, *cells))


def _head(words: Sequence[str], size: int) -> list[str]:
    """A heading in lines of at most so many columns."""
    lines = [""]
    for word in words:
        joined = f"{lines[-1]} {word}".strip()
        lines = [*lines[:-1], joined] if len(joined) <= size else [*lines, word]
    return lines
