"""Which drive of KITTI raw is meant, and which of its cameras.

Layout: `DATE/calib_*.txt` and `DATE/DATE_drive_NNNN_sync/` with `image_00` to `image_03`,
`velodyne_points`, `oxts` and `tracklet_labels.xml`, each of which may be missing. The folder that
is given may be a drive, its date or the folder above.
"""

from collections.abc import Sequence
from pathlib import Path

from scenes.errors import DriveError
from scenes.importers.formats.kitti_raw_calib import CAMERAS
from scenes.work.suggestions import nearest

LAYOUT = "the folder of a drive (2011_09_26_drive_0001_sync), of its date, or the one above"
PARTS = (*CAMERAS, "oxts", "velodyne_points")
MAX_FOLDERS = 10_000
"""Most folders that are looked into."""
MAX_NAMED = 10


def find_drive(root: Path, wanted: str | None) -> Path:
    """Folder of the one drive that is meant.

    Args:
        root: Folder of the drive, of its date, or the folder above.
        wanted: Name of the drive, or the number in it; None where there is only one.

    Raises:
        DriveError: There is none, several and none is wanted, not that one, or one whose pictures
            are not rectified.
    """
    if _is_drive(root):
        found = [root]
    else:
        above = _folders(root)
        found = [folder for folder in above if _is_drive(folder)]
        found = found or [each for folder in above for each in _folders(folder) if _is_drive(each)]
    if not found:
        raise DriveError(root, f"holds no drive: no folder with any of {', '.join(PARTS)}", LAYOUT)
    names = [folder.name for folder in found]
    if wanted is not None:
        found = [each for each in found if wanted == each.name or f"_drive_{wanted}_" in each.name]
        if not found:
            near = nearest(wanted, names, 0.0) or names[0]
            raise DriveError(root, f"has no drive {wanted!r}", f"--sequence {near}{_others(names)}")
    if len(found) > 1:
        wrong = f"holds {len(found)} drives: {_listed([each.name for each in found])}"
        raise DriveError(root, wrong, f"--sequence {found[0].name}, or another of them")
    (drive,) = found
    if drive.name.endswith("_extract"):
        wrong = "holds pictures as they were taken, neither rectified nor synchronized"
        raise DriveError(drive, wrong, "KITTI raw's drive of the same name that ends in _sync")
    return drive


def choose_cameras(drive: Path, wanted: Sequence[str] | None) -> tuple[str, ...]:
    """Names of the cameras to read, in the drive's order.

    Args:
        drive: Its folder.
        wanted: Which; all that are there where None.

    Raises:
        DriveError: None is there, or one that is wanted is not.
    """
    there = tuple(name for name in CAMERAS if (drive / name).is_dir())
    if not there:
        raise DriveError(drive, "has no pictures", f"one or more of {', '.join(CAMERAS)}")
    for name in wanted or ():
        if name not in there:
            near = nearest(name, there, 0.0) or there[0]
            wrong = f"the drive has no camera {name!r}; it has {', '.join(there)}"
            raise DriveError(drive, wrong, f"--cameras {near}")
    return tuple(name for name in there if wanted is None or name in wanted)


def _is_drive(folder: Path) -> bool:
    return any((folder / part).is_dir() for part in PARTS)


def _folders(root: Path) -> list[Path]:
    try:
        paths = sorted(root.iterdir())
        found = [path for path in paths if not path.name.startswith(".") and path.is_dir()]
    except OSError as error:
        raise DriveError(root, f"cannot be read ({error.strerror})", LAYOUT) from error
    if len(found) > MAX_FOLDERS:
        raise DriveError(root, f"holds more than {MAX_FOLDERS:,} folders", LAYOUT)
    return found


def _others(names: Sequence[str]) -> str:
    return f" (there are {_listed(names)})" if len(names) > 1 else ""


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more
