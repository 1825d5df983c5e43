import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scenes.errors import OtherlaneError
from scenes.storage.folders import is_finished, partial_folder, writing
from scenes.storage.manifests import MANIFEST, Provenance, finished, folder_hash

RECIPE = Provenance(kind="clip", inputs={"drive": "abc"}, config={"seed": 1, "sizes": (1, 2)})


def make(out: Path, provenance: Provenance = RECIPE, text: str = "hello") -> Path:
    with writing(out, provenance) as partial:
        (partial / "deep").mkdir()
        (partial / "deep" / "file.txt").write_text(text)
    return out


def kept(partial: Path) -> bool:
    return partial.is_dir()


def break_off(out: Path, error: type[BaseException], *, resumable: bool) -> None:
    with writing(out, RECIPE, resumable=kept if resumable else None) as partial:
        (partial / "half.txt").write_text("hal")
        raise error


def test_a_folder_is_whole_or_not_there(tmp_path: Path) -> None:
    out = tmp_path / "a" / "out"
    with writing(out, RECIPE) as partial:
        (partial / "file.txt").write_text("hello")
        assert not out.exists()
        assert partial.parent == out.parent
    assert sorted(path.name for path in out.iterdir()) == ["file.txt", MANIFEST]
    assert [path.name for path in out.parent.iterdir()] == ["out"]
    assert finished(out, "clip").damaged() == []


def test_equal_work_gives_equal_bytes(tmp_path: Path) -> None:
    one, other = make(tmp_path / "one"), make(tmp_path / "sub" / "other")
    assert folder_hash(one, "clip") == folder_hash(other, "clip")
    assert (one / MANIFEST).read_bytes() == (other / MANIFEST).read_bytes()
    assert str(tmp_path) not in (one / MANIFEST).read_text()
    assert folder_hash(make(tmp_path / "third", text="other"), "clip") != folder_hash(one, "clip")


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_error_in_the_middle_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error):
        break_off(tmp_path / "out", error, resumable=False)
    assert list(tmp_path.iterdir()) == []


def test_an_error_at_the_end_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_work_that_can_be_resumed_is_kept(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(RuntimeError):
        break_off(out, RuntimeError, resumable=True)
    with writing(out, RECIPE, resumable=kept) as partial:
        assert (partial / "half.txt").read_text() == "hal"
    assert (out / "half.txt").exists()


def test_killed_in_the_middle_there_is_nothing_at_out(tmp_path: Path) -> None:
    out = tmp_path / "out"
    program = f"""
import os, signal
from pathlib import Path
from scenes.storage.folders import writing
from scenes.storage.manifests import Provenance
with writing(Path({str(out)!r}), Provenance(kind="clip", inputs={{}}, config={{}})) as partial:
    (partial / "half.txt").write_text("hal")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, check=False)
    assert done.returncode == -signal.SIGKILL
    assert not out.exists()
    make(out)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert not (out / "half.txt").exists()


def test_the_same_work_is_not_done_twice(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert not is_finished(out, RECIPE)
    out.mkdir()
    assert not is_finished(out, RECIPE)
    make(out)
    assert is_finished(out, RECIPE)


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (Provenance(kind="clip", inputs={"drive": "xyz"}, config=RECIPE.config), "another drive"),
        (Provenance(kind="clip", inputs=RECIPE.inputs, config={"seed": 2}), "another seed"),
        (Provenance(kind="clip", inputs={}, config=RECIPE.config), "another drive"),
        (Provenance(kind="scene", inputs=RECIPE.inputs, config=RECIPE.config), "not a scene"),
    ],
)
def test_other_work_is_refused_and_the_difference_named(
    tmp_path: Path, other: Provenance, named: str
) -> None:
    out = make(tmp_path / "out")
    with pytest.raises(OtherlaneError, match=named) as caught:
        is_finished(out, other)
    assert caught.value.where == str(out)
    assert (out / "deep" / "file.txt").read_text() == "hello"


def test_what_is_there_already_is_never_overwritten(tmp_path: Path) -> None:
    file, folder = tmp_path / "file", tmp_path / "folder"
    file.write_text("mine")
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    for out, wrong in ((file, "is no folder"), (folder, "is not a clip")):
        with pytest.raises(OtherlaneError, match=wrong) as caught:
            is_finished(out, RECIPE)
        assert "another --out" in caught.value.fix
    with pytest.raises(OtherlaneError, match="cannot be read or written"):
        make(file / "out")
    assert file.read_text() == "mine"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [("{", "damaged"), ("[]", "schema"), ('{"schema": 99}', "schema"), ("\xff", "damaged")],
)
def test_a_damaged_manifest_is_named(tmp_path: Path, text: str, wrong: str) -> None:
    out = make(tmp_path / "out")
    (out / MANIFEST).write_text(text, encoding="latin-1")
    with pytest.raises(OtherlaneError, match=wrong) as caught:
        finished(out, "clip")
    assert caught.value.where == str(out / MANIFEST)


def test_damaged_files_are_listed(tmp_path: Path) -> None:
    out = make(tmp_path / "out")
    held = finished(out, "clip")
    (out / "deep" / "file.txt").write_text("Hello")
    assert held.damaged() == ["deep/file.txt"]
    (out / "deep" / "file.txt").unlink()
    assert held.damaged() == ["deep/file.txt"]


def test_there_is_nothing_beside_an_unfinished_folder_but_its_partial(tmp_path: Path) -> None:
    assert partial_folder(tmp_path / "out") == tmp_path / ".out.partial"
    with pytest.raises(OtherlaneError, match="is not a finished scene") as caught:
        finished(tmp_path, "scene")
    assert "otherlane reconstruct" in caught.value.fix
