"""What a clip says to a reconstruction: pictures as pixels with rays, and depth evidence.

Pictures are averaged down in linear light. Poses are kept per image row, so a rolling shutter
costs nothing more. Only training pictures are opened.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from recon.config import ReconstructionConfig
from recon.masks import KNOWN_SLACK_US, moving_actor_mask, sky_mask
from recon.rays import Rays
from recon.split import training_frames
from scenes.actor import Actor
from scenes.camera import Camera
from scenes.clip import Clip
from scenes.errors import OtherlaneError
from scenes.images import resize_linear, srgb_from_linear
from scenes.trajectory import Trajectory

MASK_MARGIN_PX = 3.0
"""Moving actors' boxes are grown by this much [px of the recording]: labels are not exact."""
LIDAR_MARGIN_M = 0.3
"""And by this much where lidar returns from them are dropped [m]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Pixels:
    """The training pictures of one camera."""

    stream: int
    camera: Camera
    """At training resolution."""
    frame_index: Int64[np.ndarray, "frames"]
    """Which pictures of the stream these are."""
    srgb: UInt8[Tensor, "frames pixels 3"]
    sky: Bool[Tensor, "frames pixels"]
    usable: Int64[Tensor, "n"]
    """frame * pixels + pixel of every pixel that may train."""
    directions: Float[Tensor, "pixels 3"]
    """Unit, in the camera's frame."""
    pixel_angle: Float[Tensor, "pixels"]
    row_origin_m: Float[Tensor, "frames rows 3"]
    row_rotation: Float[Tensor, "frames rows 3 3"]
    """world from camera, while each row is exposed."""

    def rays(self, usable: Int64[Tensor, "n"]) -> Rays:
        """Rays of pixels named as in `usable`."""
        pixels = len(self.directions)
        frame, pixel = usable.div(pixels, rounding_mode="floor"), usable % pixels
        row = pixel.div(self.camera.width, rounding_mode="floor")
        turn = self.row_rotation[frame, row]
        return Rays(
            origins_m=self.row_origin_m[frame, row],
            directions=torch.einsum("nij,nj->ni", turn, self.directions[pixel]),
            pixel_angle=self.pixel_angle[pixel],
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DepthEvidence:
    """Rays whose first surface is known."""

    origins_m: Float[Tensor, "n 3"]
    directions: Float[Tensor, "n 3"]
    range_m: Float[Tensor, "n"]

    def __len__(self) -> int:
        return len(self.range_m)


def pixel_angle(camera: Camera) -> Float[np.ndarray, "pixels"]:
    """Angle that each pixel spans [rad]: the side of a square of the same solid angle."""
    rays = camera.unproject(camera.pixel_centres().reshape(-1, 2))
    # solid angle of a pixel on the plane z = 1 is area * cos^3
    return (1.0 / (camera.fx * camera.fy) * np.linalg.norm(rays, axis=1) ** -3.0) ** 0.5


def scaled_camera(camera: Camera, scale: float) -> Camera:
    """The camera with `scale` times as many pixels along each axis, whole ones."""
    return camera.scaled(round(camera.width * scale), round(camera.height * scale))


def camera_trajectory(clip: Clip, stream: int) -> Trajectory:
    """`world_from_camera` at the drive's poses."""
    return clip.ego.mounted(clip.cameras[stream].ego_from_camera)


def load_pixels(clip: Clip, stream: int, frames: Int64[np.ndarray, "n"], scale: float) -> Pixels:
    """Open, shrink and mask the training pictures of one camera."""
    images = clip.cameras[stream]
    camera = scaled_camera(images.camera, scale)
    width, height = camera.width, camera.height
    centres = camera.pixel_centres().reshape(-1, 2)
    directions = camera.unproject(centres)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    track = camera_trajectory(clip, stream)
    rows_us = np.round(camera.row_offset_us(np.arange(height) + 0.5)).astype(np.int64)
    poses = np.stack([track.at(images.time_us[i] + rows_us) for i in frames])
    shown, sky, usable = [], [], []
    for place, index in enumerate(frames):
        small = resize_linear(images.read(int(index)), width, height)
        srgb = np.round(srgb_from_linear(small).clip(0, 1) * 255).astype(np.uint8)
        masked = masked_pixels(clip, stream, int(index), scale)
        rotation = poses[place, height // 2, :3, :3]
        elevation = (directions @ rotation.T)[:, 2].reshape(height, width)
        shown.append(srgb.reshape(-1, 3))
        sky.append((sky_mask(srgb, elevation) & ~masked).ravel())
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
        row_origin_m=torch.from_numpy(poses[..., :3, 3].copy()).float(),
        row_rotation=torch.from_numpy(poses[..., :3, :3].copy()).float(),
    )


def masked_pixels(clip: Clip, stream: int, frame: int, scale: float) -> Bool[np.ndarray, "h w"]:
    """Pixels of a picture, at `scale`, that show moving actors: they neither train nor score."""
    images = clip.cameras[stream]
    camera = scaled_camera(images.camera, scale)
    middle_us = int(images.time_us[frame]) + camera.readout_us // 2
    pose = clip.world_from_camera(stream, middle_us)
    margin = MASK_MARGIN_PX * scale + 1.0
    return moving_actor_mask(camera, pose, clip.actors, middle_us, margin)


def load_depth(clip: Clip, trained: Bool[np.ndarray, "frames"]) -> DepthEvidence:
    """Depth evidence that training may see: lidar sweeps, else sparse points.

    `trained` says which pictures of the first camera train. A sparse point counts from each
    training picture that saw it. Sweeps taken nearest to a held-out picture are left out too.
    """
    parts = [_lidar_depth(clip, stream, trained) for stream in range(len(clip.lidars))]
    if not parts and clip.points is not None:
        parts = [_sparse_depth(clip, trained)]
    nothing = np.zeros((0, 3))
    origins = np.concatenate([nothing, *(origin for origin, _ in parts)])
    along = np.concatenate([nothing, *(end for _, end in parts)]) - origins
    distance = np.linalg.norm(along, axis=1)
    keep = distance > 0.5
    return DepthEvidence(
        origins_m=torch.from_numpy(origins[keep]).float(),
        directions=torch.from_numpy(along[keep] / distance[keep, None]).float(),
        range_m=torch.from_numpy(distance[keep]).float(),
    )


def _sparse_depth(clip: Clip, trained: Bool[np.ndarray, "frames"]) -> tuple[np.ndarray, np.ndarray]:
    points = clip.points
    assert points is not None
    images = clip.cameras[0]
    centres = camera_trajectory(clip, 0).at(images.time_us)[:, :3, 3]
    seen = trained[points.frame_index]
    return centres[points.frame_index[seen]], points.position_m[points.point_index[seen]]


def _lidar_depth(
    clip: Clip, stream: int, trained: Bool[np.ndarray, "frames"]
) -> tuple[np.ndarray, np.ndarray]:
    sweeps, times = clip.lidars[stream], clip.cameras[0].time_us
    track = clip.ego.mounted(sweeps.ego_from_lidar)
    origins, ends = [np.zeros((0, 3))], [np.zeros((0, 3))]
    for index, start in enumerate(sweeps.time_us):
        if not trained[np.argmin(np.abs(times - start))]:
            continue
        sweep = sweeps.read(index)
        at = start + sweep.offset_us.astype(np.int64)
        moments, which = np.unique(at, return_inverse=True)
        poses = track.at(moments)[which]
        hit = np.einsum("nij,nj->ni", poses[:, :3, :3], sweep.xyz_m) + poses[:, :3, 3]
        static = np.ones(len(hit), dtype=bool)
        for actor in clip.actors:
            if actor.is_moving:
                static &= ~_from_actor(actor, moments, which, hit)
        origins.append(poses[static, :3, 3])
        ends.append(hit[static])
    return np.concatenate(origins), np.concatenate(ends)


def _from_actor(
    actor: Actor,
    moments_us: Int64[np.ndarray, "moments"],
    which: Int64[np.ndarray, "n"],
    hit_m: Float[np.ndarray, "n 3"],
) -> Bool[np.ndarray, "n"]:
    """Which returns lie in the actor's (grown) box at their own time, `moments_us[which]`.

    A fast car moves by more than a metre while the lidar turns once.
    """
    times = actor.trajectory.time_us
    known = (moments_us >= times[0] - KNOWN_SLACK_US) & (moments_us <= times[-1] + KNOWN_SLACK_US)
    poses = actor.trajectory.at(moments_us)[which]
    in_box = np.einsum("nji,nj->ni", poses[:, :3, :3], hit_m - poses[:, :3, 3])
    inside = np.all(np.abs(in_box) <= 0.5 * actor.size_m + LIDAR_MARGIN_M, axis=1)
    return inside & known[which]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Data:
    """What training sees of a clip."""

    pixels: tuple[Pixels, ...]
    depth: DepthEvidence

    def to(self, device: torch.device) -> "Data":
        """The same on a device; where it is there already, without copies."""
        pixels = tuple(replace(p, **_tensors_on(p, device)) for p in self.pixels)
        return Data(pixels=pixels, depth=replace(self.depth, **_tensors_on(self.depth, device)))


def _tensors_on(part: Pixels | DepthEvidence, device: torch.device) -> dict[str, Tensor]:
    values = {field.name: getattr(part, field.name) for field in fields(part)}
    return {name: x.to(device) for name, x in values.items() if isinstance(x, Tensor)}


def select_frames(
    clip: Clip, config: ReconstructionConfig, stream: int
) -> tuple[Int64[np.ndarray, "trained"], Int64[np.ndarray, "held"]]:
    """Indices of the pictures of a camera that train, and of those held out."""
    used = np.arange(0, len(clip.cameras[stream]), config.frame_stride)
    trains = training_frames(len(used), config.holdout, config.train_share)
    return used[trains], used[~trains]


def load_data(clip: Clip, config: ReconstructionConfig) -> Data:
    """Open the training pictures and the depth evidence that training may see.

    Raises:
        OtherlaneError: A picture or a sweep cannot be read, or nothing is left to train on.
    """
    chosen = [select_frames(clip, config, stream)[0] for stream in range(len(clip.cameras))]
    trained = np.zeros(len(clip.cameras[0]), dtype=bool)
    trained[chosen[0]] = True
    pixels = tuple(load_pixels(clip, stream, f, config.scale) for stream, f in enumerate(chosen))
    if not any(len(picture.usable) for picture in pixels):
        wrong = "has no pixel to train on: moving actors hide every training picture"
        raise OtherlaneError(clip.name, wrong, "another stretch of the drive, or --holdout 0")
    return Data(pixels=pixels, depth=load_depth(clip, trained))
