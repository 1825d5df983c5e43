"""Polygons of masks are the masks: by the even-odd rule, and by the COCO API's own rasteriser."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

from render.exporters.outlines import outlines, polygons

masks = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=14))


def filled(polygon: list[int], shape: tuple[int, ...]) -> np.ndarray:
    """Pixels whose centres lie in a polygon, by the even-odd rule."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    corners = np.array(polygon).reshape(-1, 2)
    inside = np.zeros(shape, dtype=bool)
    for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if ax == bx:  # the others are level: a level ray crosses none of them
            inside ^= (min(ay, by) < y) & (y < max(ay, by)) & (x < ax)
    return inside


def assert_cover(found: list[list[int]], mask: np.ndarray) -> None:
    pieces = [filled(polygon, mask.shape) for polygon in found]
    assert np.array_equal(np.sum([np.zeros(mask.shape, dtype=int), *pieces], axis=0), mask)


@given(masks)
def test_polygons_cover_a_mask_once(mask: np.ndarray) -> None:
    found = polygons(mask)
    assert_cover(found, mask)
    for polygon in found:
        corners = np.array(polygon).reshape(-1, 2)
        assert len(corners) >= 4
        sides = np.roll(corners, -1, axis=0) - corners
        assert np.all((sides == 0).sum(axis=1) == 1)  # level and upright in turn: no corner is idle
        assert np.all((sides[:, 0] == 0) != np.roll(sides[:, 0] == 0, 1))


@given(masks)
def test_polygons_are_the_mask_to_the_coco_api(mask: np.ndarray) -> None:
    api = pytest.importorskip("faster_coco_eval.core.mask")
    found = polygons(mask)
    if found:
        floats = [[float(value) for value in polygon] for polygon in found]
        runs = api.merge(api.frPyObjects(floats, *mask.shape))
        assert np.array_equal(api.decode(runs).astype(bool), mask)


def test_a_hole_cuts_a_ring_in_two() -> None:
    ring = np.ones((5, 6), dtype=bool)
    ring[2, 2:4] = False
    assert len(outlines(ring)) == 2
    found = polygons(ring)
    assert_cover(found, ring)
    assert found == [[0, 0, 2, 0, 2, 5, 0, 5], [2, 0, 6, 0, 6, 5, 2, 5, 2, 3, 4, 3, 4, 2, 2, 2]]


def test_pixels_that_touch_at_a_corner_are_two_polygons() -> None:
    assert polygons(np.eye(2, dtype=bool)) == [[0, 0, 1, 0, 1, 1, 0, 1], [1, 1, 2, 1, 2, 2, 1, 2]]


def test_many_holes_are_cut_without_a_deep_stack() -> None:
    sieve = np.ones((9, 161), dtype=bool)
    sieve[1::2, 1::2] = False
    assert_cover(polygons(sieve), sieve)
