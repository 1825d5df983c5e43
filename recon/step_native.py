"""`recon.step.torch_step` on the native backend: one call for rays, losses and gradients."""

from functools import cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from recon.batch import Batch
from recon.config import ReconstructionConfig, SamplingConfig
from recon.march_native import NativeScene, threads
from recon.model import Model
from recon.placing import ray_gradients
from recon.step import StepPlan
from recon.training import Training

LOSSES = ("photometric", "distortion", "sky", "depth", "empty")


class NativeTraining:
    """The engine's side of a training: the half-precision table and the gradients live there."""

    def __init__(self, model: Model) -> None:
        self.scene = NativeScene(model.field)
        self.placed = cache(self._placed)

    def _placed(self, sampling: SamplingConfig, growth: float) -> Any:
        return self.scene.placed(sampling, growth, sampling.termination)

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
    frames = batch.frames()
    exposure = torch.cat(
        [model.photometry.gain(pixels.stream, f).detach() for (pixels, _), f in frames]
    )
    of_exposure = torch.empty(batch.pixel_rays, 3)
    loss, support = config.loss, model.support
    moving = [x for x in (batch.rays.origins_m, batch.rays.directions) if x.requires_grad]
    of_rays = ray_gradients(
        native.scene.instances, len(batch.rays), [bool(moving)] * 2 + [False] * 3
    )
    rays, counted = batch.rays, support.arrays() if plan.support else None
    done = native.placed(config.sampling, plan.growth).train(
        rays.origins_m.detach(), rays.directions.detach(), rays.pixel_angle, plan.shift,
        rays.moment, exposure, batch.shown(), batch.sky().to(torch.uint8), batch.depth_m,
        config.sampling.far_m, [loss.depth, loss.empty, loss.distortion, loss.sky], of_exposure,
        training.occupancy.density, support.resolution, counted, of_rays, threads(),
    )  # fmt: skip
    _move(training, config, plan)
    training.model.poses.zero_grad(set_to_none=True)
    if moving:
        torch.autograd.backward(moving, of_rays[:2])
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
    density, colour = list(field.static.density_layers), list(field.static.colour_layers)
    for weight in (*density, *colour, *field.sky.layers):
        if weight.grad is None:
            weight.grad = torch.empty_like(weight)
    engine.read_gradients(None, [w.grad for w in density], [w.grad for w in colour])
    native.scene.sky.read_gradients([w.grad for w in field.sky.layers])


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
