"""`hash_grid` in Triton, forward and backward. Definition: `recon.kernels.hash_grid`.

One program takes a block of points on one level, levels outermost, so that the programs that run
together read one level of the table, which fits the cache. The gradient of the table is summed by
atomics: its last bits depend on the order in which programs run. The gradients of points and level
weights come from a kernel of their own, which visits every level of a point in turn: training
needs neither.

Positions are rounded as the definition says (products are not fused into sums): with 2048 cells
across, one float32 step already moves a point by 1e-4 cells.
"""

from functools import cache
from typing import Any

import torch
from jaxtyping import Float, Float16
from torch import Tensor
from torch.autograd.function import once_differentiable

from recon.kernels import triton_hash_grid_kernels as kernels
from recon.kernels.hash_grid import HashGridSpec
from recon.kernels.triton_door import INTERPRETED, blocks, require_float32

BLOCK = 4096 if INTERPRETED else 256
"""Points of one program; interpreted, a program costs the same however many it has."""


def hash_grid_triton(
    points: Float[Tensor, "n 3"],
    table: Float[Tensor, "entries features"],
    spec: HashGridSpec,
    level_weights: Float[Tensor, "n levels"] | None = None,
    *,
    read_copy: Float16[Tensor, "entries features"] | None = None,
) -> Float[Tensor, "n outputs"]:
    """`recon.kernels.hash_grid.hash_grid` on float32 tensors of a CUDA device.

    Args:
        points: Positions in the unit cube; what lies outside reads some entry of its level.
        table: Learnt vectors; the gradient goes here.
        spec: The layout.
        level_weights: Factor of each level's features; None is 1.
        read_copy: The table rounded to float16, to be read instead of it: half the traffic.

    Raises:
        ValueError: Shapes, types or devices do not fit.
    """
    weights = {} if level_weights is None else {"level_weights": level_weights}
    require_float32(points=points, table=table, **weights)
    if table.shape != (spec.entries, spec.features):
        raise ValueError(f"table is {tuple(table.shape)}, {spec} needs {spec.entries} rows")
    if read_copy is not None and read_copy.shape != table.shape:
        raise ValueError(f"read_copy is {tuple(read_copy.shape)}, the table {tuple(table.shape)}")
    return _HashGrid.apply(points, table, level_weights, spec, read_copy)  # pyright: ignore[reportReturnType]


def hash_grid_half(
    points: Float[Tensor, "n 3"],
    table: Float[Tensor, "entries features"],
    spec: HashGridSpec,
    level_weights: Float[Tensor, "n levels"] | None = None,
) -> Float[Tensor, "n outputs"]:
    """`hash_grid_triton`, reading a float16 copy of the table that it makes on each call."""
    copy = table.detach().half()
    return hash_grid_triton(points, table, spec, level_weights, read_copy=copy)


class _HashGrid(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        points: Tensor,
        table: Tensor,
        weights: Tensor | None,
        spec: HashGridSpec,
        read_copy: Tensor | None,
    ) -> Tensor:
        points = points.contiguous()
        weights = None if weights is None else weights.contiguous()
        read = (table if read_copy is None else read_copy).detach().contiguous()
        ctx.spec = spec
        # The optimizer changes the table in place; keep it only where a gradient needs it.
        kept = read if ctx.needs_input_grad[0] or ctx.needs_input_grad[2] else None
        ctx.save_for_backward(points, weights, kept)
        out = points.new_empty(len(points), spec.levels * spec.features)
        if len(points):
            kernels.values[(blocks(len(points), BLOCK), spec.levels)](
                points,
                read,
                _or(weights, points),
                *_layout(spec, points.device),
                out,
                len(points),
                **_shape(spec, weights),
            )
        return out

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor | None, ...]:
        points, weights, read = ctx.saved_tensors
        spec, grad = ctx.spec, grads[0].contiguous()
        of_table = of_points = of_weights = None
        given = (points, _or(weights, points), *_layout(spec, points.device), grad)
        count, shape = len(points), _shape(spec, weights)
        if ctx.needs_input_grad[1]:
            of_table = grad.new_zeros(spec.entries, spec.features)
            if count:
                grid = (blocks(count, BLOCK), spec.levels)
                kernels.table_gradient[grid](*given, of_table, count, **shape)
        if read is not None:
            of_points = torch.empty_like(points)
            of_weights = points.new_empty(count, spec.levels)
            if count:
                grid = (blocks(count, BLOCK),)
                kernels.input_gradients[grid](*given, read, of_points, of_weights, count, **shape)
        return of_points, of_table, of_weights if weights is not None else None, None, None


def _or(tensor: Tensor | None, stand_in: Tensor) -> Tensor:
    """Kernels take no None: what stands in is never read."""
    return stand_in if tensor is None else tensor


def _shape(spec: HashGridSpec, weights: Tensor | None) -> dict[str, object]:
    return {
        "levels": spec.levels,
        "features": spec.features,
        "weighted": weights is not None,
        "block": BLOCK,
        "enable_fp_fusion": False,
    }


@cache
def _layout(spec: HashGridSpec, device: torch.device) -> tuple[Tensor, Tensor]:
    """Scale of each level, and [levels, 6]: first entry, entries, whether dense, three steps."""
    rows = [
        (level.offset, level.size, int(level.dense), *(_as_int32(s) for s in level.steps))
        for level in spec.layout
    ]
    scales = torch.tensor(spec.scales, dtype=torch.float32, device=device)
    return scales, torch.tensor(rows, dtype=torch.int32, device=device)


def _as_int32(number: int) -> int:
    return (number + 2**31) % 2**32 - 2**31
