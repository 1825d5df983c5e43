"""What an export in KITTI's layout keeps, as `verify` checks it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from render.exporters.exporter import Picture

FOLDERS = {"image_2": "png", "label_2": "txt", "calib": "txt"}
MAPPING, LICENCE = "mapping.txt", "LICENCE.txt"


Text = Callable[[Mapping[str, Any]], str]
"""What a file says of a record."""


def laws(
    folder: Path,
    files: Mapping[str, str],
    pictures: Sequence[Picture] | None,
    *,
    labels: Text,
    calib: Text,
) -> Iterator[tuple[str, str]]:
    """See `render.exporters.exporter.Laws`; `labels` and `calib` are how the exporter writes."""
    try:
        rows = (folder / MAPPING).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        yield MAPPING, f"cannot be read ({error})"
        return
    keys = [row.split(" ")[0] for row in rows]
    if keys != sorted(set(keys)):
        yield MAPPING, "its numbers do not increase"
    wanted = {f"{name}/{key}.{end}" for name, end in FOLDERS.items() for key in keys}
    for name in sorted((wanted | {MAPPING, LICENCE}) ^ files.keys()):
        yield name, "is missing" if name in wanted else f"is not in {MAPPING}"
    if pictures is not None:
        written = {"label_2": labels, "calib": calib}
        yield from _of_pictures(folder, rows, pictures, written)


def kitti_numbers(pictures: Sequence[Picture]) -> list[str]:
    """Six digits for each picture: its frame, where they are all of one camera and folder."""
    keys = [picture.record["key"] for picture in pictures]
    frames, cameras = [key.split(".")[0] for key in keys], {key.partition(".")[2] for key in keys}
    if len({picture.folder for picture in pictures}) == 1 and len(cameras) == 1:
        return frames
    return [f"{index:06d}" for index in range(len(pictures))]


def _of_pictures(
    folder: Path, rows: Sequence[str], pictures: Sequence[Picture], written: Mapping[str, Text]
) -> Iterator[tuple[str, str]]:
    keys = kitti_numbers(pictures)
    wanted = [f"{key} {x.name} {x.record['key']}" for key, x in zip(keys, pictures, strict=True)]
    if list(rows) != wanted:
        yield MAPPING, "does not name the accepted pictures, in order"
        return
    for key, picture in zip(keys, pictures, strict=True):
        for name, text in written.items():
            path = folder / name / f"{key}.txt"
            if path.is_file() and path.read_bytes() != text(picture.record).encode("ascii"):
                yield f"{name}/{path.name}", "is not what the picture's record says"
