"""The door to the native CPU backend: a compiled module with all that a step or a tile needs.

Nothing else imports `recon.kernels._native`. Its sources are in `recon/kernels/cpp`; what it
computes is defined by the PyTorch functions of this package and of `recon.rendering.march`.
"""

from types import ModuleType


def native_problem() -> str | None:
    """Why the native backend cannot be used here; None where it can."""
    try:
        import recon.kernels._native  # noqa: F401  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        return str(error)
    return None


def native_module() -> ModuleType:
    """The compiled module.

    Raises:
        ImportError: There is none for this Python (see `native_problem`).
    """
    import recon.kernels._native as module  # pyright: ignore[reportMissingImports]

    return module


def instruction_set() -> str:
    """Which of its instruction sets the compiled module uses on this processor."""
    return native_module().instruction_set()
