"""KITTI tracking's label files: 3D boxes with track ids, frame by frame.

A line is: frame, track id, class, truncated, occluded, alpha, 2D box (4), height, width, length,
bottom centre x y z, rotation_y [, score]. Boxes are in the rectified frame of camera 0 (x right,
y down, z forward); rotation_y turns about y, and at 0 the box looks along x.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64

from scenes.actor import Actor
from scenes.errors import DriveError
from scenes.importers.formats.kitti_angles import Heading, check_headings, turned_back
from scenes.importers.formats.text_tables import (
    Limit,
    Line,
    each_line,
    finite_number,
    finite_numbers,
    whole_number,
)
from scenes.motion.geometry import rigid
from scenes.motion.trajectory import Trajectory
from scenes.semantics import Semantic
from scenes.sensors.camera import Camera
from scenes.sensors.unlabelled import Unlabelled

KINDS: Mapping[str, Semantic] = {
    "Car": Semantic.CAR,
    "Van": Semantic.VAN,
    "Truck": Semantic.TRUCK,
    "Pedestrian": Semantic.PERSON,
    "Person": Semantic.PERSON,
    "Person_sitting": Semantic.SITTING_PERSON,
    "Cyclist": Semantic.CYCLIST,
    "Tram": Semantic.TRAM,
    "Misc": Semantic.OTHER_ACTOR,
}
"""KITTI's classes, and what they are here."""
IGNORED = "DontCare"
"""KITTI's mark for 2D regions that were not labelled; hardly any has a 3D box."""

MAX_BOXES = 500
"""Lines a picture may have, on average; crowded ones have a hundred."""
MAX_TRACKS = 1_000_000
"""Track ids are below this; they become values of instance masks."""
MAX_SIZE_M = 60.0
"""No box is longer; KITTI's longest tram has 36 m."""
MAX_RANGE_M = 500.0
"""No box is further away; placeholders stand at 1000 m."""
MAX_BEHIND_M = 10.0
"""Boxes come from what the camera sees, so none lies further behind it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """One line of a label file."""

    line: Line
    """Where it stands."""
    frame: int
    """Number of the picture."""
    track: int
    """Which road user; -1 for none."""
    name: str
    """KITTI's class."""
    size_m: tuple[float, float, float]
    """Length, width, height [m]."""
    bottom_m: tuple[float, float, float]
    """Bottom centre, in the rectified frame of camera 0 [m]."""
    rotation_y: float
    """About the camera's y axis, in (-pi, pi] once the file is read [rad]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ignored:
    """One region that was not labelled."""

    frame: int
    """Number of the picture."""
    rectangle_px: tuple[float, float, float, float]
    """Left, top, right, bottom; KITTI's pixels, whose centres lie on whole numbers."""
    box: Box | None
    """What is there, where the line says more than KITTI's placeholders."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Boxes:
    """A label file."""

    boxes: tuple[Box, ...]
    """In the order of the file, without the ignored ones."""
    ignored: tuple[Ignored, ...]
    """Lines that were `IGNORED`."""
    turned_back: int
    """How many of the boxes' rotation_y were beyond half a turn."""


def read_boxes(path: Path, frames: range) -> Boxes:
    """Every box of a label file; an empty file holds none.

    Args:
        path: The file.
        frames: Numbers of the pictures.

    Raises:
        DriveError: Missing, malformed, or with a box that cannot be; file and line are named.
    """
    fix = "KITTI tracking's label file; an empty one where nothing is labelled"
    limit = Limit.of(
        len(frames), "pictures", lines=MAX_BOXES, size=200 * MAX_BOXES, most_lines=500_000
    )
    found = [_box(line, frames) for line in each_line(path, fix, limit)]
    boxes = tuple(box for box in found if isinstance(box, Box))
    seen: dict[tuple[int, int], Box] = {}
    kinds: dict[int, Box] = {}
    for box in boxes:
        if other := seen.get((box.frame, box.track)):
            wrong = f"track {box.track} is in frame {box.frame} twice (line {other.line.number})"
            raise DriveError(box.line.place, wrong, "one box a track and frame")
        first = kinds.setdefault(box.track, box)
        if first.name != box.name:
            wrong = f"track {box.track} is a {box.name} here, a {first.name} before"
            raise DriveError(box.line.place, wrong, "one class a track")
        seen[box.frame, box.track] = box
    # Files may be long, and headings that ran on are rare.
    within = all(-np.pi < box.rotation_y <= np.pi for box in boxes)
    return Boxes(
        boxes=boxes if within else tuple(_turned_back(box) for box in boxes),
        ignored=tuple(x for x in found if isinstance(x, Ignored)),
        turned_back=0 if within else check_headings([_heading(box) for box in boxes]),
    )


def _heading(box: Box) -> Heading:
    return Heading(line=box.line, track=box.track, frame=box.frame, rad=box.rotation_y)


def _turned_back(box: Box) -> Box:
    return replace(box, rotation_y=turned_back(box.rotation_y))


def _box(line: Line, frames: range) -> Box | Ignored:
    words = line.words
    if len(words) not in (17, 18):
        wrong = f"takes 17 words (18 with a score), here are {len(words)}"
        raise DriveError(line.place, wrong, "KITTI tracking's labels, not KITTI object's (15)")
    frame = whole_number(line, "frame", words[0])
    if frame not in frames:
        wrong = f"labels frame {frame}, but the pictures are {frames[0]} to {frames[-1]}"
        raise DriveError(line.place, wrong, "labels of these pictures only")
    if words[2] == IGNORED:
        return _ignored(line, frame)
    if words[2] not in KINDS:
        fix = f"one of {', '.join(KINDS)}, {IGNORED}"
        raise DriveError(line.place, f"unknown class {words[2][:40]!r}", fix)
    box = _box_3d(line, frame, whole_number(line, "track id", words[1]))
    _check_possible(box)
    return box


def _box_3d(line: Line, frame: int, track: int) -> Box:
    words = line.words
    height, width, length = finite_numbers(line, "dimensions", words[10:13], 3)
    x, y, z = finite_numbers(line, "location", words[13:16], 3)
    return Box(
        line=line.bare,
        frame=frame,
        track=track,
        name=words[2],
        size_m=(length, width, height),
        bottom_m=(x, y, z),
        rotation_y=finite_number(line, "rotation_y", words[16]),
    )


def _ignored(line: Line, frame: int) -> Ignored:
    left, top, right, bottom = finite_numbers(line, "2D box", line.words[6:10], 4)
    if left > right or top > bottom:
        wrong = f"2D box {left:g} {top:g} {right:g} {bottom:g} is inside out"
        raise DriveError(line.place, wrong, "left, top, right, bottom [px]")
    # KITTI's placeholders are -1000 (sizes) and what no box can be
    known = _box_3d(line, frame, 0)
    if min(known.size_m) > 0.0:
        _check_possible(known)
    box = known if min(known.size_m) > 0.0 else None
    return Ignored(frame=frame, rectangle_px=(left, top, right, bottom), box=box)


def _check_possible(box: Box) -> None:
    length, width, height = box.size_m
    distance_m = float(np.linalg.norm(box.bottom_m))
    wrong, fix = "", "the box's true place, in metres"
    if not 0 <= box.track < MAX_TRACKS:
        wrong = f"track id {box.track} of a {box.name}"
        fix = f"a track id of 0 or more, under {MAX_TRACKS}"
    elif min(box.size_m) <= 0:
        wrong = f"impossible dimensions: height {height:g} width {width:g} length {length:g} m"
        fix = "positive dimensions"
    elif max(box.size_m) > MAX_SIZE_M:
        wrong, fix = f"dimensions of {max(box.size_m):g} m are too large", "dimensions in metres"
    elif box.bottom_m[2] < -MAX_BEHIND_M:
        wrong = f"location z {box.bottom_m[2]:g} m is behind the camera"
    elif distance_m > MAX_RANGE_M:
        wrong = f"location is {distance_m:g} m away"
    if wrong:
        raise DriveError(box.line.place, wrong, fix)


def actors_of(
    boxes: Boxes,
    frames: range,
    time_us: Int64[np.ndarray, "n"],
    world_from_rectified: Float64[np.ndarray, "n 4 4"],
) -> tuple[Actor, ...]:
    """The road users of a label file, by increasing id.

    A track with gaps is one actor whose boxes are interpolated in between; the jitter of the
    labels stays. Its size is the median over the track.

    Args:
        boxes: The labels.
        frames: Numbers of the pictures.
        time_us: Time of each picture [µs].
        world_from_rectified: Pose of the rectified frame of camera 0 at each picture [m].
    """
    tracks: dict[int, list[Box]] = {}
    for box in sorted(boxes.boxes, key=lambda box: (box.track, box.frame)):
        tracks.setdefault(box.track, []).append(box)
    actors = []
    for track, found in tracks.items():
        index = np.array([frames.index(box.frame) for box in found])
        rectified_from_box = np.stack([rectified_pose(box) for box in found])
        actors.append(
            Actor(
                id=track,
                kind=KINDS[found[0].name],
                size_m=np.median([box.size_m for box in found], axis=0),
                trajectory=Trajectory(
                    time_us=time_us[index],
                    world_from_body=world_from_rectified[index] @ rectified_from_box,
                ),
            )
        )
    return tuple(actors)


def unlabelled_of(
    boxes: Boxes,
    frames: range,
    camera: Camera,
    world_from_rectified: Float64[np.ndarray, "n 4 4"],
) -> Unlabelled:
    """The ignored regions of a label file, in our pixels, as far as they lie in their pictures.

    Args:
        boxes: The labels.
        frames: Numbers of the pictures.
        camera: Of the pictures.
        world_from_rectified: Pose of the rectified frame of camera 0 at each picture [m].
    """
    index = np.array([frames.index(region.frame) for region in boxes.ignored], dtype=np.int32)
    # KITTI puts pixel centres on whole numbers
    rectangle = np.array([region.rectangle_px for region in boxes.ignored]).reshape(-1, 4) + 0.5
    rectangle = np.clip(rectangle, 0.0, [camera.width, camera.height] * 2)
    poses, sizes = np.full((len(index), 4, 4), np.nan), np.full((len(index), 3), np.nan)
    for place, region in enumerate(boxes.ignored):
        if region.box is not None:
            poses[place] = world_from_rectified[index[place]] @ rectified_pose(region.box)
            sizes[place] = region.box.size_m
    left, top, right, bottom = rectangle.T
    keep = (left < right) & (top < bottom)
    return Unlabelled(
        frame_index=index[keep],
        rectangle_px=rectangle[keep],
        world_from_box=poses[keep],
        size_m=sizes[keep],
    )


def tracks_with_gaps(boxes: Boxes) -> list[int]:
    """Ids of the tracks that are missing in some frame between their first and last."""
    frames: dict[int, list[int]] = {}
    for box in boxes.boxes:
        frames.setdefault(box.track, []).append(box.frame)
    return sorted(track for track, seen in frames.items() if max(seen) - min(seen) >= len(seen))


def rectified_pose(box: Box) -> Float64[np.ndarray, "4 4"]:
    """From the box's frame (centre, x along it, y left, z up) to the rectified camera's [m]."""
    sine, cosine = np.sin(box.rotation_y), np.cos(box.rotation_y)
    rotation = np.array([[cosine, sine, 0.0], [0.0, 0.0, -1.0], [-sine, cosine, 0.0]])
    centre = np.array(box.bottom_m) - [0.0, 0.5 * box.size_m[2], 0.0]
    return rigid(rotation, centre)
