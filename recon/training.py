"""The state of a training between two steps: all that a checkpoint must hold."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Int64
from torch import Tensor

from recon.adam import BETA1, BETA2, LazyAdam
from recon.config import ReconstructionConfig
from recon.evidence import Data
from recon.kernels.backend import Backend
from recon.model import Model, new_model
from recon.occupancy import OccupancyGrid
from recon.space import cell_index
from scenes.clip import Clip

if TYPE_CHECKING:
    from recon.step_native import NativeTraining

FIRST_RAYS = 256


@dataclass(kw_only=True, slots=True)
class Training:
    """A training between two steps."""

    model: Model
    table: LazyAdam
    """Of the hash table."""
    networks: torch.optim.Optimizer
    """Of everything else."""
    rays: int
    """Rays of the next step: adapted so that the samples stay the same in number."""
    known_cells: Int64[Tensor, "cells"]
    """Cells of the occupancy in which depth evidence ends: something is there."""
    native: "NativeTraining | None" = None
    """The engine's copy of the parameters, where the native backend trains; not saved."""

    @property
    def occupancy(self) -> OccupancyGrid:
        """The static scene's, which training keeps up to date."""
        grid = self.model.field.occupancy
        assert isinstance(grid, OccupancyGrid)
        return grid

    def take_up(self) -> None:
        """Tell the engine that the parameters were changed by others."""
        if self.native is not None:
            self.native.scene.fill()


def new_training(clip: Clip, config: ReconstructionConfig, data: Data) -> Training:
    """A training before its first step."""
    model = new_model(clip, config)
    ends = data.depth.ends_m().to(model.field.device)
    native = None
    if config.backend == Backend.NATIVE:
        from recon.step_native import NativeTraining

        native = NativeTraining(model)
    return Training(
        native=native,
        model=model,
        table=LazyAdam(model.field.static.table),
        networks=_networks(model, config),
        rays=FIRST_RAYS,
        known_cells=torch.unique(
            cell_index(model.field.block.unit(ends), config.field.occupancy_resolution)
        ),
    )


def _networks(model: Model, config: ReconstructionConfig) -> torch.optim.Optimizer:
    field = model.field
    layers = [
        *field.static.density_layers,
        *field.static.colour_layers,
        *field.sky.parameters(),
    ]
    groups = [
        {"params": layers, "base": config.network_rate},
        {"params": list(model.photometry.parameters()), "base": config.exposure_rate},
        {"params": list(model.poses.parameters()), "base": config.pose_rate},
    ]
    return torch.optim.Adam(groups, betas=(BETA1, BETA2), eps=1e-8, fused=True)
