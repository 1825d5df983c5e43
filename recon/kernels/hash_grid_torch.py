"""How `hash_grid` runs fast in plain PyTorch.

Why it is written as it is (2 cores, 32768 points, one level of 4 x 2^17; ns per point):

- The gradient of the table is what costs. PyTorch's own for `embedding_bag` takes 950, a
  transposed sparse product 690, `index_add_` of rows 160, `bincount` 75. `scatter_add_` takes 30
  when *pairs of features are complex numbers* and the target is one flat array, because it is
  then a plain loop over 8 bytes. Likewise a row of four float32, read as one complex128, makes
  reading a plain loop over 16 bytes: 17 instead of 58.
- Corners come first in every intermediate ([8, n], never [n, 8]), so that all arithmetic runs
  along n and is vectorised. Weights are repeated per feature beforehand for the same reason.
- Nothing is kept for the backward pass but the points: to compute indices again is cheaper than
  the page faults of fresh memory.
- Those two loops are serial inside PyTorch, so levels are spread over threads. Levels share no
  memory, so the answer does not depend on the number of threads.
"""

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from jaxtyping import Float, Int32, Int64
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK = 2**15
"""Points at a time: intermediates stay in the last-level cache, calls still cost little."""
COMPLEX = {torch.float32: torch.complex64, torch.float64: torch.complex128}
WORDS = {8: torch.complex64, 16: torch.complex128}


@dataclass(frozen=True, kw_only=True, slots=True)
class LevelLayout:
    """One level of a hash grid; see `recon.kernels.hash_grid.HashGridSpec` for the definition."""

    scale: float
    """Cells across the unit cube."""
    offset: int
    """First table entry."""
    size: int
    """Table entries."""
    dense: bool
    """Whether vertices are counted through rather than hashed."""
    steps: tuple[int, int, int]
    """Factors of x, y, z: strides of a dense level, primes of a hashed one."""


def hash_grid_levels(
    points: Float[Tensor, "n 3"],
    table: Float[Tensor, "entries features"],
    weights: Float[Tensor, "n levels"] | None,
    layout: tuple[LevelLayout, ...],
) -> Float[Tensor, "n outputs"]:
    """Features of points on every level; `recon.kernels.hash_grid.hash_grid` without checks."""
    return _HashGrid.apply(points, table, weights, layout)  # pyright: ignore[reportReturnType]


class _HashGrid(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        points: Tensor,
        table: Tensor,
        weights: Tensor | None,
        layout: tuple[LevelLayout, ...],
    ) -> Tensor:
        ctx.layout, ctx.shape = layout, table.shape
        # The optimizer changes the table in place; keep it only where a gradient needs it.
        kept = table if ctx.needs_input_grad[0] or ctx.needs_input_grad[2] else None
        ctx.save_for_backward(points, weights, kept)
        features = table.shape[1]
        axes, rows = points.t().contiguous(), _as_words(table.detach(), features)[:, 0]
        repeated = _repeated(axes, features)
        out = table.new_empty(len(points), len(layout) * features)
        columns = _as_words(out, features)

        def run(number: int) -> None:
            level = layout[number]
            mine = rows[level.offset : level.offset + level.size]
            with torch.inference_mode():  # grad mode belongs to a thread, and so does this
                for part in _chunks(len(points)):
                    upper = _upper(repeated[:, features * part.start : features * part.stop], level)
                    value = _interpolate(_corners(mine, axes[:, part], level, table), upper)
                    if weights is not None:
                        value.view(-1, features).mul_(weights[part, number, None])
                    columns[part, number] = _as_words(value.view(-1, features), features)[:, 0]

        _for_each_level(run, len(layout), points)
        return out

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor | None, ...]:
        points, weights, table = ctx.saved_tensors
        grad, layout = grads[0].contiguous(), ctx.layout
        grad_table = grad_points = grad_weights = None
        if ctx.needs_input_grad[1]:
            grad_table = _grad_of_table(grad, points, weights, layout, ctx.shape)
        if table is not None:
            grad_points, grad_weights = _grad_of_inputs(grad, points, weights, layout, table)
        return grad_points, grad_table, grad_weights, None


def _grad_of_table(
    grad: Tensor,
    points: Tensor,
    weights: Tensor | None,
    layout: tuple[LevelLayout, ...],
    shape: tuple[int, int],
) -> Tensor:
    total = grad.new_zeros(shape)
    if len(points) == 0:  # autograd may then hand over strides that no complex view accepts
        return total
    pairs = shape[1] // 2
    axes, columns = points.t().contiguous(), grad.view(COMPLEX[grad.dtype])
    repeated = _repeated(axes, 2)
    flat = total.view(columns.dtype).view(-1)

    def run(number: int) -> None:
        level = layout[number]
        mine = flat[level.offset * pairs : (level.offset + level.size) * pairs]
        with torch.no_grad():
            for part in _chunks(len(points)):
                first = _corner_index(axes[:, part], level, pairs)
                x, y, z = _shares(repeated[:, 2 * part.start : 2 * part.stop], level)
                if weights is not None:
                    z = z * _repeated(weights[part, number][None], 2)
                zy = z[:, None] * y
                for pair in range(pairs):
                    of_pair = columns[part, number * pairs + pair]
                    # contiguous() would leave a single point with a stride that view refuses
                    of_pair = of_pair.clone(memory_format=torch.contiguous_format).view(grad.dtype)
                    shares = (zy * of_pair)[:, :, None] * x
                    mine[pair:].scatter_add_(0, first, shares.view(-1).view(columns.dtype))

    _for_each_level(run, len(layout), points)
    return total


def _grad_of_inputs(
    grad: Tensor,
    points: Tensor,
    weights: Tensor | None,
    layout: tuple[LevelLayout, ...],
    table: Tensor,
) -> tuple[Tensor, Tensor | None]:
    features = table.shape[1]
    axes, rows = points.t().contiguous(), _as_words(table.detach(), features)[:, 0]
    of_axes = torch.zeros_like(axes)
    of_weights = None if weights is None else torch.empty_like(weights)
    for number, level in enumerate(layout):
        mine = rows[level.offset : level.offset + level.size]
        with torch.enable_grad():
            upper = _upper(_repeated(axes, features), level).requires_grad_()
            value = _interpolate(_corners(mine, axes, level, table), upper)
        of_level = grad.view(len(points), len(layout), features)[:, number]
        if weights is not None and of_weights is not None:
            of_weights[:, number] = (of_level * value.detach().view_as(of_level)).sum(1)
            of_level = of_level * weights[:, number, None]
        (of_upper,) = torch.autograd.grad(value, upper, of_level.reshape(-1))
        of_axes += of_upper.view(3, len(points), features).sum(2) * level.scale
    return of_axes.t(), of_weights


def _corners(
    rows: Tensor, axes: Float[Tensor, "3 n"], level: LevelLayout, table: Tensor
) -> Float[Tensor, "4 2 m"]:
    """Table entries of the corners (z, y | x | point, feature)."""
    index = _corner_index(axes, level, 1)
    # gather does the same for wide numbers in a third of the time that index_select takes
    found = rows.gather(0, index) if rows.ndim == 1 else rows.index_select(0, index)
    return found.view(table.dtype).view(4, 2, -1)


def _corner_index(
    axes: Float[Tensor, "3 n"], level: LevelLayout, stride: int
) -> Int64[Tensor, "corners"]:
    """Entry of each corner (z, y, x, point), times `stride`, a power of two."""
    steps = _steps(level, stride, axes.device)
    vertex = (axes * level.scale).add_(0.5).int().mul_(steps[1]) + steps
    size = level.size * stride
    if level.dense:
        index = (vertex[:, None, 2] + vertex[:, 1])[:, :, None] + vertex[:, 0]
        index = torch.where(index < size, index, index - size)  # a vertex is below 2 size
        return index.long().view(-1)
    vertex = vertex.bitwise_and_(size - stride).long()
    return ((vertex[:, None, 2] ^ vertex[:, 1])[:, :, None] ^ vertex[:, 0]).view(-1)


@cache
def _steps(level: LevelLayout, stride: int, device: torch.device) -> Int32[Tensor, "2 3 1"]:
    """What the lower and the upper corner add to x, y and z, times the cell for the upper."""
    steps = [(s * stride + 2**31) % 2**32 - 2**31 for s in level.steps]  # int32 wraps as uint32
    return torch.tensor([[0, 0, 0], steps], dtype=torch.int32, device=device)[:, :, None]


def _upper(axes: Float[Tensor, "3 m"], level: LevelLayout) -> Float[Tensor, "3 m"]:
    """Trilinear weight of the upper corner, by axis."""
    return (axes * level.scale).add_(0.5).frac_()


def _shares(axes: Float[Tensor, "3 m"], level: LevelLayout) -> Float[Tensor, "3 2 m"]:
    """Trilinear weights of the lower and the upper corner, by axis."""
    shares = axes.new_empty(2, *axes.shape)
    torch.mul(axes, level.scale, out=shares[1]).add_(0.5).frac_()
    torch.sub(1.0, shares[1], out=shares[0])
    return shares.transpose(0, 1)


def _interpolate(
    corners: Float[Tensor, "4 2 m"], upper: Float[Tensor, "3 m"]
) -> Float[Tensor, "m"]:
    along_x = torch.lerp(corners[:, 0], corners[:, 1], upper[0])
    along_y = torch.lerp(along_x[0::2], along_x[1::2], upper[1])
    return torch.lerp(along_y[0], along_y[1], upper[2])


def _repeated(axes: Float[Tensor, "a n"], times: int) -> Float[Tensor, "a m"]:
    return axes[:, :, None].expand(-1, -1, times).reshape(len(axes), -1)


def _as_words(rows: Tensor, features: int) -> Tensor:
    """Each `features` numbers as one wide number where there is such a type, else side by side."""
    word = WORDS.get(features * rows.element_size())
    return rows.unflatten(-1, (-1, features)) if word is None else rows.view(word)


def _chunks(count: int) -> Iterable[slice]:
    return (slice(start, start + CHUNK) for start in range(0, count, CHUNK))


def _for_each_level(run: Callable[[int], None], levels: int, points: Tensor) -> None:
    """Run every level, on as many threads as PyTorch may use."""
    threads = min(torch.get_num_threads(), levels)
    if threads == 1 or points.device.type != "cpu" or len(points) < CHUNK // 8:
        for number in range(levels):
            run(number)
    else:
        # Fine levels first: they take longest, a coarse one fills the gap at the end.
        for done in [_pool(threads).submit(run, number) for number in reversed(range(levels))]:
            done.result()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Threads in which PyTorch itself does not start threads."""
    started = threading.Barrier(threads + 1)
    outside = torch.get_num_threads()

    def alone() -> None:
        torch.set_num_threads(1)  # holds for this thread, and for threads started after it,
        started.wait()

    pool = ThreadPoolExecutor(threads, "hash-grid", initializer=alone)
    for _ in range(threads):
        pool.submit(int)
    started.wait()
    torch.set_num_threads(outside)  # which is why it is put back
    return pool


# A forked child inherits the pool but none of its threads, and would wait for them forever.
os.register_at_fork(after_in_child=_pool.cache_clear)
