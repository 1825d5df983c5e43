"""Scenes for the native engine: weights that are exact in half precision, and rays through them."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from recon.config import FieldConfig, SamplingConfig
from recon.field.field import GridField, Instance, RadianceField
from recon.field.space import Block
from recon.kernels.hash_grid import HashGridSpec
from recon.kernels.native import native_module, native_problem
from recon.rendering.march import MarchOutput
from recon.rendering.rays import Rays
from scenes.motion.geometry import invert
from tests.march_maker import at

needs_native = pytest.mark.skipif(
    native_problem() is not None, reason=f"no native backend: {native_problem()}"
)
SETS = native_module().instruction_sets() if native_problem() is None else []
"""Instruction sets of the engine that this machine has."""
PARITY = 1e-4
"""max |a - b| / max |b|."""
DIFFERENTIABLE = ("linear", "opacity", "range_m", "expected_range_m", "instance_weights")
SAMPLING = SamplingConfig(
    near_m=0.5, far_m=80.0, min_step_m=0.4, colour_threshold=0.0, instance_samples=12
)
GROWTH = 0.1
RAYS = 19
"""No multiple of any bundle or vector."""
STANDARD = FieldConfig(
    grid=HashGridSpec(log2_table=12, base_resolution=4, per_level_scale=1.6),
    occupancy_resolution=8,
    initial_density=0.05,
)


def rounded(part: GridField) -> None:
    """Strong features, exact in half precision."""
    with torch.no_grad():
        part.table.mul_(5e3)
        part.table.copy_(part.table.half().float())


def make_scene(
    config: FieldConfig, parts: int, seed: int = 0
) -> tuple[RadianceField, list[Instance]]:
    field = RadianceField(Block(centre_m=(1.0, 2.0, 3.0), half_size_m=10.0), config, seed)
    rounded(field.static)
    instances = []
    for k in range(parts):
        part = GridField(config, torch.Generator().manual_seed(100 + k))
        rounded(part)
        part.log_initial += 2.0
        scale = np.diag([1 / 4.0, 1 / 2.0, 1 / 1.5, 1.0])
        scale[:3, 3] = 0.5
        place = at(6.0 + k, 2.0 + 0.4 * k, 3.0, turn=(0.1 * k, 0.2, 0.3 * k))
        affine = torch.from_numpy((scale @ invert(place))[:3]).float()[None]
        instances.append(Instance(field=part, unit_from_world=affine, id=k))
    return field, instances


def make_rays(seed: int = 0) -> Rays:
    random = torch.Generator().manual_seed(seed)
    along = torch.tensor([1.0, 0.0, 0.0]) + 0.8 * (torch.rand(RAYS, 3, generator=random) - 0.5)
    return Rays(
        origins_m=torch.rand(RAYS, 3, generator=random) + torch.tensor([0.0, 1.5, 2.5]),
        directions=torch.nn.functional.normalize(along, dim=1),
        pixel_angle=torch.full((RAYS,), 0.02),
    )


def in_double(
    field: RadianceField, instances: list[Instance], rays: Rays
) -> tuple[RadianceField, list[Instance], Rays]:
    parts = [
        replace(
            item, field=copy.deepcopy(item.field).double(),
            unit_from_world=item.unit_from_world.double(),
        )
        for item in instances
    ]  # fmt: skip
    names = ("origins_m", "directions", "pixel_angle")
    wide = Rays(**{name: getattr(rays, name).double() for name in names})
    return copy.deepcopy(field).double(), parts, wide


def parameters(field: RadianceField, instances: list[Instance]) -> list[Tensor]:
    return [*field.parameters(), *(p for item in instances for p in item.field.parameters())]


def weighed(out: MarchOutput) -> Tensor:
    """A sum in which every number that has a gradient takes part, with its own weight."""
    random, total = torch.Generator().manual_seed(9), torch.zeros(())
    for name in DIFFERENTIABLE:
        value = getattr(out, name)
        factor = torch.randn(value.shape, generator=random).to(value)
        total = total + (torch.where(torch.isfinite(value), value, 0.0) * factor).sum()
    return total


def agree(found: Tensor, wanted: Tensor, least: float = 1e-6) -> None:
    known = torch.isfinite(wanted)
    assert torch.equal(known, torch.isfinite(found))
    if known.any() and wanted[known].abs().max() > least:
        error = (found.double() - wanted)[known].abs().max() / wanted[known].abs().max()
        assert error <= PARITY
