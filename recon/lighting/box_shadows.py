"""The shadow that somebody who is not where he was recorded throws on the ground around him.

A box hides part of the sky from the ground under and beside it: exactly the cosine-weighted solid
angle of its faces (Lambert's formula for polygons), so the ground is darkest under the box and
brightens softly with distance; and the sun, where there is one, from the ground in the box's own
shadow (`recon.lighting.irradiance.shade` says how much that is). Shadows of what was recorded are
in the field already; this is for what was moved or inserted. World frame, metres.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from recon.field.space import cross_box

CLEARANCE = 0.1
"""What is on wheels or feet begins so far up, in its heights: cars at 0.15 m, lorries at 0.4."""
GROUND_M = 0.4
"""Surfaces within this of a box's foot are the ground that it stands on."""
ROUGH_M, GRAZING = 0.08, 0.02
"""How well a field knows the height of the road [m], and the sine below which rays graze it."""
REACH = 3.0
"""Ground further away than this many times the box's largest side keeps its light."""

Box = tuple[Float[Tensor, "4 4"], Float[Tensor, "3"]]
"""`world_from_box`, and length, width, height [m]."""


def box_shadows(
    origins: Float[Tensor, "*n 3"],
    directions: Float[Tensor, "*n 3"],
    range_m: Float[Tensor, "*n"],
    boxes: Sequence[Box],
    to_sun: Float[Tensor, "3"] | None = None,
) -> tuple[Float[Tensor, "*n"], Bool[Tensor, "*n"], Float[Tensor, "*n"]]:
    """What boxes leave of the light of the ground that each ray meets.

    Args:
        origins: Where rays start [m].
        directions: Unit directions.
        range_m: Distance of the first surface [m]; inf where there is none.
        boxes: Who throws a shadow.
        to_sun: Direction towards the sun, where there is one.

    Returns:
        What the sky's light is multiplied by, exactly 1 wherever no box is near; whether a box is
        between the ground and the sun; and how much further along its ray that ground is [m].
    """
    met = torch.isfinite(range_m)
    points = origins + directions * torch.where(met, range_m, 0.0)[..., None]
    factor, hidden = torch.ones_like(range_m), torch.zeros_like(met)
    further_m = torch.zeros_like(range_m)
    for world_from_box, size_m in boxes:
        rotation, middle = world_from_box[:3, :3], world_from_box[:3, 3]
        local = (points - middle.to(points)) @ rotation.to(points)
        size = size_m.to(points)
        near = met & _on_the_ground(local, size)
        if not bool(near.any()):
            continue
        foot, ahead_m = _foot(local[near], (directions @ rotation.to(points))[near], size)
        factor[near] = factor[near] * (1.0 - sky_covered(foot, size)).clamp(0.0, 1.0)
        if to_sun is not None:
            sun = to_sun.to(points) @ rotation.to(points)
            behind = in_shadow(foot, size, sun)
            further_m[near] = torch.where(behind, ahead_m, further_m[near])
            hidden[near] |= behind
    return factor, hidden, further_m


def _on_the_ground(local: Float[Tensor, "*n 3"], size_m: Float[Tensor, "3"]) -> Bool[Tensor, "*n"]:
    """Points, in the frame of a box, that lie on the ground around and under it."""
    height = local[..., 2] + 0.5 * size_m[2]
    reach = 0.5 * size_m[:2] + REACH * size_m.max()
    return (height.abs() <= GROUND_M) & (local[..., :2].abs() <= reach).all(dim=-1)


def _foot(
    local: Float[Tensor, "n 3"], along: Float[Tensor, "n 3"], size_m: Float[Tensor, "3"]
) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n"]]:
    """Where rays meet the plane that a box stands on, height 0, and how much further that is [m].

    Fields know the road's height to a few centimetres, which at a grazing angle is most of a car's
    length: that far, points are moved along their rays, and straight down or up from there.
    """
    height = local[:, 2] + 0.5 * size_m[2]
    down = -along[:, 2]
    ahead_m = height.clamp(-ROUGH_M, ROUGH_M) / down.clamp_min(GRAZING)
    ahead_m = torch.where(down > GRAZING, ahead_m, 0.0)
    moved = local[:, :2] + ahead_m[:, None] * along[:, :2]
    return torch.cat([moved, torch.zeros_like(moved[:, :1])], dim=1), ahead_m


def sky_covered(foot_m: Float[Tensor, "n 3"], size_m: Float[Tensor, "3"]) -> Float[Tensor, "n"]:
    """Share of the light of an even sky that a box keeps from level ground.

    Args:
        foot_m: Points on the ground in a frame whose axes are the box's and whose origin is on
            the ground under its middle [m]; their height is 0.
        size_m: Length, width, height of the box; its underside is `CLEARANCE` up.
    """
    x, y = (0.5 * size_m[:2]).tolist()
    low, high = CLEARANCE * float(size_m[2]), float(size_m[2])
    beyond_x, beyond_y = foot_m[:, 0].abs() > x, foot_m[:, 1].abs() > y
    ahead, left = torch.sign(foot_m[:, 0]), torch.sign(foot_m[:, 1])
    under = [(x, y, low), (-x, y, low), (-x, -y, low), (x, -y, low)]
    end = [(x, y, low), (x, -y, low), (x, -y, high), (x, y, high)]
    side = [(x, y, low), (-x, y, low), (-x, y, high), (x, y, high)]
    one = torch.ones_like(ahead)
    covered = _polygon(foot_m, under, one, one)
    covered = covered + torch.where(beyond_x, _polygon(foot_m, end, ahead, one), 0.0)
    return covered + torch.where(beyond_y, _polygon(foot_m, side, one, left), 0.0)


def _polygon(
    foot_m: Float[Tensor, "n 3"],
    corners: Sequence[tuple[float, float, float]],
    mirror_x: Float[Tensor, "n"],
    mirror_y: Float[Tensor, "n"],
) -> Float[Tensor, "n"]:
    """Cosine-weighted share of the hemisphere over each point that a polygon above it covers."""
    mirror = torch.stack([mirror_x, mirror_y, torch.ones_like(mirror_x)], dim=-1)
    to = foot_m.new_tensor(corners) * mirror[:, None] - foot_m[:, None]
    to = to / to.norm(dim=-1, keepdim=True)
    after = to.roll(-1, dims=1)
    cross = torch.linalg.cross(to, after)
    sine = cross.norm(dim=-1)
    angle = torch.atan2(sine, (to * after).sum(dim=-1))
    share = (angle * cross[..., 2] / sine.clamp_min(1e-12)).sum(dim=-1)
    return share.abs() / (2.0 * torch.pi)


def in_shadow(
    foot_m: Float[Tensor, "n 3"], size_m: Float[Tensor, "3"], to_sun: Float[Tensor, "3"]
) -> Bool[Tensor, "n"]:
    """Whether a box stands between points on the ground and the sun; frame as `sky_covered`."""
    half = 0.5 * size_m * size_m.new_tensor([1.0, 1.0, 1.0 - CLEARANCE])
    middle = foot_m.new_tensor([0.0, 0.0, 0.5 * (1.0 + CLEARANCE) * float(size_m[2])])
    enters, leaves = cross_box(foot_m, to_sun, middle - half, middle + half)
    return (enters <= leaves) & (leaves > 0.0)
