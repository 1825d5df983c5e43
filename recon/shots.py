"""Exact pictures of procedural road users, to learn packaged assets from; needs Mitsuba.

Each stands on an empty street and is looked at from all around, mostly from as high as cameras of
cars are. Truth says which pixels show it, how far away it is there, and what it is made of. How
open it is to the light around is found under an overcast sky.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from recon.crowd import unit_from_box
from recon.parts import cross_unit_cube
from recon.rays import FOOTPRINT_STD
from recon.sightlines import BEAM_RAD
from recon.solid import in_view, thickness_m
from recon.surroundings import Cube, cube_on, face_rays, irradiance_of_faces
from scenes.actor import Actor
from scenes.assets import LIBRARY, LIBRARY_SEED
from scenes.camera import Camera, camera_rays
from scenes.geometry import rigid, translation
from scenes.trajectory import Trajectory
from scenes.worlds.light import Light
from scenes.worlds.paint import albedo
from scenes.worlds.procedural import procedural
from scenes.worlds.sunshine import SKIN_M
from scenes.worlds.tracer import Tracer
from scenes.worlds.view import rays_at
from scenes.worlds.world import Body, Limb, World, ground, street

AZIMUTHS, SIZE_PX = 16, 224
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
DEEPEST, NARROWEST = 0.05, 0.003
"""Shares of the box's diagonal: solid so far is as good as for ever, and gaps narrower than this
are as good as none: rods before doors and panes before walls would be stepped over."""
BESIDE = 0.003
"""Share of the diagonal: about so far from surfaces it is learnt where they end."""
EVERY = 2
LOW: Ring = (1.0, 0.3, None)
"""Open space is looked for from every other camera, and from these: one sees under things."""
NOTHING = {"range_m": torch.inf, "beside": torch.nan}
"""What is said of pixels that do not show the one in the middle, where it is not 0."""
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
    thick_m: Float[Tensor, "n"]
    """How far it is solid behind that along the ray (`recon.solid`)."""
    beside: Float[Tensor, "n 3"]
    """A place near that surface that is in the open; NaN where none was found."""
    albedo: Float[Tensor, "n 3"]
    """Linear, at the middle of the pixel, as the following; 0 where it is not shown."""
    mirror: Float[Tensor, "n"]
    """See `recon.material.Material`, also for the following."""
    openness: Float[Tensor, "n"]
    normal: Float[Tensor, "n 3"]
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


def photographed(name: str) -> tuple[Shots, Actor, int]:
    """What its pictures show, its box, and how long its limbs take."""
    world, actor, limbs = stage(name)
    period_us = limbs[0].period_us if limbs else 0
    light = Light(Tracer(world))
    cube = stage_light(light, actor)
    views = cameras(actor.size_m, KEY_RINGS if limbs else RINGS)
    studio = Studio(
        light=light,
        actor=actor,
        cube=cube,
        eyes_m=eyes_around(actor),
        random=np.random.default_rng(LIBRARY_SEED),
    )
    parts = [
        _picture(studio, camera, box_from_camera, key, key * period_us // KEYS)
        for key in range(KEYS if limbs else 1)
        for camera, box_from_camera in views
    ]
    shots = Shots(
        **{
            name: torch.cat([getattr(part, name) for part in parts])
            for name in Shots.__dataclass_fields__
        }
    )
    return shots, actor, period_us


def eyes_around(actor: Actor) -> Float64[np.ndarray, "eyes 3"]:
    """From where open space around somebody is looked for (world)."""
    lookouts = [*cameras(actor.size_m, RINGS)[::EVERY], *cameras(actor.size_m, (LOW,))]
    there = actor.trajectory.world_from_body[0]
    return np.array([(there @ box_from_camera)[:3, 3] for _, box_from_camera in lookouts])


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Studio:
    """Where somebody is photographed."""

    light: Light
    actor: Actor
    cube: Cube
    """Light on the sides of its box."""
    eyes_m: Float64[np.ndarray, "eyes 3"]
    """From where all around open space is looked for (world)."""
    random: np.random.Generator


def _picture(
    studio: Studio,
    camera: Camera,
    box_from_camera: Float64[np.ndarray, "4 4"],
    key: int,
    time_us: int,
) -> Shots:
    actor = studio.actor
    unit = unit_from_box(torch.from_numpy(actor.size_m).float())
    eye = actor.trajectory.world_from_body[0] @ box_from_camera
    pixels = camera.pixel_centres().reshape(-1, 2)
    known = _surface(studio, rays_at(camera, pixels, eye, time_us))
    known["beside"] = known["beside"] @ unit[:, :3].T + unit[:, 3]
    starts, directions = (
        torch.from_numpy(each).float() for each in camera_rays(camera, pixels, box_from_camera, 0)
    )
    across = unit[:, :3].norm(dim=1).prod() ** (1.0 / 3.0)  # as `recon.parts.instance_part`
    origins, along = starts @ unit[:, :3].T + unit[:, 3], directions @ unit[:, :3].T
    enter_m, leave_m = cross_unit_cube(origins, along)
    every = Shots(
        origins=origins,
        along=along,
        directions=directions,
        enter_m=enter_m,
        leave_m=leave_m,
        footprint=torch.full((len(pixels),), float(FOOTPRINT_STD / camera.fx * across)),
        key=torch.full((len(pixels),), key),
        **known,
    )
    met = leave_m > enter_m
    return Shots(**{name: getattr(every, name)[met] for name in Shots.__dataclass_fields__})


def _surface(studio: Studio, rays: tuple[np.ndarray, np.ndarray, np.ndarray]) -> dict[str, Tensor]:
    """How far away the actor is, inf where rays show something else, and of what it is made.

    Its box is not turned, so axes of the world are those of the box.
    """
    tracer, actor = studio.light.tracer, studio.actor
    mine, hits = tracer.cast_on(actor.id, *rays)
    mirror, around = studio.light.finish(hits)
    colour = albedo(tracer.spots(hits, rays[1][mine], 0.0), tracer.world.road)
    normal = torch.from_numpy(hits.normal).float()
    openness = torch.from_numpy(around.mean(axis=1)).float()
    to_it = rays[0][mine], rays[1][mine], rays[2][mine]
    diagonal_m = float(np.linalg.norm(actor.size_m))
    thick_m = thickness_m(
        tracer,
        actor.id,
        to_it,
        hits.range_m,
        studio.eyes_m,
        most_m=DEEPEST * diagonal_m,
        narrow_m=NARROWEST * diagonal_m,
    )
    values = {
        "range_m": hits.range_m,
        "thick_m": thick_m,
        "beside": _beside(studio, to_it, hits.range_m),
        "albedo": colour,
        "mirror": mirror,
        "openness": openness / cube_on(studio.cube, normal).mean(dim=1),
        "normal": normal,
    }
    shown, found = torch.from_numpy(mine), {}
    for name, value in values.items():
        known = torch.as_tensor(value).float()
        nothing = NOTHING.get(name, 0.0)
        every = torch.full((len(rays[0]), *known.shape[1:]), nothing)
        found[name] = every.index_copy(0, shown, known)
    return found


def _beside(
    studio: Studio,
    rays: tuple[np.ndarray, np.ndarray, np.ndarray],
    range_m: Float64[np.ndarray, "n"],
) -> Float64[np.ndarray, "n 3"]:
    """A place near each surface (box's frame); NaN where that is not in the open."""
    origins, directions, time_us = rays
    diagonal_m = float(np.linalg.norm(studio.actor.size_m))
    points = origins + directions * range_m[:, None]
    points = points + BESIDE * diagonal_m * studio.random.standard_normal(points.shape)
    is_open = in_view(studio.light.tracer, points, time_us, studio.eyes_m)
    middle = studio.actor.trajectory.world_from_body[0][:3, 3]
    return np.where(is_open[:, None], points - middle, np.nan)


def stage_light(light: Light, actor: Actor) -> Cube:
    """Irradiance of the sides of the one in the middle."""
    origins, directions = face_rays(
        torch.from_numpy(actor.trajectory.world_from_body[0]), torch.from_numpy(actor.size_m)
    )
    rays = (origins + SKIN_M * directions).double().numpy(), directions.double().numpy()
    found = light.radiance(*rays, np.zeros(len(origins), dtype=np.int64), BEAM_RAD)
    return irradiance_of_faces(torch.from_numpy(found).float())
