"""Who saw what: for every coarse voxel, what the training rays did there.

"Never observed" means neither hit nor seen through by any training ray. The statistics are part
of the checkpoint; labels and gates of rendered data are computed from them.
"""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from recon.field.space import Block, cell_index
from recon.rendering.march import Samples
from recon.rendering.rays import Rays

HIT_WEIGHT = 0.05
"""A sample that makes up at least this share of its pixel is a hit."""
SEEN_THROUGH = 0.5
"""A voxel is seen through where more than this share of the light is left."""
SEEN_STRIDE = 8
"""What is seen through is recorded at every 8th step: voxels are larger than steps."""


class ObservationGrid(nn.Module):
    """Counts on `resolution`^3 voxels of the block's unit cube."""

    hits: Float[Tensor, "voxels"]
    """Samples of training rays that were absorbed in the voxel."""
    seen_through: Float[Tensor, "voxels"]
    """Steps of training rays that passed through it and went on, one in `SEEN_STRIDE`."""

    def __init__(self, resolution: int) -> None:
        super().__init__()
        self.resolution = resolution
        voxels = resolution**3
        self.register_buffer("hits", torch.zeros(voxels))
        self.register_buffer("seen_through", torch.zeros(voxels))

    def voxels(self, unit: Float[Tensor, "*n 3"]) -> Int64[Tensor, "*n"]:
        """Index of the voxel of each point."""
        return cell_index(unit, self.resolution)

    def arrays(self) -> list[Tensor]:
        """Everything that is counted, in place."""
        return [self.hits, self.seen_through]

    @torch.no_grad()
    def gather(self, rays: Rays, samples: Samples, block: Block) -> None:
        """Add the samples of training rays through `block` to the statistics."""
        self.seen_through += _counts(self._passed(rays, samples, block), len(self.hits))
        looks = samples.static
        hit = looks.weights >= HIT_WEIGHT
        self.hits += _counts(self.voxels(looks.unit[hit]), len(self.hits))

    def _passed(self, rays: Rays, samples: Samples, block: Block) -> Int64[Tensor, "steps"]:
        """Voxels of the steps that light passed, also where the sampler knew them to be empty.

        Steps are the static scene's; what moves may be in their way.
        """
        left = 1.0 - samples.weights.cumsum(-1)
        passed = (samples.weights < HIT_WEIGHT) & (left > SEEN_THROUGH)
        static = samples.owner == 0
        passed, middle_m = (
            x[static].view(len(rays), -1)[:, ::SEEN_STRIDE] for x in (passed, samples.middle_m)
        )
        return self.voxels(block.unit(rays.at(middle_m)))[passed]

    def observed(self, block: Block, points_m: Float[Tensor, "*n 3"]) -> Bool[Tensor, "*n"]:
        """Whether any training ray hit or saw through the voxels of world points."""
        voxel = self.voxels(block.unit(points_m))
        return (self.hits[voxel] > 0) | (self.seen_through[voxel] > 0)


def _counts(cells: Tensor, voxels: int) -> Float[Tensor, "voxels"]:
    return torch.bincount(cells, minlength=voxels).float()
