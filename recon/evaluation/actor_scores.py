"""How well road users that move are shown: inside their boxes, in pictures that did not train."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32

from recon.data.masks import actor_mask
from recon.data.training_data import blind_pixels, camera_trajectory, pixel_angle, scaled_camera
from recon.evaluation.comparison import Comparison
from recon.evaluation.metrics import psnr_db
from recon.scene import Scene
from scenes.actor import Actor
from scenes.sensors.camera import Camera, camera_rays

LEAST_PX = 40
"""Boxes with fewer pixels say nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ActorScore:
    """One road user that moves in one held-out picture."""

    camera: str
    frame: int
    actor: int
    pixels: int
    psnr_db: float
    """Inside the extent of its box."""
    without_psnr_db: float
    """The same where the picture shows the static scene alone."""


def score_actors(scene: Scene, stream: int, frame: int, picture: Comparison) -> list[ActorScore]:
    """Scores of all who move and have a field, whose box has `LEAST_PX` pixels of the picture."""
    images, photo, shown = scene.clip.cameras[stream], picture.photo, picture.render
    known = True if picture.hidden is None else ~picture.hidden
    camera, time_us = scaled_camera(images.camera, scene.config.scale), int(images.time_us[frame])
    boxes = {
        actor.id: mask
        for actor in scene.clip.actors
        if actor.id in scene.actor_models
        and actor.is_moving
        and (mask := known & box_pixels(scene, camera, stream, actor, time_us)).sum() >= LEAST_PX
    }
    if not boxes:
        return []
    inside = np.logical_or.reduce(list(boxes.values()))
    alone = static_alone(scene, camera, stream, time_us, inside, shown)
    return [
        ActorScore(
            camera=images.name,
            frame=frame,
            actor=number,
            pixels=int(mask.sum()),
            psnr_db=psnr_db(shown, photo, mask),
            without_psnr_db=psnr_db(alone, photo, mask),
        )
        for number, mask in boxes.items()
    ]


def box_pixels(
    scene: Scene, camera: Camera, stream: int, actor: Actor, time_us: int
) -> Bool[np.ndarray, "h w"]:
    """Pixels inside the extent of an actor's box that the lens shows something in."""
    middle_us = time_us + camera.readout_us // 2
    pose = scene.clip.world_from_camera(stream, middle_us)
    return actor_mask(camera, pose, (actor,), middle_us, 0.0) & ~blind_pixels(camera)


def static_alone(
    scene: Scene,
    camera: Camera,
    stream: int,
    time_us: int,
    inside: Bool[np.ndarray, "h w"],
    shown: Float32[np.ndarray, "h w 3"],
) -> Float32[np.ndarray, "h w 3"]:
    """A picture in which some pixels show the static scene alone."""
    centres = camera.pixel_centres()[inside]
    track = camera_trajectory(scene.clip, stream)
    starts, along = camera_rays(camera, centres, track, time_us)
    origins, directions = scene.corrected(
        torch.from_numpy(starts).float(), torch.from_numpy(along).float(), stream, time_us
    )
    angle = torch.from_numpy(pixel_angle(camera)[inside.ravel()]).float()
    out = scene.render_rays(origins, directions, angle)
    alone = shown.copy()
    alone[inside] = scene.display(out.linear, stream, time_us).numpy()
    return alone


def actors_summary(scores: list[ActorScore]) -> dict[str, object] | None:
    """Means and medians over boxes, of all and of each actor; None where there are none."""
    if not scores:
        return None
    return {
        **_means(scores),
        "per_actor": {
            str(number): _means([score for score in scores if score.actor == number])
            for number in sorted({score.actor for score in scores})
        },
    }


def road_users(scene: Scene) -> list[dict[str, object]]:
    """How well the field of each road user of a drive shows it, and what becomes of its labels.

    One record for each, by id: `gain_db` is how much better its pixels are explained with all
    fields than by the static scene alone, in so many `boxes` of the pictures that `measured_on`
    says (`recon.evaluation.gains`); `labels` says what rendered pictures tell of it where it looks
    as it was recorded, and `why`.
    """
    return [_road_user(scene, actor) for actor in sorted(scene.clip.actors, key=lambda a: a.id)]


def _road_user(scene: Scene, actor: Actor) -> dict[str, object]:
    gain = scene.actor_gains.get(actor.id)
    doubt = None if gain is None else gain.doubt
    if actor.id in scene.actor_models:
        why = doubt or "its field shows it"
    elif actor.is_moving:
        why = doubt = "it moves, and has no field of its own"
    else:
        why = "it stands: part of the static scene"
    pictures = "held-out pictures" if gain is not None and gain.held_out else "training pictures"
    return {
        "actor": actor.id,
        "class": actor.kind.name,
        "moves": actor.is_moving,
        "gain_db": None if gain is None else gain.gain_db,
        "boxes": 0 if gain is None else gain.boxes,
        "measured_on": None if gain is None else pictures,
        "labels": "labelled" if doubt is None else "ignore region",
        "why": why,
    }


def _means(scores: list[ActorScore]) -> dict[str, object]:
    own = [score.psnr_db for score in scores]
    without = [score.without_psnr_db for score in scores]
    return {
        "psnr_db": float(np.mean(own)),
        "psnr_db_median": float(np.median(own)),
        "without_psnr_db": float(np.mean(without)),
        "without_psnr_db_median": float(np.median(without)),
        "boxes": len(scores),
    }
