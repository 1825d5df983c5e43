"""A reconstructed scene: the folder that `reconstruct` writes, ready to be rendered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from recon.actors.placement import ActorModel, PlacedActors, models_of, place_actors
from recon.config import ReconstructionConfig
from recon.data.occluded_ground import hidden_by
from recon.evaluation.gains import ActorGain, doubts, read_gains, write_gains
from recon.field.model import Model, new_model
from recon.field.photometry import srgb
from recon.kernels.backend import Backend, backend_named, choose_backend
from recon.lighting.daylight import Daylight
from recon.lighting.light_files import read_light, write_light
from recon.rendering.march import MarchOutput, march
from recon.rendering.rays import Rays
from recon.training.checkpoint import load_model, save_model
from recon.training.observation import Surfaces, eyes
from scenes.actor import Actor
from scenes.clip import Clip
from scenes.sensors.camera_look import NEUTRAL, CameraLook
from scenes.storage.clip_files import read_clip, write_clip
from scenes.storage.files import write_json
from scenes.storage.manifests import Finished, finished
from scenes.work.short_repr import short_repr

if TYPE_CHECKING:
    from recon.rendering.march_native import NativeScene

FIELD, CONFIG = "field.safetensors", "config.json"
RADIANCE_FIELD = "radiance-field"
"""What renders such a scene, as its manifest names it (`recon.rendering.renderer`)."""
CHUNK_RAYS = 4096
"""Rays per march when rendering: keeps the samples of one chunk in the cache's reach."""
GPU_CHUNK_RAYS = 32768
"""The same on a GPU, where every march costs some hundred launches."""
NATIVE_CHUNK_RAYS = 65536
"""The same for the native engine, which keeps to the cache by itself: between chunks, a user may
interrupt."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Scene:
    """A trained model and the clip it was trained on.

    The field may be on a CUDA device; everything else, and every tensor that goes into a method or
    comes out of it, is on the CPU.
    """

    clip: Clip
    config: ReconstructionConfig
    model: Model
    backend: Backend
    actor_models: Mapping[int, ActorModel] = field(default_factory=dict)
    """Road users with fields of their own, by id: those of the model."""
    light: Daylight = field(default_factory=Daylight.unknown)
    """What lit the drive; not known in a scene that is in the making."""
    actor_gains: Mapping[int, ActorGain] = field(default_factory=dict)
    """How much better those of the model explain their pixels than the static scene, by id, as
    measured when the scene was made; nothing in a scene that is in the making."""
    native: "NativeScene | None" = None
    """The engine's copy of the field, on the native backend: made when none is given, which would
    be one that a training keeps up to date."""

    __repr__ = short_repr

    def __post_init__(self) -> None:
        if not self.actor_models:
            models = models_of(self.model.actor_fields)
            object.__setattr__(self, "actor_models", models)
        if self.backend is Backend.NATIVE and self.native is None:
            from recon.rendering.march_native import NativeScene

            object.__setattr__(self, "native", NativeScene(self.model.field))

    @torch.no_grad()
    def render_rays(
        self,
        origins: Float[Tensor, "rays 3"],
        directions: Float[Tensor, "rays 3"],
        pixel_angle: Float[Tensor, "rays"],
        placed: PlacedActors | None = None,
    ) -> MarchOutput:
        """What rays of the world see (`march.march`), in chunks, without gradients.

        Args:
            origins: Start points [m].
            directions: Unit vectors.
            pixel_angle: Angle that each ray's pixel spans [rad].
            placed: What moves, from `placed`; nothing when left out.
        """
        field, sampling = self.model.field, self.config.sampling
        native = self.native
        size = GPU_CHUNK_RAYS if field.device.type != "cpu" else CHUNK_RAYS
        size = NATIVE_CHUNK_RAYS if native is not None else size
        names = MarchOutput.__dataclass_fields__
        chunks: dict[str, list[Tensor]] = {name: [] for name in names}
        for start in range(0, len(origins), size):
            part = slice(start, start + size)
            rays = Rays(
                origins_m=origins[part].to(field.device),
                directions=directions[part].to(field.device),
                pixel_angle=pixel_angle[part].to(field.device),
                moment=None if placed is None else placed.moment[part].to(field.device),
            )
            there = () if placed is None else placed.instances
            steps = {
                "sampling": sampling,
                "growth": sampling.render_growth,
                "termination": sampling.termination,
            }
            if native is None:
                out = march(field, rays, there, **steps)[0]
            else:
                out = native.march(rays, there, **steps)
            # what a lens does not show is black
            out = replace(out, linear=torch.where(rays.is_valid[:, None], out.linear, 0.0))
            for name, parts in chunks.items():
                parts.append(getattr(out, name).cpu())
        return MarchOutput(**{name: torch.cat(parts) for name, parts in chunks.items()})

    def placed(
        self,
        actors: Sequence[Actor],
        time_us: Int64[Tensor, "rays"],
        replaced: Mapping[int, ActorModel | None] | None = None,
    ) -> PlacedActors | None:
        """Those actors who have a model, where they are when rays are seen; None for nobody.

        Args:
            actors: Road users, wherever they are to be.
            time_us: When each ray is seen.
            replaced: Models, by id, of those who look like something else than themselves; None
                where that is not drawn.
        """
        other = replaced or {}
        own = {number: model for number, model in self.actor_models.items() if number not in other}
        models = own | {number: model for number, model in other.items() if model is not None}
        return place_actors(models, self.clip.actors, actors, time_us) if models else None

    def observed(self, points_m: Float[Tensor, "*n 3"]) -> Bool[Tensor, "*n"]:
        """Whether training rays met or passed the static scene at world points.

        Where a vehicle with a field stood, nobody saw the ground: what is there is made up.
        """
        seen = self.model.support.observed(self.model.field.block, points_m)
        for actor in self.standing:
            seen &= ~hidden_by(actor, points_m)
        return seen

    def observed_surfaces(
        self,
        origins_m: Float64[np.ndarray, "n 3"],
        directions: Float64[np.ndarray, "n 3"],
        range_m: Float64[np.ndarray, "n"],
        forward: Float64[np.ndarray, "3"],
    ) -> Bool[np.ndarray, "n"]:
        """Whether some training picture showed what rays of a picture end on.

        That is, the same surface of the static scene, or the sky, from a comparable side and
        distance (`recon.training.observation`).

        Args:
            origins_m: Where rays start (world).
            directions: Their unit directions (world); NaN where a lens shows nothing.
            range_m: Distances to the first surface; inf for sky.
            forward: Unit vector along which the picture's camera looks (world).
        """
        seen = Surfaces(origins_m=origins_m, directions=directions, range_m=range_m)
        known = self.model.observation
        return known.observed(tuple(eyes(known, self.clip)), seen, forward)

    @property
    def standing(self) -> tuple[Actor, ...]:
        """Recorded road users that stand and have fields of their own."""
        known = (actor for actor in self.clip.actors if actor.id in self.actor_models)
        return tuple(actor for actor in known if not actor.is_moving)

    @property
    def doubtful_actors(self) -> dict[int, str]:
        """Whose own field does not show it as recorded, by id, and why in words."""
        return doubts(self.actor_gains)

    @torch.no_grad()
    def corrected(
        self,
        origins: Float[Tensor, "rays 3"],
        directions: Float[Tensor, "rays 3"],
        stream: int,
        time_us: int,
    ) -> tuple[Float[Tensor, "rays 3"], Float[Tensor, "rays 3"]]:
        """Rays of a recorded picture, moved as its pose was corrected in training, if it was."""
        if self.config.pose_rate == 0.0:
            return origins, directions
        twist = self.model.poses.at(stream, time_us).expand(len(origins), 6)
        return self.model.poses.correct(origins, directions, twist)

    @torch.no_grad()
    def display(
        self,
        linear: Float[Tensor, "rays 3"],
        stream: int,
        time_us: int,
        camera_look: CameraLook = NEUTRAL,
    ) -> Float[Tensor, "rays 3"]:
        """sRGB in 0..1 as the camera would have shown it then, under another look."""
        gain = self.model.photometry.gain_at(stream, time_us)
        return srgb(linear * gain * linear.new_tensor(camera_look.gains)).clamp(0.0, 1.0)


def write_scene(
    into: Path,
    folder: Path,
    clip: Clip,
    config: ReconstructionConfig,
    model: Model,
    gains: Mapping[int, ActorGain],
    light: Daylight,
) -> None:
    """Write a scene's files into `into`, which will later be called `folder`.

    `gains` are those of all road users with fields (`recon.evaluation.measured_gains`), `light` is
    what lit the drive (`recon.lighting.light_estimation`).
    """
    save_model(into / FIELD, model)
    write_gains(into, gains)
    write_light(into, light)
    write_json(into / CONFIG, msgspec.to_builtins(config))
    write_clip(clip, into, folder)


def load_scene(folder: Path, backend: str | None = None, drive: Path | None = None) -> Scene:
    """Open a reconstructed scene; pictures of the drive are not needed.

    Args:
        folder: Of the scene.
        backend: Kernels to render with; the fastest that works here when left out.
        drive: Where the recording lies now, if it has moved.

    Raises:
        OtherlaneError: It is not a scene, or damaged, or the backend does not work here.
    """
    return open_scene(finished(folder, "scene"), backend, drive)


def open_scene(held: Finished, backend: str | None = None, drive: Path | None = None) -> Scene:
    """`load_scene` of a folder whose manifest was read."""
    clip, config = read_clip(held, drive), held.parsed(CONFIG, ReconstructionConfig)
    gains, light = read_gains(held), read_light(held)
    chosen = choose_backend(None if backend is None else backend_named(backend))
    model = new_model(clip, config, chosen)
    load_model(held.folder / FIELD, held.read(FIELD), model)
    return scene_of(clip, config, model, chosen, gains, light)


def scene_of(
    clip: Clip,
    config: ReconstructionConfig,
    model: Model,
    backend: Backend,
    gains: Mapping[int, ActorGain],
    light: Daylight | None = None,
) -> Scene:
    """A trained model as a scene; all of it but its fields goes to the CPU."""
    model.photometry.cpu()
    model.support.cpu()
    model.poses.cpu()
    return Scene(
        clip=clip, config=config, model=model, backend=backend, actor_gains=gains,
        light=Daylight.unknown() if light is None else light,
    )  # fmt: skip
