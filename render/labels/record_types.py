"""Whether what stands in `labels.jsonl` is of the types that the table of labels says.

Everybody who reads records may then rely on them: names, numbers of the right kind and count,
no NaN.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

from render.json_value import Json
from render.labels.entry import FrameLabel, ObjectLabel
from render.labels.object_labels import ACCEPT, REJECT
from render.labels.table import FRAME_LABELS, OBJECT_LABELS
from scenes.semantics import ACTOR_KINDS
from scenes.sensors.camera import Readout
from scenes.sensors.lens_models import LensName

KEY = re.compile(r"[0-9]{6,}\.[A-Za-z0-9_-][A-Za-z0-9._-]*")
"""Names of pictures: they become names of files."""
LARGEST, LARGEST_FLOAT = 2**53, 1e300
"""Whole numbers in JSON are exact up to here; no label is larger than the other."""
CAMERA = {
    "width": "int", "height": "int", "readout_us": "int",
    "fx": "float", "fy": "float", "cx": "float", "cy": "float", "name": "str", "lens": "str",
    "readout": "str",
}  # fmt: skip
"""What every camera says, and its types."""
CLASSES = frozenset(kind.name for kind in ACTOR_KINDS)


def record_problem(record: Json) -> str | None:
    """What is wrong with the labels of one picture, in words; None if nothing is."""
    if not isinstance(record, dict):
        return "is not an object"
    return next(_problems(record), None)


def _problems(record: Mapping[str, Json]) -> Iterator[str]:
    key = record.get("key")
    if not isinstance(key, str) or KEY.fullmatch(key) is None:
        yield f"its key is {key!r}"
        return
    yield from _values(record, FRAME_LABELS, "")
    if not isinstance(objects := record.get("objects"), list):
        yield "it has no list of objects"
        return
    for place, item in enumerate(objects):
        if not isinstance(item, dict):
            yield f"objects[{place}] is not an object"
            return
        yield from _values(item, OBJECT_LABELS, f"objects[{place}].")
        if item["class"] not in CLASSES:
            yield f"objects[{place}].class is {item['class']!r}"
    if record["gate"] not in (ACCEPT, REJECT):
        yield f"gate is {record['gate']!r}"
    yield from _camera(record["camera"])
    yield from _regions(record["ignore_regions"])


def _values(
    held: Mapping[str, Json], labels: Sequence[FrameLabel | ObjectLabel], within: str
) -> Iterator[str]:
    for label in labels:
        if label.name not in held:
            yield f"it has no {within}{label.name}"
        elif not _fits(held[label.name], label.dtype, label.shape):
            wanted = f"{label.dtype} of shape {label.shape}" if label.shape else label.dtype
            yield f"{within}{label.name} is not {wanted}"


def _fits(value: Json, dtype: str, shape: str) -> bool:
    """Whether a value is as the table says: "float or null" of "4 4", for instance."""
    kind, _, null = dtype.partition(" or ")
    if value is None:
        return bool(null)
    if kind == "object":
        return isinstance(value, list if shape else dict)
    return _nested(value, kind, shape.split())


def _nested(value: Json, kind: str, sides: list[str]) -> bool:
    if not sides:
        return _is(value, kind)
    if not isinstance(value, list) or (sides[0].isdigit() and len(value) != int(sides[0])):
        return False
    return all(_nested(item, kind, sides[1:]) for item in value)


def _is(value: Json, kind: str) -> bool:
    if kind == "str":
        return isinstance(value, str)
    if kind == "bool":
        return isinstance(value, bool)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    whole = isinstance(value, int)
    # comparisons, unlike math.isfinite, take whole numbers of any length; NaN fails them
    return whole and abs(value) <= LARGEST if kind == "int" else abs(value) <= LARGEST_FLOAT


def _camera(camera: Mapping[str, Json]) -> Iterator[str]:
    for name, kind in CAMERA.items():
        if name not in camera or not _is(camera[name], kind):
            yield f"camera.{name} is no {kind}"
            return
    if not _nested(camera.get("distortion"), "float", ["n"]):
        yield "camera.distortion is no list of numbers"
    for name, known in (("lens", LensName), ("readout", Readout)):
        if camera[name] not in get_args(known):
            yield f"camera.{name} is {camera[name]!r}"


def _regions(regions: Sequence[Json]) -> Iterator[str]:
    for place, region in enumerate(regions):
        if not isinstance(region, dict) or not isinstance(region.get("reason"), str):
            yield f"ignore_regions[{place}] says no reason"
        elif not _nested(region.get("polygon"), "float", ["corners", "2"]):
            yield f"ignore_regions[{place}] has no polygon"
