"""How somebody follows somebody else."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from jaxtyping import Float64, Int64

from scenes.actor import Actor
from scenes.edits.actors import ID, SPEED, changed, find_actor
from scenes.edits.edited_scene import EditedScene
from scenes.edits.ego import TIME
from scenes.edits.routes import Route, speed_at
from scenes.edits.tracks import after, on_own_way
from scenes.errors import InfeasibleError
from scenes.motion.smoothing import steady
from scenes.motion.trajectory import Trajectory
from scenes.storage.validation import Within, check

STEP_US = 20_000
"""Spacing of the times at which a follower decides [µs]."""
STANDSTILL_M = 2.0
"""Gap that a follower keeps when both stand [m]."""
BRAKING_MPS2, ACCELERATING_MPS2 = 3.0, 1.5
"""What a follower finds comfortable [m/s²]."""
HARDEST_MPS2 = 9.0
"""What a follower is able to [m/s²]."""
LANE_M = 2.0
"""A leader further than this to the side of a follower's way is not on it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FollowActor:
    """Keep a distance to somebody ahead on its own way, as drivers do.

    The intelligent driver model (Treiber, Hennecke and Helbing, 2000), never harder than full
    braking. A leader that is not on the follower's way is not followed.
    """

    kind: ClassVar[str] = "follow-actor"
    may_precede_drive: ClassVar[bool] = False

    actor: Annotated[int, ID]
    """Track id of who follows."""
    leader: Annotated[int, ID]
    """Track id of who is followed."""
    start_us: Annotated[int, TIME]
    """When it begins to [µs]."""
    headway_s: Annotated[float, Within(0.1, 10.0, "s")]
    """Time gap to the leader's rear that it wants [s]."""
    speed_mps: Annotated[float, Within(0.1, SPEED.high, "m/s")]
    """How fast it goes when there is nobody ahead [m/s]."""

    def __post_init__(self) -> None:
        check(self)

    def apply(self, edited: EditedScene) -> EditedScene:
        """The edited scene with it behind its leader; same times.

        Raises:
            InfeasibleError: There is no such actor, or it is not there at the start.
        """
        leader = find_actor(edited, self.leader, self.kind)
        if self.actor == self.leader:
            wrong = f"actor {self.actor} cannot follow itself"
            raise InfeasibleError(self.kind, wrong, "another leader", "no leader")

        def follows(actor: Actor) -> Actor:
            later = after(actor, self.start_us, self.kind)
            gone_m = self._gone(actor, leader, actor.trajectory.time_us[later])
            return on_own_way(actor, self.start_us, gone_m, edited.ground)

        return changed(edited, self.actor, self.kind, follows)

    def _gone(
        self, actor: Actor, leader: Actor, at_us: Int64[np.ndarray, "n"]
    ) -> Float64[np.ndarray, "n"]:
        """Way since the start at later times [m]."""
        times = np.arange(self.start_us, int(at_us[-1]) + STEP_US, STEP_US)
        ahead_m, lead_mps = _leading(actor, leader, self.start_us, times)
        speed, gone, step_s = speed_at(actor.trajectory, self.start_us), [0.0], STEP_US * 1e-6
        for lead_m, lead_speed in zip(ahead_m[:-1].tolist(), lead_mps[:-1].tolist(), strict=True):
            rate = self._rate(speed, lead_m - gone[-1], lead_speed)
            later = max(0.0, speed + rate * step_s)
            gone.append(gone[-1] + 0.5 * (speed + later) * step_s)
            speed = later
        return np.interp(at_us, times, gone)

    def _rate(self, speed: float, gap_m: float, lead_mps: float) -> float:
        """Acceleration of a driver at a speed with a gap to a leader, NaN where none [m/s²]."""
        free = 1.0 - (speed / self.speed_mps) ** 4
        wanted = 0.0
        if np.isfinite(gap_m):
            closing = speed * (speed - lead_mps) / (2 * (ACCELERATING_MPS2 * BRAKING_MPS2) ** 0.5)
            wanted = STANDSTILL_M + max(0.0, speed * self.headway_s + closing)
            wanted = (wanted / max(gap_m, 0.1)) ** 2
        return float(np.clip(ACCELERATING_MPS2 * (free - wanted), -HARDEST_MPS2, HARDEST_MPS2))

    def describe(self) -> str:
        """The edit in words."""
        return f"actor {self.actor} follows {self.leader} at {self.headway_s:g} s"


def _leading(
    actor: Actor, leader: Actor, start_us: int, times: Int64[np.ndarray, "n"]
) -> tuple[Float64[np.ndarray, "n"], Float64[np.ndarray, "n"]]:
    """Way from where a follower starts until it touches its leader [m], and the leader's speed.

    The speed is that along the follower's way [m/s], negative where the leader comes towards it.
    The way is NaN whenever the leader is not known, behind, or beside the follower's way.
    """
    route = Route.of(actor.trajectory, start_us)
    smooth = steady(leader.trajectory)
    xy_m = smooth.at(times)[:, :2, 3]
    way_m = route.nearest_m(xy_m)
    aside_m = np.linalg.norm(route.at(way_m)[:, :2, 3] - xy_m, axis=1)
    ahead_m = way_m - 0.5 * float(actor.size_m[0] + leader.size_m[0])
    known = (times >= smooth.time_us[0]) & (times <= leader.trajectory.time_us[-1])
    known &= (aside_m <= LANE_M) & (way_m > 0.0)
    yaw, velocity = route.yaw_at(way_m), _velocity_mps(smooth, times)
    along_mps = velocity[:, 0] * np.cos(yaw) + velocity[:, 1] * np.sin(yaw)
    return np.where(known, ahead_m, np.nan), along_mps


def _velocity_mps(smooth: Trajectory, times: Int64[np.ndarray, "n"]) -> Float64[np.ndarray, "n 2"]:
    """Velocity of a smooth path in plan view at times, held beyond its ends."""
    if len(smooth) == 1:
        return np.zeros((len(times), 2))
    per_s = np.gradient(smooth.world_from_body[:, :2, 3], smooth.time_us * 1e-6, axis=0)
    return np.stack([np.interp(times, smooth.time_us, column) for column in per_s.T], axis=1)
