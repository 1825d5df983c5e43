"""An edited scene with somebody to edit, and one edit of each kind that can be done to it."""

import numpy as np

from scenes.actor import Actor
from scenes.edits import Edit
from scenes.edits.actor_looks import InsertActor, ScaleActor, SwapActor
from scenes.edits.actor_motion import FollowPath, RerouteActor, SpeedProfile
from scenes.edits.actors import MoveActor, RemoveActor, RemoveTraffic, RetimeActor
from scenes.edits.edited_scene import EditedScene
from scenes.edits.ego import LaneChange, LateralOffset
from scenes.edits.ego_paths import EgoDetour, EgoPath, EgoSpeed
from scenes.edits.ego_u_turn import EgoUTurn
from scenes.edits.exposure import Exposure, WhiteBalance
from scenes.edits.following import FollowActor
from scenes.motion.geometry import translation
from scenes.motion.trajectory import Trajectory
from scenes.road.ground import fit_ground
from scenes.semantics import Semantic
from tests.clip_maker import make_clip, parked_car, ride

PARKED, DRIVING, WALKING = 3, 7, 12
SPEED_MPS = 10.0


def driving_car(
    speed_mps: float = SPEED_MPS, x_m: float = 20.0, y_m: float = 0.0, bend_per_m: float = 0.0
) -> Actor:
    """A car 1.5 m high on the ground, from x, y at uniform speed."""
    path = ride(speed_mps=speed_mps, bend_per_m=bend_per_m)
    up = translation(np.array([x_m, y_m, 0.75]))
    poses = up @ path.world_from_body
    return Actor(
        id=DRIVING,
        kind=Semantic.CAR,
        size_m=np.array([4.0, 1.8, 1.5]),
        trajectory=Trajectory(time_us=path.time_us, world_from_body=poses),
    )


def walker() -> Actor:
    """Somebody who crosses the road and is only known for a while."""
    time_us = np.arange(1_000_000, 4_000_001, 100_000)
    turned = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    poses = np.tile(np.eye(4), (len(time_us), 1, 1))
    poses[:, :3, :3] = turned
    poses[:, 0, 3], poses[:, 2, 3] = 40.0, 0.9
    poses[:, 1, 3] = -6.0 + 1.4 * time_us * 1e-6
    return Actor(
        id=WALKING,
        kind=Semantic.PERSON,
        size_m=np.array([0.8, 0.6, 1.8]),
        trajectory=Trajectory(time_us=time_us, world_from_body=poses),
    )


def make_edited_scene(ego: Trajectory | None = None, car: Actor | None = None) -> EditedScene:
    """The ego along x, somebody parked, a car ahead and somebody on foot."""
    actors = (parked_car(30.0, 4.0, PARKED), car or driving_car(), walker())
    clip = make_clip(ego or ride(), actors)
    return EditedScene(
        ego=clip.ego,
        actors=actors,
        start_us=0,
        end_us=6_000_000,
        ground=fit_ground(clip),
    )


def actor_of(edited: EditedScene, number: int = DRIVING) -> Actor:
    """The actor with an id."""
    return next(actor for actor in edited.actors if actor.id == number)


ONE_OF_EACH: tuple[Edit, ...] = (
    LateralOffset(offset_m=1.0, start_us=1_000_000, duration_us=2_000_000),
    LaneChange(offset_m=3.0, start_us=1_000_000, duration_us=3_000_000),
    EgoDetour(offset_m=2.0, start_us=500_000, duration_us=2_500_000, hold_us=100_000),
    EgoSpeed(start_us=1_000_000, speed_mps=5.0, change_mps2=3.0),
    EgoUTurn(across_m=13.0, start_us=500_000, change_mps2=5.0),
    EgoPath(time_us=(0, 3_000_000, 6_000_000), x_m=(0.0, 42.6, 85.2), y_m=(0.0, 0.1, 0.2)),
    RemoveActor(actor=WALKING),
    RemoveTraffic(keep=(DRIVING,)),
    MoveActor(actor=DRIVING, forward_m=2.0, left_m=-1.0, yaw_deg=15.0),
    RetimeActor(actor=WALKING, shift_us=-400_000, stretch=1.5),
    InsertActor(actor=90, asset="bus", start_us=500_000, ahead_m=25.0, left_m=3.0, speed_mps=8.0),
    SwapActor(actor=DRIVING, asset="van"),
    ScaleActor(actor=WALKING, factor=0.7),
    RerouteActor(actor=DRIVING, start_us=2_000_000, x_m=(50.0, 60.0), y_m=(1.0, 3.0)),
    FollowPath(
        actor=DRIVING,
        time_us=(1_000_000, 2_000_000, 3_500_000),
        x_m=(30.0, 38.0, 50.0),
        y_m=(0.0, 0.5, 2.0),
    ),
    SpeedProfile(actor=DRIVING, start_us=1_500_000, speed_mps=0.0, change_mps2=4.0),
    FollowActor(actor=DRIVING, leader=PARKED, start_us=1_000_000, headway_s=1.2, speed_mps=12.0),
    Exposure(stops=0.5),
    WhiteBalance(red=1.5, blue=0.8),
)


def speeds(actor: Actor) -> np.ndarray:
    """Of each step of a track [m/s]."""
    path = actor.trajectory
    steps = np.linalg.norm(np.diff(path.world_from_body[:, :3, 3], axis=0), axis=1)
    return steps / np.diff(path.time_us * 1e-6)
