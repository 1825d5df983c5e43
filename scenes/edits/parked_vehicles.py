"""Vehicles that stand for the whole recording, and may yet have fields of their own.

Who stands is in one place for good: also before its track begins and after it ends, and however
its tracked box jitters. A scene says which of them it has fields for.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Int64

from scenes.actor import Actor
from scenes.motion.trajectory import Trajectory
from scenes.safety.encounters import standing_pose
from scenes.semantics import Semantic

VEHICLES = frozenset({Semantic.CAR, Semantic.VAN, Semantic.TRUCK, Semantic.BUS})
"""Kinds whose standing ones may have fields: rigid, and large enough to be worth it."""
STEADY_M, MOSTLY = 0.4, 90.0
"""Their boxes are known well enough where this percentage of poses is this near to the one."""


def parked(actor: Actor) -> bool:
    """Whether somebody is a vehicle that stands all the time, in a place that is well known."""
    if actor.kind not in VEHICLES or actor.is_moving:
        return False
    place_m = actor.trajectory.world_from_body[:, :3, 3]
    off_m = np.linalg.norm(place_m - standing_pose(actor)[:3, 3], axis=1)
    return bool(np.percentile(off_m, MOSTLY) <= STEADY_M)


def in_place(actor: Actor, time_us: Int64[np.ndarray, "n"]) -> Actor:
    """Somebody who stands, in its one place at increasing times."""
    poses = np.repeat(standing_pose(actor)[None], len(time_us), axis=0)
    return replace(actor, trajectory=Trajectory(time_us=time_us, world_from_body=poses))


def for_good(
    actors: Sequence[Actor], fielded: frozenset[int], time_us: Int64[np.ndarray, "n"]
) -> tuple[Actor, ...]:
    """The same road users, those of the ids `fielded` who stand in their one place throughout.

    Times may repeat: a drive of one picture ends when it begins.
    """
    times = np.unique(time_us)
    return tuple(
        in_place(actor, times) if actor.id in fielded and not actor.is_moving else actor
        for actor in actors
    )
