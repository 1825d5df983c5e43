from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from recon.field.field import GridField, RadianceField
from recon.field.occupancy import OccupancyGrid
from recon.rendering.march import MarchOutput, march
from recon.rendering.rays import Rays
from scenes.motion.geometry import invert
from tests.march_maker import GROWTH, SAMPLING, at, boxed, bundle, look
from tests.scene_maker import tiny_field

FACE_M = 12.0


def empty_field(seed: int = 0) -> RadianceField:
    """A field that knows to be empty: only the sky is left."""
    field = tiny_field(seed)
    grid = field.occupancy
    assert isinstance(grid, OccupancyGrid)
    grid.density.zero_()
    grid.settle()
    return field


@pytest.fixture
def slab(monkeypatch: pytest.MonkeyPatch) -> RadianceField:
    """A static wall from x = `FACE_M` on; instances are opaque everywhere in their boxes."""
    field = tiny_field()

    def density(
        part: GridField, unit: Tensor, footprint: Tensor | None, latent: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        assert latent is None
        assert footprint is None or len(footprint) == len(unit)
        solid = field.block.world(unit)[:, 0] > FACE_M
        if part is not field.static:
            solid = torch.ones_like(solid)
        return 50.0 * solid.to(unit), torch.zeros(len(unit), 4).to(unit)

    monkeypatch.setattr(GridField, "density", density)
    return field


def test_gradients_are_the_derivatives() -> None:
    field, part = tiny_field(), boxed(at(8.0, 0.0, 0.0, turn=(0.0, 0.1, 0.4)), 1)
    parameters = (*field.parameters(), *part.field.parameters())
    rays = bundle(2)

    def run(*_: Tensor) -> Tensor:
        out = march(field, rays, (part,), sampling=SAMPLING, growth=GROWTH)[0]
        return torch.cat([out.linear, out.instance_weights, out.expected_range_m[:, None]], dim=1)

    # gradcheck moves the parameters in place, so `run` sees them move
    assert torch.autograd.gradcheck(run, parameters, fast_mode=True)
    for gradient in torch.autograd.grad(run().sum(), parameters):
        assert bool(gradient.any())


def test_weights_share_the_pixel() -> None:
    field, part = tiny_field(strength=3e4), boxed(at(6.0, 0.5, 0.0), 1)
    with torch.no_grad():
        out, samples = march(field, bundle(), (part,), sampling=SAMPLING, growth=GROWTH)
    assert bool((samples.weights >= 0.0).all())
    assert_close(samples.weights.sum(1), out.opacity)
    assert_close(out.instance_weights.sum(1), out.opacity)
    assert bool(((out.opacity > 0.0) & (out.opacity <= 1.0 + 1e-12)).all())
    assert bool((samples.middle_m.diff(dim=1) >= 0.0).all())


def test_an_empty_field_shows_only_the_sky() -> None:
    field, rays = empty_field(), bundle()
    out = look(field, rays)
    assert_close(out.linear, field.sky(rays.directions).detach())
    assert not out.opacity.any()
    assert not out.expected_range_m.any()
    assert bool(torch.isinf(out.range_m).all())
    assert not out.instance.any()


def test_a_dense_wall_is_where_it_begins(slab: RadianceField) -> None:
    rays = bundle()
    out = look(slab, rays)
    face_m = FACE_M / rays.directions[:, 0]
    assert_close(out.opacity, torch.ones(5, dtype=torch.float64))
    assert bool(((out.range_m - face_m).abs() < GROWTH * face_m).all())
    assert bool(((out.expected_range_m - face_m).abs() < GROWTH * face_m).all())


def test_finer_steps_find_the_wall_more_exactly(slab: RadianceField) -> None:
    rays, fine = bundle(), replace(SAMPLING, min_step_m=0.02)
    with torch.no_grad():
        out, _ = march(slab, rays, sampling=fine, growth=0.002)
    assert_close(out.range_m, FACE_M / rays.directions[:, 0], rtol=0.0, atol=0.03)


def test_a_moved_instance_is_a_camera_moved_the_other_way() -> None:
    field, rays = empty_field(), bundle()
    there_at, here_at = at(7.0, 0.3, -0.2, turn=(0.2, -0.1, 0.7)), at(2.0, 3.0, 1.0)
    here_from_there = torch.from_numpy(here_at @ invert(there_at))
    turn, shift = here_from_there[:3, :3], here_from_there[:3, 3]
    moved = Rays(
        origins_m=rays.origins_m @ turn.T + shift,
        directions=rays.directions @ turn.T,
        pixel_angle=rays.pixel_angle,
    )
    there = look(field, rays, (boxed(there_at, 1),))
    here = look(field, moved, (boxed(here_at, 1),))
    assert bool((here.opacity > 0.5).any())
    for name in ("opacity", "instance_weights", "expected_range_m", "range_m", "instance"):
        assert_close(getattr(there, name), getattr(here, name))
    light_there = there.linear - (1.0 - there.opacity[:, None]) * field.sky(rays.directions)
    light_here = here.linear - (1.0 - here.opacity[:, None]) * field.sky(moved.directions)
    assert_close(light_there, light_here)


@pytest.mark.usefixtures("slab")
@pytest.mark.parametrize(("x_m", "winner"), [(6.0, 1), (18.0, 0)])
def test_the_nearer_surface_wins(slab: RadianceField, x_m: float, winner: int) -> None:
    rays = bundle(spread=0.05)
    out = look(slab, rays, (boxed(at(x_m, 0.0, 0.0), 42),))
    assert out.instance.tolist() == [winner] * 5
    assert_close(out.instance_weights.sum(1), out.opacity)
    assert bool((out.instance_weights[:, winner] > 0.99).all())
    face_m = (x_m - 2.0 if winner else FACE_M) / rays.directions[:, 0]
    assert bool(((out.range_m - face_m).abs() < GROWTH * face_m).all())


def test_the_range_is_that_of_the_winner_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    glass, solid = boxed(at(4.0, 0.0, 0.0), 1), boxed(at(12.0, 0.0, 0.0), 2)

    def density(
        part: GridField, unit: Tensor, footprint: Tensor | None, latent: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        del footprint, latent
        # 4 m long, the glass takes 45 % of the light
        strength = {id(glass.field): 0.15, id(solid.field): 50.0}.get(id(part), 0.0)
        return torch.full_like(unit[:, 0], strength), torch.zeros(len(unit), 4).to(unit)

    monkeypatch.setattr(GridField, "density", density)
    out = look(tiny_field(), bundle(spread=0.05), (glass, solid))
    assert out.instance.tolist() == [2] * 5
    assert_close(out.range_m, torch.full_like(out.range_m, 10.0), rtol=0.03, atol=0.0)
    # the light comes from nearer by on average
    assert bool((out.expected_range_m < 8.0).all())


def test_the_order_of_the_instances_does_not_matter() -> None:
    field, rays = tiny_field(), bundle(9, spread=0.6)
    parts = [boxed(at(5.0 * i, 0.3 * i - 0.5, 0.0), i, seed=i) for i in (1, 2, 3)]
    order = [2, 0, 1]
    straight = look(field, rays, tuple(parts))
    shuffled = look(field, rays, tuple(parts[i] for i in order))
    assert len(set(straight.instance.tolist())) > 1
    for name in ("linear", "opacity", "range_m", "expected_range_m"):
        assert_close(getattr(straight, name), getattr(shuffled, name))
    columns = [0, *(1 + i for i in order)]
    assert_close(straight.instance_weights[:, columns], shuffled.instance_weights)


def test_no_instances_is_an_empty_list() -> None:
    field, rays = tiny_field(), bundle()
    with torch.no_grad():
        none, _ = march(field, rays, sampling=SAMPLING, growth=GROWTH)
    listed = look(field, rays, ())
    for name in MarchOutput.__dataclass_fields__:
        assert torch.equal(getattr(none, name), getattr(listed, name))


@pytest.mark.parametrize("place_m", [(-8.0, 0.0, 0.0), (8.0, 30.0, 0.0), (8.0, 0.0, -9.0)])
def test_a_box_that_a_ray_misses_changes_nothing(place_m: tuple[float, float, float]) -> None:
    field, rays = tiny_field(), bundle()
    alone, beside = look(field, rays), look(field, rays, (boxed(at(*place_m), 1),))
    for name in ("linear", "opacity", "range_m", "expected_range_m", "instance"):
        assert_close(getattr(alone, name), getattr(beside, name), rtol=1e-12, atol=1e-12)
    assert not beside.instance_weights[:, 1].any()


def test_rays_may_start_inside_a_box() -> None:
    out = look(empty_field(), bundle(), (boxed(at(0.5, 0.0, 0.0), 1),))
    assert bool((out.opacity > 0.0).all())
    assert bool((out.expected_range_m < 2.6 * 1.1).all())


def test_looking_no_further_than_light_gets_hardly_changes_the_picture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("recon.rendering.ray_samples.STRETCH", 4)
    field, rays = tiny_field(strength=3e4), bundle()
    with torch.no_grad():
        field.static.log_initial += 3.0
    whole, short = look(field, rays), look(field, rays, termination=1e-2)
    assert bool((short.opacity <= whole.opacity + 1e-12).all())
    assert_close(short.opacity, whole.opacity, rtol=0.0, atol=1e-2)
    assert_close(short.range_m, whole.range_m, rtol=0.03, atol=0.0)
    # with gradients it looks twice, and sees the same
    learning, samples = march(field, rays, sampling=SAMPLING, growth=GROWTH, termination=1e-2)
    assert_close(learning.linear.detach(), short.linear)
    assert len(samples.static.ray) < samples.weights.numel()
    assert bool((samples.static.ray.diff() >= 0).all())
