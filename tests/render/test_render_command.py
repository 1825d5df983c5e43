"""The verb `render` on a scene that was never trained: what it writes depends on nothing else."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

from recon.config import FieldConfig, ReconstructionConfig, SamplingConfig
from recon.field.model import new_model
from recon.kernels.hash_grid import HashGridSpec
from recon.lighting.daylight import Daylight
from recon.rendering.renderer import load_renderer
from recon.rendering.shot import Renderer
from recon.scene import RADIANCE_FIELD, load_scene, write_scene
from render.commands import render, verify
from render.folders.frames import frame_files, read_dataset, read_pixels, read_records
from render.jobs import render_job as batch
from render.labels import table
from render.labels.entry import Done, PixelLabel
from render.labels.moment import Moment
from render.labels.pixel_labels import PIXEL_LABELS
from scenes.errors import InfeasibleError, OtherlaneError
from scenes.storage.clip_files import save_clip
from scenes.storage.folders import writing
from scenes.storage.manifests import Provenance, finished
from tests.render.analytic import CAMERA, LICENCE, street
from tests.viewing import render_view

GRID = HashGridSpec(levels=2, features=2, log2_table=8, base_resolution=4, per_level_scale=2.0)
CONFIG = ReconstructionConfig(
    recipe="untrained",
    scale=0.25,
    holdout=0,
    field=FieldConfig(grid=GRID, width=16, occupancy_resolution=8),
    sampling=SamplingConfig(growth=0.2, render_growth=0.2, min_step_m=1.0, far_m=100.0),
)
SLIDE = """\
name = "left"
end_us = 200_000
[[edits]]
kind = "exposure"
stops = -1.0
[[edits]]
kind = "lateral-offset"
offset_m = 2.0
start_us = -3_000_000
duration_us = 3_000_000
"""


EDITED = """\
seed = 9
[[edits]]
kind = "exposure"
stops = 0.5
[[edits]]
kind = "move-actor"
actor = 12
left_m = 0.5
[[edits]]
kind = "scale-actor"
actor = 12
factor = 0.9
[[edits]]
kind = "lateral-offset"
offset_m = 1.0
start_us = -3_000_000
duration_us = 3_000_000
"""


ABOUT, NO_LIGHT = {"renderer": RADIANCE_FIELD}, Daylight.unknown()


@pytest.fixture(scope="module")
def scene_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scene") / "scene"
    clip = street().clip
    with writing(folder, Provenance(kind="scene", inputs={}, config={}), about=ABOUT) as partial:
        write_scene(partial, folder, clip, CONFIG, new_model(clip, CONFIG), {}, NO_LIGHT)
    return folder


def keys(folder: Path) -> list[str]:
    return [record["key"] for record in read_records(folder)]


def test_a_trained_scene_is_renderable(scene_folder: Path) -> None:
    assert isinstance(load_renderer(scene_folder), Renderer)


def test_renders_the_recorded_drive(scene_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "frames"
    result = render(scene_folder, out=out, frames="0:4:2", preview=False)
    assert (result["frames"], result["size"]) == (2, "24x12")
    assert result["licence"] == LICENCE
    assert verify(out)["ok"]
    records = read_records(out)
    assert [record["key"] for record in records] == ["000000.front", "000002.front"]
    clip = street().clip
    for record, index in zip(records, (0, 2), strict=True):
        np.testing.assert_allclose(record["world_from_ego"], clip.ego.world_from_body[index])
        assert record["licence"] == LICENCE
        assert record["inputs"] == read_dataset(out)["inputs"]
    again = render(scene_folder, out=out, frames="0:4:2", preview=False)
    assert again["rendered_now"] == 0
    with pytest.raises(OtherlaneError, match="another frames"):
        render(scene_folder, out=out, frames="0:4", preview=False)


def test_a_scenario_of_another_drive_is_refused_unless_it_is_meant(tmp_path: Path) -> None:
    folder, clip = tmp_path / "scene", street().clip
    with writing(
        folder, Provenance(kind="scene", inputs={"clip": "a" * 64}, config={}), about=ABOUT
    ) as partial:
        write_scene(partial, folder, clip, CONFIG, new_model(clip, CONFIG), {}, NO_LIGHT)
    scenario = tmp_path / "left.toml"
    scenario.write_text(f'clip = "{"a" * 64}"\n{SLIDE}')
    render(folder, out=tmp_path / "own", scenario=scenario, frames="0", preview=False)
    scenario.write_text(f'clip = "{"b" * 64}"\n{SLIDE}')
    with pytest.raises(OtherlaneError, match="made for another drive") as refused:
        render(folder, out=tmp_path / "other", scenario=scenario, frames="0", preview=False)
    assert "--any-drive" in refused.value.fix
    assert not (tmp_path / "other").exists()
    render(
        folder, out=tmp_path / "other", scenario=scenario, frames="0", preview=False,
        any_drive=True,
    )  # fmt: skip


def test_a_scenario_nobody_has_room_for_is_refused_before_anything_is_rendered(
    scene_folder: Path, tmp_path: Path
) -> None:
    scenario = tmp_path / "left.toml"
    scenario.write_text(SLIDE.replace("offset_m = 2.0", "offset_m = 20.0"))
    with pytest.raises(InfeasibleError):
        render(scene_folder, out=tmp_path / "out", scenario=scenario, preview=False)
    assert not (tmp_path / "out").exists()


def test_renders_a_scenario(scene_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "left.toml").write_text(SLIDE)
    out = tmp_path / "frames"
    result = render(
        scene_folder, out=out, scenario=tmp_path / "left.toml", size="16x8", formats=("coco",)
    )
    assert result["frames"] == 3  # its window ends at 200 ms
    assert verify(out)["ok"]
    left_m = [record["world_from_ego"][1][3] for record in read_records(out)]
    np.testing.assert_allclose(left_m, [2.0, 2.0, 2.0])
    assert (out / "preview.mp4").is_file()
    assert not (out / "exports/kitti").exists()
    dataset = read_dataset(out)
    assert dataset["licence"] == LICENCE
    assert dataset["config"]["scenario"]["name"] == "left"
    assert dataset["edits"] == ["exposure -1 stops", "a slide of 2 m to the left over 3 s"]
    assert finished(out, "frames").inputs.keys() == {"scene", "scenario"}


def test_finished_frames_outlive_a_failed_export(
    scene_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, size = tmp_path / "frames", "16x8"

    def fails(fmt: str, frames_folder: Path, into: Path) -> Path:
        (into / "half").mkdir(parents=True)
        raise OtherlaneError(frames_folder, f"cannot be written as {fmt}", "another format")

    with monkeypatch.context() as patch:
        patch.setattr(batch, "export", fails)
        with pytest.raises(OtherlaneError, match="cannot be written"):
            render(scene_folder, out=out, size=size, preview=False)
    assert not out.exists()
    result = render(scene_folder, out=out, size=size, formats=(), preview=False)
    assert result["rendered_now"] == 0
    assert verify(out)["ok"]
    assert not (out / "exports").exists()
    assert not (out / "tasks").exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"workers": 0}, "--workers"),
        ({"min_px": -1}, "--min-px"),
        ({"size": "16x16"}, "--size: 16x16 squeezes pictures of 96x48"),
        ({"frames": "0:400:4"}, "on to 400"),
        ({"labels": ("rgb", "instanse")}, "no pixel label"),
        ({"labels": ("instance",), "preview": False}, "format kitti: holds no rgb"),
        ({"labels": ("rgb", "range_m"), "preview": False}, "format coco: holds no instance"),
        ({"labels": ("rgb", "instance")}, "the preview: holds no range_m and no semantic"),
        ({"min_visible": 1.5}, "--min-visible"),
        ({"formats": ("kity",)}, "no exporter has that name"),
        ({"size": "12"}, "--size"),
        ({"frames": "7"}, "--frames"),
        ({"scenario": Path("missing.toml")}, "missing.toml"),
    ],
)
def test_what_cannot_be_rendered_leaves_nothing(
    wrong: dict, said: str, scene_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(OtherlaneError, match=said):
        render(scene_folder, out=tmp_path / "frames", **wrong)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("lens", [{"distortion": (0.1, 0.0, 0.0, 0.0)}, {"lens": "kannala-brandt"}])
def test_what_cannot_be_exported_is_refused_before_the_first_ray(
    lens: dict, scene_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bent = _bent(scene_folder, tmp_path / "scene", lens)

    def never(*_args: object, **_kwargs: object) -> int:
        raise AssertionError("nothing may be rendered")

    with monkeypatch.context() as patch:
        patch.setattr(batch, "run_job", never)
        with pytest.raises(OtherlaneError, match="kitti: KITTI's layout has no lens distortion"):
            render(bent, out=tmp_path / "frames")
    assert not (tmp_path / "frames").exists()
    made = render(bent, out=tmp_path / "frames", formats=("coco",), preview=False, frames="0")
    assert made["frames"] == 1


def _bent(scene_folder: Path, out: Path, lens: dict) -> Path:
    scene = load_scene(scene_folder)
    (stream,) = scene.clip.cameras
    cameras = (replace(stream, camera=replace(stream.camera, **lens)),)
    with writing(out, Provenance(kind="scene", inputs={}, config={}), about=ABOUT) as partial:
        clip = replace(scene.clip, cameras=cameras)
        write_scene(partial, out, clip, CONFIG, new_model(clip, CONFIG), {}, NO_LIGHT)
    return out


def test_only_what_is_asked_for_is_stored(scene_folder: Path, tmp_path: Path) -> None:
    full, small = tmp_path / "full", tmp_path / "small"
    asked = {"frames": "1", "preview": False, "keep_rejected": True}  # nobody saw anything
    render(scene_folder, out=full, **asked)
    wanted = ("rgb", "instance")
    render(scene_folder, out=small, labels=("instance", "rgb"), **asked)
    held = {path.name for path in (small / "frames" / "front").iterdir()}
    assert held == {"000001.rgb.png", "000001.instance.png"}
    assert read_dataset(small)["pixel_labels"] == list(wanted)
    assert read_pixels(small, "000001.front").keys() == set(wanted)
    for name, value in read_pixels(full, "000001.front", wanted).items():
        assert np.array_equal(value, read_pixels(small, "000001.front")[name])
    said = ("objects", "camera", "world_from_camera")
    for ours, theirs in zip(read_records(small), read_records(full), strict=True):
        assert {name: ours[name] for name in said} == {name: theirs[name] for name in said}
    with pytest.raises(OtherlaneError, match="holds no z_m") as refused:
        read_pixels(small, "000001.front", ["z_m"])
    assert refused.value.fix == "otherlane render with --labels rgb z_m instance"
    checked = verify(small)
    assert checked["ok"]
    unchecked = checked["unchecked"]
    assert isinstance(unchecked, list)
    assert "depth along rays and axis agree (needs range_m and z_m)" in unchecked
    assert not any("needs instance" in words for words in unchecked)
    assert verify(full)["unchecked"] == []
    exported = (small / "exports/coco/annotations/instances_all.json").read_text()
    assert exported.count('"iscrowd"') > 0
    with pytest.raises(OtherlaneError, match="another pixel_labels"):
        render(scene_folder, out=small, **asked)


def test_what_nobody_asks_for_is_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    scene, asked = street(), list[str]()
    for label in PIXEL_LABELS:

        def compute(moment: Moment, done: Done, label: PixelLabel = label) -> Tensor:
            asked.append(label.name)
            return label.compute(moment, done)

        monkeypatch.setitem(table._PIXELS, label.name, replace(label, compute=compute))
    pose = scene.clip.world_from_camera(0, 0)
    frame = render_view(scene, CAMERA, pose, time_us=0, labels=("rgb", "instance"))
    assert list(frame.pixels) == ["rgb", "instance"]
    assert frame.objects
    assert not {"linear", "opacity", "z_m", "normal", "semantic"} & set(asked)
    assert len(set(asked)) == len(asked)


def test_frames_can_be_counted_from_the_window(scene_folder: Path, tmp_path: Path) -> None:
    late = SLIDE.replace("end_us = 200_000", "start_us = 100_000")
    (tmp_path / "late.toml").write_text(late)
    options = {"scenario": tmp_path / "late.toml", "preview": False, "formats": ()}
    render(scene_folder, out=tmp_path / "a", frames="::2", **options)
    assert [record["key"] for record in read_records(tmp_path / "a")] == [
        "000001.front",
        "000003.front",
    ]
    render(scene_folder, out=tmp_path / "b", frames="+0:+2", **options)
    assert [record["key"] for record in read_records(tmp_path / "b")] == [
        "000001.front",
        "000002.front",
    ]
    with pytest.raises(OtherlaneError, match="back to 0"):
        render(scene_folder, out=tmp_path / "c", frames="0:4:2", **options)


def test_pictures_are_squeezed_only_if_that_is_meant(scene_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "frames"
    render(scene_folder, out=out, frames="0", size="16x16", stretch=True, preview=False)
    camera = read_records(out)[0]["camera"]
    assert (camera["width"], camera["height"]) == (16, 16)
    assert camera["fy"] == pytest.approx(2.0 * camera["fx"])


def test_a_format_that_is_named_twice_is_written_once(scene_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "frames"
    made = render(scene_folder, out=out, frames="0", formats=("coco", "coco"), preview=False)
    assert made["formats"] == ["coco"]
    assert verify(out)["ok"]


def test_a_clip_is_not_a_scene(tmp_path: Path) -> None:
    clip = save_clip(replace(street().clip, name="clip"), tmp_path / "clip")
    with pytest.raises(OtherlaneError, match="holds a clip, not a scene"):
        render(clip, out=tmp_path / "frames")


def test_a_folder_says_all_that_makes_its_frames_again(scene_folder: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in scene_folder.rglob("*") if path.is_file()}
    (tmp_path / "edited.toml").write_text(EDITED)
    first, again = tmp_path / "first", tmp_path / "again"
    render(scene_folder, out=first, scenario=tmp_path / "edited.toml", preview=False)
    said = read_dataset(first)
    assert said["inputs"].keys() == {"scene", "scenario"}
    assert all(record["inputs"] == said["inputs"] for record in read_records(first))
    kinds = [edit["kind"] for edit in said["config"]["scenario"]["edits"]]
    assert kinds == ["exposure", "move-actor", "scale-actor", "lateral-offset"]
    key = read_records(first)[1]["key"]
    render(scene_folder, out=again, scenario=first / "scenario.toml", frames="1", preview=False)
    for name in frame_files(key):
        assert (again / name).read_bytes() == (first / name).read_bytes()
    assert {path: path.read_bytes() for path in before} == before  # the original is not touched
