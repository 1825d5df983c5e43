"""The door to Triton: GPU kernels written in Python and compiled on the machine that runs them.

Importing this raises ImportError where there is no Triton; nothing else imports it. Kernels here
are compiled for a CUDA device, or, with TRITON_INTERPRET=1 in the environment before the first
import, run line by line in numpy on CPU tensors: slow, and how they are tested without a GPU.

**Speed unverified**: nobody has run these kernels on a GPU yet (docs/gpu.md).
"""

from collections.abc import Callable
from typing import Any

import torch
import triton  # pyright: ignore[reportMissingImports]
import triton.language as tl  # pyright: ignore[reportMissingImports]

__all__ = ["INTERPRETED", "blocks", "jit", "padded", "require_float32", "tl"]

jit: Callable[[Callable[..., Any]], Any] = triton.jit
"""Makes a kernel. `@no_type_check` goes under it: kernels take pointers, which nobody annotates."""
INTERPRETED = bool(triton.knobs.runtime.interpret)
"""Kernels run on CPU tensors, in numpy."""


def blocks(count: int, size: int) -> int:
    """How many blocks of `size` hold `count` items."""
    return -(-count // size)


def padded(size: int) -> int:
    """The power of two, at least 16, that a side of a tile needs."""
    return max(16, triton.next_power_of_2(size))


def require_float32(**tensors: torch.Tensor) -> None:
    """Refuse what the kernels would misread.

    Raises:
        ValueError: A tensor is not float32, or not where kernels run.
    """
    for name, tensor in tensors.items():
        if tensor.dtype != torch.float32:
            raise ValueError(f"{name} must be float32 for Triton, got {tensor.dtype}")
        if tensor.is_cuda == INTERPRETED:
            where = "the CPU (TRITON_INTERPRET=1)" if INTERPRETED else "a CUDA device"
            raise ValueError(f"{name} must be on {where}, is on {tensor.device}")
