"""`step.torch_step` on the native backend: one call for rays, losses and gradients."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from recon.config import ReconstructionConfig, SamplingConfig
from recon.field.field import GridField, Instance
from recon.field.model import Model
from recon.kernels.engine_threads import threads
from recon.rendering.instance_gradients import (
    latents_of_rays,
    ray_gradients,
    rays_in_cubes,
    rays_without_gradients,
)
from recon.rendering.march_native import NativeScene
from recon.rendering.rays import Rays
from recon.training.ray_batch import Batch
from recon.training.state import Training, actor_grids
from recon.training.step import StepPlan

LOSSES = ("photometric", "distortion", "sky", "depth", "empty")


class NativeTraining:
    """The engine's side of a training: the half-precision table and the gradients live there."""

    def __init__(self, model: Model) -> None:
        self.scene = NativeScene(model.field)
        self.actors = [self.scene.native(field) for field in actor_grids(model)]
        self.empty = cache(self._empty)

    def _empty(self, sampling: SamplingConfig, growth: float) -> Any:
        return self.scene.placed(sampling, growth, sampling.termination)

    def placed(self, sampling: SamplingConfig, growth: float, instances: Sequence[Instance]) -> Any:
        """The scene with what moves where it is."""
        if not instances:
            return self.empty(sampling, growth)
        return self.scene.placed(sampling, growth, sampling.termination, instances)

    def density(self, unit: Float[Tensor, "n 3"]) -> Float[Tensor, "n"]:
        """Density of the static scene at points of the unit cube [1/m]."""
        found = torch.empty(len(unit))
        self.scene.natives[0].query(unit, None, None, found, None, None, threads())
        return found


def native_step(
    training: Training, batch: Batch, config: ReconstructionConfig, plan: StepPlan
) -> tuple[dict[str, float], int]:
    """Take a step; returns the losses and how many samples of the static scene were looked at."""
    native, model = training.native, training.model
    assert native is not None
    exposure = batch.exposure(model.photometry).detach()
    of_exposure = torch.empty(batch.pixel_rays, 3)
    loss, support = config.loss, model.support
    moving = [x for x in (batch.rays.origins_m, batch.rays.directions) if x.requires_grad]
    instances, rays = training.instances(batch.rays)
    instance_gradients, wanted = _placing(instances, rays, config)
    of_rays = ray_gradients(instances, len(rays), [*[bool(moving)] * 2, *wanted])
    counted = support.arrays() if plan.support else None
    done = native.placed(config.sampling, plan.growth, instances).train(
        rays.origins_m.detach(), rays.directions.detach(), rays.pixel_angle, plan.shift,
        rays.moment, exposure, batch.shown(), batch.sky().to(torch.uint8), batch.depth_m,
        config.sampling.far_m, [loss.depth, loss.empty, loss.distortion, loss.sky], of_exposure,
        training.occupancy.density, support.resolution, counted, of_rays, threads(),
    )  # fmt: skip
    _move(training, config, plan)
    training.model.poses.zero_grad(set_to_none=True)
    if model.actor_fields is not None:
        model.actor_fields.corrections.grad = model.actor_fields.latent.grad = None
    back = [*moving, *instance_gradients], [of for of in of_rays if of is not None]
    if back[0]:
        torch.autograd.backward(*back)
    _expose(training, batch, exposure * of_exposure)
    training.networks.step()
    native.scene.fill_networks()
    return {name: done[name] for name in LOSSES}, done["samples"]


def _move(training: Training, config: ReconstructionConfig, plan: StepPlan) -> None:
    """Move the table, and give the networks their gradients."""
    native = training.native
    assert native is not None
    field, engine, state = training.model.field, native.scene.natives[0], training.table
    engine.adam(
        field.static.table.detach(), state.first, state.second, state.count,
        config.learning_rate * plan.rate, threads(),
    )  # fmt: skip
    _read_networks(engine, field.static)
    for weight in field.sky.layers:
        if weight.grad is None:
            weight.grad = torch.empty_like(weight)
    native.scene.sky.read_gradients([w.grad for w in field.sky.layers])
    actors = zip(native.actors, actor_grids(training.model), training.actor_tables, strict=True)
    for part, of_actor, moments in actors:
        part.adam(
            of_actor.table.detach(), moments.first, moments.second, moments.count,
            config.learning_rate * plan.rate, threads(),
        )  # fmt: skip
        _read_networks(part, of_actor)


def _read_networks(native: Any, field: GridField) -> None:
    density, colour = list(field.density_layers), list(field.colour_layers)
    for weight in (*density, *colour):
        if weight.grad is None:
            weight.grad = torch.empty_like(weight)
    native.read_gradients(None, [w.grad for w in density], [w.grad for w in colour])


def _placing(
    instances: Sequence[Instance], rays: Rays, config: ReconstructionConfig
) -> tuple[list[Tensor], list[bool]]:
    """What carries gradients back to poses and latents, and which of `ray_gradients` it needs."""
    found, fixed = [], rays_without_gradients(rays)
    poses = bool(instances) and config.actors is not None and config.actors.pose_rate > 0.0
    if poses:
        found += rays_in_cubes(instances, fixed)
    limbed = any(item.latent is not None for item in instances)
    if limbed:
        found.append(latents_of_rays(instances, fixed))
    return found, [poses, poses, limbed]


def _expose(training: Training, batch: Batch, of_log: Float[Tensor, "pixels 3"]) -> None:
    """Give the exposures their gradients."""
    for gains in training.model.photometry.log_gain:
        gains.grad = torch.zeros_like(gains)
    at = 0
    for (pixels, drawn), frame in batch.frames():
        gains = training.model.photometry.log_gain[pixels.stream]
        assert gains.grad is not None
        gains.grad.index_add_(0, frame, of_log[at : at + len(drawn)])
        at += len(drawn)
