"""The native engine against the definition: `recon.march` in float64, on the same rounded table."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from recon.config import FieldConfig, SamplingConfig
from recon.field import GridField, Instance, RadianceField
from recon.kernels.hash_grid import HashGridSpec
from recon.kernels.native import native_module, native_problem
from recon.march import MarchOutput, march, query, transmittance
from recon.march_native import NativeScene, march_native
from recon.rays import Rays
from recon.space import Block
from scenes.geometry import invert
from tests.field_strategies import field_configs
from tests.march_maker import at

pytestmark = pytest.mark.skipif(
    native_problem() is not None, reason=f"no native backend: {native_problem()}"
)
PARITY = 1e-4
"""max |a - b| / max |b|."""
DIFFERENTIABLE = ("linear", "opacity", "range_m", "expected_range_m", "instance_weights")
SAMPLING = SamplingConfig(
    near_m=0.5, far_m=80.0, min_step_m=0.4, colour_threshold=0.0, instance_samples=12
)
GROWTH = 0.1
RAYS = 19
"""No multiple of any bundle or vector."""
KINK = 3e-6
"""A neuron this close to zero may be on in one precision and off in the other."""
SETS = native_module().instruction_sets() if native_problem() is None else []

configs = field_configs([16, 16, 20, 32, 32, 48, 64, 128], initial_density=0.05)


@pytest.fixture(params=SETS, autouse=True)
def instruction_set(request: pytest.FixtureRequest) -> Iterator[None]:
    engine = native_module()
    before = engine.instruction_set()
    engine.use_instruction_set(request.param)
    yield
    engine.use_instruction_set(before)


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


STANDARD = FieldConfig(
    grid=HashGridSpec(log2_table=12, base_resolution=4, per_level_scale=1.6),
    occupancy_resolution=8,
    initial_density=0.05,
)


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


@pytest.mark.parametrize("parts", [0, 2])
def test_threads_change_no_bit(parts: int) -> None:
    field, instances = make_scene(STANDARD, parts)
    rays, before = make_rays(), torch.get_num_threads()
    many = Rays(
        **{
            name: torch.cat([getattr(rays, name)] * 40)
            for name in ("origins_m", "directions", "pixel_angle")
        }
    )
    results = []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            out = march_native(field, many, instances, sampling=SAMPLING, growth=GROWTH)
            grads = torch.autograd.grad(weighed(out), parameters(field, instances))
            results.append([out.linear, out.range_m, out.instance_weights, *grads])
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        for mine, theirs in zip(results[0], other, strict=True):
            assert torch.equal(mine, theirs)


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


@pytest.mark.parametrize("name", ["origins_m", "directions"])
def test_what_is_no_number_breaks_nothing(name: str) -> None:
    """Pixels beside what a lens shows have no direction."""
    field, instances = make_scene(STANDARD, 2)
    scene, rays = NativeScene(field, instances), make_rays()
    steps = {"sampling": SAMPLING, "growth": GROWTH}
    broken = getattr(rays, name).clone()
    broken[3] = torch.nan
    there = replace(rays, **{name: broken})
    others = torch.arange(RAYS) != 3
    with torch.no_grad():
        defined = (march(field, each, instances, **steps)[0] for each in (rays, there))
    for whole, found in ((scene.march(rays, **steps), scene.march(there, **steps)), (*defined,)):
        assert_close(found.linear[others], whole.linear[others], rtol=1e-6, atol=1e-7)
        assert found.instance[3] == 0
        assert not found.instance_weights[3].any()
    points = torch.full((5, 3), torch.nan)
    assert len(scene.query(points, torch.eye(3)[[0] * 5]).density) == 5


def test_only_float32_is_taken() -> None:
    field, _ = make_scene(STANDARD, 0)
    with pytest.raises(ValueError, match="float32"):
        NativeScene(field.double())


def test_a_forked_child_has_threads_of_its_own() -> None:
    import multiprocessing

    field, _ = make_scene(STANDARD, 0)
    scene, rays, before = NativeScene(field), make_rays(), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        here = scene.march(rays, sampling=SAMPLING, growth=GROWTH).linear
        context = multiprocessing.get_context("fork")
        with context.Pool(1) as pool:
            there = pool.apply_async(_in_child, (scene.field, rays)).get(timeout=60)
    finally:
        torch.set_num_threads(before)
    assert_close(here, torch.from_numpy(there), rtol=0.0, atol=0.0)


def _in_child(field: RadianceField, rays: Rays) -> np.ndarray:
    out = NativeScene(field).march(rays, sampling=SAMPLING, growth=GROWTH)
    return out.linear.numpy()
