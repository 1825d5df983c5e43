"""Truth of edited road users: when they are in view, and what is there without the edits.

World coordinates, metres, clip time in microseconds.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from jaxtyping import Float16, Int32

from scenes.actor import Actor
from scenes.worlds.light.light import Light
from scenes.worlds.trace.tracer import Tracer
from scenes.worlds.trace.view import photograph, true_view
from scenes.worlds.truth.truth_view import BRIGHTEST, Rig, Stage

LEAST_PX, LEAST_SHARE = 50, 0.003
"""Whoever has fewer pixels, or less of the picture, is hardly in view."""


def who_changed(before: Iterable[Actor], after: Iterable[Actor]) -> frozenset[int]:
    """Ids of those who are not where, or what, they were; gone and new ones are among them."""
    was, now = ({actor.id: actor for actor in actors} for actors in (before, after))
    return frozenset(number for number in was | now if was.get(number) != now.get(number))


def who_shows(stage: Stage, frame: int) -> bool:
    """Whether those whom edits changed are well in view at a frame; True where there are no edits.

    Where they are gone from the edited world, they are looked for in the recorded one.
    """
    if not stage.perturbed.edits:
        return True
    was, now = (_actors(tracer) for tracer in (stage.recorded, stage.tracer))
    changed = who_changed(was, now)
    there = changed & {actor.id for actor in now}
    rig, camera = stage.rig, replace(stage.rig.camera, readout_us=0)
    tracer, time_us = stage.tracer if there else stage.recorded, int(rig.time_us[frame])
    instance = true_view(tracer, camera, stage.pose(time_us), time_us).instance
    shown_px = int(np.isin(instance, list(changed)).sum())
    return shown_px >= max(LEAST_PX, LEAST_SHARE * instance.size)


def _actors(tracer: Tracer) -> list[Actor]:
    return [body.actor for body in tracer.world.bodies]


def recorded_picture(
    rig: Rig, light: Light, frame: int
) -> tuple[Float16[np.ndarray, "h w 3"], Int32[np.ndarray, "h w"]]:
    """Linear radiance and ids of actors, as the recorded world looks from the recorded path.

    Args:
        rig: What looks.
        light: Of the recorded world.
        frame: Of the recording.
    """
    camera, time_us = replace(rig.camera, readout_us=0), int(rig.time_us[frame])
    pose = light.tracer.world.ego.at(np.array([time_us]))[0] @ rig.ego_from_camera
    radiance = np.clip(photograph(light, camera, pose, time_us, rig.seed), 0.0, BRIGHTEST)
    linear = radiance.astype(np.float16).reshape(camera.height, camera.width, 3)
    return linear, true_view(light.tracer, camera, pose, time_us).instance
