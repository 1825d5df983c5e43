"""Fields in the file of a model, and what it says of limbs (see `recon.assets.asset_files`)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
import torch
from torch import Tensor

from recon.actors.limbs import Hinge, Limbs
from recon.config import FieldConfig
from recon.field.field import GridField
from recon.kernels.backend import Backend, backend_device

FIELDS = "fields"


def field_tensors(prefix: str, field: GridField) -> dict[str, Tensor]:
    """Parameters of a field in half precision, by names with a prefix."""
    tensors = {f"{prefix}{name}": x.half() for name, x in field.state_dict().items()}
    return {name: x.detach().cpu().contiguous() for name, x in tensors.items()}


def read_field(
    prefix: str, config: FieldConfig, tensors: Mapping[str, Tensor], backend: Backend
) -> GridField:
    """A field whose parameters have names with a prefix, ready for a backend.

    Raises:
        RuntimeError: A parameter is missing, or has another shape.
        ValueError: A number is not finite.
    """
    field = GridField(config, torch.Generator().manual_seed(0), backend)
    own = {name.removeprefix(prefix): x for name, x in tensors.items() if name.startswith(prefix)}
    field.load_state_dict({name: x.float() for name, x in own.items()})
    for tensor in own.values():
        if not bool(torch.isfinite(tensor).all()):
            raise ValueError("a number is not finite")
    field.to(backend_device(backend)).requires_grad_(False)
    return field


def _prefix(part: int) -> str:
    return f"limb.{part}."


def limb_tables(limbs: Limbs, config: FieldConfig) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What the file says of limbs, and their tensors."""
    names = (name for name in Limbs.__dataclass_fields__ if name != FIELDS)
    table: dict[str, Any] = {name: msgspec.to_builtins(getattr(limbs, name)) for name in names}
    configs = [replace(config, grid=field.spec, latents=0) for field in limbs.fields]
    table[FIELDS] = msgspec.to_builtins(configs)
    tensors: dict[str, Tensor] = {}
    for part, field in enumerate(limbs.fields):
        tensors |= field_tensors(_prefix(part), field)
    return table, tensors


def read_limbs(table: Mapping[str, Any], tensors: Mapping[str, Tensor], backend: Backend) -> Limbs:
    """The same again.

    Raises:
        KeyError, RuntimeError, ValueError: Something is missing, or makes no sense.
    """
    configs = msgspec.convert(table[FIELDS], list[FieldConfig])
    fields = [
        read_field(_prefix(part), config, tensors, backend) for part, config in enumerate(configs)
    ]
    place = tuple[float, float, float]
    return Limbs(
        stride_m=msgspec.convert(table["stride_m"], float),
        size_m=msgspec.convert(table["size_m"], place),
        hinges=msgspec.convert(table["hinges"], tuple[Hinge, ...]),
        fields=tuple(fields),
        sizes_m=msgspec.convert(table["sizes_m"], tuple[place, ...]),
        samples=msgspec.convert(table["samples"], int),
    )
