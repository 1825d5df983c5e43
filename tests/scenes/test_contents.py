"""What a drive's files hold is known by content, and looked up, not read, where nothing changed."""

import os
import time
from pathlib import Path

import pytest

import scenes.storage.contents
from scenes.errors import DriveError
from scenes.storage.contents import check_contents, content_of, contents_of, read_content


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A memory of its own, in which also what was just written is remembered."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(scenes.storage.contents, "SETTLED_NS", -1)
    return tmp_path / "cache" / "otherlane" / scenes.storage.contents.MEMORY


def pictures(folder: Path, count: int = 5) -> list[Path]:
    folder.mkdir()
    paths = [folder / f"{i:06d}.png" for i in range(count)]
    for path in paths:
        path.write_bytes(path.name.encode())
    return paths


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Files that were really read."""
    real, found = scenes.storage.contents._hash, []

    def counted(path: Path) -> str:
        found.append(path)
        return real(path)

    monkeypatch.setattr(scenes.storage.contents, "_hash", counted)
    return found


def test_contents_are_size_and_hash(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    # sha256 of "abc": FIPS 180-2, appendix B.1
    wanted = "3:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert contents_of([path]) == [wanted] == [content_of(b"abc")]
    assert read_content(path, wanted) == b"abc"


def test_what_did_not_change_is_not_read_again(
    memory: Path, tmp_path: Path, hashed: list[Path]
) -> None:
    paths = pictures(tmp_path / "drive")
    first = contents_of(paths)
    assert memory.is_file()
    assert len(hashed) == len(paths)
    assert contents_of(paths) == first
    assert len(hashed) == len(paths)


@pytest.mark.usefixtures("memory")
def test_a_replaced_file_is_read_whatever_its_times_say(tmp_path: Path, hashed: list[Path]) -> None:
    paths = pictures(tmp_path / "drive")
    before, stat = contents_of(paths), paths[2].stat()
    hashed.clear()
    paths[2].write_bytes(b"000009.png")  # as long, in place, and made to look as old
    os.utime(paths[2], ns=(stat.st_atime_ns, stat.st_mtime_ns))
    after = contents_of(paths)
    assert hashed == [paths[2]]
    assert [i for i in range(5) if before[i] != after[i]] == [2]
    with pytest.raises(DriveError, match=r"000002\.png: is not the file that was imported"):
        check_contents(paths, [str(content) for content in before])


@pytest.mark.usefixtures("memory")
def test_what_was_written_a_moment_ago_is_not_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hashed: list[Path]
) -> None:
    monkeypatch.setattr(scenes.storage.contents, "SETTLED_NS", 60_000_000_000)
    paths = pictures(tmp_path / "drive")
    contents_of(paths)
    contents_of(paths)
    assert len(hashed) == 2 * len(paths)


@pytest.mark.parametrize("harm", ["damaged", "a folder", "read-only", "no home"])
def test_without_a_memory_files_are_read(
    harm: str, memory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = pictures(tmp_path / "drive")
    wanted = contents_of(paths)
    if harm == "damaged":
        memory.write_bytes(b"no database" * 1000)
    elif harm == "a folder":
        memory.unlink()
        memory.mkdir()
    elif harm == "read-only":
        monkeypatch.setenv("XDG_CACHE_HOME", "/proc/1")
    else:
        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setattr(Path, "expanduser", no_home)
    for _ in range(2):
        assert contents_of(paths) == wanted
        check_contents(paths, [str(content) for content in wanted])


def no_home(_: Path) -> Path:
    raise RuntimeError("Could not determine home directory.")


def test_a_damaged_memory_refuses_nothing_that_is_right(memory: Path, tmp_path: Path) -> None:
    paths = pictures(tmp_path / "drive")
    wanted = [str(content) for content in contents_of(paths)]
    data = memory.read_bytes()
    assert wanted[3].encode() in data
    memory.write_bytes(data.replace(wanted[3].encode(), wanted[3].encode()[:-1] + b"?"))
    check_contents(paths, wanted)


def test_missing_files_are_named_or_let_pass(tmp_path: Path) -> None:
    paths = pictures(tmp_path / "drive")
    wanted = [str(content) for content in contents_of(paths)]
    paths[1].unlink()
    assert contents_of(paths, absent=True)[1] is None
    check_contents(paths, wanted, absent=True)
    with pytest.raises(DriveError, match=r"000001\.png: does not exist") as caught:
        check_contents(paths, wanted)
    assert "--drive" in caught.value.fix


@pytest.mark.usefixtures("memory")
def test_ten_thousand_files_that_did_not_change(tmp_path: Path) -> None:
    paths = pictures(tmp_path / "drive", 10_000)
    first = contents_of(paths)
    began = time.process_time()
    assert contents_of(paths) == first
    assert time.process_time() - began < 1.0
