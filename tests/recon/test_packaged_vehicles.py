"""The packaged car beside and under its original: no specks in the open."""

import numpy as np
import pytest

from tests.asset_pictures import Mask, camera_of, masks, shared

pytest.importorskip("mitsuba", reason="the extra `worlds` is not installed")

AWAY_M = 10.0
MOST = 0.001
"""Specks, in shares of the pixels that show the original (before it was learnt what is open: .002
to .004)."""


def with_neighbours(mask: Mask) -> Mask:
    """Its pixels and those next to them."""
    wide = np.pad(mask, 1)
    rows, columns = mask.shape
    steps = [(down, right) for down in range(3) for right in range(3)]
    return np.any([wide[a : a + rows, b : b + columns] for a, b in steps], axis=0)


@pytest.mark.parametrize("azimuth", [0.0, 2.6, np.pi])
def test_there_is_nothing_beside_or_below_it(azimuth: float) -> None:
    from recon.assets import multiview_capture as shots

    world, actor, _ = shots.stage("car")
    camera = camera_of(160, 120, 480.0)
    away_m = AWAY_M + 0.5 * float(actor.size_m[0])
    found, shown = masks("car", world, camera, away_m, azimuth)
    specks = int((found & ~with_neighbours(shown)).sum())
    assert specks <= MOST * shown.sum()
    assert shared(found, shown) > 0.988
