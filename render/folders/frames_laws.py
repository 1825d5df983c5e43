"""The laws of a folder of frames as a whole: which records, in which order, with which files.

What the manifest's configuration asked for is there, once, in order; every file belongs to it; and
exports hold the accepted pictures and no others.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec

from render.console.problem import Problem
from render.exporters import installed_exporter, pictures_of
from render.exporters.exporter import Picture
from render.folders.frames import (
    DATASET,
    RECORDS,
    frame_file,
    frame_files,
    read_dataset,
    read_records,
    stored_labels,
)
from render.json_value import Json
from render.labels.gate import LabelGate
from render.labels.table import PIXEL_NAMES
from scenes.errors import OtherlaneError
from scenes.scenario.files import as_tables, load_scenario
from scenes.storage.manifests import MANIFEST, Finished

EXPORTS, PREVIEW, SCENARIO = "exports", "preview.mp4", "scenario.toml"
"""Of a folder of frames (see `render.jobs.render_job`)."""
SHOWN = ("formats", "preview", "keep_rejected")
"""Of the configuration, what says nothing of the pictures themselves."""
NAMED = 3
"""How many keys a message names."""


class Settings(msgspec.Struct):
    """What a folder's configuration says of the folder."""

    frames: list[Annotated[int, msgspec.Meta(ge=0)]]
    formats: list[str] = []
    preview: bool = False
    keep_rejected: bool = False
    pixel_labels: tuple[str, ...] = PIXEL_NAMES
    cameras: dict[str, str] = {}
    """Size of the pictures of each, such as 621x188 [px]."""
    absent: list[str] = []
    """Keys of frames that a camera took no picture of."""
    gate: LabelGate | None = None
    scenario: dict[str, Any] | None = None

    @property
    def keys(self) -> list[str]:
        """Names of the pictures, in order."""
        keys = {f"{number:06d}.{name}" for number in self.frames for name in self.cameras}
        return sorted(keys - {*self.absent})


def settings_of(held: Finished) -> Settings:
    """What the manifest's configuration says.

    Raises:
        OtherlaneError: It says no such thing.
    """
    try:
        # a gate's own check of its numbers speaks in plain ValueErrors
        return msgspec.convert(held.config, Settings)
    except (msgspec.ValidationError, ValueError) as error:
        wrong = f"its config is damaged ({error})"
        raise OtherlaneError(held.folder / MANIFEST, wrong, "render again") from error


def folder_problems(
    held: Finished, records: Sequence[Mapping[str, Json]], settings: Settings
) -> Iterator[Problem]:
    """Laws of the whole folder that are broken."""
    for where, wrong in (
        *_records(records, settings),
        *_files(held, settings),
        *_dataset(held, records, settings),
        *_scenario(held, settings),
    ):
        yield Problem(where=where, wrong=wrong)


def check_frames(held: Finished) -> None:
    """Whether all frames that were asked for are there, for those who read them.

    Raises:
        OtherlaneError: A file is missing or not what was written, or records are not those that
            were asked for.
    """
    held.check()
    records = read_records(held.folder)
    for where, wrong in _records(records, settings_of(held)):
        raise OtherlaneError(held.folder / where, wrong, "render again")
    labels = stored_labels(held.folder)
    for name in (name for record in records for name in frame_files(record["key"], labels)):
        if name not in held.files:
            raise OtherlaneError(held.folder / name, "is missing", "render again")


def _records(
    records: Sequence[Mapping[str, Json]], settings: Settings
) -> Iterator[tuple[str, str]]:
    found, wanted = [record["key"] for record in records], settings.keys
    if settings.frames != sorted(set(settings.frames)):
        yield MANIFEST, "config.frames is not increasing"
    if missing := [key for key in wanted if key not in set(found)]:
        yield RECORDS, f"has no record of {', '.join(missing[:NAMED])} ({len(missing)} missing)"
    if more := [key for key in found if key not in set(wanted)]:
        yield RECORDS, f"has a record of {', '.join(more[:NAMED])}, which was not asked for"
    for name, size in settings.cameras.items():
        mine = [record for record in records if record["key"].partition(".")[2] == name]
        times = [record["time_us"] for record in mine]
        if any(later <= sooner for sooner, later in zip(times, times[1:], strict=False)):
            yield RECORDS, f"its times of camera {name} do not increase"
        for record in mine:
            camera = record["camera"]
            if camera["name"] != name:
                yield record["key"], f"is of camera {camera['name']}"
            if (said := f"{camera['width']}x{camera['height']}") != size:
                yield record["key"], f"is {said}, the folder {size}"


def _files(held: Finished, settings: Settings) -> Iterator[tuple[str, str]]:
    labels = settings.pixel_labels
    if strange := [name for name in labels if name not in PIXEL_NAMES]:
        yield MANIFEST, f"config.pixel_labels names {strange[0]!r}, which is none"
    wanted = {name for key in settings.keys for name in frame_files(key, labels)}
    wanted |= {RECORDS, DATASET, SCENARIO} | ({PREVIEW} if settings.preview else set())
    prefixes = tuple(f"{EXPORTS}/{name}/" for name in settings.formats)
    for name in sorted(wanted - held.files.keys()):
        yield name, "is missing: the folder was made to hold it"
    for name in sorted(held.files.keys() - wanted):
        if not name.startswith(prefixes):
            yield name, "belongs to nothing that the folder was made to hold"


def _dataset(
    held: Finished, records: Sequence[Mapping[str, Json]], settings: Settings
) -> Iterator[tuple[str, str]]:
    said = read_dataset(held.folder)
    config = {name: value for name, value in held.config.items() if name not in SHOWN}
    for name, theirs, ours in (
        ("config", said["config"], config),
        ("inputs", said["inputs"], dict(held.inputs)),
        ("keep_rejected", said.get("keep_rejected", False), settings.keep_rejected),
    ):
        if theirs != ours:
            yield DATASET, f"its {name} is not that of the manifest"
    if sorted(said.get("pixel_labels", PIXEL_NAMES)) != sorted(settings.pixel_labels):
        yield DATASET, "its pixel_labels are not those of the manifest"
    for record in records:
        for name in ("licence", "drive", "inputs"):
            if name in record and record[name] != said[name]:
                yield record["key"], f"its {name} is not that of {DATASET}"


def _scenario(held: Finished, settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.scenario is None:
        return
    scenario = load_scenario(held.folder / SCENARIO)
    if json.loads(json.dumps(as_tables(scenario))) != settings.scenario:
        yield SCENARIO, "is not the scenario that the manifest says was rendered"


def export_problems(held: Finished, settings: Settings) -> Iterator[Problem]:
    """Whether exports hold the accepted pictures, these alone, with their labels."""
    pictures = pictures_of([held.folder])
    for fmt in settings.formats:
        prefix = f"{EXPORTS}/{fmt}/"
        exporter = installed_exporter(fmt)
        if exporter is None or exporter.laws is None:
            continue
        files = {x.removeprefix(prefix): y for x, y in held.files.items() if x.startswith(prefix)}
        for name, wrong in exporter.laws(held.folder / EXPORTS / fmt, files, pictures):
            yield Problem(where=prefix + name, wrong=wrong)
        if exporter.copies:
            yield from _copies(held, prefix, files, pictures)


def _copies(
    held: Finished, prefix: str, files: Mapping[str, str], pictures: Sequence[Picture]
) -> Iterator[Problem]:
    """Pictures are copied byte for byte."""
    ours = sorted(held.files.get(frame_file(x.record["key"], "rgb.png"), "") for x in pictures)
    theirs = sorted(y for x, y in files.items() if Path(x).suffix == ".png")
    if ours != theirs:
        yield Problem(where=prefix, wrong="its pictures are not those that were accepted")


def unchecked_exports(settings: Settings) -> list[str]:
    """Formats whose exporters say no laws, or are not installed here."""
    found = {fmt: installed_exporter(fmt) for fmt in settings.formats}
    return [f"what {EXPORTS}/{fmt} holds" for fmt, x in found.items() if not (x and x.laws)]
