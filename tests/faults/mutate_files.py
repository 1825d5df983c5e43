"""Ways to harm one file: its bytes, its lines, its numbers, its JSON, and what it is at all."""

import json
import os
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

Harm = Callable[[Path, random.Random], None]
NUMBER = re.compile(rb"(?<![\w.])-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\w.])")
STRANGE = (b"nan", b"inf", b"-inf", b"1e308", b"-1", b"0", b"99999999999999999999999", b"x", b"",
           b"1e-320", b"0x10", b"1_0", b"\xff", b"1,5")  # fmt: skip
"""What may stand where a number stood."""
VALUES: tuple[Any, ...] = (
    float("nan"), float("inf"), -1, 0, 1e308, 2**70, -(2**63), "", "x", "../x", "\0", None, True,
    [], {}, [[]], [1], {"x": 1}, [None] * 3,
)  # fmt: skip
"""What may stand where a value of JSON stood."""


def flip_bit(path: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def flip_bit_times_kept(path: Path, rng: random.Random) -> None:
    """As a copy that keeps times does, such as rsync's."""
    told = path.stat()
    flip_bit(path, rng)
    os.utime(path, ns=(told.st_atime_ns, told.st_mtime_ns))


def set_byte(path: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    at = rng.randrange(len(data))
    data[at] = (data[at] + rng.randint(1, 255)) % 256
    path.write_bytes(data)


def cut(path: Path, rng: random.Random) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: rng.randrange(len(data))])


def cut_by_one(path: Path, rng: random.Random) -> None:
    del rng
    path.write_bytes(path.read_bytes()[:-1])


def extend(path: Path, rng: random.Random) -> None:
    with path.open("ab") as file:
        file.write(rng.randbytes(rng.choice((1, 7, 5000))))


def zero_some(path: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    at = rng.randrange(len(data))
    size = min(rng.randint(1, 64), len(data) - at)
    data[at : at + size] = bytes(size)
    path.write_bytes(data)


def zero_all(path: Path, rng: random.Random) -> None:
    del rng
    path.write_bytes(bytes(path.stat().st_size))


def garbage(path: Path, rng: random.Random) -> None:
    path.write_bytes(rng.randbytes(path.stat().st_size))


def insert(path: Path, rng: random.Random) -> None:
    data = path.read_bytes()
    at = rng.randrange(len(data) + 1)
    path.write_bytes(data[:at] + rng.randbytes(rng.randint(1, 8)) + data[at:])


def empty(path: Path, rng: random.Random) -> None:
    del rng
    path.write_bytes(b"")


def gone(path: Path, rng: random.Random) -> None:
    del rng
    path.unlink()


def a_folder(path: Path, rng: random.Random) -> None:
    path.unlink()
    path.mkdir()
    if rng.random() < 0.5:
        (path / "x").write_text("x")


def a_pipe(path: Path, rng: random.Random) -> None:
    del rng
    path.unlink()
    os.mkfifo(path)


def a_device(path: Path, rng: random.Random) -> None:
    path.unlink()
    path.symlink_to(rng.choice(("/dev/zero", "/dev/null", "/dev/urandom")))


def a_loop(path: Path, rng: random.Random) -> None:
    del rng
    path.unlink()
    path.symlink_to(path.name)


def a_dangling_link(path: Path, rng: random.Random) -> None:
    del rng
    path.unlink()
    path.symlink_to("nowhere")


def a_neighbour(path: Path, rng: random.Random) -> None:
    """The content of another file of the folder."""
    others = [each for each in path.parent.iterdir() if each.is_file() and each != path]
    if others:
        shutil.copyfile(rng.choice(sorted(others)), path)
    else:
        path.write_bytes(b"")


ANY: tuple[Harm, ...] = (
    flip_bit, flip_bit, flip_bit, flip_bit_times_kept, set_byte, set_byte, cut, cut, cut_by_one,
    extend, zero_some, zero_all, garbage, insert, insert, empty, gone, a_folder, a_pipe, a_device,
    a_loop, a_dangling_link, a_neighbour,
)  # fmt: skip
"""Harms of any file; the likely ones more often."""
ENTRIES = {a_folder, a_pipe, a_device, a_loop, a_dangling_link, gone}
"""Those after which there is no file."""


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def delete_line(path: Path, rng: random.Random) -> None:
    lines = _lines(path)
    del lines[rng.randrange(len(lines))]
    path.write_bytes(b"".join(lines))


def double_line(path: Path, rng: random.Random) -> None:
    lines = _lines(path)
    at = rng.randrange(len(lines))
    path.write_bytes(b"".join([*lines[: at + 1], *lines[at:]]))


def swap_lines(path: Path, rng: random.Random) -> None:
    lines = _lines(path)
    a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[a], lines[b] = lines[b], lines[a]
    path.write_bytes(b"".join(lines))


def reverse_lines(path: Path, rng: random.Random) -> None:
    del rng
    path.write_bytes(b"".join(reversed(_lines(path))))


def long_line(path: Path, rng: random.Random) -> None:
    lines = _lines(path)
    at = rng.randrange(len(lines))
    lines[at] = lines[at].rstrip(b"\n") + b" 7" * 20_000 + b"\n"
    path.write_bytes(b"".join(lines))


def other_number(path: Path, rng: random.Random) -> None:
    data = path.read_bytes()
    found = list(NUMBER.finditer(data))
    if not found:
        set_byte(path, rng)
        return
    one = rng.choice(found)
    path.write_bytes(data[: one.start()] + rng.choice(STRANGE) + data[one.end() :])


TEXT: tuple[Harm, ...] = (
    delete_line, double_line, swap_lines, reverse_lines, long_line, other_number, other_number,
    other_number, other_number,
)  # fmt: skip
"""Harms of text."""


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every container of a JSON value with one of its keys."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    found: list[tuple[Any, Any]] = []
    for key in keys if isinstance(value, dict | list) else ():
        found.append((value, key))
        if isinstance(value[key], dict | list):
            found += _places(value[key])
    return found


def _change_json(path: Path, rng: random.Random, change: Callable[[Any, Any], None]) -> None:
    """Of .jsonl, in one of its lines."""
    texts = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
    at = rng.randrange(len(texts))
    value = json.loads(texts[at])
    # few top keys hold nearly all places: half of the harms shall be among the few
    places = _places(value)
    top = [place for place in places if place[0] is value]
    holder, key = rng.choice(top if rng.random() < 0.5 else places)
    change(holder, key)
    texts[at] = json.dumps(value, indent=None if len(texts) > 1 else 1)
    path.write_text("\n".join(texts) + "\n")


def other_value(path: Path, rng: random.Random) -> None:
    def change(holder: Any, key: Any) -> None:
        holder[key] = rng.choice(VALUES)

    _change_json(path, rng, change)


def drop_value(path: Path, rng: random.Random) -> None:
    def change(holder: Any, key: Any) -> None:
        del holder[key]

    _change_json(path, rng, change)


def double_value(path: Path, rng: random.Random) -> None:
    def change(holder: Any, key: Any) -> None:
        if isinstance(holder, list):
            holder.insert(key, holder[key])
        else:
            holder[f"{key}2"] = holder[key]

    _change_json(path, rng, change)


def reverse_value(path: Path, rng: random.Random) -> None:
    def change(holder: Any, key: Any) -> None:
        value = holder[key]
        holder[key] = value[::-1] if isinstance(value, list | str) else [value]

    _change_json(path, rng, change)


def rename_key(path: Path, rng: random.Random) -> None:
    def change(holder: Any, key: Any) -> None:
        if isinstance(holder, dict):
            holder[f"{key}_"] = holder.pop(key)
        else:
            holder[key] = {"x": holder[key]}

    _change_json(path, rng, change)


def deep(path: Path, rng: random.Random) -> None:
    path.write_text("[" * (depth := rng.choice((900, 100_000))) + "]" * depth)


def bare(path: Path, rng: random.Random) -> None:
    """JSON, but no object."""
    path.write_text(rng.choice(("null", "[]", "{}", "7", '"x"', "[{}]", "NaN")))


JSON: tuple[Harm, ...] = (
    other_value, other_value, other_value, other_value, drop_value, drop_value, double_value,
    reverse_value, rename_key, deep, bare,
)  # fmt: skip
"""Harms of JSON."""
