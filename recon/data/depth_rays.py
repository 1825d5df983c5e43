"""Depth evidence of a drive: rays from its sensors whose first surface is known."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from recon.data.holdout import nearest_moment, trained_sweeps
from recon.data.masks import KNOWN_SLACK_US
from recon.data.opened import is_shown
from scenes.actor import Actor
from scenes.clip import Clip
from scenes.work.short_repr import short_repr

LIDAR_MARGIN_M = 0.3
"""And by this much where lidar returns from them are dropped [m]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DepthEvidence:
    """Rays whose first surface is known."""

    origins_m: Float[Tensor, "n 3"]
    directions: Float[Tensor, "n 3"]
    range_m: Float[Tensor, "n"]
    time_us: Int64[Tensor, "n"] | None = None
    """When each was seen [µs]; None is a time at which nothing that moves was there."""
    of_actors: Int64[Tensor, "m"] | None = None
    """Which get as far as boxes of road users with fields, box by box ..."""
    actor_weight: Float[Tensor, "m"] | None = None
    """... and how often each is drawn, relative to the others (`recon.data.actor_rays`)."""

    __repr__ = short_repr

    def __len__(self) -> int:
        return len(self.range_m)

    def ends_m(self) -> Float[Tensor, "n 3"]:
        """Where the rays end [m]."""
        return self.origins_m + self.directions * self.range_m[:, None]


def load_depth(
    clip: Clip, trained: Bool[np.ndarray, "frames"], shown: frozenset[int] = frozenset()
) -> DepthEvidence:
    """Depth evidence that training may see: lidar sweeps, else sparse points.

    `trained` says which pictures of the first camera train. A sparse point counts from each
    training picture that saw it and whose alpha or mask does not hide it. Pictures of other cameras
    and sweeps taken nearest to a held-out picture are left out too, and so are returns from what
    moves, unless its id is one of `shown`.
    """
    parts = [_lidar_depth(clip, stream, trained, shown) for stream in range(len(clip.lidars))]
    if not parts and clip.points is not None:
        parts = [_sparse_depth(clip, trained)]
    nothing = np.zeros((0, 3))
    origins = np.concatenate([nothing, *(origin for origin, _, _ in parts)])
    along = np.concatenate([nothing, *(end for _, end, _ in parts)]) - origins
    time_us = np.concatenate([np.zeros(0, dtype=np.int64), *(time for _, _, time in parts)])
    distance = np.linalg.norm(along, axis=1)
    keep = distance > 0.5
    return DepthEvidence(
        origins_m=torch.from_numpy(origins[keep]).float(),
        directions=torch.from_numpy(along[keep] / distance[keep, None]).float(),
        range_m=torch.from_numpy(distance[keep]).float(),
        time_us=torch.from_numpy(time_us[keep]),
    )


Seen = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Starts and ends of rays [m], and when they were seen [µs]."""


def _sparse_depth(clip: Clip, trained: Bool[np.ndarray, "frames"]) -> Seen:
    parts = [_sparse_depth_of(clip, stream, trained) for stream in range(len(clip.cameras))]
    starts, ends, times = zip(*parts, strict=True)
    return np.concatenate(starts), np.concatenate(ends), np.concatenate(times)


def _sparse_depth_of(clip: Clip, stream: int, trained: Bool[np.ndarray, "frames"]) -> Seen:
    """Rays to the sparse points that training pictures of one camera saw."""
    points, images = clip.points, clip.cameras[stream]
    assert points is not None
    own = points.seen_by(stream)
    frame, point = points.frame_index[own], points.point_index[own]
    centres = clip.ego.mounted(images.ego_from_camera).at(images.time_us)[:, :3, 3]
    seen = trained[nearest_moment(clip.cameras[0].time_us, images.time_us)][frame]
    for each in np.unique(frame[seen]):
        if images.may_hide(int(each)):
            mine = np.flatnonzero(frame == each)
            seen[mine] = is_shown(clip, stream, int(each), points.position_m[point[mine]])
    frame, point = frame[seen], point[seen]
    return centres[frame], points.position_m[point], images.time_us[frame]


def _lidar_depth(
    clip: Clip, stream: int, trained: Bool[np.ndarray, "frames"], shown: frozenset[int]
) -> Seen:
    sweeps = clip.lidars[stream]
    track = clip.ego.mounted(sweeps.ego_from_lidar)
    origins, ends = [np.zeros((0, 3))], [np.zeros((0, 3))]
    times = [np.zeros(0, dtype=np.int64)]
    for index in trained_sweeps(clip, stream, trained):
        start, sweep = sweeps.time_us[index], sweeps.read(int(index))
        at = start + sweep.offset_us.astype(np.int64)
        moments, which = np.unique(at, return_inverse=True)
        poses = track.at(moments)[which]
        hit = np.einsum("nij,nj->ni", poses[:, :3, :3], sweep.xyz_m) + poses[:, :3, 3]
        static = np.ones(len(hit), dtype=bool)
        for actor in clip.actors:
            if actor.is_moving and actor.id not in shown:
                static &= ~_from_actor(actor, moments, which, hit)
        origins.append(poses[static, :3, 3])
        ends.append(hit[static])
        times.append(at[static])
    return np.concatenate(origins), np.concatenate(ends), np.concatenate(times)


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
