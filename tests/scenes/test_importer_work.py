"""Importers that convert files get a folder of their own, which becomes part of the clip."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenes.clip import Clip
from scenes.commands import import_
from scenes.errors import DriveError, OtherlaneError
from scenes.importers import import_clip
from scenes.storage.clip_files import load_clip, read_clip, write_clip
from scenes.storage.clip_layout import same_clip
from scenes.storage.folders import writing
from scenes.storage.manifests import Provenance, finished
from tests import kitti_maker as maker


class Converter:
    """An importer that turns every picture upside down, twice, into a file of its own."""

    name = "converter"
    shade = 0
    fails = False

    def load(self) -> object:
        from scenes.importers.kitti_odometry import import_clip as theirs

        def convert(root: Path, sequence: str | None = None, *, work: Path) -> Clip:
            assert not any(work.iterdir())
            clip = theirs(root, sequence)
            (stream,) = clip.cameras
            files = []
            for index, path in enumerate(stream.files):
                picture = np.asarray(Image.open(path).convert("RGB")) | self.shade
                files.append(work / "front" / f"{index}.png")
                files[-1].parent.mkdir(exist_ok=True)
                Image.fromarray(picture).save(files[-1])
            (work / "empty").mkdir()
            if self.fails:
                raise DriveError(root, "ends in the middle", "the whole drive")
            mixed = (stream.files[0], *files[1:])  # one is still read where it lies
            return replace(clip, cameras=(replace(stream, files=mixed),))

        return convert


@pytest.fixture
def converter(monkeypatch: pytest.MonkeyPatch) -> Converter:
    class Found(dict[str, Converter]):
        names = frozenset({"converter"})

    one = Converter()
    monkeypatch.setattr("scenes.importers.entry_points", lambda **_: Found(converter=one))
    return one


@pytest.mark.usefixtures("converter")
def test_converted_files_are_part_of_the_clip(tmp_path: Path) -> None:
    drive = maker.make_odometry(tmp_path / "drive")
    out = tmp_path / "clip"
    import_(drive, out, "converter")
    held = finished(out, "clip")
    assert "imported/front/3.png" in held.files
    assert not (out / "imported" / "empty").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip", "drive"]
    clip = load_clip(out)
    files = clip.cameras[0].files
    assert files[0].is_relative_to(drive.resolve())
    assert files[1] == out / "imported" / "front" / "1.png"
    assert clip.cameras[0].read(1).shape == (maker.HEIGHT, maker.WIDTH, 3)
    clip.check_contents()


@pytest.mark.usefixtures("converter")
def test_both_folders_may_move(tmp_path: Path) -> None:
    drive = maker.make_odometry(tmp_path / "drive")
    import_(drive, tmp_path / "clip", "converter")
    before = load_clip(tmp_path / "clip")
    other = (tmp_path / "clip").rename(tmp_path / "elsewhere")
    moved = drive.rename(tmp_path / "moved")
    clip = load_clip(other, moved)
    assert same_clip(clip, before)
    for index in (0, 1):
        clip.cameras[0].read(index)


def test_imported_again_it_is_there_already(converter: Converter, tmp_path: Path) -> None:
    drive, out = maker.make_odometry(tmp_path / "drive"), tmp_path / "clip"
    import_(drive, out, "converter")
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    import_(drive, out, "converter")
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before
    converter.shade = 128
    with pytest.raises(OtherlaneError, match="was made with another clip"):
        import_(drive, out, "converter")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip", "drive"]


def test_of_a_failure_nothing_is_left(converter: Converter, tmp_path: Path) -> None:
    drive = maker.make_odometry(tmp_path / "drive")
    converter.fails = True
    with pytest.raises(DriveError, match="ends in the middle"):
        import_(drive, tmp_path / "clip", "converter")
    assert [path.name for path in tmp_path.iterdir()] == ["drive"]


@pytest.mark.usefixtures("converter")
def test_a_converted_file_that_was_replaced_is_found_out(tmp_path: Path) -> None:
    out = tmp_path / "clip"
    import_(maker.make_odometry(tmp_path / "drive"), out, "converter")
    clip = load_clip(out)
    (out / "imported" / "front" / "2.png").write_bytes(b"other")
    with pytest.raises(DriveError, match="not the file that was imported"):
        clip.cameras[0].read(2)


@pytest.mark.usefixtures("converter")
def test_a_scene_knows_where_they_lie(tmp_path: Path) -> None:
    """A scene keeps its clip's two files; the converted ones stay in the clip's folder."""
    import_(maker.make_odometry(tmp_path / "drive"), tmp_path / "clip", "converter")
    clip = load_clip(tmp_path / "clip")
    provenance = Provenance(kind="scene", inputs={}, config={})
    with writing(tmp_path / "scene", provenance) as partial:
        write_clip(clip, partial, tmp_path / "scene")
    again = read_clip(finished(tmp_path / "scene", "scene"))
    assert same_clip(again, clip)
    assert again.cameras[0].files == clip.cameras[0].files


@pytest.mark.usefixtures("converter")
def test_without_a_folder_it_is_refused(tmp_path: Path) -> None:
    drive = maker.make_odometry(tmp_path / "drive")
    with pytest.raises(DriveError, match="converts files"):
        import_clip("converter", drive)
    (tmp_path / "work").mkdir()
    clip = import_clip("converter", drive, work=tmp_path / "work")
    assert clip.imported == tmp_path / "work"
