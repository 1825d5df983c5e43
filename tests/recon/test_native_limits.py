"""What must not matter to the native engine: threads, forks, numbers that are none."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from recon.field.field import RadianceField
from recon.rendering.march import march
from recon.rendering.march_native import NativeScene, march_native
from recon.rendering.rays import Rays
from tests.native_maker import (
    GROWTH,
    RAYS,
    SAMPLING,
    STANDARD,
    make_rays,
    make_scene,
    needs_native,
    parameters,
    weighed,
)

pytestmark = [needs_native, pytest.mark.usefixtures("instruction_set")]


@pytest.mark.parametrize("parts", [0, 2])
def test_threads_change_no_bit(parts: int) -> None:
    field, instances = make_scene(STANDARD, parts)
    rays, before = make_rays(), torch.get_num_threads()
    many = Rays(
        **{
            name: torch.cat([getattr(rays, name)] * 40)
            for name in ("origins_m", "directions", "pixel_angle")
        }
    )
    results = []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            out = march_native(field, many, instances, sampling=SAMPLING, growth=GROWTH)
            grads = torch.autograd.grad(weighed(out), parameters(field, instances))
            results.append([out.linear, out.range_m, out.instance_weights, *grads])
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        for mine, theirs in zip(results[0], other, strict=True):
            assert torch.equal(mine, theirs)


@pytest.mark.parametrize("name", ["origins_m", "directions"])
def test_what_is_no_number_breaks_nothing(name: str) -> None:
    """Pixels beside what a lens shows have no direction."""
    field, instances = make_scene(STANDARD, 2)
    scene, rays = NativeScene(field, instances), make_rays()
    steps = {"sampling": SAMPLING, "growth": GROWTH}
    broken = getattr(rays, name).clone()
    broken[3] = torch.nan
    angle = rays.pixel_angle.clone()
    angle[3] = torch.nan
    there = replace(rays, pixel_angle=angle, **{name: broken})
    others = torch.arange(RAYS) != 3
    with torch.no_grad():
        defined = (march(field, each, instances, **steps)[0] for each in (rays, there))
    for whole, found in ((scene.march(rays, **steps), scene.march(there, **steps)), (*defined,)):
        assert torch.equal(found.linear[others], whole.linear[others])
        assert found.instance[3] == 0
        assert not found.instance_weights[3].any()
    points = torch.full((5, 3), torch.nan)
    assert len(scene.query(points, torch.eye(3)[[0] * 5]).density) == 5


def test_only_float32_is_taken() -> None:
    field, _ = make_scene(STANDARD, 0)
    with pytest.raises(ValueError, match="float32"):
        NativeScene(field.double())


def test_a_forked_child_has_threads_of_its_own() -> None:
    import multiprocessing

    field, _ = make_scene(STANDARD, 0)
    scene, rays, before = NativeScene(field), make_rays(), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        here = scene.march(rays, sampling=SAMPLING, growth=GROWTH).linear
        context = multiprocessing.get_context("fork")
        with context.Pool(1) as pool:
            there = pool.apply_async(_in_child, (scene.field, rays)).get(timeout=60)
    finally:
        torch.set_num_threads(before)
    assert_close(here, torch.from_numpy(there), rtol=0.0, atol=0.0)


def _in_child(field: RadianceField, rays: Rays) -> np.ndarray:
    out = NativeScene(field).march(rays, sampling=SAMPLING, growth=GROWTH)
    return out.linear.numpy()
