"""A clip as a scenario changes it: who is where and when, under which light.

Rendering needs nothing else of a scenario, so whatever an edit does, it does to one of these.
"""

from dataclasses import dataclass

from scenes.actor import Actor
from scenes.look import Look
from scenes.trajectory import Trajectory


@dataclass(frozen=True, kw_only=True, slots=True)
class Staging:
    """What is to be rendered."""

    ego: Trajectory
    """`world_from_ego`; all sensors move rigidly with it (`Trajectory.mounted`)."""
    actors: tuple[Actor, ...]
    """Other road users, by increasing id."""
    look: Look
    """How it looks."""
    start_us: int
    """First time to render, within the drive [µs]."""
    end_us: int
    """Last time to render [µs]."""
