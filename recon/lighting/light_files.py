"""The light of a drive on disk: `light.json`, beside the field of its scene."""

from pathlib import Path

import msgspec
import torch
from jaxtyping import Float
from torch import Tensor

from recon.lighting.daylight import Daylight
from scenes.storage.files import write_json
from scenes.storage.manifests import Finished

LIGHT = "light.json"

Three = tuple[float, float, float]


class _Numbers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A `Daylight`, as JSON has it."""

    sky: Three
    clear: bool
    to_sun: Three | None
    sun: Three
    beam: Three
    glow: float


def write_light(folder: Path, light: Daylight) -> None:
    """Write `light.json` into a folder that is being made."""
    to_sun = None if light.to_sun is None else _three(light.to_sun)
    numbers = _Numbers(
        sky=_three(light.sky), clear=light.clear, to_sun=to_sun, sun=_three(light.sun),
        beam=_three(light.beam), glow=light.glow,
    )  # fmt: skip
    write_json(folder / LIGHT, msgspec.to_builtins(numbers))


def read_light(held: Finished) -> Daylight:
    """The light of a finished scene; the same bits that were written.

    Raises:
        OtherlaneError: The file is damaged.
    """
    numbers = held.parsed(LIGHT, _Numbers)
    return Daylight(
        sky=torch.tensor(numbers.sky), clear=numbers.clear,
        to_sun=None if numbers.to_sun is None else torch.tensor(numbers.to_sun),
        sun=torch.tensor(numbers.sun), beam=torch.tensor(numbers.beam), glow=numbers.glow,
    )  # fmt: skip


def _three(values: Float[Tensor, "3"]) -> Three:
    first, second, third = values.tolist()
    return first, second, third
