"""Names of files that are not UTF-8, in files that are."""

import os
from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from scenes.storage.clip_files import load_clip, save_clip
from scenes.storage.clip_layout import same_clip
from scenes.storage.file_names import path_text, text_of
from tests.scene_maker import make_drive

names = st.binary(min_size=1, max_size=20).filter(lambda name: b"\0" not in name)


@given(names)
def test_any_name_becomes_text_and_comes_back(name: bytes) -> None:
    path = Path(os.fsdecode(name))
    text = text_of(path)
    assert Path(path_text(msgspec.json.decode(msgspec.json.encode(text)))) == path
    assert os.fsencode(path_text(text)) == os.fsencode(path)


def test_names_that_are_utf8_stay_as_they_are() -> None:
    assert text_of(Path("drive/µ é/000042.png")) == "drive/µ é/000042.png"


def test_a_clip_of_a_drive_with_such_a_name_is_saved_and_opened(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9 \xff")
    clip = make_drive(folder / "pictures")
    save_clip(clip, folder / "clip")
    opened = load_clip(folder / "clip")
    assert same_clip(opened, clip)
    assert opened.cameras[0].files == tuple(path.absolute() for path in clip.cameras[0].files)
    assert opened.cameras[0].read(0).shape == (16, 24, 3)
    save_clip(clip, tmp_path / "elsewhere")  # its pictures are not beside it
    assert load_clip(tmp_path / "elsewhere").cameras[0].read(0).shape == (16, 24, 3)
