"""A clip as a scenario changes it: who is where and when, and what the camera makes of it.

Rendering needs nothing else of a scenario, so whatever an edit does, it does to one of these.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from scenes.actor import Actor
from scenes.motion.trajectory import Trajectory
from scenes.road.ground import Ground
from scenes.sensors.camera_look import NEUTRAL, CameraLook
from scenes.work.short_repr import short_repr


@dataclass(frozen=True, kw_only=True, slots=True)
class EditedScene:
    """A recorded drive after edits: what is to be rendered."""

    ego: Trajectory
    """`world_from_ego`; all sensors move rigidly with it (`Trajectory.mounted`)."""
    actors: tuple[Actor, ...]
    """Other road users, by increasing id."""
    start_us: int
    """First time to render, within the drive [µs]."""
    end_us: int
    """Last time to render [µs]."""
    camera: CameraLook = NEUTRAL
    """Exposure and white balance."""
    assets: Mapping[int, str] = field(default_factory=dict)
    """Id of an actor -> the asset that it looks like (`scenes.edits.assets`), where it does not
    look like itself: inserted and swapped ones."""
    ground: Ground | None = None
    """Road height, for edits that put somebody elsewhere; None keeps everybody at the height of
    their own track."""

    __repr__ = short_repr
