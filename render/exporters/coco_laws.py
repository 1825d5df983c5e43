"""What an export in COCO's layout keeps, as `verify` checks it."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from render.exporters.exporter import Picture
from render.labels.gating import is_ignored, is_labelled
from scenes.semantics import ACTOR_KINDS

ANNOTATIONS, IMAGES = "annotations/instances_all.json", "images"


class _Image(msgspec.Struct):
    id: int
    file_name: str


class _Annotation(msgspec.Struct):
    id: int
    image_id: int
    iscrowd: int
    track_id: int
    category_id: int


class _Content(msgspec.Struct):
    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[dict[str, Any]]


def laws(
    folder: Path, files: Mapping[str, str], pictures: Sequence[Picture] | None
) -> Iterator[tuple[str, str]]:
    """See `render.exporters.exporter.Laws`."""
    try:
        said = msgspec.convert(json.loads((folder / ANNOTATIONS).read_bytes()), _Content)
    except (OSError, ValueError, RecursionError, msgspec.ValidationError) as error:
        yield ANNOTATIONS, f"cannot be read ({error})"
        return
    names = [image.file_name for image in said.images]
    if sorted(f"{IMAGES}/{name}" for name in names) != sorted(set(files) - {ANNOTATIONS}):
        yield ANNOTATIONS, "its images are not the files of the export"
    for what, ids in (("images", said.images), ("annotations", said.annotations)):
        if len({item.id for item in ids}) < len(ids):
            yield ANNOTATIONS, f"two {what} share an id"
    if strange := {x.image_id for x in said.annotations} - {image.id for image in said.images}:
        yield ANNOTATIONS, f"an annotation is of image {min(strange)}, which is none"
    if pictures is not None:
        yield from _of_pictures(said, pictures)


def _of_pictures(said: _Content, pictures: Sequence[Picture]) -> Iterator[tuple[str, str]]:
    wanted = [(picture.number, f"{picture.name}.png") for picture in pictures]
    if [(image.id, image.file_name) for image in said.images] != wanted:
        yield ANNOTATIONS, "its images are not the accepted pictures, in order"
        return
    held = Counter((x.image_id, x.iscrowd, x.track_id) for x in said.annotations)
    expected = Counter[tuple[int, int, int]]()
    for picture in pictures:
        for item in picture.record["objects"]:
            crowd = is_ignored(item)
            if crowd or (is_labelled(item) and item["visible_px"]):
                expected[(picture.number, int(crowd), item["track_id"])] += 1
        unlabelled = len(picture.record["ignore_regions"]) * len(ACTOR_KINDS)
        if unlabelled:
            expected[(picture.number, 1, -1)] += unlabelled
    if held != expected:
        number = next(iter((held - expected) + (expected - held)))[0]
        name = next((x.name for x in pictures if x.number == number), str(number))
        yield ANNOTATIONS, f"annotations of {name} are not the objects of its record"
