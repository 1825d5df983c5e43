"""An instance may be cut into more, or fewer, steps than others are."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from recon.config import SamplingConfig
from recon.field.field import Instance, RadianceField
from recon.kernels.native import native_problem
from recon.rendering.march import MarchOutput, march
from recon.rendering.march_native import NativeScene, march_native
from recon.rendering.rays import Rays
from tests.march_maker import at, boxed, bundle
from tests.scene_maker import tiny_field

needs_native = pytest.mark.skipif(
    native_problem() is not None, reason=f"no native backend: {native_problem()}"
)
OWN, OTHERS = 7, 12
GROWTH = 0.15
VALUES = ("linear", "opacity", "range_m", "expected_range_m", "instance_weights")


def sampling(steps: int) -> SamplingConfig:
    return SamplingConfig(
        near_m=0.5, far_m=60.0, min_step_m=0.5, instance_samples=steps, colour_threshold=0.0
    )


def made(own: int | None = OWN) -> tuple[RadianceField, list[Instance], Rays]:
    """Two boxes ahead, the first with steps of its own; in float64, exact in half precision."""
    field = tiny_field()
    parts = [boxed(at(6.0, 0.2, 0.0, turn=(0.1, 0.2, 0.3)), 1), boxed(at(9.0, -0.3, 0.2), 2, 6)]
    for part in (field.static, *(item.field for item in parts)):
        with torch.no_grad():
            part.table.copy_(part.table.half().double())
            part.log_initial -= 4.0  # thin: light comes from all along the way
    return field, [replace(parts[0], samples=own), parts[1]], bundle(9)


def in_single(
    field: RadianceField, instances: list[Instance], rays: Rays
) -> tuple[RadianceField, list[Instance], Rays]:
    parts = [
        replace(
            item,
            field=copy.deepcopy(item.field).float(),
            unit_from_world=item.unit_from_world.float(),
        )
        for item in instances
    ]
    names = ("origins_m", "directions", "pixel_angle")
    narrow = Rays(**{name: getattr(rays, name).float() for name in names})
    return copy.deepcopy(field).float(), parts, narrow


def weighed(out: MarchOutput) -> Tensor:
    """A sum in which every number takes part, with its own weight."""
    random, total = torch.Generator().manual_seed(9), torch.zeros(())
    for name in ("linear", "opacity", "expected_range_m", "instance_weights"):
        value = getattr(out, name)
        total = total + (value * torch.randn(value.shape, generator=random).to(value)).sum()
    return total


def parameters(field: RadianceField, instances: list[Instance]) -> list[Tensor]:
    return [*field.parameters(), *(p for item in instances for p in item.field.parameters())]


def test_its_own_number_is_used_and_that_of_others_stays() -> None:
    field, instances, rays = made()
    _, samples = march(field, rays, instances, sampling=sampling(OTHERS), growth=GROWTH)
    for owner, wanted in ((1, OWN), (2, OTHERS)):
        assert bool(((samples.owner == owner).sum(dim=1) == wanted).all())


def test_its_own_number_does_what_that_of_all_would() -> None:
    field, instances, rays = made()
    alone = instances[:1]
    with torch.no_grad():
        found = march(field, rays, alone, sampling=sampling(OTHERS), growth=GROWTH)[0]
        others = [replace(alone[0], samples=None)]
        wanted = march(field, rays, others, sampling=sampling(OWN), growth=GROWTH)[0]
        coarse = march(field, rays, others, sampling=sampling(OTHERS), growth=GROWTH)[0]
    for name in VALUES:
        assert torch.equal(getattr(found, name), getattr(wanted, name)), name
    assert not torch.allclose(found.linear, coarse.linear, atol=1e-3)


@needs_native
@pytest.mark.parametrize("own", [OWN, 40, None])
def test_the_native_engine_agrees(own: int | None) -> None:
    wide = made(own)
    field, instances, rays = in_single(*wide)
    steps = {"sampling": sampling(OTHERS), "growth": GROWTH}
    with torch.no_grad():
        wanted = march(wide[0], wide[2], wide[1], **steps)[0]
    found = NativeScene(field, instances).march(rays, instances, **steps)
    assert int((wanted.instance_weights[:, 1] > 0.1).sum()) >= 3
    for name in VALUES:
        assert_close(getattr(found, name).double(), getattr(wanted, name), rtol=1e-4, atol=1e-4)


@needs_native
def test_so_do_its_gradients() -> None:
    wide = made()
    field, instances, rays = in_single(*wide)
    steps = {"sampling": sampling(OTHERS), "growth": GROWTH}
    found = torch.autograd.grad(
        weighed(march_native(field, rays, instances, **steps)), parameters(field, instances)
    )
    wanted = torch.autograd.grad(
        weighed(march(wide[0], wide[2], wide[1], **steps)[0]), parameters(wide[0], wide[1])
    )
    assert len(found) == len(wanted)
    for mine, truth in zip(found, wanted, strict=True):
        assert bool(truth.any())
        assert float((mine.double() - truth).abs().max()) <= 2e-4 * float(truth.abs().max())
