"""The table of labels: every label has one entry, and everything is computed from one march.

A later label is one more entry: pictures, files, checks and the documentation page follow the
table. Entries of pixels may use the pixel entries above them.
"""

from pathlib import Path

import numpy as np

from render.labels import object_labels
from render.labels.entry import FrameLabel, Json, ObjectLabel, PixelLabel, Sighting
from render.labels.moment import Moment
from render.labels.pixel_labels import PIXEL_LABELS
from render.labels.safety import SAFETY_LABELS, TAGS_LABEL

OBJECT_LABELS: tuple[ObjectLabel, ...] = (*object_labels.OBJECT_LABELS, *SAFETY_LABELS)
FRAME_LABELS: tuple[FrameLabel, ...] = (*object_labels.FRAME_LABELS, TAGS_LABEL)
LABELS: tuple[PixelLabel | ObjectLabel | FrameLabel, ...] = (
    *PIXEL_LABELS,
    *OBJECT_LABELS,
    *FRAME_LABELS,
)
PAGE = Path("docs/labels.md")
"""Where the repository keeps `page()`."""


def pixel_values(moment: Moment) -> dict[str, np.ndarray]:
    """Every pixel label, in the type in which the table keeps it."""
    done = {}
    for label in PIXEL_LABELS:
        # Each entry sees the others as they will be stored, so that files agree with each other.
        done[label.name] = label.compute(moment, done).to(label.torch_dtype)
    return {label.name: done[label.name].numpy().astype(label.dtype) for label in PIXEL_LABELS}


def object_values(moment: Moment, pixels: dict[str, np.ndarray]) -> list[dict[str, Json]]:
    """Every object label of every road user in view, in the order of the clip."""
    seen = [
        Sighting(moment=moment, pixels=pixels, box=box, mask=pixels["instance"] == box.index)
        for box in moment.boxes
    ]
    return [{label.name: label.compute(one) for label in OBJECT_LABELS} for one in seen]


def frame_values(moment: Moment) -> dict[str, Json]:
    """Every label of the whole picture."""
    return {label.name: label.compute(moment) for label in FRAME_LABELS}


def page() -> str:
    """The documentation page of the table (Markdown)."""
    parts = [
        "# Labels",
        "",
        "Generated from `render/labels/table.py` by `python -m render.labels.table`; do not edit.",
        "",
        "Colour and labels of a picture come from the same march through the scene. Conventions:",
        "world z up, metres; camera x right, y down, z forward; pixel centres at +0.5, so an image",
        "spans 0..width and 0..height; times in whole microseconds. What is not rendered is not",
        "labelled, and what the drive does not say is left unknown.",
        "",
    ]
    sections = (
        ("Of every pixel", PIXEL_LABELS),
        ("Of every road user in view", OBJECT_LABELS),
        ("Of every picture", FRAME_LABELS),
    )
    for title, labels in sections:
        parts += [f"## {title}", "", "| label | definition | unit | type | shape | file |"]
        parts += ["|---|---|---|---|---|---|"]
        parts += [
            f"| `{x.name}` | {x.definition} | {x.unit} | {x.dtype} | {x.shape} | {x.file} |"
            for x in labels
        ]
        parts.append("")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
