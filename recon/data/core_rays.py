"""Light that gets to the core of a road user that moves ends there: evidence that nobody measured.

A static scene and the field of somebody slow or far away explain pictures together as well as the
field does alone: both half opaque, one seen through the other. Pictures do not tell them apart, but
nobody sees through the middle of a car. So training hides what the static scene has behind the core
of a box (`recon.field.field.Instance.core`), and these rays say that the field absorbs what gets
there. They end in the box, nobody knows where: they are taken from so far away that it hardly
matters, and where nothing that is known is nearer.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from recon.actors.actor_fields import box_poses, core_in_cube, square, unit_from_box
from recon.actors.cores import core_of
from recon.data.actor_rays import weight_of
from recon.data.depth_rays import DepthEvidence
from recon.data.masks import KNOWN_SLACK_US
from recon.data.pictures import Pixels
from recon.field.space import cross_box
from recon.rendering.ray_samples import cross_unit_cube
from recon.rendering.rays import Rays
from scenes.actor import Actor

SHALLOW = 0.2
"""Ways through a box are at most this share of the way there."""
ENDS = 0.3
"""Rays are taken to end after this share of the way through the box."""
NEARER_M = 1.0
"""What evidence shows so much before a box may hide it ..."""
BESIDE_PX = 2
"""... from pixels so near to where it is."""
MOST_RAYS = 20_000
"""Of each camera, evenly among the pixels around road users."""


@torch.no_grad()
def solid_rays(
    actors: Sequence[Actor],
    everybody: Sequence[Actor],
    pixels: Sequence[Pixels],
    depth: DepthEvidence,
) -> DepthEvidence | None:
    """Rays of training pixels that end in the cores of those of the actors who move.

    `everybody` may stand before them, and so may what `depth` shows. None where there are none.
    """
    known = [actor for actor in actors if actor.is_moving and core_of(actor.kind) is not None]
    parts = [_of_camera(known, everybody, each, depth) for each in pixels] if known else []
    found = [ray for part in parts for ray in part]
    if not found:
        return None
    weights = [torch.from_numpy(weight_of(len(part), actor)).float() for actor, part in found]
    total = sum(len(part) for _, part in found)
    return DepthEvidence(
        origins_m=torch.cat([part.origins_m for _, part in found]),
        directions=torch.cat([part.directions for _, part in found]),
        range_m=torch.cat([part.range_m for _, part in found]),
        time_us=torch.cat([part.time_us for _, part in found if part.time_us is not None]),
        of_actors=torch.arange(total),
        actor_weight=torch.cat(weights),
    )


def _of_camera(
    actors: Sequence[Actor], everybody: Sequence[Actor], pixels: Pixels, depth: DepthEvidence
) -> list[tuple[Actor, DepthEvidence]]:
    """The rays of one camera, by actor."""
    chosen = pixels.of_actors[:: 1 + len(pixels.of_actors) // MOST_RAYS].unique()
    rays, time_us = pixels.rays(chosen), pixels.time_us(chosen)
    nearest_m = _nearest_m(pixels, chosen, depth)
    crossings = {actor.id: _crossing(actor, rays, time_us) for actor in everybody}
    found = []
    for actor in actors:
        entry_m, leave_m = crossings[actor.id]
        free = nearest_m >= entry_m - NEARER_M
        for number, (start_m, end_m) in crossings.items():
            if number != actor.id:
                free &= ~((end_m > start_m) & (start_m < entry_m))
        deep = leave_m - entry_m
        ends = free & _meets_core(actor, rays, time_us) & (deep < SHALLOW * entry_m)
        if bool(ends.any()):
            part = rays[torch.nonzero(ends)[:, 0]]
            evidence = DepthEvidence(
                origins_m=part.origins_m,
                directions=part.directions,
                range_m=(entry_m + ENDS * deep)[ends],
                time_us=time_us[ends],
            )
            found.append((actor, evidence))
    return found


def _maps(actor: Actor, time_us: Int64[Tensor, "n"]) -> tuple[Tensor, Tensor]:
    """From the world to the cube of an actor at each time, and whether it is known then."""
    times, row = torch.unique(time_us, return_inverse=True)
    where = box_poses((actor,), times.numpy(), KNOWN_SLACK_US)
    size_m = torch.from_numpy(actor.size_m).float()
    maps = unit_from_box(size_m) @ square(where.box_from_world[:, 0])
    return maps[row], where.there[row, 0]


def _in_cube(actor: Actor, rays: Rays, time_us: Int64[Tensor, "n"]) -> tuple[Tensor, ...]:
    """Rays in the cube of an actor: where they start, their directions, whether it is there."""
    maps, there = _maps(actor, time_us)
    starts = torch.einsum("nij,nj->ni", maps[..., :3], rays.origins_m) + maps[..., 3]
    return starts, torch.einsum("nij,nj->ni", maps[..., :3], rays.directions), there


def _crossing(
    actor: Actor, rays: Rays, time_us: Int64[Tensor, "n"]
) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"]]:
    """Where rays enter and leave the box of an actor [m]; equal where they do not."""
    starts, along, there = _in_cube(actor, rays, time_us)
    entry, leave = cross_unit_cube(starts, along)
    return entry, torch.where(there, leave, entry)


def _meets_core(actor: Actor, rays: Rays, time_us: Int64[Tensor, "n"]) -> Bool[Tensor, "n"]:
    starts, along, there = _in_cube(actor, rays, time_us)
    core = core_in_cube(actor.kind)
    assert core is not None
    entry, leave = cross_box(starts, along, core[0], core[1])
    return there & (leave > entry.clamp_min(0.0))


def _nearest_m(
    pixels: Pixels, chosen: Int64[Tensor, "n"], depth: DepthEvidence
) -> Float[Tensor, "n"]:
    """How far away the nearest evidence near each pixel is, from its camera [m]; inf for none.

    Near it is beside or above: the road before somebody's feet hides nobody.
    """
    height, width = pixels.camera.height, pixels.camera.width
    frames, far = len(pixels.line_time_us), torch.tensor(torch.inf)
    nearest = far.repeat(frames, height, width)
    if depth.time_us is not None and len(depth):
        line, ends_m = pixels.camera.lines // 2, depth.ends_m()
        middle = pixels.line_time_us[:, line]
        for frame in range(frames):
            seen = (depth.time_us - middle[frame]).abs() <= KNOWN_SLACK_US
            ends = ends_m[seen] - pixels.line_origin_m[frame, line]
            local = ends @ pixels.line_rotation[frame, line]
            place = torch.from_numpy(pixels.camera.project(local.double().numpy()))
            inside = (place >= 0.0).all(1) & (place < torch.tensor([width, height])).all(1)
            inside &= local[:, 2] > 0.0
            column, row = place[inside].long().unbind(1)
            index = row * width + column
            nearest[frame].view(-1).scatter_reduce_(
                0, index, ends[inside].norm(dim=1), "amin", include_self=True
            )
    wide = torch.nn.functional.pad(-nearest, (BESIDE_PX, BESIDE_PX, BESIDE_PX, 0), value=-torch.inf)
    size = (BESIDE_PX + 1, 2 * BESIDE_PX + 1)
    near = -torch.nn.functional.max_pool2d(wide[:, None], size, stride=1)
    return near.flatten()[chosen]
