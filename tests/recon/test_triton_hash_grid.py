from itertools import product
from types import ModuleType

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recon.kernels.backend import Precision
from recon.kernels.hash_grid import HashGridSpec, hash_grid_reference
from recon.kernels.primitives import triton_primitives
from tests.triton_maker import assert_parity, assert_same_gradients, triton_device

DEVICE = triton_device()
hash_grid = triton_primitives().hash_grid

specs = st.builds(
    HashGridSpec,
    levels=st.integers(1, 4),
    features=st.sampled_from((2, 4, 8)),
    log2_table=st.integers(3, 12),
    base_resolution=st.integers(2, 20),
    per_level_scale=st.floats(1.0, 2.2),
)
seeds = st.integers(0, 2**31)
SPEC = HashGridSpec(levels=3, features=4, log2_table=8, base_resolution=5, per_level_scale=1.7)


def kernels() -> ModuleType:
    import recon.kernels.triton_hash_grid as module

    return module


def example(
    spec: HashGridSpec, seed: int = 0, count: int = 12
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Points (the corners of the cube among them), table and level weights, all with gradients."""
    generator = torch.Generator().manual_seed(seed)
    corners = torch.tensor(list(product((0.0, 1.0), repeat=3)))
    points = torch.cat([corners, torch.rand(count, 3, generator=generator)])
    table = torch.randn(spec.entries, spec.features, generator=generator)
    weights = torch.rand(len(points), spec.levels, generator=generator)
    points, table, weights = (x.to(DEVICE).requires_grad_() for x in (points, table, weights))
    return points, table, weights


@settings(max_examples=15)  # the interpreter takes half a second for each
@given(specs, seeds, st.integers(0, 90))
def test_values_and_gradients_agree_with_the_definition(
    spec: HashGridSpec, seed: int, count: int
) -> None:
    points, table, weights = example(spec, seed, count)
    got = hash_grid(points, table, spec, weights)
    expected = hash_grid_reference(points, table, spec, weights)
    assert_parity(got, expected)
    assert_same_gradients(got, expected, (points, table, weights))


@settings(max_examples=5)
@given(specs, seeds)
def test_without_level_weights_too(spec: HashGridSpec, seed: int) -> None:
    points, table, _ = example(spec, seed)
    got, expected = hash_grid(points, table, spec, None), hash_grid_reference(points, table, spec)
    assert_parity(got, expected)
    assert_same_gradients(got, expected, (points, table))


def test_the_grid_of_a_real_scene() -> None:
    spec = HashGridSpec(per_level_scale=2.0)
    points, table, weights = example(spec, count=500)
    got = hash_grid(points, table, spec, weights)
    expected = hash_grid_reference(points, table, spec, weights)
    assert_parity(got, expected)
    assert_same_gradients(got, expected, (points, table, weights))


@pytest.mark.parametrize("block", [16, 32])
def test_points_are_worked_off_in_blocks(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(kernels(), "BLOCK", block)
    points, table, weights = example(SPEC, count=2 * block)  # the last block is not full
    got = hash_grid(points, table, SPEC, weights)
    expected = hash_grid_reference(points, table, SPEC, weights)
    assert_parity(got, expected)
    assert_same_gradients(got, expected, (points, table, weights))


def test_a_half_precision_copy_is_read_and_the_table_gets_the_gradient() -> None:
    points, table, weights = example(SPEC, count=40)
    rounded = table.detach().half().float().requires_grad_()
    expected = hash_grid_reference(points, rounded, SPEC, weights)
    for got in (
        triton_primitives(Precision.HALF).hash_grid(points, table, SPEC, weights),
        kernels().hash_grid_triton(points, table, SPEC, weights, read_copy=rounded.detach().half()),
    ):
        assert_parity(got, expected)
        ours = torch.autograd.grad(got.square().sum(), (points, table, weights), retain_graph=True)
        theirs = torch.autograd.grad(
            expected.square().sum(), (points, rounded, weights), retain_graph=True
        )
        for mine, true in zip(ours, theirs, strict=True):
            assert_parity(mine, true)


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")
def test_points_outside_of_the_cube_read_nothing_beyond_their_level() -> None:
    # On a GPU a read outside of the table would end the process.
    points = torch.tensor([[-3.0, 0.5, 7.0], [1e9, -1e9, 2.0], [0.1, torch.nan, 0.2]])
    for spec in (SPEC, HashGridSpec(levels=2, features=2, per_level_scale=1.5)):
        table = torch.ones(spec.entries, spec.features)
        out = hash_grid(points.to(DEVICE), table.to(DEVICE), spec, None)
        assert out.shape == (3, spec.levels * spec.features)


def test_training_needs_no_copy_of_the_table() -> None:
    points, table, weights = example(SPEC)
    out = hash_grid(points.detach(), table, SPEC, weights.detach())
    with torch.no_grad():
        table.add_(1.0)  # autograd would refuse to go back if the table had been kept
    out.sum().backward()


def test_no_points_are_no_features() -> None:
    points, table, weights = example(SPEC)
    out = hash_grid(points[:0], table, SPEC, weights[:0])
    assert out.shape == (0, 12)
    out.sum().backward()
    assert table.grad is not None
    assert not table.grad.any()


def test_what_does_not_fit_is_refused() -> None:
    points, table, weights = example(SPEC)
    with pytest.raises(ValueError, match="table must be float32"):
        hash_grid(points, table.double(), SPEC, weights)
    with pytest.raises(ValueError, match="needs 640 rows"):
        hash_grid(points, table[1:], SPEC, weights)
