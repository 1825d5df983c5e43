"""A picture that is replaced under its name is refused by every verb, and named."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

import recon.recipes
import recon.training.loop
from render.cli import main
from scenes.errors import OtherlaneError
from scenes.storage.folders import partial_folder
from tests.kitti_maker import make_tracking
from tests.scene_maker import tiny_config

REQUEST = """\
[[edits]]
kind = "ego-offset"
offset_m = 0.5
"""
PICTURE = "image_02/0007/000003.png"
VERBS: dict[str, list[str]] = {
    "import": ["drive", "--out", "clip"],
    "reconstruct": ["clip", "--out", "scene", "--recipe", "tiny", "--holdout", "3"],
    "evaluate": ["scene", "--out", "scores"],
    "render": ["scene", "--out", "frames", "--size", "32x12"],
}


@pytest.fixture
def drive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All verbs were run on it; the working folder holds what they made."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(recon.recipes.RECIPES, "tiny", lambda _: tiny_config())
    make_tracking(tmp_path / "drive")
    for verb in VERBS:
        assert run(verb) == 0
    return tmp_path / "drive"


def run(verb: str, *more: str, out: str | None = None) -> int:
    words = VERBS[verb]
    return main([verb, *(out if out and w == words[2] else w for w in words), *more, "--json"])


def replace_picture(path: Path) -> None:
    """As long a name, as large a picture, as old a file."""
    picture = Image.open(path)
    picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(path)


@pytest.mark.parametrize("anew", [False, True])
@pytest.mark.parametrize("verb", VERBS)
def test_it_is_refused(
    verb: str, anew: bool, drive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replace_picture(drive / PICTURE)
    capsys.readouterr()
    out = "other" if anew and verb != "import" else None
    before = sorted(drive.parent.rglob("*"))
    assert run(verb, out=out) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["where"].endswith(PICTURE)
    assert "its content is another" in error["wrong"]
    assert sorted(drive.parent.rglob("*")) == before


def test_another_import_is_another_clip(drive: Path) -> None:
    before = Path("clip/manifest.json").read_bytes()
    replace_picture(drive / PICTURE)
    assert run("import", out="other") == 0
    assert Path("other/manifest.json").read_bytes() != before


def test_resuming_is_refused(
    drive: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class KilledError(BaseException):
        pass

    def killed(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(recon.training.loop, "_finish", killed)
        with pytest.raises(KilledError):
            run("reconstruct", out="resumed")
    assert partial_folder(Path("resumed")).is_dir()
    replace_picture(drive / PICTURE)
    capsys.readouterr()
    assert run("reconstruct", out="resumed") == 2
    assert json.loads(capsys.readouterr().out)["error"]["where"].endswith(PICTURE)
    assert partial_folder(Path("resumed")).is_dir()  # put the picture back, and it goes on


def test_a_drive_that_moved_is_found_again(drive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifests = {name: Path(name, "manifest.json").read_bytes() for name in ("clip", "scene")}
    drive.rename("moved")
    assert run("reconstruct", out="again") == 2
    assert "--drive" in capsys.readouterr().out
    assert run("reconstruct", "--drive", "moved", out="again") == 0
    assert Path("again/manifest.json").read_bytes() == manifests["scene"]
    assert run("evaluate", out="measured") == 2
    assert run("evaluate", "--drive", "moved", out="measured") == 0
    # the scene made with --drive knows; so does a clip that is imported again
    shutil.rmtree("measured")

    assert main(["evaluate", "again", "--out", "measured"]) == 0
    assert main(["import", "moved", "--out", "clip"]) == 0
    assert Path("clip/manifest.json").read_bytes() == manifests["clip"]
    assert run("reconstruct", out="third") == 0
    replace_picture(Path("moved") / PICTURE)
    assert run("reconstruct", "--drive", "moved", out="fourth") == 2


def test_the_working_folder_is_no_part_of_a_clip(
    drive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Path("clip/manifest.json").read_bytes()
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert main(["import", "../drive", "--out", "clip"]) == 0
    assert Path("clip/manifest.json").read_bytes() == made
    assert str(drive) not in Path("clip/clip.json").read_text()
    monkeypatch.chdir("..")
    assert main(["reconstruct", "elsewhere/clip", "--out", "s", "--recipe", "tiny"]) == 0


@pytest.mark.usefixtures("drive")
@pytest.mark.parametrize("there", ["nothing", "a file"])
def test_a_wrong_drive_is_named(there: str) -> None:
    from scenes.storage.clip_files import load_clip

    if there == "a file":
        Path("moved").write_text("")
    with pytest.raises(OtherlaneError, match="moved: is no folder"):
        load_clip(Path("clip"), Path("moved"))
