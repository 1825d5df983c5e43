"""A step of our training as a step of nerfstudio's.

`recon.training.loop.train_step` does the whole step, on whichever backend: what comes out is, bit
for bit, what `otherlane reconstruct` trains. nerfstudio's loop, viewer, logs and checkpoints go
around it; its optimizer gets a parameter without elements.
"""

# pyright: reportMissingImports=false

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from nerfstudio.engine.callbacks import (
    TrainingCallback,
    TrainingCallbackAttributes,
    TrainingCallbackLocation,
)
from nerfstudio.pipelines.base_pipeline import VanillaPipeline, VanillaPipelineConfig
from torch import Tensor
from torch.amp.grad_scaler import GradScaler

from recon.actors.actor_visibility import count_sightings
from recon.adapters.nerfstudio_data import ClipDataManager, ClipDataManagerConfig
from recon.adapters.nerfstudio_model import OtherlaneModel, OtherlaneModelConfig
from recon.training.loop import train_step
from recon.training.step import loss_weight
from scenes.errors import OtherlaneError

SCENE = "scene"
"""Folder in nerfstudio's output folder that `otherlane` can open."""


@dataclass
class ClipPipelineConfig(VanillaPipelineConfig):
    """A clip and our model."""

    _target: type = field(default_factory=lambda: ClipPipeline)
    datamanager: ClipDataManagerConfig = field(default_factory=ClipDataManagerConfig)
    model: OtherlaneModelConfig = field(default_factory=OtherlaneModelConfig)


class ClipPipeline(VanillaPipeline):
    """Trains our model on a clip."""

    config: ClipPipelineConfig
    datamanager: ClipDataManager
    model: OtherlaneModel

    def __init__(
        self,
        config: ClipPipelineConfig,
        device: str,
        test_mode: Literal["test", "val", "inference"] = "val",
        world_size: int = 1,
        local_rank: int = 0,
        grad_scaler: GradScaler | None = None,
    ) -> None:
        if world_size > 1:
            wrong = f"trains on one device, not on {world_size}"
            raise OtherlaneError("ns-train otherlane", wrong, "--machine.num-devices 1")
        super().__init__(config, device, test_mode, world_size, local_rank, grad_scaler)
        if test_mode == "val":  # nerfstudio's word for training
            self.training_state = self.model.begin(self.datamanager.evidence)

    def get_train_loss_dict(
        self, step: int
    ) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]:
        """Take a step; returns no outputs, the weighted losses, and the PSNR of its rays."""
        settings, state = self.model.settings, self.training_state
        with torch.autocast(torch.device(self.device).type, enabled=False):
            found = train_step(state, self.datamanager.evidence, settings, step)
        self.datamanager.rays = state.rays
        losses = {
            name: torch.tensor(value * loss_weight(settings, name), device=self.device)
            for name, value in found.items()
        }
        psnr = -10.0 * torch.log10(losses["photometric"].clamp_min(1e-10))
        # nerfstudio calls backward(): there must be something to differentiate
        losses["photometric"] = losses["photometric"] + self.model.device_indicator_param.sum()
        return {}, losses, {"psnr": psnr}

    def load_pipeline(self, loaded_state: dict[str, Any], step: int) -> None:
        """Take up what nerfstudio saved."""
        super().load_pipeline(loaded_state, step)
        self.model.take_up()

    def get_training_callbacks(
        self, training_callback_attributes: TrainingCallbackAttributes
    ) -> list[TrainingCallback]:
        """Settles the number of steps now, and writes a scene when they are done."""
        trainer = training_callback_attributes.trainer
        if trainer.config.max_num_iterations == 0:
            trainer.config.max_num_iterations = self.model.settings.steps - trainer._start_step
        # a resumed training goes on for max_num_iterations: schedules stretch to its end
        steps = trainer._start_step + trainer.config.max_num_iterations
        self.model.settings = replace(self.model.settings, steps=steps)

        def at_end(step: int) -> None:  # noqa: ARG001 (nerfstudio wants the name)
            count_sightings(self.training_state, self.datamanager.evidence, self.model.settings)
            self.model.write_scene(Path(trainer.base_dir) / SCENE)

        return [TrainingCallback([TrainingCallbackLocation.AFTER_TRAIN], at_end)]
