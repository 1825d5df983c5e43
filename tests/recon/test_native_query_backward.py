"""Gradients of the native field at points: autograd in float64 on the same rounded table."""

import copy
from typing import Any

import pytest
import torch
from hypothesis import given
from torch import Tensor

from recon.config import FieldConfig
from recon.field.field import GridField, RadianceField
from recon.field.space import Block
from recon.kernels.hash_grid import HashGridSpec
from recon.kernels.native import native_module, native_problem
from recon.rendering.march_native import NativeScene, field_parameters
from tests.field_strategies import field_configs

pytestmark = pytest.mark.skipif(
    native_problem() is not None, reason=f"no native backend: {native_problem()}"
)
PARITY = 1e-4
POINTS, MANY = 333, 20011
"""No multiples of a vector; the second is more than a chunk of each of the engine's lanes."""
SETS = native_module().instruction_sets() if native_problem() is None else []

configs = field_configs([16, 20, 32, 64])


def new_field(config: FieldConfig) -> RadianceField:
    field = RadianceField(Block(centre_m=(0.0, 0.0, 0.0), half_size_m=10.0), config, 0)
    with torch.no_grad():
        field.static.table.mul_(5e3)
        field.static.table.copy_(field.static.table.half().float())
    return field


def asked(
    config: FieldConfig, count: int = POINTS
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(1)
    directions = torch.randn(count, 3, generator=random)
    return (
        torch.rand(count, 3, generator=random),
        0.05 * torch.rand(count, generator=random),
        torch.nn.functional.normalize(directions, dim=1),
        torch.randn(count, generator=random),
        torch.randn(count, config.channels, generator=random),
    )


def of_engine(field: RadianceField, at: tuple[Tensor, ...], threads: int = 1) -> list[Tensor]:
    native = NativeScene(field).natives[0]
    native.query_backward(*at, threads)
    return read(native, field.static)


def read(native: Any, part: GridField) -> list[Tensor]:
    found = [torch.empty_like(tensor) for tensor in field_parameters(part)]
    split = 1 + len(part.density_layers)
    native.read_gradients(found[0], found[1:split], found[split:])
    return found


def of_definition(field: RadianceField, at: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    part = copy.deepcopy(field.static).double()
    points, footprint, directions, of_density, of_linear = (x.double() for x in at)
    density, geometry = part.density(points, footprint)
    linear = part.radiance(geometry, directions)
    return torch.autograd.grad((density, linear), field_parameters(part), (of_density, of_linear))


def worst(found: list[Tensor], wanted: tuple[Tensor, ...]) -> float:
    pairs = zip(found, wanted, strict=True)
    return max(float((a - b).abs().max() / b.abs().max().clamp_min(1e-6)) for a, b in pairs)


@pytest.mark.parametrize("instructions", SETS)
@given(config=configs)
def test_gradients_are_those_of_the_definition(instructions: str, config: FieldConfig) -> None:
    engine = native_module()
    before = engine.instruction_set()
    engine.use_instruction_set(instructions)
    field, at = new_field(config), asked(config)
    found = of_engine(field, at)
    engine.use_instruction_set(before)
    assert worst(found, of_definition(field, at)) <= PARITY


def small_field() -> RadianceField:
    return new_field(FieldConfig(grid=HashGridSpec(log2_table=10, per_level_scale=1.5)))


def test_threads_change_no_bit_however_many_points() -> None:
    field = small_field()
    at = asked(field.config, MANY)
    once, also = (of_engine(field, at, threads) for threads in (1, 3))
    assert all(torch.equal(a, b) for a, b in zip(once, also, strict=True))
    # of so many neurons, some are on in one precision and off in the other
    assert worst(once, of_definition(field, at)) <= 20 * PARITY


def test_the_tables_gradient_adds_up_until_it_is_read() -> None:
    field = small_field()
    native, at = NativeScene(field).natives[0], asked(field.config)
    native.query_backward(*at, 1)
    once = read(native, field.static)
    native.query_backward(*at, 1)
    native.query_backward(*at, 1)
    twice = read(native, field.static)
    torch.testing.assert_close(twice[0], 2.0 * once[0])
    assert all(torch.equal(a, b) for a, b in zip(once[1:], twice[1:], strict=True))


def test_shapes_are_checked() -> None:
    field = small_field()
    points, footprint, directions, of_density, of_linear = asked(field.config)
    with pytest.raises(ValueError, match="of_linear has"):
        NativeScene(field).natives[0].query_backward(
            points, footprint, directions, of_density, of_linear[:, :2].contiguous(), 1
        )
