"""Lets torchvision's CUDA wheel be imported beside a torch without CUDA.

The package index here has only that wheel for some versions; its compiled half does not load
then, and its Python half stops at `operator torchvision::nms does not exist`. This declares the
two operators before torchvision is imported; they are never called. Named in a .pth file of the
environment, so that every program there is served, `ns-train` too.
"""

import sys
from collections.abc import Sequence
from types import ModuleType


class _BeforeTorchvision:
    """Finds nothing; declares the operators when torchvision is first looked for."""

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None, /
    ) -> None:
        if fullname == "torchvision":
            sys.meta_path.remove(self)
            _declare()


_declared = []
"""Operators live as long as the library that declared them."""


def _declare() -> None:
    from torch import library, version

    if version.cuda is None:
        declared = library.Library("torchvision", "DEF")
        declared.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        declared.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _declared.append(declared)


sys.meta_path.insert(0, _BeforeTorchvision())
