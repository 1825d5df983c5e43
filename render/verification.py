"""Whether what a verb wrote is whole, unchanged and, for frames, keeps the laws of its labels."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from jaxtyping import Float64

from render.frames import camera_of, read_pixels, read_records
from render.labels.objects import tight_box_px
from render.labels.pixel_labels import PIXEL_LABELS
from scenes.camera import Camera
from scenes.errors import OtherlaneError
from scenes.folders import MANIFEST, damaged_files, read_manifest, stray_files
from scenes.geometry import box_corners, rigid_problem, transform_points
from scenes.semantics import ACTOR_KINDS, Semantic

Json = Any
MAX_NAMED = 20
"""How many problems are named; all are counted."""
DEPTH_TOLERANCE = 1e-5
"""Relative: z_m and range_m are float32, each rounded once."""


BACK_PX = 1e-3
"""How far from its pixel's centre a surface may project."""


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
    frames = None
    if manifest["kind"] == "frames" and not problems:
        records = read_records(folder)
        frames = len(records)
        for record in records:
            problems += frame_problems(folder, record)
    return {
        "ok": not problems,
        "folder": str(folder),
        "kind": manifest["kind"],
        "files": len(files),
        "frames": frames,
        "problems_found": len(problems),
        "problems": problems[:MAX_NAMED],
    }


def _kind(folder: Path) -> str:
    """What a folder's manifest says it holds; `read_manifest` then checks the rest."""
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        if not (folder / MANIFEST).is_file():
            fix = "a folder that import, reconstruct, extract-actor, perturb or render made"
            raise OtherlaneError(folder, f"has no {MANIFEST}", fix) from error
        raise OtherlaneError(folder / MANIFEST, f"is damaged ({error})", "make it again") from error
    kind = manifest.get("kind") if isinstance(manifest, dict) else None
    if not isinstance(kind, str):
        raise OtherlaneError(folder / MANIFEST, "does not say what it holds", "make it again")
    return kind


def frame_problems(folder: Path, record: Mapping[str, Json]) -> list[Problem]:
    """Laws of labels that one picture breaks."""
    try:
        pixels = read_pixels(folder, record["key"])
        laws = (_poses, _depth, _sky_and_classes, _instances, _boxes, _ignored)
        found = list(_shapes(record, pixels))
        found = found or [wrong for law in laws for wrong in law(record, pixels)]
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
    centres = camera.pixel_centres()[solid]
    points = camera.directions(centres) * range_m[solid][:, None]
    # What a pixel shows is where the lens, forwards, puts it there: a wrong ray is found out.
    if (
        np.isnan(points).any()
        or np.abs(camera.project(points) - centres).max(initial=0.0) > BACK_PX
    ):
        yield "surfaces do not project to the pixels that show them"
    length_m = np.sqrt(np.sum(points**2, axis=-1))
    if not np.allclose(length_m, range_m[solid], rtol=DEPTH_TOLERANCE, atol=0.0):
        yield "rays are not of unit length"
    wrong_m = np.abs(z_m[solid] - points[:, 2])
    if np.any(wrong_m > DEPTH_TOLERANCE * range_m[solid]):
        yield "z_m is not range_m times the cosine of ray and axis"


def _sky_and_classes(record: Mapping[str, Json], pixels: Pixels) -> Iterator[str]:
    semantic, instance = pixels["semantic"], pixels["instance"]
    unknown = set(np.unique(semantic).tolist()) - {int(kind) for kind in Semantic}
    if unknown:
        yield f"semantic holds ids that the table lacks: {sorted(unknown)}"
    camera = camera_of(record)
    sighted = np.isfinite(camera.directions(camera.pixel_centres())[..., 2])
    if not np.array_equal(semantic == Semantic.SKY, np.isinf(pixels["range_m"]) & sighted):
        yield "SKY and infinite range_m differ"
    if np.any(semantic[~sighted] != Semantic.UNKNOWN):
        yield "semantic says what the lens does not see"
    road_user = np.isin(semantic, [int(kind) for kind in ACTOR_KINDS])
    if not np.array_equal(road_user, instance > 0):
        yield "pixels of road users in semantic and in instance differ"


def _instances(record: Mapping[str, Json], pixels: Pixels) -> Iterator[str]:
    instance, semantic = pixels["instance"], pixels["semantic"]
    objects = {item["instance"]: item for item in record["objects"]}
    if len(objects) < len(record["objects"]):
        yield "two objects share an instance"
    shown = set(np.unique(instance).tolist()) - {0}
    if strangers := shown - set(objects):
        yield f"instance {min(strangers)} is no object of the frame"
    for index in sorted(shown & set(objects)):
        item = objects[index]
        classes = np.unique(semantic[instance == index])
        if classes.tolist() != [int(Semantic[item["class"]])]:
            yield f"object {item['track_id']} is {item['class']}, its pixels are {classes.tolist()}"
        if not item["rendered"]:
            yield f"object {item['track_id']} is not rendered but has pixels"


def _boxes(record: Mapping[str, Json], pixels: Pixels) -> Iterator[str]:
    camera = camera_of(record)
    for item in record["objects"]:
        name = f"object {item['track_id']}"
        mask = pixels["instance"] == item["instance"]
        if item["box_2d"] != tight_box_px(mask):
            yield f"{name}: box_2d is not the extent of its mask"
        if item["visible_px"] != (int(mask.sum()) if item["rendered"] else None):
            yield f"{name}: visible_px is not the size of its mask"
        if item["rendered"] == bool(item["ignore_region"]):
            yield f"{name}: has an ignore region if and only if it is not rendered"
        if _unseen(camera, np.array(item["camera_from_box"]), np.array(item["size_m"])):
            yield f"{name}: lies behind the camera"


def _ignored(record: Mapping[str, Json], pixels: Pixels) -> Iterator[str]:
    del pixels
    camera = camera_of(record)
    for place, region in enumerate(record.get("ignore_regions", ())):
        corners = np.array(region["polygon"], dtype=np.float64)
        if corners.ndim != 2 or corners.shape[0] < 3 or not region["reason"]:
            yield f"ignore region {place} is no polygon with a reason"
        elif np.any((corners < 0.0) | (corners > [camera.width, camera.height])):
            yield f"ignore region {place} leaves the picture"


def _unseen(
    camera: Camera, camera_from_box: Float64[np.ndarray, "4 4"], size_m: Float64[np.ndarray, "3"]
) -> bool:
    """Whether a box lies wholly where no picture of the camera could show it."""
    corners = transform_points(camera_from_box, box_corners(size_m))
    if not camera.fisheye:
        return bool(corners[:, 2].max() <= 0)
    # a fisheye may see behind itself, up to an angle that a line between corners may lead under
    share = np.linspace(0.0, 1.0, 9)[:, None, None, None]
    between = corners[:, None] * (1.0 - share) + corners[None] * share
    return bool(np.isnan(camera.project(between.reshape(-1, 3))).any(axis=1).all())
