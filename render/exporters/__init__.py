"""Label formats of others, one module each, found by entry point.

An exporter is an `Exporter` (`render.exporters.exporter`) that some installed package names in the
entry-point group `otherlane.exporters`. It reads what `render` wrote and fills a new folder.
"""

from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from render.exporters.exporter import Exporter, Laws, Picture, pictures_of
from render.folders.frames import camera_of, lacking, stored_labels
from scenes.errors import OtherlaneError
from scenes.sensors.camera import Camera

GROUP = "otherlane.exporters"


def find_exporter(fmt: str) -> Exporter:
    """The exporter that an installed package offers as `fmt`.

    Raises:
        OtherlaneError: No package offers one of that name, or what it offers is none.
    """
    found: dict[str, EntryPoint] = {entry.name: entry for entry in entry_points(group=GROUP)}
    if fmt not in found:
        known = ", ".join(sorted(found))
        raise OtherlaneError(f"format {fmt}", "no exporter has that name", f"one of {known}")
    exporter = found[fmt].load()
    if not isinstance(exporter, Exporter):
        wrong = f"{found[fmt].value} is no render.exporters.exporter.Exporter"
        raise OtherlaneError(f"format {fmt}", wrong, "another version of the package that has it")
    return exporter


def installed_exporter(fmt: str) -> Exporter | None:
    """As `find_exporter`; None where no package offers it here."""
    try:
        return find_exporter(fmt)
    except OtherlaneError:
        return None


def check_format(fmt: str, camera: Camera, held: Sequence[str], where: object) -> None:
    """Refuse what cannot be exported; cheap, for the door.

    Args:
        fmt: Name of the format.
        camera: Of the pictures.
        held: Names of the pixel labels that are, or will be, stored.
        where: What to name in messages.

    Raises:
        OtherlaneError: No such format, or it cannot hold pictures of this camera, or needs
            pixel labels that are not there.
    """
    exporter = find_exporter(fmt)
    if (problem := exporter.check(camera)) is not None:
        wrong = f"cannot be written as {fmt}: {problem}"
        raise OtherlaneError(where, wrong, f"formats without {fmt}")
    if lacks := [name for name in exporter.reads if name not in held]:
        raise lacking(f"{where}: format {fmt}", held, lacks)


def export(fmt: str, pictures: Sequence[Picture], out: Path) -> Path:
    """Write pictures and labels in another format into the folder `out`, new or empty.

    Raises:
        OtherlaneError: They cannot be written in this format, or something is damaged.
    """
    exporter = find_exporter(fmt)
    seen = set[tuple[Path, Camera]]()
    for picture in pictures:
        camera = camera_of(picture.record)
        if (picture.folder, camera) not in seen:
            check_format(fmt, camera, stored_labels(picture.folder), picture.folder)
            seen.add((picture.folder, camera))
    out.mkdir(parents=True, exist_ok=True)
    exporter.write(pictures, out)
    return out


__all__ = [
    "Exporter", "Laws", "Picture", "check_format", "export", "find_exporter",
    "installed_exporter", "pictures_of",
]  # fmt: skip
