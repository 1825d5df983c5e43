"""Scenes whose light has a closed form: a level plain, a sky and walls, each of one radiance."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from jaxtyping import Bool, Float
from torch import Tensor

import recon.lighting.relighting
from recon.actors.placement import CapturedLight, PlacedActors
from recon.field.field import ABSENT, GridField, Instance
from recon.field.model import new_model
from recon.kernels.backend import Backend
from recon.lighting.daylight import Daylight
from recon.lighting.irradiance import Cube
from recon.lighting.specular import Sight
from recon.rendering.march import MarchOutput
from recon.rendering.rays import Rays
from recon.scene import Scene
from scenes.clip import Clip
from tests.clip_maker import make_clip, ride
from tests.scene_maker import tiny_config

Ground = Callable[[Float[Tensor, "n 3"], Float[Tensor, "n 3"]], Float[Tensor, "n 3"]]
"""Radiance of places on the plain, for eyes."""
NUMBER = 7
WHITE = torch.tensor([0.8, 0.8, 0.8])
TO_SUN = np.array([0.0, 0.6, 0.8])
"""On the left, 53 degrees high."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Plain(Scene):
    """The plain z = 0 under a sky, with boxes that stand on it; training showed all of it."""

    ground: Ground
    sky: Float[Tensor, "3"]
    walls: tuple[tuple[list[float], list[float]], ...] = ()
    """Lower and upper corners [m]."""
    thickness: float = 1.0
    """Share of a ray that is left with whoever is staged."""
    wall: Float[Tensor, "3"]

    def render_rays(
        self,
        origins: Float[Tensor, "rays 3"],
        directions: Float[Tensor, "rays 3"],
        pixel_angle: Float[Tensor, "rays"],
        placed: PlacedActors | None = None,
    ) -> MarchOutput:
        assert len(pixel_angle) == len(origins)
        down = directions[:, 2] < -1e-6
        range_m = torch.where(down, -origins[:, 2] / directions[:, 2], torch.inf)
        # as a march, it takes what is nearer for as far as it begins to look
        range_m = range_m.clamp_min(self.config.sampling.near_m)
        places = origins + directions * torch.where(down, range_m, 0.0)[:, None]
        linear = torch.where(down[:, None], self.ground(places, origins), self.sky)
        for low, high in self.walls:
            safe = torch.where(directions.abs() < 1e-9, 1e-9, directions)
            ends = [(torch.tensor(corner) - origins) / safe for corner in (low, high)]
            enter = torch.minimum(*ends).amax(dim=1)
            leave = torch.maximum(*ends).amin(dim=1)
            met = (enter < leave) & (enter > 0.0) & (enter < range_m)
            linear = torch.where(met[:, None], self.wall, linear)
            range_m = torch.where(met, enter, range_m)
        solid = torch.isfinite(range_m)
        return MarchOutput(
            linear=linear,
            opacity=solid.float(),
            range_m=range_m,
            expected_range_m=torch.where(solid, range_m, 0.0),
            instance=torch.zeros(len(range_m), dtype=torch.int64),
            instance_weights=self._weights(solid, placed),
        )

    def _weights(
        self, solid: Bool[Tensor, "rays"], placed: PlacedActors | None
    ) -> Float[Tensor, "rays instances"]:
        weights = solid.float()[:, None]
        if placed is None:
            return weights
        theirs = torch.full_like(weights, self.thickness)
        return torch.cat([weights * (1.0 - theirs), theirs], dim=1)


def even(radiance: Float[Tensor, "3"]) -> Ground:
    """Ground of one radiance."""
    return lambda places, _: radiance.expand_as(places)


def plain(
    ground: Float[Tensor, "3"] | Ground,
    sky: Float[Tensor, "3"],
    to_sun: np.ndarray | None = None,
    *,
    walls: tuple[tuple[list[float], list[float]], ...] = (),
    wall: Float[Tensor, "3"] | None = None,
    thickness: float = 1.0,
) -> Plain:
    """The plain, driven across along x."""
    clip = replace(drive(), to_sun=to_sun)
    model = new_model(clip, tiny_config(), Backend.TORCH)
    model.support.hits.fill_(1.0)
    return Plain(
        clip=clip,
        config=tiny_config(),
        model=model,
        backend=Backend.TORCH,
        ground=even(ground) if isinstance(ground, Tensor) else ground,
        sky=sky,
        walls=walls,
        wall=torch.full((3,), 0.5) if wall is None else wall,
        thickness=thickness,
    )


def drive() -> Clip:
    """Two seconds along x, with pictures that do not exist."""
    return make_clip(ride(speed_mps=10.0, seconds=2.0))


def box(
    x_m: float, y_m: float, size_m: tuple[float, float, float] = (4.0, 2.0, 1.5), yaw: float = 0.0
) -> tuple[Float[Tensor, "4 4"], Float[Tensor, "3"]]:
    """Somebody who stands on the plain."""
    pose = torch.eye(4)
    cos, sin = float(np.cos(yaw)), float(np.sin(yaw))
    pose[:2, :2] = torch.tensor([[cos, -sin], [sin, cos]])
    pose[:3, 3] = torch.tensor([x_m, y_m, 0.5 * size_m[2]])
    return pose, torch.tensor(size_m)


def dim(**changes: object) -> Daylight:
    """No light but what a test asks for."""
    none = torch.zeros(3)
    values = {"sky": none, "clear": False, "to_sun": None, "sun": none, "beam": none} | changes
    return Daylight(**values)  # pyright: ignore[reportArgumentType]


class Always:
    """An attribute that has one value in all objects, whatever it is set to."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __get__(self, one: object, of: type) -> object:
        return self.value

    def __set__(self, one: object, value: object) -> None:
        pass


def lit_by(patch: pytest.MonkeyPatch, light: Daylight, specular: float = 0.0) -> None:
    """Have that light in all scenes; all surfaces are white, of which they mirror a share."""
    patch.setattr(Scene, "light", Always(light))

    def sight(_: Instance, rays: Rays, range_m: Tensor, *__: object) -> Sight:
        away_m = torch.where(torch.isfinite(range_m), range_m, 3.0)
        points = rays.origins_m + rays.directions * away_m[:, None]
        white = WHITE.expand(len(rays), 3)
        return Sight(points_m=points, shown=white, specular=torch.full_like(white, specular))

    patch.setattr(recon.lighting.relighting, "sight_of", sight)


def staged_with(*lights: Cube | CapturedLight | None) -> PlacedActors:
    """Somebody for each light."""
    field = GridField(tiny_config().field, torch.Generator().manual_seed(0))
    return PlacedActors(
        instances=tuple(
            Instance(field=field, unit_from_world=ABSENT[None], id=NUMBER + k)
            for k in range(len(lights))
        ),
        moment=torch.zeros(8, dtype=torch.int64),
        hits=(None,) * len(lights),
        lights=tuple(CapturedLight(cube=x) if isinstance(x, Tensor) else x for x in lights),
        modelled=frozenset(range(NUMBER, NUMBER + len(lights))),
    )


def seen(share: Float[Tensor, "n"], range_m: float = 3.0) -> MarchOutput:
    """Rays that meet so much of the first instance, and the static scene beside it."""
    return MarchOutput(
        linear=WHITE.repeat(len(share), 1),
        opacity=torch.ones(len(share)),
        range_m=torch.full((len(share),), range_m),
        expected_range_m=torch.full((len(share),), range_m),
        instance=(share > 0.5).long(),
        instance_weights=torch.stack([1.0 - share, share], dim=1),
    )
