"""Label formats of others, one module each, found by entry point.

An exporter is any callable `(frames_folder, out) -> Path` that some installed package names in
the entry-point group `otherlane.exporters`. It reads what `render` wrote, fills the new folder
`out`, and returns it.
"""

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from scenes.errors import OtherlaneError

GROUP = "otherlane.exporters"
Exporter = Callable[[Path, Path], Path]


def find_exporter(fmt: str) -> Exporter:
    """The exporter that an installed package offers as `fmt`.

    Raises:
        OtherlaneError: No package offers one of that name.
    """
    found: dict[str, EntryPoint] = {entry.name: entry for entry in entry_points(group=GROUP)}
    if fmt not in found:
        known = ", ".join(sorted(found))
        raise OtherlaneError(f"format {fmt}", "no exporter has that name", f"one of {known}")
    return found[fmt].load()


def export(fmt: str, frames_folder: Path, out: Path) -> Path:
    """Write the labels of a folder of frames in another format."""
    return find_exporter(fmt)(frames_folder, out)
