"""The table of labels: every label has one entry, and everything is computed from one march.

A later label is one more entry: pictures, files, checks and the documentation page follow the
table. Entries of pixels may use the pixel entries above them.
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import numpy as np
from torch import Tensor

from render.json_value import Json
from render.labels import object_labels
from render.labels.entry import FrameLabel, ObjectLabel, PixelLabel, Pixels, Sighting
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
_PIXELS = {label.name: label for label in PIXEL_LABELS}
PIXEL_NAMES = tuple(_PIXELS)
"""Of all pixel labels."""
PAGE = Path("docs/labels.md")
"""Where the repository keeps `page()`."""


class _Done(Mapping[str, Tensor]):
    """Pixel labels of a picture by name, each computed when somebody first wants it.

    Each entry sees the others as they will be stored, so that files agree with each other. It
    iterates over those that are computed so far.
    """

    def __init__(self, moment: Moment) -> None:
        self._moment, self._held = moment, dict[str, Tensor]()

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._held:
            label = _PIXELS[name]
            self._held[name] = label.compute(self._moment, self).to(label.torch_dtype)
        return self._held[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)


class PixelValues(Mapping[str, np.ndarray]):
    """The same, in the type in which the table keeps them; what nobody wants costs nothing."""

    def __init__(self, moment: Moment) -> None:
        self._done, self._held = _Done(moment), dict[str, np.ndarray]()

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._held:
            self._held[name] = self._done[name].numpy().astype(_PIXELS[name].dtype)
        return self._held[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)


def channels_of(labels: Collection[str]) -> tuple[str, ...]:
    """The renderer's channels that frames need: for those pixel labels, and all others.

    Args:
        labels: Names of the pixel labels that are wanted.
    """
    entries: list[PixelLabel | ObjectLabel | FrameLabel] = [*OBJECT_LABELS, *FRAME_LABELS]
    wanted = [*labels, *(name for label in OBJECT_LABELS for name in label.needs)]
    while wanted:
        label = _PIXELS[wanted.pop()]
        entries.append(label)
        wanted += label.needs
    return tuple(dict.fromkeys(name for entry in entries for name in entry.channels))


def object_values(moment: Moment, pixels: Pixels) -> list[dict[str, Json]]:
    """Every object label of every road user in view, in the order of the clip."""
    seen = [Sighting(moment=moment, pixels=pixels, box=box) for box in moment.boxes]
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
        "`render --labels` says which pixel labels are stored: all, unless it names some. Maps of",
        "ids (`instance`, `semantic`) are palette pictures: viewers show colours; Pillow, and",
        "`render.folders.frames.read_pixels`, return ids, but OpenCV and imageio apply the palette",
        "and return colours. A map with an `instance` above 255 is a 16-bit grey picture.",
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
