"""What an exporter is, and what it is given: pictures of any number of folders of frames."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from render.folders.frames import camera_of, frame_file, read_dataset, read_pixels, read_records
from render.json_value import Json
from render.labels.cuboids import convex_hull, outline_px
from render.labels.gate import LabelGate
from render.labels.gating import is_labelled, too_few, too_little_observed, too_much_hidden
from render.labels.object_labels import REJECT
from scenes.errors import OtherlaneError
from scenes.sensors.camera import Camera

NUMBER_BITS = 52
"""Of ids: JSON's numbers, which many programs keep as doubles, are exact below 2**53."""
SLUG_CHARACTERS = 60
"""Of a scenario's name in names of pictures."""
NOT_THE_PICTURE = ("frames", "cameras", "absent", "gate", "pixel_labels", "labels")
"""Of what a folder is made from: which of its pictures there are, and what is said of them."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Picture:
    """One rendered picture with its labels."""

    folder: Path
    """The folder of frames."""
    dataset: Mapping[str, Json]
    """What the folder says of itself."""
    record: Mapping[str, Json]
    """The picture's labels."""
    name: str
    """Of its files, without ending: no picture of another scenario has it."""
    number: int
    """Its id, 1 to 2**52 - 1: no picture of another scenario has it."""

    @property
    def rgb(self) -> Path:
        """The picture itself, a PNG."""
        return self.folder / frame_file(self.record["key"], "rgb.png")

    def pixels(self, name: str) -> np.ndarray:
        """One of its pixel labels.

        Raises:
            OtherlaneError: It is not stored, or damaged.
        """
        return read_pixels(self.folder, self.record["key"], [name])[name]


def _fits(camera: Camera) -> str | None:
    del camera
    return None


Laws = Callable[[Path, Mapping[str, str], Sequence[Picture] | None], Iterator[tuple[str, str]]]
"""Given the folder of an export, its files with their hashes, and the pictures that it was made
from where these are known: names of files, and what is wrong with them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Exporter:
    """A format of others; `pyproject.toml` names it as an entry point of `otherlane.exporters`."""

    write: Callable[[Sequence[Picture], Path], None]
    """Fills an empty folder, which is there, with pictures and labels."""
    check: Callable[[Camera], str | None] = _fits
    """Why pictures of a camera cannot be written, in words, or None; asked before rendering."""
    reads: tuple[str, ...] = ("rgb",)
    """Pixel labels that it needs."""
    laws: Laws | None = None
    """What an export keeps, as `otherlane verify` checks it; nothing is checked where None."""
    copies: bool = False
    """Whether its PNGs are the pictures, byte for byte; `verify` then compares them."""


def unique_number(*parts: object) -> int:
    """An id that depends on `parts` alone and that nothing else has, for all that chance allows."""
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).digest()
    return int.from_bytes(digest[:8], "big") % (2**NUMBER_BITS - 1) + 1


def pictures_of(
    folders: Sequence[Path], gate: LabelGate | None = None, *, keep_rejected: bool = False
) -> list[Picture]:
    """All pictures of folders of frames, in order, under names and ids of their own.

    Those that the gate rejects are left out, unless their folder was made to keep them.

    Args:
        folders: What `render` made.
        gate: What labels must show here, beyond what `render` asked for.
        keep_rejected: Take those that are rejected as well.

    Raises:
        OtherlaneError: No such folder, a damaged one, or two that hold the same picture.
    """
    found: dict[str, Picture] = {}
    for folder in folders:
        dataset = read_dataset(folder)
        known = _identity(dataset)
        title = str(dataset["config"].get("scenario", {}).get("name", "frames"))
        slug = re.sub(r"[^A-Za-z0-9.]+", "-", title)[:SLUG_CHARACTERS].strip("-.") or "frames"
        prefix = f"{slug}-{unique_number(known) % 2**32:08x}"
        kept = keep_rejected or bool(dataset.get("keep_rejected", False))
        for record in read_records(folder):
            if record["gate"] == REJECT and not kept:
                continue
            name = f"{prefix}-{record['key']}"
            if name in found:
                other = found[name].folder
                wrong = f"holds picture {record['key']} of the same scenario as {other}"
                raise OtherlaneError(folder, wrong, "each folder once, without frames in common")
            found[name] = Picture(
                folder=folder, dataset=dataset, record=_gated(record, gate), name=name,
                number=unique_number(known, record["key"], _size(record)),
            )  # fmt: skip
    return list(found.values())


def _size(record: Mapping[str, Json]) -> list[int]:
    """Width and height [px]."""
    return [record["camera"]["width"], record["camera"]["height"]]


def _identity(dataset: Mapping[str, Json]) -> Json:
    """What makes the pictures of a folder what they are."""
    inputs = {name: x for name, x in dataset["inputs"].items() if name != "scenario"}
    config = {name: x for name, x in dataset["config"].items() if name not in NOT_THE_PICTURE}
    return [inputs, config]  # the scenario itself is part of the config


def _gated(record: Mapping[str, Json], gate: LabelGate | None) -> Mapping[str, Json]:
    if gate is None:
        return record
    camera = camera_of(record)
    return {**record, "objects": [_judged(item, gate, camera) for item in record["objects"]]}


def _judged(item: Mapping[str, Json], gate: LabelGate, camera: Camera) -> Mapping[str, Json]:
    """The object, ignored where it shows less than the gate asks for."""
    if not is_labelled(item):
        return item
    hidden = too_much_hidden(item["visible_fraction"], gate)
    unseen = too_little_observed(item["observed_share"], gate)
    reason = unseen or too_few(item["visible_px"], gate) or hidden
    if reason is None:
        return item
    left, top, right, bottom = item["box_2d"]
    outline = outline_px(camera, np.array(item["camera_from_box"]), np.array(item["size_m"]))
    box = [[left, top], [right, top], [right, bottom], [left, bottom]]
    region = convex_hull(np.concatenate([outline, np.array(box)]))
    return {**item, "ignored": reason, "ignore_region": region.tolist()}
