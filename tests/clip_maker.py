"""Small synthetic drives: straight, curved, noisy; with and without other road users."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from scenes.actor import Actor
from scenes.clip import Clip, ImageStream, SparsePoints
from scenes.motion.geometry import rigid, rotation_exp, translation, yaw_rotation
from scenes.motion.trajectory import Trajectory
from scenes.semantics import Semantic
from scenes.sensors.camera import Camera

EGO_SIZE_M = np.array([4.5, 1.8, 1.5])
EGO_FRONT_M = 3.6


def ride(
    *,
    speed_mps: float = 14.2,
    bend_per_m: float = 0.0,
    braking_mps2: float = 0.0,
    seconds: float = 6.0,
    step_us: int = 100_000,
) -> Trajectory:
    """A level drive along a straight or a circle, without noise; it brakes to a stop at most."""
    time_us = np.arange(0, round(seconds * 1e6) + 1, step_us)
    t = time_us * 1e-6
    if braking_mps2 > 0:
        t = np.minimum(t, speed_mps / braking_mps2)
    way_m = speed_mps * t - 0.5 * braking_mps2 * t**2
    yaw = bend_per_m * way_m
    # sinc keeps the straight (no bend) exact: x = way sin(yaw)/yaw, y = way (1 - cos(yaw))/yaw
    x_m = way_m * np.sinc(yaw / np.pi)
    y_m = way_m * np.sin(0.5 * yaw) * np.sinc(0.5 * yaw / np.pi)
    place = np.stack([x_m, y_m, np.zeros_like(x_m)], axis=-1)
    return Trajectory(time_us=time_us, world_from_body=rigid(yaw_rotation(yaw), place))


def noisy(path: Trajectory, noise_m: float, seed: int = 0) -> Trajectory:
    """The path as structure from motion would report it: a tenth of a radian of error a metre."""
    random = np.random.default_rng(seed)
    moved = translation(noise_m * random.standard_normal((len(path), 3)))
    turned = rotation_exp(0.1 * noise_m * random.standard_normal((len(path), 3)))
    turn = rigid(turned, np.zeros((len(path), 3)))
    return Trajectory(time_us=path.time_us, world_from_body=moved @ path.world_from_body @ turn)


def parked_car(x_m: float, y_m: float, number: int = 1, seconds: float = 6.0) -> Actor:
    """A car that stands at a place of the world, parallel to x."""
    time_us = np.array([0, round(seconds * 1e6)])
    place = translation(np.array([[x_m, y_m, 0.75]] * 2))
    return Actor(
        id=number,
        kind=Semantic.CAR,
        size_m=np.array([4.0, 1.8, 1.5]),
        trajectory=Trajectory(time_us=time_us, world_from_body=place),
    )


def make_clip(ego: Trajectory | None = None, actors: tuple[Actor, ...] = ()) -> Clip:
    """A clip with one camera, whose pictures do not exist."""
    ego = ride() if ego is None else ego
    forward = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    camera = ImageStream(
        name="front",
        camera=Camera(width=64, height=32, fx=50.0, fy=50.0, cx=32.0, cy=16.0),
        ego_from_camera=rigid(forward, np.array([1.7, 0.0, 1.6])),
        time_us=ego.time_us,
        files=tuple(Path(f"/recordings/{i:06d}.png") for i in range(len(ego))),
        exposure=np.ones(len(ego)),
    )
    return Clip(
        name="made",
        source="tests",
        licence="Apache-2.0",
        ego=ego,
        ego_size_m=EGO_SIZE_M,
        ego_front_m=EGO_FRONT_M,
        cameras=(camera,),
        actors=actors,
    )


def measured(clip: Clip, solid_m: np.ndarray | None = None) -> Clip:
    """The clip with points every 2 m of level ground up to 80 m around its way, and solid ones."""
    way = clip.ego.world_from_body[:, :2, 3]
    x, y = (
        np.arange(low - 80.0, high + 80.0, 2.0)
        for low, high in zip(way.min(axis=0), way.max(axis=0), strict=True)
    )
    ground = np.stack([*np.meshgrid(x, y), np.zeros((len(y), len(x)))], axis=-1).reshape(-1, 3)
    points = ground if solid_m is None else np.concatenate([ground, solid_m])
    nothing = np.zeros(0, dtype=np.int32)
    found = SparsePoints(
        position_m=points, error_px=np.zeros(len(points), dtype=np.float32),
        point_index=nothing, frame_index=nothing,
    )  # fmt: skip
    return replace(clip, points=found)


def wall(from_m: tuple[float, float], to_m: tuple[float, float], high_m: float = 3.0) -> np.ndarray:
    """Points of a wall between two places, every 0.3 m and as dense upwards."""
    length = float(np.hypot(to_m[0] - from_m[0], to_m[1] - from_m[1]))
    along = np.linspace(0.0, 1.0, max(2, int(length / 0.3)))[:, None]
    foot = np.array(from_m) + along * (np.array(to_m) - np.array(from_m))
    up = np.arange(0.15, high_m, 0.3)
    return np.concatenate([np.column_stack([foot, np.full(len(foot), z)]) for z in up])
