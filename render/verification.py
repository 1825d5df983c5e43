"""Whether what a verb wrote is whole, unchanged and, for frames, keeps the laws of its labels.

A law that needs pixel labels which the folder does not hold (`render --labels`) is said to be
unchecked.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from render.frames import camera_of, read_pixels, read_records, stored_labels
from render.labels.gate import LabelGate
from render.labels.gating import is_labelled
from render.labels.objects import tight_box_px
from render.labels.pixel_labels import PIXEL_LABELS
from scenes.errors import OtherlaneError
from scenes.folders import MANIFEST, damaged_files, read_manifest, stray_files
from scenes.geometry import box_corners, rigid_problem, transform_points
from scenes.semantics import ACTOR_KINDS, Semantic

Json = Any
MAX_NAMED = 20
"""How many problems are named; all are counted."""
DEPTH_TOLERANCE = 1e-5
"""Relative: z_m and range_m are float32, each rounded once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing that is wrong."""

    where: str
    wrong: str


def verify_folder(folder: Path) -> dict[str, object]:
    """See `render.commands.verify`."""
    manifest = read_manifest(folder, _kind(folder))
    problems = [
        Problem(where=name, wrong="is missing, or not what was written")
        for name in damaged_files(folder, manifest)
    ]
    problems += [
        Problem(where=name, wrong="was added afterwards") for name in stray_files(folder, manifest)
    ]
    files = manifest["files"]
    assert isinstance(files, dict)
    frames, unchecked = None, list[str]()
    if manifest["kind"] == "frames" and not problems:
        records = read_records(folder)
        frames = len(records)
        gate, held = _gate(manifest), stored_labels(folder)
        for record in records:
            problems += frame_problems(folder, record, gate)
        unchecked = [f"{law} (needs {' and '.join(lacks)})" for law, lacks in _unchecked(held)]
    return {
        "ok": not problems,
        "folder": str(folder),
        "kind": manifest["kind"],
        "files": len(files),
        "frames": frames,
        "problems_found": len(problems),
        "problems": problems[:MAX_NAMED],
        "unchecked": unchecked,
    }


def _kind(folder: Path) -> str:
    """What a folder's manifest says it holds; `read_manifest` then checks the rest."""
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        if not (folder / MANIFEST).is_file():
            fix = "what import, reconstruct, extract-actor, perturb, render or export made"
            raise OtherlaneError(folder, f"has no {MANIFEST}", fix) from error
        raise OtherlaneError(folder / MANIFEST, f"is damaged ({error})", "make it again") from error
    kind = manifest.get("kind") if isinstance(manifest, dict) else None
    if not isinstance(kind, str):
        raise OtherlaneError(folder / MANIFEST, "does not say what it holds", "make it again")
    return kind


def _gate(manifest: Mapping[str, Json]) -> LabelGate | None:
    """What labels had to show, as far as the manifest says."""
    said = manifest["config"].get("gate")
    return None if said is None else LabelGate(**said)


def frame_problems(
    folder: Path, record: Mapping[str, Json], gate: LabelGate | None = None
) -> list[Problem]:
    """Laws of labels that one picture breaks; `gate` is what its labels had to show, if known."""
    try:
        pixels = read_pixels(folder, record["key"])
        found = list(_shapes(record, pixels))
        for law in LAWS if not found else ():
            if not law.lacks(pixels):
                found += law.broken(record, pixels)
        found = found or list(_gated(record, gate or LabelGate(min_px=0)))
    except OtherlaneError as error:
        return [Problem(where=error.where, wrong=error.wrong)]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        # A record is JSON from a file: what it lacks, or holds instead, is the file's problem.
        found = [f"its record cannot be read ({type(error).__name__}: {error})"]
    return [Problem(where=str(record.get("key")), wrong=wrong) for wrong in found]


Pixels = Mapping[str, np.ndarray]


def _shapes(record: Mapping[str, Json], pixels: Pixels) -> Iterator[str]:
    camera = camera_of(record)
    for label in PIXEL_LABELS:
        if label.name not in pixels:
            continue
        value = pixels[label.name]
        if value.shape[:2] != (camera.height, camera.width) or value.dtype != label.dtype:
            yield f"{label.name} is not {label.dtype} of {camera.width}x{camera.height} pixels"


def _poses(record: Mapping[str, Json], pixels: Pixels) -> Iterator[str]:
    del pixels
    named = {key: value for key, value in record.items() if key.startswith("world_from_")}
    for item in record["objects"]:
        for key in ("world_from_box", "ego_from_box", "camera_from_box"):
            named[f"{key} of object {item['track_id']}"] = item[key]
    for name, pose in named.items():
        if problem := rigid_problem(np.array(pose, dtype=np.float64).reshape(1, 4, 4)):
            yield f"{name}: {problem}"


def _depth(record: Mapping[str, Json], pixels: Pixels) -> Iterator[str]:
    camera = camera_of(record)
    range_m, z_m = pixels["range_m"].astype(np.float64), pixels["z_m"].astype(np.float64)
    solid = np.isfinite(range_m)
    if np.any(np.isnan(range_m)) or np.any(range_m <= 0):
        yield "range_m is not positive everywhere"
    if not np.array_equal(solid, np.isfinite(z_m)):
        yield "z_m and range_m disagree about the sky"
        return
    cosine = 1.0 / np.linalg.norm(camera.unproject(camera.pixel_centres()), axis=-1)
    if not np.allclose(z_m[solid], (range_m * cosine)[solid], rtol=DEPTH_TOLERANCE, atol=0.0):
        yield "z_m is not range_m times the cosine of ray and axis"


def _known_classes(record: Mapping[str, Json], pixels: Pixels) -> Iterator[str]:
    del record
    unknown = set(np.unique(pixels["semantic"]).tolist()) - {int(kind) for kind in Semantic}
    if unknown:
        yield f"semantic holds ids that the table lacks: {sorted(unknown)}"


def _sky(record: Mapping[str, Json], pixels: Pixels) -> Iterator[str]:
    del record
    if not np.array_equal(pixels["semantic"] == Semantic.SKY, np.isinf(pixels["range_m"])):
        yield "SKY and infinite range_m differ"


def _classes(record: Mapping[str, Json], pixels: Pixels) -> Iterator[str]:
    semantic, instance = pixels["semantic"], pixels["instance"]
    road_user = np.isin(semantic, [int(kind) for kind in ACTOR_KINDS])
    if not np.array_equal(road_user, instance > 0):
        yield "pixels of road users in semantic and in instance differ"
    for item in record["objects"]:
        classes = np.unique(semantic[instance == item["instance"]]).tolist()
        if classes not in ([], [int(Semantic[item["class"]])]):
            yield f"object {item['track_id']} is {item['class']}, its pixels are {classes}"


def _instances(record: Mapping[str, Json], pixels: Pixels) -> Iterator[str]:
    instance = pixels["instance"]
    objects = {item["instance"]: item for item in record["objects"]}
    if len(objects) < len(record["objects"]):
        yield "two objects share an instance"
    shown = set(np.unique(instance).tolist()) - {0}
    if strangers := shown - set(objects):
        yield f"instance {min(strangers)} is no object of the frame"
    for index in sorted(shown & set(objects)):
        if not objects[index]["rendered"]:
            yield f"object {objects[index]['track_id']} is not rendered but has pixels"


def _gated(record: Mapping[str, Json], gate: LabelGate) -> Iterator[str]:
    for item in filter(is_labelled, record["objects"]):
        shown, share = item["visible_px"], item["visible_fraction"]
        if shown < gate.min_px or share < gate.min_visible:
            name, least = f"object {item['track_id']}", f"{gate.min_px} px and {gate.min_visible:g}"
            yield f"{name} is a label with {shown} px, {share:g} visible, of {least}"


def _boxes(record: Mapping[str, Json], pixels: Pixels) -> Iterator[str]:
    for item in record["objects"]:
        name = f"object {item['track_id']}"
        mask = pixels["instance"] == item["instance"]
        if item["box_2d"] != tight_box_px(mask):
            yield f"{name}: box_2d is not the extent of its mask"
        if item["visible_px"] != (int(mask.sum()) if item["rendered"] else None):
            yield f"{name}: visible_px is not the size of its mask"


def _regions(record: Mapping[str, Json], pixels: Pixels) -> Iterator[str]:
    del pixels
    for item in record["objects"]:
        name = f"object {item['track_id']}"
        if not item["rendered"] and item["ignored"] is None:
            yield f"{name}: is not rendered but not ignored"
        if (item["ignored"] is None) == bool(item["ignore_region"]):
            yield f"{name}: has an ignore region if and only if it is ignored"
        corners = box_corners(np.array(item["size_m"]))
        camera_from_box = np.array(item["camera_from_box"])
        if transform_points(camera_from_box, corners)[:, 2].max() <= 0:
            yield f"{name}: lies behind the camera"


@dataclass(frozen=True, kw_only=True, slots=True)
class Law:
    """What labels of a picture keep."""

    says: str
    """In words."""
    needs: tuple[str, ...]
    """Pixel labels that it is about."""
    broken: Callable[[Mapping[str, Json], Pixels], Iterator[str]]
    """How a picture breaks it."""

    def lacks(self, held: Collection[str]) -> list[str]:
        """Pixel labels that are not there to check it."""
        return [name for name in self.needs if name not in held]


LAWS = (
    Law(says="poses are rigid", needs=(), broken=_poses),
    Law(says="depth along rays and axis agree", needs=("range_m", "z_m"), broken=_depth),
    Law(says="classes are known", needs=("semantic",), broken=_known_classes),
    Law(says="the sky is far", needs=("semantic", "range_m"), broken=_sky),
    Law(says="instances have their classes", needs=("semantic", "instance"), broken=_classes),
    Law(says="instances are objects", needs=("instance",), broken=_instances),
    Law(says="boxes are extents of masks", needs=("instance",), broken=_boxes),
    Law(says="who is ignored has a region, in front", needs=(), broken=_regions),
)


def _unchecked(held: Collection[str]) -> list[tuple[str, list[str]]]:
    """Laws that cannot be checked without more pixel labels, and which these are."""
    return [(law.says, law.lacks(held)) for law in LAWS if law.lacks(held)]
