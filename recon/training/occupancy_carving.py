"""Cells of the occupancy that lie in vehicles that stand: the static scene has nothing there.

Rays that see no vehicle make the static scene empty in its box (`recon.data.occluded_ground`), but
for a fog that is too thin for them to notice. Cells that lie in the box as a whole are emptied, but
for those near the ground. Every engine skips them.
"""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from recon.actors.actor_fields import ActorFields, BoxPoses, low_share
from recon.field.space import Block

CORNERS = torch.tensor([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])


@torch.no_grad()
def emptied_cells(
    actor_fields: ActorFields | None, where: BoxPoses | None, block: Block, side: int
) -> Int64[Tensor, "cells"]:
    """Numbers, among `side`^3 cells of the block's unit cube, of those in standing vehicles."""
    found = [torch.zeros(0, dtype=torch.int64)]
    if actor_fields is not None and where is not None:
        first = where.at(torch.zeros(1, dtype=torch.int64, device=where.time_us.device))
        for k, item in enumerate(actor_fields.instances(first)):
            if not actor_fields.moves[k]:
                low = low_share(float(actor_fields.size_m[k, 2]))
                found.append(_within(item.unit_from_world[0].cpu(), low, block, side))
    return torch.unique(torch.cat(found))


def _within(
    affine: Float[Tensor, "3 4"], low: float, block: Block, side: int
) -> Int64[Tensor, "cells"]:
    """Cells whose corners all lie in a box that an affine map takes to the unit cube."""
    box_corners = torch.linalg.solve(affine[:, :3], (CORNERS - affine[:, 3]).T).T
    unit = block.unit(box_corners) * side
    start, stop = unit.amin(0).floor().long(), unit.amax(0).ceil().long()
    start, stop = start.clamp(0, side), stop.clamp(0, side)
    axes = [torch.arange(int(a), int(b)) for a, b in zip(start, stop, strict=True)]
    cells = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).view(-1, 3)
    corners = block.world((cells[:, None] + CORNERS) / side)
    local = corners @ affine[:, :3].T + affine[:, 3]
    inside: Bool[Tensor, "cells"] = ((local >= 0.0) & (local <= 1.0)).all(-1).all(-1)
    inside &= (local[..., 2] >= low).all(-1)
    x, y, z = cells[inside].unbind(-1)
    return (z * side + y) * side + x
