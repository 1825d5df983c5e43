"""A reconstructed scene: the folder that `reconstruct` writes, ready to be rendered."""

from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch
from jaxtyping import Float
from torch import Tensor

from recon.checkpoint import load_model, save_model
from recon.config import ReconstructionConfig
from recon.kernels.backend import Backend, backend_named, choose_backend
from recon.march import MarchOutput, march
from recon.model import Model, new_model
from recon.photometry import srgb
from recon.rays import Rays
from scenes.clip import Clip
from scenes.clip_files import read_clip, write_clip
from scenes.errors import OtherlaneError
from scenes.folders import damaged_files, read_manifest, write_json

FIELD, CONFIG = "field.safetensors", "config.json"
CHUNK_RAYS = 4096
"""Rays per march when rendering: keeps the samples of one chunk in the cache's reach."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Scene:
    """A trained model and the clip it was trained on."""

    clip: Clip
    config: ReconstructionConfig
    model: Model
    backend: Backend

    @torch.no_grad()
    def render_rays(
        self,
        origins: Float[Tensor, "rays 3"],
        directions: Float[Tensor, "rays 3"],
        pixel_angle: Float[Tensor, "rays"],
    ) -> MarchOutput:
        """What rays of the world see (see `recon.march.march`), in chunks, without gradients.

        Args:
            origins: Start points [m].
            directions: Unit vectors.
            pixel_angle: Angle that each ray's pixel spans [rad].
        """
        rays = Rays(origins_m=origins, directions=directions, pixel_angle=pixel_angle)
        sampling = self.config.sampling
        chunks = [
            march(
                self.model.field,
                rays[start : start + CHUNK_RAYS],
                sampling=sampling,
                growth=sampling.render_growth,
                termination=sampling.termination,
            )[0]
            for start in range(0, len(rays), CHUNK_RAYS)
        ]
        names = MarchOutput.__dataclass_fields__
        return MarchOutput(**{n: torch.cat([getattr(c, n) for c in chunks]) for n in names})

    @torch.no_grad()
    def display(
        self,
        linear: Float[Tensor, "rays 3"],
        stream: int,
        time_us: int,
        exposure_ev: float = 0.0,
    ) -> Float[Tensor, "rays 3"]:
        """sRGB in 0..1 as the camera would have shown it then, `exposure_ev` stops brighter."""
        gain = self.model.photometry.gain_at(stream, time_us)
        return srgb(linear * gain * 2.0**exposure_ev).clamp(0.0, 1.0)


def write_scene(
    into: Path, folder: Path, clip: Clip, config: ReconstructionConfig, model: Model
) -> None:
    """Write a scene's files into `into`, which will later be called `folder`."""
    save_model(into / FIELD, model)
    write_json(into / CONFIG, msgspec.to_builtins(config))
    write_clip(clip, into, folder)


def load_scene(folder: Path, backend: str | None = None) -> Scene:
    """Open a reconstructed scene; pictures of the drive are not needed.

    Raises:
        OtherlaneError: It is not a scene, or damaged, or the backend does not work here.
    """
    manifest = read_manifest(folder, "scene")
    clip = read_clip(folder, manifest["files"])
    try:
        config = msgspec.json.decode((folder / CONFIG).read_bytes(), type=ReconstructionConfig)
    except (msgspec.DecodeError, OSError) as error:
        fix = "reconstruct the scene again"
        raise OtherlaneError(folder / CONFIG, f"cannot be read ({error})", fix) from error
    if damaged := set(damaged_files(folder, manifest)) & {FIELD, CONFIG}:
        wrong = "is not what was written (its hash differs)"
        raise OtherlaneError(folder / min(damaged), wrong, "reconstruct the scene again")
    chosen = choose_backend(None if backend is None else backend_named(backend))
    model = new_model(clip, config)
    load_model(folder / FIELD, model)
    return Scene(clip=clip, config=config, model=model, backend=chosen)
