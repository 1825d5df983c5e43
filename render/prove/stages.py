"""What is done with one world: record, write its truth, reconstruct, score; each done once.

Every stage has a folder of its own in the world's folder and knows when it is finished, so a run
that was killed goes on. The reconstruction is given the recording and nothing else.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np

from recon.data.training_data import camera_trajectory, scaled_camera
from recon.evaluation.comparison import Comparison
from recon.evaluation.evaluate import evaluate_scene, result
from recon.reconstruct import reconstruct_clip
from recon.rendering.renderer import FieldRenderer
from recon.rendering.shot import Renderer
from recon.scene import Scene, load_scene
from render.prove.exactness import measured_oracle, write_oracle
from render.prove.plan import WorldPlan
from render.prove.regions import cast_of, region_masks
from render.prove.rows import Row, view_row
from render.prove.scoring import exposure_ev, render_target, score_view
from render.prove.target import target_of
from scenes.road.ground import fit_ground
from scenes.storage.files import read_own, write_json
from scenes.storage.folders import is_finished, writing
from scenes.storage.manifests import Provenance, finished, folder_hash, parsed
from scenes.work.phases import counted
from scenes.worlds.record.recorder import record
from scenes.worlds.truth.truth import read_truth, write_truth
from scenes.worlds.truth.truth_files import TruthView

CLIP, TRUTH, SCENE, SCORES = "clip", "truth", "scene", "scores"
COSTS, PROCESSOR, ORACLE = "costs.json", "processor.json", "oracle.json"
ROWS, HELD_OUT = "rows.json", "held_out"
SCORING = 2
"""Version of the scores; a folder with scores of another one is refused."""


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
    with _clocked(folder, stage):
        work[stage](plan, folder)


def is_done(plan: WorldPlan, folder: Path) -> bool:
    """Whether every axis of a world has been scored, and its truth checked.

    Raises:
        OtherlaneError: It was scored with other settings.
    """
    if not (folder / SCENE).is_dir() or not (folder / ORACLE).is_file():
        return False
    digest = folder_hash(folder / SCENE, "scene")
    parts = {HELD_OUT: (), **plan.amounts()}
    return all(
        is_finished(folder / SCORES / part, _proof(plan, part, amounts, digest))
        for part, amounts in parts.items()
    )


def _proof(plan: WorldPlan, part: str, amounts: Sequence[float], digest: str) -> Provenance:
    """What the scores of an axis (or of the held-out pictures) are made from."""
    config = {
        "part": part,
        "amounts": list(amounts),
        "views": plan.views,
        "recording": asdict(plan.recording),
        "reconstruct": asdict(plan.reconstruct),
        "scoring": SCORING,
    }
    return Provenance(kind="proof", inputs={"scene": digest}, config=config)


def _record(plan: WorldPlan, folder: Path) -> None:
    record(plan.recording, folder / CLIP, plan.workers)


def _truth(plan: WorldPlan, folder: Path) -> None:
    views, frames = plan.views, plan.moments()
    write_truth(plan.recording, folder / TRUTH, plan.axes, views, plan.workers, frames)
    if not (folder / ORACLE).is_file():
        write_oracle(folder / ORACLE, measured_oracle(plan.recording))


def _reconstruct(plan: WorldPlan, folder: Path) -> None:
    reconstruct_clip(folder / CLIP, folder / SCENE, plan.reconstruct)


def _score(plan: WorldPlan, folder: Path) -> None:
    """The held-out pictures of the path, and every view of every axis."""
    if is_done(plan, folder):
        return
    scene = load_scene(folder / SCENE)
    digest = folder_hash(folder / SCENE, "scene")
    score_held_out(scene, folder / SCORES / HELD_OUT, _proof(plan, HELD_OUT, (), digest))
    for axis, mine in truth_of(folder, plan.amounts()).items():
        amounts = plan.amounts()[axis]
        out, made_from = folder / SCORES / axis, _proof(plan, axis, amounts, digest)
        stops = partial(exposure_ev, scene)
        score_axis(FieldRenderer(scene=scene), mine, out, made_from, stops=stops)


def truth_of(folder: Path, amounts: Mapping[str, Sequence[float]]) -> dict[str, list[TruthView]]:
    """A world's views of those amounts of each axis; none where there was no room for any."""
    views = read_truth(folder / TRUTH)
    return {
        axis: [view for view in views if view.axis == axis and view.amount in these]
        for axis, these in amounts.items()
    }


def score_held_out(scene: Scene, out: Path, made_from: Provenance) -> None:
    """Scores on the recorded pictures that were kept out of training, as `evaluate` has them."""
    if not is_finished(out, made_from):
        with writing(out, made_from) as folder:
            write_json(folder / ROWS, result(scene, evaluate_scene(scene)[0]))


def score_axis(
    renderer: Renderer,
    views: Sequence[TruthView],
    out: Path,
    made_from: Provenance,
    *,
    stops: Callable[[int], float],
    scores_movers: bool = True,
) -> None:
    """Render and score views of one axis, into a folder of rows and pictures.

    Args:
        renderer: What is scored; `render_target` says what it may be.
        views: Truth.
        out: Folder for the rows and the pictures.
        made_from: What they are made from.
        stops: From the renderer's exposure at a time [µs] to truth's [EV].
        scores_movers: Whether road users that move are scored: not of who shows none.
    """
    if is_finished(out, made_from):
        return
    ground, path = fit_ground(renderer.clip), camera_trajectory(renderer.clip, 0)
    rows: list[Row] = []
    with writing(out, made_from) as folder:
        for view in counted(views, f"scoring {out.name}", len(views), "views"):
            full = view.camera or renderer.clip.cameras[0].camera
            target = target_of(view, scaled_camera(full, renderer.scale))
            cast = cast_of(target, renderer.clip, ground)
            frame, shown = render_target(renderer, target, ground, stops(target.time_us), cast)
            away_m = path.distance_m(target.world_from_camera[:3, 3])
            scores = score_view(frame, shown, target, cast, ground)
            rows += [
                view_row(target.axis, target.amount, away_m, score)
                for score in scores
                if score.region != "movers" or scores_movers
            ]
            masks = region_masks(target, cast, shown.counts)
            picture = folder / picture_name(target.amount, target.time_us)
            _write_picture(picture, replace(shown, counts=np.logical_or.reduce([*masks.values()])))
        write_json(folder / ROWS, [asdict(row) for row in rows])


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


def read_rows(axes: Iterable[str], folder: Path) -> list[Row]:
    """The scores of every view of those axes of a finished world."""
    parts = [finished(folder / SCORES / axis, "proof") for axis in axes]
    return [row for part in parts for row in part.parsed(ROWS, list[Row])]


def read_held_out(folder: Path) -> dict[str, object]:
    """The scores of a finished world on the recorded path."""
    return finished(folder / SCORES / HELD_OUT, "proof").parsed(ROWS, dict[str, object])


def read_costs(folder: Path, of: str = COSTS) -> dict[str, float]:
    """Seconds that each stage of a world has taken so far, over all runs.

    Args:
        folder: Of the world.
        of: `COSTS` for time that passed, `PROCESSOR` for that of processors, workers' included.
    """
    path, fix = folder / of, "remove it: the time that was taken is then forgotten"
    if not path.exists():
        return {}
    return parsed(read_own(path, fix), path, dict[str, float], fix)


@contextmanager
def _clocked(folder: Path, stage: str) -> Iterator[None]:
    """Add what this takes to the costs, whether it is finished or not."""
    clocks = {COSTS: time.perf_counter, PROCESSOR: lambda: sum(os.times()[:4])}
    began = {name: clock() for name, clock in clocks.items()}
    try:
        yield
    finally:
        for name, clock in clocks.items():
            costs = read_costs(folder, name)
            costs[stage] = round(costs.get(stage, 0.0) + clock() - began[name], 2)
            write_json(folder / name, costs)
