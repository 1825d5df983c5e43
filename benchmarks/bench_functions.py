"""The functions that PyTorch computes kernels with, each by itself, forward and with gradients.

    python -m benchmarks.bench_functions [--json-file FILE]

Every answer is checked against the function's definition before it is timed; seeds and sizes are
fixed. Times are the best of several. Compare runs only where the load printed beside them is below
the number of idle cores.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import tyro
from torch import Tensor

from benchmarks.machine import Report, Work, clocked, load
from recon.kernels.compositing import (
    distortion,
    distortion_reference,
    render_weights,
    render_weights_reference,
)
from recon.kernels.footprint import level_weights, level_weights_reference
from recon.kernels.hash_grid import HashGridSpec, hash_grid, hash_grid_reference
from recon.kernels.mlp import mlp, mlp_reference, mlp_shapes
from recon.kernels.spherical_harmonics import spherical_harmonics, spherical_harmonics_reference

SAMPLES = 2**16
RAY_SAMPLES = 64
CHECKED = 2048
REPEATS = 8
GRID = HashGridSpec(per_level_scale=2.0)  # 8 levels of 4 x 2^17, finest 2048


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A kernel, its reference and what goes in; gradients are taken of `wanted`."""

    name: str
    kernel: Callable[..., Tensor]
    reference: Callable[..., Tensor]
    batched: tuple[Tensor, ...]
    """Inputs with one row a sample (or a ray)."""
    shared: tuple[Tensor, ...] = ()
    """Inputs that all samples share."""
    per_row: int = 1
    """Samples in a row."""
    wanted: tuple[int, ...] = ()
    """Which inputs need gradients, counted through batched and shared."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """One line of the table."""

    name: str
    threads: int
    forward_msamples: float
    both_msamples: float | None
    """None where there is nothing to be differentiated by."""
    load: float


def cases() -> Iterator[Case]:
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator)

    points, table = uniform(SAMPLES, 3), normal(GRID.entries, GRID.features)
    factors = uniform(SAMPLES, GRID.levels)

    def grid(kernel: Callable[..., Tensor]) -> Callable[..., Tensor]:
        return lambda p, w, t: kernel(p, t, GRID, w)

    yield Case(
        name="hash_grid", kernel=grid(hash_grid), reference=grid(hash_grid_reference),
        batched=(points, factors), shared=(table,), wanted=(2,),
    )  # fmt: skip
    yield Case(
        name="level_weights", kernel=lambda s: level_weights(s, GRID),
        reference=lambda s: level_weights_reference(s, GRID), batched=(uniform(SAMPLES),),
    )  # fmt: skip
    directions = torch.nn.functional.normalize(normal(SAMPLES, 3))
    yield Case(
        name="spherical_harmonics", kernel=spherical_harmonics,
        reference=spherical_harmonics_reference, batched=(directions,),
    )  # fmt: skip
    for name, shapes in (
        ("mlp 32-32-16", mlp_shapes(32, 32, 1, 16)),
        ("mlp 32-32-32-3", mlp_shapes(32, 32, 2, 3)),
        ("mlp 32-64-64-3", mlp_shapes(32, 64, 2, 3)),
    ):
        weights = tuple(normal(*shape) / shape[1] ** 0.5 for shape in shapes)
        yield Case(
            name=name, kernel=lambda x, *w: mlp(x, w), reference=lambda x, *w: mlp_reference(x, w),
            batched=(normal(SAMPLES, 32),), shared=weights, wanted=tuple(range(1 + len(weights))),
        )  # fmt: skip
    sigma, delta = uniform(SAMPLES // RAY_SAMPLES, RAY_SAMPLES), uniform(1, RAY_SAMPLES) / 8
    delta = delta.expand_as(sigma).contiguous()
    yield Case(
        name="render_weights", kernel=render_weights, reference=render_weights_reference,
        batched=(sigma, delta), per_row=RAY_SAMPLES, wanted=(0,),
    )  # fmt: skip
    far = torch.cumsum(delta, dim=-1)
    yield Case(
        name="distortion", kernel=distortion, reference=distortion_reference,
        batched=(render_weights(sigma, delta), far - delta, far),
        per_row=RAY_SAMPLES, wanted=(0,),
    )  # fmt: skip


def check(case: Case) -> None:
    """Values and gradients agree with the reference, on the first rows."""
    rows = max(1, CHECKED // case.per_row)
    inputs = [x[:rows].clone() for x in case.batched] + [x.clone() for x in case.shared]
    wanted = [inputs[k].requires_grad_() for k in case.wanted]
    got, expected = case.kernel(*inputs), case.reference(*inputs)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)
    if wanted:
        ours = torch.autograd.grad(got.square().sum(), wanted)
        theirs = torch.autograd.grad(expected.square().sum(), wanted)
        for mine, true in zip(ours, theirs, strict=True):
            torch.testing.assert_close(mine, true, rtol=1e-3, atol=1e-4 * float(true.abs().max()))


def measure(case: Case, threads: int) -> Timing:
    """Least wall time of several."""
    inputs = [x.clone() for x in (*case.batched, *case.shared)]
    with torch.no_grad():
        cotangent = torch.ones_like(case.kernel(*inputs))
        forward = _least_wall_s(clocked(lambda: case.kernel(*inputs), threads))
    wanted, both = [inputs[k].requires_grad_() for k in case.wanted], None
    if wanted:
        run = clocked(lambda: torch.autograd.grad(case.kernel(*inputs), wanted, cotangent), threads)
        both = SAMPLES / _least_wall_s(run) / 1e6
    return Timing(
        name=case.name,
        threads=threads,
        forward_msamples=SAMPLES / forward / 1e6,
        both_msamples=both,
        load=load(),
    )


def _least_wall_s(work: Work) -> float:
    return min(work().wall_s for _ in range(1 + REPEATS))


def main(json_file: Path | None = None) -> None:
    """Check and time every function; write the numbers into `json_file` too."""
    report, timings = Report(title=f"Functions in PyTorch, {SAMPLES} samples"), []
    for case in cases():
        check(case)
        timings += [measure(case, threads) for threads in (1, 2)]
    head = ["function", "threads", "forward", "with gradients", "load"]
    rows = [list(asdict(timing).values()) for timing in timings]
    report.table("Million samples a second, by the clock", head, rows)
    report.numbers |= {"samples": SAMPLES, "timings": [asdict(timing) for timing in timings]}
    report.finish(json_file)


if __name__ == "__main__":
    tyro.cli(main)
