"""What is done with one world: record, write its truth, reconstruct, score; each done once.

Every stage has a folder of its own in the world's folder and knows when it is finished, so a run
that was killed goes on. The reconstruction is given the recording and nothing else.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import msgspec
import numpy as np

from recon.evaluate import Comparison, evaluate_scene, result
from recon.evidence import camera_trajectory, scaled_camera
from recon.reconstruct import reconstruct_clip
from recon.scene import Scene, load_scene
from render.prove.plan import WorldPlan
from render.prove.rows import Row, view_row
from render.prove.scoring import render_target, score_view
from render.prove.target import target_of
from scenes.folders import Recipe, folder_hash, is_finished, write_json, writing
from scenes.ground import fit_ground
from scenes.worlds.recorder import record
from scenes.worlds.truth import read_truth, write_truth
from scenes.worlds.truth_files import TruthView

CLIP, TRUTH, SCENE, SCORES, COSTS = "clip", "truth", "scene", "scores", "costs.json"
ROWS, HELD_OUT = "rows.json", "held_out"
SCORING = 1
"""Version of the scores; another one scores again."""


def run_stage(plan: WorldPlan, folder: Path, stage: str) -> None:
    """Do one stage of a world in its folder; what is there already stays.

    Raises:
        OtherlaneError: Something else is there, or the extra `worlds` is not installed.
    """
    work: dict[str, Callable[[WorldPlan, Path], object]] = {
        "record": _record,
        "truth": _truth,
        "reconstruct": _reconstruct,
        "score": _score,
    }
    folder.mkdir(parents=True, exist_ok=True)
    with _clocked(folder / COSTS, stage):
        work[stage](plan, folder)


def is_done(plan: WorldPlan, folder: Path) -> bool:
    """Whether every axis of a world has been scored.

    Raises:
        OtherlaneError: It was scored with other settings.
    """
    if not (folder / SCENE).is_dir():
        return False
    digest = folder_hash(folder / SCENE, "scene")
    parts = {HELD_OUT: (), **plan.amounts()}
    return all(
        is_finished(folder / SCORES / part, _proof(plan, part, amounts, digest))
        for part, amounts in parts.items()
    )


def _proof(plan: WorldPlan, part: str, amounts: Sequence[float], digest: str) -> Recipe:
    """What the scores of an axis (or of the held-out pictures) are made from."""
    config = {
        "part": part,
        "amounts": list(amounts),
        "views": plan.views,
        "recording": asdict(plan.recording),
        "reconstruct": asdict(plan.reconstruct),
        "scoring": SCORING,
    }
    return Recipe(kind="proof", inputs={"scene": digest}, config=config)


def _record(plan: WorldPlan, folder: Path) -> None:
    record(plan.recording, folder / CLIP, plan.workers)


def _truth(plan: WorldPlan, folder: Path) -> None:
    write_truth(plan.recording, folder / TRUTH, plan.axes, plan.views, plan.workers)


def _reconstruct(plan: WorldPlan, folder: Path) -> None:
    reconstruct_clip(folder / CLIP, folder / SCENE, plan.reconstruct)


def _score(plan: WorldPlan, folder: Path) -> None:
    """The held-out pictures of the path, and every view of every axis."""
    if is_done(plan, folder):
        return
    scene = load_scene(folder / SCENE)
    digest = folder_hash(folder / SCENE, "scene")
    score_held_out(scene, folder / SCORES / HELD_OUT, _proof(plan, HELD_OUT, (), digest))
    views = read_truth(folder / TRUTH)
    for axis, amounts in plan.amounts().items():
        mine = [view for view in views if view.axis == axis and view.amount in amounts]
        score_axis(scene, mine, folder / SCORES / axis, _proof(plan, axis, amounts, digest))


def score_held_out(scene: Scene, out: Path, made_from: Recipe) -> None:
    """Scores on the recorded pictures that were kept out of training, as `evaluate` has them."""
    if not is_finished(out, made_from):
        with writing(out, made_from) as partial:
            write_json(partial / ROWS, result(scene, evaluate_scene(scene)[0]))


def score_axis(scene: Scene, views: Sequence[TruthView], out: Path, made_from: Recipe) -> None:
    """Render and score views of one axis, into a folder of rows and pictures."""
    if is_finished(out, made_from):
        return
    ground, path = fit_ground(scene.clip), camera_trajectory(scene.clip, 0)
    rows: list[Row] = []
    with writing(out, made_from) as partial:
        for view in views:
            full = view.camera or scene.clip.cameras[0].camera
            target = target_of(view, scaled_camera(full, scene.config.scale))
            frame, shown = render_target(scene, target, ground)
            away_m = path.distance_m(target.world_from_camera[:3, 3])
            scores = score_view(frame, shown, target, scene.clip.actors, ground)
            rows += [view_row(target.axis, target.amount, away_m, score) for score in scores]
            picture = partial / picture_name(target.amount, target.time_us)
            _write_picture(picture, shown)
        write_json(partial / ROWS, [asdict(row) for row in rows])


def picture_name(amount: float, time_us: int) -> str:
    """Of the picture of a view: truth, render and error side by side."""
    return f"{amount:+.2f}_{time_us // 1000:06d}ms.png"


def _write_picture(path: Path, shown: Comparison) -> None:
    import imageio.v3 as iio

    error = np.abs(shown.render - shown.photo) * 4.0
    error[~shown.counts] = 0.5
    gap = np.ones((error.shape[0], 4, 3), dtype=np.float32)
    panels = np.concatenate([shown.photo, gap, shown.render, gap, error], axis=1)
    iio.imwrite(path, np.round(panels.clip(0, 1) * 255).astype(np.uint8))


def read_rows(plan: WorldPlan, folder: Path) -> list[Row]:
    """The scores of every view of a finished world."""
    files = [folder / SCORES / axis / ROWS for axis in plan.amounts()]
    return [row for file in files for row in msgspec.json.decode(file.read_bytes(), type=list[Row])]


def read_held_out(folder: Path) -> dict[str, object]:
    """The scores of a finished world on the recorded path."""
    return msgspec.json.decode((folder / SCORES / HELD_OUT / ROWS).read_bytes())


def read_costs(folder: Path) -> dict[str, float]:
    """Seconds that each stage of a world has taken so far, over all runs."""
    path = folder / COSTS
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


@contextmanager
def _clocked(path: Path, stage: str) -> Iterator[None]:
    """Add what this takes to the costs, whether it is finished or not."""
    began = time.perf_counter()
    try:
        yield
    finally:
        costs = read_costs(path.parent)
        costs[stage] = round(costs.get(stage, 0.0) + time.perf_counter() - began, 2)
        write_json(path, costs)
