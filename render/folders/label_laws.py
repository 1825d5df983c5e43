"""The laws that labels of a picture keep, as `verify` checks them on files."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from render.folders.frames import camera_of
from render.json_value import Json
from render.labels.gate import LabelGate
from render.labels.gating import is_labelled
from render.labels.object_labels import REJECT
from render.labels.objects import tight_box_px
from render.labels.pixel_labels import PIXEL_LABELS
from scenes.motion.geometry import box_corners, rigid_problem, transform_points
from scenes.semantics import ACTOR_KINDS, Semantic
from scenes.sensors.camera import Camera

SHARE_TOLERANCE = 1e-6
"""Of shares of pixels, which are written in full."""
DEPTH_TOLERANCE = 1e-5
"""Relative: z_m and range_m are float32, each rounded once."""
BACK_PX = 1e-3
"""How far from its pixel's centre a surface may project."""
Pixels = Mapping[str, np.ndarray]


def shapes(record: Mapping[str, Json], pixels: Pixels) -> Iterator[str]:
    """What pixel labels are not of the type and size that the table says."""
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


def _known_classes(record: Mapping[str, Json], pixels: Pixels) -> Iterator[str]:
    semantic = pixels["semantic"]
    unknown = set(np.unique(semantic).tolist()) - {int(kind) for kind in Semantic}
    if unknown:
        yield f"semantic holds ids that the table lacks: {sorted(unknown)}"
    if np.any(semantic[~_sighted(record)] != Semantic.UNKNOWN):
        yield "semantic says what the lens does not see"


def _sky(record: Mapping[str, Json], pixels: Pixels) -> Iterator[str]:
    far = np.isinf(pixels["range_m"]) & _sighted(record)
    if not np.array_equal(pixels["semantic"] == Semantic.SKY, far):
        yield "SKY and infinite range_m differ"


def _sighted(record: Mapping[str, Json]) -> Bool[np.ndarray, "h w"]:
    """Pixels that the lens shows anything in."""
    camera = camera_of(record)
    return np.isfinite(camera.directions(camera.pixel_centres())[..., 2])


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
    if extra := shown - set(objects):
        yield f"instance {min(extra)} is no object of the frame"
    for index in sorted(shown & set(objects)):
        if not objects[index]["rendered"]:
            yield f"object {objects[index]['track_id']} is not rendered but has pixels"


def gated(record: Mapping[str, Json], gate: LabelGate) -> Iterator[str]:
    """What was labelled, or accepted, that shows less than the gate asked for."""
    if (record["gate"] == REJECT) != (record["observed_share"] < gate.min_observed):
        share = record["observed_share"]
        yield f"gate says {record['gate']} of {share:g} observed, of {gate.min_observed:g}"
    for item in filter(is_labelled, record["objects"]):
        found = item["visible_px"], item["visible_fraction"], item["observed_share"]
        if any(f < least for f, least in zip(found, gate.config().values(), strict=True)):
            name, least = f"object {item['track_id']}", tuple(gate.config().values())
            yield f"{name} is a label with {found} (px, visible, observed), of {least}"


def _observed(record: Mapping[str, Json], pixels: Pixels) -> Iterator[str]:
    observed = pixels["observed"] > 0
    if observed.mean() > record["observed_share"] + SHARE_TOLERANCE:
        yield "observed_share of the frame is less than the share of observed pixels"
    for item in record["objects"]:
        mask = pixels["instance"] == item["instance"]
        share, said = float(observed[mask].mean()) if mask.any() else None, item["observed_share"]
        if (share is None) != (said is None) or abs((share or 0) - (said or 0)) > SHARE_TOLERANCE:
            yield f"object {item['track_id']}: observed_share is not that of its mask"


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
    camera = camera_of(record)
    for item in record["objects"]:
        name = f"object {item['track_id']}"
        if not item["rendered"] and item["ignored"] is None:
            yield f"{name}: is not rendered but not ignored"
        if (item["ignored"] is None) == bool(item["ignore_region"]):
            yield f"{name}: has an ignore region if and only if it is ignored"
        if _unseen(camera, np.array(item["camera_from_box"]), np.array(item["size_m"])):
            yield f"{name}: lies behind the camera"


def _unseen(
    camera: Camera, camera_from_box: Float64[np.ndarray, "4 4"], size_m: Float64[np.ndarray, "3"]
) -> bool:
    """Whether a box lies wholly where no picture of the camera could show it."""
    corners = transform_points(camera_from_box, box_corners(size_m))
    if camera.is_perspective and not camera.distortion:
        return bool(corners[:, 2].max() <= 0)
    # a lens that bends sees up to an angle that a line between corners may lead under
    share = np.linspace(0.0, 1.0, 9)[:, None, None, None]
    between = corners[:, None] * (1.0 - share) + corners[None] * share
    return bool(np.isnan(camera.project(between.reshape(-1, 3))).any(axis=1).all())


def _left_unlabelled(record: Mapping[str, Json], pixels: Pixels) -> Iterator[str]:
    del pixels
    camera = camera_of(record)
    for place, region in enumerate(record.get("ignore_regions", ())):
        corners = np.array(region["polygon"], dtype=np.float64)
        if corners.ndim != 2 or corners.shape[0] < 3 or not region["reason"]:
            yield f"ignore region {place} is no polygon with a reason"
        elif np.any((corners < 0.0) | (corners > [camera.width, camera.height])):
            yield f"ignore region {place} leaves the picture"


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
    Law(
        says="observed shares are those of pixels", needs=("observed", "instance"), broken=_observed
    ),
    Law(says="who is ignored has a region, in front", needs=(), broken=_regions),
    Law(says="what is unlabelled is in the picture", needs=(), broken=_left_unlabelled),
)
