"""Ways to harm the files of a drive; each returns what does it to a drive's folder."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from scenes.storage.files import read_signed, sha256, write_signed
from scenes.storage.manifests import BESIDE, MANIFEST
from tests.kitti_maker import change_lines, change_word


def word(file: str, line: int, position: int, value: str) -> Callable[[Path], None]:
    return lambda root: change_word(root / file, line, position, value)


def lines(file: str, keep: slice, *add: str) -> Callable[[Path], None]:
    return lambda root: change_lines(root / file, keep, add)


def content(file: str, data: bytes) -> Callable[[Path], object]:
    return lambda root: (root / file).write_bytes(data)


def gone(file: str) -> Callable[[Path], object]:
    return lambda root: (root / file).unlink()


def folder_gone(folder: str) -> Callable[[Path], object]:
    return lambda root: shutil.rmtree(root / folder)


def cut(file: str, share: float) -> Callable[[Path], object]:
    def harm(root: Path) -> None:
        data = (root / file).read_bytes()
        (root / file).write_bytes(data[: int(share * len(data))])

    return harm


def resized(file: str, width: int, height: int) -> Callable[[Path], object]:
    image = np.zeros((height, width, 3), np.uint8)
    return lambda root: Image.fromarray(image).save(root / file)


def renamed(file: str, name: str) -> Callable[[Path], object]:
    return lambda root: (root / file).rename((root / file).with_name(name))


def sign_again(folder: Path) -> None:
    """Make a finished folder's manifest agree with its files, as somebody who edits them would."""
    manifest = read_signed(folder / MANIFEST, "")
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    files = {name: sha256(folder / name) for name in sorted(names) if name not in BESIDE}
    write_signed(folder / MANIFEST, {**manifest, "files": files})
