"""How well a scene shows the pictures that it was not trained on.

Held-out pictures are rendered at training resolution, from their recorded poses, with exposures
interpolated from their neighbours. Moving actors without a field are masked; those with one are
scored inside their boxes too (`recon.evaluation.actor_scores`). Pictures outside the time span of
the training pictures are extrapolation and listed apart: no camera was ever behind them.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64

from recon.data.holdout import select_frames, when_trained
from recon.data.opened import open_picture
from recon.data.training_data import (
    camera_trajectory,
    load_depth,
    masked_pixels,
    pixel_angle,
    scaled_camera,
)
from recon.evaluation.actor_scores import ActorScore, actors_summary, road_users, score_actors
from recon.evaluation.comparison import Comparison
from recon.evaluation.metrics import abs_rel, affine_fit, flip, psnr_db, ssim
from recon.rendering.shot import exposure_times
from recon.scene import Scene
from scenes.errors import OtherlaneError
from scenes.sensors.camera import camera_rays
from scenes.sensors.images import srgb_from_linear
from scenes.storage.files import write_whole
from scenes.work.phases import counted


@dataclass(frozen=True, kw_only=True, slots=True)
class FrameScore:
    """Scores of one held-out picture."""

    camera: str
    frame: int
    extrapolated: bool
    beside_m: float | None
    """Of a camera that did not train: how far from the path of one that did [m]."""
    psnr_db: float
    psnr_affine_db: float
    ssim: float
    flip: float
    depth_abs_rel: float
    """Against the drive's own depth evidence of this picture; NaN where it has none."""
    actors: tuple[ActorScore, ...] = ()
    """Road users that move, inside their boxes."""


def evaluate_scene(scene: Scene) -> tuple[list[FrameScore], list[Comparison]]:
    """Score every held-out picture of every camera.

    Raises:
        OtherlaneError: The scene was trained on all its pictures, or they cannot be read.
    """
    scores, pictures = [], []
    span, unseen = when_trained(scene.clip, scene.config), held_moments(scene)
    for stream, images in enumerate(scene.clip.cameras):
        trained, held = select_frames(scene.clip, scene.config, stream)
        name = f"scoring held-out pictures of {images.name}"
        for frame in counted(held, name, len(held)):
            picture = compare(scene, stream, int(frame))
            pictures.append(picture)
            outside = not span[0] < images.time_us[frame] < span[-1]
            beside_m = None if len(trained) else _beside_m(scene, stream, int(frame))
            score = _score(scene, stream, int(frame), picture, outside, beside_m)
            if stream == 0 and frame in unseen:
                score = replace(score, depth_abs_rel=_depth_error(scene, int(frame)))
            scores.append(score)
    if not scores:
        fix = "reconstruct with --holdout 8"
        if sum(map(len, scene.clip.cameras)) < 2:
            fix = "a drive of two pictures or more: one trains, and is not measured with"
        raise OtherlaneError(scene.clip.name, "no picture was kept out of training", fix)
    return scores, pictures


def held_moments(scene: Scene) -> Int64[np.ndarray, "held"]:
    """Pictures of the first camera that no camera trained at, nor depth evidence."""
    everybody = replace(scene.config, train_cameras=())
    return select_frames(scene.clip, everybody, 0)[1]


def compare(scene: Scene, stream: int, frame: int) -> Comparison:
    """One recorded picture beside the scene's."""
    images = scene.clip.cameras[stream]
    camera = scaled_camera(images.camera, scene.config.scale)
    time = int(images.time_us[frame])
    centres = camera.pixel_centres().reshape(-1, 2)
    track = camera_trajectory(scene.clip, stream)
    starts, along = camera_rays(camera, centres, track, time)
    origins, directions = scene.corrected(
        torch.from_numpy(starts).float(), torch.from_numpy(along).float(), stream, time
    )
    placed = scene.placed(scene.clip.actors, exposure_times(camera, centres, time))
    angle = torch.from_numpy(pixel_angle(camera)).float()
    out = scene.render_rays(origins, directions, angle, placed)
    shown = scene.display(out.linear, stream, time).reshape(camera.height, camera.width, 3)
    picture = open_picture(images, frame, camera)
    masked = masked_pixels(scene.clip, stream, frame, scene.config.scale, tuple(scene.actor_models))
    return Comparison(
        photo=srgb_from_linear(picture.linear).clip(0, 1).astype(np.float32),
        render=shown.numpy(),
        counts=~(masked | picture.hidden),
        hidden=picture.hidden,
    )


def _beside_m(scene: Scene, stream: int, frame: int) -> float:
    """How far a picture was taken from the nearest path of a camera that trained [m]."""
    clip = scene.clip
    eye = clip.world_from_camera(stream, int(clip.cameras[stream].time_us[frame]))[:3, 3]
    paths = (
        camera_trajectory(clip, other)
        for other in range(len(clip.cameras))
        if len(select_frames(clip, scene.config, other)[0])
    )
    return min(path.distance_m(eye) for path in paths)


def _score(
    scene: Scene,
    stream: int,
    frame: int,
    picture: Comparison,
    outside: bool,
    beside_m: float | None,
) -> FrameScore:
    photo = picture.photo
    if picture.hidden is not None:  # windows that reach in there find no difference
        photo = np.where(picture.hidden[..., None], picture.render, photo)
    triple = picture.render, photo, picture.counts
    known = bool(picture.counts.any())  # else there is nothing to be near to
    return FrameScore(
        camera=scene.clip.cameras[stream].name,
        frame=frame,
        extrapolated=outside,
        beside_m=beside_m,
        psnr_db=psnr_db(*triple) if known else float("nan"),
        psnr_affine_db=psnr_db(affine_fit(*triple), *triple[1:]) if known else float("nan"),
        ssim=ssim(*triple) if known else float("nan"),
        flip=flip(*triple) if known else float("nan"),
        depth_abs_rel=float("nan"),
        actors=tuple(score_actors(scene, stream, frame, picture)),
    )


def _depth_error(scene: Scene, frame: int) -> float:
    """Against the depth evidence of this one picture (see `load_depth`), which did not train.

    Who moves is left out of both. Sparse points were triangulated from training pictures too: this
    is not independent of them.
    """
    only = np.zeros(len(scene.clip.cameras[0]), dtype=bool)
    only[frame] = True
    evidence = load_depth(scene.clip, only)
    if len(evidence) == 0:
        return float("nan")
    placed = None
    if scene.standing and evidence.time_us is not None:
        placed = scene.placed(scene.standing, evidence.time_us)
    out = scene.render_rays(
        evidence.origins_m, evidence.directions, torch.zeros_like(evidence.range_m), placed
    )
    return abs_rel(out.range_m.numpy(), evidence.range_m.numpy())


DECIBELS = ("psnr_db", "psnr_affine_db")
"""A single picture that is easy to show, such as a black one, lifts their means: beside each of
them stands the median, as in `psnr_db_median`."""
NUMBERS = ("psnr_db", "psnr_affine_db", "ssim", "flip", "depth_abs_rel")


def summary(scores: list[FrameScore]) -> dict[str, float]:
    """Mean of each number over pictures, and the median of decibels; NaN where none has it."""
    result = {}
    for name in NUMBERS:
        values = np.array([getattr(score, name) for score in scores])
        known = values[np.isfinite(values)]
        result[name] = float(known.mean()) if len(known) else float("nan")
        if name in DECIBELS:
            result[f"{name}_median"] = float(np.median(known)) if len(known) else float("nan")
    return result


def result(scene: Scene, scores: list[FrameScore]) -> dict[str, object]:
    """What `otherlane evaluate --json` prints; NaN becomes null.

    The numbers at the top are means over the interpolated pictures, where there are any;
    extrapolated ones stand apart, and so do cameras that did not train (`beside`); `all` holds
    the mean over everything. `road_users` lists whose field shows them, and who is in doubt.
    """
    inside = [s for s in scores if not s.extrapolated and s.beside_m is None]
    outside = [s for s in scores if s.extrapolated and s.beside_m is None]
    camera = scaled_camera(scene.clip.cameras[0].camera, scene.config.scale)
    values: dict[str, object] = {
        **summary(inside or scores),
        "frames": len(inside or scores),
        "resolution": [camera.width, camera.height],
        "steps": scene.config.steps,
        "backend": str(scene.backend),
        "recipe": scene.config.recipe,
        "seed": scene.config.seed,
        "extrapolation": {**summary(outside), "frames": len(outside)} if outside else None,
        "all": {**summary(scores), "frames": len(scores)},
        "beside": _beside(scores),
        "actors": actors_summary([row for s in inside or scores for row in s.actors]),
        "road_users": road_users(scene),
        "per_frame": [asdict(score) for score in scores],
    }
    cleaned = without_nan(values)
    assert isinstance(cleaned, dict)
    return cleaned


def _beside(scores: list[FrameScore]) -> dict[str, dict[str, object]] | None:
    """Means over each camera that did not train."""
    rows: dict[str, dict[str, object]] = {}
    inside = [s for s in scores if not s.extrapolated and s.beside_m is None]
    for name in dict.fromkeys(s.camera for s in scores if s.beside_m is not None):
        mine = [s for s in scores if s.camera == name and not s.extrapolated]
        apart = [s.beside_m for s in mine if s.beside_m is not None]
        distance = float(np.mean(apart)) if apart else float("nan")
        rows[name] = {**summary(mine), "beside_m": distance, "frames": len(mine)}
        if inside:  # how much worse than held-out pictures of the path
            below_db = summary(inside)["psnr_db"] - summary(mine)["psnr_db"]
            rows[name] = {**rows[name], "below_path_db": below_db}
    return rows or None


def without_nan(value: object) -> object:
    """The value with null for every number that is not finite (JSON has no NaN)."""
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_nan(item) for item in value]
    return value


def write_pictures(folder: Path, names: list[str], pictures: list[Comparison]) -> None:
    """One PNG for each name: photo, render, and absolute error (times 4), stacked."""
    import imageio.v3 as iio

    for name, picture in zip(names, pictures, strict=True):
        error = np.abs(picture.render - picture.photo) * 4.0
        error[~picture.counts] = 0.5
        stack = np.concatenate([picture.photo, picture.render, error]).clip(0, 1)
        # In memory: Pillow closes what it could not write, and says that nobody asked for it.
        png = iio.imwrite("<bytes>", np.round(stack * 255).astype(np.uint8), extension=".png")
        assert isinstance(png, bytes)
        write_whole(folder / f"{name}.png", png)
