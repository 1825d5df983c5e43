"""The native engine against the definition: `march` in float64, on the same rounded table."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from recon.config import FieldConfig
from recon.field.field import GridField
from recon.rendering.march import march, query, transmittance
from recon.rendering.march_native import NativeScene, march_native
from recon.rendering.rays import Rays
from tests.field_strategies import field_configs
from tests.native_maker import (
    DIFFERENTIABLE,
    GROWTH,
    RAYS,
    SAMPLING,
    STANDARD,
    agree,
    in_double,
    make_rays,
    make_scene,
    needs_native,
    parameters,
    rounded,
    weighed,
)

pytestmark = [needs_native, pytest.mark.usefixtures("instruction_set")]
KINK = 3e-6
"""A neuron this close to zero may be on in one precision and off in the other."""

configs = field_configs([16, 16, 20, 32, 32, 48, 64, 128], initial_density=0.05)


@contextmanager
def nearest_kink() -> Iterator[list[float]]:
    """How close to zero the neurons of the definition come."""
    relu, found = torch.relu_, [torch.inf]

    def watched(x: Tensor) -> Tensor:
        if x.numel():
            found[0] = min(found[0], float(x.detach().abs().min()))
        return relu(x)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "relu_", watched)
        yield found


@settings(max_examples=12)
@given(configs, st.sampled_from([0, 1, 3]), st.integers(0, 3))
def test_values_and_gradients_are_the_definitions(
    config: FieldConfig, parts: int, seed: int
) -> None:
    field, instances = make_scene(config, parts, seed)
    rays, shift = make_rays(seed), torch.rand(RAYS, generator=torch.Generator().manual_seed(seed))
    steps = {"sampling": SAMPLING, "growth": GROWTH}
    out = march_native(field, rays, instances, shift=shift, **steps)
    wide_field, wide_parts, wide_rays = in_double(field, instances, rays)
    with nearest_kink() as kink:
        wanted, _ = march(wide_field, wide_rays, wide_parts, shift=shift.double(), **steps)
    assume(kink[0] > KINK)
    # half of the light, and equal shares of two parts, are cliffs: rounding decides there
    shares = wanted.instance_weights.detach().sort(dim=1).values
    assume(bool(((wanted.opacity - 0.5).abs() > 1e-4).all()))
    assume(shares.shape[1] == 1 or bool(((shares[:, -1] - shares[:, -2]).abs() > 1e-4).all()))
    assert torch.equal(out.instance, wanted.instance)
    for name in DIFFERENTIABLE:
        agree(getattr(out, name).detach(), getattr(wanted, name).detach())
    found = torch.autograd.grad(weighed(out), parameters(field, instances), allow_unused=True)
    truth = torch.autograd.grad(
        weighed(wanted), parameters(wide_field, wide_parts), allow_unused=True
    )
    for mine, other in zip(found, truth, strict=True):
        if other is not None:
            assert mine is not None
            agree(mine, other)


def test_rays_move_as_their_gradients_say() -> None:
    field, _ = make_scene(STANDARD, 0)
    rays = make_rays()
    origins, directions = (x.clone().requires_grad_() for x in (rays.origins_m, rays.directions))
    moving = Rays(origins_m=origins, directions=directions, pixel_angle=torch.zeros(RAYS))
    out = march_native(field, moving, sampling=SAMPLING, growth=GROWTH)
    seen = out.expected_range_m.sum() + out.opacity.sum()
    found = torch.autograd.grad(seen, (origins, directions))
    wide, _, _ = in_double(field, [], rays)
    step, way = 1e-6, torch.randn(2, RAYS, 3, generator=torch.Generator().manual_seed(1)).double()

    def total(by: float) -> Tensor:
        moved = Rays(
            origins_m=origins.detach().double() + by * way[0],
            directions=directions.detach().double() + by * way[1],
            pixel_angle=torch.zeros(RAYS, dtype=torch.float64),
        )
        out, _ = march(wide, moved, sampling=SAMPLING, growth=GROWTH)
        return out.expected_range_m + out.opacity

    with torch.no_grad():
        slope = (total(step) - total(-step)) / (2.0 * step)
    mine = (found[0] * way[0]).sum(1) + (found[1] * way[1]).sum(1)
    # the contraction's edges, and cells of the grid, are kinks: a ray may sit on one
    off = (mine - slope).abs() / slope.abs().max()
    assert off.median() < 1e-5
    assert (off < 1e-3).float().mean() > 0.9


def test_light_that_is_gone_ends_a_ray_as_defined() -> None:
    field, instances = make_scene(STANDARD, 1)
    with torch.no_grad():
        field.static.log_initial += 2.0
    rays = make_rays()
    for termination in (1e-3, 0.3):
        steps = {"sampling": SAMPLING, "growth": GROWTH, "termination": termination}
        wide_field, wide_parts, wide_rays = in_double(field, instances, rays)
        with torch.no_grad():
            wanted, _ = march(wide_field, wide_rays, wide_parts, **steps)
        out = NativeScene(field, instances).march(rays, **steps)
        for name in DIFFERENTIABLE:
            agree(getattr(out, name), getattr(wanted, name))


def test_empty_cells_are_not_looked_at() -> None:
    field, _ = make_scene(STANDARD, 0)
    field.occupancy.occupied.zero_()
    out = NativeScene(field).march(make_rays(), sampling=SAMPLING, growth=GROWTH)
    assert not out.opacity.any()
    assert bool(torch.isinf(out.range_m).all())
    field.occupancy.occupied[::2] = 1
    rays = make_rays()
    out = NativeScene(field).march(rays, sampling=SAMPLING, growth=GROWTH)
    with torch.no_grad():
        wanted, _ = march(field, rays, sampling=SAMPLING, growth=GROWTH)
    off = (out.linear - wanted.linear).abs().amax(1)
    # a sample on the face between two cells may fall on either side
    assert (off < 1e-4).float().mean() > 0.9


def test_query_is_the_definition() -> None:
    field, _ = make_scene(STANDARD, 0)
    random = torch.Generator().manual_seed(3)
    points = 30.0 * (torch.rand(1000, 3, generator=random) - 0.5)
    directions = torch.nn.functional.normalize(torch.randn(1000, 3, generator=random), dim=1)
    footprint = 0.1 * torch.rand(1000, generator=random)
    found = NativeScene(field).query(points, directions, footprint)
    wide, _, _ = in_double(field, [], make_rays())
    wanted = query(wide, points.double(), directions.double(), footprint.double())
    agree(found.density, wanted.density.detach())
    agree(found.linear, wanted.linear.detach())
    off = (found.density_gradient - wanted.density_gradient).abs().amax(1)
    assert (off < 1e-3 * wanted.density_gradient.abs().max()).float().mean() > 0.98


def test_transmittance_is_the_definition() -> None:
    field, _ = make_scene(STANDARD, 0)
    rays, until_m = make_rays(), torch.linspace(0.0, 90.0, RAYS)
    found = NativeScene(field).transmittance(rays, until_m, sampling=SAMPLING, growth=GROWTH)
    wide, _, wide_rays = in_double(field, [], rays)
    with torch.no_grad():
        wanted = transmittance(wide, wide_rays, until_m.double(), sampling=SAMPLING, growth=GROWTH)
    agree(found, wanted)
    assert float(found[0]) == 1.0


def test_materials_emit_nothing_as_defined() -> None:
    field, instances = make_scene(STANDARD, 2)
    made_of = GridField(replace(STANDARD, material=True), torch.Generator().manual_seed(7))
    rounded(made_of)
    made_of.log_initial += 2.0
    instances[0] = replace(instances[0], field=made_of)
    rays = make_rays()
    out = march_native(field, rays, instances, sampling=SAMPLING, growth=GROWTH)
    wide_field, wide_parts, wide_rays = in_double(field, instances, rays)
    wanted, _ = march(wide_field, wide_rays, wide_parts, sampling=SAMPLING, growth=GROWTH)
    for name in DIFFERENTIABLE:
        agree(getattr(out, name).detach(), getattr(wanted, name).detach())
    assert float(out.instance_weights[:, 1].detach().max()) > 0.1
    with torch.no_grad():
        for layer in made_of.colour_layers:
            layer *= 2.0  # whatever its albedo is
    again = march_native(field, rays, instances, sampling=SAMPLING, growth=GROWTH)
    assert torch.equal(again.linear, out.linear)
    (gradient,) = torch.autograd.grad(out.linear.sum(), [made_of.colour_layers[0]])
    assert not gradient.any()
