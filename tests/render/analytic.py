"""A renderer whose every ray has a closed form: striped ground, coloured boxes, a graded sky.

It is no radiance field: labels, exporters, previews and jobs that work with it know only the seam.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64, Int64
from torch import Tensor

from recon.lighting.daylight import Daylight
from recon.rendering.ray_buffers import ray_buffers
from recon.rendering.shot import Buffers, Shot, pixel_rays
from scenes.actor import Actor
from scenes.clip import Clip, ImageStream
from scenes.motion.geometry import invert, rigid, transform_points, yaw_rotation
from scenes.motion.trajectory import Trajectory
from scenes.semantics import Semantic
from scenes.sensors.camera import Camera
from scenes.sensors.images import srgb_from_linear

FRAMES = 4
STEP_US = 100_000
CAMERA = Camera(width=96, height=48, fx=60.0, fy=60.0, cx=48.0, cy=22.0)
EGO_FROM_CAMERA = rigid(
    np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]), np.array([1.0, 0.0, 1.6])
)
LICENCE = "CC0-1.0"
CAMERAS = {"front": f"{CAMERA.width}x{CAMERA.height}"}
"""As configurations have them."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class AnalyticMarch:
    linear: Float32[Tensor, "n 3"]
    opacity: Float32[Tensor, "n"]
    range_m: Float32[Tensor, "n"]
    instance: Int64[Tensor, "n"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class AnalyticScene:
    """Ground z = 0 and the boxes of the clip's standing actors, by ray casting."""

    clip: Clip
    doubtful_actors: Mapping[int, str] = field(default_factory=dict)

    def render_rays(
        self,
        origins: Float32[Tensor, "n 3"],
        directions: Float32[Tensor, "n 3"],
        pixel_angle: Float32[Tensor, "n"],
    ) -> AnalyticMarch:
        assert bool((pixel_angle > 0).all())
        start, along = origins.double().numpy(), directions.double().numpy()
        with np.errstate(divide="ignore", invalid="ignore"):
            range_m = np.where(along[:, 2] < 0, -start[:, 2] / along[:, 2], np.inf)
        owner = np.zeros(len(start), dtype=np.int64)
        for index, actor in enumerate(self.clip.actors, start=1):
            if actor.is_moving:
                continue
            hit_m = enter_box_m(start, along, actor)
            owner = np.where(hit_m < range_m, index, owner)
            range_m = np.minimum(hit_m, range_m)
        solid = np.isfinite(range_m)
        return AnalyticMarch(
            linear=torch.from_numpy(_colour(start, along, range_m, owner)).float(),
            opacity=torch.from_numpy(solid).float(),
            range_m=torch.from_numpy(range_m).float(),
            instance=torch.zeros(len(start), dtype=torch.int64),
        )

    def render(self, shot: Shot, channels: Collection[str]) -> Buffers:
        found = ray_buffers(shot, (*channels, "range_m"), self.render_rays, shown_as_srgb)
        rays, held = pixel_rays(shot), {name: found[name] for name in channels}
        if "observed" in held:
            range_m = found["range_m"].double().flatten().numpy()
            along = rays.directions.numpy()
            ends = rays.origins_m.numpy() + along * np.minimum(range_m, 1e3)[:, None]
            known = torch.from_numpy(self.observed(ends, along, shot))
            held["observed"] = held["observed"] & known.view(held["observed"].shape)
        return replace(found, channels=held)

    def observed(
        self,
        ends_m: Float64[np.ndarray, "n 3"],
        directions: Float64[np.ndarray, "n 3"],
        shot: Shot,
    ) -> Bool[np.ndarray, "n"]:
        """Whether training pictures showed where rays end."""
        del directions, shot
        return np.ones(len(ends_m), bool)

    @property
    def light(self) -> Daylight:
        return Daylight.unknown()

    @property
    def scale(self) -> float:
        return 1.0

    @property
    def version(self) -> str:
        return "analytic"

    @property
    def modelled_ids(self) -> frozenset[int]:
        return frozenset()


def shown_as_srgb(linear: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
    return torch.from_numpy(srgb_from_linear(linear.numpy())).float().clamp(0.0, 1.0)


def enter_box_m(
    start: Float64[np.ndarray, "n 3"], along: Float64[np.ndarray, "n 3"], actor: Actor
) -> Float64[np.ndarray, "n"]:
    """Distance at which rays enter an actor's box, one axis at a time; inf where they miss."""
    box_from_world = invert(actor.trajectory.world_from_body[0])
    start = transform_points(box_from_world, start)
    along = along @ box_from_world[:3, :3].T
    entry, leave = np.zeros(len(start)), np.full(len(start), np.inf)
    for axis in range(3):
        step = np.where(np.abs(along[:, axis]) < 1e-12, 1e-12, along[:, axis])
        ends = [(s * 0.5 * actor.size_m[axis] - start[:, axis]) / step for s in (-1, 1)]
        entry = np.maximum(entry, np.minimum(*ends))
        leave = np.minimum(leave, np.maximum(*ends))
    return np.where(leave > entry, entry, np.inf)


def _colour(
    start: Float64[np.ndarray, "n 3"],
    along: Float64[np.ndarray, "n 3"],
    range_m: Float64[np.ndarray, "n"],
    owner: Int64[np.ndarray, "n"],
) -> Float64[np.ndarray, "n 3"]:
    solid = np.isfinite(range_m)
    point = start + along * np.where(solid, range_m, 0.0)[:, None]
    stripe = (np.mod(point[:, 1], 3.5) < 0.15) & (np.mod(point[:, 0], 6.0) < 3.0)
    road = np.where(stripe[:, None], 0.8, 0.15 + 0.03 * np.sin(3.0 * point[:, :1]))
    up = along[:, 2:]
    sky = (1 - up) * [0.55, 0.65, 0.8] + up * [0.15, 0.3, 0.7]
    palette = np.random.default_rng(0).uniform(0.05, 0.7, (256, 3))
    shade = 0.7 + 0.3 * np.sin(5.0 * point[:, 2:])
    colour = np.where((owner > 0)[:, None], palette[owner % 256] * shade, road)
    return np.where(solid[:, None], colour, sky)


def box_actor(
    actor_id: int,
    centre_m: tuple[float, float],
    size_m: tuple[float, float, float] = (4.0, 1.8, 1.5),
    yaw: float = 0.0,
    kind: Semantic = Semantic.CAR,
    speed_mps: float = 0.0,
) -> Actor:
    """A box on the ground, driving along its own x axis."""
    time_us = np.arange(FRAMES, dtype=np.int64) * STEP_US
    ahead = speed_mps * time_us * 1e-6
    place = np.stack(
        [
            centre_m[0] + ahead * np.cos(yaw),
            centre_m[1] + ahead * np.sin(yaw),
            np.full(FRAMES, 0.5 * size_m[2]),
        ],
        axis=-1,
    )
    return Actor(
        id=actor_id,
        kind=kind,
        size_m=np.array(size_m),
        trajectory=Trajectory(
            time_us=time_us,
            world_from_body=rigid(yaw_rotation(np.full(FRAMES, yaw)), place),
        ),
    )


def street(camera: Camera = CAMERA, actors: tuple[Actor, ...] | None = None) -> AnalyticScene:
    """A car that drives 1 m a frame along x, past parked boxes; one oncoming car is not shown."""
    if actors is None:
        actors = (
            box_actor(3, (9.0, 3.2)),
            box_actor(7, (14.0, 3.4), (4.6, 1.9, 1.7), yaw=0.1, kind=Semantic.VAN),
            box_actor(8, (11.0, -3.4), (0.6, 0.6, 1.8), kind=Semantic.PERSON),
            box_actor(9, (5.0, -3.0), yaw=np.pi / 2),
            box_actor(12, (26.0, 0.5), yaw=np.pi, speed_mps=8.0),
        )
    time_us = np.arange(FRAMES, dtype=np.int64) * STEP_US
    place = np.stack([np.arange(FRAMES) * 1.0, np.zeros(FRAMES), np.zeros(FRAMES)], axis=-1)
    poses = rigid(np.broadcast_to(np.eye(3), (FRAMES, 3, 3)), place)
    stream = ImageStream(
        name="front",
        camera=camera,
        ego_from_camera=EGO_FROM_CAMERA,
        time_us=time_us,
        files=tuple(Path(f"{i:06d}.png") for i in range(FRAMES)),
        exposure=np.ones(FRAMES),
    )
    clip = Clip(
        name="analytic street",
        source="tests",
        licence=LICENCE,
        ego=Trajectory(time_us=time_us, world_from_body=poses),
        ego_size_m=np.array([4.5, 1.8, 1.5]),
        ego_front_m=3.5,
        cameras=(stream,),
        actors=actors,
    )
    return AnalyticScene(clip=clip)
