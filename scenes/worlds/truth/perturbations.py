"""What may be different from the recorded drive: one axis each, with amounts, as pure functions.

An axis takes a world and an amount to a perturbed world, in which the ego, one road user, the
light, the weather or a surface is another, and nothing else: what an axis does not name keeps its
bytes. `amount` is in metres, degrees or a share, as the axis says. World coordinates, metres.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from scenes.motion.geometry import yaw_rotation
from scenes.motion.trajectory import Trajectory
from scenes.worlds.light.lighting import EGO, Lamp
from scenes.worlds.models.mesh import Mesh, Surface
from scenes.worlds.models.world import World
from scenes.worlds.truth.perturbed_actors import Edits, edited_world, inserted, moved, removed
from scenes.worlds.truth.perturbed_paths import detour, raised, shifted, turned, u_turn

NIGHT_SKY = (0.020, 0.026, 0.042)
"""Radiance of the sky of a night with a moon behind clouds."""
HEADLIGHT = (260.0, 240.0, 205.0)
"""Irradiance a metre before a headlight, at the exposure of a camera that sees by it."""
LATERAL_M = (-4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0)
"""Distances from the recorded path; 0 is the path itself."""
WALLS = (Surface.PLASTER, Surface.BRICK, Surface.STONE, Surface.ROOF)
"""Surfaces whose albedo the axis "albedo" scales."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PerturbedWorld:
    """A world in which one thing is not as it was recorded."""

    axis: str
    """Name of what is different."""
    amount: float
    """By how much, in the unit of the axis."""
    world: World
    """All of it; its `ego` is the path from which it is seen."""
    edits: Edits = ()
    """What to ask of the recorded drive to get the same, where edits of road users say it all."""

    @property
    def ego(self) -> Trajectory:
        """The path that replaces the recorded one; the whole rig is bolted to it."""
        return self.world.ego


@dataclass(frozen=True, kw_only=True, slots=True)
class Axis:
    """One way in which a world can differ from the recorded one."""

    name: str
    kind: str
    """What it changes: "ego", "actor", "light", "surface" or "weather"."""
    unit: str
    """Of its amounts: "m", "deg", or "" for shares and counts."""
    amounts: tuple[float, ...]
    """Those that are tried."""
    change: Callable[[World, float], World | Edits]
    """The whole of it, or the edits that make it of the world; raises InfeasibleError where a
    world has no room for it."""

    def apply(self, world: World, amount: float) -> PerturbedWorld:
        """The world, perturbed.

        Raises:
            InfeasibleError: The world has no road user to change, or no room for it.
        """
        made = self.change(world, amount)
        edits = () if isinstance(made, World) else made
        whole = made if isinstance(made, World) else edited_world(world, made)
        return PerturbedWorld(axis=self.name, amount=amount, world=whole, edits=edits)


def _on_path(path: Callable[[Trajectory, float], Trajectory]) -> Callable[[World, float], World]:
    """A change of the ego's path as a change of the world."""
    return lambda world, amount: replace(world, ego=path(world.ego, amount))


def sun_turned(world: World, degrees: float) -> World:
    """The sun elsewhere along the horizon, counter-clockwise from above."""
    turn = yaw_rotation(np.array(np.deg2rad(degrees)))
    to_sun = turn @ world.lighting.to_sun
    return _lit(world, to_sun=to_sun / np.linalg.norm(to_sun))


def sun_raised(world: World, degrees: float) -> World:
    """The sun at so many degrees above the horizon; lower, it is redder and weaker.

    Air mass as 1 / (sin h + 0.15 (h + 3.885)^-1.253), h in degrees (Kasten 1965), with an
    optical depth of 0.10, 0.14 and 0.22 for red, green and blue.
    """
    lighting = world.lighting
    was = float(np.rad2deg(np.arcsin(np.clip(lighting.to_sun[2], -1.0, 1.0))))
    azimuth, height = np.arctan2(lighting.to_sun[1], lighting.to_sun[0]), np.deg2rad(degrees)
    flat = np.cos(height)
    to_sun = np.array([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(height)])
    more_air = _air_mass(degrees) - _air_mass(max(was, 1.0))
    dimmed = lighting.sun_irradiance * np.exp(-np.array([0.10, 0.14, 0.22]) * more_air)
    return _lit(world, to_sun=to_sun / np.linalg.norm(to_sun), sun_irradiance=dimmed)


def _air_mass(degrees: float) -> float:
    return 1.0 / (np.sin(np.deg2rad(degrees)) + 0.15 * (degrees + 3.885) ** -1.253)


def overcast(world: World, share: float) -> World:
    """A grey layer of cloud over a share of the sky."""
    return _lit(world, overcast=max(share, world.lighting.overcast))


def night(world: World, share: float) -> World:
    """So far towards a night with headlights: 0 as it was, 1 no sun at all."""
    lighting = world.lighting
    drivers = [EGO, *(body.actor.id for body in world.bodies if _drives(world, body.actor.id))]
    carried = {lamp.carrier for lamp in lighting.lamps}
    new = [lamp for who in drivers if who not in carried for lamp in _headlights(world, who)]
    dark = np.array(NIGHT_SKY)
    return _lit(
        world,
        sun_irradiance=(1.0 - share) * lighting.sun_irradiance,
        sky_radiance=lighting.sky_radiance + share * (dark - lighting.sky_radiance),
        lamps=(*lighting.lamps, *new),
    )


def _drives(world: World, actor: int) -> bool:
    body = next(body for body in world.bodies if body.actor.id == actor)
    return body.actor.is_moving and float(body.actor.size_m[0]) > 2.5


def _headlights(world: World, carrier: int) -> list[Lamp]:
    """Two, at the front of the ego or of an actor's box, that dip by two degrees."""
    front, half, up = 3.65, 0.6, 0.65
    if carrier != EGO:
        size = next(body.actor.size_m for body in world.bodies if body.actor.id == carrier)
        front, half = 0.5 * float(size[0]) + 0.02, 0.34 * float(size[1])
        up = 0.65 - 0.5 * float(size[2])
    dip = np.deg2rad(2.0)
    return [
        Lamp(
            position_m=np.array([front, side * half, up]),
            direction=np.array([np.cos(dip), 0.0, -np.sin(dip)]),
            spread_rad=0.42,
            intensity=np.array(HEADLIGHT),
            carrier=carrier,
        )
        for side in (-1.0, 1.0)
    ]


def fog(world: World, per_m: float) -> World:
    """Air of which a metre scatters this share of the light."""
    return _lit(world, fog_per_m=max(per_m, world.lighting.fog_per_m))


def _lit(world: World, **changes: object) -> World:
    return replace(world, lighting=replace(world.lighting, **changes))  # pyright: ignore


def walls_scaled(world: World, factor: float) -> World:
    """Walls and roofs of another albedo."""
    mesh = world.scenery
    colour = mesh.colour.copy()
    wall = np.isin(mesh.surface, WALLS)
    colour[wall] = np.clip(colour[wall] * np.float32(factor), 0.0, 0.95)
    return replace(world, scenery=replace(mesh, colour=colour))


def repainted(world: World, turns: float) -> World:
    """The paint of every vehicle with its colours turned: one turn makes red green, green blue.

    Grey paint, which has no colour to turn, becomes a strong one.
    """
    bodies = tuple(replace(body, mesh=_repainted(body.mesh, turns)) for body in world.bodies)
    return replace(world, bodies=bodies)


def _repainted(mesh: Mesh, turns: float) -> Mesh:
    colour, pick = mesh.colour.copy(), mesh.surface == Surface.CAR_PAINT
    grey = np.ptp(colour[pick], axis=1) < 0.1
    strong = np.array([[0.45, 0.05, 0.04]], np.float32)
    painted = np.where(grey[:, None], strong, colour[pick])
    colour[pick] = np.roll(painted, round(turns) % 3, axis=1)
    return replace(mesh, colour=colour)


def brick_for_plaster(world: World, share: float) -> World:
    """Bricks where there was plaster and plaster where there were bricks; 0 changes nothing."""
    mesh = world.scenery
    if share <= 0.0:
        return world
    surface = mesh.surface.copy()
    surface[mesh.surface == Surface.PLASTER] = int(Surface.BRICK)
    surface[mesh.surface == Surface.BRICK] = int(Surface.PLASTER)
    return replace(world, scenery=replace(mesh, surface=surface))


def paint_worn(world: World, share: float) -> World:
    """Another share of the paint on the road gone."""
    return replace(world, road=replace(world.road, wear=share))


def wet(world: World, wetness: float) -> World:
    """A road with water on it; 1 mirrors."""
    return replace(world, wetness=max(wetness, world.wetness))


AXES: dict[str, Axis] = {
    name: Axis(name=name, kind=kind, unit=unit, amounts=amounts, change=change)
    for name, kind, unit, amounts, change in (
        (
            "lateral",
            "ego",
            "m",
            (-4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0),
            _on_path(shifted),
        ),
        ("height", "ego", "m", (-0.5, 0.5, 1.0, 2.0), _on_path(raised)),
        ("yaw", "ego", "deg", (-30.0, -15.0, 15.0, 30.0), _on_path(turned)),
        ("detour", "ego", "m", (-2.0, 2.0, 3.5), _on_path(detour)),
        ("u-turn", "ego", "m", (6.5,), _on_path(u_turn)),
        ("actor-moved", "actor", "m", (1.0, 2.0), moved),
        ("actor-removed", "actor", "", (1.0, 4.0), removed),
        ("actor-inserted", "actor", "m", (12.0, 20.0), inserted),
        ("sun", "light", "deg", (-90.0, 60.0, 120.0), sun_turned),
        ("sun-height", "light", "deg", (12.0, 35.0, 65.0), sun_raised),
        ("overcast", "light", "", (0.5, 1.0), overcast),
        ("night", "light", "", (1.0,), night),
        ("fog", "weather", "1/m", (0.01, 0.03), fog),
        ("wet", "surface", "", (0.5, 1.0), wet),
        ("albedo", "surface", "", (0.5, 1.6), walls_scaled),
        ("repainted", "surface", "", (1.0, 2.0), repainted),
        ("material", "surface", "", (1.0,), brick_for_plaster),
        ("paint-worn", "surface", "", (0.05, 0.9), paint_worn),
    )
}
"""Every axis by name. The amount 0 of "lateral" is the recorded path itself."""
