"""Which surfaces of road users that move the training pictures showed: counted at the end."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from recon.config import ReconstructionConfig
from recon.data.training_data import Data, Pixels
from recon.field.field import Instance
from recon.rendering.march import MarchOutput, march
from recon.rendering.rays import Rays
from recon.training.state import Training

MOST_RAYS = 200_000
"""At most so many pixels of each camera are looked at, evenly among those around road users."""
AT_ONCE = 8192


@torch.no_grad()
def count_sightings(training: Training, data: Data, config: ReconstructionConfig) -> None:
    """Fill the crowd's `hits`: pixels of training pictures that showed each part of it."""
    if training.model.actor_fields is None or data.where is None:
        return
    for pixels in data.pixels:
        stride = max(1, -(-len(pixels.of_actors) // MOST_RAYS))
        for chosen in pixels.of_actors[::stride].split(AT_ONCE):
            _count(training, pixels, chosen, config)


def _count(
    training: Training, pixels: Pixels, chosen: torch.Tensor, config: ReconstructionConfig
) -> None:
    actor_fields, where = training.model.actor_fields, training.where
    assert actor_fields is not None
    assert where is not None
    rays = replace(pixels.rays(chosen), moment=where.row(pixels.time_us(chosen)))
    instances, rays = training.instances(rays)
    out = _march(training, rays, instances, config)
    points = rays.origins_m + rays.directions * out.range_m[:, None]
    for k, item in enumerate(instances):
        mine = out.instance == k + 1
        assert rays.moment is not None
        affine = item.unit_from_world[rays.moment[mine]]
        place = torch.einsum("nij,nj->ni", affine[..., :3], points[mine]) + affine[..., 3]
        actor_fields.count(k, place)


def _march(
    training: Training, rays: Rays, instances: Sequence[Instance], config: ReconstructionConfig
) -> MarchOutput:
    sampling = config.sampling
    steps = {
        "sampling": sampling,
        "growth": sampling.render_growth,
        "termination": sampling.termination,
    }
    if training.native is not None:
        return training.native.scene.march(rays, instances, **steps)
    return march(training.model.field, rays, instances, **steps)[0]
