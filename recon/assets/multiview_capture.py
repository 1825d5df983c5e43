"""Exact pictures of procedural road users, to learn packaged assets from; needs Mitsuba.

Each stands on an empty street and is looked at from all around, mostly from as high as cameras of
cars are; limbs that swing are looked at by themselves. Truth says which pixels show it, how far
away it is there, and what it is made of. How open it is to the light around is found under an
overcast sky.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from recon.actors.actor_fields import GROWN, unit_from_box
from recon.assets.empty_street import on_the_street, stage, track_at
from recon.assets.thickness import in_view, open_places, thickness_m
from recon.lighting.irradiance import Cube, cube_on, face_rays, irradiance_of_faces
from recon.lighting.light_probes import BEAM_RAD
from recon.rendering.ray_samples import cross_unit_cube
from recon.rendering.rays import FOOTPRINT_STD
from scenes.actor import Actor
from scenes.edits.assets import LIBRARY, LIBRARY_SEED
from scenes.motion.geometry import rigid, translation
from scenes.sensors.camera import Camera, camera_rays
from scenes.worlds.light.light import Light
from scenes.worlds.light.sunshine import SKIN_M
from scenes.worlds.models.paint import albedo
from scenes.worlds.models.procedural import procedural
from scenes.worlds.models.world import Limb
from scenes.worlds.trace.tracer import Tracer
from scenes.worlds.trace.view import rays_at

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
LIFTED_M = 1.5
"""A limb is held up with its middle so high over the road: soles are seen as it swings."""
LIMB_RINGS: tuple[Ring, ...] = (
    (0.6, 0.0, 0.0),
    (2.0, 0.0, 0.1),
    (1.0, 0.0, 0.4),
    (1.0, 0.0, 0.9),
    (1.0, 0.0, -0.35),
)
"""From where it is looked at."""
DEEPEST, NARROWEST = 0.05, 0.003
"""Shares of the box's diagonal: solid so far is as good as for ever, and gaps narrower than this
are as good as none: rods before doors and panes before walls would be stepped over."""
BESIDE = 0.003
"""Share of the diagonal: about so far from surfaces it is learnt where they end."""
OPEN = 400_000
"""Places all over its box of which it is asked whether they are in the open."""
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
    """How far it is solid behind that along the ray (`recon.assets.thickness`)."""
    beside: Float[Tensor, "n 3"]
    """A place near that surface that is in the open; NaN where none was found."""
    albedo: Float[Tensor, "n 3"]
    """Linear, at the middle of the pixel, as the following; 0 where it is not shown."""
    mirror: Float[Tensor, "n"]
    """See `recon.field.material.Material`, also for the following."""
    openness: Float[Tensor, "n"]
    normal: Float[Tensor, "n 3"]
    footprint: Float[Tensor, "n"]
    """Standard deviation of a pixel a metre away, in the unit cube."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Taken:
    """All that is learnt of somebody, or of a limb."""

    shots: Shots
    empty: Float[Tensor, "m 3"]
    """Places in the open, in the field's unit cube."""
    size_m: Float64[np.ndarray, "3"]
    """Of the labelled box."""


def cameras(
    size_m: Float64[np.ndarray, "3"], rings: tuple[Ring, ...], up_m: float | None = None
) -> list[tuple[Camera, Float64[np.ndarray, "4 4"]]]:
    """Cameras around a box whose middle is the origin, all of which look at it.

    `up_m` is how high that is over the road; left out, the box stands on it.
    """
    up_m = 0.5 * float(size_m[2]) if up_m is None else up_m
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
            elevation = np.arcsin((height_m - up_m) / away_m)
        for azimuth in (np.arange(AZIMUTHS) + 0.5) * 2.0 * np.pi / AZIMUTHS:
            flat = np.cos(elevation)
            out = np.array([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation)])
            right = np.cross([0.0, 0.0, 1.0], out) / flat
            down = np.cross(-out, right)
            turn = np.stack([right, down, -out], axis=1)
            found.append((camera, rigid(turn, away_m * out)))
    return found


def photographed(name: str) -> Taken:
    """What pictures of somebody show, without the limbs that swing."""
    mesh, _, size_m = procedural(LIBRARY[name], LIBRARY_SEED)
    world, actor = on_the_street(name, mesh, (), size_m, track_at(0.5 * float(size_m[2])))
    light = Light(Tracer(world))
    return _taken(light, actor, stage_light(light, actor), RINGS)


def photographed_limb(name: str, limb: Limb) -> Taken:
    """What pictures of a limb by itself show; its box is its own.

    It is open to the light as if nobody else's limbs were beside it.
    """
    low, high = limb.mesh.extent_m()
    middle_m, size_m = 0.5 * (low + high), high - low
    whole, body, _ = stage(name)
    cube = stage_light(Light(Tracer(whole)), body)
    mesh = limb.mesh.placed(translation(-middle_m))
    world, actor = on_the_street(name, mesh, (), size_m, track_at(LIFTED_M))
    return _taken(Light(Tracer(world)), actor, cube, LIMB_RINGS)


def _taken(light: Light, actor: Actor, cube: Cube, rings: tuple[Ring, ...]) -> Taken:
    studio = Studio(
        light=light,
        actor=actor,
        cube=cube,
        eyes_m=eyes_around(actor, rings),
        random=np.random.default_rng(LIBRARY_SEED),
    )
    pose = actor.trajectory.world_from_body[0]
    views = cameras(actor.size_m, rings, float(pose[2, 3]))
    parts = [_picture(studio, *view) for view in views]
    names = Shots.__dataclass_fields__
    grown_m = actor.size_m * GROWN
    free_m = open_places(light.tracer, pose, grown_m, studio.eyes_m, OPEN, studio.random)
    return Taken(
        shots=Shots(**{name: torch.cat([getattr(part, name) for part in parts]) for name in names}),
        empty=torch.from_numpy(free_m / grown_m + 0.5).float(),
        size_m=actor.size_m,
    )


def eyes_around(actor: Actor, rings: tuple[Ring, ...] = RINGS) -> Float64[np.ndarray, "eyes 3"]:
    """From where open space around somebody is looked for (world)."""
    there = actor.trajectory.world_from_body[0]
    up_m = float(there[2, 3])
    around, low = (cameras(actor.size_m, each, up_m) for each in (rings, (LOW,)))
    return np.array(
        [(there @ box_from_camera)[:3, 3] for _, box_from_camera in around[::EVERY] + low]
    )


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


def _picture(studio: Studio, camera: Camera, box_from_camera: Float64[np.ndarray, "4 4"]) -> Shots:
    actor = studio.actor
    unit = unit_from_box(torch.from_numpy(actor.size_m).float())
    eye = actor.trajectory.world_from_body[0] @ box_from_camera
    pixels = camera.pixel_centres().reshape(-1, 2)
    known = _surface(studio, rays_at(camera, pixels, eye, 0))
    known["beside"] = known["beside"] @ unit[:, :3].T + unit[:, 3]
    starts, directions = (
        torch.from_numpy(each).float() for each in camera_rays(camera, pixels, box_from_camera, 0)
    )
    across = unit[:, :3].norm(dim=1).prod() ** (
        1.0 / 3.0
    )  # as `recon.rendering.ray_samples.instance_part`
    origins, along = starts @ unit[:, :3].T + unit[:, 3], directions @ unit[:, :3].T
    enter_m, leave_m = cross_unit_cube(origins, along)
    every = Shots(
        origins=origins,
        along=along,
        directions=directions,
        enter_m=enter_m,
        leave_m=leave_m,
        footprint=torch.full((len(pixels),), float(FOOTPRINT_STD / camera.fx * across)),
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
