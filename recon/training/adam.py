"""Adam, lazily: a row of the hash table moves only in steps that touched it.

Ordinary Adam keeps moving a row by its old momentum long after the one ray that touched it is
gone: ten times as far as one step means (1 / (1 - beta1)). Here rows without a gradient keep
their values, their moments and their own count of steps, as tiny-cuda-nn's Adam does. Lazy
moments are part of the definition, for every backend.
"""

import torch
from jaxtyping import Float, Int32
from torch import Tensor

BETA1, BETA2, EPSILON = 0.9, 0.99, 1e-15
"""As instant-ngp (Müller et al. 2022, sec. 4): epsilon tiny, because gradients of rows are."""


class LazyAdam:
    """State of the optimisation of one table; see Kingma and Ba 2015, algorithm 1."""

    def __init__(self, table: Float[Tensor, "rows features"]) -> None:
        self.first: Float[Tensor, "rows features"] = torch.zeros_like(table)
        self.second: Float[Tensor, "rows features"] = torch.zeros_like(table)
        self.count: Int32[Tensor, "rows"] = torch.zeros_like(table[:, 0], dtype=torch.int32)

    def tensors(self) -> dict[str, Tensor]:
        """The state, by name; to be saved, or filled in place."""
        return {"first": self.first, "second": self.second, "count": self.count}

    @torch.no_grad()
    def step(
        self,
        table: Float[Tensor, "rows features"],
        gradient: Float[Tensor, "rows features"],
        rate: float,
    ) -> None:
        """Move the touched rows of `table`, in place."""
        rows = torch.nonzero((gradient != 0.0).any(dim=1))[:, 0]
        touched = gradient[rows]
        first = torch.lerp(touched, self.first[rows], BETA1)
        second = torch.lerp(touched.square(), self.second[rows], BETA2)
        count = self.count[rows] + 1
        self.first[rows], self.second[rows], self.count[rows] = first, second, count
        steps = count.to(table.dtype)[:, None]
        correction = (1.0 - BETA2**steps).sqrt() / (1.0 - BETA1**steps)
        table[rows] -= rate * correction * first / (second.sqrt() + EPSILON)
