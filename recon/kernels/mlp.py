"""Bias-free multi-layer perceptrons, ReLU between layers, nothing after the last.

Weights are [outputs, inputs] each, first layer first. Fast implementations may pad, fuse and
keep activations in registers; hidden widths are 16 to 128 so that they can.
"""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

MIN_WIDTH = 16
MAX_WIDTH = 128


def mlp_shapes(
    inputs: int, width: int, hidden_layers: int, outputs: int
) -> tuple[tuple[int, int], ...]:
    """Shapes [outputs, inputs] of the weights, first layer first.

    Args:
        inputs: Numbers going in.
        width: Neurons of each hidden layer, 16 to 128.
        hidden_layers: How many hidden layers, at least 1.
        outputs: Numbers coming out.

    Raises:
        ValueError: No fast implementation would take this network.
    """
    if not MIN_WIDTH <= width <= MAX_WIDTH:
        raise ValueError(f"width must be in {MIN_WIDTH} .. {MAX_WIDTH}, got {width}")
    if min(inputs, hidden_layers, outputs) < 1:
        raise ValueError(f"need {inputs=}, {hidden_layers=} and {outputs=} all positive")
    sizes = (inputs, *[width] * hidden_layers, outputs)
    return tuple((after, before) for before, after in pairwise(sizes))


def mlp(
    x: Float[Tensor, "n inputs"], weights: tuple[Float[Tensor, "_ _"], ...]
) -> Float[Tensor, "n outputs"]:
    """Output of the network for each row.

    Args:
        x: Inputs, one row each.
        weights: Matrices [outputs, inputs], first layer first, at least one.
    """
    for weight in weights[:-1]:
        x = torch.relu_(torch.nn.functional.linear(x, weight))  # in place: half the memory
    return torch.nn.functional.linear(x, weights[-1])


def mlp_reference(
    x: Float[Tensor, "n inputs"], weights: tuple[Float[Tensor, "_ _"], ...]
) -> Float[Tensor, "n outputs"]:
    """One neuron at a time: the sum of what comes in, unless that is negative."""
    for number, weight in enumerate(weights):
        neurons = [(x * row).sum(dim=1) for row in weight]
        last = number == len(weights) - 1
        x = torch.stack(neurons if last else [torch.where(n > 0, n, 0.0) for n in neurons], dim=1)
    return x
