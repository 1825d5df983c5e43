"""Names of files as text that any JSON can hold, and back.

A name of a file is bytes. Most are UTF-8; in Python's text, each byte of one that is not is half of
a surrogate pair, which neither UTF-8 nor JSON knows. Such a byte b stands as the character
U+10FF00 + b here, which nobody uses, so that the name comes back as it was.
"""

from pathlib import PurePath

ESCAPED = {0xDC00 + byte: 0x10FF00 + byte for byte in range(128, 256)}
MEANT = {other: half for half, other in ESCAPED.items()}


def text_of(path: PurePath) -> str:
    """A path as text, with / between folders."""
    return path.as_posix().translate(ESCAPED)


def path_text(text: str) -> str:
    """The inverse of `text_of`: what to make a path of."""
    return text.translate(MEANT)
