"""Names of files as text that any JSON can hold, and back.

A name of a file is bytes. Most are UTF-8; in Python's text, each byte of one that is not is half of
a surrogate pair, which neither UTF-8 nor JSON knows. Such a byte b stands as the character
U+10FF00 + b here, which nobody uses, so that the name comes back as it was.
"""

import re
from pathlib import PurePath

ESCAPED = {0xDC00 + byte: 0x10FF00 + byte for byte in range(128, 256)}
MEANT = {other: half for half, other in ESCAPED.items()}


def text_of(path: PurePath) -> str:
    """A path as text, with / between folders."""
    return path.as_posix().translate(ESCAPED)


def path_text(text: str) -> str:
    """The inverse of `text_of`: what to make a path of."""
    return text.translate(MEANT)


def name_problem(name: str) -> str | None:
    """Why a name cannot become part of names of files, in words; None if it can.

    Names of sensors do: letters, digits, `_`, `-` and dots, of ASCII, not a dot first.
    """
    if re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}", name) is None:
        return "is not made of letters, digits, _, - and dots (not first)"
    return None
