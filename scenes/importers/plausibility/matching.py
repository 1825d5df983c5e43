"""Which places of two pictures show the same: corners, and patches around them that look alike.

A small matcher for checks, not for reconstruction: it wants some hundred matches, most of them
right, from pictures taken shortly after each other.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, UInt8

CELL_PX = 10
"""One corner at most in each cell of this many pixels."""
MAX_CORNERS = 700
"""The strongest corners of a picture that are kept."""
MIN_CORNER = 4.0
"""Weaker corners than this are noise of a flat picture [grey levels squared]."""
PATCH_PX = 5
"""A patch reaches this far from its corner on each side."""
EDGE_PX = PATCH_PX + 2
"""No corner lies nearer to the edge of its picture."""
MIN_ALIKE = 0.8
"""Correlation of two patches that may show the same."""
MIN_LEAD = 0.05
"""And by so much it must beat every other patch of the search."""
SEARCH_SHARE = 0.12
"""Places move by at most this share of the picture's width."""

BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Corners:
    """Places of a picture that can be found again."""

    column: Int64[np.ndarray, "n"]
    """Of the pixel at each corner ..."""
    row: Int64[np.ndarray, "n"]
    """... and its row."""
    patch: Float32[np.ndarray, "n p"]
    """What each looks like: grey values without their mean, of length 1."""
    smooth: Float32[np.ndarray, "h w"]
    """The picture, blurred."""


def find_corners(
    grey: UInt8[np.ndarray, "h w"], opaque: Bool[np.ndarray, "h w"] | None = None
) -> Corners:
    """The strongest corners of a picture, evenly spread (Shi and Tomasi 1994).

    Args:
        grey: The picture; one of too few pixels has no corners.
        opaque: Which of its pixels show something; near others there are no corners. All when left
            out.
    """
    height, width = grey.shape
    smooth = _blurred(grey.astype(np.float32))
    strength = np.zeros_like(smooth)
    if min(height, width) > 2 * EDGE_PX + CELL_PX:
        inner = slice(EDGE_PX, -EDGE_PX)
        strength[inner, inner] = _strength(smooth)[inner, inner]
    if opaque is not None:
        strength[_near(~opaque)] = 0.0
    column, row = _strongest(strength)
    return Corners(
        column=column,
        row=row,
        patch=_patches(smooth, column, row),
        smooth=smooth,
    )


def _near(hidden: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Whether a patch around a pixel would take in any of these pixels."""
    from PIL import Image, ImageFilter

    return np.asarray(Image.fromarray(hidden).convert("L").filter(
        ImageFilter.MaxFilter(2 * EDGE_PX + 1)
    )) > 0  # fmt: skip


def match(
    one: Corners, other: Corners
) -> tuple[Float64[np.ndarray, "m 2"], Float64[np.ndarray, "m 2"]]:
    """Where the same was in both pictures [px]: patches that are each other's nearest, by far.

    The places of `other` are those where its patch is most alike, to a fraction of a pixel.
    """
    if len(one.patch) == 0 or len(other.patch) == 0:
        return np.zeros((0, 2)), np.zeros((0, 2))
    alike = one.patch @ other.patch.T
    across = np.abs(one.column[:, None] - other.column[None])
    apart = np.maximum(across, np.abs(one.row[:, None] - other.row[None]))
    alike[apart > SEARCH_SHARE * one.smooth.shape[1]] = -1.0
    index = np.arange(len(alike))
    best = alike.argmax(axis=1)
    mutual = alike.argmax(axis=0)[best] == index
    value = alike[index, best]
    alike[index, best] = -1.0
    keep = mutual & (value > MIN_ALIKE) & (value - alike.max(axis=1) > MIN_LEAD)
    column, row = other.column[best[keep]], other.row[best[keep]]

    def at(right: int, down: int) -> Float32[np.ndarray, "m"]:
        patch = _patches(other.smooth, column + right, row + down)
        return np.sum(patch * one.patch[keep], axis=1)

    here = at(0, 0)
    found = np.stack(
        [column + _peak(at(-1, 0), here, at(1, 0)), row + _peak(at(0, -1), here, at(0, 1))], axis=1
    )
    place = np.stack([one.column[keep], one.row[keep]], axis=1)
    return place + 0.5, found.astype(np.float64) + 0.5


def _patches(
    smooth: Float32[np.ndarray, "h w"],
    column: Int64[np.ndarray, "n"],
    row: Int64[np.ndarray, "n"],
) -> Float32[np.ndarray, "n p"]:
    """What is around places: grey values without their mean, of length 1."""
    reach = np.arange(-PATCH_PX, PATCH_PX + 1)
    patch = smooth[(row[:, None] + reach)[:, :, None], (column[:, None] + reach)[:, None, :]]
    patch = patch.reshape(len(row), len(reach) ** 2)
    patch = patch - patch.mean(axis=1, keepdims=True)
    return patch / np.maximum(np.linalg.norm(patch, axis=1, keepdims=True), 1e-6)


def _strongest(
    strength: Float32[np.ndarray, "h w"],
) -> tuple[Int64[np.ndarray, "n"], Int64[np.ndarray, "n"]]:
    """Columns and rows of corners: peaks of the strength, one in a cell."""
    rows, columns = (size // CELL_PX for size in strength.shape)
    cells = strength[: rows * CELL_PX, : columns * CELL_PX]
    cells = cells.reshape(rows, CELL_PX, columns, CELL_PX).swapaxes(1, 2)
    best = cells.reshape(rows * columns, CELL_PX * CELL_PX).argmax(axis=1)
    cell = np.arange(rows * columns)
    row = cell // max(columns, 1) * CELL_PX + best // CELL_PX
    column = cell % max(columns, 1) * CELL_PX + best % CELL_PX
    strong = strength[row, column] > MIN_CORNER
    row, column = row[strong], column[strong]
    value = strength[row, column]
    shifts = [(down, across) for down in (-1, 0, 1) for across in (-1, 0, 1)]
    around = np.stack([strength[row + down, column + across] for down, across in shifts])
    peak = np.flatnonzero(value >= around.max(axis=0))
    peak = peak[np.argsort(-value[peak], kind="stable")[:MAX_CORNERS]]
    return column[peak], row[peak]


def _peak(
    before: Float32[np.ndarray, "n"],
    here: Float32[np.ndarray, "n"],
    after: Float32[np.ndarray, "n"],
) -> Float32[np.ndarray, "n"]:
    """Where the parabola through three values has its top, from the middle one [px]."""
    bend = np.minimum(before - 2.0 * here + after, -1e-6)
    return np.clip(0.5 * (before - after) / bend, -0.5, 0.5).astype(np.float32)


def _blurred(image: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """A binomial filter of 5x5; edges are repeated."""
    padded = np.pad(image, 2, mode="edge")
    height, width = image.shape
    rows = np.zeros((height, width + 4), np.float32)
    blurred = np.zeros_like(image)
    for shift, weight in enumerate(BINOMIAL):
        rows += np.float32(weight) * padded[shift : shift + height]
    for shift, weight in enumerate(BINOMIAL):
        blurred += np.float32(weight) * rows[:, shift : shift + width]
    return blurred


def _strength(smooth: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """The lesser eigenvalue of the gradients' second moments [grey levels squared]."""
    across, down = np.zeros_like(smooth), np.zeros_like(smooth)
    across[:, 1:-1] = 0.5 * (smooth[:, 2:] - smooth[:, :-2])
    down[1:-1] = 0.5 * (smooth[2:] - smooth[:-2])
    xx, xy, yy = _blurred(across * across), _blurred(across * down), _blurred(down * down)
    return 0.5 * (xx + yy - np.sqrt((xx - yy) ** 2 + 4.0 * xy * xy))
