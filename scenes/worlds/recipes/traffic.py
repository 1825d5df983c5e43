"""Who drives, walks and parks in a recipe, and how the recording car drives."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Float64, Int64

from scenes.actor import Actor
from scenes.motion.geometry import yaw_rotation
from scenes.motion.trajectory import Trajectory
from scenes.semantics import Semantic
from scenes.worlds.light.lighting import EGO, Lamp
from scenes.worlds.models.procedural import procedural
from scenes.worlds.models.world import Body
from scenes.worlds.recipes.centre_line import CentreLine

STEP_US = 100_000
"""Between poses."""
_figure = lru_cache(maxsize=1)(procedural)
"""Parked cars are asked for their size before they are placed."""


def clock_us(seconds: float) -> Int64[np.ndarray, "n"]:
    """Times of all poses: every tenth of a second, both ends included."""
    return np.arange(0, round(seconds * 1e6) + 1, STEP_US, dtype=np.int64)


def drive(
    line: CentreLine,
    s_m: Float[np.ndarray, "n"],
    d_m: Float[np.ndarray, "n"],
    z_m: float = 0.0,
    reverse: bool = False,
) -> Trajectory:
    """A body that follows (s, d) in steps of a tenth of a second and looks where it goes.

    `reverse` says that it heads against the line, which decides how it stands when it does not
    move.
    """
    poses = line.poses(s_m, d_m, z_m)
    speed = np.gradient(s_m)
    slip = np.where(np.abs(speed) > 1e-6, np.gradient(d_m) / np.where(speed == 0, 1, speed), 0.0)
    turn = np.arctan(slip) + (np.pi if reverse else 0.0)
    poses[:, :3, :3] = poses[:, :3, :3] @ yaw_rotation(turn)
    return Trajectory(time_us=clock_us((len(s_m) - 1) * 0.1), world_from_body=poses)


def ego_drive(
    line: CentreLine, seed: int, seconds: float, speed_mps: float, start_m: float = 0.0
) -> Trajectory:
    """The recording car in its lane, at a speed that changes a little and smoothly."""
    rng = np.random.default_rng([seed, 62])
    second = clock_us(seconds) * 1e-6
    swing = rng.uniform(0.01, 0.03) * speed_mps
    s = speed_mps * second + swing * (1.0 - np.cos(0.5 * np.pi * second)) / (0.5 * np.pi)
    drift = 0.08 * np.sin(2.0 * np.pi * second / 6.0)  # nobody drives on rails
    return drive(line, start_m + s, drift)


def body(
    actor_id: int,
    kind: Semantic,
    seed: int,
    line: CentreLine,
    s_m: Float[np.ndarray, "n"],
    d_m: Float[np.ndarray, "n"] | float,
    reverse: bool = False,
    z_m: float = 0.0,
) -> Body:
    """A road user that follows (s, d); `z_m` is the height of the ground."""
    mesh, limbs, size_m = _figure(kind, seed)
    d_m = np.broadcast_to(np.asarray(d_m, np.float64), s_m.shape)
    path = drive(line, s_m, d_m, z_m + 0.5 * float(size_m[2]), reverse)
    limbs = tuple(replace(limb, mesh=limb.mesh.labelled(kind, actor_id)) for limb in limbs)
    actor = Actor(id=actor_id, kind=kind, size_m=size_m, trajectory=path)
    return Body(actor=actor, mesh=mesh.labelled(kind, actor_id), limbs=limbs)


def steady(seconds: float, start_m: float, speed_mps: float) -> Float64[np.ndarray, "n"]:
    """Arc lengths at constant speed; a negative speed heads against the line."""
    return start_m + speed_mps * clock_us(seconds) * 1e-6


def walker(
    actor_id: int,
    seed: int,
    line: CentreLine,
    seconds: float,
    start_m: float,
    d_m: float,
    speed_mps: float = 1.3,
    z_m: float = 0.12,
) -> Body:
    """A pedestrian along the road; a negative speed walks towards the ego."""
    path = steady(seconds, start_m, speed_mps)
    return body(actor_id, Semantic.PERSON, seed, line, path, d_m, speed_mps < 0, z_m)


def parked(
    actor_id: int,
    seed: int,
    line: CentreLine,
    s_m: float,
    d_m: float,
    yaw: float = 0.0,
    kind: Semantic = Semantic.CAR,
) -> Body:
    """Somebody who stays where they are for as long as the drive lasts."""
    still = body(actor_id, kind, seed, line, np.array([s_m, s_m]), d_m)
    pose = still.actor.trajectory.world_from_body[:1].copy()
    pose[:, :3, :3] = pose[:, :3, :3] @ yaw_rotation(np.array([yaw]))
    always = Trajectory(
        time_us=np.array([0, 60_000_000], np.int64), world_from_body=np.repeat(pose, 2, axis=0)
    )
    return replace(still, actor=replace(still.actor, trajectory=always))


def parked_row(
    first_id: int,
    seed: int,
    line: CentreLine,
    span_m: tuple[float, float],
    kerb_m: float,
    side: float,
) -> list[Body]:
    """Cars and vans with gaps, along the left (`side` 1) or right (-1) of a kerb at `kerb_m`."""
    rng = np.random.default_rng([seed, 63, 10 + int(side)])
    bodies, s = [], span_m[0] + rng.uniform(0, 4)
    while s < span_m[1]:
        kind = Semantic.VAN if rng.uniform() < 0.08 else Semantic.CAR
        made = int(rng.integers(1000))
        size = _figure(kind, made)[2]
        d = kerb_m + side * (0.5 * float(size[1]) + rng.uniform(0.15, 0.3))
        turn = (np.pi if side < 0 else 0.0) + rng.normal(0, 0.012)
        if rng.uniform() < 0.7 and len(bodies) < 60:
            middle = s + 0.5 * float(size[0])
            bodies.append(parked(first_id + len(bodies), made, line, middle, d, turn, kind))
        s += float(size[0]) + rng.uniform(0.7, 2.4)
    return bodies


def headlights(bodies: Sequence[Body], ego: bool = True) -> tuple[Lamp, ...]:
    """Two dipped beams for each body that drives, and for the recording car."""
    ahead = np.array([np.cos(0.06), 0.0, -np.sin(0.06)])
    places = [(EGO, np.array([3.6, 0.0, 0.65]), 0.62)] if ego else []
    for one in bodies:
        if one.actor.is_moving and one.actor.kind not in (Semantic.PERSON, Semantic.CYCLIST):
            length, width, height = one.actor.size_m
            low = 0.45 * height if height < 2.2 else 0.7
            nose = np.array([0.5 * length + 0.05, 0.0, low - 0.5 * height])
            places.append((one.actor.id, nose, 0.34 * width))
    return tuple(
        Lamp(
            position_m=nose + [0.0, side * apart, 0.0],
            direction=ahead,
            spread_rad=0.38,
            intensity=np.array([230.0, 215.0, 185.0]),
            carrier=carrier,
        )
        for carrier, nose, apart in places
        for side in (-1.0, 1.0)
    )
