"""Tools of the edits that change how somebody moves: joining, placing, driving one's own way."""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

from scenes.actor import Actor
from scenes.edits.routes import Route
from scenes.edits.standing import on_plane, settled, yaw_of
from scenes.errors import InfeasibleError
from scenes.motion.geometry import nearest_places
from scenes.motion.smoothing import steady
from scenes.motion.trajectory import Trajectory
from scenes.road.ground import Ground


def after(actor: Actor, start_us: int, where: str) -> Bool[np.ndarray, "n"]:
    """Which poses of a track come after a time.

    Raises:
        InfeasibleError: The actor is not known then, or never after.
    """
    times = actor.trajectory.time_us
    if not times[0] <= start_us < times[-1]:
        span = f"from {times[0]} to {times[-1]} µs"
        wrong = f"actor {actor.id} is not there at {start_us} µs, but {span}"
        raise InfeasibleError(where, wrong, "a start_us between the two", "not known then")
    return times > start_us


def joined(
    path: Trajectory, at_us: Int64[np.ndarray, "n"], poses: Float64[np.ndarray, "n 4 4"]
) -> Trajectory:
    """A track as it was before the first new time, and as it is said from then on."""
    past = path.time_us < at_us[0]
    return Trajectory(
        time_us=np.concatenate([path.time_us[past], at_us]),
        world_from_body=np.concatenate([path.world_from_body[past], poses]),
    )


def since(start_us: int, ego: Trajectory, poses: Float64[np.ndarray, "n 4 4"]) -> Trajectory:
    """The poses after a time, and those of `ego` until then."""
    later = ego.time_us > start_us
    return replace(ego, world_from_body=np.where(later[:, None, None], poses, ego.world_from_body))


def placed(
    actor: Actor,
    xy_m: Float64[np.ndarray, "n 2"],
    yaw: Float64[np.ndarray, "n"],
    ground: Ground | None,
) -> Float64[np.ndarray, "n 4 4"]:
    """An actor's box at places of the world, on the ground there.

    Args:
        actor: Height and tilt are those of the nearest pose of its track.
        xy_m: Where the middle of its box is in plan view [m].
        yaw: Where it faces [rad]; NaN as in the nearest pose of its track.
        ground: Road height.
    """
    own = actor.trajectory.world_from_body
    before = own[nearest_places(xy_m, own[:, :2, 3])]
    place = np.concatenate([xy_m, before[:, 2:3, 3]], axis=1)
    poses = on_plane(place, before[:, :3, 2], np.where(np.isnan(yaw), yaw_of(before), yaw))
    return settled(poses, before, float(actor.size_m[2]), ground)


def way_since_m(path: Trajectory, start_us: int) -> Float64[np.ndarray, "n"]:
    """How far a body went from a time to each of its poses, negative before it [m]."""
    smooth = steady(path)
    way_m = np.interp(path.time_us, smooth.time_us, smooth.travelled_m())
    return way_m - np.interp(start_us, smooth.time_us, smooth.travelled_m())


def on_own_way(
    actor: Actor, start_us: int, gone_m: Float64[np.ndarray, "n"], ground: Ground | None
) -> Actor:
    """An actor on its own way, so far along it at each of its later times."""
    path = actor.trajectory
    route = Route.of(path, start_us)
    poses = route.at(gone_m)
    inside = route.at(np.clip(gone_m, route.way_m[0], route.way_m[-1]))
    beyond = gone_m > route.way_m[-1]
    height_m = float(actor.size_m[2])
    poses[beyond] = settled(poses[beyond], inside[beyond], height_m, ground)
    return replace(actor, trajectory=joined(path, path.time_us[path.time_us > start_us], poses))
