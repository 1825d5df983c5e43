"""Whose field does not show it as recorded is an ignore region wherever it drives, and says why."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from render.labels.gating import is_ignored, is_labelled
from render.views.frame import Frame
from tests.render.analytic import CAMERA, AnalyticScene, box_actor, street
from tests.viewing import render_view

WHY = "its field explains its pixels only 0.30 dB better than the static scene"


def seen(scene: AnalyticScene, **staged: Any) -> Frame:
    return render_view(scene, CAMERA, scene.clip.world_from_camera(0, 0), time_us=0, **staged)


def item_of(frame: Frame, number: int) -> Mapping[str, Any]:
    return next(item for item in frame.objects if item["track_id"] == number)


def test_who_is_in_doubt_is_no_label_and_says_why() -> None:
    sure = seen(street())
    number = max(sure.objects, key=lambda item: item["visible_px"] or 0)["track_id"]
    assert is_labelled(item_of(sure, number))
    scene = AnalyticScene(clip=street().clip, doubtful_actors={number: WHY})
    frame = seen(scene)
    item = item_of(frame, number)
    assert item["ignored"] == WHY
    assert is_ignored(item)
    assert not is_labelled(item)
    assert item["ignore_region"] is not None
    for other, was in zip(frame.objects, sure.objects, strict=True):
        if other["track_id"] != number:
            assert other == was
    for label, values in sure.pixels.items():  # the picture stays as it was
        np.testing.assert_array_equal(frame.pixels[label], values)


def test_who_shows_no_pixel_is_a_region_too() -> None:
    """The static scene shows it, and whatever it shows it in: none of it is background."""
    clip = street(actors=(box_actor(1, (12.0, 0.0)), box_actor(2, (20.0, 0.0)))).clip
    sure = item_of(seen(AnalyticScene(clip=clip)), 2)
    assert (sure["visible_px"], sure["ignored"]) == (0, None)
    item = item_of(seen(AnalyticScene(clip=clip, doubtful_actors={2: WHY})), 2)
    assert (item["visible_px"], item["ignored"]) == (0, WHY)
    assert item["ignore_region"] is not None
