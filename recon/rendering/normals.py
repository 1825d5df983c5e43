"""Surface normals from the depth surface, over as wide a neighbourhood as is flat.

A rendered surface is rough on the scale of a few pixels: 5 x 5 of them give facades of worlds
normals that are off by 25 degrees (median), windows of four times that width by 7. So planes are
fitted to every 2nd, 4th, 8th pixel too, and a pixel takes the widest on which it lies and that is
not much rougher than its own. An exact surface that is not flat keeps the narrowest: wider planes
are rougher there by orders of magnitude.
"""

from math import floor, log2

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from recon.kernels.native import native_module, native_problem
from recon.rendering.planes import BETTER, Planes, fit_planes

WIDEST_RAD = 0.052
"""Spacing of the pixels in the widest window, at most (3 degrees): it spans four times as much."""
ROUGHER = 16.0
"""How much larger the squared residual of a wider window may be. On worlds, 4 left the noise in;
100 smoothed creases as often as noise."""


def surface_normals(
    origins_m: Float64[Tensor, "h w 3"],
    directions: Float64[Tensor, "h w 3"],
    range_m: Float[Tensor, "h w"],
    pixel_angle: float,
) -> Float64[Tensor, "h w 3"]:
    """Unit normals (world axes) that face the camera; NaN where no plane can be fitted.

    Where there is the native engine it computes them, else `normals_reference`, which defines
    them: they differ by rounding.

    Args:
        origins_m: Where each pixel's ray starts [m, world].
        directions: Unit ray directions (world).
        range_m: Distance of the surface along each ray [m]; inf for none.
        pixel_angle: Typical angle between neighbouring rays [rad]; conditions the fit.
    """
    if native_problem() is not None:
        return normals_reference(origins_m, directions, range_m, pixel_angle)
    normal = torch.empty_like(directions, memory_format=torch.contiguous_format)
    native_module().surface_normals(
        origins_m.contiguous(), directions.contiguous(), range_m.float().contiguous(), pixel_angle,
        wider_windows(range_m.shape, pixel_angle), normal, torch.get_num_threads(),
    )  # fmt: skip
    return normal


def wider_windows(shape: torch.Size, pixel_angle: float) -> int:
    """How many windows wider than a picture's narrowest are tried, each twice the one before."""
    most = floor(log2(max(WIDEST_RAD / pixel_angle, 1.0)))
    return min(most, (min(shape) - 1).bit_length())  # every step-th pixel, from step / 2 on


def normals_reference(
    origins_m: Float64[Tensor, "h w 3"],
    directions: Float64[Tensor, "h w 3"],
    range_m: Float[Tensor, "h w"],
    pixel_angle: float,
) -> Float64[Tensor, "h w 3"]:
    """What `surface_normals` is, in PyTorch."""
    planes = fit_planes(origins_m, directions, range_m, pixel_angle)
    solid = torch.isfinite(range_m) & (range_m > 0)
    inverse = torch.where(solid, 1.0 / range_m.double(), torch.nan)
    for step in [2**k for k in range(1, 1 + wider_windows(range_m.shape, pixel_angle))]:
        every = slice(step // 2, None, step)
        wide = fit_planes(
            origins_m[every, every], directions[every, every], range_m[every, every],
            step * pixel_angle,
        )  # fmt: skip
        planes = _wider(planes, _spread(wide, step, inverse.shape), directions, inverse)
    normal = planes.per_m / planes.per_m.norm(dim=-1, keepdim=True)
    facing = (normal * directions).sum(-1, keepdim=True)
    return torch.where(facing > 0, -normal, normal)


def _wider(
    narrow: Planes,
    wide: Planes,
    directions: Float64[Tensor, "h w 3"],
    inverse: Float64[Tensor, "h w"],
) -> Planes:
    """The wide plane where the pixel lies on it and it is nearly as flat, or where there is none.

    What it is compared with stays the residual of the narrowest, so that roughness cannot creep
    up from one width to the next.
    """
    off = ((wide.per_m * directions).sum(-1) - inverse) ** 2
    takes = torch.isfinite(wide.residual) & (off <= BETTER * wide.residual)
    takes &= wide.residual <= ROUGHER * narrow.residual
    first = takes & ~torch.isfinite(narrow.residual)
    return Planes(
        per_m=torch.where(takes[..., None], wide.per_m, narrow.per_m),
        residual=torch.where(first, wide.residual, narrow.residual),
    )


def _spread(coarse: Planes, step: int, shape: torch.Size) -> Planes:
    """To every pixel what the one of the coarse picture says in whose square it lies."""

    def nearest(size: int, known: int) -> Int64[Tensor, "size"]:
        return (torch.arange(size) // step).clamp(max=known - 1)

    rows = nearest(shape[0], coarse.residual.shape[0])
    columns = nearest(shape[1], coarse.residual.shape[1])
    return Planes(per_m=coarse.per_m[rows][:, columns], residual=coarse.residual[rows][:, columns])
