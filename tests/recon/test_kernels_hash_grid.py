from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from recon.kernels.hash_grid import HashGridSpec, hash_grid, hash_grid_reference

specs = st.builds(
    HashGridSpec,
    levels=st.integers(1, 4),
    features=st.sampled_from((2, 4, 8)),
    log2_table=st.integers(3, 12),
    base_resolution=st.integers(2, 20),
    per_level_scale=st.floats(1.0, 2.2),
)
seeds = st.integers(0, 2**31)
KERNELS = (hash_grid, hash_grid_reference)


def example(
    spec: HashGridSpec, seed: int = 0, count: int = 12, dtype: torch.dtype = torch.float64
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Points (the corners of the cube among them), table and level weights, all with gradients."""
    generator = torch.Generator().manual_seed(seed)
    corners = torch.tensor(list(product((0.0, 1.0), repeat=3)), dtype=dtype)
    inside = torch.rand(count, 3, generator=generator, dtype=dtype)
    points = torch.cat([corners, inside])
    table = torch.randn(spec.entries, spec.features, generator=generator, dtype=dtype)
    weights = torch.rand(len(points), spec.levels, generator=generator, dtype=dtype)
    return points.requires_grad_(), table.requires_grad_(), weights.requires_grad_()


def one_level(resolution: int, log2_table: int) -> HashGridSpec:
    return HashGridSpec(
        levels=1,
        features=2,
        log2_table=log2_table,
        base_resolution=resolution,
        per_level_scale=1.0,
    )


def at_position(position: tuple[float, float, float], spec: HashGridSpec) -> torch.Tensor:
    """The point of the cube that lies there on level 0, in cells."""
    return (torch.tensor([position], dtype=torch.float64) - 0.5) / spec.scales[0]


def share_of_rows(points: torch.Tensor, spec: HashGridSpec) -> dict[int, float]:
    """Which table rows a point reads, and how much of each."""
    table = torch.zeros(spec.entries, spec.features, dtype=torch.float64, requires_grad=True)
    hash_grid(points, table, spec)[0, 0].backward()
    assert table.grad is not None
    rows = table.grad[:, 0]
    return {int(row): float(rows[row]) for row in torch.nonzero(rows.abs() > 1e-9)}


@given(specs, seeds)
def test_values_and_gradients_agree_with_the_definition(spec: HashGridSpec, seed: int) -> None:
    inputs = example(spec, seed)
    got, expected = (kernel(*inputs[:2], spec, inputs[2]) for kernel in KERNELS)
    assert_close(got, expected)
    cotangent = torch.randn(got.shape, generator=torch.Generator().manual_seed(1)).double()
    for ours, theirs in zip(
        torch.autograd.grad(got, inputs, cotangent),
        torch.autograd.grad(expected, inputs, cotangent),
        strict=True,
    ):
        assert_close(ours, theirs)


@given(specs, seeds)
def test_single_precision_agrees_with_the_definition(spec: HashGridSpec, seed: int) -> None:
    points, table, weights = example(spec, seed, dtype=torch.float32)
    assert_close(
        hash_grid(points, table, spec, weights), hash_grid_reference(points, table, spec, weights)
    )


@given(specs)
def test_levels_lie_one_behind_the_other(spec: HashGridSpec) -> None:
    ends = [offset + size for offset, size in zip(spec.offsets, spec.sizes, strict=True)]
    assert spec.offsets == (0, *ends[:-1])
    assert spec.entries == ends[-1]
    assert all(size % 8 == 0 and size <= 2**spec.log2_table for size in spec.sizes)


@pytest.mark.parametrize("features", [2, 4, 8])
def test_gradients_are_the_derivatives(features: int) -> None:
    spec = HashGridSpec(  # 8 + 16 entries: a dense level, a hashed one
        levels=2, features=features, log2_table=4, base_resolution=2, per_level_scale=1.7
    )
    points, table, weights = example(spec, seed=3, count=1)
    # Finite differences would reach outside of the cube at its corners.
    inside = points.detach()[8:].requires_grad_()
    assert torch.autograd.gradcheck(
        lambda p, t, w: hash_grid(p, t, spec, w),
        (inside, table, weights.detach()[8:].requires_grad_()),
    )


def test_layout_of_instant_ngp() -> None:
    spec = HashGridSpec(levels=4, log2_table=17, base_resolution=16, per_level_scale=2.0)
    assert spec.scales == (15.0, 31.0, 63.0, 127.0)
    assert spec.sizes == (16**3, 32**3, 2**17, 2**17)  # 64^3 no longer fits
    odd = HashGridSpec(levels=1, base_resolution=5, per_level_scale=1.0)
    assert odd.sizes == (128,)  # 125 rounded up to a multiple of 8


def test_hash_of_a_vertex_by_hand() -> None:
    spec = one_level(resolution=64, log2_table=17)
    # 1 xor 2 * 2654435761 mod 2^32 xor 3 * 805459861 mod 2^32
    #   = 1 xor 1013904226 xor 2416379583 = 2892625372, modulo 2^17 = 128476
    assert share_of_rows(at_position((1.0, 2.0, 3.0), spec), spec) == {128476: pytest.approx(1.0)}


def test_row_of_a_dense_vertex_by_hand() -> None:
    spec = one_level(resolution=16, log2_table=17)
    row = 1 + 2 * 16 + 3 * 256
    assert share_of_rows(at_position((1.0, 2.0, 3.0), spec), spec) == {row: pytest.approx(1.0)}


def test_the_middle_of_a_cell_reads_its_corners_alike() -> None:
    spec = one_level(resolution=16, log2_table=17)
    corners = [x + y * 16 + z * 256 for x, y, z in product((4, 5), (7, 8), (2, 3))]
    assert share_of_rows(at_position((4.5, 7.5, 2.5), spec), spec) == pytest.approx(
        dict.fromkeys(corners, 0.125)
    )


def test_a_dense_level_wraps_round_behind_its_last_vertex() -> None:
    spec = one_level(resolution=16, log2_table=17)
    # x = 15.5 lies between vertices 15 and 16; vertex (16, 15, 15) is row 4096 = 0 mod 4096
    assert share_of_rows(at_position((15.5, 15.0, 15.0), spec), spec) == pytest.approx(
        {4095: 0.5, 0: 0.5}
    )


def test_level_weights_scale_the_features_of_their_level() -> None:
    spec = HashGridSpec(levels=3, features=2, log2_table=8, per_level_scale=1.5)
    points, table, weights = example(spec)
    plain = hash_grid(points, table, spec)
    assert_close(
        hash_grid(points, table, spec, weights), plain * weights.repeat_interleave(2, dim=1)
    )


@pytest.mark.parametrize("features", [2, 4, 8])
def test_the_number_of_threads_does_not_change_a_bit(features: int) -> None:
    spec = HashGridSpec(levels=3, features=features, log2_table=10, per_level_scale=1.5)
    points, table, weights = example(spec, count=5000, dtype=torch.float32)
    before, answers = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            out = hash_grid(points, table, spec, weights)
            answers.append((out, *torch.autograd.grad(out.square().sum(), table)))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    for one, two in zip(*answers, strict=True):
        assert torch.equal(one, two)


def test_works_in_inference_mode_on_several_threads() -> None:
    spec = HashGridSpec(levels=2, features=4, log2_table=8, per_level_scale=1.5)
    points, table, _ = example(spec, count=5000, dtype=torch.float32)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with torch.inference_mode():
            out = hash_grid(points, table, spec)
    finally:
        torch.set_num_threads(before)
    assert_close(out, hash_grid_reference(points, table, spec).detach())


def test_training_needs_no_copy_of_the_table() -> None:
    spec = one_level(resolution=4, log2_table=8)
    points, table, weights = example(spec)
    out = hash_grid(points.detach(), table, spec, weights.detach())
    with torch.no_grad():
        table.add_(1.0)  # autograd would refuse to go back if the table had been kept
    out.sum().backward()


def test_no_points_are_no_features() -> None:
    spec = one_level(resolution=4, log2_table=8)
    points, table, weights = example(spec)
    out = hash_grid(points[:0], table, spec, weights[:0])
    assert out.shape == (0, 2)
    out.sum().backward()
    assert table.grad is not None
    assert not table.grad.any()


@pytest.mark.parametrize(
    "wrong",
    [
        {"levels": 0},
        {"features": 3},
        {"log2_table": 25},
        {"base_resolution": 1},
        {"per_level_scale": 0.9},
    ],
)
def test_impossible_layouts_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        HashGridSpec(**({"per_level_scale": 2.0} | wrong))  # pyright: ignore[reportArgumentType]


def test_what_does_not_fit_together_is_refused() -> None:
    spec = one_level(resolution=4, log2_table=8)
    points, table, weights = example(spec)
    with pytest.raises(ValueError, match="needs 64 rows"):
        hash_grid(points, table[:-1], spec)
    with pytest.raises(ValueError, match="level_weights"):
        hash_grid(points, table, spec, weights[:, :0])
    with pytest.raises(ValueError, match="one float type"):
        hash_grid(points.float(), table, spec)


def test_points_are_worked_off_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recon.kernels.hash_grid_torch.CHUNK", 5)
    spec = HashGridSpec(levels=2, features=4, log2_table=8, per_level_scale=1.5)
    inputs = example(spec, count=18)  # 26 points: the last part is a single one
    got, expected = (kernel(*inputs[:2], spec, inputs[2]) for kernel in KERNELS)
    assert_close(got, expected)
    for ours, theirs in zip(
        torch.autograd.grad(got.square().sum(), inputs),
        torch.autograd.grad(expected.square().sum(), inputs),
        strict=True,
    ):
        assert_close(ours, theirs)
