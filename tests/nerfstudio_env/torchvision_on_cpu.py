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


_library = []
"""Operators live as long as the library that declared them."""


def _declare() -> None:
    import torch

    if torch.version.cuda is None:
        library = torch.library.Library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _library.append(library)


sys.meta_path.insert(0, _BeforeTorchvision())
