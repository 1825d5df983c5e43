"""nerfstudio's own hash encoding and networks, in PyTorch, answering `benchmarks/bench_kernels.py`.

    PYTHON -m benchmarks.kernels_peer SIZES SAMPLES ORDER     (from the root of the repository)

PYTHON has nerfstudio (`make test-nerfstudio` builds such an environment) and need not have
otherlane. For each line of standard input, a work and a number of threads as JSON, it does the
work once and writes what it took as a line of JSON; so it can take turns with others.
"""

import json
import os
import sys
import time

import torch
from torch import Tensor

from benchmarks.kernels_inputs import (
    CHANNELS,
    COARSEST,
    FINEST,
    GEOMETRY,
    HARMONICS,
    SIZES,
    Inputs,
    Sizes,
    inputs,
)


class PeerField(torch.nn.Module):
    """What nerfacto's field does at a point, with its own classes, in our sizes."""

    def __init__(self, sizes: Sizes) -> None:
        from nerfstudio.field_components.activations import (  # pyright: ignore[reportMissingImports]
            trunc_exp,
        )
        from nerfstudio.field_components.encodings import (  # pyright: ignore[reportMissingImports]
            HashEncoding,
            SHEncoding,
        )
        from nerfstudio.field_components.mlp import MLP  # pyright: ignore[reportMissingImports]

        super().__init__()
        torch.manual_seed(0)
        self.exp = trunc_exp
        self.encoding = HashEncoding(
            num_levels=sizes.levels,
            min_res=COARSEST,
            max_res=FINEST,
            log2_hashmap_size=sizes.log2_table,
            features_per_level=sizes.features,
            implementation="torch",
        )
        self.harmonics = SHEncoding(levels=4, implementation="torch")
        hidden = {"layer_width": sizes.width, "implementation": "torch"}
        self.geometry = MLP(sizes.encoded, num_layers=2, out_dim=GEOMETRY, **hidden)
        self.colour = MLP(GEOMETRY + HARMONICS, num_layers=3, out_dim=CHANNELS, **hidden)

    def density(self, at: Inputs) -> tuple[Tensor, Tensor]:
        """[n], [n, geometry]"""
        geometry = self.geometry(self.encoding(at.points))
        return self.exp(geometry[:, 0]), geometry

    def forward(self, at: Inputs) -> tuple[Tensor, Tensor]:
        """[n], [n, 3]"""
        density, geometry = self.density(at)
        colour = torch.cat([geometry, self.harmonics(at.directions)], dim=-1)
        return density, self.exp(self.colour(colour))

    def both(self, at: Inputs) -> tuple[Tensor, ...]:
        """Gradients of every parameter."""
        wanted = tuple(self.parameters())
        return torch.autograd.grad(self(at), wanted, (at.of_density, at.of_linear))


def do(field: PeerField, work: str, at: Inputs) -> tuple[Tensor, ...]:
    """One of `WORKS`."""
    if work == "both":
        return field.both(at)
    with torch.no_grad():
        return field.density(at) if work == "density" else field(at)


def main(sizes: Sizes, samples: int, order: str) -> None:
    """Answer until the input ends."""
    # only answers may come out there: whatever a library prints goes to standard error
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    field, at = PeerField(sizes), inputs(samples, in_rays=order == "rays")
    found = do(field, "both", at)
    assert all(bool(torch.isfinite(x).all()) and bool((x != 0).any()) for x in found)
    from importlib.metadata import version

    about = {"nerfstudio": version("nerfstudio"), "torch": torch.__version__}
    about["parameters"] = sum(parameter.numel() for parameter in field.parameters())
    print(json.dumps(about), file=answers, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        torch.set_num_threads(asked["threads"])
        wall, cpu = time.perf_counter(), time.process_time()
        do(field, asked["work"], at)
        cost = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
        print(json.dumps(cost), file=answers, flush=True)


if __name__ == "__main__":
    main(SIZES[sys.argv[1]], int(sys.argv[2]), sys.argv[3])
