"""The colours of the ground around a vehicle, from training pictures, and what lies between them.

Colours are looked up where the ground around a box is in view and no box of any road user is in
front of it; the median over pictures counts. They are linear, at the mean exposure of the drive.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float64

from recon.actors.actor_fields import GROWN
from recon.data.pictures import Pixels
from recon.data.road_prior import passes
from scenes.actor import Actor
from scenes.clip import Clip
from scenes.motion.geometry import transform_points
from scenes.road.ground import Ground
from scenes.safety.encounters import standing_pose
from scenes.sensors.images import linear_from_srgb

AROUND, RINGS_M = 48, (0.15, 0.4, 0.7)
"""Places around a field's box, and how far outside of it [m]."""
SEEN_M = 20.0
"""Pictures from further away do not count [m]."""
HIDES_M = 0.1
"""Boxes are grown by so much to every side where they hide [m]."""
SOFT_M = 0.05
"""A place on the border is no better known than that [m]."""
ROAD_M = 0.3
"""What the ground was fitted to is under a vehicle where it is this near to its bottom [m]."""


def under(
    actor: Actor, ground: Ground, share: Float64[np.ndarray, "n 2"]
) -> Float64[np.ndarray, "n 3"]:
    """World points of the ground under and around a vehicle that stands [m].

    `share` is along and across its field's box, which ends at -0.5 and 0.5. Where the fitted road
    ends, the ground goes on parallel to the bottom of the box.
    """
    flat = share * actor.size_m[:2] * GROWN[:2]
    bottom = np.concatenate([flat, np.full((len(flat), 1), -0.5 * actor.size_m[2])], axis=1)
    points = transform_points(actor.trajectory.world_from_body[0], bottom)
    above_m = ground.height_m(points[:, 0], points[:, 1]) - points[:, 2]
    known = np.abs(above_m) < ROAD_M  # False for NaN
    rest_m = np.median(above_m[known]) if known.any() else 0.0
    points[:, 2] += np.where(known, above_m, rest_m)
    return points


def inpainted_border(actor: Actor, ground: Ground) -> Float64[np.ndarray, "places 3"]:
    """World points of the ground around a vehicle's field [m]."""
    sides = actor.size_m[:2] * GROWN[:2]
    turn = 2.0 * np.pi * (np.arange(AROUND) + 0.5) / AROUND
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    # onto a square, which the box's sides make a rectangle
    square = 0.5 * circle / np.abs(circle).max(axis=1, keepdims=True)
    return np.concatenate([under(actor, ground, square * (1.0 + 2.0 * r / sides)) for r in RINGS_M])


def border_colours(
    clip: Clip,
    actor: Actor,
    pixels: Sequence[Pixels],
    places_m: Float64[np.ndarray, "places 3"],
) -> Float64[np.ndarray, "places 3"]:
    """Linear colours of places on the ground around somebody; NaN where no picture shows them."""
    known = [clip.cameras[p.stream].exposure[p.frame_index] for p in pixels]
    usual = np.exp(np.mean(np.log(np.concatenate(known))))
    centre = actor.trajectory.world_from_body[0, :3, 3]
    found = [np.full((1, len(places_m), 3), np.nan)]
    for part, exposure in zip(pixels, known, strict=True):
        row = part.camera.height // 2
        for frame, gain in enumerate(exposure):
            eye = part.row_origin_m[frame, row].double().numpy()
            if np.linalg.norm(eye - centre) < SEEN_M:
                time_us = int(part.row_time_us[frame, row])
                seen = _colours(part, frame, places_m) * (usual / gain)
                seen[_hidden(clip, time_us, eye, places_m)] = np.nan
                found.append(seen[None])
    every = np.concatenate(found)
    shown = np.isfinite(every).any(axis=(0, 2))
    colours = np.full((len(places_m), 3), np.nan)
    colours[shown] = np.nanmedian(every[:, shown], axis=0)
    return colours


def _colours(
    part: Pixels, frame: int, places_m: Float64[np.ndarray, "places 3"]
) -> Float64[np.ndarray, "places 3"]:
    """What one picture shows at places of the world, linear; NaN outside of it."""
    camera, row = part.camera, part.camera.height // 2
    rotation = part.row_rotation[frame, row].double().numpy()
    local = (places_m - part.row_origin_m[frame, row].double().numpy()) @ rotation
    colours = np.full((len(places_m), 3), np.nan)
    ahead = np.flatnonzero(local[:, 2] > 0.3)
    place = camera.project(local[ahead])
    with np.errstate(invalid="ignore"):  # NaN, which a lens does not show, is not inside
        inside = np.all((place >= 0) & (place < [camera.width, camera.height]), axis=1)
    pixel = place[inside].astype(np.int64)
    numbers = pixel[:, 1] * camera.width + pixel[:, 0]
    shown = part.srgb[frame].numpy()[numbers].astype(np.float64) / 255.0
    shown[~part.trains(frame).numpy()[numbers]] = np.nan
    colours[ahead[inside]] = linear_from_srgb(shown)
    return colours


def _hidden(
    clip: Clip,
    time_us: int,
    eye_m: Float64[np.ndarray, "3"],
    places_m: Float64[np.ndarray, "places 3"],
) -> Bool[np.ndarray, "places"]:
    """Which places a box hides from a camera, at a time."""
    hidden = np.zeros(len(places_m), dtype=bool)
    eyes = np.broadcast_to(eye_m, places_m.shape)
    for actor in clip.actors:
        pose = actor.at(time_us) if actor.is_moving else standing_pose(actor)
        if pose is None or np.linalg.norm(pose[:3, 3] - eye_m) > 2.0 * SEEN_M:
            continue
        hidden |= passes(pose, 0.5 * actor.size_m + HIDES_M, eyes, places_m)
    return hidden


def blended(
    points_m: Float64[np.ndarray, "n 3"],
    places_m: Float64[np.ndarray, "places 3"],
    colours: Float64[np.ndarray, "places 3"],
) -> Float64[np.ndarray, "n 3"]:
    """Colours between places of known colour: means, weighted by the inverse cube of distance.

    NaN where no colour is known.
    """
    known = np.isfinite(colours[:, 0])
    if not known.any():
        return np.full((len(points_m), 3), np.nan)
    apart = np.linalg.norm(points_m[:, None, :2] - places_m[None, known, :2], axis=-1)
    weight = (apart**2 + SOFT_M**2) ** -1.5
    return weight @ colours[known] / weight.sum(axis=1, keepdims=True)
