"""Recorded drives become clips here, one module a format, found by entry point.

An importer is any callable `(root, sequence=None) -> Clip` that some installed package names in
the entry point group "otherlane.importers". One may take more, and is asked only for what its
signature names: `rate` (Hz or None) where its format carries no times, `cameras` (names or None)
where it holds several, `work` (an empty folder) where files must be converted. Importers read no
pixels but to tell a car that reverses from poses the wrong way round, and never import each other.
What they return is checked here, for all of them.
"""

import inspect
import math
from collections.abc import Callable, Mapping
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
    cameras: tuple[str, ...] | None = None,
    work: Path | None = None,
    masks: Mapping[str, Path] = MappingProxyType({}),
) -> Clip:
    """Index a recorded drive, and check that it can be one; decodes a few pictures at most.

    Args:
        fmt: Name of the importer.
        root: Folder of the recording.
        sequence: Which sequence, where the recording holds several.
        rate: Pictures a second, for formats that carry no times [Hz].
        cameras: Which cameras, for formats of several; all of them where None.
        work: Empty folder for importers that convert files; it has to live as long as the clip.
        masks: By camera, a picture that says where the car hides the view (`ImageStream.mask`).

    Raises:
        DriveError: No such importer or folder, a rate that is none, something asked for that the
            format does not take, a mask of no camera or of another size, or a drive that cannot be
            used as it is (`scenes.importers.plausibility`).
    """
    importer = _importer(fmt, root)
    if not root.is_dir():
        raise DriveError(root, "does not exist, or is no folder", "the folder of a recorded drive")
    root = root.resolve()  # whatever the working directory is later
    takes = frozenset(inspect.signature(importer).parameters)
    asked: dict[str, object] = {} if sequence is None else {"sequence": sequence}
    if rate is not None:
        _check_rate(rate, fmt, "rate" in takes)
        asked["rate"] = rate
    if cameras is not None:
        if "cameras" not in takes:
            wrong = f"{fmt} takes no choice of cameras"
            raise DriveError(f"--cameras {' '.join(cameras)}", wrong, "no --cameras")
        asked["cameras"] = cameras
    if "work" in takes:
        if work is None:
            wrong = f"{fmt} converts files, and has no folder for them"
            raise DriveError(root, wrong, "otherlane import, or import_clip(..., work=FOLDER)")
        asked["work"] = work
    clip = check_clip(_masked(importer(root, **asked), masks), root, "rate" in takes)
    return _placed(clip, root, work if "work" in takes else None)


def importer_takes(fmt: str, where: object) -> frozenset[str]:
    """What an importer may be asked, beside the folder: `sequence`, `rate`, `cameras`, `work`.

    Args:
        fmt: Its name.
        where: What an error names.

    Raises:
        DriveError: No such importer.
    """
    return frozenset(inspect.signature(_importer(fmt, where)).parameters)


def _importer(fmt: str, where: object) -> Callable[..., Clip]:
    importers = entry_points(group=GROUP)
    if fmt not in importers.names:
        names = sorted(importers.names)
        near = nearest(fmt, names, alike=0.0)
        fix = f"--fmt {near}; known are {', '.join(names)}" if near else "install otherlane"
        raise DriveError(where, f"no importer is named {fmt!r}", fix)
    return importers[fmt].load()


def _placed(clip: Clip, root: Path, work: Path | None) -> Clip:
    """The clip, which knows where its drive lies, and what the importer made of it."""
    if clip.drive is None:
        clip = replace(clip, drive=root)
    if work is None or not any(path.is_relative_to(work) for path in clip.drive_files()):
        return clip
    return replace(clip, imported=work)


def _masked(clip: Clip, masks: Mapping[str, Path]) -> Clip:
    """The clip with masks of some of its cameras; every mask it has is looked at."""
    names = [stream.name for stream in clip.cameras]
    for name in masks:
        if name not in names:
            near = nearest(name, names)
            fix = f"--mask {near}=FILE" if near else f"one of {', '.join(names)}"
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
