"""How right a scene is off the recorded path, against exact truth.

Recorded drives have no truth beside their path; worlds (`scenes.worlds`) do. Views from known
poses, each some metres left of the path, are rendered with all labels and scored. Moving road
users, which the scene does not render yet, do not count.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int32, UInt16

from recon.evaluate import Comparison
from recon.evidence import scaled_camera, select_frames
from recon.metrics import abs_rel, affine_fit, flip, psnr_db
from recon.scene import Scene
from render.labels.objects import tight_box_px
from render.view import render_view
from scenes.actor import Actor
from scenes.clip import Clip
from scenes.ground import Ground, fit_ground
from scenes.images import resize_linear, srgb_from_linear
from scenes.look import Look
from scenes.worlds.sample import truth_views
from scenes.worlds.truth_files import TruthView

MIN_BOX_PX = 40
"""Road users with fewer visible pixels than this, in truth at the scene's size, are not scored."""
MOVING_MARGIN_PX = 3
"""Pixels this near to a moving road user do not count."""
DEPTH_EDGE = 1.2
"""Neighbouring pixels whose ranges differ by more than this factor show different surfaces."""


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
    for view in truth_views(truth_folder(scene.clip)):
        score, comparison = _scored(scene, view, ground)
        scores.append(score)
        comparisons.append(comparison)
    return scores, comparisons


def _scored(scene: Scene, view: TruthView, ground: Ground) -> tuple[ViewScore, Comparison]:
    camera = scaled_camera(scene.clip.cameras[0].camera, scene.config.scale)
    frame = render_view(
        scene,
        camera,
        view.world_from_camera,
        time_us=view.time_us,
        look=Look(exposure_ev=_exposure_ev(scene, view.time_us)),
        ground=ground,
    )
    truth = srgb_from_linear(resize_linear(view.rgb, camera.width, camera.height))
    range_m, instance = _at_centres(view, camera.width, camera.height)
    moving = [actor.id for actor in scene.clip.actors if actor.is_moving]
    comparison = Comparison(
        photo=truth.clip(0, 1).astype(np.float32),
        render=frame.rgb.astype(np.float32) / 255.0,
        counts=~_grown(np.isin(instance, moving), MOVING_MARGIN_PX),
    )
    triple = comparison.render, comparison.photo, comparison.counts
    solid = comparison.counts & np.isfinite(range_m)
    overlaps = _overlaps(scene.clip.actors, instance, frame.instance, comparison.counts)
    score = ViewScore(
        shift_m=view.shift_m,
        time_us=view.time_us,
        psnr_db=psnr_db(*triple),
        psnr_affine_db=psnr_db(affine_fit(*triple), comparison.photo, comparison.counts),
        flip=flip(*triple),
        depth_abs_rel=abs_rel(frame.range_m[solid].astype(np.float64), range_m[solid]),
        box_iou=float(np.mean(overlaps)) if overlaps else float("nan"),
        boxes=len(overlaps),
    )
    return score, comparison


def _exposure_ev(scene: Scene, time_us: int) -> float:
    """Stops from the scene's exposure at a time to truth's, which is 1 on the drive's own scale.

    The scene's mean log exposure is 0 by gauge, the drive's is that of its training frames.
    """
    frames = select_frames(scene.clip, scene.config, 0)[0]
    mean = float(np.log2(scene.clip.cameras[0].exposure[frames]).mean())
    now = scene.model.photometry.gain_at(0, time_us).mean().item()
    return -mean - float(np.log2(now))


def _at_centres(view: TruthView, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Truth's range and ids at the pixel centres of a smaller picture.

    Those may lie between truth's pixels (on their corners, at half the size). Inverse range is
    nearly linear across a surface, so it is interpolated; at depth edges, and for ids, the
    nearest pixel decides.
    """
    rows, columns = view.range_m.shape
    y, x = (np.arange(height) + 0.5) * rows / height, (np.arange(width) + 0.5) * columns / width
    nearest = np.ix_(y.astype(int), x.astype(int))
    with np.errstate(divide="ignore"):
        inverse = 1.0 / view.range_m.astype(np.float64)
        (top, bottom, down), (left, right, along) = _between(y, rows), _between(x, columns)
        corners = np.stack([inverse[np.ix_(i, j)] for i in (top, bottom) for j in (left, right)])
        shares = np.stack([np.outer(v, h) for v in (1 - down, down) for h in (1 - along, along)])
        edge = corners.max(axis=0) > DEPTH_EDGE * corners.min(axis=0)
        range_m = 1.0 / np.where(edge, inverse[nearest], np.sum(shares * corners, axis=0))
    return range_m, view.instance[nearest]


def _between(place_px: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels whose centres lie before and after each place, and how far from the one it is."""
    from_first = np.clip(place_px - 0.5, 0.0, size - 1.0)
    before = np.floor(from_first).astype(int)
    return before, np.minimum(before + 1, size - 1), from_first - before


def _grown(mask: Bool[np.ndarray, "h w"], by: int) -> Bool[np.ndarray, "h w"]:
    """Every pixel within `by` rows and columns of one that is set."""
    padded = np.pad(mask, by)  # the far side of the picture is not near
    side = 2 * by + 1
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side))
    return np.logical_or.reduce(windows, axis=(2, 3))


def _overlaps(
    actors: Sequence[Actor],
    instance: Int32[np.ndarray, "h w"],
    shown: UInt16[np.ndarray, "h w"],
    counts: Bool[np.ndarray, "h w"],
) -> list[float]:
    """Of each road user that stands still and is seen in truth: overlap of its 2D boxes.

    Boxes are those of the pixels that count: what moves hides part of others in truth only.
    """
    overlaps = []
    for number, actor in enumerate(actors, start=1):
        truth = (instance == actor.id) & counts
        if actor.is_moving or truth.sum() < MIN_BOX_PX:
            continue
        boxes = tight_box_px(truth), tight_box_px((shown == number) & counts)
        overlaps.append(0.0 if None in boxes else _overlap(*map(np.array, boxes)))
    return overlaps


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes, each left, top, right, bottom."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = float(np.prod(sides.clip(0.0)))
    return shared / float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared)


def by_shift(scores: list[ViewScore]) -> list[dict[str, float]]:
    """Means over the views at each distance from the path."""
    names = ("psnr_db", "psnr_affine_db", "flip", "depth_abs_rel", "box_iou")
    rows = []
    for shift in sorted({score.shift_m for score in scores}):
        here = [asdict(score) for score in scores if score.shift_m == shift]
        means = {name: float(np.nanmean([score[name] for score in here])) for name in names}
        rows.append({"shift_m": shift, **means, "views": len(here)})
    return rows
