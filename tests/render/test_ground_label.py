"""GROUND where the field's road is uneven: too low is still road, too high may be anything."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from scenes.semantics import Semantic
from tests.render.analytic import CAMERA, AnalyticScene, street
from tests.viewing import render_view

PATCH = np.s_[34:42, 30:66]
"""Pixels of the road in the middle of the lane."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class UnevenStreet(AnalyticScene):
    """A field whose road is at another height in a patch of the lane."""

    height_m: float

    def render_rays(self, origins, directions, pixel_angle):
        out = AnalyticScene.render_rays(self, origins, directions, pixel_angle)
        patch = torch.zeros(CAMERA.height, CAMERA.width, dtype=torch.bool)
        patch[PATCH] = True
        longer = (origins[:, 2] - self.height_m) / origins[:, 2]
        range_m = torch.where(patch.view(-1), out.range_m * longer, out.range_m)
        return replace(out, range_m=range_m)


@pytest.mark.parametrize(
    ("height_m", "expected"),
    [
        (0.0, Semantic.GROUND),
        (-0.05, Semantic.GROUND),
        (-0.3, Semantic.GROUND),  # seen as a hole in the middle of the lane, until 2026-11-30
        (-1.0, Semantic.GROUND),
        (0.4, Semantic.UNKNOWN),
    ],
)
def test_a_road_that_is_too_low_is_road(height_m: float, expected: Semantic) -> None:
    scene = UnevenStreet(clip=street(actors=()).clip, height_m=height_m)
    frame = render_view(scene, CAMERA, scene.clip.world_from_camera(0, 0), time_us=0)
    patch = frame.semantic[PATCH]
    assert (patch == expected).mean() > 0.95
    assert np.all(frame.semantic[PATCH][2:-2, 2:-2] == expected)
