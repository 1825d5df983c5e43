"""Parity and speed of each backend's three functions on a CUDA device; see `benchmarks/gpu.py`."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from recon.kernels.backend import Backend, Precision, backend_problem
from recon.kernels.compositing import render_weights, render_weights_reference
from recon.kernels.hash_grid import HashGridSpec, hash_grid_reference
from recon.kernels.mlp import mlp, mlp_reference, mlp_shapes
from recon.kernels.primitives import Primitives, primitives, triton_primitives

DEVICE = "cuda"
GRID = HashGridSpec(per_level_scale=2.0)  # 8 levels of 4 x 2^17, finest 2048
NETWORKS = {"mlp 32-32-16": (32, 32, 1, 16), "mlp 32-32-32-3": (32, 32, 2, 3),
    "mlp 32-64-64-3": (32, 64, 2, 3)}  # fmt: skip
CHECKED, SAMPLES, RAY_SAMPLES = 2**13, 2**20, 256
REPEATS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """A way through the three functions."""

    name: str
    functions: Primitives | None
    """None where it cannot be used here."""
    rounded: bool = False
    """Its table is float16."""
    problem: str = ""


def routes() -> Iterator[Route]:
    """PyTorch's own functions first, then every backend of GPUs, usable or not."""
    plain = Primitives(hash_grid=hash_grid_reference, mlp=mlp, render_weights=render_weights)
    yield Route(name="torch", functions=plain)
    problem = backend_problem(Backend.TRITON) or ""
    for precision in (Precision.EXACT, Precision.TF32, Precision.HALF):
        half = precision is Precision.HALF
        made = None if problem else triton_primitives(precision)
        name = f"triton {precision.name.lower()}"
        yield Route(name=name, functions=made, rounded=half, problem=problem)
    problem = backend_problem(Backend.TCNN) or ""
    made = None if problem else primitives(Backend.TCNN)
    yield Route(name="tcnn", functions=made, rounded=True, problem=problem)


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One function with its inputs; gradients are taken of `inputs[k]` for k in `wanted`."""

    name: str
    run: Callable[..., Tensor]
    reference: Callable[..., Tensor]
    inputs: tuple[Tensor, ...]
    wanted: tuple[int, ...]


def cases(route: Route, count: int) -> Iterator[Case]:
    """Every function at `count` samples."""
    functions = route.functions
    assert functions is not None
    random = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random).to(DEVICE)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=random).to(DEVICE)

    table = normal(GRID.entries, GRID.features)
    table = table.half().float() if route.rounded else table
    yield Case(
        name="hash_grid",
        run=lambda p, w, t: functions.hash_grid(p, t, GRID, w),
        reference=lambda p, w, t: hash_grid_reference(p, t, GRID, w),
        inputs=(uniform(count, 3), uniform(count, GRID.levels), table),
        wanted=(2,),
    )
    for name, sizes in NETWORKS.items():
        weights = tuple(normal(*shape) / shape[1] ** 0.5 for shape in mlp_shapes(*sizes))
        yield Case(
            name=name,
            run=lambda x, *w: functions.mlp(x, w),
            reference=lambda x, *w: mlp_reference(x, w),
            inputs=(normal(count, sizes[0]), *weights),
            wanted=tuple(range(1 + len(weights))),
        )
    rays = max(1, count // RAY_SAMPLES)
    yield Case(
        name="render_weights",
        run=functions.render_weights,
        reference=render_weights_reference,
        inputs=(4.0 * uniform(rays, RAY_SAMPLES), uniform(rays, RAY_SAMPLES) / 32.0),
        wanted=(0,),
    )


def parity(route: Route) -> dict[str, float]:
    """Largest error over largest value, of each function and (with "'") of its gradients."""
    errors: dict[str, float] = {}
    for case in cases(route, CHECKED):
        inputs = [x.detach().clone() for x in case.inputs]
        wanted = [inputs[k].requires_grad_() for k in case.wanted]
        got, true = case.run(*inputs), case.reference(*inputs)
        errors[case.name] = _error(got, true)
        cotangent = torch.randn(got.shape, generator=torch.Generator().manual_seed(1)).to(got)
        ours = torch.autograd.grad(got, wanted, cotangent)
        theirs = torch.autograd.grad(true, wanted, cotangent)
        errors[case.name + "'"] = max(_error(*pair) for pair in zip(ours, theirs, strict=True))
    return errors


def _error(got: Tensor, true: Tensor) -> float:
    return float((got - true).detach().abs().max() / true.detach().abs().max())


def speed(route: Route) -> dict[str, tuple[float, float]]:
    """Million samples a second of each function: forward, and forward with gradients."""
    found = {}
    for case in cases(route, SAMPLES):
        inputs = [x.detach().clone() for x in case.inputs]
        with torch.no_grad():
            cotangent = torch.ones_like(case.run(*inputs))
            forward = _best_seconds(lambda c=case, i=inputs: c.run(*i))
        wanted = [inputs[k].requires_grad_() for k in case.wanted]
        both = _best_seconds(
            lambda c=case, i=inputs, w=wanted, o=cotangent: torch.autograd.grad(c.run(*i), w, o)
        )
        found[case.name] = (SAMPLES / forward / 1e6, SAMPLES / both / 1e6)
    return found


def settle() -> None:
    """Wait until the device has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _best_seconds(work: Callable[[], object]) -> float:
    work()
    best = float("inf")
    for _ in range(REPEATS):
        settle()
        began = time.perf_counter()
        work()
        settle()
        best = min(best, time.perf_counter() - began)
    return best
