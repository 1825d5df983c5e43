"""Instances that are elsewhere, or like something else, at the moment of each of some rays."""

import copy
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from recon.field.field import ABSENT, GridField, Instance, RadianceField
from recon.field.space import Block
from recon.rendering.march import MarchOutput
from recon.rendering.rays import Rays
from scenes.motion.geometry import invert
from tests.march_maker import GROWTH, SAMPLING, at
from tests.scene_maker import tiny_field_config

RAYS, MOMENTS, LATENTS = 37, 4, 3
STEPS = {"sampling": SAMPLING, "growth": GROWTH}


def strong(part: GridField, log_denser: float = 0.0) -> GridField:
    with torch.no_grad():
        part.table.mul_(5e3)
        part.table.copy_(part.table.half().float())
    part.log_initial += log_denser
    return part


def moving(number: int, latents: int) -> Instance:
    """A box that drives past; it is not there at moment 1."""
    config = replace(tiny_field_config(), latents=latents)
    scale = np.diag([1 / 4.0, 1 / 2.0, 1 / 1.5, 1.0])
    scale[:3, 3] = 0.5
    places = [
        at(5.0 + 2.0 * k, 0.3 * number, 0.0, turn=(0.0, 0.1, 0.2 * k)) for k in range(MOMENTS)
    ]
    maps = torch.from_numpy(np.stack([(scale @ invert(place))[:3] for place in places])).float()
    maps[1] = ABSENT
    random = torch.Generator().manual_seed(number)
    return Instance(
        field=strong(GridField(config, random), 3.0),
        unit_from_world=maps.requires_grad_(),
        id=number,
        latent=torch.randn(MOMENTS, latents, generator=random).requires_grad_()
        if latents
        else None,
    )


def scene() -> tuple[RadianceField, list[Instance]]:
    block = Block(centre_m=(1.0, 2.0, 3.0), half_size_m=10.0)
    field = RadianceField(block, tiny_field_config(), 0)
    strong(field.static)
    return field, [moving(1, LATENTS), moving(2, 0)]


def rays() -> Rays:
    random = torch.Generator().manual_seed(3)
    along = torch.tensor([1.0, 0.0, 0.0]) + 0.3 * (torch.rand(RAYS, 3, generator=random) - 0.5)
    return Rays(
        origins_m=0.1 * torch.rand(RAYS, 3, generator=random),
        directions=torch.nn.functional.normalize(along, dim=1),
        pixel_angle=torch.full((RAYS,), 0.01),
        moment=torch.arange(RAYS) % (MOMENTS + 1) - 1,
    )


def wide(field: RadianceField, parts: list[Instance]) -> tuple[RadianceField, list[Instance]]:
    """The same in double precision."""
    found = [
        replace(
            part,
            field=copy.deepcopy(part.field).double(),
            unit_from_world=part.unit_from_world.detach().double().requires_grad_(),
            latent=None if part.latent is None else part.latent.detach().double().requires_grad_(),
        )
        for part in parts
    ]
    return copy.deepcopy(field).double(), found


def doubled(bundle: Rays) -> Rays:
    names = ("origins_m", "directions", "pixel_angle")
    return replace(bundle, **{name: getattr(bundle, name).double() for name in names})


def leaves(parts: list[Instance]) -> list[Tensor]:
    known = [part.latent for part in parts if part.latent is not None]
    fields = [p for part in parts for p in part.field.parameters()]
    return [*(part.unit_from_world for part in parts), *known, *fields]


def total(out: MarchOutput) -> Tensor:
    weights = torch.arange(1.0, 4.0).to(out.linear)
    return (out.linear * weights).sum() + out.expected_range_m.sum() + out.instance_weights.sum()
