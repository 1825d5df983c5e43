"""KITTI raw's `tracklet_labels.xml`: boxes of road users, one tracklet each, frame by frame.

The file is what Boost's serialization writes: `tracklets/item` holds objectType, h, w, l,
first_frame, and `poses/item` with tx ty tz (centre of the bottom, in the Velodyne's frame) and rz
(about z; at 0 the box looks along x), one for each frame from the first on without a gap.

XML can expand a kilobyte to gigabytes by entities, and read other files: the one declaration that
Boost writes (`<!DOCTYPE boost_serialization>`, which declares nothing) passes, all others are
refused, as are entities. No text is expanded.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

import numpy as np
from jaxtyping import Float64, Int64

from scenes.actor import Actor
from scenes.errors import DriveError
from scenes.importers.formats.kitti_boxes import KINDS, MAX_RANGE_M, MAX_SIZE_M
from scenes.importers.formats.text_tables import Line, finite_number, whole_number
from scenes.motion.geometry import rigid, yaw_rotation
from scenes.motion.trajectory import Trajectory
from scenes.semantics import Semantic
from scenes.storage.contents import check_file

FIX = "KITTI raw's tracklet_labels.xml, or no such file where nothing is labelled"
DOCTYPE = "boost_serialization"
MAX_BYTES = 256 * 2**20
"""KITTI's largest has 4 MB."""
MAX_TRACKLETS = 100_000
"""Their numbers become values of instance masks."""
MAX_DEPTH = 16
"""How deep elements may lie in each other; Boost's lie 5 deep."""
MAX_TEXT = 1000
"""Characters of one element."""
TRACKLET, POSE = ("tracklets", "item"), ("tracklets", "item", "poses", "item")
"""Where the two kinds of items lie, below the root."""
NAMES: Mapping[str, Semantic] = {**KINDS, "Person (sitting)": Semantic.SITTING_PERSON}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Tracklet:
    """One road user, in the Velodyne's frame."""

    name: str
    """KITTI's class."""
    size_m: tuple[float, float, float]
    """Length, width, height [m]."""
    first_frame: int
    """Number of the frame of the first pose; the others follow without a gap."""
    velo_from_box: Float64[np.ndarray, "n 4 4"]
    """From the box's frame (centre, x along it, y left, z up) at each frame [m]."""


def read_tracklets(path: Path) -> tuple[Tracklet, ...]:
    """The tracklets of a file, in its order.

    Raises:
        DriveError: It is no such file, too large, declares entities, or has a box that cannot be;
            file and line are named.
    """
    check_file(path)
    reader = _Reader(path=path)
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            wrong = f"holds {size:,} bytes, more than {MAX_BYTES:,}"
            raise DriveError(path, wrong, FIX)
        with path.open("rb") as file:
            reader.parser.ParseFile(file)
    except OSError as error:
        raise DriveError(path, f"cannot be read ({error.strerror})", FIX) from error
    except expat.ExpatError as error:
        said = expat.errors.messages[error.code]
        raise DriveError(f"{path}:{error.lineno}", f"is damaged XML ({said})", FIX) from error
    except (ValueError, LookupError) as error:  # an encoding that expat does not know
        raise DriveError(path, f"is damaged XML ({error})", FIX) from error
    return tuple(reader.found)


@dataclass(kw_only=True, slots=True, eq=False)
class _Reader:
    """What is open while a file is parsed; nothing is kept but numbers."""

    path: Path
    found: list[Tracklet] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)
    """Of the open tracklet ..."""
    place: dict[str, str] = field(default_factory=dict)
    """... and of its open pose."""
    poses: list[tuple[float, float, float, float]] = field(default_factory=list)
    """x, y, z of the bottom's centre [m], rz [rad]."""
    parser: expat.XMLParserType = field(init=False)

    def __post_init__(self) -> None:
        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = self._doctype
        parser.EntityDeclHandler = self._entity
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data
        self.parser = parser

    def _refuse(self, wrong: str, fix: str = FIX) -> NoReturn:
        raise DriveError(f"{self.path}:{self.parser.CurrentLineNumber}", wrong, fix)

    def _doctype(self, name: str, system: str | None, public: str | None, inside: int) -> None:
        if name != DOCTYPE or system or public or inside:
            self._refuse("declares a document type, which could hold entities")

    def _entity(self, *_: object) -> None:
        self._refuse("declares an entity")

    def _start(self, tag: str, _: object) -> None:
        self.tags.append(tag)
        self.text.clear()
        if len(self.tags) > MAX_DEPTH:
            self._refuse(f"has elements more than {MAX_DEPTH} deep")
        if tuple(self.tags[1:]) == TRACKLET:
            self.fields, self.poses = {}, []
        if tuple(self.tags[1:]) == POSE:
            self.place = {}

    def _data(self, text: str) -> None:
        self.text.append(text)
        if sum(map(len, self.text)) > MAX_TEXT:
            self._refuse(f"has text longer than {MAX_TEXT} characters")

    def _end(self, tag: str) -> None:
        inside, text = tuple(self.tags[1:]), "".join(self.text).strip()
        self.tags.pop()
        self.text.clear()
        if inside[:-1] == POSE:
            self.place[tag] = text
        elif inside == POSE:
            self.poses.append(self._pose())
        elif inside[:-1] == TRACKLET:
            self.fields[tag] = text
        elif inside == TRACKLET:
            self.found.append(self._tracklet())
            if len(self.found) > MAX_TRACKLETS:
                self._refuse(f"holds more than {MAX_TRACKLETS:,} tracklets")

    def _word(self, held: dict[str, str], name: str) -> tuple[Line, str]:
        if name not in held:
            self._refuse(f"a tracklet or pose ends here that has no {name}")
        number = self.parser.CurrentLineNumber
        return Line(path=self.path, number=number, words=()), held[name]

    def _number(self, held: dict[str, str], name: str) -> float:
        line, word = self._word(held, name)
        return finite_number(line, name, word)

    def _pose(self) -> tuple[float, float, float, float]:
        x, y, z, yaw = (self._number(self.place, name) for name in ("tx", "ty", "tz", "rz"))
        if float(np.linalg.norm([x, y, z])) > MAX_RANGE_M:
            self._refuse(f"a box is at {x:g} {y:g} {z:g}, over {MAX_RANGE_M:g} m away", "metres")
        if abs(yaw) > 4.0 * np.pi:
            self._refuse(f"rz of {yaw:g} is over two turns: degrees?", "radians")
        return x, y, z, yaw

    def _tracklet(self) -> Tracklet:
        name = self._word(self.fields, "objectType")[1]
        if name not in NAMES:
            self._refuse(f"unknown class {name[:40]!r}", f"one of {', '.join(NAMES)}")
        length, width, height = (self._number(self.fields, key) for key in ("l", "w", "h"))
        if min(length, width, height) <= 0.0 or max(length, width, height) > MAX_SIZE_M:
            wrong = f"impossible dimensions: length {length:g} width {width:g} height {height:g} m"
            self._refuse(wrong, "positive dimensions in metres")
        line, word = self._word(self.fields, "first_frame")
        first = whole_number(line, "first_frame", word)
        if first < 0 or not self.poses:
            self._refuse(f"a {name} from frame {first} on has {len(self.poses)} poses")
        place = np.array(self.poses)
        centre_m = place[:, :3] + [0.0, 0.0, 0.5 * height]
        return Tracklet(
            name=name,
            size_m=(length, width, height),
            first_frame=first,
            velo_from_box=rigid(yaw_rotation(place[:, 3]), centre_m),
        )


def actors_of(
    tracklets: tuple[Tracklet, ...],
    number: Int64[np.ndarray, "n"],
    time_us: Int64[np.ndarray, "n"],
    world_from_velo: Float64[np.ndarray, "n 4 4"],
    path: Path,
) -> tuple[tuple[Actor, ...], int]:
    """The road users, and how many boxes lie in frames that are not there.

    Args:
        tracklets: Their ids are their places here.
        number: Numbers of the frames that are known, increasing.
        time_us: When each of them was taken [µs].
        world_from_velo: Pose of the Velodyne then [m].
        path: The file, which an error names.

    Raises:
        DriveError: A tracklet has no box in any frame.
    """
    actors, lost = [], 0
    for index, tracklet in enumerate(tracklets):
        frames = tracklet.first_frame + np.arange(len(tracklet.velo_from_box))
        there = np.isin(frames, number)
        at = np.searchsorted(number, frames[there])
        lost += int((~there).sum())
        if not there.any():
            wrong = f"tracklet {index} is in frames {frames[0]} to {frames[-1]}, the drive in "
            raise DriveError(path, f"{wrong}{number[0]} to {number[-1]}", "the drive's own labels")
        actors.append(
            Actor(
                id=index,
                kind=NAMES[tracklet.name],
                size_m=np.array(tracklet.size_m),
                trajectory=Trajectory(
                    time_us=time_us[at],
                    world_from_body=world_from_velo[at] @ tracklet.velo_from_box[there],
                ),
            )
        )
    return tuple(actors), lost
