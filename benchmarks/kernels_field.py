"""Our field for `benchmarks/bench_kernels.py`: native, PyTorch, and how well they agree."""

from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.kernels_inputs import COARSEST, FINEST, GEOMETRY, HARMONICS, Inputs, Sizes
from recon.config import FieldConfig
from recon.field.field import GridField, RadianceField
from recon.field.space import Block
from recon.kernels.engine_threads import threads
from recon.kernels.hash_grid import HashGridSpec
from recon.rendering.march_native import NativeScene, field_parameters

CHECKED = 2048
PARITY = 1e-4
"""Largest error over largest value, in float32 on the same table."""


def new_field(sizes: Sizes) -> RadianceField:
    """With features of order one, exact in half precision."""
    grid = HashGridSpec(
        levels=sizes.levels,
        features=sizes.features,
        log2_table=sizes.log2_table,
        base_resolution=COARSEST,
        per_level_scale=(FINEST / COARSEST) ** (1.0 / (sizes.levels - 1)),
    )
    config = FieldConfig(
        grid=grid, width=sizes.width, geometry_features=GEOMETRY, look_harmonics=HARMONICS
    )
    field = RadianceField(Block(centre_m=(0.0, 0.0, 0.0), half_size_m=1.0), config, seed=0)
    with torch.no_grad():
        field.static.table.mul_(1e4)
        field.static.table.copy_(field.static.table.half().float())
    return field


class TorchField:
    """PyTorch's functions, with gradients by autograd."""

    def __init__(self, field: GridField) -> None:
        self.field = field

    def density(self, at: Inputs) -> Tensor:
        """[n]"""
        with torch.no_grad():
            return self.field.density(at.points, None)[0]

    def forward(self, at: Inputs) -> tuple[Tensor, Tensor]:
        """[n], [n, 3]"""
        with torch.no_grad():
            return self._forward(at)

    def _forward(self, at: Inputs) -> tuple[Tensor, Tensor]:
        density, geometry = self.field.density(at.points, None)
        return density, self.field.radiance(geometry, at.directions)

    def both(self, at: Inputs) -> tuple[Tensor, ...]:
        """Gradients of every parameter."""
        return torch.autograd.grad(
            self._forward(at), field_parameters(self.field), (at.of_density, at.of_linear)
        )


class NativeField:
    """The engine's; what it computes stays where training leaves it."""

    def __init__(self, field: RadianceField) -> None:
        self.scene = NativeScene(field)
        self.native = self.scene.natives[0]

    def density(self, at: Inputs) -> Tensor:
        """[n]"""
        density = torch.empty(len(at.points))
        self.native.query(at.points, None, None, density, None, None, threads())
        return density

    def forward(self, at: Inputs) -> tuple[Tensor, Tensor]:
        """[n], [n, 3]"""
        density, linear = torch.empty(len(at.points)), torch.empty(len(at.points), 3)
        self.native.query(at.points, None, at.directions, density, linear, None, threads())
        return density, linear

    def both(self, at: Inputs) -> None:
        """Gradients of every parameter, for `gradients` to read."""
        self.native.query_backward(
            at.points, None, at.directions, at.of_density, at.of_linear, threads()
        )

    def gradients(self) -> list[Tensor]:
        """Those of the last call of `both`."""
        part = self.scene.parts[0]
        found = [torch.empty_like(tensor) for tensor in field_parameters(part)]
        split = 1 + len(part.density_layers)
        self.native.read_gradients(found[0], found[1:split], found[split:])
        return found


def check(native: NativeField, reference: TorchField, at: Inputs) -> float:
    """Largest error over largest value, of values and gradients, on the first points.

    Raises:
        AssertionError: It is too large.
    """
    few = Inputs(**{name: getattr(at, name)[:CHECKED] for name in Inputs.__slots__})
    pairs = [*zip(native.forward(few), reference.forward(few), strict=True)]
    native.both(few)
    pairs += zip(native.gradients(), reference.both(few), strict=True)
    worst = max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)
    assert worst <= PARITY, f"native and PyTorch differ by {worst:.1e}"
    return worst


def work_of(field: TorchField | NativeField, name: str, at: Inputs) -> Callable[[], object]:
    """One of `WORKS`."""
    return lambda: getattr(field, name)(at)


def lines(field: GridField, entry_bytes: int) -> float:
    """Cache lines of a table that one point needs: neighbours along x mostly share one."""
    return field.spec.levels * 4.0 * (1.0 + field.spec.features * entry_bytes / 64.0)


def ceiling_msamples(name: str, sizes: Sizes, field: GridField, roofs: dict[str, float]) -> float:
    """Msamples/s of one core that multiplies as fast as sgemm does at its best, and for every
    cache line of the table takes as long as a random gather, one after the other.

    Backwards, a line of a level's gradient takes as long as a gather out of one so large.
    """
    peak = max(roofs["sgemm_384x64x64_gflops"], roofs["sgemm_1024_gflops"])
    spent_us = sizes.flops[name] / (peak * 1e3) + lines(field, 2) / roofs["gather_table_mloads"]
    if name == "both":
        spent_us += lines(field, 4) / roofs["gather_gradient_mloads"]
    return 1.0 / spent_us
