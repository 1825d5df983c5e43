"""The lenses that a camera may have: a closed table of models, each a module of the same functions.

    opencv           k1 k2 p1 p2 [k3 [k4 k5 k6]], or none     scenes.sensors.lens
    kannala-brandt   k1 k2 k3 k4, or none                     scenes.sensors.fisheye
    mei              xi k1 k2 p1 p2                           scenes.sensors.mei
    ftheta           k2 k3 k4 k5 d e widest, or none          scenes.sensors.ftheta
    ftheta-inverse   likewise, of the angle of a radius       scenes.sensors.ftheta

OpenCV's sees what is in front of it, on the plane z = 1; all others may see beside and behind
themselves. Everything is in focal lengths from the principal point.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from scenes.sensors.fisheye import fisheye_plane, fisheye_problem, fisheye_rays, fisheye_solid_angle
from scenes.sensors.ftheta import ftheta_plane, ftheta_problem, ftheta_rays, ftheta_solid_angle
from scenes.sensors.lens import opencv_plane, opencv_problem, opencv_rays, opencv_solid_angle
from scenes.sensors.mei import mei_plane, mei_problem, mei_rays, mei_solid_angle

LensName = Literal["opencv", "kannala-brandt", "mei", "ftheta", "ftheta-inverse"]
Numbers = tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class LensModel:
    """What a camera must know of its lens; each function takes its numbers second."""

    plane: Callable[[np.ndarray, Numbers], np.ndarray]
    """Where points of the camera's frame land; NaN where the lens cannot see them."""
    rays: Callable[[np.ndarray, Numbers], np.ndarray]
    """Directions, of any length, of what lands at places; NaN where nothing does."""
    solid_angle: Callable[[np.ndarray, Numbers, float], np.ndarray]
    """Solid angle [sr] that squares of an area about places see; NaN where `rays` are."""
    problem: Callable[[Numbers], str | None]
    """What is wrong with the numbers, in words."""


LENSES: dict[LensName, LensModel] = {
    "opencv": LensModel(
        plane=opencv_plane, rays=opencv_rays,
        solid_angle=opencv_solid_angle, problem=opencv_problem,
    ),
    "kannala-brandt": LensModel(
        plane=fisheye_plane, rays=fisheye_rays,
        solid_angle=fisheye_solid_angle, problem=fisheye_problem,
    ),
    "mei": LensModel(
        plane=mei_plane, rays=mei_rays,
        solid_angle=mei_solid_angle, problem=mei_problem,
    ),
    "ftheta": LensModel(
        plane=ftheta_plane, rays=ftheta_rays,
        solid_angle=ftheta_solid_angle, problem=ftheta_problem,
    ),
    "ftheta-inverse": LensModel(
        plane=partial(ftheta_plane, inverse=True),
        rays=partial(ftheta_rays, inverse=True),
        solid_angle=partial(ftheta_solid_angle, inverse=True),
        problem=ftheta_problem,
    ),
}  # fmt: skip
"""By the name that cameras, clips and labels say."""
