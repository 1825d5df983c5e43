"""How flat a reconstructed road is: rendered heights against points kept out of training.

    python -m benchmarks.road_height CLIP [--frame 40] [--shifts 0 3] [--steps N] [--json-file FILE]

Half of the drive's points on the road (by a seeded draw) are kept out of training. A plane is
fitted to those of them that lie ahead of one picture, and the first surface that the scene shows
from its camera, and from beside it, is compared with the plane. PSNR hardly sees this error; a
lane change is made or broken by it.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import tyro
from jaxtyping import Bool, Float64

from benchmarks.machine import Report, bar
from recon.evaluation.evaluate import evaluate_scene, result
from recon.kernels.backend import choose_backend
from recon.recipes import RECIPES
from recon.scene import Scene
from recon.training.loop import train
from scenes.clip import Clip
from scenes.motion.geometry import transform_points
from scenes.road.ground import fit_ground
from scenes.storage.clip_files import load_clip

AHEAD_M, HALF_WIDTH_M = (7.0, 25.0), 3.5
"""Of the piece of road that is judged, seen from the car."""
ON_ROAD_M = 0.1
"""Points within this of the road's surface are on it."""
SPACING_M = (0.5, 0.25)
"""Between the places that are looked at, along and across."""
BAR_M = 0.10


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Piece:
    """A piece of road ahead of a picture, and its plane z = c0 + c1 x + c2 y in the ego's frame."""

    world_from_ego: Float64[np.ndarray, "4 4"]
    plane: Float64[np.ndarray, "3"]
    points: int
    rms_m: float
    """Of the points about the plane."""


def on_road(clip: Clip) -> Bool[np.ndarray, "points"]:
    """Which of the drive's points lie on the road."""
    assert clip.points is not None
    x, y, z = clip.points.position_m.T
    return np.abs(z - fit_ground(clip).height_m(x, y)) < ON_ROAD_M


def without(clip: Clip, dropped: Bool[np.ndarray, "points"]) -> Clip:
    """The drive without some of its points, which nobody then ever saw."""
    points = clip.points
    assert points is not None
    number = np.cumsum(~dropped) - 1
    seen = ~dropped[points.point_index]
    return replace(
        clip,
        points=replace(
            points,
            position_m=points.position_m[~dropped],
            error_px=points.error_px[~dropped],
            point_index=number[points.point_index[seen]].astype(np.int32),
            frame_index=points.frame_index[seen],
        ),
    )


def piece_ahead(clip: Clip, kept_out: Bool[np.ndarray, "points"], frame: int) -> Piece:
    """The road ahead of a picture, as the points that were kept out say it lies."""
    assert clip.points is not None
    time_us = clip.cameras[0].time_us[frame : frame + 1]
    world_from_ego = clip.ego.at(time_us)[0]
    local = transform_points(np.linalg.inv(world_from_ego), clip.points.position_m[kept_out])
    inside = (local[:, 0] > AHEAD_M[0]) & (local[:, 0] < AHEAD_M[1])
    local = local[inside & (np.abs(local[:, 1]) < HALF_WIDTH_M)]
    matrix = np.column_stack([np.ones(len(local)), local[:, :2]])
    plane = np.linalg.lstsq(matrix, local[:, 2], rcond=None)[0]
    off = local[:, 2] - matrix @ plane
    return Piece(
        world_from_ego=world_from_ego,
        plane=plane,
        points=len(local),
        rms_m=float(np.sqrt(np.mean(off**2))),
    )


def rms_m(scene: Scene, piece: Piece, frame: int, shift_m: float) -> tuple[float, float]:
    """Height error of the first surface over the piece [m, rms], and the share that shows none."""
    along = np.arange(*AHEAD_M, SPACING_M[0])
    across = np.arange(-HALF_WIDTH_M, HALF_WIDTH_M, SPACING_M[1])
    place = np.stack(np.meshgrid(along, across), axis=-1).reshape(-1, 2)
    local = np.column_stack([place, piece.plane[0] + place @ piece.plane[1:]])
    to = transform_points(piece.world_from_ego, local)
    clip = scene.clip
    eye = clip.world_from_camera(0, int(clip.cameras[0].time_us[frame]))[:3, 3]
    eye = eye + shift_m * piece.world_from_ego[:3, 1]
    ray = to - eye
    ray /= np.linalg.norm(ray, axis=1, keepdims=True)
    camera = clip.cameras[0].camera
    out = scene.render_rays(
        torch.from_numpy(np.broadcast_to(eye, ray.shape).copy()).float(),
        torch.from_numpy(ray).float(),
        torch.full((len(ray),), 1.0 / (camera.fx * scene.config.scale)),
    )
    range_m = out.range_m.double().numpy()
    met = np.isfinite(range_m)
    hit = transform_points(np.linalg.inv(piece.world_from_ego), eye + range_m[met, None] * ray[met])
    off = hit[:, 2] - (piece.plane[0] + hit[:, :2] @ piece.plane[1:])
    return float(np.sqrt(np.mean(off**2))), float(1.0 - met.mean())


def main(
    clip: Path,
    /,
    frame: int = 40,
    shifts: tuple[float, ...] = (0.0, 3.0),
    recipe: str = "standard",
    scale: float = 0.25,
    steps: int | None = None,
    seeds: int = 1,
    json_file: Path | None = None,
) -> None:
    """Train without half of the road's points and measure the road.

    Args:
        clip: Folder of a clip with triangulated points.
        frame: Picture whose road ahead is judged.
        shifts: How far left of it the scene is looked at from [m].
        recipe: Of the reconstruction.
        scale: Of its pictures.
        steps: Of training, instead of the recipe's.
        seeds: How many trainings.
        json_file: Write the numbers there too.
    """
    drive = load_clip(clip)
    report, rows = Report(title=f"Road of {drive.name}, picture {frame}"), []
    road = on_road(drive)
    for seed in range(seeds):
        kept_out = road & (np.random.default_rng([seed, 5]).uniform(size=len(road)) < 0.5)
        piece = piece_ahead(drive, kept_out, frame)
        trained_on = without(drive, kept_out)
        config = RECIPES[recipe](trained_on)
        config = replace(config, scale=scale, seed=seed, backend=str(choose_backend(None)))
        config = config if steps is None else replace(config, steps=steps)
        model = train(trained_on, config)
        scene = Scene(clip=trained_on, config=config, model=model, backend=choose_backend(None))
        held = result(scene, evaluate_scene(scene)[0])
        found = [rms_m(scene, piece, frame, shift) for shift in shifts]
        rows.append(
            [seed, config.steps, piece.points, f"{piece.rms_m:.3f}"]
            + [f"{bar(rms, BAR_M, at_least=False)}, {open_:.1%} open" for rms, open_ in found]
            + [held["psnr_affine_db"], held["depth_abs_rel"]]
        )
        report.numbers[f"seed {seed}"] = {"rms_m": [rms for rms, _ in found], **held}
    head = ["seed", "steps", "points kept out", "their rms about the plane [m]"]
    head += [f"rms at {shift:g} m [m]" for shift in shifts] + ["PSNR held out [dB]", "depth error"]
    report.table("Height of the first surface against the plane", head, rows)
    report.finish(json_file)


if __name__ == "__main__":
    tyro.cli(main)
