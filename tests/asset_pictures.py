"""Masks of packaged assets on an empty street, and of their originals; needs Mitsuba."""

from functools import cache

import numpy as np
import torch
from jaxtyping import Bool

from recon.actors.placement import place_actors
from recon.assets.asset_files import load_actor_model
from recon.field.model import new_model
from recon.kernels.backend import choose_backend
from recon.scene import Scene
from scenes.motion.geometry import rigid
from scenes.sensors.camera import Camera, camera_rays
from scenes.worlds.models.world import World
from tests.light_maker import drive
from tests.scene_maker import tiny_config

EYE_M = 1.5
Mask = Bool[np.ndarray, "h w"]


@cache
def nowhere() -> Scene:
    """A scene in which there is nothing."""
    backend = choose_backend(None)
    model = new_model(drive(), tiny_config(), backend)
    model.field.occupancy.occupied.zero_()  # pyright: ignore[reportAttributeAccessIssue]
    return Scene(clip=drive(), config=tiny_config(), model=model, backend=backend)


def camera_of(width: int, height: int, focal_px: float) -> Camera:
    """One that looks at what is in the middle of its picture."""
    return Camera(
        width=width, height=height, fx=focal_px, fy=focal_px, cx=0.5 * width, cy=0.5 * height,
        readout_us=0,
    )  # fmt: skip


def masks(
    name: str, world: World, camera: Camera, away_m: float, azimuth: float, time_us: int = 0
) -> tuple[Mask, Mask]:
    """Of the packaged asset and of its original, the world's first body, which is exact.

    Args:
        name: Of the asset.
        world: Where the original is.
        camera: Looks at the middle of it.
        away_m: From so far, at the height of a car's camera.
        azimuth: 0 is before it, pi / 2 on its left [rad].
        time_us: When.
    """
    from scenes.worlds.trace.tracer import Tracer

    actor = world.bodies[0].actor
    up_m = EYE_M - 0.5 * actor.size_m[2]
    out = np.array([np.cos(azimuth) * away_m, np.sin(azimuth) * away_m, up_m])
    ahead = -out / np.linalg.norm(out)
    right = np.cross(ahead, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    turn = np.stack([right, np.cross(ahead, right), ahead], axis=1)
    eye = actor.trajectory.at(np.array([time_us]))[0] @ rigid(turn, out)
    origins, directions = camera_rays(camera, camera.pixel_centres().reshape(-1, 2), eye, time_us)
    when = np.full(len(origins), time_us, dtype=np.int64)
    shown = Tracer(world).cast_on(actor.id, origins, directions, when)[0]
    scene = nowhere()
    placed = place_actors(
        {actor.id: load_actor_model(name, scene.backend)}, (), (actor,), torch.from_numpy(when)
    )
    starts, ways = (torch.from_numpy(each).float() for each in (origins, directions))
    met = scene.render_rays(starts, ways, torch.full((len(when),), 1.0 / camera.fx), placed)
    true = np.zeros(len(when), dtype=bool)
    true[shown] = True
    size = camera.height, camera.width
    return (met.instance > 0).numpy().reshape(size), true.reshape(size)


def shared(found: Mask, shown: Mask) -> float:
    """Intersection over union."""
    return float((found & shown).sum() / (found | shown).sum())
