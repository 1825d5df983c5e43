"""Which implementation of the kernels runs. Chosen once, passed explicitly, never swapped.

Every backend computes what the functions of this package compute; they differ in speed and in
where they run.
"""

from enum import StrEnum
from functools import cache

from scenes.errors import OtherlaneError


class Backend(StrEnum):
    """An implementation of the kernels."""

    TORCH = "torch"
    """Plain PyTorch: the definition, and works everywhere."""


@cache
def usable_backends() -> tuple[Backend, ...]:
    """Backends that work on this machine, slowest first."""
    return (Backend.TORCH,)


def choose_backend(wanted: Backend | None) -> Backend:
    """`wanted` if it works here, or the fastest when None.

    Raises:
        OtherlaneError: `wanted` does not work on this machine.
    """
    if wanted is not None and wanted not in usable_backends():
        fix = f"backend = {' or '.join(usable_backends())}"
        raise OtherlaneError(f"backend {wanted}", "does not work on this machine", fix)
    return wanted or usable_backends()[-1]


def backend_named(name: str) -> Backend:
    """The backend that users call `name`.

    Raises:
        OtherlaneError: There is none of that name.
    """
    known = [str(backend) for backend in Backend]
    if name not in known:
        raise OtherlaneError(f"backend {name!r}", "is not known", " or ".join(known))
    return Backend(name)
