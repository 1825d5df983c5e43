"""A street with houses, trees, cars, sun and sky: everything there is to know, from a seed.

World axes: x along the street, y left, z up; metres; the ego starts near the origin. Rest
coordinates are the straight street, world coordinates the gently winding one.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int64

from scenes.actor import Actor
from scenes.motion.gait import strides, swung
from scenes.motion.geometry import rigid, yaw_rotation
from scenes.motion.trajectory import Trajectory
from scenes.work.short_repr import short_repr
from scenes.worlds.light.lighting import Lighting
from scenes.worlds.models.buildings import houses
from scenes.worlds.models.furniture import furniture
from scenes.worlds.models.mesh import Mesh, join
from scenes.worlds.models.plants import plants
from scenes.worlds.models.roads import ONCOMING_M, ROAD_M, RoadDetails, ground, road_details
from scenes.worlds.models.vehicles import HATCH, PAINTS, SEDAN, SHAPES, car

BEND_M = 1.6
"""How far the street winds to the left before it comes back."""
BEND_LENGTH_M = 230.0
"""Over what length."""
CLIP_US = 4_000_000
"""How long the world's cars know where they are going."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Limb:
    """A rigid part that swings about a hinge, as arms and legs do."""

    mesh: Mesh
    """In the frame of the body's box, as when it hangs straight."""
    hinge_m: Float64[np.ndarray, "3"]
    """A point of the hinge, in the same frame."""
    axis: Float64[np.ndarray, "3"]
    """Unit vector along the hinge."""
    swing_rad: float
    """How far it swings to either side."""
    period_us: int
    """Time of a swing there and back."""
    phase: float = 0.0
    """Where in its swing it is at time 0, 0 to 1."""
    stride_m: float = 1.5
    """Way that somebody makes in a swing there and back."""
    path: Trajectory | None = None
    """It swings by the distance along this (`scenes.motion.gait`); None by the clock."""

    def box_from_limb(self, time_us: Int64[np.ndarray, "n"]) -> Float64[np.ndarray, "n 4 4"]:
        """The turn about the hinge at each time."""
        swings, share = time_us / self.period_us, 1.0
        if self.path is not None:
            swings, share = strides(self.path, time_us, self.stride_m)
        angle = share * self.swing_rad * np.sin(2.0 * np.pi * (swings + self.phase))
        return swung(self.hinge_m, self.axis, angle)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Body:
    """One road user: who it is, and its mesh in the frame of its box."""

    actor: Actor
    mesh: Mesh
    limbs: tuple[Limb, ...] = ()
    """What swings; the box holds it at all times."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LaneLine:
    """A painted line that separates or borders lanes."""

    points_m: Float64[np.ndarray, "n 3"]
    """A polyline along its middle, in the world, at most 1 m between points."""
    dashed: bool


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class World:
    """A place and who moves in it, traced by `scenes.worlds.trace.tracer`."""

    recipe: str
    """Which recipe of `scenes.worlds.recipes` made it."""
    seed: int
    scenery: Mesh
    """What never moves, cars excepted."""
    bodies: tuple[Body, ...]
    """Cars, parked ones too; instance ids are the ids of their actors."""
    road: RoadDetails
    """What is painted on the road."""
    ego: Trajectory
    """A drive along the right lane, 10 poses a second; x forward, on the ground."""
    lighting: Lighting
    lane_lines: tuple[LaneLine, ...] = ()
    drivable_m: tuple[Float64[np.ndarray, "_ 2"], ...] = ()
    """Polygons that cover the drivable surface, seen from above, in the world."""
    wetness: float = 0.0
    """How much water covers the road, 0 dry to 1 mirrors."""

    __repr__ = short_repr


def bend_y_m(x_m: np.ndarray) -> np.ndarray:
    """How far the street is displaced to the left at `x_m`; 0 at the origin."""
    return BEND_M * np.sin(np.pi * x_m / BEND_LENGTH_M) ** 2


def bend_yaw(x_m: np.ndarray) -> np.ndarray:
    """Heading of the street at `x_m` [rad]."""
    slope = BEND_M * np.pi / BEND_LENGTH_M * np.sin(2.0 * np.pi * x_m / BEND_LENGTH_M)
    return np.arctan(slope)


def _bent(mesh: Mesh) -> Mesh:
    """The mesh, displaced with the street but still painted as when straight."""
    vertices = mesh.vertices_m.copy()
    vertices[:, 1] += bend_y_m(vertices[:, 0])
    return replace(mesh, vertices_m=vertices)


def along_street(
    x_m: np.ndarray, y_m: np.ndarray, z_m: float = 0.0
) -> Float64[np.ndarray, "n 4 4"]:
    """World poses of rest positions, x axis along the street."""
    x_m, y_m = np.broadcast_arrays(x_m, y_m)
    place = np.stack([x_m, y_m + bend_y_m(x_m), np.full(x_m.shape, z_m)], axis=-1)
    return rigid(yaw_rotation(bend_yaw(x_m)), place)


def ego_drive(seed: int) -> Trajectory:
    """Forty frames and a little before and after, at a speed that changes smoothly."""
    rng = np.random.default_rng([seed, 40])
    time_us = np.arange(0, CLIP_US + 1, 100_000, dtype=np.int64)
    second = time_us * 1e-6
    start, swing = rng.uniform(13.4, 14.2), rng.uniform(0.4, 0.8)
    x = start * second + swing * (1.0 - np.cos(0.5 * np.pi * second)) / (0.5 * np.pi)
    drift = 0.08 * np.sin(2.0 * np.pi * second / 6.0)  # nobody drives on rails
    drift_yaw = np.arctan(np.gradient(drift, x))
    poses = along_street(x, drift)
    poses[:, :3, :3] = poses[:, :3, :3] @ yaw_rotation(drift_yaw)
    return Trajectory(time_us=time_us, world_from_body=poses)


def _parked(seed: int) -> list[Body]:
    """Two rows of parked cars with gaps, some facing the other way on the left."""
    rng = np.random.default_rng([seed, 41])
    bodies = []
    for side in (-1.0, 1.0):
        x = -34.0 + rng.uniform(0, 4)
        while x < 175.0:
            shape = SHAPES[int(rng.choice(3, p=(0.48, 0.46, 0.06)))]
            mesh, size = car(shape, PAINTS[int(rng.integers(len(PAINTS)))])
            kerb = ROAD_M[0] + 0.2 if side < 0 else ROAD_M[1] - 0.2
            y = kerb - side * (0.5 * size[1] + rng.uniform(0.0, 0.15))
            pose = along_street(np.array([x + 0.5 * size[0]]), np.array([y]), 0.5 * size[2])
            turn = (np.pi if side > 0 else 0.0) + rng.normal(0, 0.012)
            pose[:, :3, :3] = pose[:, :3, :3] @ yaw_rotation(np.array([turn]))
            if rng.uniform() < 0.72 and not 44.0 < x < 51.0:
                always = np.array([0, CLIP_US], np.int64)
                still = Trajectory(time_us=always, world_from_body=np.repeat(pose, 2, axis=0))
                actor = Actor(id=len(bodies) + 2, kind=shape.kind, size_m=size, trajectory=still)
                bodies.append(Body(actor=actor, mesh=mesh.labelled(shape.kind, actor.id)))
            x += float(size[0] + rng.uniform(0.7, 2.2))
    return bodies


def _oncoming(seed: int) -> Body:
    """One car that comes the other way, in its own lane, and has not yet passed at 3 s."""
    rng = np.random.default_rng([seed, 42])
    shape = (HATCH, SEDAN)[int(rng.integers(2))]
    mesh, size = car(shape, PAINTS[int(rng.choice([2, 4]))])
    time_us = np.arange(0, CLIP_US + 1, 100_000, dtype=np.int64)
    x = rng.uniform(79.0, 82.0) - rng.uniform(9.2, 9.8) * time_us * 1e-6
    poses = along_street(x, np.full(x.shape, ONCOMING_M), 0.5 * size[2])
    poses[:, :3, :3] = poses[:, :3, :3] @ yaw_rotation(np.array([np.pi]))
    actor = Actor(
        id=1,
        kind=shape.kind,
        size_m=size,
        trajectory=Trajectory(time_us=time_us, world_from_body=poses),
    )
    return Body(actor=actor, mesh=mesh.labelled(shape.kind, 1))


def cars(seed: int) -> tuple[Body, ...]:
    """The car that comes, and all that are parked, by increasing id."""
    return (_oncoming(seed), *_parked(seed))


def street(seed: int) -> World:
    """The street of a seed: the same seed, the same bytes."""
    rng = np.random.default_rng([seed, 43])
    # Behind the driver and to the right: walls on the left are lit, trees shade the road.
    azimuth = np.pi + rng.uniform(0.42, 0.58)
    height = rng.uniform(0.72, 0.85)
    flat = np.cos(height)
    to_sun = np.array([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(height)])
    scenery = join([ground(seed), houses(seed), plants(seed), furniture(seed)])
    return World(
        recipe="street",
        seed=seed,
        scenery=_bent(scenery),
        bodies=cars(seed),
        road=road_details(seed),
        ego=ego_drive(seed),
        lighting=Lighting(
            to_sun=to_sun,
            sun_irradiance=np.array([7.2, 6.6, 5.6]),
            sky_radiance=np.array([0.30, 0.50, 0.92]),
        ),
    )
