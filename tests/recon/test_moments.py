"""Instances that are elsewhere, or like something else, at the moment of each ray."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from recon.field import ABSENT, GridField, Instance, RadianceField
from recon.kernels.native import native_problem
from recon.march import MarchOutput, march
from recon.march_native import NativeScene, march_native
from recon.rays import Rays
from recon.space import Block
from scenes.geometry import invert
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


def test_each_ray_meets_what_is_there_at_its_moment() -> None:
    field, parts = wide(*scene())
    bundle = doubled(rays())
    assert bundle.moment is not None
    with torch.no_grad():
        together, _ = march(field, bundle, parts, **STEPS)
        for moment in range(-1, MOMENTS):
            mine = bundle.moment == moment
            there = [
                replace(
                    part,
                    unit_from_world=part.unit_from_world[moment][None],
                    latent=None if part.latent is None else part.latent[moment][None],
                )
                for part in parts
                if moment not in (-1, 1)
            ]
            alone, _ = march(field, replace(bundle[mine], moment=None), there, **STEPS)
            assert_close(together.linear[mine], alone.linear)
            assert_close(together.range_m[mine], alone.range_m)
            assert bool((together.instance_weights[mine, 1:].sum(1) > 0.1).any()) == bool(there)


def test_gradients_of_latents_are_the_derivatives() -> None:
    field, parts = wide(*scene())
    latent = parts[0].latent
    assert latent is not None

    def run(value: Tensor) -> Tensor:
        there = [replace(parts[0], latent=value), parts[1]]
        return total(march(field, doubled(rays()), there, **STEPS)[0])

    assert torch.autograd.gradcheck(run, (latent,), fast_mode=True)


@pytest.mark.skipif(native_problem() is not None, reason=f"no native backend: {native_problem()}")
def test_the_engine_agrees_on_values_and_gradients() -> None:
    field, parts = scene()
    out = march_native(field, rays(), parts, **STEPS)
    wide_field, wide_parts = wide(field, parts)
    wanted, _ = march(wide_field, doubled(rays()), wide_parts, **STEPS)
    for name in ("linear", "opacity", "expected_range_m", "instance_weights"):
        assert_close(getattr(out, name).double(), getattr(wanted, name), rtol=1e-4, atol=1e-4)
    found = torch.autograd.grad(total(out), leaves(parts))
    truth = torch.autograd.grad(total(wanted), leaves(wide_parts))
    for mine, other in zip(found, truth, strict=True):
        assert bool(other.any())
        assert (mine - other).abs().max() <= 2e-4 * other.abs().max()


@pytest.mark.skipif(native_problem() is not None, reason=f"no native backend: {native_problem()}")
def test_a_moment_that_no_instance_has_is_refused() -> None:
    field, parts = scene()
    late = replace(rays(), moment=torch.full((RAYS,), MOMENTS))
    with pytest.raises(ValueError, match="moment"):
        NativeScene(field, parts).march(late, **STEPS)
