"""How much of each hash-grid level a sample may use: anti-aliasing by footprint.

A sample stands for a stretch of a pixel's cone, seen as an isotropic Gaussian. Levels whose cells
are much smaller than it can only alias, so their features are scaled down towards 0.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from recon.kernels.hash_grid import HashGridSpec


def level_weights(
    footprint: Float[Tensor, "n"], spec: HashGridSpec
) -> Float[Tensor, "n {spec.levels}"]:
    """Factor of each level's features, 1 for a point, towards 0 for cells below the footprint.

    erf(1 / sqrt(8 s^2 scale^2)): the share of a Gaussian of standard deviation s, along one axis,
    within a cell of side 1 / scale around its mean. Barron et al., Zip-NeRF (2023), section 2,
    "downweighting", equation for omega_{j,l}.

    Args:
        footprint: Standard deviation of each sample in the unit cube, not negative.
        spec: The hash grid, for the number of cells across the cube on each level.
    """
    scales = torch.tensor(spec.scales, dtype=footprint.dtype, device=footprint.device)
    cells = footprint[:, None] * scales
    # Below 1e-3 cells, erf is 1 in float64 too; without the floor the gradient at 0 would be NaN.
    return torch.erf(math.sqrt(1 / 8) / cells.clamp_min(1e-3))


def level_weights_reference(
    footprint: Float[Tensor, "n"], spec: HashGridSpec
) -> Float[Tensor, "n {spec.levels}"]:
    """One sample and level at a time, with the standard library's error function."""
    rows = [
        [
            math.erf(1.0 / math.sqrt(8.0 * s**2 * scale**2)) if s > 1e-9 else 1.0
            for scale in spec.scales
        ]
        for s in footprint.tolist()
    ]
    weights = torch.tensor(rows, dtype=footprint.dtype, device=footprint.device)
    return weights.reshape(len(rows), spec.levels)
