"""`mlp` in Triton, forward and backward: whole networks, activations never leave the chip.

Definition: `recon.kernels.mlp`. One program takes a block of rows through all layers. Sides of
tiles are powers of two, at least 16, as tensor cores want them; what is beyond a layer's own size
is masked, so that nothing is copied. All weights travel as one flat vector, layer after layer,
each [outputs, inputs] by rows.

The backward pass keeps nothing but the inputs: going back from the last layer, it computes the
activations in front of each layer once more (networks here have one or two hidden layers). The
gradients of the weights are sums over all rows: programs add to one of `SLICES` copies, by turns,
so that atomics seldom meet, and the copies are summed at the end.
"""

from typing import Any, no_type_check

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from recon.kernels.backend import Precision
from recon.kernels.triton_door import INTERPRETED, blocks, jit, padded, require_float32, tl

SLICES = 64
"""Copies of the weights' gradient."""


def mlp_triton(
    x: Float[Tensor, "n inputs"],
    weights: tuple[Float[Tensor, "_ _"], ...],
    *,
    precision: Precision = Precision.EXACT,
) -> Float[Tensor, "n outputs"]:
    """`recon.kernels.mlp.mlp` on float32 tensors of a CUDA device.

    Args:
        x: Inputs, one row each.
        weights: Matrices [outputs, inputs], first layer first; hidden layers are of one width.
        precision: Of the products; below `EXACT`, faster, and off by up to 1e-3.

    Raises:
        ValueError: Shapes, types or devices do not fit.
    """
    require_float32(x=x, **{f"weights[{k}]": weight for k, weight in enumerate(weights)})
    width = weights[0].shape[0]
    sizes = [x.shape[1], *[width] * (len(weights) - 1), weights[-1].shape[0]]
    shapes = [(after, before) for before, after in zip(sizes[:-1], sizes[1:], strict=True)]
    if [tuple(weight.shape) for weight in weights] != shapes:
        given = [tuple(weight.shape) for weight in weights]
        raise ValueError(f"weights are {given}, for {x.shape[1]} inputs they must be {shapes}")
    flat = torch.cat([weight.flatten() for weight in weights])
    return _Mlp.apply(x, flat, width, len(weights) - 1, sizes[-1], str(precision))  # pyright: ignore[reportReturnType]


class _Mlp(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, flat: Tensor, width: int, hidden: int, outputs: int, precision: str
    ) -> Tensor:
        x = x.contiguous()
        ctx.save_for_backward(x, flat)
        ctx.shape = _shape(x.shape[1], width, hidden, outputs, precision)
        out = x.new_empty(len(x), outputs)
        if len(x):
            grid = (blocks(len(x), ctx.shape["block"]),)
            _values[grid](x, flat, out, len(x), **ctx.shape)
        return out

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor | None, ...]:
        x, flat = ctx.saved_tensors
        want_x, want_weights = ctx.needs_input_grad[:2]
        of_x = torch.empty_like(x) if want_x else x
        copies = x.new_zeros(SLICES if want_weights else 0, len(flat))
        if len(x):
            _gradients[(blocks(len(x), ctx.shape["block"]),)](
                x,
                flat,
                grads[0].contiguous(),
                of_x,
                copies,
                len(x),
                **ctx.shape,
                want_x=want_x,
                want_weights=want_weights,
                slices=SLICES,
            )
        of_weights = copies.sum(0) if want_weights else None
        return of_x if want_x else None, of_weights, None, None, None, None


def _shape(inputs: int, width: int, hidden: int, outputs: int, precision: str) -> dict[str, Any]:
    widest = max(padded(inputs), padded(width), padded(outputs))
    return {
        "inputs": inputs,
        "width": width,
        "outputs": outputs,
        "hidden": hidden,
        "wide_inputs": padded(inputs),
        "wide": padded(width),
        "wide_outputs": padded(outputs),
        "precision": precision,
        **_tile(widest),
    }


def _tile(widest: int) -> dict[str, int]:
    """Rows and warps of a program: what the compiler fits into registers and 99 KB of memory."""
    if INTERPRETED:  # a program costs the same however many rows it has
        return {"block": 1024, "num_warps": 4}
    return {"block": 64, "num_warps": 4} if widest < 128 else {"block": 32, "num_warps": 8}


@jit
@no_type_check
def _product(left, right, precision: tl.constexpr):
    if precision == "half":
        product = tl.dot(left.to(tl.float16), right.to(tl.float16))
    else:
        product = tl.dot(left, right, input_precision=precision)
    return product


@jit
@no_type_check
def _layer(
    x,
    flat,
    start: tl.constexpr,
    outs: tl.constexpr,
    ins: tl.constexpr,
    wide_outs: tl.constexpr,
    wide_ins: tl.constexpr,
    precision: tl.constexpr,
):
    """Rows times the transposed weights [outs, ins] that begin at `start`."""
    at = tl.arange(0, wide_ins)[:, None]
    to = tl.arange(0, wide_outs)[None, :]
    weights = tl.load(flat + start + to * ins + at, mask=(at < ins) & (to < outs), other=0.0)
    return _product(x, weights, precision)


@jit
@no_type_check
def _activations(
    x,
    flat,
    layers: tl.constexpr,
    inputs: tl.constexpr,
    width: tl.constexpr,
    wide_inputs: tl.constexpr,
    wide: tl.constexpr,
    precision: tl.constexpr,
):
    """What the first `layers` hidden layers make of the inputs."""
    for layer in tl.static_range(layers):
        if layer == 0:
            x = _layer(x, flat, 0, width, inputs, wide, wide_inputs, precision)
        else:
            start = width * (inputs + (layer - 1) * width)
            x = _layer(x, flat, start, width, width, wide, wide, precision)
        x = tl.maximum(x, 0.0)
    return x


@jit
@no_type_check
def _values(
    x,
    flat,
    out,
    count,
    inputs: tl.constexpr,
    width: tl.constexpr,
    outputs: tl.constexpr,
    hidden: tl.constexpr,
    wide_inputs: tl.constexpr,
    wide: tl.constexpr,
    wide_outputs: tl.constexpr,
    precision: tl.constexpr,
    block: tl.constexpr,
):
    row = (tl.program_id(0) * block + tl.arange(0, block)).to(tl.int64)[:, None]
    column = tl.arange(0, wide_inputs)[None, :]
    mask = (row < count) & (column < inputs)
    values = tl.load(x + row * inputs + column, mask=mask, other=0.0)
    values = _activations(values, flat, hidden, inputs, width, wide_inputs, wide, precision)
    if hidden == 0:
        values = _layer(values, flat, 0, outputs, inputs, wide_outputs, wide_inputs, precision)
    else:
        start: tl.constexpr = width * (inputs + (hidden - 1) * width)
        values = _layer(values, flat, start, outputs, width, wide_outputs, wide, precision)
    column = tl.arange(0, wide_outputs)[None, :]
    mask = (row < count) & (column < outputs)
    tl.store(out + row * outputs + column, values, mask=mask)


@jit
@no_type_check
def _layer_gradients(
    before,
    upstream,
    flat,
    copy,
    start: tl.constexpr,
    outs: tl.constexpr,
    ins: tl.constexpr,
    wide_outs: tl.constexpr,
    wide_ins: tl.constexpr,
    precision: tl.constexpr,
    want_weights: tl.constexpr,
):
    """Gradients of one layer, whose inputs were `before`: adds to `copy`, returns the inputs'."""
    out = tl.arange(0, wide_outs)[:, None]
    into = tl.arange(0, wide_ins)[None, :]
    mask = (out < outs) & (into < ins)
    place = start + out * ins + into
    # float16 would lose small gradients
    kind: tl.constexpr = "tf32" if precision == "half" else precision
    if want_weights:
        of_weights = _product(tl.trans(upstream), before, kind)
        tl.atomic_add(copy + place, of_weights, mask=mask, sem="relaxed")
    weights = tl.load(flat + place, mask=mask, other=0.0)
    return _product(upstream, weights, kind)


@jit
@no_type_check
def _gradients(
    x,
    flat,
    grad,
    of_x,
    copies,
    count,
    inputs: tl.constexpr,
    width: tl.constexpr,
    outputs: tl.constexpr,
    hidden: tl.constexpr,
    wide_inputs: tl.constexpr,
    wide: tl.constexpr,
    wide_outputs: tl.constexpr,
    precision: tl.constexpr,
    block: tl.constexpr,
    want_x: tl.constexpr,
    want_weights: tl.constexpr,
    slices: tl.constexpr,
):
    row = (tl.program_id(0) * block + tl.arange(0, block)).to(tl.int64)[:, None]
    column = tl.arange(0, wide_inputs)[None, :]
    inside = (row < count) & (column < inputs)
    first = tl.load(x + row * inputs + column, mask=inside, other=0.0)
    out = tl.arange(0, wide_outputs)[None, :]
    upstream = tl.load(grad + row * outputs + out, mask=(row < count) & (out < outputs), other=0.0)
    last: tl.constexpr = width * (inputs + (hidden - 1) * width) if hidden else 0
    total: tl.constexpr = last + outputs * (width if hidden else inputs)
    copy = copies + (tl.program_id(0) % slices) * total
    if hidden > 0:
        given = _activations(first, flat, hidden, inputs, width, wide_inputs, wide, precision)
        upstream = _layer_gradients(
            given, upstream, flat, copy, last, outputs, width, wide_outputs, wide,
            precision, want_weights,
        )  # fmt: skip
        upstream = tl.where(given > 0.0, upstream, 0.0)
        for back in tl.static_range(1, hidden):
            given = _activations(
                first, flat, hidden - back, inputs, width, wide_inputs, wide, precision
            )
            start = width * (inputs + (hidden - back - 1) * width)
            upstream = _layer_gradients(
                given, upstream, flat, copy, start, width, width, wide, wide,
                precision, want_weights,
            )  # fmt: skip
            upstream = tl.where(given > 0.0, upstream, 0.0)
        upstream = _layer_gradients(
            first, upstream, flat, copy, 0, width, inputs, wide, wide_inputs,
            precision, want_weights,
        )  # fmt: skip
    else:
        upstream = _layer_gradients(
            first, upstream, flat, copy, 0, outputs, inputs, wide_outputs, wide_inputs,
            precision, want_weights,
        )  # fmt: skip
    if want_x:
        tl.store(of_x + row * inputs + column, upstream, mask=inside)
