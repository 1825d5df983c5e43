"""Which way poses are meant, where they are not a camera's in the world as we take them.

A few mistakes make nearly all wrong poses: the inverse, and axes of the car, the lidar or OpenGL.
A mistake is named when undoing it makes the camera travel the way it looks, level and steadily.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from scenes.importers.plausibility.travel import Travel, travel_of
from scenes.motion.geometry import invert, rigid

Poses = Float64[np.ndarray, "n 4 4"]
"""Poses in the order of time [m]."""

MAX_PITCH_RAD = np.radians(10.0)
"""No car's front camera looks further up or down from its travel."""
CLEARLY = 0.8
"""One reading is steadier than another if it strays less than this share of the other's."""
JITTER_RAD = np.radians(0.5)
"""Directions that stray by less are as steady as any."""
FORWARD = np.array([0.0, 0.0, 1.0])
"""Where a camera looks, in its own axes."""

CAR_AXES = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
"""Axes of a level camera (x right, y down, z forward) in x forward, y left, z up."""
DOWN_AXES = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
"""The same in x forward, y right, z down."""
RIGHT_AXES = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""The same in x right, y forward, z up."""
OPENGL_AXES = np.diag([1.0, -1.0, -1.0])
"""The same in x right, y up, z back."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Convention:
    """Another way in which poses may be meant."""

    name: str
    """What they look like: "these are ..."."""
    repair: str
    """What makes them ours."""
    ours: Callable[[Poses], Poses]
    """world_from_camera of such poses."""
    mistakes: int = 1
    """How many would have to come together."""


def _axes(name: str, theirs_from_camera: Float64[np.ndarray, "3 3"]) -> tuple[Convention, ...]:
    turn = rigid(theirs_from_camera, np.zeros(3))
    rows = [" ".join(f"{value:g}" for value in row) for row in theirs_from_camera + 0.0]
    times = f"multiply each rotation by [{', '.join(rows)}] (rows) from the right"
    return (
        Convention(name=name, repair=times, ours=lambda poses: poses @ turn),
        Convention(
            name=f"the inverse of {name}",
            repair=f"invert each pose, then {times}",
            ours=lambda poses: invert(poses) @ turn,
            mistakes=2,
        ),
    )


INVERSE = Convention(name="camera_from_world", repair="invert each pose", ours=invert)
OPENGL, OPENGL_INVERSE = _axes("OpenGL's axes (x right, y up, z back)", OPENGL_AXES)
CONVENTIONS: tuple[Convention, ...] = (
    INVERSE,
    *_axes("the car's or lidar's axes (x forward, y left, z up)", CAR_AXES),
    OPENGL,
    OPENGL_INVERSE,
    *_axes("axes x right, y forward, z up", RIGHT_AXES),
    *_axes("axes x forward, y right, z down", DOWN_AXES),
)
"""The commonest first."""


def pitch_of(travel: Travel) -> float:
    """How far the camera looks below the way it travels, forwards or backwards [rad].

    The mean of the middle half of all steps: so it is the same for one drive at any rate.
    """
    along = travel.direction * np.where(travel.direction[:, 2:] < 0, -1.0, 1.0)
    below = np.sort(np.arctan2(-along[:, 1], np.hypot(along[:, 0], along[:, 2])))
    quarter = len(below) // 4
    return float(np.mean(below[quarter : len(below) - quarter]))


def looks_along(travel: Travel) -> bool:
    """Whether the camera travels, forwards or backwards, as it looks, and about level."""
    ahead, back = travel.along(FORWARD)
    return bool(ahead + back > 0.5 and abs(pitch_of(travel)) <= MAX_PITCH_RAD)


def likely_conventions(poses: Poses) -> tuple[Convention, ...]:
    """The mistakes which, undone, let the camera travel forwards; the likeliest first.

    They are those whose directions of travel are the steadiest (the inverse of a drive with bends,
    taken as it is, slides sideways in them), and of these the simplest.
    """
    found = []
    for convention in CONVENTIONS:
        travel = travel_of(convention.ours(poses))
        if travel.measured and looks_along(travel) and travel.along(FORWARD)[0] > 0.5:
            found.append((max(travel.unsteady(), JITTER_RAD), convention))
    if not found:
        return ()
    steadiest = min(unsteady for unsteady, _ in found)
    steady = [convention for unsteady, convention in found if unsteady * CLEARLY <= steadiest]
    fewest = min(convention.mistakes for convention in steady)
    return tuple(convention for convention in steady if convention.mistakes == fewest)
