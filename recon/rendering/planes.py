"""A plane fitted to each pixel's small neighbourhood of the depth surface.

A plane n . (p - o) = d seen from o along the unit ray r at range t satisfies (n / d) . r = 1 / t:
inverse range is *linear* in the direction of the ray. So the fit is linear least squares in 1 / t,
exact for planes at any slant, and a depth edge is a jump that no line through its neighbours
explains.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

REACH = 2
"""Windows are 5 x 5 pixels about the pixel."""
MIN_NEIGHBOURS = 6
"""Fewer pixels of the same surface than this (itself included) do not make a plane."""
EDGE_SHARE = 0.03
"""A step of inverse range, beyond what a straight line on either side predicts, is a depth edge
when larger than this share of the inverse range."""
BETTER = 16.0
"""How much smaller the squared residual of a one-sided window must be to be preferred: at a crease
the full window mixes two planes, on a noisy plane it is the better average. And how much larger the
pixel's own may be for it to lie on the plane of its neighbours."""
BAND_ROWS, HALO_ROWS = 128, 2 * REACH
"""Pictures are worked on in bands, to bound memory; the halo makes the result the same."""
STRIP_ROWS = 16
"""Sums are gathered in strips of a band, so that they stay in the cache."""
FLOOR = 1e-6
"""Relative residual of inverse range that is rounding, not shape."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Planes:
    """The plane about each pixel, seen from where its ray starts; NaN where none fits."""

    per_m: Float64[Tensor, "h w 3"]
    """Normal over distance (world axes) [1/m]: its product with a unit ray is inverse range."""
    residual: Float64[Tensor, "h w"]
    """Mean squared residual of inverse range [1/m²]; inf where none fits."""


def fit_planes(
    origins_m: Float64[Tensor, "h w 3"],
    directions: Float64[Tensor, "h w 3"],
    range_m: Float[Tensor, "h w"],
    pixel_angle: float,
) -> Planes:
    """The best plane through each pixel and its neighbours on the same surface.

    Args:
        origins_m: Where each pixel's ray starts [m, world].
        directions: Unit ray directions (world).
        range_m: Distance of the surface along each ray [m]; inf for none.
        pixel_angle: Typical angle between neighbouring rays [rad]; conditions the fit.
    """
    bands = []
    for top in range(0, len(range_m), BAND_ROWS):
        low = max(top - HALO_ROWS, 0)
        rows = slice(low, top + BAND_ROWS + HALO_ROWS)
        band = _band_planes(origins_m[rows], directions[rows], range_m[rows], pixel_angle)
        kept = slice(top - low, top - low + BAND_ROWS)
        bands.append((band.per_m[kept], band.residual[kept]))
    per_m, residual = (torch.cat(part) for part in zip(*bands, strict=True))
    return Planes(per_m=per_m, residual=residual)


def _band_planes(
    origins_m: Float64[Tensor, "h w 3"],
    directions: Float64[Tensor, "h w 3"],
    range_m: Float[Tensor, "h w"],
    pixel_angle: float,
) -> Planes:
    inverse = 1.0 / range_m.double()
    solid = torch.isfinite(range_m) & (range_m > 0)
    inverse = torch.where(solid, inverse, torch.zeros_like(inverse))
    points = origins_m + directions * torch.where(solid, range_m.double(), 1.0)[..., None]
    axes = _local_axes(directions, pixel_angle)
    reach = _connected(inverse, solid)
    # Components first, so that every sum over them runs along memory.
    across, start = axes.permute(0, 3, 1, 2).contiguous(), origins_m.permute(2, 0, 1).contiguous()
    padded = torch.nn.functional.pad(points.permute(2, 0, 1), (REACH,) * 4)
    strips = []
    for top in range(0, len(range_m), STRIP_ROWS):
        rows = slice(top, top + STRIP_ROWS)
        connected = {offset: found[rows] for offset, found in reach.items()}
        near = padded[:, top : top + STRIP_ROWS + 2 * REACH]
        sums = _window_sums(near, start[:, rows], across[:, :, rows], connected)
        strips.append(_best_plane(sums, axes[:, rows], inverse[rows]))
    per_m, residual = (torch.cat(part) for part in zip(*strips, strict=True))
    return Planes(per_m=per_m, residual=residual)


WINDOWS = {
    "full": (range(-REACH, REACH + 1), range(-REACH, REACH + 1)),
    "upper left": (range(-REACH, 1), range(-REACH, 1)),
    "upper right": (range(-REACH, 1), range(REACH + 1)),
    "lower left": (range(REACH + 1), range(-REACH, 1)),
    "lower right": (range(REACH + 1), range(REACH + 1)),
}
"""Rows and columns, relative to the pixel; each holds the pixel itself."""


def _shift(values: Tensor, dy: int, dx: int) -> Tensor:
    """`out[y, x] = values[y + dy, x + dx]`; what comes from outside the image is 0."""
    height, width = values.shape[:2]
    out = torch.zeros_like(values)
    if abs(dy) >= height or abs(dx) >= width:
        return out
    to_y, to_x = slice(max(-dy, 0), height - max(dy, 0)), slice(max(-dx, 0), width - max(dx, 0))
    at_y, at_x = slice(max(dy, 0), height - max(-dy, 0)), slice(max(dx, 0), width - max(-dx, 0))
    out[to_y, to_x] = values[at_y, at_x]
    return out


def _local_axes(
    directions: Float64[Tensor, "h w 3"], pixel_angle: float
) -> Float64[Tensor, "3 h w 3"]:
    """The ray and two axes across it, divided by the pixel's angle: all sums are then O(1)."""
    up = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64).expand_as(directions)
    forward = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64).expand_as(directions)
    aside = torch.where(directions[..., 2:].abs() < 0.9, up, forward)
    across = torch.nn.functional.normalize(torch.linalg.cross(directions, aside), dim=-1)
    other = torch.linalg.cross(directions, across)
    return torch.stack([directions, across / pixel_angle, other / pixel_angle])


def _connected(
    inverse: Float64[Tensor, "h w"], solid: Bool[Tensor, "h w"]
) -> dict[tuple[int, int], Bool[Tensor, "h w"]]:
    """For each offset, the pixels that reach that neighbour without crossing a depth edge."""
    along_x = _links(inverse, solid)
    along_y = _links(inverse.T, solid.T).T
    reach = {(0, 0): solid}
    offsets = [(dy, dx) for dy in WINDOWS["full"][0] for dx in WINDOWS["full"][1]]
    for dy, dx in sorted(offsets, key=lambda offset: abs(offset[0]) + abs(offset[1]))[1:]:
        found = torch.zeros_like(solid)
        if dx:
            step = 1 if dx > 0 else -1
            link = _shift(along_x, dy, dx - step if step > 0 else dx)
            found |= reach[dy, dx - step] & link
        if dy:
            step = 1 if dy > 0 else -1
            link = _shift(along_y, dy - step if step > 0 else dy, dx)
            found |= reach[dy - step, dx] & link
        reach[dy, dx] = found
    return reach


def _links(inverse: Float64[Tensor, "h w"], solid: Bool[Tensor, "h w"]) -> Bool[Tensor, "h w"]:
    """Whether each pixel and its right neighbour lie on one surface."""
    right, left, right2 = (_shift(inverse, 0, dx) for dx in (1, -1, 2))
    has_left, has_right2 = _shift(solid, 0, -1), _shift(solid, 0, 2)
    step = (right - inverse).abs()
    from_left = torch.where(has_left, (2 * inverse - left - right).abs(), step)
    from_right = torch.where(has_right2, (2 * right - right2 - inverse).abs(), step)
    nearer = torch.maximum(inverse, right)
    smooth = torch.minimum(from_left, from_right) <= EDGE_SHARE * nearer
    return solid & _shift(solid, 0, 1) & smooth


def _window_sums(
    points_m: Float64[Tensor, "3 padded_h padded_w"],
    origins_m: Float64[Tensor, "3 h w"],
    axes: Float64[Tensor, "3 3 h w"],
    reach: dict[tuple[int, int], Bool[Tensor, "h w"]],
) -> dict[str, Float64[Tensor, "11 h w"]]:
    """Normal equations of each pixel over every window.

    Windows overlap: neighbours are summed once, in the 3 x 3 parts of which all windows are made.
    """
    height, width = origins_m.shape[1:]
    signs = (-1, 0, 1)
    parts = {(y, x): torch.zeros(11, height, width).double() for y in signs for x in signs}
    for (dy, dx), connected in reach.items():
        y, x = REACH + dy, REACH + dx
        offset = points_m[:, y : y + height, x : x + width] - origins_m
        part = parts[(dy > 0) - (dy < 0), (dx > 0) - (dx < 0)]
        _add_terms(part, offset, axes, connected.double())
    sums = {}
    for name, (rows, columns) in WINDOWS.items():
        first, *others = [parts[y, x] for y in signs for x in signs if y in rows and x in columns]
        sums[name] = first.clone()
        for part in others:
            sums[name] += part
    return sums


def _add_terms(
    sums: Float64[Tensor, "11 h w"],
    offset_m: Float64[Tensor, "3 h w"],
    axes: Float64[Tensor, "component 3 h w"],
    connected: Float64[Tensor, "h w"],
) -> None:
    """Add what one neighbour says to the normal equations of each pixel; nothing where it is 0.

    The neighbour is seen from the pixel's own origin, so a rolling shutter changes nothing.
    """
    x, y, z = offset_m
    squared = (x * x).addcmul_(y, y).addcmul_(z, z)
    w = squared.clamp_min_(1e-18).rsqrt_().mul_(connected)
    a, b, c = ((axis[0] * x).addcmul_(axis[1], y).addcmul_(axis[2], z).mul_(w) for axis in axes)
    products = ((a, a), (a, b), (a, c), (b, b), (b, c), (c, c), (a, w), (b, w), (c, w), (w, w))
    for total, (left, right) in zip(sums, products, strict=False):
        total.addcmul_(left, right)
    sums[10] += connected


def _best_plane(
    sums: dict[str, Float64[Tensor, "11 h w"]],
    axes: Float64[Tensor, "3 h w 3"],
    inverse: Float64[Tensor, "h w"],
) -> tuple[Float64[Tensor, "h w 3"], Float64[Tensor, "h w"]]:
    """Each pixel's plane over the window that suits it, in world axes, and its residual."""
    best, best_residual = _solve(sums["full"], inverse)
    for name in list(WINDOWS)[1:]:
        plane, residual = _solve(sums[name], inverse)
        better = residual * BETTER < best_residual
        best = torch.where(better, plane, best)
        # Among the one-sided windows the smallest residual wins outright.
        best_residual = torch.where(better, residual * BETTER, best_residual)
    return (best[..., None] * axes).sum(0), best_residual


def _solve(
    sums: Float64[Tensor, "11 h w"], inverse: Float64[Tensor, "h w"]
) -> tuple[Float64[Tensor, "3 h w"], Float64[Tensor, "h w"]]:
    """The plane of each pixel's neighbours, and their mean squared residual of 1 / range.

    The pixel itself, which lies at (1, 0, 0) in its own axes, is left out: where it does not lie
    on the plane of its neighbours, they are another surface and say nothing about it.
    """
    aa, ab, ac, bb, bc, cc, aw, bw, cw, ww, count = sums
    aa, aw, ww, count = aa - 1.0, aw - inverse, ww - inverse**2, count - 1.0
    c00, c01, c02 = bb * cc - bc * bc, ac * bc - ab * cc, ab * bc - ac * bb
    c11, c12, c22 = aa * cc - ac * ac, ab * ac - aa * bc, aa * bb - ab * ab
    determinant = aa * c00 + ab * c01 + ac * c02
    plane = torch.stack(
        [
            c00 * aw + c01 * bw + c02 * cw,
            c01 * aw + c11 * bw + c12 * cw,
            c02 * aw + c12 * bw + c22 * cw,
        ]
    )
    # In these axes a window that spans a surface has a determinant of order 1 per pixel.
    fits = (count + 1.0 >= MIN_NEIGHBOURS) & (determinant > 1e-3 * count)
    plane = plane / torch.where(fits, determinant, 1.0)  # Cramer's rule
    explained = plane[0] * aw + plane[1] * bw + plane[2] * cw
    residual = ((ww - explained) / count.clamp_min(1.0)).clamp_min(0.0)
    residual = torch.maximum(residual, (FLOOR * inverse) ** 2)
    fits &= (plane[0] - inverse) ** 2 <= BETTER * residual
    return torch.where(fits, plane, torch.nan), torch.where(fits, residual, torch.inf)
