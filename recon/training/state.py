"""The state of a training between two steps: all that a checkpoint must hold."""

from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Int64
from torch import Tensor

from recon.actors.actor_fields import BoxPoses
from recon.config import ReconstructionConfig
from recon.data.training_data import Data
from recon.field.field import Instance
from recon.field.model import Model, actor_grids, new_model
from recon.field.occupancy import OccupancyGrid
from recon.field.space import cell_index
from recon.kernels.backend import Backend
from recon.rendering.rays import Rays
from recon.training.adam import BETA1, BETA2, LazyAdam
from recon.training.native_training import NativeTraining
from scenes.clip import Clip

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
    actor_tables: list[LazyAdam] = field(default_factory=list)
    """Of the hash tables of road users that move."""
    where: BoxPoses | None = None
    """Those road users, at every moment of the drive's pictures and depth evidence."""
    native: NativeTraining | None = None
    """The engine's copy of the parameters, where the native backend trains; not saved."""

    def instances(self, rays: Rays) -> tuple[list[Instance], Rays]:
        """What moves, at the moments of some rays alone, and the rays numbered by those."""
        actor_fields, where = self.model.actor_fields, self.where
        if actor_fields is None or where is None or rays.moment is None:
            return [], rays
        count = len(where.time_us)
        asked = rays.moment.clamp_min(0) % count
        seen = torch.zeros(count, dtype=torch.bool, device=asked.device).index_fill_(0, asked, True)
        rows, row = torch.nonzero(seen)[:, 0], (seen.cumsum(0) - 1)[asked]
        row = row + (rays.moment >= count) * len(rows)
        row = torch.where(rays.moment < 0, rays.moment, row)
        return actor_fields.instances(where.at(rows), mirrored=True), replace(rays, moment=row)

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
        native = NativeTraining(model)
    return Training(
        native=native,
        model=model,
        table=LazyAdam(model.field.static.table),
        actor_tables=[LazyAdam(field.table) for field in actor_grids(model)],
        where=None if data.where is None else data.where.to(model.field.device),
        networks=_networks(model, config),
        rays=FIRST_RAYS,
        known_cells=torch.unique(
            cell_index(model.field.block.unit(ends), config.field.occupancy_resolution)
        ),
    )


def _networks(model: Model, config: ReconstructionConfig) -> torch.optim.Optimizer:
    field = model.field
    of_actors = [
        weight
        for part in actor_grids(model)
        for weight in (*part.density_layers, *part.colour_layers)
    ]
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
    if model.actor_fields is not None and config.actors is not None:
        groups += [
            {"params": of_actors, "base": config.network_rate},
            {"params": [model.actor_fields.latent], "base": config.network_rate},
            {"params": [model.actor_fields.corrections], "base": config.actors.pose_rate},
        ]
    return torch.optim.Adam(groups, betas=(BETA1, BETA2), eps=1e-8, fused=True)
