"""Pipes, devices and folders in the place of a drive's files: nobody waits for what never comes."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from render.cli import main
from tests.kitti_maker import make_tracking

FILES = (
    "image_02/0007/000002.png", "calib/0007.txt", "poses/0007.txt", "label_02/0007.txt",
    "colmap/cameras.txt", "colmap/images.txt", "colmap/points3D.txt",
)  # fmt: skip
PATIENCE_S = 30


@pytest.fixture(autouse=True)
def alarm() -> Iterator[None]:
    """Ends a test that waits."""
    signal.alarm(PATIENCE_S)
    yield
    signal.alarm(0)


@pytest.mark.parametrize("kind", ["pipe", "/dev/zero", "folder"])
@pytest.mark.parametrize("file", FILES)
def test_what_is_no_file_is_named(
    file: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make_tracking(tmp_path / "drive") / file
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(kind)
    assert main(["import", str(tmp_path / "drive"), "--out", str(tmp_path / "clip")]) == 2
    said = capsys.readouterr().err
    assert path.name in said
    assert "\n  try: " in said
    assert not (tmp_path / "clip").exists()
