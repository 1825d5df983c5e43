"""COCO's detection and instance segmentation, one JSON file.

Boxes are [left, top, width, height] with pixel edges on whole numbers, as ours. Masks are
run-length encoded. A road user that is not rendered is a crowd region (`iscrowd` 1), which COCO's
evaluators leave out of every score; one that no pixel shows is left out. What the drive left
unlabelled is a crowd region of every category, because nobody knows who is there, and has the
track id -1. The licence is the drive's own. Pictures are referred to by their place in the folder
of frames.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from render.exporters.rle import encode
from render.frames import FRAMES, read_dataset, read_pixels, read_records
from render.labels.objects import tight_box_px
from scenes.semantics import ACTOR_KINDS, Semantic

Json = Any
ANNOTATIONS = "annotations.json"


def export(frames_folder: Path, out: Path) -> Path:
    """Write `annotations.json`.

    Raises:
        OtherlaneError: No folder of frames, or a damaged one.
    """
    records = read_records(frames_folder)
    dataset = read_dataset(frames_folder)
    images, annotations = [], []
    for image_id, record in enumerate(records, start=1):
        camera = record["camera"]
        images.append(
            {
                "id": image_id,
                "file_name": f"{FRAMES}/{record['key']}.rgb.png",
                "width": camera["width"],
                "height": camera["height"],
                "license": 1,
            }
        )
        instance = read_pixels(frames_folder, record["key"], ["instance"])["instance"]
        for item in record["objects"]:
            mask = _mask(item, instance)
            if mask.any():
                numbered = {"id": len(annotations) + 1, "image_id": image_id}
                annotations.append(numbered | _annotation(item, mask))
        for region in record.get("ignore_regions", ()):
            mask = polygon_mask(region["polygon"], instance.shape)
            for kind in sorted(ACTOR_KINDS):
                numbered = {"id": len(annotations) + 1, "image_id": image_id}
                annotations.append(numbered | _unlabelled(kind, mask))
    content = {
        "info": {"description": dataset["drive"], "version": dataset["otherlane"]},
        "licenses": [{"id": 1, "name": dataset["licence"], "url": ""}],
        "categories": [
            {"id": int(kind), "name": kind.name.lower(), "supercategory": _group(kind)}
            for kind in sorted(ACTOR_KINDS)
        ],
        "images": images,
        "annotations": annotations,
    }
    out.mkdir(parents=True)
    text = json.dumps(content, indent=None, sort_keys=True, allow_nan=False)
    (out / ANNOTATIONS).write_text(text + "\n", encoding="utf-8")
    return out


def _group(kind: Semantic) -> str:
    if kind in (Semantic.PERSON, Semantic.SITTING_PERSON, Semantic.CYCLIST):
        return "person"
    return "object" if kind is Semantic.OTHER_ACTOR else "vehicle"


def _mask(item: Mapping[str, Json], instance: np.ndarray) -> Bool[np.ndarray, "h w"]:
    if item["rendered"]:
        return instance == item["instance"]
    return polygon_mask(item["ignore_region"], instance.shape)


def polygon_mask(outline_px: Json, shape: tuple[int, ...]) -> Bool[np.ndarray, "h w"]:
    """Pixels whose centres lie in a convex polygon, or the one pixel that holds a smaller one."""
    corners = np.array(outline_px, dtype=np.float64)
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    following = np.roll(corners, -1, axis=0)
    sides = [
        (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])
        for a, b in zip(corners, following, strict=True)
    ]
    inside = np.all(np.stack(sides) >= 0, axis=0) | np.all(np.stack(sides) <= 0, axis=0)
    if not inside.any():
        centre = np.minimum(corners.mean(axis=0).astype(int), [shape[1] - 1, shape[0] - 1])
        inside[centre[1], centre[0]] = True
    return inside


def _annotation(item: Mapping[str, Json], mask: Bool[np.ndarray, "h w"]) -> dict[str, Json]:
    box = tight_box_px(mask)
    assert box is not None  # callers leave empty masks out
    left, top, right, bottom = box
    return {
        "category_id": int(Semantic[item["class"]]),
        "bbox": [left, top, right - left, bottom - top],
        "area": int(mask.sum()),
        "segmentation": encode(mask),
        "iscrowd": 0 if item["rendered"] else 1,
        "track_id": item["track_id"],
        "truncation": item["truncation"],
        "occlusion": item["occlusion"],
    }


def _unlabelled(kind: Semantic, mask: Bool[np.ndarray, "h w"]) -> dict[str, Json]:
    box = tight_box_px(mask)
    assert box is not None  # polygon_mask holds a pixel at least
    left, top, right, bottom = box
    return {
        "category_id": int(kind),
        "bbox": [left, top, right - left, bottom - top],
        "area": int(mask.sum()),
        "segmentation": encode(mask),
        "iscrowd": 1,
        "track_id": -1,
    }
