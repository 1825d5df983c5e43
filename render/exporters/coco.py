"""COCO's detection and instance segmentation: `images/` and one JSON file.

Boxes are [left, top, width, height] with pixel edges on whole numbers, as ours. A road user's mask
is in `segmentation` as polygons, which cover it exactly (`render.exporters.outlines` says how holes
are treated), and in `rle` run-length encoded. One that is ignored is a crowd region (`iscrowd` 1,
run-length encoded, as COCO has them), which COCO's evaluators leave out of every score; one that no
pixel shows is left out. What the drive left unlabelled is a crowd region of every category, because
nobody knows who is there, and has the track id -1. Names and ids of pictures and annotations depend
on the scenario and the frame alone and no two are alike, so lists of several exports can be joined.
The licence is the drive's own.
"""

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from render.exporters.coco_laws import ANNOTATIONS, IMAGES, laws
from render.exporters.exporter import Exporter, Picture, unique_number
from render.exporters.outlines import polygons
from render.exporters.rle import encode
from render.json_value import Json
from render.labels.gating import is_ignored
from render.labels.objects import tight_box_px
from scenes.semantics import ACTOR_KINDS, Semantic


def write(pictures: Sequence[Picture], out: Path) -> None:
    """Write `images/` and `annotations/instances_all.json`.

    Raises:
        OtherlaneError: A damaged frame.
    """
    (out / IMAGES).mkdir(parents=True)
    licences = _numbered(picture.dataset["licence"] for picture in pictures)
    images, annotations = [], []
    for picture in pictures:
        images.append(_image(picture, licences))
        shutil.copyfile(picture.rgb, out / IMAGES / f"{picture.name}.png")
        instance = picture.pixels("instance")
        for item in picture.record["objects"]:
            mask = _mask(item, instance)
            if mask.any():
                number = unique_number(picture.number, item["instance"])
                ids = {"id": number, "image_id": picture.number}
                annotations.append(ids | _annotation(item, mask))
        for place, region in enumerate(picture.record.get("ignore_regions", ())):
            mask = polygon_mask(region["polygon"], instance.shape)
            for kind in sorted(ACTOR_KINDS):
                number = unique_number(picture.number, "unlabelled", place, int(kind))
                ids = {"id": number, "image_id": picture.number}
                annotations.append(ids | _unlabelled(kind, mask))
    drives = _numbered(picture.dataset["drive"] for picture in pictures)
    versions = _numbered(picture.dataset["otherlane"] for picture in pictures)
    content = {
        "info": {"description": ", ".join(drives), "version": ", ".join(versions)},
        "licenses": [{"id": n, "name": name, "url": ""} for name, n in licences.items()],
        "categories": [
            {"id": int(kind), "name": kind.name.lower(), "supercategory": _group(kind)}
            for kind in sorted(ACTOR_KINDS)
        ],
        "images": images,
        "annotations": annotations,
    }
    (out / ANNOTATIONS).parent.mkdir()
    text = json.dumps(content, indent=None, sort_keys=True, allow_nan=False)
    (out / ANNOTATIONS).write_text(text + "\n", encoding="utf-8")


def _numbered(texts: Iterable[str]) -> dict[str, int]:
    """Each text once, in order, and its number from 1."""
    return {text: number for number, text in enumerate(dict.fromkeys(texts), start=1)}


def _image(picture: Picture, licences: Mapping[str, int]) -> dict[str, Json]:
    camera = picture.record["camera"]
    return {
        "id": picture.number,
        "file_name": f"{picture.name}.png",
        "width": camera["width"],
        "height": camera["height"],
        "license": licences[picture.dataset["licence"]],
        "frame": picture.record["key"],
        "camera": camera["name"],
        "scenario": picture.dataset["config"].get("scenario", {}).get("name"),
    }


def _group(kind: Semantic) -> str:
    if kind in (Semantic.PERSON, Semantic.SITTING_PERSON, Semantic.CYCLIST):
        return "person"
    return "object" if kind is Semantic.OTHER_ACTOR else "vehicle"


def _mask(item: Mapping[str, Json], instance: np.ndarray) -> Bool[np.ndarray, "h w"]:
    if not is_ignored(item):
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
    crowd = is_ignored(item)
    said = {"ignored": item["ignored"]} if crowd else {"rle": encode(mask)}
    return said | {
        "category_id": int(Semantic[item["class"]]),
        "bbox": [left, top, right - left, bottom - top],
        "area": int(mask.sum()),
        "segmentation": encode(mask) if crowd else polygons(mask),
        "iscrowd": int(crowd),
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


EXPORTER = Exporter(write=write, reads=("rgb", "instance"), laws=laws, copies=True)
