"""`step.torch_step` on the native backend: one call for rays, losses and gradients."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from recon.config import ReconstructionConfig
from recon.field.field import Instance
from recon.field.model import actor_grids
from recon.kernels.engine_threads import threads
from recon.rendering.instance_gradients import placing_gradients, ray_gradients
from recon.training.ray_batch import Batch
from recon.training.state import Training
from recon.training.step import StepPlan

LOSSES = ("photometric", "distortion", "sky", "depth", "empty")


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
    of_rays = ray_gradients(
        instances, len(rays), [*[bool(moving)] * 2, *_placing(instances, config)]
    )
    counted = support.arrays() if plan.support else None
    done = native.placed(config.sampling, plan.growth, instances).train(
        rays.origins_m.detach(), rays.directions.detach(), rays.pixel_angle, plan.shift,
        rays.moment, exposure, batch.shown(), batch.sky().to(torch.uint8), batch.depth_m,
        config.sampling.far_m, [loss.depth, loss.empty, loss.distortion, loss.sky], of_exposure,
        training.occupancy.density, support.resolution, counted, of_rays, tables_to_move(training),
        config.learning_rate * plan.rate, threads(),
    )  # fmt: skip
    native.give_gradients()
    training.model.poses.zero_grad(set_to_none=True)
    if model.actor_fields is not None:
        model.actor_fields.corrections.grad = model.actor_fields.latent.grad = None
    to, of = placing_gradients(instances, rays, *of_rays[2:])
    to, of = [*moving, *to], [*(each for each in of_rays[:2] if each is not None), *of]
    if to:
        torch.autograd.backward(to, of)
    _expose(training, batch, exposure * of_exposure)
    training.networks.step()
    native.take_networks()
    return {name: done[name] for name in LOSSES}, done["samples"]


def tables_to_move(training: Training) -> list[tuple[Any, Tensor, Tensor, Tensor, Tensor]]:
    """Of each field: the engine's copy, its table, and what lazy Adam keeps of it.

    The engine moves a level of a table as soon as its gradients are summed, in the cache.
    """
    native, model = training.native, training.model
    assert native is not None
    parts = (native.scene.natives[0], *native.actors)
    fields = (model.field.static, *actor_grids(model))
    states = (training.table, *training.actor_tables)
    return [
        (part, field.table.detach(), state.first, state.second, state.count)
        for part, field, state in zip(parts, fields, states, strict=True)
    ]


def _placing(instances: Sequence[Instance], config: ReconstructionConfig) -> list[bool]:
    """Which gradients of `ray_gradients` poses and latents need: starts, directions, latents."""
    poses = bool(instances) and config.actors is not None and config.actors.pose_rate > 0.0
    return [poses, poses, any(item.latent is not None for item in instances)]


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
