"""Recorded drives become clips here, one module a format, found by entry point.

An importer is any callable `(root, sequence=None) -> Clip` that some installed package names in
the entry point group "otherlane.importers". Importers read no pixels and never import each other.
"""

from dataclasses import replace
from difflib import get_close_matches
from importlib.metadata import entry_points
from pathlib import Path

from scenes.clip import Clip
from scenes.errors import DriveError

GROUP = "otherlane.importers"


def import_clip(fmt: str, root: Path, sequence: str | None = None) -> Clip:
    """Index a recorded drive; reads no pixels.

    Args:
        fmt: Name of the importer.
        root: Folder of the recording.
        sequence: Which sequence, where the recording holds several.

    Raises:
        DriveError: No such importer or folder, or a drive that cannot be used as it is.
    """
    importers = entry_points(group=GROUP)
    if fmt not in importers.names:
        names = sorted(importers.names)
        near = get_close_matches(fmt, names, n=1, cutoff=0.0)
        fix = f"--fmt {near[0]}; known are {', '.join(names)}" if near else "install otherlane"
        raise DriveError(root, f"no importer is named {fmt!r}", fix)
    if not root.is_dir():
        raise DriveError(root, "does not exist, or is no folder", "the folder of a recorded drive")
    importer = importers[fmt].load()
    root = root.resolve()  # whatever the working directory is later
    clip = importer(root) if sequence is None else importer(root, sequence)
    return clip if clip.drive is not None else replace(clip, drive=root)
