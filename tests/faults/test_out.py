"""Where `--out` may be, and what is said, before the first second of work, where it may not."""

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import scenes.importers
from render.cli import main
from scenes.errors import OtherlaneError
from scenes.storage.clip_files import load_clip
from scenes.storage.clip_layout import same_clip
from scenes.storage.files import read_signed
from scenes.storage.folders import INSIDE, is_finished, writing
from scenes.storage.manifests import MANIFEST, Provenance, finished
from tests.kitti_maker import make_tracking

ROOT = Path(__file__).parents[2]
RECIPE = Provenance(kind="clip", inputs={"drive": "abc"}, config={})


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    make_tracking(tmp_path / "drive")
    return tmp_path / "drive"


def empty(place: Path) -> Path:
    (place / "out").mkdir()
    return place / "out"


def link_to_empty(place: Path) -> Path:
    (place / "real").mkdir()
    (place / "out").symlink_to("real")
    return place / "real"


def dangling(place: Path) -> Path:
    (place / "out").symlink_to("real")
    return place / "real"


@pytest.mark.parametrize("make", [empty, link_to_empty, dangling])
def test_it_may_be_there_empty_or_be_a_link(
    make: Callable[[Path], Path], drive: Path, tmp_path: Path
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    real = make(place)
    inode = real.stat().st_ino if real.exists() else None
    was_link = (place / "out").is_symlink()
    for _ in range(2):
        assert main(["import", str(drive), "--out", str(place / "out")]) == 0
    assert (place / "out").is_symlink() == was_link
    assert finished(real, "clip").damaged() == finished(real).strays() == []
    # a mounted volume cannot be renamed: what was there is filled, never replaced
    assert inode is None or real.stat().st_ino == inode
    assert {path.name for path in place.iterdir()} <= {"out", "real"}


def test_it_may_be_the_working_folder(
    drive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert main(["import", str(drive), "--out", "."]) == 0
    assert (Path.cwd() / MANIFEST).is_file()  # the shell's own folder is still the one


def test_a_tilde_is_the_home_folder(
    drive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert main(["import", str(drive), "--out=~/clip"]) == 0
    assert (tmp_path / "home" / "clip" / MANIFEST).is_file()
    assert not (tmp_path / "~").exists()


BAD: dict[str, tuple[str, str]] = {
    "a device": ("/dev/null", "is no folder"),
    "below a device": ("/dev/null/clip", "is no folder"),
    "in a place of the system": ("/proc/clip", "nothing can be written in /proc"),
    "a name that is too long": ("x" * 250, "longer than 255 bytes"),
    "a loop of links": ("loop", "leads nowhere"),
    "somebody's folder": ("mine", "is not a clip"),
}


@pytest.mark.parametrize("bad", BAD)
def test_what_cannot_be_is_known_before_any_work(
    bad: str, drive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    Path("mine").mkdir()
    Path("mine", "thesis.tex").write_text("")
    monkeypatch.setattr(scenes.importers, "import_clip", None)  # the drive is not looked at
    out, wrong = BAD[bad]
    assert main(["import", str(drive), "--out", out, "--json"]) == 2
    said = json.loads(capsys.readouterr().out)["error"]
    assert wrong in said["wrong"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["drive", "loop", "mine"]


def fill(partial: Path) -> None:
    (partial / "a").mkdir(exist_ok=True)
    (partial / "a" / "x").write_text("1")
    (partial / "b").write_text("2")
    (partial / "state").write_text("3")


def kept(partial: Path) -> bool:
    return partial.is_dir()


@pytest.mark.parametrize("moved", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("resumable", [None, kept])
def test_killed_while_a_volume_is_filled(
    moved: int, resumable: Callable[[Path], bool] | None, tmp_path: Path,
) -> None:  # fmt: skip
    out = empty(tmp_path)
    real, count = os.replace, 0

    def killed(source: Path, target: Path) -> None:
        nonlocal count
        if Path(target).parent == out:
            if count == moved:
                os._exit(9)
            count += 1
        real(source, target)

    remove = shutil.rmtree

    def killed_last(folder: Path, **options: Any) -> None:
        if moved == 3 and folder == out / INSIDE:
            os._exit(9)
        remove(folder, **options)

    if (child := os.fork()) == 0:
        os.replace, shutil.rmtree = killed, killed_last  # type: ignore[assignment]
        with writing(out, RECIPE, resumable=resumable, unlisted=("state",)) as partial:
            fill(partial)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code == (9 if moved < 4 else 0)
    if not is_finished(out, RECIPE):
        with writing(out, RECIPE, resumable=resumable, unlisted=("state",)) as partial:
            assert (partial / "state").exists() == (resumable is not None)  # hours of work
            fill(partial)
    assert sorted(path.name for path in out.iterdir()) == ["a", "b", MANIFEST]
    held = finished(out, "clip")
    assert held.damaged() == held.strays() == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(errno.EIO, "Input/output error")])
@pytest.mark.parametrize("moved", [0, 1, 2])
def test_a_volume_that_fails_while_it_is_filled(
    moved: int, error: type[BaseException] | OSError, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    out = empty(tmp_path)
    real, count = os.replace, 0

    def failing(source: Path, target: Path) -> None:
        nonlocal count
        count += Path(target).parent == out
        if count == moved + 1:
            raise error
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", failing)
        with pytest.raises((KeyboardInterrupt, OtherlaneError)), writing(out, RECIPE) as partial:
            fill(partial)
    assert not is_finished(out, RECIPE)
    with writing(out, RECIPE) as partial:
        fill(partial)
    assert finished(out, "clip").strays() == []


def test_a_new_volume_holds_what_its_file_system_made(
    drive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = empty(tmp_path)
    (out / "lost+found").mkdir(mode=0o700)
    assert main(["import", str(drive), "--out", str(out)]) == 2  # somebody's folder of that name
    is_mount = Path.is_mount
    monkeypatch.setattr(Path, "is_mount", lambda path: path == out or is_mount(path))
    monkeypatch.setattr(os.path, "ismount", Path.is_mount)
    assert main(["import", str(drive), "--out", str(out)]) == 0
    assert main(["verify", str(out)]) == 0


def test_links_to_what_was_written_are_read(drive: Path, tmp_path: Path) -> None:
    """As stores of large files make them; they are not what was written, says verify."""
    assert main(["import", str(drive), "--out", str(tmp_path / "out")]) == 0
    (tmp_path / "linked").mkdir()
    for file in (tmp_path / "out").iterdir():
        (tmp_path / "linked" / file.name).symlink_to(file)
    assert same_clip(load_clip(tmp_path / "linked"), load_clip(tmp_path / "out"))
    assert main(["verify", str(tmp_path / "linked")]) == 2


def test_what_others_put_there_meanwhile_is_not_touched(tmp_path: Path) -> None:
    out = empty(tmp_path)
    (out / INSIDE).mkdir()
    (out / "thesis.tex").write_text("mine")
    with pytest.raises(OtherlaneError, match="is not a clip"):
        is_finished(out, RECIPE)
    assert (out / "thesis.tex").read_text() == "mine"


HOLD = """
import sys, time
from pathlib import Path
from typing import Any
from scenes.storage.folders import writing
from scenes.storage.manifests import Provenance
made_from = Provenance(kind="clip", inputs={"drive": "abc"}, config={})
with writing(Path(sys.argv[1]), made_from) as partial:
    print("holding", flush=True)
    sys.stdin.readline()
    (partial / "b").write_text("2")
"""


@pytest.mark.parametrize("there", [False, True])
def test_two_at_once(there: bool, drive: Path, tmp_path: Path, capsys) -> None:
    out = empty(tmp_path) if there else tmp_path / "out"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(out)], cwd=ROOT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as other:  # fmt: skip
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "holding\n"
        assert main(["import", str(drive), "--out", str(out), "--json"]) == 2
        said = json.loads(capsys.readouterr().out)["error"]
        assert f"is being made by process {other.pid} since {time.strftime('%Y-')}" in said["wrong"]
        with pytest.raises(OtherlaneError, match="is being made"):
            is_finished(out, RECIPE)
        with pytest.raises(OtherlaneError, match="is being made"), writing(out, RECIPE):
            pass
        other.stdin.write("\n")
        other.stdin.close()
        assert other.wait() == 0
    assert is_finished(out, RECIPE)
    assert finished(out, "clip").strays() == []
    # whoever looked before the other was done
    with pytest.raises(OtherlaneError, match="meanwhile"), writing(out, RECIPE):
        pass
    assert is_finished(out, RECIPE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["drive", "out"]


def stray_link(out: Path) -> None:
    (out / "b").rename(out.parent / "b")
    (out / "b").symlink_to(out.parent / "b")


STRAYS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a file": (lambda out: (out / "c").write_text(""), "c"),
    "a link": (lambda out: (out / "c").symlink_to("b"), "c"),
    "a link to a folder": (lambda out: (out / "c").symlink_to("a"), "c"),
    "a pipe": (lambda out: os.mkfifo(out / "c"), "c"),
    "an empty folder": (lambda out: (out / "a" / "c").mkdir(), "a/c"),
    "a link in the place of a file": (stray_link, "b"),
}


@pytest.mark.parametrize("stray", STRAYS)
def test_verify_names_what_does_not_belong(stray: str, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    with writing(out, RECIPE) as partial:
        fill(partial)
    harm, name = STRAYS[stray]
    harm(out)
    assert main(["verify", str(out), "--json"]) == 2
    assert name in [problem["where"] for problem in json.loads(capsys.readouterr().out)["problems"]]


def test_every_flipped_bit_of_a_manifest_is_found(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with writing(out, RECIPE) as partial:
        fill(partial)
    data = (out / MANIFEST).read_bytes()
    assert read_signed(out / MANIFEST, "")["kind"] == "clip"
    for place in range(len(data)):
        for bit in (0, 3, 7):
            changed = bytearray(data)
            changed[place] ^= 1 << bit
            (out / MANIFEST).write_bytes(changed)
            with pytest.raises(OtherlaneError):
                finished(out, "clip")
