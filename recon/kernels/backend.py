"""Which implementation of the kernels runs. Chosen once, passed explicitly, never swapped.

Every backend computes what the functions of this package compute; they differ in speed and in
where they run. `recon.kernels.primitives` has the functions themselves.
"""

from enum import StrEnum
from functools import cache

import torch

from recon.kernels.native import native_problem
from recon.kernels.tcnn import tcnn_problem
from scenes.errors import OtherlaneError


class Backend(StrEnum):
    """An implementation of the kernels."""

    TORCH = "torch"
    """Plain PyTorch on the CPU: the definition, and works everywhere."""
    NATIVE = "native"
    """Compiled C++ on the CPU: whole training steps and rendered tiles."""
    TRITON = "triton"
    """Triton on a CUDA device, compiled there on first use. Speed unverified."""
    TCNN = "tcnn"
    """tiny-cuda-nn on a CUDA device, where somebody has built it; float16. Speed unverified."""


UNVERIFIED = frozenset({Backend.TRITON, Backend.TCNN})
"""Never run on a GPU by us: they are used by those who name them."""


class Precision(StrEnum):
    """Arithmetic of matrix products in Triton's kernels; other backends have one of their own."""

    EXACT = "tf32x3"
    """Three TF32 products for one: float32's accuracy on tensor cores, 1e-4 from the reference."""
    IEEE = "ieee"
    """float32 products without tensor cores: slow, for doubts about `EXACT`."""
    TF32 = "tf32"
    """Factors rounded to 10 bits, sums in float32: 1e-3 from the reference."""
    HALF = "half"
    """Factors in float16, those of gradients in TF32 (they would underflow); the hash table is
    read from a float16 copy. 1e-3 from the reference on that copy."""


def backend_problem(backend: Backend) -> str | None:
    """Why `backend` cannot be used on this machine; None where it can."""
    if backend is Backend.TORCH:
        return None
    if backend is Backend.NATIVE:
        return native_problem()
    package = _triton_problem() if backend is Backend.TRITON else tcnn_problem()
    return _cuda_problem() or package


@cache
def usable_backends() -> tuple[Backend, ...]:
    """Backends that work on this machine, slowest first."""
    return tuple(backend for backend in Backend if backend_problem(backend) is None)


def choose_backend(wanted: Backend | None) -> Backend:
    """`wanted` if it works here, or the fastest of the verified ones when None.

    Raises:
        OtherlaneError: `wanted` does not work on this machine.
    """
    usable = usable_backends()
    if wanted is not None and wanted not in usable:
        wrong = f"does not work on this machine: {backend_problem(wanted)}"
        raise OtherlaneError(f"backend {wanted}", wrong, f"backend = {' or '.join(usable)}")
    return wanted or [backend for backend in usable if backend not in UNVERIFIED][-1]


def backend_named(name: str) -> Backend:
    """The backend that users call `name`.

    Raises:
        OtherlaneError: There is none of that name.
    """
    known = [str(backend) for backend in Backend]
    if name not in known:
        raise OtherlaneError(f"backend {name!r}", "is not known", " or ".join(known))
    return Backend(name)


def backend_device(backend: Backend) -> torch.device:
    """Where the tensors of `backend` live."""
    if backend in (Backend.TORCH, Backend.NATIVE):
        return torch.device("cpu")
    if backend is Backend.TRITON and _triton_problem() is None:
        from recon.kernels.triton_door import INTERPRETED

        return torch.device("cpu" if INTERPRETED else "cuda")
    return torch.device("cuda")


def _cuda_problem() -> str | None:
    if torch.cuda.is_available():
        return None
    if torch.version.cuda is None:
        return f"torch {torch.__version__} is a CPU build"
    return "there is no usable NVIDIA GPU or driver"


def _triton_problem() -> str | None:
    try:
        import recon.kernels.triton_door  # noqa: F401
    except (ImportError, OSError) as error:
        return f"triton cannot be imported ({error})"
    return None
