"""What the training pictures showed: how far away the surface was, in each of them, coarsely.

A rendered surface was *observed* where some training picture showed that very place, from a
comparable side and distance; the sky, where some training picture showed sky in that direction.
Neither holds for what a field puts where no camera looked, for the back of what was only ever seen
from the front, nor for haze in places that training rays went through: labels of such pixels are
labels of nothing.

The distances are those that the finished scene itself renders at the training pictures' poses, as
shadow maps do (Williams 1978, "Casting curved shadows on curved surfaces"): a place is in view of
a picture where it is as far away as what the picture shows there. Each picture has one pose, that
of its middle line. World frame, metres.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor, nn

from recon.config import ReconstructionConfig
from recon.data.holdout import select_frames
from recon.data.training_data import scaled_camera
from recon.kernels.native import native_module, native_problem
from scenes.clip import Clip
from scenes.sensors.camera import Camera

COARSER = 0.5
"""Side of the pictures that are kept, over that of the pictures trained on."""
MOST_PIXELS = 600_000
"""Of all pictures that are kept, about: of longer drives every second, third, ... is."""
BLIND = -1.0
"""Nearness where a picture says nothing: the lens is blind, or somebody without a field moved."""
SIDE = 0.5
"""Cosine of the largest angle between a ray and a training ray to the same place: 60 degrees."""
FURTHER = 4.0
"""A place was seen from at most so many times as far away as it is looked at from."""
WITHIN, WITHIN_M = 0.03, 0.15
"""A place is what a picture shows if their distances differ by less than this share plus this."""
ONE_SURFACE = 1.5
"""Neighbouring pixels whose distances differ by more than this factor show two surfaces."""
PACE_M = 10.0
"""Pictures taken nearby come first; a right angle of turning counts as much as this [m]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Surfaces:
    """What the rays of a picture end on."""

    origins_m: Float64[np.ndarray, "n 3"]
    """Where rays start."""
    directions: Float64[np.ndarray, "n 3"]
    """Unit directions of rays; NaN where a lens shows nothing."""
    range_m: Float64[np.ndarray, "n"]
    """Distance to the first surface; inf for sky."""


class Observation(nn.Module):
    """Nearness [1/m] of the first surface in coarse training pictures: 0 sky, `BLIND` unknown."""

    def __init__(self, clip: Clip, config: ReconstructionConfig) -> None:
        super().__init__()
        self.cameras = tuple(kept_camera(clip, config, s) for s in range(len(clip.cameras)))
        self.frames = kept_frames(clip, config)
        self.widest = tuple(
            _widest(each.directions(each.pixel_centres().reshape(-1, 2))[:, 2])
            for each in self.cameras
        )
        for stream, (camera, frames) in enumerate(zip(self.cameras, self.frames, strict=True)):
            empty = torch.full((len(frames), camera.height, camera.width), BLIND)
            self.register_buffer(f"nearness_{stream}", empty.half())

    def keep(self, stream: int, place: int, range_m: Float[Tensor, "h w"]) -> None:
        """Set the picture at a place among the kept ones of a camera; NaN is `BLIND`."""
        self.get_buffer(f"nearness_{stream}")[place] = (1.0 / range_m).nan_to_num(nan=BLIND).half()

    def observed(
        self, eyes: "Sequence[Eye]", seen: Surfaces, forward: Float64[np.ndarray, "3"]
    ) -> Bool[np.ndarray, "n"]:
        """Which of the ends of rays some training picture showed (see the module).

        Args:
            eyes: Poses of the kept pictures, from `eyes`.
            seen: The rays of one picture.
            forward: Unit vector along which its camera looks: pictures like it come first.
        """
        looks = np.isfinite(seen.directions).all(axis=1)
        if not looks.any():
            return np.zeros(len(seen.range_m), bool)
        start = seen.origins_m[looks].mean(axis=0)
        reach = _widest(seen.directions[looks] @ forward) + float(np.arccos(SIDE))
        candidates = [  # the others show what they show from another side
            eye for eye in eyes if eye.turned(forward) <= reach + self.widest[eye.stream]
        ]
        candidates.sort(key=lambda eye: eye.apart_m(start, forward))
        lenses = [self.cameras[eye.stream] for eye in candidates]
        bent = any(lens.distortion or not lens.is_perspective for lens in lenses)
        if bent or native_problem() is not None:
            return self.observed_reference(candidates, seen)
        found = np.zeros(len(seen.range_m), np.uint8)
        lenses = [(each.fx, each.fy, each.cx, each.cy) for each in self.cameras]
        native_module().observed(
            [np.ascontiguousarray(eye.world_from_camera[:3]) for eye in candidates],
            [lenses[eye.stream] for eye in candidates],
            [self._nearness(eye) for eye in candidates],
            np.ascontiguousarray(seen.origins_m), np.ascontiguousarray(seen.directions),
            np.ascontiguousarray(seen.range_m), found, torch.get_num_threads(),
        )  # fmt: skip
        return found.astype(bool)

    def observed_reference(self, eyes: "Sequence[Eye]", seen: Surfaces) -> Bool[np.ndarray, "n"]:
        """Which of the ends of rays any of some pictures showed, looked up in turn."""
        found = np.zeros(len(seen.range_m), bool)
        left = np.flatnonzero(np.isfinite(seen.directions).all(axis=1))
        for eye in eyes:
            shown = eye.sees(
                self.cameras[eye.stream], self._nearness(eye),
                Surfaces(
                    origins_m=seen.origins_m[left], directions=seen.directions[left],
                    range_m=seen.range_m[left],
                ),
            )  # fmt: skip
            found[left[shown]] = True
            left = left[~shown]
        return found

    def _nearness(self, eye: "Eye") -> Float[np.ndarray, "h w"]:
        return self.get_buffer(f"nearness_{eye.stream}")[eye.place].float().numpy()


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Eye:
    """Where one of the kept pictures was taken."""

    stream: int
    place: int
    """Among the kept pictures of its camera."""
    world_from_camera: Float64[np.ndarray, "4 4"]
    """While the middle line was exposed."""

    def turned(self, forward: Float64[np.ndarray, "3"]) -> float:
        """Angle between where it looks and a unit vector [rad]."""
        return float(np.arccos(np.clip(forward @ self.world_from_camera[:3, 2], -1.0, 1.0)))

    def apart_m(
        self, start_m: Float64[np.ndarray, "3"], forward: Float64[np.ndarray, "3"]
    ) -> float:
        """How unlike it is to a picture taken from a place in a direction [m]."""
        turn = 1.0 - float(forward @ self.world_from_camera[:3, 2])
        return float(np.linalg.norm(self.world_from_camera[:3, 3] - start_m)) + PACE_M * turn

    def sees(
        self, camera: Camera, nearness: Float[np.ndarray, "h w"], seen: Surfaces
    ) -> Bool[np.ndarray, "n"]:
        """Which of the ends of rays the picture shows, from a comparable side and distance."""
        sky = np.isinf(seen.range_m)
        eye_m = self.world_from_camera[:3, 3]
        away = seen.directions * np.where(sky, 1.0, seen.range_m)[:, None]
        away += np.where(sky[:, None], 0.0, seen.origins_m - eye_m)
        range_m = np.linalg.norm(away, axis=1)
        side = np.einsum("ni,ni->n", away, seen.directions) >= SIDE * range_m
        side &= sky | (range_m <= FURTHER * seen.range_m)
        candidate = np.flatnonzero(side)
        pixels = camera.project(away[candidate] @ self.world_from_camera[:3, :3])
        with np.errstate(invalid="ignore"):  # NaN is not inside
            inside = np.all((pixels >= 0.0) & (pixels <= [camera.width, camera.height]), axis=1)
        candidate = candidate[inside]
        corner = _corners(pixels[inside], camera, nearness)
        there = _is_there(range_m[candidate], corner)
        there = np.where(sky[candidate], corner.min(0) == 0.0, there)
        shown = np.zeros(len(side), bool)
        shown[candidate] = there & (corner.min(0) >= 0.0)
        return shown


def _widest(cosine: Float64[np.ndarray, "n"]) -> float:
    """Largest angle of rays to an axis, given their cosines; NaN is no ray [rad]."""
    return float(np.arccos(np.clip(np.nanmin(cosine), -1.0, 1.0)))


def kept_camera(clip: Clip, config: ReconstructionConfig, stream: int) -> Camera:
    """The camera of kept pictures: coarser than those trained on."""
    return scaled_camera(clip.cameras[stream].camera, COARSER * config.scale)


def kept_frames(clip: Clip, config: ReconstructionConfig) -> tuple[Int64[np.ndarray, "_"], ...]:
    """Which training pictures of each camera are kept, by index in the drive."""
    trained = [select_frames(clip, config, stream)[0] for stream in range(len(clip.cameras))]
    cameras = [kept_camera(clip, config, stream) for stream in range(len(clip.cameras))]
    pixels = sum(len(f) * c.width * c.height for f, c in zip(trained, cameras, strict=True))
    stride = -(-pixels // MOST_PIXELS)
    return tuple(frames[::stride] for frames in trained)


def eyes(observation: Observation, clip: Clip) -> tuple[Eye, ...]:
    """Every kept picture, and where it was taken."""
    found = list[Eye]()
    for stream, (camera, frames) in enumerate(
        zip(observation.cameras, observation.frames, strict=True)
    ):
        times = clip.cameras[stream].time_us[frames] + camera.readout_us // 2
        poses = clip.ego.at(times) @ clip.cameras[stream].ego_from_camera
        found += [
            Eye(stream=stream, place=place, world_from_camera=pose)
            for place, pose in enumerate(poses)
        ]
    return tuple(found)


def _is_there(
    range_m: Float64[np.ndarray, "n"], nearness: Float[np.ndarray, "4 n"]
) -> Bool[np.ndarray, "n"]:
    """Whether places so far away are what the four pixels around them show.

    Over one surface distances are between those of the pixels: a road's differ much from row to
    row. Across an edge, a place must be on one of its sides.
    """
    shown_m = 1.0 / nearness.clip(1e-6)
    slack_m = WITHIN * range_m + WITHIN_M
    near_m, far_m = shown_m.min(0), shown_m.max(0)
    between = (range_m <= far_m + slack_m) & (range_m >= near_m - slack_m)
    on_one = (np.abs(shown_m - range_m) <= slack_m).any(axis=0)
    return np.where(far_m <= ONE_SURFACE * near_m, between, on_one)


def _corners(
    pixels: Float64[np.ndarray, "n 2"], camera: Camera, values: Float[np.ndarray, "h w"]
) -> Float[np.ndarray, "4 n"]:
    """Values at the four pixel centres around places in a picture."""
    low = np.floor(pixels - 0.5).astype(np.int64)
    limit = np.array([camera.width - 1, camera.height - 1])
    steps = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
    x, y = np.moveaxis((low + steps[:, None]).clip(0, limit), -1, 0)
    return values[y, x]
