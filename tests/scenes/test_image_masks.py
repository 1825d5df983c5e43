"""Masks of cameras at the door, in clips, and where they have gone or were replaced."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from render.console.command_line import gathered
from scenes.commands import import_
from scenes.errors import DriveError, OtherlaneError
from scenes.importers import import_clip
from scenes.storage.clip_files import load_clip
from scenes.storage.clip_layout import same_clip
from tests import kitti_maker as maker

SHOWN = np.ones((24, 64), dtype=bool)
SHOWN[20:] = False
CAMERA = "image_02"


def draw(path: Path, shown: np.ndarray = SHOWN, mode: str = "L") -> Path:
    Image.fromarray(np.where(shown, 255, 0).astype(np.uint8)).convert(mode).save(path)
    return path


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    root = maker.make_tracking(tmp_path / "drive")
    draw(root / "bonnet.png")
    return root


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_a_mask_says_which_pixels_are_used(mode: str, drive: Path) -> None:
    clip = import_clip("kitti-tracking", drive, masks={CAMERA: draw(drive / "m.png", mode=mode)})
    stream = clip.cameras[0]
    for shown in (stream.read_mask(), stream.opaque(0), stream.read_masked(1)[1]):
        assert shown is not None
        assert_array_equal(shown, SHOWN)
    assert_array_equal(stream.read(0), import_clip("kitti-tracking", drive).cameras[0].read(0))
    assert stream.may_hide(0)


def test_any_value_but_0_is_used(drive: Path) -> None:
    Image.fromarray(SHOWN.astype(np.uint8)).save(drive / "m.png")  # 1, as masks often have it
    clip = import_clip("kitti-tracking", drive, masks={CAMERA: drive / "m.png"})
    assert_array_equal(clip.cameras[0].read_mask(), SHOWN)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


@pytest.mark.parametrize(
    ("harm", "wrong"),
    [
        (lambda path: draw(path, SHOWN[:, 1:]), "is 63x24, its camera 64x24"),
        (lambda path: draw(path, 0 * SHOWN), "hides every pixel"),
        (lambda path: draw(path, mode="P"), "pixels of mode P"),
        (lambda path: Image.new("I;16", (64, 24)).save(path), "pixels of mode I;16"),
        (lambda path: Image.new("L", (64, 24), 255).save(path, "JPEG"), "is no PNG"),
        (lambda path: path.write_text("0"), "is no PNG"),
        (cut, "is cut short or damaged"),
        (lambda path: path.unlink(), "does not exist"),
    ],
)
def test_what_is_no_mask_is_refused(
    harm: Callable[[Path], object], wrong: str, drive: Path
) -> None:
    harm(drive / "bonnet.png")
    with pytest.raises(DriveError, match=wrong) as caught:
        import_clip("kitti-tracking", drive, masks={CAMERA: drive / "bonnet.png"})
    assert caught.value.where == str(drive / "bonnet.png")


@pytest.mark.parametrize(
    ("said", "wrong", "fix"),
    [
        (("image_2=b.png",), "has no such camera", "--mask image_02=FILE"),
        (("bonnet.png",), "is not CAMERA=FILE", "--mask CAMERA=FILE"),
        (("image_02=",), "is not CAMERA=FILE", "--mask CAMERA=FILE"),
        (("image_02=a.png", "image_02=b.png"), "said twice", "once a camera"),
    ],
)
def test_a_mask_is_of_one_camera(
    said: tuple[str, ...], wrong: str, fix: str, drive: Path, tmp_path: Path
) -> None:
    with pytest.raises(OtherlaneError, match=wrong) as caught:
        import_(drive, out=tmp_path / "clip", mask=said)
    assert fix in caught.value.fix
    assert not (tmp_path / "clip").exists()


def test_masks_may_be_said_again_and_again() -> None:
    words = ["import", "--mask", "a=1.png", "drive", "--mask=b=2.png", "--out", "x"]
    assert gathered(words, "--mask") == [
        "import", "drive", "--out", "x", "--mask", "a=1.png", "b=2.png"
    ]  # fmt: skip
    assert gathered(["import", "drive"], "--mask") == ["import", "drive"]
    assert gathered(["import", "--mask"], "--mask") == ["import", "--mask", ""]


def test_a_clip_knows_its_mask_wherever_the_drive_lies(drive: Path, tmp_path: Path) -> None:
    import_(drive, out=tmp_path / "clip", mask=(f"{CAMERA}={drive / 'bonnet.png'}",))
    header = (tmp_path / "clip/clip.json").read_text()
    assert '"mask": "bonnet.png"' in header
    clip = load_clip(tmp_path / "clip")
    clip.check_contents()
    assert same_clip(clip, replace(clip, cameras=tuple(clip.cameras)))
    assert not same_clip(clip, replace(clip, cameras=(replace(clip.cameras[0], mask=None),)))
    drive.rename(tmp_path / "moved")
    moved = load_clip(tmp_path / "clip", tmp_path / "moved")
    assert_array_equal(moved.cameras[0].read_mask(), SHOWN)
    with pytest.raises(DriveError, match=r"bonnet\.png|does not exist"):
        clip.cameras[0].read_masked(0)


def test_a_mask_may_lie_outside_of_the_drive(drive: Path, tmp_path: Path) -> None:
    mask = draw(tmp_path / "bonnet.png")
    import_(drive, out=tmp_path / "clip", mask=(f"{CAMERA}={mask}",))
    clip = load_clip(tmp_path / "clip")
    assert_array_equal(clip.cameras[0].read_mask(), SHOWN)
    assert clip.cameras[0].read(0).shape == (24, 64, 3)


def test_a_replaced_mask_is_refused(drive: Path, tmp_path: Path) -> None:
    said = (f"{CAMERA}={drive / 'bonnet.png'}",)
    import_(drive, out=tmp_path / "clip", mask=said)
    clip = load_clip(tmp_path / "clip")
    draw(drive / "bonnet.png", ~SHOWN)
    for read in (
        clip.check_contents,
        clip.cameras[0].read_mask,
        lambda: clip.cameras[0].read_masked(0),
        lambda: import_(drive, out=tmp_path / "clip", mask=said),
    ):
        with pytest.raises(OtherlaneError, match="its content is another") as caught:
            read()
        assert caught.value.where == str(drive / "bonnet.png")
    import_(drive, out=tmp_path / "other", mask=said)
    assert not same_clip(load_clip(tmp_path / "other"), clip)


def test_a_mask_that_is_said_later_makes_another_clip(drive: Path, tmp_path: Path) -> None:
    import_(drive, out=tmp_path / "clip")
    with pytest.raises(OtherlaneError):
        import_(drive, out=tmp_path / "clip", mask=(f"{CAMERA}={drive / 'bonnet.png'}",))
