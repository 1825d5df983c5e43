"""Recorded drives become clips here, one module a format, found by entry point.

An importer is any callable `(root, sequence=None) -> Clip` that some installed package names in
the entry point group "otherlane.importers"; one whose format carries no times takes `rate` (Hz or
None) too. Importers read no pixels but to tell a car that reverses from poses the wrong way round,
and never import each other. What they return is checked here, for all of them.
"""

import inspect
import math
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType

from scenes.clip import Clip
from scenes.errors import DriveError
from scenes.importers.plausibility import check_clip
from scenes.work.suggestions import nearest

GROUP = "otherlane.importers"


MIN_HZ, MAX_HZ = 1e-3, 1e4
"""Rates of pictures that can be asked for."""


def import_clip(
    fmt: str,
    root: Path,
    sequence: str | None = None,
    rate: float | None = None,
    masks: Mapping[str, Path] = MappingProxyType({}),
) -> Clip:
    """Index a recorded drive, and check that it can be one; decodes a few pictures at most.

    Args:
        fmt: Name of the importer.
        root: Folder of the recording.
        sequence: Which sequence, where the recording holds several.
        rate: Pictures a second, for formats that carry no times [Hz].
        masks: By camera, a picture that says where the car hides the view (`ImageStream.mask`).

    Raises:
        DriveError: No such importer or folder, a rate that is none or that the format does not
            take, a mask of no camera or of another size, or a drive that cannot be used as it is
            (`scenes.importers.plausibility`).
    """
    importers = entry_points(group=GROUP)
    if fmt not in importers.names:
        names = sorted(importers.names)
        near = nearest(fmt, names, alike=0.0)
        fix = f"--fmt {near}; known are {', '.join(names)}" if near else "install otherlane"
        raise DriveError(root, f"no importer is named {fmt!r}", fix)
    if not root.is_dir():
        raise DriveError(root, "does not exist, or is no folder", "the folder of a recorded drive")
    importer = importers[fmt].load()
    root = root.resolve()  # whatever the working directory is later
    takes_rate = "rate" in inspect.signature(importer).parameters
    asked: dict[str, object] = {} if sequence is None else {"sequence": sequence}
    if rate is not None:
        _check_rate(rate, fmt, takes_rate)
        asked["rate"] = rate
    clip = check_clip(_masked(importer(root, **asked), masks), root, takes_rate)
    return clip if clip.drive is not None else replace(clip, drive=root)


def _masked(clip: Clip, masks: Mapping[str, Path]) -> Clip:
    """The clip with masks of some of its cameras; every mask it has is looked at."""
    names = [stream.name for stream in clip.cameras]
    for name in masks:
        if name not in names:
            near = get_close_matches(name, names, n=1)
            fix = f"--mask {near[0]}=FILE" if near else f"one of {', '.join(names)}"
            raise DriveError(f"--mask {name}", f"{clip.name} has no such camera", fix)
    cameras = tuple(
        replace(stream, mask=_in_place(masks[stream.name]), mask_content="")
        if stream.name in masks
        else stream
        for stream in clip.cameras
    )
    for stream in cameras:
        stream.read_mask()
    return replace(clip, cameras=cameras)


def _in_place(file: Path) -> Path:
    """Where a file lies, by a name that the drive's folder, resolved too, can be taken off."""
    return file.parent.resolve() / file.name


def _check_rate(rate: float, fmt: str, takes_rate: bool) -> None:
    if not takes_rate:
        wrong = f"{fmt} takes no rate: its drives say when each picture was taken"
        raise DriveError(f"--rate {rate:g}", wrong, "no --rate, and the right times in the drive")
    if not (math.isfinite(rate) and MIN_HZ <= rate <= MAX_HZ):
        wrong = "is no rate of pictures"
        raise DriveError(f"--rate {rate:g}", wrong, f"a number from {MIN_HZ:g} to {MAX_HZ:g} [Hz]")
