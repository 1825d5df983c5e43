import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import recon.recipes
import recon.reconstruct
import recon.training.loop
from recon.commands import reconstruct
from recon.evaluation.evaluate import evaluate_scene
from recon.field.model import drive_block
from recon.kernels.backend import choose_backend
from recon.recipes import FINEST_CELL_M, recipe
from recon.reconstruct import ReconstructRequest, parse_budget, reconstruct_clip, resolve
from recon.scene import load_scene
from recon.training.progress import last_seconds
from scenes.errors import OtherlaneError
from scenes.storage.clip_files import load_clip, save_clip
from scenes.storage.manifests import LOG, MANIFEST, finished
from tests.scene_maker import TINY, save_drive, tiny_config


@pytest.fixture(autouse=True)
def tiny_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(recon.recipes.RECIPES, "tiny", lambda _: tiny_config())


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_scene_is_a_whole_folder(made: tuple[Path, Path]) -> None:
    _, out = made
    expected = ["actors.json", "arrays.npz", "clip.json", "config.json", "field.safetensors"]
    assert names(out) == sorted([*expected, "light.json", LOG, "drive.json", "manifest.json"])
    held = finished(out, "scene")
    assert not held.damaged()
    assert not held.strays()
    config = held.config
    assert (config["recipe"], config["holdout"]) == ("tiny", 4)
    lines = [json.loads(line) for line in (out / LOG).read_text().splitlines()]
    assert lines[-1]["step"] == lines[-1]["steps"] == 8
    assert last_seconds(out / LOG) == lines[-1]["seconds"]


def test_made_again_it_is_the_same_bytes(made: tuple[Path, Path], tmp_path: Path) -> None:
    again = reconstruct_clip(made[0], tmp_path / "again", TINY)
    assert (made[1] / MANIFEST).read_bytes() == (again / MANIFEST).read_bytes()


def test_a_second_run_returns_at_once(
    made: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(recon.reconstruct, "load_data")  # it opens no picture
    before = (made[1] / "manifest.json").stat().st_mtime_ns
    assert reconstruct_clip(*made, TINY) == made[1]
    assert (made[1] / "manifest.json").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("change", "name"),
    [({"seed": 1}, "seed"), ({"holdout": 0}, "holdout"), ({"scale": 0.75}, "scale")],
)
def test_another_request_is_refused_with_what_changed(
    made: tuple[Path, Path], change: dict[str, int], name: str
) -> None:
    with pytest.raises(OtherlaneError, match=f"another {name}"):
        reconstruct_clip(*made, replace(TINY, **change))


def test_another_clip_is_refused(made: tuple[Path, Path], tmp_path: Path) -> None:
    clip = load_clip(made[0])
    other = save_clip(replace(clip, name="other"), tmp_path / "other")
    with pytest.raises(OtherlaneError, match="another clip"):
        reconstruct_clip(other, made[1], TINY)


def test_the_same_drive_elsewhere_is_the_same_clip(made: tuple[Path, Path], tmp_path: Path) -> None:
    elsewhere = save_drive(tmp_path)
    assert (elsewhere / MANIFEST).read_bytes() == (made[0] / MANIFEST).read_bytes()
    assert reconstruct_clip(elsewhere, made[1], TINY) == made[1]


class Killed(BaseException):
    """As when the process is killed."""


def test_interrupted_it_leaves_nothing_and_resumes(
    made: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, steps = tmp_path / "scene", []
    step = recon.training.loop.train_step

    def until(training, data, config, number, last=5):
        if number == last:
            raise Killed
        steps.append(number)
        return step(training, data, config, number)

    monkeypatch.setattr(recon.training.loop, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(recon.training.loop, "train_step", until)
    with pytest.raises(Killed):
        reconstruct_clip(made[0], out, TINY)
    assert not out.exists()
    until.__defaults__ = (99,)
    reconstruct_clip(made[0], out, TINY)
    assert steps == list(range(8))
    assert names(tmp_path) == ["scene"]
    assert (out / MANIFEST).read_bytes() == (made[1] / MANIFEST).read_bytes()


def test_killed_before_its_request_was_written_it_starts_afresh(
    made: tuple[Path, Path], tmp_path: Path
) -> None:
    partial = tmp_path / ".scene.partial"
    partial.mkdir()
    (partial / "training.safetensors").write_bytes(b"of something else")
    out = reconstruct_clip(made[0], tmp_path / "scene", TINY)
    assert (out / MANIFEST).read_bytes() == (made[1] / MANIFEST).read_bytes()


def test_a_damaged_request_of_unfinished_work_is_named(
    made: tuple[Path, Path], tmp_path: Path
) -> None:
    partial = tmp_path / ".scene.partial"
    partial.mkdir()
    (partial / "request.json").write_text('{"inputs": ')
    with pytest.raises(OtherlaneError, match=r"request\.json: is damaged") as caught:
        reconstruct_clip(made[0], tmp_path / "scene", TINY)
    assert "remove it" in caught.value.fix
    (partial / "request.json").unlink()
    reconstruct_clip(made[0], tmp_path / "scene", TINY)


@pytest.mark.parametrize("moment", ["manifest", "name"])
def test_killed_at_its_very_end_it_is_the_same_bytes(
    made: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    import scenes.storage.folders

    class KilledError(Exception):
        pass

    def killed(*arguments: object) -> None:
        if moment == "name":
            write_signed(*arguments)  # type: ignore[arg-type]  # the manifest is there
        raise KilledError

    write_signed = scenes.storage.folders.write_signed
    with monkeypatch.context() as patch:
        patch.setattr(scenes.storage.folders, "write_signed", killed)
        with pytest.raises(KilledError):
            reconstruct_clip(made[0], tmp_path / "scene", TINY)
    out = reconstruct_clip(made[0], tmp_path / "scene", TINY)
    assert (out / MANIFEST).read_bytes() == (made[1] / MANIFEST).read_bytes()
    assert not finished(out).strays()


@pytest.mark.parametrize(
    ("request_", "where"),
    [
        (ReconstructRequest(recipe="tinny"), "recipe 'tinny'(.|\n)*try: tiny"),
        (replace(TINY, scale=1.5), "scale"),
        (replace(TINY, scale=0.01), "scale(.|\n)*12 px"),
        (replace(TINY, holdout=1), "holdout"),
        (replace(TINY, train_share=0.6), "train_share"),
        (replace(TINY, seed=-1), "seed"),
        (replace(TINY, budget="soon"), "budget"),
        (replace(TINY, backend="abacus"), "backend"),
    ],
)
def test_a_bad_request_leaves_nothing(
    made: tuple[Path, Path], tmp_path: Path, request_: ReconstructRequest, where: str
) -> None:
    with pytest.raises(OtherlaneError, match=where):
        reconstruct_clip(made[0], tmp_path / "scene", request_)
    assert names(tmp_path) == []


def test_a_missing_picture_leaves_nothing(tmp_path: Path) -> None:
    clip = save_drive(tmp_path)
    (tmp_path / "pictures" / "3.png").unlink()
    with pytest.raises(OtherlaneError, match=r"3\.png: does not exist"):
        reconstruct_clip(clip, tmp_path / "scene", TINY)
    assert names(tmp_path) == ["clip", "pictures"]


def test_a_budget_is_settled_once(
    made: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recon.reconstruct, "steps_within", lambda *_: 3)
    monkeypatch.setattr("recon.reconstruct.train", _killed)
    request = replace(TINY, budget="1m")
    with pytest.raises(Killed):
        reconstruct_clip(made[0], tmp_path / "scene", request)
    monkeypatch.undo()
    monkeypatch.setitem(recon.recipes.RECIPES, "tiny", lambda _: tiny_config())
    monkeypatch.delattr(recon.reconstruct, "steps_within")  # it is not measured again
    scene = load_scene(reconstruct_clip(made[0], tmp_path / "scene", request))
    assert scene.config.steps == 3


def _killed(*_: object, **__: object) -> None:
    raise Killed


@pytest.mark.parametrize(
    ("text", "seconds"), [("60s", 60.0), ("5m", 300.0), ("1.5h", 5400.0), (" 2s ", 2.0)]
)
def test_budgets(text: str, seconds: float) -> None:
    assert parse_budget(text) == seconds


@pytest.mark.parametrize("text", ["", "60", "0s", "-5m", "5 m", "m", "1d", "1e3s", "nans"])
def test_budgets_that_are_none(text: str) -> None:
    with pytest.raises(OtherlaneError, match="budget"):
        parse_budget(text)


def test_recipes_fit_the_clip(made: tuple[Path, Path]) -> None:
    clip = load_clip(made[0])
    wide = replace(clip.cameras[0].camera, width=1280)
    clip = replace(clip, cameras=(replace(clip.cameras[0], camera=wide),))
    assert recipe("standard", clip).scale == 0.25
    steps = [recipe(name, clip).steps for name in ("preview", "standard", "best")]
    assert steps == sorted(set(steps))
    config = resolve(clip, ReconstructRequest(scale=0.8, holdout=0, seed=4))
    assert (config.scale, config.holdout, config.seed) == (0.8, 0, 4)
    assert config.backend == choose_backend(None)


def test_a_longer_drive_gets_more_steps_and_a_larger_table_as_fine(made: tuple[Path, Path]) -> None:
    clip = load_clip(made[0])
    poses = clip.ego.world_from_body.copy()
    poses[:, 0, 3] *= 40.0
    long = replace(clip, ego=replace(clip.ego, world_from_body=poses))
    stream = clip.cameras[0]
    files, times = stream.files * 2, np.arange(2 * len(stream.files)) * 100_000
    many = replace(
        stream,
        files=files,
        time_us=times,
        exposure=np.concatenate([stream.exposure] * 2),
        contents=stream.contents * 2,
    )
    assert (
        recipe("standard", replace(clip, cameras=(many,))).steps
        == 2 * recipe("standard", clip).steps
    )
    short_grid, long_grid = (recipe("standard", c).field.grid for c in (clip, long))
    assert long_grid.log2_table > short_grid.log2_table
    for drive, grid in ((clip, short_grid), (long, long_grid)):
        cells = grid.scales[-1] + 1.0
        finest_m = 4.0 * drive_block(drive, None).half_size_m / cells
        assert finest_m == pytest.approx(FINEST_CELL_M, rel=1e-3)


def test_the_command_says_what_it_made(made: tuple[Path, Path]) -> None:
    said = reconstruct(made[0], out=made[1], recipe="tiny", holdout=4)
    assert said["scene"] == str(made[1])
    assert (said["steps"], said["backend"], said["licence"]) == (8, choose_backend(None), "CC0-1.0")
    assert isinstance(said["train_seconds"], float)


def test_a_scene_needs_no_pictures(tmp_path: Path) -> None:
    clip = save_drive(tmp_path)
    out = reconstruct_clip(clip, tmp_path / "scene", TINY)
    for folder in ("pictures", "clip"):
        (tmp_path / folder).rename(tmp_path / f"{folder} elsewhere")
    moved = out.rename(tmp_path / "moved")
    scene = load_scene(moved)
    rays = torch.tensor([[1.0, 0.0, 0.0]])
    assert bool(torch.isfinite(scene.render_rays(0.0 * rays, rays, torch.zeros(1)).linear).all())
    with pytest.raises(OtherlaneError, match="does not exist"):
        evaluate_scene(scene)


def test_nothing_held_out_is_nothing_to_score(made: tuple[Path, Path], tmp_path: Path) -> None:
    out = reconstruct_clip(made[0], tmp_path / "scene", replace(TINY, holdout=0))
    with pytest.raises(OtherlaneError, match="no picture was kept out"):
        evaluate_scene(load_scene(out))


@pytest.mark.parametrize("name", ["config.json", "field.safetensors", "clip.json"])
def test_a_damaged_scene(made: tuple[Path, Path], tmp_path: Path, name: str) -> None:
    import shutil

    folder = tmp_path / "scene"
    shutil.copytree(made[1], folder)
    (folder / name).write_bytes((folder / name).read_bytes()[:40])
    with pytest.raises(OtherlaneError, match=name):
        load_scene(folder)


def test_a_clip_is_not_a_scene(made: tuple[Path, Path]) -> None:
    with pytest.raises(OtherlaneError, match="holds a clip, not a scene"):
        load_scene(made[0])
