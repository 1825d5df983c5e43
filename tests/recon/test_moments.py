"""Instances that are elsewhere, or like something else, at the moment of each ray."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from recon.kernels.native import native_problem
from recon.rendering.march import march
from recon.rendering.march_native import NativeScene, march_native
from tests.moments_maker import MOMENTS, RAYS, STEPS, doubled, leaves, rays, scene, total, wide


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
