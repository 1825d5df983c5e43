"""Measuring, on recorded pictures, how much better fields explain road users (see `gains`).

Pixels are those whose rays meet the labelled box of somebody, but for those in which another's
field is what one sees. The scene is shown with all fields, and alone. Pictures that did not train
tell the truth, and are taken where enough of them show somebody; else pictures that trained.
"""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64, Int64
from torch import Tensor

from recon.actors.actor_fields import GROWN, core_in_cube
from recon.actors.placement import PlacedActors
from recon.data.holdout import select_frames, when_trained
from recon.data.masks import KNOWN_SLACK_US
from recon.data.opened import open_picture
from recon.data.training_data import camera_trajectory, masked_pixels, pixel_angle, scaled_camera
from recon.evaluation.actor_scores import box_pixels
from recon.evaluation.gains import ActorGain
from recon.field.space import cross_box
from recon.rendering.march import MarchOutput
from recon.rendering.rays import Rays
from recon.rendering.shot import exposure_times
from recon.scene import Scene
from scenes.actor import Actor
from scenes.sensors.camera import Camera, camera_rays
from scenes.sensors.images import srgb_from_linear

ENOUGH_BOXES = 3
"""In so many pictures that did not train, these alone tell."""
LOOKED_AT, MOST_BOXES = 32, 8
"""Pictures of each camera that may show somebody, and those that are taken, of all cameras."""
MOST_PX = 400
"""Pixels of one box that are looked at, evenly among all."""

NEARER_M = 1.0
"""What ends so much before a box is in front of it."""

Picture = tuple[int, int]
"""Stream and frame."""


def measure_gains(scene: Scene) -> dict[int, ActorGain]:
    """The gain of each road user that has a field in a scene, by id.

    Nothing is random: equal scenes have equal gains.

    Raises:
        OtherlaneError: A picture of the drive cannot be read.
    """
    chosen = {
        actor.id: (actor, *_pictures(scene, actor))
        for actor in scene.clip.actors
        if actor.id in scene.actor_models
    }
    asked: dict[Picture, list[Actor]] = {}
    for actor, _, pictures in chosen.values():
        for picture in pictures:
            asked.setdefault(picture, []).append(actor)
    sums = {number: np.zeros(6) for number in chosen}
    for picture in sorted(asked):
        for number, found in _measured(scene, picture, asked[picture]):
            sums[number] += found
    return {
        number: _gain(number, held_out, sums[number])
        for number, (_, held_out, _) in sorted(chosen.items())
    }


def _gain(number: int, held_out: bool, sums: Float64[np.ndarray, "6"]) -> ActorGain:
    boxes, pixels, *errors, own, through = sums
    known = [
        float(-10.0 * np.log10(max(error / pixels, 1e-10))) if pixels else None for error in errors
    ]
    return ActorGain(
        id=number,
        held_out=held_out,
        boxes=int(boxes),
        pixels=round(pixels),
        psnr_db=known[0],
        without_psnr_db=known[1],
        seen_through=float(through / (own + through)) if own + through else None,
    )


def _pictures(scene: Scene, actor: Actor) -> tuple[bool, list[Picture]]:
    """Whether pictures that did not train tell of somebody, and which pictures do."""
    held, trained = ([*_showing(scene, actor, trains)] for trains in (False, True))
    held_out = len(held) >= ENOUGH_BOXES or not trained
    found = held if held_out else trained
    return held_out, [found[k] for k in _evenly(len(found), MOST_BOXES)]


def _showing(scene: Scene, actor: Actor, trains: bool) -> Iterator[Picture]:
    """Pictures that show the box of somebody."""
    span = when_trained(scene.clip, scene.config)
    known = actor.trajectory.time_us
    for stream, images in enumerate(scene.clip.cameras):
        trained, held = select_frames(scene.clip, scene.config, stream)
        frames = trained if trains else held
        times = images.time_us[frames]
        there = (times >= known[0] - KNOWN_SLACK_US) & (times <= known[-1] + KNOWN_SLACK_US)
        if not trains:  # beyond them nobody was ever behind the camera
            there &= (times > span[0]) & (times < span[-1])
        frames = frames[there]
        camera = scaled_camera(images.camera, scene.config.scale)
        for frame in frames[_evenly(len(frames), LOOKED_AT)]:
            time_us = int(images.time_us[frame])
            if box_pixels(scene, camera, stream, actor, time_us).any():
                yield stream, int(frame)


def _evenly(count: int, most: int) -> Int64[np.ndarray, "n"]:
    """At most so many numbers below `count`, evenly, the first and the last among them."""
    return np.round(np.linspace(0, count - 1, min(count, most))).astype(np.int64)


def _measured(
    scene: Scene, picture: Picture, actors: list[Actor]
) -> Iterator[tuple[int, Float64[np.ndarray, "6"]]]:
    """What there is to add up of each.

    Boxes (1 or 0), pixels, squared errors with fields and alone, and how many pixels of its core
    show itself, and how many what is behind it.
    """
    stream, frame = picture
    images = scene.clip.cameras[stream]
    camera, time_us = scaled_camera(images.camera, scene.config.scale), int(images.time_us[frame])
    opened = open_picture(images, frame, camera)
    inside = {
        actor.id: _box_pixels(scene, camera, picture, actor, opened.hidden) for actor in actors
    }
    stride = {number: 1 + len(pixels) // MOST_PX for number, pixels in inside.items()}
    inside = {number: pixels[:: stride[number]] for number, pixels in inside.items()}
    pixels = np.unique(np.concatenate([*inside.values()]))
    if not len(pixels):
        return
    centres = camera.pixel_centres().reshape(-1, 2)[pixels]
    starts, along = camera_rays(camera, centres, camera_trajectory(scene.clip, stream), time_us)
    origins, directions = scene.corrected(
        torch.from_numpy(starts).float(), torch.from_numpy(along).float(), stream, time_us
    )
    angle = torch.from_numpy(pixel_angle(camera)[pixels]).float()
    placed = scene.placed(scene.clip.actors, exposure_times(camera, centres, time_us))
    if placed is None:
        return
    rays = Rays(origins_m=origins, directions=directions, pixel_angle=angle, moment=placed.moment)
    photo = torch.from_numpy(srgb_from_linear(opened.linear).clip(0, 1).reshape(-1, 3)[pixels])
    shown = [scene.render_rays(origins, directions, angle, with_) for with_ in (placed, None)]
    errors = [
        (scene.display(out.linear, stream, time_us).double() - photo).square().mean(1).numpy()
        for out in shown
    ]
    for actor in actors:
        asked = np.isin(pixels, inside[actor.id])
        found = _judged(placed, rays, actor, asked, shown[0], errors)
        found[1:] *= stride[actor.id]
        yield actor.id, found


def _box_pixels(
    scene: Scene,
    camera: Camera,
    picture: Picture,
    actor: Actor,
    hidden: Bool[np.ndarray, "h w"],
) -> Int64[np.ndarray, "n"]:
    """Numbers of the pixels in the extent of somebody's box that count."""
    stream, frame = picture
    time_us = int(scene.clip.cameras[stream].time_us[frame])
    masked = masked_pixels(scene.clip, stream, frame, scene.config.scale, tuple(scene.actor_models))
    return np.flatnonzero(box_pixels(scene, camera, stream, actor, time_us) & ~masked & ~hidden)


def _judged(
    placed: PlacedActors,
    rays: Rays,
    actor: Actor,
    asked: Bool[np.ndarray, "rays"],
    shown: MarchOutput,
    errors: list[Float64[np.ndarray, "rays"]],
) -> Float64[np.ndarray, "6"]:
    """The numbers of one road user in one picture (see `_measured`)."""
    winner, half = shown.instance.numpy(), 0.5 / torch.tensor(GROWN)
    entry_m, met = _meets(placed, rays, actor.id, torch.stack([0.5 - half, 0.5 + half]))
    own = winner == _place(placed, actor.id)
    chosen = asked & met & ((winner == 0) | own)
    core = core_in_cube(actor.kind)
    middle = np.zeros_like(chosen)
    if core is not None:
        middle = chosen & _meets(placed, rays, actor.id, core)[1]
    through = middle & ~own & (shown.range_m.numpy() > entry_m - NEARER_M)
    summed = [float(error[chosen].sum()) for error in errors]
    counted = [float(each.sum()) for each in (chosen, middle & own, through)]
    return np.array([float(chosen.any()), counted[0], *summed, *counted[1:]])


def _place(placed: PlacedActors, number: int) -> int:
    """Which instance of a march somebody is; -1 if none."""
    return placed.ids.index(number) + 1 if number in placed.ids else -1


def _meets(
    placed: PlacedActors, rays: Rays, number: int, corners: Float[Tensor, "2 3"]
) -> tuple[Float32[np.ndarray, "rays"], Bool[np.ndarray, "rays"]]:
    """Where rays enter a box in the unit cube of somebody [m], and which do."""
    if number not in placed.ids:
        return np.full(len(rays), np.inf, dtype=np.float32), np.zeros(len(rays), dtype=bool)
    instance = placed.instances[placed.ids.index(number)]
    affine = instance.unit_from_world.cpu()[placed.moment]

    def turned(vectors: Tensor) -> Tensor:
        return torch.einsum("nij,nj->ni", affine[..., :3], vectors)

    entry, leave = cross_box(
        turned(rays.origins_m) + affine[..., 3], turned(rays.directions), corners[0], corners[1]
    )
    return entry.numpy(), ((leave > entry) & (leave > 0.0)).numpy()
