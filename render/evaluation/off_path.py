"""How right a scene is off the recorded path, against exact truth.

Recorded drives have no truth beside their path; worlds (`scenes.worlds`) do. Views from known
poses, each some metres left of the path, are rendered with all labels and scored. Moving road
users, whose fields are scored apart, do not count.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from recon.data.training_data import scaled_camera
from recon.evaluation.comparison import Comparison
from recon.evaluation.evaluate import DECIBELS
from recon.evaluation.metrics import abs_rel, affine_fit, flip, psnr_db
from recon.rendering.renderer import FieldRenderer
from recon.scene import Scene
from render.labels.cuboids import instance_numbers
from render.prove.objects import overlaps
from render.prove.scoring import exposure_ev, render_target
from render.prove.target import target_of
from scenes.clip import Clip
from scenes.road.ground import Ground, fit_ground
from scenes.work.phases import counted
from scenes.worlds.record.sample import truth_views
from scenes.worlds.truth.truth_files import TruthView


@dataclass(frozen=True, kw_only=True, slots=True)
class ViewScore:
    """Scores of one view off the path."""

    shift_m: float
    """How far left of the recorded path [m]."""
    time_us: int
    psnr_db: float
    psnr_affine_db: float
    flip: float
    depth_abs_rel: float
    """Mean relative error of the range to the surface, over truth's surfaces."""
    box_iou: float
    """Mean overlap of tight 2D boxes; a road user without one counts 0."""
    boxes: int


def has_truth(clip: Clip) -> bool:
    """Whether the clip's pictures lie in a folder that holds truth."""
    return any(truth_folder(clip).glob("truth/view_*.json"))


def truth_folder(clip: Clip) -> Path:
    """Folder of the recorded world that the clip's pictures belong to."""
    return clip.cameras[0].files[0].parent.parent


def score_off_path(scene: Scene) -> tuple[list[ViewScore], list[Comparison]]:
    """Render and score every view that has truth, at the size the scene was trained at."""
    ground, scores, comparisons = fit_ground(scene.clip), [], []
    views = list(truth_views(truth_folder(scene.clip)))
    for view in counted(views, "scoring views off the path", len(views), "views"):
        score, comparison = _scored(scene, view, ground)
        scores.append(score)
        comparisons.append(comparison)
    return scores, comparisons


def _scored(scene: Scene, view: TruthView, ground: Ground) -> tuple[ViewScore, Comparison]:
    camera = scaled_camera(scene.clip.cameras[0].camera, scene.config.scale)
    target = target_of(view, camera)
    frame, comparison = render_target(
        FieldRenderer(scene=scene), target, ground, exposure_ev(scene, view.time_us)
    )
    triple = comparison.render, comparison.photo, comparison.counts
    solid = comparison.counts & np.isfinite(target.range_m)
    actors = scene.clip.actors
    numbers = instance_numbers(actors, actors)
    found = overlaps(actors, numbers, target.instance, frame.instance, comparison.counts)
    score = ViewScore(
        shift_m=view.shift_m,
        time_us=view.time_us,
        psnr_db=psnr_db(*triple),
        psnr_affine_db=psnr_db(affine_fit(*triple), comparison.photo, comparison.counts),
        flip=flip(*triple),
        depth_abs_rel=abs_rel(frame.range_m[solid].astype(np.float64), target.range_m[solid]),
        box_iou=float(np.mean([x.box_iou for x in found])) if found else float("nan"),
        boxes=len(found),
    )
    return score, comparison


def by_shift(scores: list[ViewScore]) -> list[dict[str, float]]:
    """Means over the views at each distance from the path, and medians of decibels."""
    names = ("psnr_db", "psnr_affine_db", "flip", "depth_abs_rel", "box_iou")
    rows = []
    for shift in sorted({score.shift_m for score in scores}):
        here = [asdict(score) for score in scores if score.shift_m == shift]
        means = {name: float(np.nanmean([score[name] for score in here])) for name in names}
        medians = {
            f"{name}_median": float(np.nanmedian([score[name] for score in here]))
            for name in DECIBELS
        }
        rows.append({"shift_m": shift, **means, **medians, "views": len(here)})
    return rows
