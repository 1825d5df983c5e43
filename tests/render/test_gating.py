"""Who shows too little to be a label is an ignore region, and says why."""

import json
from pathlib import Path

import numpy as np
import pytest

from render.exporters.coco import ANNOTATIONS
from render.folders.frames import read_records
from render.labels.gate import LabelGate
from render.labels.gating import is_ignored, is_labelled
from render.views.frame import Frame
from tests.render.analytic import CAMERA, street
from tests.viewing import render_view


def seen_by(gate: LabelGate | None) -> Frame:
    scene = street()
    return render_view(scene, CAMERA, scene.clip.world_from_camera(0, 0), time_us=0, gate=gate)


@pytest.fixture(scope="module")
def all_labelled() -> Frame:
    return seen_by(LabelGate(min_px=0))


def test_a_pixel_too_few_makes_an_ignore_region(all_labelled: Frame) -> None:
    pixels = sorted(item["visible_px"] for item in all_labelled.objects if item["box_2d"])
    least = pixels[len(pixels) // 2]
    assert pixels[0] < least
    frame = seen_by(LabelGate(min_px=least))
    for item in frame.objects:
        if not item["rendered"]:
            assert item["ignored"] == "not rendered: no field of its own"
        elif 0 < item["visible_px"] < least:
            assert item["ignored"] == f"too small: {item['visible_px']} px of {least}"
            assert is_ignored(item)
            assert not is_labelled(item)
        else:
            assert item["ignored"] is None
            assert item["ignore_region"] is None
            assert is_labelled(item) == (item["visible_px"] > 0)
    assert sum(is_labelled(item) for item in frame.objects) == sum(n >= least for n in pixels)


def test_an_ignore_region_holds_every_pixel_of_whom_it_ignores(all_labelled: Frame) -> None:
    frame = seen_by(LabelGate(min_px=10_000))
    for item in frame.objects:
        assert not is_labelled(item)
        if not item["rendered"] or not item["visible_px"]:
            continue
        region = np.array(item["ignore_region"])
        rows, columns = np.nonzero(frame.instance == item["instance"])
        corners = np.concatenate([[columns + x, rows + y] for x in (0, 1) for y in (0, 1)], axis=1)
        following = np.roll(region, -1, axis=0)
        for (ax, ay), (bx, by) in zip(region, following, strict=True):
            side = (bx - ax) * (corners[1] - ay) - (by - ay) * (corners[0] - ax)
            assert np.all(side >= -1e-9)
    for label in ("instance", "semantic", "range_m"):  # what is ignored is seen all the same
        assert np.array_equal(frame.pixels[label], all_labelled.pixels[label])
    for ours, theirs in zip(frame.objects, all_labelled.objects, strict=True):
        assert ours["box_2d"] == theirs["box_2d"]


def test_who_is_hidden_too_much_is_ignored(all_labelled: Frame) -> None:
    shares = [item["visible_fraction"] for item in all_labelled.objects if item["box_2d"]]
    least = 0.5 * (min(shares) + max(shares))
    assert min(shares) < least < max(shares)
    for item in seen_by(LabelGate(min_px=0, min_visible=least)).objects:
        if item["box_2d"]:
            assert is_labelled(item) == (item["visible_fraction"] >= least)
            hidden = f"hidden: {item['visible_fraction']:.2f} visible of {least:g}"
            assert item["ignored"] in (None, hidden)


def test_without_a_gate_five_by_five_pixels_are_asked_for() -> None:
    assert LabelGate() == LabelGate(min_px=25, min_visible=0.0)
    assert seen_by(None).objects == seen_by(LabelGate()).objects


@pytest.mark.parametrize("wrong", [{"min_px": -1}, {"min_visible": -0.1}, {"min_visible": 1.1}])
def test_impossible_gates(wrong: dict) -> None:
    with pytest.raises(ValueError, match="must be"):
        LabelGate(**wrong)


def test_a_folder_says_what_its_labels_had_to_show(frames_folder: Path) -> None:
    items = [item for record in read_records(frames_folder) for item in record["objects"]]
    small = [item for item in items if (item["ignored"] or "").startswith("too small")]
    assert small
    content = json.loads((frames_folder / "exports/coco" / ANNOTATIONS).read_text())
    kept = [note for note in content["annotations"] if not note["iscrowd"]]
    assert len(kept) == sum(map(is_labelled, items))
    assert min(note["area"] for note in kept) >= LabelGate().min_px
