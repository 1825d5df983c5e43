"""Who comes from elsewhere stands in the light of here: just so bright, and near to the truth."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from recon.config import ActorsConfig, SamplingConfig
from recon.field import GridField, Instance, RadianceField
from recon.march import MarchOutput, march
from recon.rays import Rays
from recon.relight import ground_linear, relit
from recon.space import Block
from recon.staged import Look
from scenes.actor import Actor
from scenes.geometry import translation
from scenes.semantics import Semantic
from scenes.trajectory import Trajectory

MADE = torch.tensor([0.2, 0.25, 0.3])


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Plain:
    """Level ground at a height, of one radiance."""

    height_m: float
    linear: Float[Tensor, "3"]

    def render_rays(
        self,
        origins: Float[Tensor, "rays 3"],
        directions: Float[Tensor, "rays 3"],
        pixel_angle: Float[Tensor, "rays"],
    ) -> MarchOutput:
        count = len(pixel_angle)
        range_m = (self.height_m - origins[:, 2]) / directions[:, 2]
        return MarchOutput(
            linear=self.linear.expand(count, 3),
            opacity=torch.ones(count),
            range_m=range_m,
            expected_range_m=range_m,
            instance=torch.zeros(count, dtype=torch.int64),
            instance_weights=torch.ones(count, 1),
        )


def driver() -> Actor:
    time_us = 100_000 * np.arange(30)
    place_m = np.outer(time_us * 1e-6, [10.0, 0.0, 0.0]) + [5.0, 2.0, 0.75]
    track = Trajectory(time_us=time_us, world_from_body=translation(place_m))
    return Actor(id=3, kind=Semantic.CAR, size_m=np.array([4.0, 1.8, 1.5]), trajectory=track)


def a_look() -> Look:
    field = GridField(ActorsConfig().field, torch.Generator().manual_seed(3))
    return Look(field=field, key_us=torch.arange(2), latent=None, ground_linear=MADE)


def radiance(field: GridField) -> Float[Tensor, "100 3"]:
    random = torch.Generator().manual_seed(0)
    unit, along = torch.rand(100, 3, generator=random), torch.randn(100, 3, generator=random)
    with torch.no_grad():
        geometry = field.density(unit, None)[1]
        return field.radiance(4.0 * geometry, torch.nn.functional.normalize(along, dim=1))


@pytest.mark.parametrize("factor", [(1.0, 1.0, 1.0), (0.25, 0.5, 2.0), (0.01, 0.02, 0.015)])
def test_it_is_as_much_darker_as_the_ground_and_never_brighter(factor: tuple[float, ...]) -> None:
    look, here = (
        a_look(),
        ground_linear(Plain(height_m=0.0, linear=MADE * torch.tensor(factor)), driver()),
    )
    ratio = radiance(relit(look, here).field) / radiance(look.field)
    # factors come in steps of 4 %
    torch.testing.assert_close(
        ratio, torch.tensor(factor).clamp(max=1.0).expand(100, 3), rtol=0.023, atol=0.0
    )


def test_the_native_engine_agrees() -> None:
    native = pytest.importorskip("recon.kernels._native", reason="not built here")
    del native
    from recon.march_native import NativeScene

    block = Block(centre_m=(0.0, 0.0, 0.0), half_size_m=10.0)
    scene = RadianceField(block, ActorsConfig().field, 0).requires_grad_(False)
    field = relit(a_look(), MADE * torch.tensor([0.1, 0.5, 0.9])).field.requires_grad_(False)
    field.log_initial = 1.0
    random = torch.Generator().manual_seed(0)
    along = 0.1 * torch.randn(200, 3, generator=random) + torch.tensor([0.0, 0.0, 1.0])
    rays = Rays(
        origins_m=0.1 * torch.randn(200, 3, generator=random) - torch.tensor([0.0, 0.0, 3.0]),
        directions=torch.nn.functional.normalize(along, dim=1),
        pixel_angle=torch.full((200,), 1e-3),
    )
    unit = torch.cat([torch.eye(3), torch.full((3, 1), 0.5)], dim=1)[None]
    there = (Instance(field=field, unit_from_world=unit, id=1),)
    steps = {"sampling": SamplingConfig(), "growth": 0.1}
    want = march(scene, rays, there, **steps)[0]
    got = NativeScene(scene).march(rays, there, **steps)
    assert int((want.instance == 1).sum()) > 50
    torch.testing.assert_close(got.linear, want.linear, rtol=0.0, atol=5e-4)


def test_density_stays() -> None:
    look = a_look()
    unit = torch.rand(100, 3, generator=torch.Generator().manual_seed(1))
    darker = relit(look, 0.1 * MADE)
    assert torch.equal(look.field.density(unit, None)[0], darker.field.density(unit, None)[0])


def test_who_stands_on_nothing_keeps_its_light() -> None:
    look = a_look()
    assert ground_linear(Plain(height_m=-3.0, linear=MADE), driver()) is None
    assert relit(look, None) is look
    assert relit(replace(look, ground_linear=None), MADE).ground_linear is None


def test_the_side_in_the_shade_stays_about_as_it_is_in_exact_sunshine() -> None:
    """A car that was made under cloud, from three sides, and the ground around it."""
    pytest.importorskip("mitsuba", reason="the extra `worlds` is not installed")
    from recon import make_library
    from scenes.worlds.light import Light
    from scenes.worlds.tracer import Tracer
    from scenes.worlds.view import photograph, true_view

    world, actor, _ = make_library.stage("car")
    other = replace(world, lighting=replace(world.lighting, overcast=0.0))
    found = []
    for each in (world, other):
        light = Light(Tracer(each))
        shown = []
        for camera, box_from_camera in make_library.cameras(actor.size_m, (0.35,))[::3]:
            small = replace(
                camera, width=16, height=16, fx=camera.fx / 5, fy=camera.fy / 5, cx=8.0, cy=8.0
            )
            eye = actor.trajectory.world_from_body[0] @ box_from_camera
            mine = true_view(light.tracer, small, eye, 0).instance.ravel() == actor.id
            pixels = small.pixel_centres().reshape(-1, 2)[mine]
            shown.append(np.median(photograph(light, small, eye, 0, 0, pixels)))
        found.append((np.array(shown), make_library.road_linear(light).mean().item()))
    (made, ground), (true, here) = found
    sides = true / made
    print(f"ground {here / ground:.3f} times as bright, sides of the car {sides}")
    assert here > 1.5 * ground
    assert abs(np.log2(sides.min())) < 0.5
    assert abs(np.log2(sides.min())) < abs(np.log2(sides.min() / (here / ground)))
