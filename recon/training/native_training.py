"""The engine's side of a training, which lives as long as the training does."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from recon.config import SamplingConfig
from recon.field.field import Instance
from recon.field.model import Model, actor_grids
from recon.kernels.engine_threads import threads
from recon.rendering.march_native import NativeScene


class NativeTraining:
    """The engine's side of a training: the half-precision table and the gradients live there."""

    def __init__(self, model: Model) -> None:
        self.scene, field = NativeScene(model.field), model.field
        self.actors = [self.scene.native(part) for part in actor_grids(model)]
        self.empty = cache(self._empty)
        for native, part in zip(self.scene.natives, self.scene.parts, strict=True):
            native.bind(*_bound([*part.density_layers, *part.colour_layers]))
        self.scene.sky.bind(*_bound([*field.sky.layers]))

    def _empty(self, sampling: SamplingConfig, growth: float) -> Any:
        return self.scene.placed(sampling, growth, sampling.termination)

    def placed(self, sampling: SamplingConfig, growth: float, instances: Sequence[Instance]) -> Any:
        """The scene with what moves where it is."""
        if not instances:
            return self.empty(sampling, growth)
        return self.scene.placed(sampling, growth, sampling.termination, instances)

    def give_gradients(self) -> None:
        """Those of the networks, of the last step, to their parameters."""
        for part in (*self.scene.natives, self.scene.sky):
            part.give_gradients()

    def take_networks(self) -> None:
        """As they are now."""
        for part in (*self.scene.natives, self.scene.sky):
            part.take_weights()

    def density(self, unit: Float[Tensor, "n 3"]) -> Float[Tensor, "n"]:
        """Density of the static scene at points of the unit cube [1/m]."""
        found = torch.empty(len(unit))
        self.scene.natives[0].query(unit, None, None, found, None, None, threads())
        return found


def _bound(weights: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Where matrices and their gradients are, for as long as the training goes on."""
    for weight in weights:
        weight.grad = torch.zeros_like(weight)
    return [weight.detach() for weight in weights], [w.grad for w in weights if w.grad is not None]
