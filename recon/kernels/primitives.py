"""The three functions that fields and the ray integral are made of, for each backend.

All have the signatures and the meaning of `recon.kernels.hash_grid.hash_grid`,
`recon.kernels.mlp.mlp` and `recon.kernels.compositing.render_weights`, gradients included.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from recon.kernels.backend import Backend, Precision
from recon.kernels.compositing import render_weights
from recon.kernels.hash_grid import HashGridSpec, hash_grid
from recon.kernels.mlp import mlp


@dataclass(frozen=True, kw_only=True, slots=True)
class Primitives:
    """What a backend puts in the place of PyTorch's functions."""

    hash_grid: Callable[[Tensor, Tensor, HashGridSpec, Tensor | None], Tensor]
    """Points, table, layout, level weights to features."""
    mlp: Callable[[Tensor, tuple[Tensor, ...]], Tensor]
    """Rows and the weights of each layer to rows."""
    render_weights: Callable[[Tensor, Tensor], Tensor]
    """Densities and lengths of intervals along rays to weights."""


TORCH = Primitives(hash_grid=hash_grid, mlp=mlp, render_weights=render_weights)


def primitives(backend: Backend) -> Primitives:
    """The functions of `backend`.

    The native backend replaces whole steps and tiles; what is left for it to do here is done by
    PyTorch. tiny-cuda-nn composites nothing; PyTorch does, on the same device.
    """
    if backend is Backend.TRITON:
        return triton_primitives()
    if backend is Backend.TCNN:
        from recon.kernels.tcnn import hash_grid_tcnn, mlp_tcnn

        return Primitives(hash_grid=hash_grid_tcnn, mlp=mlp_tcnn, render_weights=render_weights)
    return TORCH


def triton_primitives(precision: Precision = Precision.EXACT) -> Primitives:
    """Triton's functions at a precision.

    Raises:
        ImportError: There is no Triton here.
    """
    from recon.kernels.triton_compositing import render_weights_triton
    from recon.kernels.triton_hash_grid import hash_grid_half, hash_grid_triton
    from recon.kernels.triton_mlp import mlp_triton

    return Primitives(
        hash_grid=hash_grid_half if precision is Precision.HALF else hash_grid_triton,
        mlp=partial(mlp_triton, precision=precision),
        render_weights=render_weights_triton,
    )
