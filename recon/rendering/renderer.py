"""The radiance field as a renderer: shots in, buffers out (`recon.rendering.shot`).

One march through every pixel's centre; where road users are not where, or what, they were recorded,
they get the light of the shot and throw new shadows; edges that no picture taught are the mean of
several rays (`recon.rendering.antialias`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from recon.actors.actor_fields import OBSERVED
from recon.actors.placement import ActorModel, PlacedActors
from recon.assets.asset_files import is_packed, load_actor_model
from recon.lighting.daylight import Daylight
from recon.rendering.antialias import antialiased
from recon.rendering.march import MarchOutput
from recon.rendering.normals import surface_normals
from recon.rendering.rays import Rays
from recon.rendering.shading import shaded
from recon.rendering.shot import CHANNELS, UNDERBODY, Buffers, Shot, pixel_rays
from recon.scene import RADIANCE_FIELD, Scene, open_scene
from scenes.clip import Clip
from scenes.errors import OtherlaneError
from scenes.storage.manifests import finished


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FieldRenderer:
    """Renders a reconstructed scene (`recon.rendering.shot.Renderer`)."""

    scene: Scene

    @property
    def clip(self) -> Clip:
        """The drive that it was made from."""
        return self.scene.clip

    @property
    def light(self) -> Daylight:
        """What lit the drive."""
        return self.scene.light

    @property
    def scale(self) -> float:
        """Size of the training pictures, over that of the recorded ones."""
        return self.scene.config.scale

    @property
    def version(self) -> str:
        """The kind of the renderer and the backend of its kernels."""
        return f"{RADIANCE_FIELD} ({self.scene.backend.value})"

    @property
    def modelled_ids(self) -> frozenset[int]:
        """Recorded road users with fields of their own."""
        return frozenset(self.scene.actor_models)

    @property
    def doubtful_actors(self) -> Mapping[int, str]:
        """Whose own field does not show it as recorded, by id, and why in words."""
        return self.scene.doubtful_actors

    @torch.no_grad()
    def render(self, shot: Shot, channels: Collection[str]) -> Buffers:
        """See `Renderer.render`."""
        unknown = set(channels) - set(CHANNELS)
        assert not unknown, f"no channels are called {sorted(unknown)}"
        picture = _Picture(replace(self.scene, light=shot.light), shot)
        size = (shot.camera.height, shot.camera.width)
        found = {name: getattr(picture, name) for name in channels}
        return Buffers(
            channels={name: part.reshape(*size, *part.shape[1:]) for name, part in found.items()},
            modelled=frozenset() if picture.placed is None else picture.placed.modelled,
        )


def load_renderer(
    folder: Path, backend: str | None = None, drive: Path | None = None
) -> FieldRenderer:
    """Open a scene as a renderer of the kind that its manifest names.

    Arguments and errors are those of `recon.scene.load_scene`.
    """
    held = finished(folder, "scene")
    kind = held.about.get("renderer")
    if kind != RADIANCE_FIELD:
        wrong = f"is rendered by {kind!r}, which this version does not have"
        raise OtherlaneError(folder, wrong, "a newer version of otherlane")
    return FieldRenderer(scene=open_scene(held, backend, drive))


class _Picture:
    """The channels of one shot, each found when it is first wanted, for its pixels row by row."""

    def __init__(self, scene: Scene, shot: Shot) -> None:
        self._scene, self._shot, self._pixels = scene, shot, pixel_rays(shot)
        self._models = _replaced(scene, shot)
        self.placed = scene.placed(shot.actors, self._pixels.time_us, self._models)

    @cached_property
    def _rays(self) -> Rays:
        pixels = self._pixels
        return Rays(
            origins_m=pixels.origins_m.float(),
            directions=pixels.directions.float(),
            pixel_angle=pixels.angle,
        )

    @cached_property
    def _march(self) -> MarchOutput:
        return self._scene.render_rays(*self._rays.parts, self.placed)

    @cached_property
    def normal(self) -> Tensor:
        """See `CHANNELS`."""
        camera, pixels = self._shot.camera, self._pixels
        size = (camera.height, camera.width)
        found = surface_normals(
            pixels.origins_m.view(*size, 3), pixels.directions.view(*size, 3),
            self.range_m.view(size), 1.0 / max(camera.fx, camera.fy),
        )  # fmt: skip
        return found.view(-1, 3)

    @cached_property
    def linear(self) -> Tensor:
        """See `CHANNELS`."""
        if self.placed is None:
            return self._where_seen(self._march.linear, 0.0)
        shot = self._shot

        def shade(
            rays: Rays, out: MarchOutput, placed: PlacedActors, pick: Tensor | None
        ) -> Tensor:
            return shaded(self._scene, shot, rays, out, placed, lambda: self._normals(pick))

        def march(rays: Rays, time_us: Int64[Tensor, "k"]) -> tuple[MarchOutput, PlacedActors]:
            there = self._scene.placed(shot.actors, time_us, self._models)
            assert there is not None
            return self._scene.render_rays(*rays.parts, there), there

        first = shade(self._rays, self._march, self.placed, None)
        whole = antialiased(
            shot, self._rays, self._march, self.placed, first, march=march, shade=shade
        )
        return self._where_seen(whole, 0.0)

    def _normals(self, pick: Tensor | None) -> Float[Tensor, "k 3"]:
        return self.normal if pick is None else self.normal[pick]

    @cached_property
    def shown(self) -> Tensor:
        """See `CHANNELS`."""
        shot = self._shot
        shown = self._scene.display(self.linear, shot.stream, shot.time_us, shot.camera_look)
        return self._where_seen(shown.cpu(), 0.0)

    @cached_property
    def opacity(self) -> Tensor:
        """See `CHANNELS`."""
        return self._where_seen(self._march.opacity, 0.0)

    @cached_property
    def range_m(self) -> Tensor:
        """See `CHANNELS`."""
        return self._where_seen(self._march.range_m, torch.inf)

    @cached_property
    def instance(self) -> Tensor:
        """See `CHANNELS`."""
        if self.placed is None:
            return torch.zeros(len(self._rays), dtype=torch.int64)
        place = {actor.id: k for k, actor in enumerate(self._shot.actors, start=1)}
        found = torch.tensor([0, *(place[each] for each in self.placed.ids)])[self._march.instance]
        points, whose = self._ends()
        found[self.placed.is_underbody(points, self._rays.directions, whose)] = UNDERBODY
        return found.masked_fill(self._pixels.blind, 0)

    @cached_property
    def support(self) -> UInt8[Tensor, "n"]:
        """See `CHANNELS`."""
        if self.placed is None:
            return torch.zeros(len(self._rays), dtype=torch.uint8)
        return self.placed.support(*self._ends())

    @cached_property
    def observed(self) -> Tensor:
        """See `CHANNELS`."""
        static = self._march.instance == 0
        observed = (self.support == OBSERVED) | static
        pick = static.numpy()
        found = self._scene.observed_surfaces(
            self._pixels.origins_m.numpy()[pick],
            self._pixels.directions.numpy()[pick],
            self._march.range_m.double().numpy()[pick],
            self._shot.middle[:3, 2],
        )
        observed[static] = torch.from_numpy(found)
        return observed & ~self._pixels.blind

    def _ends(self) -> tuple[Float[Tensor, "n 3"], Int64[Tensor, "n"]]:
        """Where rays end on a surface, and whose it is; 0 where there is none."""
        seen = torch.isfinite(self._march.range_m)
        away_m = torch.where(seen, self._march.range_m, 0.0)[:, None]
        return self._rays.origins_m + self._rays.directions * away_m, self._march.instance * seen

    def _where_seen(self, values: Float[Tensor, "n *c"], empty: float) -> Float[Tensor, "n *c"]:
        """Values of pixels, `empty` where the lens sees nothing."""
        return values.index_fill(0, torch.nonzero(self._pixels.blind)[:, 0], empty)


def _replaced(scene: Scene, shot: Shot) -> dict[int, ActorModel | None]:
    """Models of those who look like assets, by id.

    Raises:
        OtherlaneError: An asset has no field, or a damaged one.
    """
    present = {actor.id for actor in shot.actors}
    return {
        number: load_actor_model(name, scene.backend) if is_packed(name) else None
        for number, name in shot.assets.items()
        if number in present
    }
