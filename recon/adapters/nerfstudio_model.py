"""Our radiance field as a model of nerfstudio: rendering, scores, and what a checkpoint holds.

Parameters have their canonical names, so that what nerfstudio trained is a scene of ours too.
"""

# pyright: reportMissingImports=false

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import torch
from jaxtyping import Float
from nerfstudio.cameras.rays import RayBundle
from nerfstudio.models.base_model import Model as HostModel
from nerfstudio.models.base_model import ModelConfig as HostModelConfig
from nerfstudio.utils import colormaps
from torch import Tensor, nn

from recon.adapters.nerfstudio_data import clip_source
from recon.data.training_data import Data
from recon.evaluation.measured_gains import measure_gains
from recon.evaluation.metrics import affine_fit, psnr_db, ssim
from recon.field.model import Model, new_model
from recon.field.photometry import srgb
from recon.kernels.backend import (
    Backend,
    backend_device,
    backend_named,
    choose_backend,
    usable_backends,
)
from recon.lighting.light_estimation import estimate_daylight
from recon.scene import RADIANCE_FIELD, Scene, write_scene
from recon.training.observing import observe
from recon.training.state import Training, new_training
from scenes.errors import OtherlaneError
from scenes.storage.folders import writing
from scenes.storage.manifests import Provenance, folder_hash


@dataclass
class OtherlaneModelConfig(HostModelConfig):
    """What a recipe does not say; for the recipe see `pipeline.datamanager.dataparser`."""

    _target: type = field(default_factory=lambda: OtherlaneModel)
    enable_collider: bool = False
    eval_num_rays_per_chunk: int = 1 << 16
    backend: str | None = None
    """Kernels (see otherlane doctor); the fastest on machine.device-type when left out."""


def backend_on(device: str, wanted: str | None) -> Backend:
    """`wanted` where it works on `device`, or the fastest there.

    Raises:
        OtherlaneError: It does not.
    """
    kind = torch.device(device).type
    if wanted is not None:
        backend = choose_backend(backend_named(wanted))
        if backend_device(backend).type != kind:
            wrong = f"does not run on {kind}"
            raise OtherlaneError(f"backend {backend}", wrong, "another --machine.device-type")
        return backend
    usable = [item for item in usable_backends() if backend_device(item).type == kind]
    if not usable:
        raise OtherlaneError(f"device {kind}", "has no usable backend", "otherlane doctor")
    return usable[-1]


class OtherlaneModel(HostModel):
    """A `recon.field.model.Model` in nerfstudio's terms."""

    config: OtherlaneModelConfig

    def populate_modules(self) -> None:
        """Make an untrained model for the clip."""
        super().populate_modules()
        self.source = clip_source(self.kwargs["metadata"])
        self.backend = backend_on(str(self.kwargs["device"]), self.config.backend)
        self.settings = replace(self.source.config, backend=str(self.backend))
        self.state: Training | None = None
        self._show(new_model(self.source.clip, self.settings))

    def begin(self, data: Data) -> Training:
        """Turn to training on `data`."""
        self.state = new_training(self.source.clip, self.settings, data)
        self._show(self.state.model)
        return self.state

    def _show(self, made: Model) -> None:
        self.field, self.photometry, self.support = made.field, made.photometry, made.support
        self.scene = self._scene(made)

    def _scene(self, made: Model) -> Scene:
        training = None if self.state is None else self.state.native
        return Scene(
            clip=self.source.clip,
            config=self.settings,
            model=made,
            backend=self.backend,
            native=None if training is None else training.scene,
        )

    def get_param_groups(self) -> dict[str, list[nn.Parameter]]:
        """An empty parameter: the field has optimizers of its own (`recon.training.state`)."""
        return {"host": [self.device_indicator_param]}

    def get_extra_state(self) -> dict[str, Any]:
        """What a training needs to go on, besides the parameters."""
        if self.state is None:
            return {}
        return {
            "table": self.state.table.tensors(),
            "networks": self.state.networks.state_dict(),
            "rays": self.state.rays,
        }

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take it up again, if there is a training."""
        if self.state is None or not state:
            return
        for name, tensor in self.state.table.tensors().items():
            tensor.copy_(state["table"][name])
        self.state.networks.load_state_dict(state["networks"])
        self.state.rays = state["rays"]

    def take_up(self) -> None:
        """Parameters were loaded: tell the engine."""
        if self.scene.native is not None:
            self.scene.native.fill()

    def get_outputs(self, ray_bundle: RayBundle) -> dict[str, Tensor]:
        """Render rays; colour as the camera would have shown it, depth in nerfstudio's scene."""
        rays, device = self.source.frame.rays(ray_bundle), ray_bundle.origins.device
        out = self.scene.render_rays(
            rays.origins_m.cpu(), rays.directions.cpu(), rays.pixel_angle.cpu()
        )
        known_m = out.range_m.nan_to_num(posinf=self.settings.sampling.far_m)
        outputs = {
            "rgb": srgb(out.linear * self._gain(ray_bundle)).clamp(0.0, 1.0),
            "accumulation": out.opacity[:, None],
            "depth": known_m[:, None] * self.source.frame.per_metre,
        }
        return {name: value.to(device) for name, value in outputs.items()}

    @torch.no_grad()
    def _gain(self, bundle: RayBundle) -> Float[Tensor, "n 3"]:
        """Exposure of each ray's picture, in time between training pictures; 1 in the viewer."""
        gain = torch.ones(bundle.origins.shape)
        if "stream" not in (bundle.metadata or {}):
            return gain
        picture = torch.cat([bundle.metadata["stream"], bundle.metadata["frame"]], 1).cpu()
        for each in picture.unique(dim=0):
            stream, frame = (int(number) for number in each)
            time_us = int(self.source.clip.cameras[stream].time_us[frame])
            gain[(picture == each).all(1)] = self.photometry.gain_at(stream, time_us).cpu()
        return gain

    def get_loss_dict(
        self,
        outputs: dict[str, Tensor],
        batch: dict[str, Any],
        metrics_dict: dict[str, Tensor] | None = None,  # noqa: ARG002
    ) -> dict[str, Tensor]:
        """Mean squared error of pixels of held-out pictures."""
        error = outputs["rgb"] - batch["image"].to(outputs["rgb"])
        return {"photometric": error.square().mean()}

    def get_image_metrics_and_images(
        self, outputs: dict[str, Tensor], batch: dict[str, Any]
    ) -> tuple[dict[str, float], dict[str, Tensor]]:
        """The scores of `otherlane evaluate`, of one held-out picture; moving actors are masked."""
        photo, shown = batch["image"].cpu(), outputs["rgb"].cpu()
        triple = shown.numpy(), photo.numpy(), batch["mask"][..., 0].cpu().numpy()
        scores = {
            "psnr": psnr_db(*triple),
            "psnr_affine": psnr_db(affine_fit(*triple), *triple[1:]),
            "ssim": ssim(*triple),
        }
        opacity = outputs["accumulation"]
        pictures = {
            "img": torch.cat([photo, shown], 1),
            "accumulation": colormaps.apply_colormap(opacity),
            "depth": colormaps.apply_depth_colormap(outputs["depth"], accumulation=opacity),
        }
        return scores, pictures

    def write_scene(self, out: Path) -> None:
        """Write what was trained as a scene of otherlane."""
        source, settings = self.source, self.settings
        provenance = Provenance(
            kind="scene",
            inputs={"clip": folder_hash(source.folder, "clip")},
            config={"host": "nerfstudio", **msgspec.to_builtins(settings)},
        )
        with writing(out, provenance, about={"renderer": RADIANCE_FIELD}) as partial:
            observe(self.scene)
            gains = measure_gains(self.scene)
            light = estimate_daylight(self.scene)
            write_scene(partial, out, source.clip, settings, self.scene.model, gains, light)
