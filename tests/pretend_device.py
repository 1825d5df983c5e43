"""A second device that is not there: its tensors live in main memory but mix with no others.

Finds what would fail on a GPU because tensors of two devices meet. The device calls itself
"meta", for which autograd has all it needs; what it computes is real.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = torch.device("meta")
MOVES = ("aten.copy_.default", "aten._to_copy.default")
"""Take tensors of both devices."""
INDEXED = ("aten.index.Tensor", "aten.index_put_.default", "aten.index_put.default")
"""Take indices of the CPU for what is on the device."""


@contextmanager
def pretend_device() -> Iterator[torch.device]:
    """The device, while moving to it and making tensors there works."""
    with _FromNumbers(), _Dispatched():
        yield DEVICE


class Pretend(torch.Tensor):
    """A tensor of the pretended device."""

    behind: Tensor
    """What it holds."""

    @staticmethod
    def __new__(cls, inner: Tensor) -> "Pretend":
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=DEVICE,
        )
        made.behind = inner
        return made

    @classmethod
    def __torch_dispatch__(
        cls, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return _run(function, args, kwargs or {})


class _Dispatched(TorchDispatchMode):
    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return _run(function, args, kwargs or {})


class _FromNumbers(TorchFunctionMode):
    """`torch.tensor` makes its tensor before anything is dispatched."""

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if function is torch.tensor and kwargs.get("device") == DEVICE:
            return function(*args, **(kwargs | {"device": "cpu"})).to(DEVICE)
        return function(*args, **kwargs)


def _run(function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    name, wanted = str(function), kwargs.get("device")
    tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
    there = [x for x in tensors if isinstance(x, Pretend)]
    # numbers without an axis mix, as on a GPU
    here = [x for x in tensors if not isinstance(x, Pretend) and x.dim() > 0]
    indexed = name in INDEXED and isinstance(args[0], Pretend)
    if there and here and name not in MOVES and not indexed:
        raise RuntimeError(f"{name} takes tensors of two devices")
    if wanted == DEVICE:
        if kwargs.get("generator") is not None:
            raise RuntimeError(f"{name}: random numbers of the CPU are made on another device")
        kwargs = kwargs | {"device": torch.device("cpu")}
    inner = tree_map(lambda x: x.behind if isinstance(x, Pretend) else x, (args, kwargs))
    out = function(*inner[0], **inner[1])
    first = function._schema.arguments[0].alias_info if function._schema.arguments else None
    if first is not None and first.is_write:  # an operation in place returns what it was given
        return args[0]
    if wanted == DEVICE or (wanted is None and there):
        return tree_map(lambda x: Pretend(x) if isinstance(x, Tensor) else x, out)
    return out
