"""From a recorded drive to the folder of its clip."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from scenes.clip import Clip
from scenes.importers import import_clip, importer_takes
from scenes.sensors.sun import sun_direction
from scenes.storage.clip_files import save_clip, save_imported
from scenes.storage.folders import check_out
from scenes.work.phases import phase


def import_drive(
    fmt: str,
    drive: Path,
    out: Path,
    *,
    sequence: str | None = None,
    sun: tuple[float, float] | None = None,
    rate: float | None = None,
    cameras: tuple[str, ...] | None = None,
    masks: Mapping[str, Path] = MappingProxyType({}),
) -> Clip:
    """Import a drive and write its clip; files that the importer makes become part of the folder.

    Args:
        fmt: Name of the importer.
        drive: Folder of the recording.
        out: Folder of the clip.
        sequence: Which sequence, where the recording holds several.
        sun: Where the sun stood (`scenes.sensors.sun.sun_direction`) [degrees].
        rate: Pictures a second [Hz].
        cameras: Which cameras; all where None.
        masks: By camera, a picture that says where the car hides the view.

    Raises:
        OtherlaneError: The drive cannot be used, or the folder not be written.
    """

    def make(work: Path | None) -> Clip:
        with phase("reading the recording"):
            clip = import_clip(fmt, drive, sequence, rate, cameras, work, masks)
        return clip if sun is None else replace(clip, to_sun=sun_direction(clip.ego, *sun))

    check_out(out, "clip")
    if "work" in importer_takes(fmt, drive):
        return save_imported(make, out)
    clip = make(None)
    with phase("writing the clip"):
        save_clip(clip, out)
    return clip
