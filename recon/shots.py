"""Exact pictures of procedural road users, to learn packaged assets from; needs Mitsuba.

Each stands on an empty street under an overcast sky, so that no shadow of one sun is baked in, and
is photographed from all around, mostly from as high as cameras of cars are. Truth says which pixels
show it, how far away it is there, and what light is on its sides.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from recon.crowd import unit_from_box
from recon.light import BEAM_RAD
from recon.parts import cross_unit_cube
from recon.rays import FOOTPRINT_STD
from recon.surroundings import Cube, face_rays, irradiance_of_faces
from scenes.actor import Actor
from scenes.assets import LIBRARY, LIBRARY_SEED
from scenes.camera import Camera, camera_rays
from scenes.geometry import rigid, translation
from scenes.trajectory import Trajectory
from scenes.worlds.light import Light
from scenes.worlds.procedural import procedural
from scenes.worlds.sunshine import SKIN_M
from scenes.worlds.tracer import Tracer
from scenes.worlds.view import photograph, rays_at, true_view
from scenes.worlds.world import Body, Limb, World, ground, street

AZIMUTHS, SIZE_PX = 16, 160
"""Cameras of a ring, and the sides of their pictures."""
Ring = tuple[float, float, float | None]
"""Of cameras: diagonals of the box from its middle (and `NEAREST_M`), height over the road [m], or
else elevation over the middle [rad]."""
NEAREST_M = 2.0
"""No camera is nearer than this and its diagonals."""
RINGS: tuple[Ring, ...] = (
    (0.6, 1.2, None),
    (1.2, 1.6, None),
    (2.5, 1.5, None),
    (1.0, 0.0, 0.35),
    (1.0, 0.0, 0.9),
)
"""Mostly as high as cameras of cars are."""
KEYS = 8
KEY_RINGS: tuple[Ring, ...] = ((1.0, 1.0, None), (2.0, 1.6, None), (1.0, 0.0, 0.5))
"""Moments of a swing of limbs at which there are pictures, and from where at each."""
TALLEST = 0.9
"""Share of the picture that the longest side fills."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Shots:
    """Pixels of all pictures whose rays meet the field's box, in its unit cube."""

    origins: Float[Tensor, "n 3"]
    along: Float[Tensor, "n 3"]
    """A metre of the ray."""
    directions: Float[Tensor, "n 3"]
    """Unit, in the box's frame."""
    enter_m: Float[Tensor, "n"]
    leave_m: Float[Tensor, "n"]
    range_m: Float[Tensor, "n"]
    """To the surface of the one in the middle; inf where it is not what the pixel shows."""
    linear: Float[Tensor, "n 3"]
    """Radiance of the one in the middle; on its rim that of the middle of the pixel."""
    whole: Bool[Tensor, "n"]
    """It fills the pixel and those around it."""
    footprint: Float[Tensor, "n"]
    """Standard deviation of a pixel a metre away, in the unit cube."""
    key: Int64[Tensor, "n"]
    """Moment of the swing of limbs."""


def stage(name: str) -> tuple[World, Actor, tuple[Limb, ...]]:
    """The one to be photographed, on an empty street."""
    mesh, limbs, size_m = procedural(LIBRARY[name], LIBRARY_SEED)
    mesh = mesh.labelled(LIBRARY[name], 1)
    limbs = tuple(replace(limb, mesh=limb.mesh.labelled(LIBRARY[name], 1)) for limb in limbs)
    place = translation(np.array([[20.0, 0.0, 0.5 * size_m[2]]] * 2))
    track = Trajectory(time_us=np.array([0, 10_000_000]), world_from_body=place)
    actor = Actor(id=1, kind=LIBRARY[name], size_m=size_m, trajectory=track)
    empty = street(LIBRARY_SEED)
    world = replace(
        empty,
        scenery=ground(LIBRARY_SEED),
        bodies=(Body(actor=actor, mesh=mesh, limbs=limbs),),
        lighting=replace(empty.lighting, overcast=1.0),
    )
    return world, actor, limbs


def cameras(
    size_m: Float64[np.ndarray, "3"], rings: tuple[Ring, ...]
) -> list[tuple[Camera, Float64[np.ndarray, "4 4"]]]:
    """Cameras around a box whose middle is the origin, all of which look at it."""
    reach_m = float(np.linalg.norm(size_m))
    middle = 0.5 * SIZE_PX
    found = []
    for away, height_m, elevation in rings:
        away_m = away * reach_m + NEAREST_M
        focal = TALLEST * SIZE_PX * away_m / reach_m
        camera = Camera(
            width=SIZE_PX, height=SIZE_PX, fx=focal, fy=focal, cx=middle, cy=middle, readout_us=0
        )
        if elevation is None:
            elevation = np.arcsin((height_m - 0.5 * size_m[2]) / away_m)
        for azimuth in (np.arange(AZIMUTHS) + 0.5) * 2.0 * np.pi / AZIMUTHS:
            flat = np.cos(elevation)
            out = np.array([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation)])
            right = np.cross([0.0, 0.0, 1.0], out) / flat
            down = np.cross(-out, right)
            turn = np.stack([right, down, -out], axis=1)
            found.append((camera, rigid(turn, away_m * out)))
    return found


def photographed(name: str) -> tuple[Shots, Actor, int, Cube]:
    """What its pictures show, its box, how long its limbs take, and its light."""
    world, actor, limbs = stage(name)
    period_us = limbs[0].period_us if limbs else 0
    light = Light(Tracer(world))
    views = cameras(actor.size_m, KEY_RINGS if limbs else RINGS)
    parts = [
        _picture(light, actor, camera, box_from_camera, key, key * period_us // KEYS)
        for key in range(KEYS if limbs else 1)
        for camera, box_from_camera in views
    ]
    shots = Shots(
        **{
            name: torch.cat([getattr(part, name) for part in parts])
            for name in Shots.__dataclass_fields__
        }
    )
    return shots, actor, period_us, stage_light(light, actor)


def _picture(
    light: Light,
    actor: Actor,
    camera: Camera,
    box_from_camera: Float64[np.ndarray, "4 4"],
    key: int,
    time_us: int,
) -> Shots:
    eye = actor.trajectory.world_from_body[0] @ box_from_camera
    pixels = camera.pixel_centres().reshape(-1, 2)
    view = true_view(light.tracer, camera, eye, time_us)
    mine = view.instance == actor.id
    # a pixel on the rim is not, and neither is one beside it
    around = np.lib.stride_tricks.sliding_window_view(np.pad(mine, 1), (3, 3))
    whole = around.all(axis=(2, 3)).ravel()
    linear = np.zeros((len(pixels), 3), dtype=np.float32)
    linear[whole] = photograph(light, camera, eye, time_us, key, pixels[whole])
    rim = mine.ravel() & ~whole
    linear[rim] = light.radiance(*rays_at(camera, pixels[rim], eye, time_us), 1.0 / camera.fx)
    starts, directions = (
        torch.from_numpy(each).float() for each in camera_rays(camera, pixels, box_from_camera, 0)
    )
    unit = unit_from_box(torch.from_numpy(actor.size_m).float())
    across = unit[:, :3].norm(dim=1).prod() ** (1.0 / 3.0)  # as `recon.parts.instance_part`
    origins, along = starts @ unit[:, :3].T + unit[:, 3], directions @ unit[:, :3].T
    enter_m, leave_m = cross_unit_cube(origins, along)
    range_m = np.where(mine, view.range_m, np.inf).ravel()
    every = Shots(
        origins=origins,
        along=along,
        directions=directions,
        enter_m=enter_m,
        leave_m=leave_m,
        range_m=torch.from_numpy(range_m).float(),
        linear=torch.from_numpy(linear),
        whole=torch.from_numpy(whole),
        footprint=torch.full((len(pixels),), float(FOOTPRINT_STD / camera.fx * across)),
        key=torch.full((len(pixels),), key),
    )
    met = leave_m > enter_m
    return Shots(**{name: getattr(every, name)[met] for name in Shots.__dataclass_fields__})


def stage_light(light: Light, actor: Actor) -> Cube:
    """Irradiance of the sides of the one in the middle."""
    origins, directions = face_rays(
        torch.from_numpy(actor.trajectory.world_from_body[0]), torch.from_numpy(actor.size_m)
    )
    rays = (origins + SKIN_M * directions).double().numpy(), directions.double().numpy()
    found = light.radiance(*rays, np.zeros(len(origins), dtype=np.int64), BEAM_RAD)
    return irradiance_of_faces(torch.from_numpy(found).float())
