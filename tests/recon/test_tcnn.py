"""The door to tiny-cuda-nn, with a stand-in that reads parameters as the real one does."""

import sys
from itertools import pairwise
from types import ModuleType
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from recon.kernels import tcnn
from recon.kernels.hash_grid import HashGridSpec, hash_grid, hash_grid_reference
from recon.kernels.mlp import mlp, mlp_reference, mlp_shapes
from scenes.errors import OtherlaneError

SPEC = HashGridSpec(levels=3, features=4, log2_table=8, base_resolution=5, per_level_scale=1.7)


class Encoding(torch.nn.Module):
    """As `tinycudann.Encoding`: one flat vector of parameters, level after level."""

    def __init__(self, dimensions: int, config: dict[str, Any]) -> None:
        super().__init__()
        assert (dimensions, config["otype"], config["interpolation"]) == (3, "HashGrid", "Linear")
        self.spec = HashGridSpec(
            levels=config["n_levels"],
            features=config["n_features_per_level"],
            log2_table=config["log2_hashmap_size"],
            base_resolution=config["base_resolution"],
            per_level_scale=config["per_level_scale"],
        )
        self.params = torch.nn.Parameter(torch.zeros(self.spec.entries * self.spec.features))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert len(x) > 0
        return hash_grid_reference(x, self.params.view(-1, self.spec.features), self.spec)


class Network(torch.nn.Module):
    """As `tinycudann.Network`: sizes in multiples of 16, ones in the inputs beyond the given."""

    def __init__(self, inputs: int, outputs: int, config: dict[str, Any]) -> None:
        super().__init__()
        assert config["n_neurons"] in (16, 32, 64, 128)
        assert (config["activation"], config["output_activation"]) == ("ReLU", "None")
        hidden = [config["n_neurons"]] * config["n_hidden_layers"]
        self.inputs, self.outputs = inputs, outputs
        self.sizes = [-(-inputs // 16) * 16, *hidden, -(-outputs // 16) * 16]
        count = sum(before * after for before, after in pairwise(self.sizes))
        self.params = torch.nn.Parameter(torch.zeros(count))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert len(x) > 0
        x = torch.nn.functional.pad(x, (0, self.sizes[0] - self.inputs), value=1.0)
        counts = [before * after for before, after in pairwise(self.sizes)]
        weights = [
            part.view(-1, before)
            for part, before in zip(self.params.split(counts), self.sizes[:-1], strict=True)
        ]
        return mlp(x, tuple(weights))[:, : self.outputs]


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("tinycudann")
    vars(module).update(Encoding=Encoding, Network=Network)
    monkeypatch.setitem(sys.modules, "tinycudann", module)
    tcnn._encoding.cache_clear()
    tcnn._network.cache_clear()
    return module


def network(
    inputs: int, width: int, hidden_layers: int, outputs: int, seed: int = 0
) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    shapes = mlp_shapes(inputs, width, hidden_layers, outputs)
    weights = (torch.randn(s, generator=generator) / s[1] ** 0.5 for s in shapes)
    return tuple(weight.requires_grad_() for weight in weights)


sizes = st.tuples(st.integers(1, 40), st.integers(16, 128), st.integers(1, 3), st.integers(1, 40))


@given(sizes, st.integers(0, 2**31))
def test_unpacking_is_the_inverse_of_packing(sizes: tuple[int, int, int, int], seed: int) -> None:
    weights = network(*sizes, seed=seed)
    shapes = tuple((len(w), w.shape[1]) for w in weights)
    unpacked = tcnn.unpack_network(tcnn.pack_network(weights), shapes)
    for got, given_ in zip(unpacked, weights, strict=True):
        assert torch.equal(got, given_)


def test_layout_of_a_network_by_hand() -> None:
    weights = network(18, 20, 2, 3)  # 32 inputs, 32 neurons, 16 outputs
    packed = tcnn.pack_network(weights).detach()
    assert len(packed) == 32 * 32 + 32 * 32 + 16 * 32
    assert packed[5 * 32 + 7] == weights[0][5, 7]
    assert packed[5 * 32 + 18] == 0.0  # an input that is not there
    assert packed[20 * 32] == 0.0  # a neuron that is not there
    assert packed[32 * 32 + 19 * 32 + 4] == weights[1][19, 4]
    assert packed[2 * 32 * 32 + 2 * 32 + 11] == weights[2][2, 11]
    assert not packed[2 * 32 * 32 + 3 * 32 :].any()  # outputs that are not there


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("sizes", [(32, 32, 1, 16), (16, 64, 2, 3), (5, 40, 3, 17)])
def test_networks_agree_with_the_definition(sizes: tuple[int, int, int, int]) -> None:
    weights = network(*sizes)
    x = torch.randn(9, sizes[0], generator=torch.Generator().manual_seed(2)).requires_grad_()
    got, expected = tcnn.mlp_tcnn(x, weights), mlp_reference(x, weights)
    assert_close(got, expected, rtol=1e-4, atol=1e-5)
    ours = torch.autograd.grad(got.square().sum(), (x, *weights))
    theirs = torch.autograd.grad(expected.square().sum(), (x, *weights))
    for mine, true in zip(ours, theirs, strict=True):
        assert_close(mine, true, rtol=1e-4, atol=1e-5 * float(true.abs().max()))


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("weighted", [True, False])
def test_the_grid_agrees_with_the_definition(weighted: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(20, 3, generator=generator).requires_grad_()
    table = torch.randn(SPEC.entries, SPEC.features, generator=generator).requires_grad_()
    weights = torch.rand(20, SPEC.levels, generator=generator).requires_grad_()
    factors = weights if weighted else None
    got = tcnn.hash_grid_tcnn(points, table, SPEC, factors)
    expected = hash_grid(points, table, SPEC, factors)
    assert_close(got, expected)
    inputs = (points, table, weights) if weighted else (points, table)
    for mine, true in zip(
        torch.autograd.grad(got.square().sum(), inputs),
        torch.autograd.grad(expected.square().sum(), inputs),
        strict=True,
    ):
        assert_close(mine, true)


@pytest.mark.usefixtures("stand_in")
def test_nothing_in_is_nothing_out() -> None:
    weights = network(16, 16, 1, 3)
    table = torch.zeros(SPEC.entries, SPEC.features, requires_grad=True)
    assert tcnn.mlp_tcnn(torch.zeros(0, 16), weights).shape == (0, 3)
    features = tcnn.hash_grid_tcnn(torch.zeros(0, 3), table, SPEC, torch.zeros(0, 3))
    assert features.shape == (0, 12)
    features.sum().backward()
    assert table.grad is not None
    assert not table.grad.any()


def test_another_layout_is_an_error_not_a_wrong_picture(stand_in: ModuleType) -> None:
    class Longer(Network):
        def __init__(self, inputs: int, outputs: int, config: dict[str, Any]) -> None:
            super().__init__(inputs, outputs, config)
            self.params = torch.nn.Parameter(torch.zeros(len(self.params) + 8))

    vars(stand_in)["Network"] = Longer
    with pytest.raises(OtherlaneError, match=r"tinycudann Longer: has 776 .* 768 .*\n.*triton"):
        tcnn.mlp_tcnn(torch.zeros(2, 16), network(16, 16, 2, 3))


def test_networks_that_it_does_not_have_are_refused() -> None:
    with pytest.raises(ValueError, match="up to 128 neurons"):
        tcnn.pack_network((torch.zeros(3, 5),))
    with pytest.raises(ValueError, match="up to 128 neurons"):
        tcnn.hidden_width((torch.zeros(129, 5), torch.zeros(3, 129)))


@pytest.mark.gpu
def test_the_real_one_agrees_with_the_definition_to_half_precision() -> None:
    problem = tcnn.tcnn_problem()
    if problem is not None:
        pytest.skip(problem)
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(500, 3, generator=generator).cuda()
    table = torch.randn(SPEC.entries, SPEC.features, generator=generator).cuda().requires_grad_()
    weights = tuple(w.detach().cuda().requires_grad_() for w in network(12, 16, 1, 3))
    got = tcnn.mlp_tcnn(tcnn.hash_grid_tcnn(points, table, SPEC), weights)
    expected = mlp_reference(hash_grid_reference(points, table, SPEC), weights)
    assert float((got - expected).abs().max() / expected.abs().max()) < 1e-2
    ours = torch.autograd.grad(got.square().mean(), (table, *weights))
    theirs = torch.autograd.grad(expected.square().mean(), (table, *weights))
    for mine, true in zip(ours, theirs, strict=True):
        assert float((mine - true).abs().max() / true.abs().max()) < 5e-2
