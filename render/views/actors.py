"""Road users that move, in a picture: who is there, and what is known of the surface one sees."""

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64, Int64, UInt8
from torch import Tensor

from scenes.actor import Actor
from scenes.sensors.camera import Camera

if TYPE_CHECKING:
    from collections.abc import Sequence

    from render.views.view import RenderableScene

UNDERNEATH = -1
"""Whom pixels show that show the ground under a vehicle, in the vehicle's field."""


@runtime_checkable
class MarchResult(Protocol):
    """What a march along n rays returns (`recon.rendering.march.MarchOutput` is one)."""

    @property
    def linear(self) -> Float[Tensor, "n 3"]:
        """Linear radiance, sky included."""
        ...

    @property
    def opacity(self) -> Float[Tensor, "n"]:
        """Share of light that the scene absorbs."""
        ...

    @property
    def range_m(self) -> Float[Tensor, "n"]:
        """Distance of the first surface [m]; inf where opacity is below 0.5."""
        ...

    @property
    def instance(self) -> Int64[Tensor, "n"]:
        """0 for the static field, k for its k-th instance."""
        ...


@runtime_checkable
class StagedRays(Protocol):
    """What moves, as the rays of a picture meet it (`recon.actors.placement.PlacedActors` is one)."""

    @property
    def ids(self) -> tuple[int, ...]:
        """Whose field instance k of a march is, from 1: number k - 1 of these."""
        ...

    @property
    def foreign_ids(self) -> Collection[int]:
        """Who looks like somebody from elsewhere."""
        ...

    @property
    def looks(self) -> Collection[int]:
        """Who has a field at all, whether it is there at any of the rays' times or not."""
        ...

    def is_underbody(
        self,
        points_m: Float32[Tensor, "n 3"],
        directions: Float32[Tensor, "n 3"],
        instance: Int64[Tensor, "n"],
    ) -> Bool[Tensor, "n"]:
        """Whether that surface is the ground under a vehicle, in the field of the vehicle."""
        ...

    def support(
        self, points_m: Float32[Tensor, "n 3"], instance: Int64[Tensor, "n"]
    ) -> UInt8[Tensor, "n"]:
        """2 where training pictures showed that surface, 1 where only its mirror image, else 0."""
        ...


@runtime_checkable
class PeopledScene(Protocol):
    """What a scene offers besides where road users that move have fields of their own."""

    def staged(
        self, actors: "Sequence[Actor]", time_us: Int64[Tensor, "n"],
        assets: Mapping[int, str] | None = None,
    ) -> StagedRays | None:  # fmt: skip
        """Those who have a field, as rays seen at some times [µs] meet them; None for nobody."""
        ...

    def render_rays(
        self,
        origins: Float32[Tensor, "n 3"],
        directions: Float32[Tensor, "n 3"],
        pixel_angle: Float32[Tensor, "n"],
        staged: Any = None,
    ) -> MarchResult:
        """March as `RenderableScene` does, through what moves too."""
        ...

    def lit(
        self, rays: tuple[Tensor, ...], out: Any, normals: Float[Tensor, "n 3"], staged: Any,
        boxes: Mapping[int, tuple[Tensor, Tensor]], moved: Collection[int],
    ) -> Float[Tensor, "n 3"]:  # fmt: skip
        """Radiance where people are not where, or what, they were: their light and shadows.

        `boxes` are poses (`world_from_body`) and sizes [m] by id; `moved` throw new shadows.
        """
        ...


@runtime_checkable
class DoubtingScene(Protocol):
    """What a scene offers besides that knows how well its fields show road users."""

    @property
    def doubtful_actors(self) -> Mapping[int, str]:
        """Whose own field does not show it as recorded, by track id, and why in words."""
        ...


def doubtful(scene: "RenderableScene", assets: Mapping[int, str]) -> dict[int, str]:
    """Who is in doubt, by track id, and why; not who looks like an asset, wherever it drives."""
    if not isinstance(scene, DoubtingScene):
        return {}
    found = cast(DoubtingScene, scene).doubtful_actors
    return {number: why for number, why in found.items() if number not in assets}


def march_actors(
    scene: "RenderableScene",
    rays: tuple[Tensor, ...],
    actors: "Sequence[Actor]",
    assets: Mapping[int, str],
    time_us: Int64[Tensor, "n"],
) -> tuple[MarchResult, StagedRays | None]:
    """What rays see, and who of those that move is there."""
    if not isinstance(scene, PeopledScene):
        return scene.render_rays(*rays), None
    people = cast(PeopledScene, scene)
    staged = people.staged(actors, time_us, assets)
    return people.render_rays(rays[0], rays[1], rays[2], staged), staged


def shaded(
    scene: "RenderableScene",
    march: MarchResult,
    staged: StagedRays | None,
    rays: tuple[Tensor, ...],
    normals: Callable[[], Float[Tensor, "n 3"]],
    actors: "Sequence[Actor]",
    time_us: int,
) -> Float[Tensor, "n 3"]:
    """Radiance with light on, and shadows of, those who are not where they were recorded.

    The shadow of who drives as recorded is in the fields already. Those who have none, throw none.
    `normals` gives those of what rays meet (world), NaN where there is none, where they are needed.
    """
    linear = march.linear.cpu()
    if staged is None:
        return linear
    # who appears or goes while a picture is exposed is where it first or last was
    there = {
        actor.id: (
            actor,
            actor.trajectory.at(np.clip([time_us], *actor.trajectory.time_us[[0, -1]]))[0],
        )
        for actor in actors
        if actor.id in staged.ids
    }
    recorded = {actor.id: actor for actor in scene.clip.actors}
    moved = [
        number
        for number, (actor, _) in there.items()
        if recorded.get(number) != actor or number in staged.foreign_ids
    ]
    if not moved:
        return linear
    boxes = {
        number: (
            torch.from_numpy(pose).float(),
            torch.from_numpy(np.asarray(actor.size_m)).float(),
        )
        for number, (actor, pose) in there.items()
    }
    people = cast(PeopledScene, scene)
    return people.lit(rays, march, normals(), staged, boxes, moved)


def pixel_times(
    camera: Camera, pixels: Float64[np.ndarray, "n 2"], time_us: int
) -> Int64[Tensor, "n"]:
    """When each pixel is exposed [µs]."""
    offset_us = np.round(camera.readout_offset_us(pixels)).astype(np.int64)
    return torch.from_numpy(time_us + offset_us)


def whose(
    march: MarchResult,
    staged: StagedRays | None,
    numbers: Mapping[int, int],
    rays: tuple[Tensor, ...],
) -> Int64[np.ndarray, "n"]:
    """Number (of each id in `numbers`) of the one whose own field a pixel shows; 0 for none.

    `UNDERNEATH` where the field of a vehicle shows the ground under it.
    """
    if staged is None:
        return np.zeros(len(march.instance), dtype=np.int64)
    found = np.array([0, *(numbers[each] for each in staged.ids)])[march.instance.cpu().numpy()]
    points, instance = _ends(march, rays)
    found[staged.is_underbody(points, rays[1], instance).numpy()] = UNDERNEATH
    return found


def _ends(
    march: MarchResult, rays: tuple[Tensor, ...]
) -> tuple[Float32[Tensor, "n 3"], Int64[Tensor, "n"]]:
    """Where rays end on a surface, and whose it is; 0 where there is none."""
    range_m = march.range_m.cpu().float()
    seen = torch.isfinite(range_m)
    points = rays[0] + rays[1] * torch.where(seen, range_m, torch.zeros_like(range_m))[:, None]
    return points, march.instance.cpu() * seen


def support(
    march: MarchResult, staged: StagedRays | None, rays: tuple[Tensor, ...]
) -> UInt8[Tensor, "n"]:
    """What is known of the surface of whoever moves (see `StagedRays.support`)."""
    if staged is None:
        return torch.zeros(len(march.instance), dtype=torch.uint8)
    return staged.support(*_ends(march, rays))
