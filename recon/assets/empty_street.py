"""An empty street on which procedural road users are looked at; needs Mitsuba to be traced."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float64

from scenes.actor import Actor
from scenes.edits.assets import LIBRARY, LIBRARY_SEED
from scenes.motion.geometry import translation
from scenes.motion.trajectory import Trajectory
from scenes.worlds.models.mesh import Mesh
from scenes.worlds.models.procedural import procedural
from scenes.worlds.models.world import Body, Limb, World, ground, street

BEGINS_M, LAST_US = 20.0, 10_000_000
"""Where somebody is at time 0, and how long it is there."""


def stage(name: str, speed_mps: float = 0.0) -> tuple[World, Actor, tuple[Limb, ...]]:
    """Who goes ahead there at a speed: the world, its box, and what swings."""
    mesh, limbs, size_m = procedural(LIBRARY[name], LIBRARY_SEED)
    track = track_at(0.5 * float(size_m[2]), speed_mps)
    limbs = tuple(replace(limb, path=track) for limb in limbs)
    return *on_the_street(name, mesh, limbs, size_m, track), limbs


def track_at(up_m: float, speed_mps: float = 0.0) -> Trajectory:
    """The way of a box whose middle is so high over the road."""
    ends_m = BEGINS_M, BEGINS_M + speed_mps * LAST_US * 1e-6
    places = translation(np.array([[x_m, 0.0, up_m] for x_m in ends_m]))
    return Trajectory(time_us=np.array([0, LAST_US]), world_from_body=places)


def on_the_street(
    name: str,
    mesh: Mesh,
    limbs: tuple[Limb, ...],
    size_m: Float64[np.ndarray, "3"],
    track: Trajectory,
) -> tuple[World, Actor]:
    """The street with one body on it, of the kind of an asset."""
    kind = LIBRARY[name]
    actor = Actor(id=1, kind=kind, size_m=size_m, trajectory=track)
    limbs = tuple(replace(limb, mesh=limb.mesh.labelled(kind, 1)) for limb in limbs)
    empty = street(LIBRARY_SEED)
    world = replace(
        empty,
        scenery=ground(LIBRARY_SEED),
        bodies=(Body(actor=actor, mesh=mesh.labelled(kind, 1), limbs=limbs),),
        lighting=replace(empty.lighting, overcast=1.0),
    )
    return world, actor
