"""Scores of one view of a scene against exact truth, on every region of `render.prove.regions`."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool

from recon.data.holdout import select_frames
from recon.evaluation.comparison import Comparison
from recon.evaluation.metrics import abs_rel, affine_fit, flip, psnr_db, ssim
from recon.rendering.shot import Renderer, Shot
from recon.scene import Scene
from render.prove.marks import RoadGrid, f1, found_paint, road_grid
from render.prove.metrics import abs_rel_median, gradient_ssim, large_surfaces, normal_error_deg
from render.prove.objects import Overlap, overlaps
from render.prove.regions import STANDING, Cast, Region, region_masks
from render.prove.target import Target
from render.views.frame import Frame, render_frame
from scenes.road.ground import Ground
from scenes.sensors.camera_look import CameraLook


@dataclass(frozen=True, kw_only=True, slots=True)
class RegionScore:
    """Scores of one view on one region; NaN where there is nothing to score."""

    region: Region
    share: float
    """Of the pixels of the picture."""
    psnr_db: float
    psnr_affine_db: float
    """After a colour fit to the whole picture (`recon.evaluation.metrics.affine_fit`)."""
    ssim: float
    flip: float
    gradient_ssim: float
    depth_abs_rel: float
    """Mean relative error of the range to the surface, each at most 1."""
    depth_abs_rel_median: float
    normal_deg: float
    """Median error of normals on surfaces of more than 0.25 m2."""
    mask_iou: float
    """Mean over the region's road users of at least 40 px; those are seen that mostly are."""
    box_iou: float
    objects: int
    """How many they are."""
    marks_f1: float
    """Of the lane marks found in the render; those of the standing scene."""
    marks_f1_true: float
    """Of the lane marks that the same detector finds in the true picture."""


def exposure_ev(scene: Scene, time_us: int) -> float:
    """Stops from the scene's exposure at a time to truth's, which is 1 on the drive's own scale.

    The scene's mean log exposure is 0 by gauge, the drive's is that of its training frames.
    """
    frames = select_frames(scene.clip, replace(scene.config, train_cameras=()), 0)[0]
    mean = float(np.log2(scene.clip.cameras[0].exposure[frames]).mean())
    now = scene.model.photometry.gain_at(0, time_us).mean().item()
    return -mean - float(np.log2(now))


def render_target(
    renderer: Renderer, target: Target, ground: Ground, stops: float, cast: Cast | None = None
) -> tuple[Frame, Comparison]:
    """The view as it is rendered, labels and all, and beside truth.

    Args:
        renderer: What is scored: a reconstruction, or another method.
        target: Truth.
        ground: Road height of the clip.
        stops: From the scene's exposure at that time to truth's [EV].
        cast: Road users; the clip's own when left out.
    """
    cast = cast or Cast(actors=renderer.clip.actors)
    shot = Shot(
        camera=target.camera,
        world_from_camera=target.world_from_camera,
        time_us=target.time_us,
        actors=tuple(cast.actors),
        assets=cast.assets,
        light=renderer.light,
        camera_look=CameraLook(exposure_ev=stops),
    )
    frame = render_frame(renderer, shot, ground=ground)
    comparison = Comparison(
        photo=target.photo,
        render=frame.rgb.astype(np.float32) / 255.0,
        counts=target.counts(cast.actors),
    )
    return frame, comparison


def score_view(
    frame: Frame, shown: Comparison, target: Target, cast: Cast, ground: Ground
) -> list[RegionScore]:
    """Scores on every region that is there.

    Args:
        frame: What `render_target` rendered.
        shown: The same beside truth.
        target: Truth.
        cast: Road users, as they were rendered.
        ground: Where the road is, for the lane marks.
    """
    fitted = affine_fit(shown.render, shown.photo, shown.counts)
    grid = road_grid(target, ground, shown.counts)
    marks = found_paint(shown.render, grid), found_paint(shown.photo, grid)
    scores = []
    for region, mask in region_masks(target, cast, shown.counts).items():
        mine = _overlaps(frame, shown, target, cast, region)
        scores.append(
            RegionScore(
                region=region,
                share=float(mask.mean()),
                psnr_affine_db=psnr_db(fitted, shown.photo, mask),
                **_pictures(shown, mask),
                **_geometry(frame, target, mask),
                **_overlap_means(mine),
                objects=len(mine),
                **_marks(grid, marks, region),
            )
        )
    return scores


def _overlaps(
    frame: Frame, shown: Comparison, target: Target, cast: Cast, region: Region
) -> list[Overlap]:
    """Of the road users that a region is about.

    Those that stand still overlap where the standing scene counts; all others anywhere.
    """
    pair = target.instance, frame.instance
    if region in STANDING:
        found = overlaps(cast.actors, cast.numbers, *pair, shown.counts, target.seen)
        return [x for x in found if region == "all" or (x.seen_share >= 0.5) == (region == "seen")]
    ids = cast.moving if region == "movers" else cast.changed
    everywhere = np.ones(shown.counts.shape, dtype=bool)
    return overlaps(cast.actors, cast.numbers, *pair, everywhere, target.seen, ids)


def _pictures(shown: Comparison, mask: Bool[np.ndarray, "h w"]) -> dict[str, float]:
    triple = shown.render, shown.photo, mask
    numbers = (psnr_db, ssim, flip, gradient_ssim)
    return {number.__name__: number(*triple) for number in numbers}


def _geometry(frame: Frame, target: Target, mask: Bool[np.ndarray, "h w"]) -> dict[str, float]:
    solid = mask & np.isfinite(target.range_m)
    pair = frame.range_m[solid].astype(np.float64), target.range_m[solid]
    angle = np.zeros(0)
    if target.normal is not None:
        large = solid & large_surfaces(target.normal, target.range_m, target.camera)
        angle = normal_error_deg(frame.normal[large], target.normal[large])
    return {
        "depth_abs_rel": abs_rel(*pair),
        "depth_abs_rel_median": abs_rel_median(*pair),
        "normal_deg": float(np.median(angle)) if len(angle) else float("nan"),
    }


def _overlap_means(found: list[Overlap]) -> dict[str, float]:
    names = ("mask_iou", "box_iou")
    return {name: _mean([getattr(x, name) for x in found]) for name in names}


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def _marks(
    grid: RoadGrid,
    marks: tuple[Bool[np.ndarray, "r c"], Bool[np.ndarray, "r c"]],
    region: Region,
) -> dict[str, float]:
    parts = {"all": grid.valid, "seen": grid.valid & grid.seen, "unseen": grid.valid & ~grid.seen}
    if region not in parts:
        return {"marks_f1": float("nan"), "marks_f1_true": float("nan")}
    render, true = (f1(found, grid.paint, parts[region]) for found in marks)
    return {"marks_f1": render, "marks_f1_true": true}
