"""What a clip says to a reconstruction: pictures as pixels with rays, and depth evidence.

Pictures are averaged down in linear light. Poses are kept per line, so a rolling shutter
costs nothing more. Only training pictures are opened.
"""

from dataclasses import dataclass, fields, replace
from functools import cache

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from recon.actors.actor_fields import BoxPoses, box_poses
from recon.config import ActorsConfig, ReconstructionConfig
from recon.data.actor_rays import weight_of, with_crossing
from recon.data.core_rays import solid_rays
from recon.data.depth_rays import DepthEvidence, load_depth
from recon.data.free_space import swept_evidence, with_evidence
from recon.data.holdout import select_frames
from recon.data.masks import actor_mask, sky_mask, visible_extent
from recon.data.occluded_ground import HiddenGround, hidden_ground
from recon.data.opened import open_picture
from recon.data.pictures import Pixels
from recon.data.road_prior import only_trained, road_evidence
from scenes.actor import Actor
from scenes.clip import Clip
from scenes.edits.parked_vehicles import for_good, parked
from scenes.errors import OtherlaneError
from scenes.motion.trajectory import Trajectory
from scenes.sensors.camera import Camera
from scenes.sensors.images import srgb_from_linear
from scenes.work.phases import counted
from scenes.work.short_repr import short_repr

BOX_MARGIN_PX = 6.0
"""Pixels this near to the box of an actor with a field are drawn more often [px likewise]."""
MASK_MARGIN_PX = 3.0
"""Moving actors' boxes are grown by this much [px of the recording]: labels are not exact."""

MOMENT_US = 2000
"""Whoever moves is where it is at the middle of a span so long [µs]."""
LOOKED_AT = 64
"""Pictures of each camera that decide who gets a field."""


def pixel_angle(camera: Camera) -> Float[np.ndarray, "pixels"]:
    """Angle that each pixel spans [rad]: the side of a square of the same solid angle."""
    return camera.solid_angle_sr(camera.pixel_centres().reshape(-1, 2)) ** 0.5


def scaled_camera(camera: Camera, scale: float) -> Camera:
    """The camera with `scale` times as many pixels along each axis, whole ones."""
    return camera.scaled(round(camera.width * scale), round(camera.height * scale))


def camera_trajectory(clip: Clip, stream: int) -> Trajectory:
    """`world_from_camera` at the drive's poses."""
    return clip.ego.mounted(clip.cameras[stream].ego_from_camera)


def load_pixels(
    clip: Clip,
    stream: int,
    frames: Int64[np.ndarray, "n"],
    scale: float,
    actors: tuple[Actor, ...] = (),
) -> Pixels:
    """Open, shrink and mask the training pictures of one camera; `actors` are not masked."""
    images = clip.cameras[stream]
    camera = scaled_camera(images.camera, scale)
    width, height = camera.width, camera.height
    centres = camera.pixel_centres().reshape(-1, 2)
    directions = camera.directions(centres)
    track = camera_trajectory(clip, stream)
    lines_us = np.round(camera.readout_offset_us(camera.line_centres())).astype(np.int64)
    poses = np.stack([track.at(images.time_us[i] + lines_us) for i in frames])
    shown, sky, usable, boxes, weights = [], [], [], [], [np.zeros(0)]
    name = f"reading pictures of {images.name}"
    for place, index in enumerate(counted(frames, name, len(frames))):
        picture = open_picture(images, int(index), camera)
        srgb = np.round(srgb_from_linear(picture.linear).clip(0, 1) * 255).astype(np.uint8)
        masked = masked_pixels(clip, stream, int(index), scale, tuple(a.id for a in actors))
        masked |= picture.hidden
        inside = boxes_of(clip, stream, int(index), scale, actors)
        rotation = poses[place, camera.lines // 2, :3, :3]
        elevation = (directions @ rotation.T)[:, 2].reshape(height, width)
        shown.append(srgb.reshape(-1, 3))
        held = np.logical_or.reduce([masked, *inside])
        sky.append((sky_mask(srgb, elevation) & ~held).ravel())
        found = [place * width * height + np.flatnonzero(box & ~masked) for box in inside]
        weights += [weight_of(len(box), actor) for box, actor in zip(found, actors, strict=True)]
        boxes += found
        usable.append(place * width * height + np.flatnonzero(~masked))
    return Pixels(
        stream=stream,
        camera=camera,
        frame_index=frames,
        srgb=torch.from_numpy(np.stack(shown)),
        sky=torch.from_numpy(np.stack(sky)),
        usable=torch.from_numpy(np.concatenate(usable)),
        directions=torch.from_numpy(directions).float(),
        pixel_angle=torch.from_numpy(pixel_angle(camera)).float(),
        line_origin_m=torch.from_numpy(poses[..., :3, 3].copy()).float(),
        line_rotation=torch.from_numpy(poses[..., :3, :3].copy()).float(),
        line_time_us=torch.from_numpy(images.time_us[frames][:, None] + lines_us),
        of_actors=torch.from_numpy(np.concatenate([np.zeros(0, dtype=np.int64), *boxes])),
        actor_weight=torch.from_numpy(np.concatenate(weights)).float(),
    )


def masked_pixels(
    clip: Clip, stream: int, frame: int, scale: float, shown: tuple[int, ...] = ()
) -> Bool[np.ndarray, "h w"]:
    """Pixels of a picture, at `scale`, that show moving actors, or that the lens shows nothing in.

    They neither train nor score, and nor does what is transparent (`recon.data.opened`). Actors
    whose ids are `shown` are part of the scene.
    """
    hidden = tuple(a for a in clip.actors if a.is_moving and a.id not in shown)
    masked = _box_mask(clip, stream, frame, scale, hidden, MASK_MARGIN_PX)
    return masked | blind_pixels(scaled_camera(clip.cameras[stream].camera, scale))


@cache
def blind_pixels(camera: Camera) -> Bool[np.ndarray, "h w"]:
    """Pixels in which a lens shows nothing."""
    blind = np.zeros((camera.height, camera.width), dtype=bool)
    if not camera.is_perspective or camera.distortion:  # a pinhole shows something everywhere
        blind |= np.isnan(camera.directions(camera.pixel_centres())).any(axis=-1)
    return blind


def boxes_of(
    clip: Clip, stream: int, frame: int, scale: float, actors: tuple[Actor, ...]
) -> list[Bool[np.ndarray, "h w"]]:
    """The pixels of a picture, at `scale`, around the box of each of some actors."""
    return [_box_mask(clip, stream, frame, scale, (actor,), BOX_MARGIN_PX) for actor in actors]


def _box_mask(
    clip: Clip, stream: int, frame: int, scale: float, actors: tuple[Actor, ...], margin_px: float
) -> Bool[np.ndarray, "h w"]:
    images = clip.cameras[stream]
    camera = scaled_camera(images.camera, scale)
    middle_us = int(images.time_us[frame]) + camera.readout_us // 2
    pose = clip.world_from_camera(stream, middle_us)
    return actor_mask(camera, pose, actors, middle_us, margin_px * scale + 1.0)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Data:
    """What training sees of a clip."""

    pixels: tuple[Pixels, ...]
    depth: DepthEvidence
    """From where the drive was recorded."""
    road: DepthEvidence
    """From beside it, where it saw the road (`recon.data.road_prior`), and from where something
    moved away (`recon.data.free_space`); may be empty."""
    hidden: HiddenGround | None = None
    """What is taken to be under vehicles that stand and have fields."""
    solid: DepthEvidence | None = None
    """Rays that end in the middle of road users that move (`recon.data.core_rays`)."""
    where: BoxPoses | None = None
    """The road users with a field, at every moment of the pixels and the depth evidence."""

    __repr__ = short_repr

    def to(self, device: torch.device) -> "Data":
        """The same on a device; where it is there already, without copies."""
        pixels = tuple(replace(p, **_tensors_on(p, device)) for p in self.pixels)
        depth, road = (
            replace(part, **_tensors_on(part, device)) for part in (self.depth, self.road)
        )
        where = None if self.where is None else self.where.to(device)
        hidden = self.hidden
        if hidden is not None:
            rays = replace(hidden.rays, **_tensors_on(hidden.rays, device))
            hidden = replace(hidden, rays=rays, **_tensors_on(hidden, device))
        solid = self.solid
        if solid is not None:
            solid = replace(solid, **_tensors_on(solid, device))
        return Data(pixels=pixels, depth=depth, road=road, hidden=hidden, solid=solid, where=where)


def _tensors_on(
    part: Pixels | DepthEvidence | HiddenGround, device: torch.device
) -> dict[str, Tensor]:
    values = {field.name: getattr(part, field.name) for field in fields(part)}
    return {name: x.to(device) for name, x in values.items() if isinstance(x, Tensor)}


def load_data(clip: Clip, config: ReconstructionConfig) -> Data:
    """Open the training pictures and the depth evidence that training may see.

    Raises:
        OtherlaneError: A picture or a sweep cannot be read, or nothing is left to train on.
    """
    chosen = [select_frames(clip, config, stream)[0] for stream in range(len(clip.cameras))]
    actor_fields = actors_to_show(clip, config)
    ids = frozenset(actor.id for actor in actor_fields)
    pixels = tuple(
        load_pixels(clip, stream, frames, config.scale, actor_fields)
        for stream, frames in enumerate(chosen)
        if len(frames)
    )
    # evidence goes by the first camera's pictures, even where another camera trains instead
    trained = np.zeros(len(clip.cameras[0]), dtype=bool)
    trained[select_frames(clip, replace(config, train_cameras=()), 0)[0]] = True
    if not any(len(picture.usable) for picture in pixels):
        wrong = (
            "has no pixel to train on: moving actors, masks or alpha hide every training picture"
        )
        raise OtherlaneError(clip.name, wrong, "another stretch of the drive, or --holdout 0")
    depth = load_depth(clip, trained, ids)
    known = only_trained(clip, trained)
    road = road_evidence(known, trained, depth, config.seed, ids)
    if not actor_fields:
        return Data(pixels=pixels, depth=depth, road=road)
    moving = [actor for actor in actor_fields if actor.is_moving]
    standing = [actor for actor in actor_fields if not actor.is_moving]
    road = with_evidence(road, swept_evidence(known, moving, config.seed))
    hidden = hidden_ground(known, standing, pixels, config.seed) if standing else None
    times = [p.line_time_us.flatten() for p in pixels]
    times += [] if depth.time_us is None else [depth.time_us]
    moments_us = torch.unique(torch.cat(times).div(MOMENT_US, rounding_mode="floor")) * MOMENT_US
    where = box_poses(actor_fields, moments_us.numpy() + MOMENT_US // 2)
    solid = solid_rays(actor_fields, clip.actors, pixels, depth)
    depth = with_crossing(depth, where, actor_fields)
    return Data(pixels=pixels, depth=depth, road=road, hidden=hidden, solid=solid, where=where)


def actors_to_show(clip: Clip, config: ReconstructionConfig) -> tuple[Actor, ...]:
    """Road users that get a field, those who stand in their places for good.

    Training pictures show them large enough; they move, or are parked vehicles where the
    configuration wants these. By increasing id; at most `config.actors.most`, those that move
    first, then those that cover the most pixels.
    """
    if config.actors is None:
        return ()
    area_px: dict[int, float] = {}
    actors, least_px = _candidates(clip, config.actors, config.scale)
    for stream, images in enumerate(clip.cameras):
        frames = select_frames(clip, config, stream)[0]
        for frame in frames[:: max(1, len(frames) // LOOKED_AT)]:
            time_us = int(images.time_us[frame])
            pose = clip.world_from_camera(stream, time_us)
            for actor in actors:
                seen = visible_extent(images.camera, pose, actor, time_us)
                if seen is not None and min(seen) >= least_px[actor.id]:
                    area_px[actor.id] = area_px.get(actor.id, 0.0) + seen[0] * seen[1]
    moves = {actor.id: actor.is_moving for actor in actors}
    chosen = sorted(area_px, key=lambda number: (not moves[number], -area_px[number]))
    return tuple(actor for actor in actors if actor.id in chosen[: config.actors.most])


def _candidates(
    clip: Clip, config: ActorsConfig, scale: float
) -> tuple[tuple[Actor, ...], dict[int, float]]:
    """Who may get a field, and how large pictures must show each [px, as recorded]."""
    least_px = {actor.id: config.smallest_px for actor in clip.actors if actor.is_moving}
    if config.standing_px is not None:
        standing_px = config.standing_px / scale
        least_px |= {actor.id: standing_px for actor in clip.actors if parked(actor)}
    actors = tuple(actor for actor in clip.actors if actor.id in least_px)
    return for_good(actors, frozenset(least_px), clip.ego.time_us[[0, -1]]), least_px
