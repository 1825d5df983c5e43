"""`render_weights` in Triton, forward and backward. Definition: `recon.kernels.compositing`.

One program takes whole rays: a tile of rays times samples, filled up to a power of two with empty
samples. Sums in front of a sample are running sums of the samples before it, read once more from
one place further on: to subtract a sample from the sum that has it would lose everything behind a
dense one.
"""

from typing import Any, no_type_check

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from recon.kernels.triton_door import INTERPRETED, blocks, jit, padded, require_float32, tl

TILE = 2**16 if INTERPRETED else 2048
"""Samples of one program (or one ray, where a ray has more)."""


def render_weights_triton(
    sigma: Float[Tensor, "*rays s"], delta: Float[Tensor, "*rays s"]
) -> Float[Tensor, "*rays s"]:
    """`recon.kernels.compositing.render_weights` on float32 tensors of a CUDA device.

    Raises:
        ValueError: Shapes, types or devices do not fit.
    """
    require_float32(sigma=sigma, delta=delta)
    if sigma.shape != delta.shape:
        raise ValueError(f"sigma is {tuple(sigma.shape)}, delta {tuple(delta.shape)}")
    return _RenderWeights.apply(sigma, delta)  # pyright: ignore[reportReturnType]


class _RenderWeights(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, sigma: Tensor, delta: Tensor) -> Tensor:
        sigma, delta = sigma.contiguous(), delta.contiguous()
        ctx.save_for_backward(sigma, delta)
        weights = torch.empty_like(sigma)
        if sigma.numel():
            grid, shape = _launch(sigma)
            _values[grid](sigma, delta, weights, sigma.numel() // sigma.shape[-1], **shape)
        return weights

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor, Tensor]:
        sigma, delta = ctx.saved_tensors
        of_sigma, of_delta = torch.empty_like(sigma), torch.empty_like(delta)
        if sigma.numel():
            grid, shape = _launch(sigma)
            rays = sigma.numel() // sigma.shape[-1]
            _gradients[grid](sigma, delta, grads[0].contiguous(), of_sigma, of_delta, rays, **shape)
        return of_sigma, of_delta


def _launch(sigma: Tensor) -> tuple[tuple[int], dict[str, int]]:
    samples = sigma.shape[-1]
    wide = padded(samples)
    rows = max(1, TILE // wide)
    rays = sigma.numel() // samples
    return (blocks(rays, rows),), {"samples": samples, "wide": wide, "rows": rows}


@jit
@no_type_check
def _absorbed(depth):
    """1 - exp(-depth), also where depth is tiny: its series, whose rest is below float32's step."""
    series = 1.0 - depth / 5.0
    series = 1.0 - depth / 4.0 * series
    series = 1.0 - depth / 3.0 * series
    series = depth * (1.0 - depth / 2.0 * series)
    return tl.where(depth < 0.1, series, 1.0 - tl.exp(-depth))


@jit
@no_type_check
def _values(
    sigma,
    delta,
    weights,
    rays,
    samples: tl.constexpr,
    wide: tl.constexpr,
    rows: tl.constexpr,
):
    ray = (tl.program_id(0) * rows + tl.arange(0, rows)).to(tl.int64)[:, None]
    sample = tl.arange(0, wide)[None, :]
    inside = (ray < rays) & (sample < samples)
    at = ray * samples + sample
    depth = tl.load(sigma + at, mask=inside, other=0.0)
    depth *= tl.load(delta + at, mask=inside, other=0.0)
    behind = inside & (sample > 0)
    before = tl.load(sigma + at - 1, mask=behind, other=0.0)
    before *= tl.load(delta + at - 1, mask=behind, other=0.0)
    light = tl.exp(-tl.cumsum(before, axis=1))
    tl.store(weights + at, _absorbed(depth) * light, mask=inside)


@jit
@no_type_check
def _gradients(
    sigma,
    delta,
    grad,
    of_sigma,
    of_delta,
    rays,
    samples: tl.constexpr,
    wide: tl.constexpr,
    rows: tl.constexpr,
):
    ray = (tl.program_id(0) * rows + tl.arange(0, rows)).to(tl.int64)[:, None]
    sample = tl.arange(0, wide)[None, :]
    inside = (ray < rays) & (sample < samples)
    at = ray * samples + sample
    density = tl.load(sigma + at, mask=inside, other=0.0)
    length = tl.load(delta + at, mask=inside, other=0.0)
    left = tl.exp(-tl.cumsum(density * length, axis=1))  # light behind each sample
    # d weight_k / d depth_k is the light left behind k; every later weight loses itself
    front = (ray < rays) & (sample + 1 < samples)
    after = tl.load(sigma + at + 1, mask=front, other=0.0)
    after *= tl.load(delta + at + 1, mask=front, other=0.0)
    lost = tl.load(grad + at + 1, mask=front, other=0.0) * _absorbed(after) * left
    of_depth = tl.load(grad + at, mask=inside, other=0.0) * left
    of_depth -= tl.cumsum(lost, axis=1, reverse=True)
    tl.store(of_sigma + at, of_depth * length, mask=inside)
    tl.store(of_delta + at, of_depth * density, mask=inside)
