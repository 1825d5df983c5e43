"""How good a view beside the path could be: recorded pictures, seen through exact depth.

    python -m benchmarks.exact_depth PROVE_OUT [--worlds street-101 ...]

PROVE_OUT is what `otherlane prove` wrote. Each pixel of a view of truth knows its surface exactly;
it takes the mean colour of those recorded pictures that show this surface from the nearest
directions, weighed as image-based rendering does (Buehler et al. 2001, unstructured lumigraph:
angle and resolution). What the view would be if geometry were perfect and surfaces looked alike
from everywhere stands beside what our scene shows, on the same pixels.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from jaxtyping import Bool, Float64

from benchmarks.machine import Report
from recon.data.training_data import Pixels, load_data, scaled_camera
from recon.evaluation.metrics import psnr_db
from recon.rendering.renderer import FieldRenderer
from recon.scene import Scene, load_scene
from render.prove.run import WORLDS
from render.prove.scoring import exposure_ev, render_target
from render.prove.stages import SCENE, TRUTH
from render.prove.target import Target, target_of
from scenes.clip import Clip
from scenes.motion.geometry import invert, rigid, transform_points
from scenes.road.ground import fit_ground
from scenes.sensors.camera import Camera, camera_rays
from scenes.sensors.images import linear_from_srgb, srgb_from_linear
from scenes.worlds.truth.truth import read_truth

BEST = 4
"""So many recorded pictures are averaged."""
COARSER = 0.1
"""Twice as coarse a picture counts as one from so much further aside [rad, times log 2]."""
HIDDEN = 1.08
"""A surface that is this much further than what a picture shows there is hidden in it."""
SKY_M = 1e5
"""How far away the sky is."""
STOPS = np.linspace(-0.6, 0.6, 49)
"""Exposures that are tried [EV]: recorded pictures differ, and truth has the mean's."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Recorded:
    """One recorded picture that trained."""

    linear: Float64[np.ndarray, "h w 3"]
    range_m: Float64[np.ndarray, "h w"]
    """Of what the scene shows there: only which surfaces hide which is taken from it."""
    camera: Camera
    camera_from_world: Float64[np.ndarray, "4 4"]
    time_us: int


def recorded(scene: Scene) -> list[Recorded]:
    """The pictures of the first camera that trained, at the size at which they did."""
    clip = scene.clip
    pixels = load_data(clip, scene.config).pixels[0]
    return [_picture(scene, clip, pixels, place) for place in range(len(pixels.frame_index))]


def _picture(scene: Scene, clip: Clip, pixels: Pixels, place: int) -> Recorded:
    camera = pixels.camera
    size, count = (camera.height, camera.width), camera.height * camera.width
    rays = pixels.rays(torch.arange(count) + place * count)
    seen = scene.render_rays(rays.origins_m, rays.directions, rays.pixel_angle)
    time_us = int(clip.cameras[0].time_us[pixels.frame_index[place]])
    first_row = (rows[place, 0] for rows in (pixels.row_rotation, pixels.row_origin_m))
    pose = rigid(*(part.double().numpy() for part in first_row))
    return Recorded(
        linear=linear_from_srgb(pixels.srgb[place].double().numpy() / 255.0).reshape(*size, 3),
        range_m=np.minimum(seen.range_m.double().numpy(), SKY_M).reshape(size),
        camera=camera, camera_from_world=invert(pose), time_us=time_us,
    )  # fmt: skip


def through_depth(
    target: Target, pictures: list[Recorded]
) -> tuple[Float64[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
    """Linear colours that recorded pictures give the surfaces of a view, and where any does.

    The picture of the view's own moment is left out: on the path it would be the view.
    """
    camera, size = target.camera, target.range_m.shape
    centres = camera.pixel_centres().reshape(-1, 2)
    origins, along = camera_rays(camera, centres, target.world_from_camera)
    range_m = np.minimum(target.range_m.ravel(), SKY_M)
    points = origins + along * range_m[:, None]
    others = [picture for picture in pictures if picture.time_us != target.time_us]
    looks = [_look_up(picture, points, along, range_m) for picture in others]
    cost, colour = (np.stack(values) for values in zip(*looks, strict=True))
    nearest = np.argsort(cost, axis=0)[:BEST]
    weight = 1.0 / (np.take_along_axis(cost, nearest, axis=0) + 0.01)  # 0 where hidden
    shown = (np.take_along_axis(colour, nearest[..., None], axis=0) * weight[..., None]).sum(axis=0)
    known = weight.sum(axis=0) > 0.0
    shown[known] /= weight.sum(axis=0)[known, None]
    return shown.reshape(*size, 3), known.reshape(size)


def _look_up(
    picture: Recorded,
    points_m: Float64[np.ndarray, "n 3"],
    along: Float64[np.ndarray, "n 3"],
    range_m: Float64[np.ndarray, "n"],
) -> tuple[Float64[np.ndarray, "n"], Float64[np.ndarray, "n 3"]]:
    """How far aside a picture saw each point (infinite where it did not), and its colour there."""
    height, width = picture.range_m.shape
    pose = picture.camera_from_world
    local = transform_points(pose, points_m)
    away_m = np.linalg.norm(local, axis=1)
    in_front = local[:, 2] > 0.3
    place = np.full((len(points_m), 2), -1.0)
    place[in_front] = picture.camera.project(local[in_front])
    inside = np.all((place >= 0.5) & (place <= np.array([width, height]) - 0.5), axis=1)
    at = np.clip(place - 0.5, 0.0, np.array([width, height]) - 1.000001)
    x, y = np.floor(at).astype(int).T
    (across, down), values = (at - np.floor(at)).T[..., None], picture.linear
    upper = values[y, x] * (1 - across) + values[y, np.minimum(x + 1, width - 1)] * across
    y_next = np.minimum(y + 1, height - 1)
    lower = values[y_next, x] * (1 - across) + values[y_next, np.minimum(x + 1, width - 1)] * across
    there_m = picture.range_m[np.round(at[:, 1]).astype(int), np.round(at[:, 0]).astype(int)]
    visible = inside & (away_m < HIDDEN * there_m + 0.1)
    seen_along = (local @ pose[:3, :3]) / away_m[:, None]
    aside = np.arccos(np.clip(np.sum(seen_along * along, axis=1), -1.0, 1.0))
    cost = aside + COARSER * np.maximum(0.0, np.log(away_m / range_m))
    return np.where(visible, cost, np.inf), upper * (1 - down) + lower * down


def best_exposed_db(
    linear: Float64[np.ndarray, "h w 3"], target: Target, mask: Bool[np.ndarray, "h w"]
) -> float:
    """PSNR of a picture at the exposure that suits it best [dB]."""
    return max(psnr_db(srgb_from_linear(linear * 2.0**ev), target.photo, mask) for ev in STOPS)


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """One view of a world."""

    world: str
    amount: float
    share: float
    """Of the picture that is compared."""
    field_db: float
    exact_db: float


def compared(folder: Path, amounts: tuple[float, ...]) -> list[View]:
    """What our scene shows of a world's views, and what exact depth would give."""
    scene, found = load_scene(folder / SCENE), list[View]()
    pictures, ground = recorded(scene), fit_ground(scene.clip)
    for view in read_truth(folder / TRUTH):
        if view.axis != "lateral" or view.amount not in amounts:
            continue
        full = view.camera or scene.clip.cameras[0].camera
        target = target_of(view, scaled_camera(full, scene.config.scale))
        shown = render_target(
            FieldRenderer(scene=scene), target, ground, exposure_ev(scene, target.time_us)
        )[1]
        linear, known = through_depth(target, pictures)
        mask = shown.counts & known & (True if target.seen is None else target.seen)
        found.append(
            View(
                world=folder.name,
                amount=target.amount,
                share=float(mask.mean()),
                field_db=psnr_db(shown.render, shown.photo, mask),
                exact_db=best_exposed_db(linear, target, mask),
            )
        )
    return found


def _line(name: str, views: list[View]) -> list[object]:
    numbers = [[view.share, view.field_db, view.exact_db] for view in views]
    share, ours, exact = np.mean(numbers, axis=0).tolist()
    return [name, views[0].amount, share, ours, exact, ours - exact]


def main(
    prove_out: Path,
    /,
    worlds: tuple[str, ...] = (),
    amounts: tuple[float, ...] = (-3.0, 0.0, 3.0),
    json_file: Path | None = None,
) -> None:
    """Compare scenes with recorded pictures through exact depth.

    Args:
        prove_out: What `otherlane prove` wrote.
        worlds: Names of worlds there; all when left out.
        amounts: Lateral shifts that are compared [m].
        json_file: Write the numbers there too.
    """
    folders = sorted((prove_out / WORLDS).iterdir())
    chosen = [folder for folder in folders if not worlds or folder.name in worlds]
    views = [view for folder in chosen for view in compared(folder, amounts)]
    by_amount = [[view for view in views if view.amount == amount] for amount in amounts]
    lines = [_line(view.world, [view]) for view in views]
    lines += [_line("mean", these) for these in by_amount if these]
    report = Report(title="Our field, and recorded pictures seen through exact depth")
    head = ["world", "lateral [m]", "share", "field [dB]", "exact depth [dB]", "above it [dB]"]
    report.table("PSNR on pixels that some recorded picture shows", head, lines)
    report.numbers["views"] = [asdict(view) for view in views]
    report.finish(json_file)


if __name__ == "__main__":
    tyro.cli(main)
