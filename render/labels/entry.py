"""What an entry of the table of labels consists of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from render.json_value import Json
from render.labels.cuboids import ActorBox
from render.labels.moment import Moment

Done = Mapping[str, Tensor]
"""Pixel labels computed so far, by name."""
Pixels = Mapping[str, np.ndarray]
"""All pixel labels of a picture, by name, in the types in which they are kept."""


@dataclass(frozen=True, kw_only=True, eq=False)  # no slots: what it finds is kept
class Sighting:
    """One road user in one picture."""

    moment: Moment
    pixels: Pixels
    box: ActorBox

    @cached_property
    def mask(self) -> Bool[np.ndarray, "h w"]:
        """Pixels that show it."""
        return self.pixels["instance"] == self.box.index


@dataclass(frozen=True, kw_only=True, slots=True)
class PixelLabel:
    """A value for every pixel of a picture."""

    name: str
    definition: str
    unit: str
    dtype: str
    """numpy name of the type in which it is kept and stored."""
    shape: str
    stored: Literal["png", "npz"]
    """As a picture of its own, or as an array of the frame's archive."""
    compute: Callable[[Moment, Done], Tensor]
    channels: tuple[str, ...] = ()
    """Of the renderer, that it is computed from (`recon.rendering.shot.CHANNELS`) ..."""
    needs: tuple[str, ...] = ()
    """... and the pixel labels that it is computed from."""

    @property
    def torch_dtype(self) -> torch.dtype:
        """The type in which entries below see it; torch does little with unsigned integers."""
        wide = {"uint16": torch.int32, "uint8": torch.uint8}
        return wide[self.dtype] if self.dtype in wide else getattr(torch, self.dtype)

    @property
    def file(self) -> str:
        """End of the name of the file that holds it."""
        return f"{self.name}.png" if self.stored == "png" else "npz"


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectLabel:
    """A value for every road user in view; None where it does not apply."""

    name: str
    definition: str
    unit: str
    dtype: str
    shape: str
    compute: Callable[[Sighting], Json]
    channels: tuple[str, ...] = ()
    """Of the renderer, that it is computed from ..."""
    needs: tuple[str, ...] = ()
    """... and the pixel labels."""

    @property
    def file(self) -> str:
        """Name of the file that holds it."""
        return "labels.jsonl"


@dataclass(frozen=True, kw_only=True, slots=True)
class FrameLabel:
    """A value for a whole picture."""

    name: str
    definition: str
    unit: str
    dtype: str
    shape: str
    compute: Callable[[Moment], Json]
    channels: tuple[str, ...] = ()
    """Of the renderer, that it is computed from."""

    @property
    def file(self) -> str:
        """Name of the file that holds it."""
        return "labels.jsonl"
