"""TOML at the door, as editors write it."""

from pathlib import Path

import pytest

from scenes.errors import OtherlaneError
from scenes.storage.toml import read_toml


def test_a_byte_order_mark_is_no_letter(tmp_path: Path) -> None:
    path = tmp_path / "request.toml"
    path.write_bytes('name = "l\u00e4"\r\nseed = 7\r\n'.encode("utf-8-sig"))
    assert read_toml(path) == {"name": "l\u00e4", "seed": 7}
    path.write_bytes(b"\xef\xbb\xbf")
    assert read_toml(path) == {}


def test_only_one_mark_and_only_at_the_beginning(tmp_path: Path) -> None:
    path = tmp_path / "request.toml"
    for text in (b"\xef\xbb\xbf\xef\xbb\xbfseed = 7", b"\nseed = 7\n\xef\xbb\xbfname = 1"):
        path.write_bytes(text)
        with pytest.raises(OtherlaneError, match="is not TOML"):
            read_toml(path)
    path.write_bytes("seed = 7".encode("utf-16"))
    with pytest.raises(OtherlaneError, match="is not UTF-8"):
        read_toml(path)
