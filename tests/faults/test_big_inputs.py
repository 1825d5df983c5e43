"""Tables and folders that are far too large: refused with file, size and limit, soon and in little.

Each import runs in a process of its own, which says what it took: a limit of its memory would
count what numpy reserves and never touches, and what `getrusage` says is also the parent's.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from scenes.errors import DriveError
from scenes.importers.formats import kitti_text
from scenes.importers.formats.kitti_text import choose_sequence, read_pictures
from scenes.importers.formats.text_tables import MAX_CHARACTERS, MAX_EMPTY, Limit, each_line
from tests import kitti_maker as maker

MOST_S, MOST_MIB = 2.0, 512.0
MEASURED = """
import json, re, sys, time
from pathlib import Path
from render.cli import main
start = time.process_time()
code = main(sys.argv[1:])
took = time.process_time() - start
peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]
print(json.dumps([code, took, int(peak) / 1024]))
"""
POSES, CALIB, LABELS = "poses/0007.txt", "calib/0007.txt", "label_02/0007.txt"
MODEL = ("colmap/cameras.txt", "colmap/images.txt", "colmap/points3D.txt")


measured = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")


def imported(root: Path, out: Path, fmt: str = "kitti-tracking") -> tuple[int, float, float, dict]:
    """Exit code, seconds of CPU, MiB, and the error of an import."""
    words = [sys.executable, "-c", MEASURED, "import", str(root), "--out", str(out), "--fmt", fmt]
    done = subprocess.run([*words, "--json"], capture_output=True, text=True, check=True)
    said, took = done.stdout.rsplit("\n", 2)[:2]
    assert "Traceback" not in done.stderr
    code, seconds, mib = json.loads(took)
    return code, seconds, mib, json.loads(said)


def repeated(path: Path, line: bytes, size: int) -> None:
    """So many bytes of one line, over and over."""
    with path.open("wb") as file:
        block = line * (2**20 // len(line) + 1)
        while file.tell() < size:
            file.write(block)


def hollow(path: Path, size: int) -> None:
    """A file of a gigabyte that takes no room on the disk."""
    with path.open("wb") as file:
        file.truncate(size)


POSE = b"1 0 0 0 0 1 0 0 0 0 1 0\n"
BOX = b"0 3 Car 0 0 0.1 1 2 3 4 1.5 1.8 4.2 3 1.65 20 0\n"
POINT = b"7 1.0 2.0 30.0 10 20 30 0.5 60 0 53 0 46 0\n"

TOO_LARGE = {
    "newlines": (POSES, lambda path: repeated(path, b"\n", 30_000_000), "6 pictures take at most"),
    "ten million poses": (POSES, lambda path: repeated(path, POSE, 30_000_000), "bytes, and 6"),
    "a gigabyte of poses": (POSES, lambda path: hollow(path, 999_000_000), "999,000,000 bytes"),
    "a million labels": (LABELS, lambda path: repeated(path, BOX, 30_000_000), "bytes, and 6"),
    "a calibration": (CALIB, lambda path: hollow(path, 999_000_000), "a camera take at most"),
    "cameras": (MODEL[0], lambda path: hollow(path, 999_000_000), "cameras take at most"),
    "pictures": (MODEL[1], lambda path: repeated(path, b"\n", 20_000_000), "more than 1,012 lines"),
    "a long line": (MODEL[1], lambda path: repeated(path, b"1 2 3 ", 20_000_000), "longer than"),
    "points": (MODEL[2], lambda path: repeated(path, POINT, 24_000_000), "more than 301,000 lines"),
    "no points": (MODEL[2], lambda path: repeated(path, b"\n", 24_000_000), "301,000 lines"),
    "a gigabyte of points": (MODEL[2], lambda path: hollow(path, 999_000_000), "999,000,000 bytes"),
}


@measured
@pytest.mark.parametrize(("where", "fill", "wrong"), TOO_LARGE.values(), ids=TOO_LARGE.keys())
def test_what_is_far_too_large_is_refused_soon(
    tmp_path: Path, where: str, fill: Callable[[Path], None], wrong: str
) -> None:
    root = maker.make_tracking(tmp_path / "drive")
    fill(root / where)
    code, seconds, mib, said = imported(root, tmp_path / "clip")
    assert code == 2
    assert where in said["error"]["where"]
    assert wrong in said["error"]["wrong"]
    assert seconds < MOST_S
    assert mib < MOST_MIB
    assert not (tmp_path / "clip").exists()


@measured
def test_times_are_bounded_by_the_pictures_too(tmp_path: Path) -> None:
    root = maker.make_odometry(tmp_path / "drive")
    repeated(root / "sequences/04/times.txt", b"0.1\n", 30_000_000)
    code, seconds, mib, said = imported(root, tmp_path / "clip", "kitti-odometry")
    assert code == 2
    assert "6 pictures take at most" in said["error"]["wrong"]
    assert seconds < MOST_S
    assert mib < MOST_MIB


@pytest.mark.parametrize("ending", [".txt", ".png"])
def test_a_folder_of_very_many_files_is_refused_soon(tmp_path: Path, ending: str) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "source").touch()
    for number in range(20_000):
        os.link(folder / "source", folder / f"{number:07d}{ending}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kitti_text, "MAX_PICTURES", 19_999)
        wrong = "holds 20,000 pictures" if ending == ".png" else "no pictures"
        with pytest.raises(DriveError, match=wrong):
            read_pictures(folder, "pictures")
        patch.setattr(kitti_text, "MAX_ENTRIES", 10_000)
        with pytest.raises(DriveError, match="more than 10,000 files"):
            read_pictures(folder, "pictures")
        with pytest.raises(DriveError, match="more than 10,000 files"):
            choose_sequence(folder, None, "a sequence")


def test_errors_list_few_of_many_names(tmp_path: Path) -> None:
    for number in range(500):
        (tmp_path / f"{number:04d}").mkdir()
    with pytest.raises(DriveError, match="0009 and 490 more") as caught:
        choose_sequence(tmp_path, None, "a sequence")
    assert len(str(caught.value)) < 400
    with pytest.raises(DriveError, match="and 490 more"):
        choose_sequence(tmp_path, "none", "a sequence")


def test_lines_are_read_one_by_one_within_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    path.write_bytes(b"\xef\xbb\xbf\n\na b\r\n# c\nd\n")
    limit = Limit(lines=3, size=1000, why="ten pictures")
    found = list(each_line(path, "fix", limit, comment="#"))
    assert [(line.number, line.words) for line in found] == [(3, ("a", "b")), (5, ("d",))]
    assert found[0].bare.place == f"{path}:3"
    rows = each_line(path, "fix", replace(limit, lines=2))
    assert next(rows).words == ("a", "b")
    with pytest.raises(DriveError, match="more than 2 lines, the most that ten pictures take"):
        list(rows)
    with pytest.raises(DriveError, match="holds 16 bytes, and ten pictures take at most 15"):
        next(each_line(path, "fix", replace(limit, size=15)))


def test_empty_and_long_lines_are_few(tmp_path: Path) -> None:
    path, limit = tmp_path / "table.txt", Limit(lines=10, size=10**8, why="ten")
    path.write_text("\n" * MAX_EMPTY)
    assert list(each_line(path, "fix", limit)) == []
    path.write_text("\r" * (MAX_EMPTY + 1))  # which no count of line feeds finds
    with pytest.raises(DriveError, match="empty lines"):
        list(each_line(path, "fix", limit))
    path.write_text("a" * (MAX_CHARACTERS - 1) + "\nb\n")
    assert len(list(each_line(path, "fix", limit))) == 2
    path.write_text("b\n" + "a" * (MAX_CHARACTERS + 1))
    with pytest.raises(DriveError, match=r"table.txt:2: is longer than"):
        list(each_line(path, "fix", limit))


def test_limits_grow_with_the_drive() -> None:
    small, large = Limit.of(10, "pictures", lines=2), Limit.of(10_000, "pictures", lines=2)
    assert small.lines == 1020
    assert large.lines == 21_000
    assert large.size == 2**16 + 10_240_000
    assert Limit.of(10**9, "pictures", most_lines=7, most_size=8).lines == 7
    assert Limit.of(10**9, "pictures", most_lines=7, most_size=8).size == 8


@measured
def test_a_long_models_points_are_read_in_little(tmp_path: Path) -> None:
    """A model of two hundred thousand points, as a drive of some minutes has."""
    root = maker.make_tracking(tmp_path / "drive")
    random = (f"{i} {i % 7 - 3}.5 {i % 3 - 1}.25 {20 + i % 20}.75" for i in range(200_000))
    lines = (f"{point} 9 9 9 0.5 60 0 53 0 46 0 39 0\n" for point in random)
    (root / MODEL[2]).write_text("".join(lines))
    code, _, mib, said = imported(root, tmp_path / "clip")
    assert code == 0, said
    assert said["points"] == 200_000
    assert mib < 300.0
