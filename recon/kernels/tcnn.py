"""The door to tiny-cuda-nn: `hash_grid` and `mlp` by NVIDIA's fused CUDA kernels.

Nothing else imports tinycudann; nothing here imports it before it is needed. Parameters stay ours,
so that checkpoints are the same on every backend: with each call they are packed into the flat
vector that a tiny-cuda-nn module reads, and autograd takes the gradients back the same way.

- The table is packed as it is: `HashGridSpec` is tiny-cuda-nn's own layout.
- Its networks have inputs and outputs in multiples of 16 and hidden layers of 16, 32, 64 or 128
  neurons. Weights are filled up with zeros, so that what it puts into the inputs beyond ours (it
  puts ones) counts for nothing; outputs beyond ours are cut off by its own Python module.
- Its numbers are float16 (gradients too, scaled up by 128 on the way): the results are 1e-3 from
  the reference, and small gradients of the table are lost. Ours stay float32.

**Speed unverified**: nobody has run this on a GPU yet (docs/gpu.md).
"""

from functools import cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from recon.kernels.hash_grid import HashGridSpec
from scenes.errors import OtherlaneError

ALIGNMENT = 16
WIDTHS = (16, 32, 64, 128)
"""Neurons of a hidden layer that its fused kernels know."""


def tcnn_problem() -> str | None:
    """Why tiny-cuda-nn cannot be imported; None where it can."""
    try:
        import tinycudann  # noqa: F401  # pyright: ignore[reportMissingImports]
    except (ImportError, OSError) as error:  # it raises EnvironmentError where there is no GPU
        return f"tinycudann cannot be imported ({error})"
    return None


def hash_grid_tcnn(
    points: Float[Tensor, "n 3"],
    table: Float[Tensor, "entries features"],
    spec: HashGridSpec,
    level_weights: Float[Tensor, "n levels"] | None = None,
) -> Float[Tensor, "n outputs"]:
    """`recon.kernels.hash_grid.hash_grid` on tensors of a CUDA device.

    Raises:
        OtherlaneError: This tiny-cuda-nn lays tables out in another way.
    """
    features = _run(_encoding(spec), points, table.flatten()).float()
    if level_weights is None:
        return features
    return (features.unflatten(1, (spec.levels, -1)) * level_weights[:, :, None]).flatten(1)


def mlp_tcnn(
    x: Float[Tensor, "n inputs"], weights: tuple[Float[Tensor, "_ _"], ...]
) -> Float[Tensor, "n outputs"]:
    """`recon.kernels.mlp.mlp` on tensors of a CUDA device; at least one hidden layer.

    Raises:
        ValueError: There is no hidden layer, or it is wider than any of tiny-cuda-nn's.
        OtherlaneError: This tiny-cuda-nn lays networks out in another way.
    """
    width = hidden_width(weights)
    module = _network(x.shape[1], width, len(weights) - 1, len(weights[-1]))
    return _run(module, x, pack_network(weights)).float()


def hidden_width(weights: tuple[Float[Tensor, "_ _"], ...]) -> int:
    """The narrowest of `WIDTHS` that holds the hidden layers.

    Raises:
        ValueError: There is no hidden layer, or it is wider than all of them.
    """
    if len(weights) < 2 or len(weights[0]) > WIDTHS[-1]:
        shapes = [tuple(weight.shape) for weight in weights]
        raise ValueError(f"needs hidden layers of up to {WIDTHS[-1]} neurons, got {shapes}")
    return min(width for width in WIDTHS if width >= len(weights[0]))


def pack_network(weights: tuple[Float[Tensor, "_ _"], ...]) -> Float[Tensor, "parameters"]:
    """The parameters of a tiny-cuda-nn network: matrices [outputs, inputs] by rows, filled up.

    Source: tiny-cuda-nn, src/fully_fused_mlp.cu (order and shapes of `m_weight_matrices`).
    """
    width = hidden_width(weights)
    inputs, outputs = _aligned(weights[0].shape[1]), _aligned(len(weights[-1]))
    sizes = [inputs, *[width] * (len(weights) - 1), outputs]
    return torch.cat(
        [
            _filled(weight, after, before).flatten()
            for weight, before, after in zip(weights, sizes[:-1], sizes[1:], strict=True)
        ]
    )


def unpack_network(
    packed: Float[Tensor, "parameters"], shapes: tuple[tuple[int, int], ...]
) -> tuple[Float[Tensor, "_ _"], ...]:
    """The weights of `shapes` [outputs, inputs] in what `pack_network` made."""
    empty = tuple(torch.empty(shape, device="meta") for shape in shapes)
    width = hidden_width(empty)
    sizes = [_aligned(shapes[0][1]), *[width] * (len(shapes) - 1), _aligned(shapes[-1][0])]
    counts = [after * before for before, after in zip(sizes[:-1], sizes[1:], strict=True)]
    parts = zip(packed.split(counts), sizes[:-1], shapes, strict=True)
    return tuple(part.view(-1, before)[: shape[0], : shape[1]] for part, before, shape in parts)


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _filled(weight: Tensor, rows: int, columns: int) -> Tensor:
    missing = (0, columns - weight.shape[1], 0, rows - weight.shape[0])
    return torch.nn.functional.pad(weight, missing)


def _run(module: Any, x: Tensor, parameters: Tensor) -> Tensor:
    """The module's output for our parameters in the place of its own."""
    if module.params.numel() != parameters.numel():
        wrong = f"has {module.params.numel()} parameters where {parameters.numel()} were expected"
        raise OtherlaneError(f"tinycudann {type(module).__name__}", wrong, "backend = triton")
    # it takes no batch of nothing
    some = torch.nn.functional.pad(x, (0, 0, 0, 1)) if len(x) == 0 else x
    return torch.func.functional_call(module, {"params": parameters}, (some,))[: len(x)]


@cache
def _encoding(spec: HashGridSpec) -> Any:
    import tinycudann  # pyright: ignore[reportMissingImports]

    config = {
        "otype": "HashGrid",
        "n_levels": spec.levels,
        "n_features_per_level": spec.features,
        "log2_hashmap_size": spec.log2_table,
        "base_resolution": spec.base_resolution,
        "per_level_scale": spec.per_level_scale,
        "interpolation": "Linear",
    }
    return tinycudann.Encoding(3, config)


@cache
def _network(inputs: int, width: int, hidden: int, outputs: int) -> Any:
    import tinycudann  # pyright: ignore[reportMissingImports]

    config = {
        "otype": "FullyFusedMLP",  # it takes CutlassMLP itself where the GPU is too old
        "activation": "ReLU",
        "output_activation": "None",
        "n_neurons": width,
        "n_hidden_layers": hidden,
    }
    return tinycudann.Network(inputs, outputs, config)
