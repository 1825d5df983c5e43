"""Multi-resolution hash grid: features of a point from a table of learnt vectors.

Points live in the unit cube of one block, without unit; level 0 is the coarsest.
`HashGridSpec` writes the memory layout down; `hash_grid_reference` is what the operation
means, `hash_grid` is the same thing fast.
"""

from dataclasses import dataclass
from functools import cache
from itertools import accumulate, product

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from recon.kernels.hash_grid_torch import LevelLayout, hash_grid_levels

PRIMES = (1, 2654435761, 805459861)


@dataclass(frozen=True, kw_only=True, slots=True)
class HashGridSpec:
    """Layout of the table: tiny-cuda-nn's `HashGrid` with linear interpolation.

    In float32, with l = 0 .. levels - 1:

    - scale_l = base_resolution * 2^(l log2(per_level_scale)) - 1
    - resolution_l = ceil(scale_l) + 1 vertices a side
    - position = point * scale_l + 0.5; its floor is the cell, what remains the trilinear weight
      of the cell's upper corner along each axis
    - a level is dense when resolution_l^3 <= 2^log2_table: it has resolution_l^3 entries rounded
      up to a multiple of 8, and vertex (x, y, z) is entry x + y resolution_l + z resolution_l^2,
      modulo the number of entries
    - any other level has 2^log2_table entries, and vertex (x, y, z) is entry
      (x * 1 xor y * 2654435761 xor z * 805459861), in uint32, modulo that number
    - levels follow each other in the table [entries, features]; the output is level-major:
      features of level 0, features of level 1, ...

    Source: Müller et al., Instant Neural Graphics Primitives (2022), section 3; tiny-cuda-nn,
    include/tiny-cuda-nn/encodings/grid.h.
    """

    levels: int = 8
    features: int = 4
    """Numbers in one table entry: 2, 4 or 8."""
    log2_table: int = 17
    """Most entries that a level may have, as a power of two."""
    base_resolution: int = 16
    per_level_scale: float
    """How many times finer each level is than the one before it, at least 1."""

    def __post_init__(self) -> None:
        if self.levels < 1 or self.features not in (2, 4, 8):
            raise ValueError(f"levels must be positive and features 2, 4 or 8, got {self}")
        if not 3 <= self.log2_table <= 24:  # so that every index fits int32
            raise ValueError(f"log2_table must be in 3 .. 24, got {self.log2_table}")
        if self.base_resolution < 2 or self.per_level_scale < 1.0:
            raise ValueError(f"need base_resolution >= 2 and per_level_scale >= 1, got {self}")

    @property
    def layout(self) -> tuple[LevelLayout, ...]:
        """Where each level lies and how it is addressed, coarsest first."""
        return _layout(self)

    @property
    def scales(self) -> tuple[float, ...]:
        """Cells across the unit cube, by level; float32 values."""
        return tuple(level.scale for level in _layout(self))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Table entries, by level."""
        return tuple(level.size for level in _layout(self))

    @property
    def offsets(self) -> tuple[int, ...]:
        """First table entry, by level."""
        return tuple(level.offset for level in _layout(self))

    @property
    def entries(self) -> int:
        """Rows of the whole table."""
        return sum(self.sizes)


@cache
def _layout(spec: HashGridSpec) -> tuple[LevelLayout, ...]:
    # float32 throughout: in float64, 16 * 2^k - 1 may fall on the other side of an integer,
    # and tables made by others would no longer fit.
    octaves = np.arange(spec.levels, dtype=np.float32) * np.log2(np.float32(spec.per_level_scale))
    grown = np.exp2(octaves.astype(np.float64)).astype(np.float32)
    scales = grown * np.float32(spec.base_resolution) - np.float32(1)
    resolutions = [int(r) + 1 for r in np.ceil(scales)]
    dense = [r**3 <= 2**spec.log2_table for r in resolutions]
    sizes = [
        -(-(r**3) // 8) * 8 if d else 2**spec.log2_table
        for r, d in zip(resolutions, dense, strict=True)
    ]
    return tuple(
        LevelLayout(
            scale=float(scale),
            offset=offset,
            size=size,
            dense=d,
            steps=(1, r, r * r) if d else PRIMES,
        )
        for scale, offset, size, d, r in zip(
            scales, accumulate(sizes[:-1], initial=0), sizes, dense, resolutions, strict=True
        )
    )


def hash_grid(
    points: Float[Tensor, "n 3"],
    table: Float[Tensor, "entries features"],
    spec: HashGridSpec,
    level_weights: Float[Tensor, "n levels"] | None = None,
) -> Float[Tensor, "n outputs"]:
    """Features of points, trilinearly interpolated on every level.

    Differentiable once with respect to the table, the points and the level weights. The last
    two cost nothing unless they are asked for.

    Args:
        points: Positions in the unit cube, [0, 1]. Not checked: what lies outside has no features.
        table: Learnt vectors as `spec` lays them out, float32 or float64 as the points.
        spec: The layout.
        level_weights: Factor of each level's features, for anti-aliasing; None is 1.

    Returns:
        Features, level-major: levels * features columns.

    Raises:
        ValueError: The table or the weights do not fit `spec`, or their types differ.
    """
    _check(points, table, spec, level_weights)
    return hash_grid_levels(points, table, level_weights, spec.layout)


def hash_grid_reference(
    points: Float[Tensor, "n 3"],
    table: Float[Tensor, "entries features"],
    spec: HashGridSpec,
    level_weights: Float[Tensor, "n levels"] | None = None,
) -> Float[Tensor, "n outputs"]:
    """`hash_grid`, one level and one corner at a time, in 64-bit integers."""
    _check(points, table, spec, level_weights)
    outputs = []
    for number, level in enumerate(spec.layout):
        position = points * level.scale + 0.5
        cell = position.detach().floor()
        upper = position - cell
        total = torch.zeros(len(points), spec.features, dtype=table.dtype, device=table.device)
        for corner in product((0, 1), repeat=3):
            vertex = cell.long() + torch.tensor(corner, device=points.device)
            x, y, z = ((vertex * torch.tensor(level.steps, device=points.device)) % 2**32).unbind(1)
            row = level.offset + (x + y + z if level.dense else x ^ y ^ z) % level.size
            share = torch.where(torch.tensor(corner, device=points.device) == 1, upper, 1 - upper)
            total = total + share.prod(dim=1, keepdim=True) * table[row]
        outputs.append(total if level_weights is None else total * level_weights[:, number, None])
    return torch.cat(outputs, dim=1)


def _check(points: Tensor, table: Tensor, spec: HashGridSpec, weights: Tensor | None) -> None:
    if table.shape != (spec.entries, spec.features):
        raise ValueError(f"table is {tuple(table.shape)}, {spec} needs {spec.entries} rows")
    if weights is not None and weights.shape != (len(points), spec.levels):
        raise ValueError(f"level_weights are {tuple(weights.shape)}, not n x {spec.levels}")
    dtypes = {points.dtype, table.dtype} | ({weights.dtype} if weights is not None else set())
    if dtypes not in ({torch.float32}, {torch.float64}):
        raise ValueError(f"points, table and weights must be of one float type, got {dtypes}")
