"""Compile every Triton kernel for GPUs that are not here, and print what each one needs.

`python -m tests.triton_compiler`, without TRITON_INTERPRET. One JSON object a kernel: name,
capability, bytes of shared memory.
"""

import json
from collections.abc import Iterator
from itertools import product
from types import ModuleType
from typing import Any

import torch
import triton  # pyright: ignore[reportMissingImports]
from triton.backends.compiler import GPUTarget  # pyright: ignore[reportMissingImports]
from triton.compiler import ASTSource  # pyright: ignore[reportMissingImports]

from recon.kernels import (
    triton_compositing,
    triton_hash_grid,
    triton_hash_grid_kernels,
    triton_mlp,
)
from recon.kernels.backend import Precision
from recon.kernels.hash_grid import HashGridSpec

CAPABILITIES = (80, 86, 90)
INTEGERS = {"layout": "*i32", "count": "i32", "rays": "i32"}
OPTIONS = ("num_warps", "enable_fp_fusion")
GRID = HashGridSpec(per_level_scale=2.0)


def kernels() -> Iterator[tuple[ModuleType, str, dict[str, Any], dict[str, str]]]:
    """Module, kernel, what is constant, and types of arguments that are not float32 pointers."""
    grid = triton_hash_grid._shape(GRID, torch.empty(0))
    half = {"table": "*fp16"}
    yield triton_hash_grid_kernels, "values", grid, {}
    yield triton_hash_grid_kernels, "values", grid, half
    yield triton_hash_grid_kernels, "table_gradient", grid, {}
    yield triton_hash_grid_kernels, "input_gradients", grid, half
    asked = {"want_x": True, "want_weights": True, "slices": triton_mlp.SLICES}
    networks = [(32, 32, 1, 16), (32, 32, 2, 3)]
    for sizes, precision in [
        *product(networks, (Precision.EXACT, Precision.TF32, Precision.HALF)),
        ((16, 16, 1, 1), Precision.TF32),
        ((32, 64, 2, 3), Precision.TF32),
        ((32, 128, 2, 3), Precision.HALF),
    ]:
        inputs, width, hidden, outputs = sizes
        shape = triton_mlp._shape(inputs, width, hidden, outputs, str(precision))
        yield triton_mlp, "_values", shape, {}
        yield triton_mlp, "_gradients", shape | asked, {}
    for samples in (16, 380):
        rays = triton_compositing._launch(torch.empty(9, samples))[1]
        yield triton_compositing, "_values", rays, {}
        yield triton_compositing, "_gradients", rays, {}


def compiled(kernel: Any, constants: dict[str, Any], types: dict[str, str], capability: int) -> Any:
    """A kernel as a launch with these constants, and pointers aligned to 16 bytes, compiles it."""
    options = {name: constants[name] for name in OPTIONS if name in constants}
    names = kernel.arg_names
    types = {name: (INTEGERS | types).get(name, "*fp32") for name in names}
    types |= {name: "constexpr" for name in names if name in constants}
    source = ASTSource(
        fn=kernel,
        signature=types,
        constexprs={(names.index(name),): constants[name] for name in names if name in constants},
        attrs={
            (index,): [["tt.divisibility", 16]]
            for index, name in enumerate(names)
            if types[name].startswith("*")
        },
    )
    return triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)


def main() -> None:
    """Compile them all."""
    for number, (module, name, constants, types) in enumerate(kernels()):
        # every kernel for one kind of GPU, in turn: compiling each for all would take minutes
        capability = CAPABILITIES[number % len(CAPABILITIES)]
        done = compiled(getattr(module, name), constants, types, capability)
        label = f"{module.__name__}.{name}"
        said = {"kernel": label, "capability": capability, "shared": done.metadata.shared}
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
