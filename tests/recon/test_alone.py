"""Where somebody who moves is, the static scene is empty: in its box, then, above the road."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from recon.field.field import Instance, RadianceField
from recon.kernels.native import native_problem
from recon.rendering.march import march, transmittance
from recon.rendering.march_native import NativeScene, march_native
from recon.rendering.rays import Rays
from tests.moments_maker import RAYS, STEPS, doubled, leaves, rays, scene, total, wide

LOW = 0.4


def lonely() -> tuple[RadianceField, list[Instance]]:
    """Of two who move, one is alone above two fifths of its box."""
    field, parts = scene()
    return field, [replace(parts[0], alone_above=LOW), parts[1]]


CORE = torch.tensor([[0.3, 0.3, 0.45], [0.7, 0.6, 0.8]])


def solid() -> tuple[RadianceField, list[Instance]]:
    """The same, where nobody sees through the middle of the one."""
    field, parts = lonely()
    return field, [replace(parts[0], core=CORE), parts[1]]


def where(item: Instance, bundle: Rays, at_m: Tensor) -> Tensor:
    """Which places along rays are those of an instance that is alone, one at a time."""
    found = torch.zeros(at_m.shape, dtype=torch.bool)
    for ray in range(len(bundle)):
        moment = 0 if bundle.moment is None else int(bundle.moment[ray])
        if moment < 0:
            continue
        affine = item.unit_from_world[moment].detach()
        for step, distance in enumerate(at_m[ray]):
            place = bundle.origins_m[ray] + distance * bundle.directions[ray]
            unit = affine[:, :3] @ place + affine[:, 3]
            inside = bool(((unit > 0.0) & (unit < 1.0)).all())
            found[ray, step] = inside and bool(unit[2] > LOW)
        if item.core is None:
            continue
        # finely: whether the ray meets the core, and what lies behind where it enters the box
        fine = torch.linspace(0.0, 30.0, 6001)
        places = bundle.origins_m[ray] + fine[:, None] * bundle.directions[ray]
        units = places @ affine[:, :3].T + affine[:, 3]
        alone = ((units > 0.0) & (units < 1.0)).all(1) & (units[:, 2] > LOW)
        if bool(((units > item.core[0]) & (units < item.core[1])).all(1).any()):
            found[ray] |= at_m[ray] > fine[alone][0]
    return found


@pytest.mark.parametrize("peopled", [lonely, solid])
def test_the_static_scene_has_nothing_where_somebody_is_alone(
    peopled: Callable[[], tuple[RadianceField, list[Instance]]],
) -> None:
    field, parts = peopled()
    shared = [replace(item, alone_above=1.0) for item in parts]
    bundle = rays()
    with torch.no_grad():
        _, before = march(field, bundle, shared, **STEPS)
        _, after = march(field, bundle, parts, **STEPS)
    static = before.owner == 0
    assert torch.equal(after.owner, before.owner)
    hidden = static & where(parts[0], bundle, before.middle_m)
    assert (hidden & (before.density > 0.0)).sum() > (20 if parts[0].core is None else 50)
    assert bool((after.density[hidden] == 0.0).all())
    assert_close(after.density[~hidden], before.density[~hidden])


def test_nobody_is_alone_where_it_is_not() -> None:
    """Rays that see nothing that moves, and shadows, meet the whole static scene."""
    field, parts = solid()
    nobody = replace(rays(), moment=torch.full((RAYS,), -1))
    with torch.no_grad():
        alone, shared = (
            march(field, nobody, items, **STEPS)[0]
            for items in (parts, [replace(item, alone_above=1.0) for item in parts])
        )
    assert_close(alone.linear, shared.linear)
    until_m = torch.full((RAYS,), 30.0)
    if native_problem() is None:
        wanted = transmittance(field, rays(), until_m, **STEPS)
        found = NativeScene(field, parts).transmittance(rays(), until_m, **STEPS)
        assert_close(found, wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.skipif(native_problem() is not None, reason=f"no native backend: {native_problem()}")
@pytest.mark.parametrize("peopled", [lonely, solid])
def test_the_engine_agrees_on_values_and_gradients(
    peopled: Callable[[], tuple[RadianceField, list[Instance]]],
) -> None:
    field, parts = peopled()
    out = march_native(field, rays(), parts, **STEPS)
    wide_field, wide_parts = wide(field, parts)
    wanted, _ = march(wide_field, doubled(rays()), wide_parts, **STEPS)
    for name in ("linear", "opacity", "expected_range_m", "instance_weights"):
        assert_close(getattr(out, name).double(), getattr(wanted, name), rtol=1e-4, atol=1e-4)
    found = torch.autograd.grad(total(out), [*leaves(parts), *field.static.parameters()])
    truth = torch.autograd.grad(
        total(wanted), [*leaves(wide_parts), *wide_field.static.parameters()]
    )
    for mine, other in zip(found, truth, strict=True):
        assert bool(other.any())
        assert (mine - other).abs().max() <= 2e-4 * other.abs().max()
