"""Small synthetic drives: straight, curved, noisy; with and without other road users."""

from pathlib import Path

import numpy as np

from scenes.actor import Actor
from scenes.camera import Camera
from scenes.clip import Clip, ImageStream
from scenes.geometry import rigid, rotation_exp, translation, yaw_rotation
from scenes.semantics import Semantic
from scenes.trajectory import Trajectory

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
